/** What the page of a Space that wakes up says of times. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stageEnds, wakingTop } from "./waking-page.ts";

test("the time that a start has is the time after which it is given up, not a minute that is near it", () => {
  const says = (withinMs: number): string | undefined => /It has (.*?) for that/.exec(wakingTop(withinMs))?.[1];
  assert.deepEqual([65_000, 155_000, 180_000, 1_805_000].map(says), ["65 s", "2 min 35 s", "3 min", "30 min 5 s"]);
  assert.match(stageEnds(3_240), /after 3\.2 s/);
});
