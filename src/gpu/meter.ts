/**
 * One granted call as its shim meters it. Decides only: the clock's reading is handed in, and what to do comes back as effects.
 *
 *   granted ──allow──► running ──release──► ended
 *      │                 │  └─lease's end─► expiring ─► ending ─► ended
 *      └─too late─► ended└──worker died, withdrawn────► ending ─► ended
 *
 * A warm grant is `running` at once. The meter is one interval on one monotonic clock, `[startedAt, release)`, and never longer
 * than the lease, which counts from `startedAt`. A call whose process may still live is never `ended` (L22).
 */
import { assert } from "../stdx/assert.ts";

/** A process, named so that no other can be meant: pid and start time. */
export interface Worker {
  readonly pid: number;
  readonly start: string;
}

/** What a grant gave. Times in milliseconds. */
export interface Lease {
  readonly fence: number;
  readonly leaseMs: number;
  readonly attachWithinMs: number;
}

export type EndCause =
  | "returned"
  | "raised"
  | "lease-end"
  | "worker-exit"
  | "worker-killed"
  | "worker-oom"
  | "without-lease"
  | "app-exit"
  | "app-killed"
  | "visitor-stop"
  | "operator-stop";

/** Why it ended and, in words, how that is known. */
export interface Verdict {
  readonly cause: EndCause;
  readonly says: string;
}

export interface End extends Verdict {
  readonly usedMs: number;
  readonly workerAlive: boolean;
  readonly unused: boolean;
}

/** How a process ended, as far as anyone saw it. */
export interface Seen {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The kernel killed it because the app's memory was used up. */
  readonly outOfMemory?: true;
}

/** What the app says at `/release`. */
export interface Word {
  readonly fail: boolean;
  /** What our SDK adds, since it knows: the function raised; it was never begun; the app ended it because its visitor left. */
  /** `cut-off`: as `aborted`, at a time when the platform was away and so nobody can tell who ended the connection. */
  readonly outcome: "raised" | "unused" | "aborted" | "cut-off" | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

interface Running {
  readonly lease: Lease;
  readonly worker: Worker;
  readonly startedAt: number;
  /** The worker called /allow. False: a warm one, metered from the grant, that may never have begun. */
  readonly attached: boolean;
}

export type Metered =
  | { readonly stage: "granted"; readonly lease: Lease; readonly attachBy: number }
  | ({ readonly stage: "running" } & Running)
  | ({ readonly stage: "expiring"; readonly killAt: number } & Running)
  /** Its process is being ended. `verdict` is null while the app may still say how it was; then `otherwise` holds from `decideBy` on. */
  | ({
      readonly stage: "ending";
      readonly usedMs: number;
      readonly gone: boolean;
      readonly verdict: Verdict | null;
      readonly seen: Seen | null;
      readonly otherwise: Verdict & { readonly unused: boolean };
      readonly decideBy: number;
    } & Running)
  | { readonly stage: "ended"; readonly lease: Lease; readonly end: End };

/** Why a lease is taken back before its call has ended. */
type WithdrawCause = "grant-unused" | "operator-stop" | "visitor-stop" | "without-lease";

export type MeterInput =
  | { readonly type: "allow"; readonly worker: Worker }
  /** `seen`: how the worker ended; null while it lives. */
  | { readonly type: "release"; readonly word: Word; readonly seen: Seen | null }
  /** The worker was seen dead. */
  | { readonly type: "died"; readonly seen: Seen }
  /** The worker and all below it are gone: the answer to the effect `end`. */
  | { readonly type: "gone" }
  | { readonly type: "withdraw"; readonly cause: WithdrawCause }
  /** The app and all its processes are gone. */
  | { readonly type: "app-ended"; readonly cause: "app-exit" | "app-killed" | "operator-stop" }
  | { readonly type: "tick" };

export type MeterEffect =
  | { readonly do: "report-attached"; readonly pid: number }
  /** `worker`: the one that lives on, warm; null where none does. */
  | { readonly do: "report-ended"; readonly end: End; readonly worker: Worker | null }
  | { readonly do: "term"; readonly worker: Worker }
  /** End it with all its descendants, then say `gone`. */
  | { readonly do: "end"; readonly worker: Worker }
  /** A warm worker that the app has replaced: end it; nobody waits for that. */
  | { readonly do: "end-replaced"; readonly worker: Worker };

export interface Step {
  readonly next: Metered;
  readonly effects: readonly MeterEffect[];
  /** `allow` only: why not. */
  readonly refused?: "ended" | "other-worker";
}

/** From the lease's end to SIGKILL: a task that finishes at TERM may do so, and the process is gone within a second (L31). */
export const killAfterMs = 500;
/** How long the app may take to say how its worker ended. */
export const wordWithinMs = 500;

/** The state right after a grant: `idle` is the living worker that a warm grant promises, else null. */
export function granted(lease: Lease, idle: Worker | null, now: number): Step {
  if (idle === null) return { next: { stage: "granted", lease, attachBy: now + lease.attachWithinMs }, effects: [] };
  const next = { stage: "running", lease, worker: idle, startedAt: now, attached: false } as const;
  return { next, effects: [{ do: "report-attached", pid: idle.pid }] };
}

/** What happens to `call` when `input` comes at `now` (monotonic, ms). A late or repeated input changes nothing. */
export function step(call: Metered, input: MeterInput, now: number): Step {
  switch (call.stage) {
    case "granted":
      return stepGranted(call, input, now);
    case "running":
      return stepRunning(call, input, now);
    case "expiring":
      return stepExpiring(call, input, now);
    case "ending":
      return settle(stepEnding(call, input), now, input);
    case "ended":
      return input.type === "allow" ? { ...stay(call), refused: "ended" } : stay(call);
  }
}

/** When the next `tick` matters; null when none does. */
export function nextTickAt(call: Metered): number | null {
  if (call.stage === "granted") return call.attachBy;
  if (call.stage === "running") return call.startedAt + call.lease.leaseMs;
  if (call.stage === "expiring") return call.killAt;
  return call.stage === "ending" ? call.decideBy : null;
}

type Granted = Extract<Metered, { stage: "granted" }>;
type Ending = Extract<Metered, { stage: "ending" }>;

function stepGranted(call: Granted, input: MeterInput, now: number): Step {
  const unused = (cause: EndCause, says: string): Step =>
    ended(call.lease, { cause, says, usedMs: 0, workerAlive: false, unused: true });
  switch (input.type) {
    case "allow": {
      if (now >= call.attachBy) return { ...unused("returned", tooLate(call.lease)), refused: "ended" };
      const next = {
        stage: "running",
        lease: call.lease,
        worker: input.worker,
        startedAt: now,
        attached: true,
      } as const;
      return { next, effects: [{ do: "report-attached", pid: input.worker.pid }] };
    }
    case "release":
      return unused(input.word.fail ? "raised" : "returned", "The app gave the GPU back without having used it.");
    case "withdraw":
      return unused(
        input.cause === "grant-unused" ? "returned" : input.cause,
        "The grant was taken back before the app attached.",
      );
    case "app-ended":
      return unused(input.cause, "The app ended before it attached.");
    case "tick":
      return now >= call.attachBy ? unused("returned", tooLate(call.lease)) : stay(call);
    case "died":
    case "gone":
      return stay(call);
  }
}

function stepRunning(call: Running & { readonly stage: "running" }, input: MeterInput, now: number): Step {
  switch (input.type) {
    case "allow":
      return allowRunning(call, input.worker, now);
    case "release": {
      const alive = input.seen === null;
      const verdict = verdictOf(input.word, alive, input.seen);
      if (input.word.outcome === "unused" && !call.attached) return neverBegun(call, alive);
      // A worker that is gone may have left children: the slot is not free before they are gone too. And a `spaces` client
      // forgets the worker of a call that failed: nobody would ever use it again, and it would keep its memory.
      const forgotten = input.word.fail && input.word.outcome !== "raised";
      if (!alive || forgotten) return settle(ending(call, now, { verdict }), now);
      return ended(
        call.lease,
        { ...verdict, usedMs: usedBy(call, now), workerAlive: true, unused: false },
        call.worker,
      );
    }
    case "died":
      return ending(call, now, { verdict: null, seen: input.seen });
    case "withdraw":
      return withdraw(call, input.cause, now);
    case "app-ended":
      return appEnded(call, usedBy(call, now), input.cause);
    case "tick": {
      const until = call.startedAt + call.lease.leaseMs;
      if (now < until) return stay(call);
      return {
        next: { ...call, stage: "expiring", killAt: until + killAfterMs },
        effects: [{ do: "term", worker: call.worker }],
      };
    }
    case "gone":
      return stay(call);
  }
}

/** A warm grant that was given back untouched. */
function neverBegun(call: Running, alive: boolean): Step {
  const end = {
    cause: "returned",
    says: "The app gave the GPU back without having used it.",
    usedMs: 0,
    workerAlive: alive,
    unused: true,
  } as const;
  return ended(call.lease, end, alive ? call.worker : null);
}

function allowRunning(call: Running & { readonly stage: "running" }, worker: Worker, now: number): Step {
  const same = worker.pid === call.worker.pid && worker.start === call.worker.start;
  if (call.attached) return same ? stay(call) : { ...stay(call), refused: "other-worker" };
  const effects: readonly MeterEffect[] = same ? [] : [{ do: "end-replaced", worker: call.worker }];
  return { next: { ...call, worker, startedAt: now, attached: true }, effects };
}

function stepExpiring(
  call: Running & { readonly stage: "expiring"; readonly killAt: number },
  input: MeterInput,
  now: number,
): Step {
  switch (input.type) {
    case "allow":
      return { ...stay(call), refused: "ended" };
    case "release":
      // It finished in the time between TERM and KILL: the result is the visitor's, and the time is the whole lease.
      return ending(call, now, { verdict: input.word.fail ? leaseEnd(call.lease) : verdictOf(input.word, true, null) });
    case "died":
      // Its parent may be about to say that it had finished.
      return ending(call, now, { verdict: null, seen: input.seen });
    case "withdraw":
      return withdraw(call, input.cause, now);
    case "app-ended":
      return appEnded(call, usedBy(call, now), input.cause);
    case "tick":
      return now >= call.killAt ? ending(call, now, { verdict: null }) : stay(call);
    case "gone":
      return stay(call);
  }
}

function stepEnding(call: Ending, input: MeterInput): Ending {
  switch (input.type) {
    case "release": {
      if (call.verdict !== null) return call;
      const isLate = overdue(call) && input.word.fail;
      return { ...call, verdict: isLate ? leaseEnd(call.lease) : verdictOf(input.word, false, call.seen) };
    }
    case "app-ended":
      return { ...call, gone: true, verdict: call.verdict ?? appEndOf(call, input.cause) };
    case "gone":
      return { ...call, gone: true };
    case "allow":
    case "died":
    case "withdraw":
    case "tick":
      return call;
  }
}

/** Ends what is decided and gone. */
function settle(from: Step | Ending, now: number, input?: MeterInput): Step {
  const step: Step =
    "next" in from ? from : { ...stay(from), ...(input?.type === "allow" ? { refused: "ended" as const } : {}) };
  const call = step.next;
  if (call.stage !== "ending" || !call.gone) return step;
  const verdict = call.verdict;
  if (verdict === null && now < call.decideBy) return step;
  const end: End = {
    ...(verdict ?? call.otherwise),
    usedMs: verdict === null && call.otherwise.unused ? 0 : call.usedMs,
    workerAlive: false,
    unused: verdict === null && call.otherwise.unused,
  };
  const done = ended(call.lease, end);
  return { ...done, effects: [...step.effects, ...done.effects] };
}

function ending(call: Running, now: number, known: { readonly verdict: Verdict | null; readonly seen?: Seen }): Step {
  const { lease, worker, startedAt, attached } = call;
  const seen = known.seen ?? null;
  const over = now >= startedAt + lease.leaseMs;
  const unheard = "The warm worker was never heard of until the end of its lease.";
  const otherwise = over
    ? { ...leaseEnd(lease), ...(attached ? {} : { says: unheard }), unused: !attached }
    : { ...verdictOf({ fail: true, outcome: null, exitCode: null, signal: null }, false, seen), unused: false };
  const next: Ending = {
    stage: "ending",
    lease,
    worker,
    startedAt,
    attached,
    usedMs: usedBy(call, now),
    gone: false,
    verdict: known.verdict,
    seen,
    otherwise,
    decideBy: now + wordWithinMs,
  };
  return { next, effects: [{ do: "end", worker }] };
}

function withdraw(call: Running, cause: WithdrawCause, now: number): Step {
  if (cause !== "grant-unused") return ending(call, now, { verdict: { cause, says: withdrawSays[cause] } });
  // The server had given the grant up before it heard of the attachment: it may give the slot away, so this must end.
  return ending(call, now, {
    verdict: { cause: "operator-stop", says: "The grant was taken back just before the app attached." },
  });
}

function appEnded(call: Running, usedMs: number, cause: "app-exit" | "app-killed" | "operator-stop"): Step {
  return ended(call.lease, { cause, says: appSays(cause), usedMs, workerAlive: false, unused: false });
}

function ended(lease: Lease, end: End, worker: Worker | null = null): Step {
  assert(
    end.usedMs >= 0 && end.usedMs <= lease.leaseMs,
    `L31: ${end.usedMs} ms used of a lease of ${lease.leaseMs} ms`,
  );
  assert(!end.unused || end.usedMs === 0, "an unused grant used nothing");
  return { next: { stage: "ended", lease, end }, effects: [{ do: "report-ended", end, worker }] };
}

function stay(call: Metered): Step {
  return { next: call, effects: [] };
}

function usedBy(call: Running, now: number): number {
  return Math.min(Math.max(0, Math.floor(now - call.startedAt)), call.lease.leaseMs);
}

function appEndOf(call: Ending, cause: "app-exit" | "app-killed" | "operator-stop"): Verdict {
  return overdue(call) ? leaseEnd(call.lease) : { cause, says: appSays(cause) };
}

function overdue(call: Ending): boolean {
  return call.usedMs >= call.lease.leaseMs;
}

const selfMade: ReadonlySet<string> = new Set([
  "SIGSEGV",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGTRAP",
  "SIGSYS",
]);

/** What the kernel showed counts before what the app says, and no evidence is said to be none. */
function verdictOf(word: Word, alive: boolean, seen: Seen | null): Verdict {
  if (word.outcome === "raised") return { cause: "raised", says: "The function raised an error." };
  if (!word.fail) return { cause: "returned", says: "The function returned." };
  if (word.outcome === "aborted")
    return { cause: "visitor-stop", says: "The app ended it because its visitor had left." };
  if (word.outcome === "cut-off")
    return {
      cause: "operator-stop",
      says: "The app ended it because its visitor was gone, at a time when the platform was away: no charge.",
    };
  if (alive) return { cause: "raised", says: "The app reports a failure, and its worker lives." };
  const kernel = seen !== null && (seen.exitCode !== null || seen.signal !== null);
  if (seen?.outOfMemory)
    return { cause: "worker-oom", says: "The worker was killed because the app's memory was used up." };
  const { exitCode, signal } = kernel ? seen : word;
  const source = kernel ? "" : " (as the app says)";
  if (signal !== null && selfMade.has(signal))
    return { cause: "worker-exit", says: `The worker ended by ${signal}${source}.` };
  if (signal !== null)
    return { cause: "worker-killed", says: `The worker was killed by ${signal}${source}; no evidence by whom.` };
  if (exitCode !== null) return { cause: "worker-exit", says: `The worker ended with exit code ${exitCode}${source}.` };
  return { cause: "worker-killed", says: "The worker is gone; no evidence by whom." };
}

function leaseEnd({ leaseMs }: Lease): Verdict {
  return { cause: "lease-end", says: `The worker was ended at the end of its lease of ${leaseMs / 1000} s.` };
}

function tooLate({ attachWithinMs }: Lease): string {
  return `The app did not attach within ${attachWithinMs / 1000} s.`;
}

const withdrawSays = {
  "operator-stop": "The platform ended it.",
  "visitor-stop": "Its visitor left, and the Space's setting ends what nobody waits for.",
  "without-lease": "The worker used another card too, on which it had no lease, and was ended.",
} as const;

function appSays(cause: "app-exit" | "app-killed" | "operator-stop"): string {
  if (cause === "operator-stop") return "The platform ended the app.";
  return cause === "app-exit"
    ? "The app ended, and its worker with it."
    : "The app was killed, and its worker with it; no evidence by whom.";
}
