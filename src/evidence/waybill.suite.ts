/** Builders of records for tests: everything defaulted but the point. */
import { callOutcomes } from "./call-outcomes.ts";
import type { CallCause } from "./call-outcomes.ts";
import type { Entry, Facts, Hop, Mark, WorkKind } from "./entry.ts";
import type { WorkRecord } from "./work-record.ts";

export const ids: Readonly<Record<WorkKind, string>> = {
  request: "q_1",
  call: "c_1",
  build: "b_1",
  replica: "p_1",
  connection: "x_1",
  transfer: "tr_1",
  node: "n1",
  space: "alice/demo",
};

/** A record of one kind; entries are numbered in the order given, each within its emitter. */
export function record(kind: WorkKind, drafts: readonly Draft[], rest: Partial<WorkRecord> = {}): WorkRecord {
  const last = new Map<string, number>();
  const entries = drafts.map((draft): Entry => {
    const seq = (last.get(draft.emitter) ?? 0) + 1;
    last.set(draft.emitter, seq);
    return {
      id: `${draft.emitter}/1/${seq}`,
      work: draft.work ?? ids[kind],
      hop: draft.hop,
      mark: draft.mark,
      emitter: draft.emitter,
      epoch: 1,
      seq,
      at: `2026-11-22T12:00:0${Math.min(seq, 9)}.000Z`,
      facts: draft.facts,
    };
  });
  const epochs = [...last].map(([emitter, lastSeq]) => ({ emitter, epoch: 1, lastSeq, state: "open" as const }));
  return {
    id: ids[kind],
    kind,
    entries,
    gaps: [],
    watermarks: [],
    epochs,
    links: [],
    charge: null,
    read: { journal: 48213, evidence: 900 },
    ...rest,
  };
}

export interface Draft {
  readonly emitter: string;
  readonly hop: Hop;
  readonly mark: Mark;
  readonly facts: Facts;
  readonly work?: string;
}

export const by = (emitter: string, hop: Hop, mark: Mark, facts: Facts = {}): Draft => ({ emitter, hop, mark, facts });

/* ── calls ──────────────────────────────────────────────────────────────── */

const scheduled = [
  by("scheduler", "gpu.schedule", "took", {
    space: "alice/demo",
    replica: "p_1",
    node: "n1",
    pool: "main",
    declaredMs: 60000,
    size: "large",
    request: "q_1",
    link: "q_1",
  }),
  by("scheduler", "identity.verify", "done", { account: "alice", tier: "free", billedBy: "token" }),
];
const admitted = by("scheduler", "gpu.admit", "done", {
  account: "alice",
  heldMs: 60000,
  leaseMs: 60000,
  clipped: false,
  leftMs: 240000,
});
const queued = by("scheduler", "gpu.queue", "took", {
  position: 3,
  of: 3,
  limitMs: 3000,
  blockers: [
    { kind: "slots", leased: 4, clearing: 0, total: 4 },
    { kind: "ahead", calls: 2 },
  ],
});
const granted = by("scheduler", "gpu.grant", "handed", {
  channel: "scheduler→n1",
  number: 4,
  slots: ["n1/0/0"],
  fence: 9,
  leaseMs: 60000,
  warm: false,
});
const attached = by("scheduler", "gpu.attach", "took", { pid: 77 });

export function refusedCall(code: string, facts: Facts): WorkRecord {
  return record("call", [...scheduled, by("scheduler", "gpu.admit", "refused", { code, ...facts })]);
}

export function voidedCall(cause: CallCause, hop: Hop, stage: "queued" | "granted"): WorkRecord {
  const { outcome, code } = callOutcomes[cause];
  const end = by("scheduler", hop, outcome === "refused" ? "refused" : "failed", { code, cause });
  const settle = by("scheduler", "gpu.settle", "done", {
    chargedMs: 0,
    releasedMs: 60000,
    usedMs: 0,
    rule: cause,
    cause,
  });
  return record("call", [...scheduled, admitted, queued, ...(stage === "granted" ? [granted] : []), end, settle]);
}

export function settledCall(
  cause: CallCause,
  {
    usedMs = 412,
    chargedMs = 412,
    rule = cause,
    ...more
  }: { usedMs?: number; chargedMs?: number; rule?: string; says?: string } = {},
): WorkRecord {
  const { code } = callOutcomes[cause];
  const run =
    code === null
      ? by("scheduler", "app.run", "done", { cause, usedMs })
      : by("scheduler", "app.run", "failed", { code, cause, usedMs, ...more });
  const settle = by("scheduler", "gpu.settle", "done", {
    chargedMs,
    releasedMs: 60000 - chargedMs,
    usedMs,
    rule,
    cause,
  });
  return record("call", [
    ...scheduled,
    admitted,
    queued,
    granted,
    attached,
    run,
    by("scheduler", "gpu.release", "done", { usedMs }),
    settle,
  ]);
}

export function openCall(): WorkRecord {
  return record("call", [...scheduled, admitted, queued]);
}

/* ── requests ───────────────────────────────────────────────────────────── */

const accepted = [
  by("edge", "edge.accept", "took", { method: "POST", path: "/render", host: "alice-demo.localhost" }),
  by("edge", "identity.resolve", "done", { account: "alice", billedBy: "token" }),
];
const routed = by("edge", "edge.route", "done", { space: "alice/demo", replica: "p_1" });
export const handed = by("edge", "edge.connect", "handed", {
  channel: "edge/1→p_1",
  number: 17,
  connection: "edge/1/17",
  from: 0,
  to: 812,
  space: "alice/demo",
  replica: "p_1",
  closed: true,
});

export function deliver(code: string, status: number, mark: Mark = "failed"): Draft {
  return by("edge", "edge.deliver", mark, { code, status, answeredBy: "edge", bytes: 0, ms: 31 });
}

/** The shim's own word about connection 17. */
export function take(facts: {
  connected: boolean;
  acceptedBytes: number;
  returnedBytes?: number;
  final?: boolean;
}): Draft {
  const took = facts.connected && facts.acceptedBytes > 0;
  return by("shim-p_1", "app.take", took ? "took" : "failed", {
    channel: "edge/1",
    number: 17,
    connection: 17,
    returnedBytes: 0,
    final: true,
    ...facts,
  });
}

/** The edge asked the shim and wrote down its answer. */
export function asked(hop: "edge.connect" | "app.respond", code: string, shim: Facts): Draft {
  return by("edge", hop, "failed", { code, bytes: 0, connection: "edge/1/17", shim });
}

export function handedRequest(after: readonly Draft[], rest: Partial<WorkRecord> = {}): WorkRecord {
  return record("request", [...accepted, routed, handed, ...after], rest);
}

export function edgeRequest(after: readonly Draft[], rest: Partial<WorkRecord> = {}): WorkRecord {
  return record("request", [...accepted, ...after], rest);
}

/** An entry of the replica's own record. */
export function replicaEnd(code: string, facts: Facts = {}): Entry {
  return {
    id: "agent-n1/1/40",
    work: "p_1",
    hop: "replica.exit",
    mark: "failed",
    emitter: "agent-n1",
    epoch: 1,
    seq: 40,
    at: "2026-11-22T12:00:09.000Z",
    facts: { code, ...facts },
  };
}

/* ── builds ─────────────────────────────────────────────────────────────── */

const asking = [
  by("control", "build.request", "took", { space: "alice/demo", commit: "4f1c2ab", account: "alice" }),
  by("control", "build.queue", "took", { position: 1, builder: "n1" }),
];
const claimed = by("control", "build.claim", "handed", { builder: "n1", channel: "builds→n1", number: 1 });
const taken = by("builder-n1", "build.claim", "took", { builder: "n1" });

export function queuedBuild(after: readonly Draft[]): WorkRecord {
  return record("build", [...asking, ...after]);
}

export function takenBuild(after: readonly Draft[], rest: Partial<WorkRecord> = {}): WorkRecord {
  return record("build", [...asking, claimed, taken, ...after], rest);
}
