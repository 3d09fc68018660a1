/**
 * Records that real processes made when faults were caused (`npm run faults -- --keep`), with evidence taken away: a verdict becomes less
 * certain, or unknown, and never another one. What an emitter's silence means is a rule only where its answer covers it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { explain } from "./explain.ts";
import { judge, judgeAll } from "./judging.suite.ts";
import type { Judged } from "./judging.suite.ts";
import { lose, numbersOf } from "./loss.suite.ts";
import type { Loss } from "./loss.suite.ts";
import { wayNames } from "./ways.suite.ts";
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

const othersMax = 40;
/** Of each run of the property; `npm run properties -- --times N` takes it from N starts. */
const lossesDrawn = 4_000;

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
    const lossy = fc
      .constantFrom(...kept.filter(({ record }) => numbersOf(record).length > 0))
      .chain(({ record }) => fc.tuple(fc.constant(record), fc.array(lossIn(record), { minLength: 1, maxLength: 6 })));
    fc.assert(
      fc.property(lossy, ([record, losses]) => {
        const less = lose(record, losses);
        const { judged, why } = judge(explain(record), explain(less), { record: less });
        assert.notEqual(judged, "wrong", why ?? "");
      }),
      { numRuns: lossesDrawn },
    );
  });
});

/** An entry, a batch, or all that an emitter still had to send. */
function lossIn(record: WorkRecord): fc.Arbitrary<Loss> {
  return fc
    .tuple(fc.constantFrom(...numbersOf(record)), fc.constantFrom(0, 0, 1, 2, 4, 8, Infinity))
    .map(([{ emitter, epoch, seq }, more]) => ({ emitter, epoch, from: seq, to: seq + more }));
}

function codeOf(record: WorkRecord): string {
  const { verdict } = explain(record);
  return `${verdict?.boundary}/${verdict?.code}`;
}
