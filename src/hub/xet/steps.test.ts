import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { inSteps } from "./steps.ts";

test("others have turns while long work goes on, and it comes to its end", async () => {
  let turns = 0;
  let isOver = false;
  const others = (async () => {
    for (; !isOver; turns++) await setImmediate();
  })();
  // Until others had some: without a turn it never ends, and the runner ends it.
  const found = await inSteps(
    (function* () {
      while (turns < 5) yield;
      return turns;
    })(),
  );
  isOver = true;
  await others;
  assert.ok(found >= 5);
});
