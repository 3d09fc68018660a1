import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseClock } from "./arguments.ts";

describe("a time of day", () => {
  const at = (hours: number, minutes: number, day = 20): number => new Date(2026, 10, day, hours, minutes).getTime();
  const now = at(16, 20);
  const told = (text: string, after?: number): number =>
    Date.parse(parseClock(text)(now, after === undefined ? undefined : new Date(after).toISOString()));

  test("is today's, or yesterday's where it is still to come", () => {
    assert.deepEqual([told("16:00"), told("16:20"), told("17:00")], [at(16, 0), now, at(17, 0, 19)]);
  });

  test("at which a span ends is the first after it began, also where that is still to come", () => {
    assert.equal(told("16:40", at(16, 0)), at(16, 40));
    assert.equal(told("16:00", told("17:00")), at(16, 0));
    assert.equal(told("00:10", at(23, 50, 19)), at(0, 10));
  });
});
