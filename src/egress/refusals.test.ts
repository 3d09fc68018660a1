import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instant } from "../stdx/time.ts";
import { Pace } from "./pace.ts";
import { Refusals } from "./refusals.ts";

function clockAt(): { now: number; readonly wall: () => ReturnType<typeof instant>; readonly monotonic: () => number } {
  const clock = { now: 0, wall: () => instant(clock.now), monotonic: () => clock.now };
  return clock;
}

describe("refusals that repeat", () => {
  test("the first stands for the others of its minute, and the next first one says how many", () => {
    const clock = clockAt();
    const refusals = new Refusals(clock);
    assert.deepEqual(refusals.count("p_1", "a", "x_1"), { standsFor: null, before: 0, others: false });
    for (const id of ["x_2", "x_3"]) assert.equal(refusals.count("p_1", "a", id).standsFor, "x_1");
    clock.now = 59_999;
    assert.equal(refusals.count("p_1", "a", "x_4").standsFor, "x_1");
    clock.now = 60_000;
    assert.deepEqual(refusals.count("p_1", "a", "x_5"), { standsFor: null, before: 3, others: false });
  });

  test("other kinds and other sandboxes are told by themselves", () => {
    const refusals = new Refusals(clockAt());
    refusals.count("p_1", "a", "x_1");
    assert.equal(refusals.count("p_1", "b", "x_2").standsFor, null);
    assert.equal(refusals.count("p_2", "a", "x_3").standsFor, null);
  });

  test("a sandbox that is refused in ever other ways has sixty a minute, and one that stands for the rest", () => {
    const clock = clockAt();
    const refusals = new Refusals(clock);
    const told = (from: number): number =>
      Array.from({ length: 5_000 }, (_, at) => refusals.count("p_1", `port ${from + at}`, `x_${from + at}`)).filter(
        ({ standsFor }) => standsFor === null,
      ).length;
    assert.equal(told(0), 61);
    assert.equal(refusals.count("p_1", "port 9999", "x_9999").standsFor, "x_60");
    assert.equal(refusals.count("p_1", "port 3", "x_again").standsFor, "x_3");
    clock.now = 60_000;
    assert.equal(told(10_000), 61);
    assert.equal(refusals.count("p_2", "port 1", "x_other").standsFor, null);
  });

  test("a sandbox that was closed is forgotten", () => {
    const refusals = new Refusals(clockAt());
    refusals.count("p_1", "a", "x_1");
    refusals.forget("p_1");
    assert.equal(refusals.count("p_1", "a", "x_2").standsFor, null);
  });
});

describe("the pace of one sandbox", () => {
  test("a burst goes at once, what comes faster waits its turn, and time gives room again", () => {
    const clock = clockAt();
    const pace = new Pace(clock, { perSecond: 100, burst: 3 });
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => pace.take()),
      [0, 0, 0, 10, 20],
    );
    clock.now = 1_000;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => pace.take()),
      [0, 0, 0, 10],
    );
  });
});
