/** How each kind of decorated function of `test/apps/zerogpu` must end: for its caller, for its account, and as `explain` tells it. */
import assert from "node:assert/strict";
import type { CallView } from "../../src/contract/api.ts";
import type { Receipt } from "../../src/contract/receipts.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import type { Said } from "./gradio-callers.ts";

export interface Kind {
  readonly says: string;
  readonly api: string;
  readonly x: number;
  readonly result?: string;
  /** What the caller is told instead of a result. */
  readonly error?: RegExp;
  readonly updates?: readonly string[];
  /** What `@gradio/client` is shown beside it. */
  readonly toast?: RegExp | undefined;
  readonly declaredMs: number;
  readonly size?: "large" | "xlarge";
  /** `boundary/name`; null where it went well. */
  readonly code: string | null;
  readonly rule: string;
  /** How long the GPU was its own, of the lease. */
  readonly used: "some" | "none" | "whole lease";
  readonly known?: string | null;
  readonly paidBy?: "owner";
}

/** What `spaces` and Gradio of a version say otherwise. */
export type Otherwise = Readonly<Record<string, Partial<Kind>>>;

const aborted = /GPU task aborted/;
const hidden = /^An error occurred$|not enabled verbose error reporting/;
const warning = /exceeding its requested duration/;

export const kinds: readonly Kind[] = [
  {
    says: "a plain function, with the duration that `spaces` takes for undeclared",
    api: "plain",
    x: 3,
    result: "plain 3",
    declaredMs: 60_000,
    code: null,
    rule: "returned",
    used: "some",
  },
  {
    says: "one that tells its progress",
    api: "progress",
    x: 3,
    result: "progress 3",
    declaredMs: 10_000,
    code: null,
    rule: "returned",
    used: "some",
  },
  {
    says: "one whose duration depends on its arguments",
    api: "dynamic",
    x: 4,
    result: "dynamic 4",
    declaredMs: 9_000,
    code: null,
    rule: "returned",
    used: "some",
  },
  {
    says: "one that takes a whole card, and pays twice",
    api: "whole_card",
    x: 3,
    result: "whole card 3",
    declaredMs: 20_000,
    size: "xlarge",
    code: null,
    rule: "returned",
    used: "some",
  },
  {
    says: "a generator",
    api: "count",
    x: 3,
    result: "count 2",
    updates: ["count 0", "count 1", "count 2"],
    declaredMs: 10_000,
    code: null,
    rule: "returned",
    used: "some",
  },
  {
    says: "a generator that fails midway, after what it gave",
    api: "count_and_fail",
    x: 2,
    updates: ["count 0", "count 1"],
    error: /^ValueError$/,
    declaredMs: 10_000,
    code: "app/exception",
    rule: "raised",
    used: "some",
  },
  {
    says: "an exception, of which the visitor learns the class only",
    api: "raises",
    x: 1,
    error: /^ValueError$/,
    declaredMs: 10_000,
    code: "app/exception",
    rule: "raised",
    used: "some",
  },
  {
    says: "an error that is meant for the visitor",
    api: "raises_for_visitors",
    x: 1,
    error: /^No picture of that size$/,
    declaredMs: 10_000,
    code: "app/exception",
    rule: "raised",
    used: "some",
  },
  {
    says: "a worker that exits: by itself, as the kernel tells",
    api: "exits",
    x: 3,
    error: aborted,
    declaredMs: 10_000,
    code: "gpu/worker-lost",
    rule: "worker-exit",
    used: "some",
  },
  {
    says: "a segmentation fault: by itself",
    api: "crashes",
    x: 1,
    error: aborted,
    declaredMs: 10_000,
    code: "gpu/worker-lost",
    rule: "worker-exit",
    used: "some",
  },
  {
    says: "an abort: by itself",
    api: "aborts",
    x: 1,
    error: aborted,
    declaredMs: 10_000,
    code: "gpu/worker-lost",
    rule: "worker-exit",
    used: "some",
  },
  {
    says: "a SIGKILL: nothing says by whom, and at first it is free",
    api: "is_killed",
    x: 1,
    error: aborted,
    declaredMs: 10_000,
    code: "gpu/worker-lost",
    rule: "killed-free",
    used: "some",
    known: "killed-is-free-at-first",
  },
  {
    says: "one that sleeps past its lease: warned at the declared duration, then ended",
    api: "overstays",
    x: 10,
    error: aborted,
    toast: warning,
    declaredMs: 2_000,
    code: "gpu/lease-expired",
    rule: "lease-end",
    used: "whole lease",
    known: "lease-counts-from-attach",
  },
  {
    says: "one that finishes between SIGTERM and SIGKILL: its result is its visitor's",
    api: "overstays",
    x: 2.2,
    result: "overstayed",
    toast: warning,
    declaredMs: 2_000,
    code: null,
    rule: "returned",
    used: "whole lease",
  },
  {
    says: "a generator that goes on past its lease, after what it gave",
    api: "counts_too_long",
    x: 10,
    error: aborted,
    toast: warning,
    declaredMs: 2_000,
    code: "gpu/lease-expired",
    rule: "lease-end",
    used: "whole lease",
    known: "lease-counts-from-attach",
  },
  {
    says: "an argument that cannot be sent to the worker: the GPU was never used",
    api: "gives_a_lock",
    x: 1,
    error: /error|exception/i,
    toast: /GPU device not used/,
    declaredMs: 10_000,
    code: "gpu/grant-unused",
    rule: "grant-unused",
    used: "none",
  },
  {
    says: "a result that cannot be sent back",
    api: "returns_a_lock",
    x: 1,
    error: /PicklingError/,
    declaredMs: 10_000,
    code: "app/exception",
    rule: "raised",
    used: "some",
  },
  {
    says: "a call from a thread that knows no visitor: the Space's owner pays, and is named",
    api: "from_a_thread",
    x: 1,
    result: "without context 1",
    declaredMs: 10_000,
    code: null,
    rule: "returned",
    used: "some",
    paidBy: "owner",
  },
  {
    says: "a duration that the pool does not allow",
    api: "too_long",
    x: 1,
    error: /at most 600 s; this one declares 3600 s/,
    declaredMs: 3_600_000,
    code: "gpu/duration-not-allowed",
    rule: "refused",
    used: "none",
  },
];

/** `spaces` before 0.48 knows one size, no warning at the declared duration, and tells of a visitor's error that it was one. */
export const spaces045: Otherwise = {
  whole_card: { says: "the size is not known yet", size: "large" },
  raises_for_visitors: { error: /^Error$/ },
  overstays: { toast: undefined },
  counts_too_long: { toast: undefined },
};

/** Gradio 4 keeps an exception's class to itself and puts a visitor's sentence between quotes. */
export const spaces030: Otherwise = {
  ...spaces045,
  count_and_fail: { error: hidden },
  raises: { error: hidden },
  raises_for_visitors: { error: /'No picture of that size'$/ },
  returns_a_lock: { error: hidden },
};

const unseen = { rule: "killed-free", known: "killed-is-free-at-first" } as const;

/** Where the kernel does not tell how a process ended: killed for all that is known, and after three times in a day no longer free. */
export const withoutExits: Otherwise = {
  exits: unseen,
  crashes: unseen,
  aborts: unseen,
  is_killed: { rule: "killed-metered" },
};

/** The kinds as `otherwise` changes them. */
export function kindsWith(otherwise: Otherwise): readonly Kind[] {
  return kinds.map((kind) => ({ ...kind, ...otherwise[kind.api] }));
}

export interface Ended {
  readonly said: Said;
  readonly call: CallView;
  readonly receipt: Receipt;
  readonly explained: Explanation;
  /** The visitor's request that made the call, once it has ended; null where nobody asked. */
  readonly asked: Explanation | null;
}

/** Fails with all that is known of the call where any of it is not as it must be. */
export function assertEnded(kind: Kind, ended: Ended, billedBy: Receipt["billedBy"] = "token"): void {
  try {
    assertSaid(kind, ended.said);
    assertCharged(kind, ended, kind.paidBy ?? billedBy);
    assertExplained(kind, ended);
    assertAsked(kind, ended);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${JSON.stringify(ended, undefined, 1)}`, { cause: error });
  }
}

function assertSaid(kind: Kind, { result, error, updates, toasts }: Said): void {
  assert.equal(result, kind.result);
  if (kind.error === undefined) assert.equal(error, undefined);
  else assert.match(error ?? "", kind.error);
  // `@gradio/client` gives a generator's last value twice.
  if (kind.updates !== undefined && updates !== undefined)
    assert.deepEqual(updates.slice(0, kind.updates.length), kind.updates);
  if (kind.toast !== undefined && toasts !== undefined) assert.match(toasts.join("\n"), kind.toast);
}

function assertCharged(kind: Kind, { call, receipt }: Ended, billedBy: string): void {
  const { declaredMs, size = "large", code, rule } = kind;
  const outcome = code === null ? "ok" : rule === "refused" ? "refused" : "failed";
  const factor = size === "xlarge" ? 2 : 1;
  assert.deepEqual(
    [call.outcome, call.code, call.declaredMs, call.size, receipt.rule],
    [outcome, code, declaredMs, size, rule],
  );
  assert.equal(call.heldMs, rule === "refused" ? 0 : declaredMs * factor);
  if (kind.used === "none") assert.equal(call.usedMs, 0);
  else if (kind.used === "whole lease") assert.equal(call.usedMs, declaredMs);
  else assert.ok(call.usedMs > 0 && call.usedMs < declaredMs, `used ${call.usedMs} ms`);
  assert.equal(call.chargedMs, rule.endsWith("-free") ? 0 : call.usedMs * factor);
  assert.equal(receipt.billedBy, billedBy);
  assert.equal(call.request === null, billedBy === "owner");
}

function assertExplained({ code, known }: Kind, { call, explained }: Ended): void {
  if (code === null) {
    assert.deepEqual([explained.outcome, explained.verdict], ["ok", null]);
    return;
  }
  const { verdict } = explained;
  assert.ok(verdict);
  assert.deepEqual([`${verdict.boundary}/${verdict.code}`, verdict.certainty], [code, "proved"]);
  assert.equal(verdict.charge?.chargedMs, call.chargedMs);
  if (known !== undefined) assert.equal(verdict.known, known);
}

/** The request was answered 200 at once; it ends with its function, and is told by what ended the call. */
function assertAsked({ code }: Kind, { asked, explained }: Ended): void {
  if (asked === null) return;
  if (code === null) {
    assert.deepEqual([asked.outcome, asked.verdict], ["ok", null]);
    assert.match(asked.sentence, /^The app's function ended well after .* in the app's own queue/);
    return;
  }
  const { verdict } = asked;
  assert.ok(verdict);
  // The function's own error left that grant unused.
  const said = code === "gpu/grant-unused" ? "app/exception" : code;
  assert.equal(`${verdict.boundary}/${verdict.code}`, said, verdict.sentence);
  if (said === code) assert.equal(verdict.owner, explained.verdict?.owner);
}
