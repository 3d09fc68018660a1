import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { gpuMs } from "../core/amounts.ts";
import type { CallTerms, Event } from "../core/model.ts";
import { explain } from "../evidence/explain.ts";
import type { WorkRecord } from "../evidence/work-record.ts";
import { durationMs, instant } from "../stdx/time.ts";
import { entriesOfRecord } from "./scheduler-view.ts";

const terms: CallTerms = {
  call: "c_1",
  account: "alice",
  tier: "free",
  billedBy: "token",
  request: "q_1",
  space: "alice/demo",
  release: "rel_1",
  replica: "p_1",
  node: "n1",
  pool: "main",
  task: "t",
  endpoint: "/render",
  declaredMs: durationMs(10_000),
  size: "large",
};
const start = instant(Date.parse("2026-11-22T12:00:00.000Z"));
const admitted: Event = {
  v: 1,
  type: "call-admitted",
  terms,
  heldMs: gpuMs(10_000),
  leaseMs: durationMs(10_000),
  clipped: false,
  leftMs: gpuMs(300_000),
};
const queued: Event = {
  v: 1,
  type: "call-queued",
  call: "c_1",
  position: 1,
  of: 1,
  deadline: instant(start + 3000),
  blockers: [{ kind: "slots", leased: 4, clearing: 0, total: 4 }],
  estimateMs: null,
  basis: "unknown",
};
const granted: Event = {
  v: 1,
  type: "call-granted",
  call: "c_1",
  lease: { slots: ["n1/0/1"], fence: 4, leaseMs: durationMs(10_000), warm: false },
  number: 9,
  attachBy: instant(start + 30_000),
};

const routed = {
  ...{ by: "space", pools: ["fast", "main", "slow"], moveAfterMs: durationMs(1_000), pool: "main", moves: [] },
  passed: [{ pool: "fast", code: "pool-draining", says: "driver" }],
} as const;
const moved: Event = { v: 1, type: "call-moved", call: "c_1", from: "main", to: "slow", why: "waited" };
const stayed: Event = {
  ...{ v: 1, type: "call-stayed", call: "c_1", until: instant(start + 11_000) },
  passed: [{ pool: "slow", code: "queue-full" }],
};

test("a call that goes by a rule says which pools could not take it, that it stayed, and that it moved on", () => {
  const says = (...more: (readonly Event[])[]): string => {
    return explain(story([{ ...admitted, routed } as Event, queued], ...more)).sentence;
  };
  const waits = says([stayed], [moved, { ...queued, position: 2, of: 2 }]);
  assert.match(
    waits,
    /2nd of 2 .* It was for pool slow, by the rule of its Space \(fast, then main, then slow\): fast is out of use \(driver\)\. It moved on from main to slow after 2 s\.$/,
  );
  const code = { code: "queue-full", waiting: 3, max: 3 } as const;
  const refused = explain(
    story([{ v: 1, type: "call-refused", terms, refusal: code, routed: { ...routed, pool: "slow" } } as Event]),
  );
  assert.match(
    refused.verdict?.sentence ?? "",
    /3 calls already wait for pool slow, .* It was for pool slow, .* fast is out of use/,
  );
});

function story(...records: readonly (readonly Event[])[]): WorkRecord {
  const entries = records.flatMap((events, index) =>
    entriesOfRecord({ index: index + 1, at: instant(start + index * 1000), events }),
  );
  return {
    id: "c_1",
    kind: "call",
    entries,
    gaps: [],
    watermarks: [],
    epochs: [],
    links: [],
    charge: null,
    read: { journal: records.length, evidence: 0 },
  };
}

describe("entriesOfRecord", () => {
  test("ids are the record's index and the view's place in it", () => {
    const entries = entriesOfRecord({ index: 48213, at: start, events: [admitted, queued] });
    assert.deepEqual(
      entries.map(({ id, hop, mark }) => `${id} ${hop} ${mark}`),
      [
        "journal/48213/1 gpu.schedule took",
        "journal/48213/2 identity.verify done",
        "journal/48213/3 gpu.admit done",
        "journal/48213/4 gpu.queue took",
      ],
    );
    assert.deepEqual(entries[3]?.facts, {
      position: 1,
      of: 1,
      deadline: "2026-11-22T12:00:03.000Z",
      limitMs: 3000,
      blockers: [{ kind: "slots", leased: 4, clearing: 0, total: 4 }],
      estimateMs: null,
      basis: "unknown",
    });
  });

  test("a queue that timed out explains itself, with its limit and its charge", () => {
    const voided: Event = {
      v: 1,
      type: "call-voided",
      call: "c_1",
      cause: "queue-timeout",
      releasedMs: gpuMs(10_000),
      rule: "queue-timeout",
    };
    const { verdict } = explain(story([admitted, queued], [voided]));
    assert.equal(verdict?.sentence, "No GPU became free within 3 s. Nothing was charged.");
    assert.deepEqual(verdict?.charge, { chargedMs: 0, heldMs: 10_000, releasedMs: 10_000, receipt: null });
  });

  test("a settled call tells its use, and each cause of the ledger has words", () => {
    const causes = [
      "returned",
      "raised",
      "lease-end",
      "worker-exit",
      "worker-killed",
      "worker-oom",
      "without-lease",
      "app-exit",
      "app-killed",
      "visitor-stop",
      "operator-stop",
      "shim-lost",
      "node-lost",
    ] as const;
    for (const cause of causes) {
      const settled: Event = {
        v: 1,
        type: "call-settled",
        call: "c_1",
        cause,
        usedMs: durationMs(412),
        chargedMs: gpuMs(412),
        releasedMs: gpuMs(9588),
        rule: cause,
      };
      const told = explain(story([admitted, queued], [granted], [settled]));
      assert.equal(told.outcome, cause === "returned" ? "ok" : "failed", cause);
      assert.notEqual(told.verdict?.boundary, "unknown", cause);
    }
  });

  test("a voided call of each cause is proved", () => {
    for (const cause of [
      "queue-timeout",
      "visitor-left",
      "no-capacity",
      "grant-unused",
      "replica-lost",
      "node-lost",
    ] as const) {
      const voided: Event = { v: 1, type: "call-voided", call: "c_1", cause, releasedMs: gpuMs(10_000), rule: cause };
      const records: readonly (readonly Event[])[] =
        cause === "grant-unused" ? [[admitted, queued], [granted], [voided]] : [[admitted, queued], [voided]];
      assert.equal(explain(story(...records)).verdict?.certainty, "proved", cause);
    }
  });

  test("a refusal keeps the ledger's numbers, and the limit of the window is not the queue's", () => {
    const refusal: Event = {
      v: 1,
      type: "call-refused",
      terms,
      refusal: {
        code: "quota-exceeded",
        askedMs: gpuMs(10_000),
        leftMs: gpuMs(2000),
        usedMs: gpuMs(290_000),
        heldMs: gpuMs(8000),
        limitMs: gpuMs(300_000),
        resetsAt: start,
        clip: null,
      },
    };
    const { verdict } = explain(story([refusal]));
    assert.equal(
      verdict?.sentence,
      "2 s of GPU time is left and this call asks for 10 s until 12:00 UTC on 2026-11-22 (290 s of 300 s used, 8 s held). Nothing was charged.",
    );
    assert.equal(verdict?.known, "holds-count-against-quota");
  });

  test("who pays for a visitor is said with the charge", () => {
    const sponsored = { ...admitted, sponsor: "bob", credits: [{ allowance: "al_1", ms: gpuMs(900) }] } as Event;
    const settled: Event = {
      ...{ v: 1, type: "call-settled", call: "c_1", cause: "returned", rule: "returned" },
      ...{ usedMs: durationMs(3000), chargedMs: gpuMs(3000), releasedMs: gpuMs(7000) },
    };
    const told = explain(story([sponsored], [granted], [settled]));
    assert.match(told.sentence, /Charged 3 s to bob, who pays for the Space's visitors\.$/);
    const [facts] = entriesOfRecord({ index: 1, at: start, events: [sponsored] }).flatMap((entry) =>
      entry.hop === "gpu.admit" ? [entry.facts] : [],
    );
    assert.deepEqual([facts?.["sponsor"], facts?.["creditsMs"]], ["bob", 900]);
  });

  test("events that are no work give no entries", () => {
    assert.deepEqual(
      entriesOfRecord({
        index: 1,
        at: start,
        events: [
          { v: 1, type: "writer-started", epoch: 1 },
          { v: 1, type: "slot-free", slot: "n1/0/0" },
        ],
      }),
      [],
    );
  });
});
