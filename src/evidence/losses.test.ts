/**
 * Records that real processes made when faults were caused (`npm run faults -- --keep`), with evidence taken away: a verdict becomes less
 * certain, or unknown, and never another one. What an emitter's silence means is a rule only where its answer covers it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { explain, explainSpace } from "./explain.ts";
import { judge, judgeAll } from "./judging.suite.ts";
import type { Judged } from "./judging.suite.ts";
import { lose, numbersOf } from "./loss.suite.ts";
import type { Loss } from "./loss.suite.ts";
import type { Explanation } from "./verdict.ts";
import { look, wayNames } from "./ways.suite.ts";
import type { WorkRecord } from "./work-record.ts";

interface Kept {
  readonly name: string;
  /** Null of a control. */
  readonly code: string | null;
  readonly record: WorkRecord;
}

const kept: readonly Kept[] = readFileSync(
  join(import.meta.dirname, "../../test/faults/recorded/waybills.jsonl"),
  "utf8",
)
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Kept);

const othersMax = 20;
/** An entry, and batches of some. */
const holes = [0, 0, 1, 2, 4, 8] as const;
/** More than the largest of them. */
const sentLater = 20;
/** Of each run of the property; `npm run properties -- --times N` takes it from N starts. */
const lossesDrawn = 2_000;

describe("a recorded waybill", () => {
  test("is explained as what was caused, with nothing lost", () => {
    const other = kept.filter(({ code, record }) => code !== null && codeOf(record) !== code);
    assert.deepEqual(
      other.map(({ name, record }) => `${name}: ${codeOf(record)}`),
      [],
    );
  });

  for (const way of wayNames)
    test(`leads to no other verdict: ${way}`, () => {
      const seen = new Set<Judged>();
      const wrong = kept
        // A control has no fault, and an emitter that dies is one.
        .filter(({ code }) => code !== null || way !== "an emitter dead")
        .flatMap(({ name, record }) => {
          const others = kept.filter((one) => one.record.id !== record.id).slice(0, othersMax);
          const judged = judgeAll(
            way,
            record,
            others.map((one) => one.record),
          );
          for (const one of judged) seen.add(one.judged);
          return judged.flatMap(({ judged: as, says, why }) => (as === "wrong" ? [`${name}; ${says}: ${why}`] : []));
        });
      assert.deepEqual(wrong, []);
      assert.ok(seen.has("same"), "something was looked at");
    });

  test("leads to no other verdict, whatever entries and batches of it are lost together", () => {
    fc.assert(
      fc.property(lossy([...holes, Infinity]), ([record, losses]) => {
        const less = lose(record, losses);
        const { judged, why } = judge(explain(record), explain(less), { record: less });
        assert.notEqual(judged, "wrong", why ?? "");
      }),
      { numRuns: lossesDrawn },
    );
  });

  test("leads to no other verdict where its emitters died later and holes are left of what they had sent", () => {
    fc.assert(
      fc.property(lossy(holes), ([whole, losses]) => {
        const record = diedLater(whole);
        const less = lose(record, losses);
        const { judged, why } = judge(explain(record), explain(less), { record: less });
        assert.notEqual(judged, "wrong", why ?? "");
      }),
      { numRuns: lossesDrawn },
    );
  });
});

describe("a Space that fails by a recorded build or replica", () => {
  const works = kept.filter(({ code, record: { kind } }) => code !== null && (kind === "build" || kind === "replica"));
  const spaceOf = ({ code, record }: Kept, less: WorkRecord): Explanation =>
    explainSpace({
      ...{ id: "alice/demo", state: "failing", since: "2026-11-30T12:00:00.000Z", says: "it failed", code },
      ...{ by: "the app", ends: "It ends when its owner restarts it.", deadline: null, events: [], read: record.read },
      build: record.kind === "build" ? less : null,
      replica: record.kind === "replica" ? less : null,
    });

  test("is not put on another boundary by lost evidence", () => {
    const wrong = works.flatMap((one) =>
      wayNames.flatMap((way) =>
        look(way, one.record).flatMap((looked) => {
          const { judged, why } = judge(spaceOf(one, one.record), spaceOf(one, looked.record), looked);
          return judged === "wrong" ? [`${one.name}; ${way}: ${looked.says}: ${why}`] : [];
        }),
      ),
    );
    assert.ok(works.length > 20);
    assert.deepEqual(wrong, []);
  });
});

/** A record that has evidence, and what of it is lost: each from one of its entries on, and so many more numbers. */
function lossy(more: readonly number[]): fc.Arbitrary<readonly [WorkRecord, readonly Loss[]]> {
  const lossIn = (record: WorkRecord): fc.Arbitrary<Loss> =>
    fc
      .tuple(fc.constantFrom(...numbersOf(record)), fc.constantFrom(...more))
      .map(([{ emitter, epoch, seq }, rest]) => ({ emitter, epoch, from: seq, to: seq + rest }));
  return fc
    .constantFrom(...kept.filter(({ record }) => numbersOf(record).length > 0))
    .chain(({ record }) => fc.tuple(fc.constant(record), fc.array(lossIn(record), { minLength: 1, maxLength: 6 })));
}

/** More of each emitter came after what is recorded of this work, and then a later epoch: a hole is one, and no end. */
function diedLater(record: WorkRecord): WorkRecord {
  const epochs = record.epochs.map((epoch) => ({
    ...epoch,
    lastSeq: epoch.lastSeq + sentLater,
    state: epoch.state === "open" ? ("dead" as const) : epoch.state,
  }));
  return { ...record, epochs };
}

function codeOf(record: WorkRecord): string {
  const { verdict } = explain(record);
  return `${verdict?.boundary}/${verdict?.code}`;
}
