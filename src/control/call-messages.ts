/** What a node is told of a call: its place, its grant, its refusal, with the sentence and the numbers that its app shows. Pure. */
import type { ToAgent } from "../contract/agent.ts";
import type { CallTerms, CommandRefusal, Lease, Refusal, VoidCause } from "../core/model.ts";
import type { Routed } from "../core/routes.ts";
import type { Code } from "../evidence/codes.ts";
import { count } from "../evidence/words.ts";
import { passedPool, passedSay } from "../evidence/pool-route.ts";
import type { PassedPool } from "../evidence/pool-route.ts";
import type { Instant } from "../stdx/time.ts";
import { waitingView } from "./waiting.ts";
import type { Waiting } from "./waiting.ts";

export function queuedMessage(terms: CallTerms, waiting: Waiting): Extract<ToAgent, { type: "queued" }> {
  const { position, of, estimateMs, says } = waitingView(waiting);
  return { type: "queued", call: terms.call, replica: terms.replica, position, of, estimateMs, says };
}

interface Granted {
  readonly terms: CallTerms;
  readonly lease: Lease;
  readonly number: number;
  readonly attachWithinMs: number;
  readonly device: { readonly index: number; readonly uuid: string };
}

export function grantMessage({ terms, lease, number, attachWithinMs, device }: Granted): ToAgent {
  const { slots, fence, warm, leaseMs } = lease;
  const { index, uuid } = device;
  return {
    type: "grant",
    number,
    call: terms.call,
    replica: terms.replica,
    slots,
    fence,
    warm,
    device: { index, uuid },
    leaseMs,
    attachWithinMs,
  };
}

/** `routed`: by which rule; what it passed over is told too. */
export function refusedMessage(terms: CallTerms, refusal: Refusal, now: Instant, routed?: Routed): ToAgent {
  const { says, ...words } = refusalWords(refusal, now);
  return {
    type: "refuse",
    call: terms.call,
    replica: terms.replica,
    askedMs: terms.declaredMs,
    ...words,
    says: withPassed(says, (routed?.passed ?? []).map(passedPool)),
  };
}

/** The code and the sentence that a call refused so gets. */
export function refusalSays(
  refusal: Refusal,
  now: Instant,
  passed: readonly PassedPool[] = [],
): { readonly code: string; readonly says: string } {
  const { code, says } = refusalWords(refusal, now);
  return { code, says: withPassed(says, passed) };
}

function withPassed(says: string, passed: readonly PassedPool[]): string {
  return passed.length === 0 ? says : `${says} Passed over: ${passedSay(passed)}.`;
}

/** A waiting call is refused; one that had its grant loses it. */
export function voidedMessage(
  { terms, lease }: { readonly terms: CallTerms; readonly lease: Lease | null },
  cause: VoidCause,
  waitedMs: number,
): ToAgent {
  if (lease !== null)
    return { type: "withdraw", call: terms.call, replica: terms.replica, fence: lease.fence, cause: "grant-unused" };
  const { code, kind, says } = voidRows[cause];
  return {
    type: "refuse",
    call: terms.call,
    replica: terms.replica,
    code,
    says: says(waitedMs),
    kind,
    leftMs: 0,
    askedMs: terms.declaredMs,
    waitMs: 0,
  };
}

/** `hop` null: the id is another call's, whose record this must not touch. */
export interface EarlyRefusal {
  readonly hop: "gpu.schedule" | "identity.verify" | null;
  readonly code: Code;
  readonly kind: "token" | "capacity" | "conflict";
  readonly says: string;
}

/** What a command that the ledger can't take means to the app that asked. */
export function ledgerRefusal(why: CommandRefusal): EarlyRefusal {
  const says = `The ledger refused this call: ${why}.`;
  if (why === "unknown-node") return { hop: "gpu.schedule", code: "gpu/node-lost", kind: "capacity", says };
  return { hop: why === "other-content" ? null : "gpu.schedule", code: "control/conflict", kind: "conflict", says };
}

interface Words {
  readonly code: string;
  readonly says: string;
  readonly kind: "quota" | "duration" | "capacity" | "queue" | "token" | "conflict";
}

const voidRows: Readonly<Record<VoidCause, { code: Code; kind: Words["kind"]; says: (waitedMs: number) => string }>> = {
  "queue-timeout": {
    code: "gpu/queue-timeout",
    kind: "queue",
    says: (ms) => `No GPU became free within ${secondsOf(ms)}. Nothing was charged.`,
  },
  "visitor-left": {
    code: "gpu/visitor-left",
    kind: "queue",
    says: () => "The visitor left while the call waited. Nothing was charged.",
  },
  "visitor-stop": {
    code: "gpu/visitor-left",
    kind: "queue",
    says: () => "The visitor left before the GPU was used. Nothing was charged.",
  },
  "no-capacity": {
    code: "gpu/no-capacity",
    kind: "capacity",
    says: () => "The pool lost the cards that could hold this call. Nothing was charged.",
  },
  "pool-draining": {
    code: "capacity/pool-draining",
    kind: "capacity",
    says: () => "All cards that could hold this call were taken out of use by an operator. Nothing was charged.",
  },
  "device-fault": {
    code: "gpu/device-fault",
    kind: "capacity",
    says: () => "No card that could hold this call was well. Our fault: nothing was charged.",
  },
  "nvml-lost": {
    code: "runtime/nvml-lost",
    kind: "capacity",
    says: () => "The node's cards could not be asked any more. Our fault: nothing was charged.",
  },
  "grant-unused": {
    code: "gpu/grant-unused",
    kind: "capacity",
    says: () => "The GPU was granted and never used. Nothing was charged.",
  },
  "replica-lost": {
    code: "gpu/replica-lost",
    kind: "capacity",
    says: () => "The app's replica went away. Nothing was charged.",
  },
  "node-lost": {
    code: "gpu/node-lost",
    kind: "capacity",
    says: () => "The GPU's machine stopped answering. Our fault: nothing was charged.",
  },
};

/** The sentence and the numbers of a refusal; `waitMs` is how long until it may go better, -1 where waiting does not help. */
function refusalWords(refusal: Refusal, now: Instant): Words & { readonly leftMs: number; readonly waitMs: number } {
  switch (refusal.code) {
    case "quota-exceeded": {
      const { leftMs, limitMs, usedMs, heldMs, resetsAt, askedMs, creditsMs = 0 } = refusal;
      const until = resetsAt === null ? "" : ` until ${new Date(resetsAt).toISOString().slice(11, 16)} UTC`;
      const says = `Too little GPU time left${until}: ${secondsOf(leftMs)} of ${secondsOf(limitMs)} (${secondsOf(usedMs)} used, ${secondsOf(heldMs)} held)${creditsMs > 0 ? ` and ${secondsOf(creditsMs)} of credits` : ""}, and this call asks for ${secondsOf(askedMs)}. Nothing was charged.`;
      return {
        code: "gpu/quota-exceeded",
        kind: "quota",
        says,
        leftMs: leftMs + creditsMs,
        waitMs: resetsAt === null ? 0 : Math.max(0, resetsAt - now),
      };
    }
    case "budget-exceeded": {
      const { sponsor, leftMs, limitMs, askedMs, resetsAt } = refusal;
      return {
        code: "gpu/budget-exceeded",
        kind: "quota",
        says: `${sponsor} pays for this Space's visitors, and can pay ${secondsOf(leftMs)} more of ${secondsOf(limitMs)}; this call asks for ${secondsOf(askedMs)}. Nothing was charged.`,
        leftMs,
        waitMs: resetsAt === null ? 0 : Math.max(0, resetsAt - now),
      };
    }
    case "duration-not-allowed":
      return {
        code: "gpu/duration-not-allowed",
        kind: "duration",
        says: `A call${refusal.tier === undefined ? "" : ` of the tier ${refusal.tier}`} may declare more than 0 and at most ${secondsOf(refusal.maxMs)}; this one declares ${secondsOf(refusal.declaredMs)}.`,
        leftMs: 0,
        waitMs: -1,
      };
    case "size-not-available":
      return {
        code: "gpu/size-not-available",
        kind: "capacity",
        says: `No card of pool "${refusal.pool}" can hold ${refusal.size}.`,
        leftMs: 0,
        waitMs: -1,
      };
    case "no-capacity":
      return {
        code: "gpu/no-capacity",
        kind: "capacity",
        says: `Pool "${refusal.pool}" has no GPU on the app's node.`,
        leftMs: 0,
        waitMs: 0,
      };
    case "pool-draining":
      return {
        code: "capacity/pool-draining",
        kind: "capacity",
        says: `${refusal.says[0]?.toUpperCase()}${refusal.says.slice(1)}. Nothing was charged.`,
        leftMs: 0,
        waitMs: 0,
      };
    case "arch-mismatch":
    case "driver-too-old":
      return {
        code: `runtime/${refusal.code}` satisfies Code,
        kind: "capacity",
        says: `${refusal.says}. Nothing was charged.`,
        leftMs: 0,
        waitMs: -1,
      };
    case "account-busy":
      return {
        code: "gpu/account-busy",
        kind: "token",
        says: `This account has ${count(refusal.calls, "call")} open, and the tier ${refusal.tier} allows ${refusal.max} at once. Nothing was charged.`,
        leftMs: 0,
        waitMs: 0,
      };
    case "space-busy":
      return {
        code: "gpu/space-busy",
        kind: "capacity",
        says: `This Space has ${count(refusal.calls, "call")} open, and ${refusal.max} may be at once. Nothing was charged.`,
        leftMs: 0,
        waitMs: 0,
      };
    case "runs-exceeded": {
      const { runs, max, tier, resetsAt } = refusal;
      return {
        code: "gpu/runs-exceeded",
        kind: "token",
        says: `This account has made ${count(runs, "run")} in its window, and the tier ${tier} allows ${max}. Nothing was charged.`,
        leftMs: 0,
        waitMs: resetsAt === null ? 0 : Math.max(0, resetsAt - now),
      };
    }
    case "queue-full":
      return {
        code: "gpu/queue-full",
        kind: "capacity",
        says: `${count(refusal.waiting, "call")} ${refusal.waiting === 1 ? "waits" : "wait"} already; the pool lets ${refusal.max} wait.`,
        leftMs: 0,
        waitMs: 0,
      };
    case "token-cap":
      return {
        code: "gpu/token-cap",
        kind: "token",
        says: `One request may make ${count(refusal.maxCalls, "call")} and use ${secondsOf(refusal.maxGpuMs)}; this one has made ${refusal.calls} and set aside ${secondsOf(refusal.gpuMs)}.`,
        leftMs: 0,
        waitMs: 0,
      };
  }
}

/** `3 s`, `0.4 s`. */
function secondsOf(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
