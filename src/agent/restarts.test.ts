import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { afterEnd, afterPassing, restartLimits, stillCount } from "./restarts.ts";

function endsAt(...times: readonly number[]) {
  let ends: readonly number[] = [];
  return times.map((now) => {
    const decision = afterEnd(ends, now);
    ends = decision.ends;
    return decision.kind === "restart" ? decision.inMs : decision.kind;
  });
}

describe("afterEnd", () => {
  test("pauses double, and the fifth end within ten minutes is a crash loop", () => {
    assert.deepEqual(endsAt(0, 1, 2, 3, 4), [1_000, 2_000, 4_000, 8_000, "give-up"]);
  });

  test("an end is forgotten when it is ten minutes old: the window is [0, 600 s)", () => {
    assert.deepEqual(endsAt(0, 1, 2, 3, 600_000), [1_000, 2_000, 4_000, 8_000, 8_000]);
    assert.deepEqual(endsAt(0, 1, 2, 3, 599_999), [1_000, 2_000, 4_000, 8_000, "give-up"]);
  });

  test("of a Space whose ends are all that old nothing is left to keep", () => {
    assert.deepEqual(stillCount([0, 1], 600_000, restartLimits), [1]);
    assert.deepEqual(stillCount([0, 1], 600_001, restartLimits), []);
  });

  test("a pause is never longer than its bound", () => {
    const decision = afterEnd(
      Array.from({ length: 20 }, (_, at) => at),
      30,
      { ...restartLimits, endsMax: 100 },
    );
    assert.equal(decision.kind === "restart" && decision.inMs, 60_000);
  });
});

test("afterPassing: pauses double up to their bound, and it is never given up", () => {
  let ends: readonly number[] = [];
  const pauses = Array.from({ length: 9 }, (_, at) => {
    const decision = afterPassing(ends, at);
    ends = decision.ends;
    return decision.inMs / 1_000;
  });
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
});
