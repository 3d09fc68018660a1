/** A connection to an app on another machine breaks, and whether that was the line to the machine is known a moment later. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { app, ask, problemIn } from "./support/edge-app.ts";
import { edgeWorld } from "./support/edge-world.ts";

/** What a request gets whose connection breaks while its line is `number` once that has been asked. */
async function brokenOver(number: number | undefined): Promise<{ code: unknown; owner: unknown; asked: number }> {
  let line: number | undefined = 3;
  let asked = 0;
  const world = await edgeWorld(app, {
    line: () => line,
    lineSettled: async () => {
      asked += 1;
      line = await Promise.resolve(number);
    },
  });
  try {
    const { code, owner } = problemIn(await ask(world, "/reset-before", {}, "POST", "x"));
    return { code, owner, asked };
  } finally {
    await world.close();
  }
}

describe("an edge that hears of lines from elsewhere", () => {
  test("waits for the word that the line was lost, and blames no app", async () => {
    assert.deepEqual(await brokenOver(undefined), { code: "node-away", owner: "platform", asked: 1 });
  });

  test("blames the app over a line that stands", async () => {
    assert.deepEqual(await brokenOver(3), { code: "reset-midway", owner: "app", asked: 1 });
  });
});
