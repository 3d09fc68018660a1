import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Slots } from "./slots.ts";

describe("Slots", () => {
  test("one more waits until a place is given back, in the order of coming", async () => {
    const slots = new Slots(1, 10_000);
    const first = await slots.take();
    const order: string[] = [];
    const second = slots.take().then((slot) => (order.push("second"), slot));
    const third = slots.take().then((slot) => (order.push("third"), slot));
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    (await second)?.[Symbol.dispose]();
    (await third)?.[Symbol.dispose]();
    assert.deepEqual(order, ["second", "third"]);
  });

  test("one that waits too long is told so, and takes no place of another's", async () => {
    const slots = new Slots(1, 5);
    const first = await slots.take();
    assert.equal(await slots.take(), undefined);
    first?.[Symbol.dispose]();
    assert.ok(await slots.take());
  });
});
