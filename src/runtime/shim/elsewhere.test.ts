import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adoptAfterMs, judge, nowhere, seen, wrongAfterMs } from "./elsewhere.ts";

const expected = { port: 7860, given: true, patient: false };
const on = (...ports: readonly number[]) => seen(nowhere, ports, 1_000);

describe("judge", () => {
  test("waits for an app that listens nowhere, however long", () => {
    assert.deepEqual(judge(nowhere, expected, 1e9), { is: "wait" });
  });

  test("calls a port wrong exactly when its time is over, and names both", () => {
    assert.deepEqual(judge(on(8000), expected, 1_000 + wrongAfterMs - 1), { is: "wait" });
    assert.deepEqual(judge(on(8000), expected, 1_000 + wrongAfterMs), {
      is: "wrong",
      says: "The app listens on 8000, expected 7860.",
    });
  });

  test("waits on where the author said how long a start takes", () => {
    assert.deepEqual(judge(on(8000), { ...expected, patient: true }, 1e9), { is: "wait" });
  });

  test("takes the one port that there is, where none was given", () => {
    const silent = { ...expected, given: false };
    assert.deepEqual(judge(on(8000), silent, 1_000 + adoptAfterMs - 1), { is: "wait" });
    assert.deepEqual(judge(on(8000), silent, 1_000 + adoptAfterMs), { is: "adopt", port: 8000 });
    assert.deepEqual(judge(on(8000), { ...silent, patient: true }, 1_000 + adoptAfterMs), { is: "adopt", port: 8000 });
  });

  test("does not choose between two", () => {
    const silent = { ...expected, given: false };
    assert.deepEqual(judge(on(8000, 9000), silent, 1_000 + adoptAfterMs), { is: "wait" });
    assert.equal(judge(on(8000, 9000), silent, 1_000 + wrongAfterMs).is, "wrong");
  });
});

describe("seen", () => {
  test("counts from when the ports were last others", () => {
    const first = on(8000);
    assert.equal(seen(first, [8000], 9_000), first);
    assert.deepEqual(seen(first, [8000, 8001], 9_000), { ports: [8000, 8001], since: 9_000 });
    assert.deepEqual(seen(first, [], 9_000), { ports: [], since: 9_000 });
  });
});
