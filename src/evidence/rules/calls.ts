/**
 * Why a GPU call ended. The journal decided it, so these rules render what it recorded; they add what its absence of other
 * records excludes, since the journal has no holes: what is not in it up to the index that was read did not happen by then.
 */
import { callOutcomes } from "../call-outcomes.ts";
import type { CallCause } from "../call-outcomes.ts";
import { codeRow } from "../codes.ts";
import type { Code } from "../codes.ts";
import type { Entry, Hop } from "../entry.ts";
import { contradiction, unknown } from "../finding.ts";
import type { Excluded, Finding } from "../finding.ts";
import type { KnownId } from "../known.ts";
import { all, codeOf, codesIn, coded, first, last, number, text } from "../reading.ts";
import type { Reading } from "../reading.ts";
import { poolTold } from "../pool-route.ts";
import type { Charge, WorkOutcome } from "../verdict.ts";
import { blockersSay, clockTime, count, ordinal, sentence, spell } from "../words.ts";

/** The codes that a call can end with. */
export type CallCode =
  | Extract<Code, `gpu/${string}`>
  | "runtime/arch-mismatch"
  | "runtime/driver-too-old"
  | "runtime/nvml-lost"
  | "app/exception"
  | "capacity/pool-draining";

export interface CallRule {
  /** A record that it speaks of, in one line. */
  readonly example: string;
  /** Hops that the record must have for the code to be proved, and such as it must not have. */
  readonly needs: readonly Hop[];
  readonly without: readonly Hop[];
  readonly says: (call: CallFacts) => string;
  readonly known?: (call: CallFacts) => KnownId | undefined;
}

/** The numbers that sentences use; undefined where the record lacks them. */
export interface CallFacts {
  readonly account: string;
  readonly billedBy: string;
  readonly pool: string;
  readonly size: string;
  readonly declaredMs: number | undefined;
  readonly leaseMs: number | undefined;
  readonly limitMs: number | undefined;
  readonly usedMs: number | undefined;
  readonly cause: string;
  readonly rule: string;
  readonly charge: Charge | null;
  /** What it ran on, in words. */
  readonly gpu: string;
  readonly ended: Entry;
}

const beforeGrant = { needs: ["gpu.queue"], without: ["gpu.grant"] } as const;
const atAdmission = { needs: [], without: ["gpu.queue", "gpu.grant"] } as const;
const afterGrant = { needs: ["gpu.grant"], without: [] } as const;
const anywhere = { needs: [], without: [] } as const;

export const callRules: Readonly<Record<CallCode, CallRule>> = {
  "gpu/duration-not-allowed": {
    example: "gpu.admit refused: declares 900 s, at most 600 s",
    ...atAdmission,
    says: ({ ended, declaredMs }) =>
      `This app declares ${spellOr(declaredMs, "a duration")} and ${typeof ended.facts["tier"] === "string" ? `the tier ${ended.facts["tier"]} allows` : "pool limits allow"} ${spellOr(number(ended.facts, "maxMs"), "less")}. Nothing was charged.`,
  },
  "gpu/size-not-available": {
    example: "gpu.admit refused: xlarge, on cards of one slot",
    ...atAdmission,
    says: ({ size, pool }) => `No card of pool ${pool} can hold size ${size}. Nothing was charged.`,
  },
  "gpu/quota-exceeded": {
    example: "gpu.admit refused: asks 60 s, 12 s of 300 s left",
    ...atAdmission,
    says: quotaSays,
    known: ({ ended, size, billedBy }) => {
      if (size === "xlarge") return "xlarge-costs-twice";
      if ((number(ended.facts, "quotaHeldMs") ?? 0) > 0) return "holds-count-against-quota";
      if (billedBy === "address") return "counted-by-address";
      return (number(ended.facts, "leftMs") ?? 0) > 0 ? "declared-gates-admission" : undefined;
    },
  },
  "gpu/budget-exceeded": {
    example: "gpu.admit refused: asks 60 s, 12 s of the owner's budget of 600 s left",
    ...atAdmission,
    says: ({ ended }) =>
      `${text(ended.facts, "sponsor") ?? "The Space's owner"} pays for this Space's visitors, and can pay ${spellOr(number(ended.facts, "leftMs"), "too little")} more of ${spellOr(number(ended.facts, "limitMs"), "its budget")}; this call asks for ${spellOr(number(ended.facts, "askedMs"), "more")}. Nothing was charged.`,
    known: () => "owner-pays-for-visitors",
  },
  "gpu/token-cap": {
    example: "gpu.admit refused: the request's token admitted 64 calls",
    ...atAdmission,
    says: ({ ended }) =>
      `This request's token admitted ${count(number(ended.facts, "calls") ?? 0, "call")} of at most ${number(ended.facts, "maxCalls") ?? "its cap"}, with ${spellOr(number(ended.facts, "gpuMs"), "its share")} of GPU time. Nothing was charged.`,
    known: () => "limits-of-one-token",
  },
  "gpu/runs-exceeded": {
    example: "gpu.admit refused: 100 runs in the window, at most 100",
    ...atAdmission,
    says: ({ ended, account }) =>
      `${account} has made ${count(number(ended.facts, "runs") ?? 0, "run")} in its window, and its tier allows ${number(ended.facts, "max") ?? "fewer"}. Nothing was charged.`,
    known: () => "free-runs-do-not-count",
  },
  "gpu/account-busy": {
    example: "gpu.admit refused: 4 calls of the account are open, at most 4",
    ...atAdmission,
    says: ({ ended, account }) =>
      `${account} has ${count(number(ended.facts, "calls") ?? 0, "call")} open, and its tier allows ${number(ended.facts, "max") ?? "fewer"} at once. Nothing was charged.`,
  },
  "gpu/space-busy": {
    example: "gpu.admit refused: 8 calls of the Space are open, at most 8",
    ...atAdmission,
    says: ({ ended, pool }) =>
      `The Space has ${count(number(ended.facts, "calls") ?? 0, "call")} open, and pool ${pool} allows one Space ${number(ended.facts, "max") ?? "fewer"} at once. Nothing was charged.`,
  },
  "gpu/queue-full": {
    example: "gpu.admit refused: 1000 calls wait, at most 1000",
    ...atAdmission,
    says: ({ ended, pool }) =>
      `${count(number(ended.facts, "waiting") ?? 0, "call")} already wait for pool ${pool}, and no more than ${number(ended.facts, "max") ?? "its limit"} may. Nothing was charged.`,
  },
  "gpu/queue-timeout": {
    example: "gpu.queue refused after 3 s: all 4 slots were leased",
    ...beforeGrant,
    says: ({ limitMs, pool }) =>
      `No GPU became free within ${spellOr(limitMs, `the queue limit of pool ${pool}`)}. Nothing was charged.`,
    known: () => "waiting-is-free",
  },
  "gpu/no-capacity": {
    example: "gpu.queue refused: the pool's only node went away",
    ...anywhere,
    without: ["gpu.grant"],
    says: ({ pool }) => `Pool ${pool} has no GPU for this call. Nothing was charged.`,
    known: () => "platform-fault-is-free",
  },
  "gpu/visitor-left": {
    example: "gpu.queue failed: the visitor left while waiting",
    ...anywhere,
    says: ({ cause, charge }) =>
      cause === "visitor-stop"
        ? `The visitor left and the Space ends a call then. ${chargedSays(charge)}`
        : `The visitor left before a GPU was used. ${chargedSays(charge)}`,
    known: ({ cause }) => (cause === "visitor-stop" ? "visitor-left-is-metered" : "waiting-is-free"),
  },
  "gpu/grant-unused": {
    example: "gpu.attach failed: granted, and not attached within 30 s",
    ...afterGrant,
    without: ["gpu.attach"],
    says: () =>
      "A GPU was granted, and the app gave it back or did not attach to it in time: the function was never entered there. Nothing was charged.",
    known: () => "lease-counts-from-attach",
  },
  "gpu/lease-expired": {
    example: "app.run failed: ended at its lease of 60 s",
    ...afterGrant,
    says: ({ leaseMs, declaredMs, charge }) =>
      isClipped(leaseMs, declaredMs)
        ? `Stopped at ${spellOr(leaseMs, "the end of its lease")}: that was all the time left, of ${spellOr(declaredMs, "the duration")} that the app declares. ${chargedSays(charge)}`
        : `Stopped at the ${spellOr(leaseMs ?? declaredMs, "duration")} that the app declares. ${chargedSays(charge)}`,
    known: ({ leaseMs, declaredMs }) => (isClipped(leaseMs, declaredMs) ? "clipped-lease" : "lease-counts-from-attach"),
  },
  "gpu/worker-lost": {
    example: "app.run failed: the worker was killed after 2 s",
    ...afterGrant,
    says: ({ cause, usedMs, charge, gpu }) =>
      `${workerSays(cause)} after ${spellOr(usedMs, "an unknown time")} on ${gpu}. ${chargedSays(charge)}`,
    known: ({ rule }) => (rule.startsWith("killed-") ? "killed-is-free-at-first" : undefined),
  },
  "gpu/without-lease": {
    example: "app.run failed: its worker was on card 1 too, and its lease is of card 0",
    ...afterGrant,
    says: ({ usedMs, charge }) =>
      `The worker used a GPU that it had no lease on, and was ended after ${spellOr(usedMs, "an unknown time")}. ${chargedSays(charge)}`,
  },
  "gpu/node-lost": {
    example: "app.run failed: the node was not heard for 45 s",
    ...anywhere,
    says: ({ charge }) => `The GPU's machine stopped answering. Our fault: ${spell(charge?.chargedMs ?? 0)} charged.`,
    known: () => "platform-fault-is-free",
  },
  "gpu/device-fault": {
    example: "app.run failed: the worker ended while its card reported an error",
    ...anywhere,
    says: cardSays,
    known: () => "platform-fault-is-free",
  },
  "runtime/arch-mismatch": {
    example: "gpu.admit refused: torch has code for sm_70 sm_80, the pool's cards are 9.0",
    ...atAdmission,
    says: misfitSays,
  },
  "runtime/driver-too-old": {
    example: "gpu.admit refused: torch of CUDA 13 needs driver 580, the node's is 535",
    ...atAdmission,
    says: misfitSays,
  },
  "runtime/nvml-lost": {
    example: "gpu.queue failed: nvidia-smi failed until its wait was over",
    ...anywhere,
    says: cardSays,
    known: () => "platform-fault-is-free",
  },
  "capacity/pool-draining": {
    example: "gpu.admit refused: node n1 is drained by admin: driver",
    needs: [],
    without: ["gpu.grant"],
    says: ({ ended }) =>
      `${sentence(text(ended.facts, "says") ?? codeRow("capacity/pool-draining").says)} Nothing was charged.`,
    known: () => "platform-fault-is-free",
  },
  "gpu/replica-lost": {
    example: "app.run failed: the app exited while the call ran",
    ...anywhere,
    says: ({ cause, charge }) => `${replicaSays(cause)} ${chargedSays(charge)}`,
    known: ({ cause, rule }) =>
      rule.startsWith("killed-")
        ? "killed-is-free-at-first"
        : cause === "shim-lost"
          ? "platform-fault-is-free"
          : undefined,
  },
  "gpu/stopped": {
    example: "app.run failed: an operator ended it",
    ...anywhere,
    says: ({ ended, charge }) => {
      const why = text(ended.facts, "says");
      return `The platform ended the call${why === undefined ? "" : `: ${why}`}. ${chargedSays(charge)}`;
    },
    known: () => "platform-fault-is-free",
  },
  "app/exception": {
    example: "app.run failed: the function raised its own error after 0.4 s",
    ...afterGrant,
    says: ({ usedMs, charge, gpu }) =>
      `The app's function raised an error after ${spellOr(usedMs, "an unknown time")} on ${gpu}. ${chargedSays(charge)}`,
  },
};

/** What the journal says of a call's end; undefined while it goes on or when it went well. */
export function findCall(reading: Reading, charge: Charge | null): Finding | undefined {
  const codes = callCodes(reading);
  const ended = coded(reading.entries).at(-1) ?? last(reading, "gpu.settle", "done");
  if (codes.length > 1) return contradiction(`it ended as ${codes.join(" and as ")}.`, coded(reading.entries));
  const code = codes[0];
  if (code === undefined || ended === undefined)
    return reading.entries.length === 0 ? unknown(null, nothingSays(reading), []) : undefined;
  if (code.startsWith("identity/")) return identityFinding(code, ended, charge);
  if (!isCallCode(code))
    return {
      code,
      certainty: "proved",
      sentence: sentence(text(ended.facts, "says") ?? codeRow(code).says),
      facts: [ended],
    };
  return callFinding(reading, code, ended, charge);
}

/** Hold, charge and remainder as the settlement or the refusal recorded them; null while nothing is settled. */
export function chargeOf(reading: Reading): Charge | null {
  const given = reading.record.charge;
  const settled = last(reading, "gpu.settle", "done");
  const receipt = given?.receipt ?? null;
  if (settled) {
    const chargedMs = number(settled.facts, "chargedMs") ?? 0;
    const releasedMs = number(settled.facts, "releasedMs") ?? 0;
    const paidBy = text(first(reading, "gpu.admit", "done")?.facts, "sponsor");
    return {
      chargedMs,
      heldMs: chargedMs + releasedMs,
      releasedMs,
      receipt,
      ...(paidBy !== undefined && { paidBy }),
    };
  }
  const refused = all(reading, "gpu.admit", "refused").length + all(reading, "identity.verify", "refused").length > 0;
  return refused ? { chargedMs: 0, heldMs: 0, releasedMs: 0, receipt } : given;
}

export function callOutcome(reading: Reading): WorkOutcome {
  const codes = callCodes(reading);
  if (codes.length > 1) return "unknown";
  if (codes.length === 0)
    return all(reading, "gpu.settle", "done").length > 0 ? "ok" : reading.entries.length === 0 ? "unknown" : "open";
  return coded(reading.entries).some(({ mark }) => mark === "refused") ? "refused" : "failed";
}

/** One sentence for a call that went well or is under way. */
export function callSays(reading: Reading, charge: Charge | null): string {
  const settled = last(reading, "gpu.settle", "done");
  if (settled) {
    const left =
      text(settled.facts, "rule") === "visitor-left-running" ? " Its visitor had left, and it finished." : "";
    const ran = `The function ran ${spellOr(number(settled.facts, "usedMs"), "an unknown time")} on ${gpuSays(reading)}.`;
    return [`${ran}${left}`, chargedSays(charge), poolTold(reading).says].filter((part) => part !== "").join(" ");
  }
  if (first(reading, "gpu.attach")) return `The function is running on ${gpuSays(reading)}.`;
  if (first(reading, "gpu.grant", "handed")) return "A GPU is granted; the app's worker has not attached to it yet.";
  const queued = last(reading, "gpu.queue", "took");
  if (!queued)
    return first(reading, "gpu.admit", "done") ? "It is admitted and has no GPU yet." : "It is being scheduled.";
  const position = number(queued.facts, "position");
  const blockers = blockersSay(queued.facts["blockers"]);
  const place =
    position === undefined
      ? "Waiting for a GPU"
      : `Waiting for a GPU: ${ordinal(position)} of ${number(queued.facts, "of") ?? position} when it was queued`;
  const { says } = poolTold(reading);
  return `${place}${blockers === "" ? "" : `; ${blockers}`}. Waiting is free.${says === "" ? "" : ` ${says}`}`;
}

function callFinding(reading: Reading, code: CallCode, ended: Entry, charge: Charge | null): Finding {
  const rule = callRules[code];
  const facts = factsOf(reading, ended, charge);
  const stray = rule.without.find((hop) => first(reading, hop, "took", "handed", "done"));
  if (stray)
    return contradiction(`it ended as ${code}, and yet there is a ${stray} entry.`, [ended, ...all(reading, stray)]);
  const lacking = rule.needs.find((hop) => !first(reading, hop, "took", "handed", "done"));
  if (lacking)
    return unknown(code, `The journal recorded ${code}, but its ${lacking} entry is missing from what was read.`, [
      ended,
    ]);
  const told = poolTold(reading);
  const steps = [
    first(reading, "gpu.admit"),
    first(reading, "gpu.queue"),
    ...told.entries,
    first(reading, "gpu.grant"),
    first(reading, "gpu.attach"),
    ended,
    last(reading, "gpu.settle"),
  ];
  return {
    code,
    certainty: "proved",
    sentence: told.says === "" ? rule.says(facts) : `${rule.says(facts)} ${told.says}`,
    facts: [...new Set(steps.filter((entry) => entry !== undefined))],
    excluded: excludedBy(reading, ended),
    owner: ownerOf(code, facts.cause),
    known: rule.known?.(facts),
  };
}

function identityFinding(code: Code, ended: Entry, charge: Charge | null): Finding {
  const says = sentence(text(ended.facts, "says") ?? codeRow(code).says);
  return {
    code,
    certainty: "proved",
    sentence: `${says} ${chargedSays(charge)}`,
    facts: [ended],
    excluded: [{ boundary: "gpu", because: "the call was refused before it was admitted", by: [ended] }],
  };
}

function callCodes(reading: Reading): readonly Code[] {
  const cause = text(last(reading, "gpu.settle", "done")?.facts, "cause");
  const settled = cause !== undefined && isCause(cause) ? callOutcomes[cause].code : null;
  return [...new Set([...codesIn(reading.entries), ...(settled === null ? [] : [settled])])].sort();
}

/** What the call's own record excludes: by what is in it, and by what a journal without holes lacks. */
function excludedBy(reading: Reading, ended: Entry): readonly Excluded[] {
  const verified = first(reading, "identity.verify", "done");
  const granted = first(reading, "gpu.grant", "handed");
  const attached = first(reading, "gpu.attach");
  const journal = reading.record.read.journal;
  const identity = verified
    ? [
        {
          boundary: "identity",
          because: `${text(verified.facts, "account") ?? "the account"} was known by ${text(verified.facts, "billedBy") ?? "its token"}`,
          by: [verified],
        },
      ]
    : [];
  if (!granted) {
    const never = `the function was never entered: no GPU was granted, journal read to ${journal}`;
    return [
      ...identity,
      { boundary: "runtime", because: never, by: [ended] },
      { boundary: "app", because: never, by: [ended] },
    ];
  }
  const gpu = attached
    ? [{ boundary: "gpu", because: "a GPU was granted and the worker attached to it", by: [granted, attached] }]
    : [];
  return [...identity, ...gpu];
}

function factsOf(reading: Reading, ended: Entry, charge: Charge | null): CallFacts {
  const scheduled = first(reading, "gpu.schedule", "took");
  const admitted = first(reading, "gpu.admit");
  const verified = first(reading, "identity.verify");
  const settled = last(reading, "gpu.settle", "done");
  return {
    account: text(verified?.facts, "account") ?? "the account",
    billedBy: text(verified?.facts, "billedBy") ?? "",
    pool: poolTold(reading).pool ?? "of its Space",
    size: text(scheduled?.facts, "size") ?? "unknown",
    declaredMs: number(scheduled?.facts, "declaredMs"),
    leaseMs: number(first(reading, "gpu.grant")?.facts, "leaseMs") ?? number(admitted?.facts, "leaseMs"),
    limitMs: number(first(reading, "gpu.queue", "took")?.facts, "limitMs"),
    usedMs: number(settled?.facts, "usedMs"),
    cause: text(settled?.facts, "cause") ?? text(ended.facts, "cause") ?? "",
    rule: text(settled?.facts, "rule") ?? "",
    charge,
    gpu: gpuSays(reading),
    ended,
  };
}

/** A card that does not exist is never called a GPU without saying so. */
function gpuSays({ record }: Reading): string {
  return record.simulated === true ? "a simulated GPU" : "the GPU";
}

function quotaSays({ ended }: CallFacts): string {
  const left = number(ended.facts, "leftMs");
  const limit = number(ended.facts, "limitMs");
  const resets = text(ended.facts, "resetsAt");
  const until = resets ? ` until ${clockTime(resets)}` : "";
  const sums = `${spellOr(number(ended.facts, "quotaUsedMs"), "all")} of ${spellOr(limit, "the limit")} used, ${spellOr(number(ended.facts, "quotaHeldMs"), "0 s")} held`;
  if (left === 0) return `No GPU time left${until} (${sums}). Nothing was charged.`;
  return `${spellOr(left, "Too little GPU time")} of GPU time is left and this call asks for ${spellOr(number(ended.facts, "askedMs"), "more")}${until} (${sums}). Nothing was charged.`;
}

function misfitSays({ ended }: CallFacts): string {
  const code = codeOf(ended);
  return `${sentence(text(ended.facts, "says") ?? (code === undefined ? "" : codeRow(code).says))} Nothing was charged.`;
}

function cardSays({ ended, charge }: CallFacts): string {
  const happened =
    ended.hop === "app.run"
      ? "The function ended badly while its card was in trouble."
      : "No card that could hold this call was well when its wait was over.";
  const said = sentence(text(ended.facts, "says") ?? "");
  return [happened, said, chargedSays(charge)].filter((part) => part !== "").join(" ");
}

function chargedSays(charge: Charge | null): string {
  if (charge === null) return "What is charged is not settled yet.";
  if (charge.chargedMs === 0) return "Nothing was charged.";
  const by = charge.paidBy === undefined ? "" : ` to ${charge.paidBy}, who pays for the Space's visitors`;
  return `Charged ${spell(charge.chargedMs)}${by}.`;
}

function spellOr(ms: number | undefined, otherwise: string): string {
  return ms === undefined ? otherwise : spell(ms);
}

function isClipped(leaseMs: number | undefined, declaredMs: number | undefined): boolean {
  return leaseMs !== undefined && declaredMs !== undefined && leaseMs < declaredMs;
}

function workerSays(cause: string): string {
  if (cause === "worker-oom") return "The worker was ended for the memory that it used";
  return cause === "worker-killed" ? "The worker was killed, and nothing says by whom," : "The worker ended by itself";
}

function replicaSays(cause: string): string {
  switch (cause) {
    case "app-exit":
      return "The app ended by itself while the call was open.";
    case "app-killed":
      return "The app was killed while the call was open, and nothing says by whom.";
    case "shim-lost":
      return "The process that kept the app's replica died while the call was open.";
    default:
      return "The app's replica went away while the call was open.";
  }
}

/** The platform's own process died: then the app is not to blame for the loss of its replica. */
function ownerOf(code: CallCode, cause: string): "platform" | CodeOwner {
  return code === "gpu/replica-lost" && cause === "shim-lost" ? "platform" : codeRow(code).owner;
}
type CodeOwner = ReturnType<typeof codeRow>["owner"];

function isCallCode(code: Code): code is CallCode {
  return Object.hasOwn(callRules, code);
}

function isCause(cause: string): cause is CallCause {
  return Object.hasOwn(callOutcomes, cause);
}

function nothingSays({ record }: Reading): string {
  return `The journal, read to ${record.read.journal}, has nothing under this id.`;
}
