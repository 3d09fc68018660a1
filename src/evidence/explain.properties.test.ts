/** What must hold of every explanation, whatever the record: drawn from records that are plausible, damaged and nonsense. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import fc from "fast-check";

import { codes } from "./codes.ts";
import { hopsOf, marks, workKinds } from "./entry.ts";
import type { Facts, Hop, Mark, WorkKind } from "./entry.ts";
import { explain } from "./explain.ts";
import type { Explanation, Verdict } from "./verdict.ts";
import * as a from "./waybill.suite.ts";
import type { Draft } from "./waybill.suite.ts";
import type { WorkRecord } from "./work-record.ts";

const emittersOf: Readonly<Record<WorkKind, readonly string[]>> = {
  request: ["edge", "shim-p_1"],
  call: ["scheduler", "control"],
  build: ["control", "builder-n1"],
  replica: ["agent-n1", "shim-p_1"],
  connection: ["gateway-n1", "shim-p_1"],
  transfer: ["control", "edge"],
  node: ["scheduler"],
  space: ["spaces"],
};

/** Few values, so that entries often speak of the same connection and often disagree. */
const facts: fc.Arbitrary<Facts> = fc.record(
  {
    code: fc.constantFrom(...Object.keys(codes), "made/up"),
    cause: fc.constantFrom("returned", "raised", "queue-timeout", "app-exit", "nonsense"),
    channel: fc.constantFrom("edge/1→p_1", "edge/1", "builds→n1", "odd"),
    number: fc.constantFrom(17, 18),
    connection: fc.constantFrom("edge/1/17", "edge/1/18"),
    from: fc.constant(0),
    to: fc.constantFrom(0, 812),
    closed: fc.boolean(),
    connected: fc.boolean(),
    acceptedBytes: fc.constantFrom(0, 400, 812),
    final: fc.boolean(),
    again: fc.boolean(),
    shim: fc.constantFrom<Facts>(
      { state: "unknown" },
      { state: "closed", connected: true, acceptedBytes: 812 },
      { state: "open", connected: false, acceptedBytes: 0 },
      { state: "unreachable" },
    ),
    status: fc.constantFrom(200, 502),
    answeredBy: fc.constantFrom("app", "edge"),
    chargedMs: fc.nat(1000),
    releasedMs: fc.nat(1000),
    says: fc.string({ maxLength: 8 }),
    because: fc.array(fc.string({ maxLength: 8 }), { maxLength: 2 }),
    link: fc.constantFrom("q_1", "c_9", "p_1"),
    replica: fc.constant("p_1"),
    blockers: fc.constant([{ kind: "slots", leased: 4, total: 4 }, null, "odd"]),
  },
  { requiredKeys: [] },
);

const draftOf = (kind: WorkKind): fc.Arbitrary<Draft> =>
  fc.record({
    emitter: fc.constantFrom(...emittersOf[kind]),
    hop: fc.constantFrom<Hop>(...hopsOf[kind]),
    mark: fc.constantFrom<Mark>(...marks),
    facts,
  });

const randomRecord: fc.Arbitrary<WorkRecord> = fc.constantFrom(...workKinds).chain((kind) =>
  fc
    .record({
      drafts: fc.array(draftOf(kind), { maxLength: 8 }),
      dead: fc.constantFrom<"open" | "closed" | "dead">("open", "closed", "dead"),
      gap: fc.boolean(),
      watermark: fc.option(
        fc.record({
          upTo: fc.constantFrom(16, 20),
          taken: fc.constantFrom<readonly number[] | undefined>(undefined, [], [17]),
        }),
      ),
      neighbours: fc.constantFrom([], [a.replicaEnd("runtime/shim-lost")], [a.replicaEnd("app/exit")]),
    })
    .map(({ drafts, dead, gap, watermark, neighbours }) => {
      const plain = a.record(kind, drafts, { neighbours });
      return {
        ...plain,
        epochs: plain.epochs.map((epoch) => ({ ...epoch, state: dead })),
        gaps: gap ? [{ emitter: emittersOf[kind][0] as string, epoch: 1, from: 2, to: 3, why: "lost" }] : [],
        watermarks: watermark
          ? [
              {
                channel: "edge/1→p_1",
                upTo: watermark.upTo,
                ...(watermark.taken ? { taken: watermark.taken } : {}),
                emitter: "shim-p_1",
                epoch: 1,
                seq: 50,
                at: "2026-11-22T12:00:09.000Z",
              },
            ]
          : [],
      };
    }),
);

/** What really happens, as the parts record it. */
const plausible: readonly WorkRecord[] = [
  a.voidedCall("queue-timeout", "gpu.queue", "queued"),
  a.settledCall("lease-end"),
  a.settledCall("returned"),
  a.settledCall("app-exit"),
  a.handedRequest([
    a.asked("edge.connect", "route/connect-refused", { state: "closed", connected: false, acceptedBytes: 0 }),
    a.take({ connected: false, acceptedBytes: 0 }),
    a.deliver("route/connect-refused", 502),
  ]),
  a.handedRequest([a.take({ connected: false, acceptedBytes: 0 }), a.deliver("route/reset-midway", 502)]),
  a.handedRequest([a.take({ connected: true, acceptedBytes: 812 }), a.deliver("route/reset-midway", 502)]),
  a.handedRequest([
    a.asked("app.respond", "route/reset-midway", { state: "unknown" }),
    a.deliver("route/reset-midway", 502),
  ]),
  a.handedRequest([
    a.take({ connected: true, acceptedBytes: 812 }),
    a.asked("app.respond", "route/response-timeout", { state: "closed", connected: true, acceptedBytes: 812 }),
    a.deliver("route/response-timeout", 504),
  ]),
  a.handedRequest([a.deliver("runtime/shim-lost", 503)], { neighbours: [a.replicaEnd("runtime/shim-lost")] }),
  a.takenBuild([
    a.by("builder-n1", "build.step", "failed", { code: "build/step-failed", step: "install", exitCode: 1 }),
  ]),
  a.takenBuild([a.by("control", "build.claim", "failed", { code: "build/builder-lost" })]),
  a.record("replica", [
    a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", again: true }),
    a.by("agent-n1", "replica.exit", "failed", { code: "app/crash-loop" }),
  ]),
];
/** A plausible record, or one with an entry of its kind too many. */
const damaged: fc.Arbitrary<WorkRecord> = fc.constantFrom(...plausible).chain((record) =>
  fc.array(draftOf(record.kind), { maxLength: 1 }).map((drafts) => {
    const extra = a
      .record(record.kind, drafts)
      .entries.map((entry) => ({ ...entry, id: `${entry.id}x`, seq: entry.seq + 90 }));
    return { ...record, entries: [...record.entries, ...extra] };
  }),
);
const anyRecord = fc.oneof(randomRecord, damaged);
const runs = { numRuns: 800 };

describe("explain", () => {
  test("never throws, and cites no entry that is not in its input", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const known = new Set([...record.entries, ...(record.neighbours ?? [])].map(({ id }) => id));
        const told = explain(record);
        assert.deepEqual(
          cited(told.verdict).filter((id) => !known.has(id)),
          [],
        );
        const shown = new Set(told.entries.map(({ id }) => id));
        assert.deepEqual(
          cited(told.verdict).filter((id) => !shown.has(id)),
          [],
          "what is cited is shown",
        );
      }),
      runs,
    );
  });

  test("gives the same answer to the same record, in whatever order and however often its entries come", () => {
    const shuffled = anyRecord.chain((record) =>
      fc
        .shuffledSubarray([...record.entries, ...record.entries.slice(0, 2)], {
          minLength: record.entries.length + Math.min(2, record.entries.length),
        })
        .map((entries) => [record, { ...record, entries }] as const),
    );
    fc.assert(
      fc.property(shuffled, ([record, other]) => assert.deepEqual(explain(other), explain(record))),
      runs,
    );
  });

  test("never turns one proved verdict into another proved one when an entry is lost", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const before = explain(record);
        for (const less of withoutOne(record)) {
          const after = explain(less);
          if (isProved(before) && isProved(after)) assert.equal(codeOf(after), codeOf(before));
        }
      }),
      runs,
    );
  });

  test("blames nobody where it knows nothing", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const { verdict } = explain(record);
        if (verdict?.boundary === "unknown")
          assert.deepEqual([verdict.owner, verdict.certainty], ["unknown", "unknown"]);
      }),
      runs,
    );
  });
});

function withoutOne(record: WorkRecord): readonly WorkRecord[] {
  const own = record.entries.map((entry) => ({
    ...record,
    entries: record.entries.filter((other) => other !== entry),
  }));
  return [...own, { ...record, neighbours: [] }, { ...record, watermarks: [] }];
}

function cited(verdict: Verdict | null): readonly string[] {
  if (!verdict) return [];
  return [...verdict.facts, ...verdict.inferred.flatMap(({ from }) => from), ...Object.values(verdict.ruledOut).flat()];
}

function isProved({ verdict }: Explanation): boolean {
  return verdict?.certainty === "proved";
}

function codeOf({ verdict }: Explanation): string {
  return `${verdict?.boundary}/${verdict?.code}`;
}
