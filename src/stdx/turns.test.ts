import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Turns } from "./turns.ts";

describe("Turns", () => {
  test("work under one key keeps its order, also after a failure; another key does not wait for it", async () => {
    const turns = new Turns();
    const done: string[] = [];
    const first = Promise.withResolvers<void>();
    const a = turns.take("a", () => first.promise.then(() => void done.push("a1")));
    const failing = turns.take("a", () => Promise.reject(new Error("a2")));
    const last = turns.take("a", async () => void done.push("a3"));
    await turns.take("b", async () => void done.push("b1"));
    first.resolve();
    await a;
    await assert.rejects(failing, /a2/);
    await last;
    assert.deepEqual(done, ["b1", "a1", "a3"]);
  });

  test("nothing is kept of work that is done", async () => {
    const turns = new Turns();
    await turns.take("a", async () => undefined);
    await turns.idle();
    assert.equal(turns.isIdle, true);
  });
});
