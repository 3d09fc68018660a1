import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Slots, type Caller } from "./slots.ts";

const alice: Caller = { account: "alice", address: "127.0.0.1" };
const bob: Caller = { ...alice, account: "bob" };
const from = (address: string): Caller => ({ account: null, address });
const patient = { withinMs: 10_000 };

describe("Slots", () => {
  test("one more waits until a place is given back, in the order of coming", async () => {
    const slots = new Slots({ atOnce: 1, perCaller: 1, anonymous: 1, ...patient });
    const first = await slots.take(alice);
    const order: string[] = [];
    const second = slots.take(bob).then((slot) => (order.push("second"), slot));
    const third = slots.take(alice).then((slot) => (order.push("third"), slot));
    first?.[Symbol.dispose]();
    first?.[Symbol.dispose]();
    (await second)?.[Symbol.dispose]();
    (await third)?.[Symbol.dispose]();
    assert.deepEqual(order, ["second", "third"]);
  });

  test("one that waits too long is told so, and takes no place of another's", async () => {
    const slots = new Slots({ atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 5 });
    const first = await slots.take(alice);
    assert.equal(await slots.take(alice), undefined);
    first?.[Symbol.dispose]();
    assert.ok(await slots.take(alice));
  });

  test("one caller never has all places: another is served while the first one waits for its own", async () => {
    const slots = new Slots({ atOnce: 3, perCaller: 2, anonymous: 2, ...patient });
    const held = [await slots.take(alice), await slots.take(alice)];
    let isServed = false;
    const more = slots.take(alice).then((slot) => ((isServed = true), slot));
    const other = await slots.take(bob);
    assert.ok(other);
    other[Symbol.dispose]();
    assert.equal(isServed, false, "bob's place is not for alice's third");
    held[0]?.[Symbol.dispose]();
    assert.ok(await more);
  });

  test("all who showed no token share a part of the places, from however many addresses they come", async () => {
    const slots = new Slots({ atOnce: 4, perCaller: 2, anonymous: 3, withinMs: 5 });
    const came = await Promise.all(["::1", "::2", "::3", "::4"].map((address) => slots.take(from(address))));
    assert.deepEqual(came.map(Boolean), [true, true, true, false]);
    assert.ok(await slots.take(alice));
  });

  test("one who leaves before its turn waits no more, and holds nothing", async () => {
    const slots = new Slots({ atOnce: 1, perCaller: 1, anonymous: 1, ...patient });
    const held = await slots.take(alice);
    const left = new AbortController();
    const waits = slots.take(bob, left.signal);
    left.abort();
    assert.equal(await waits, undefined);
    held?.[Symbol.dispose]();
    assert.ok(await slots.take(alice));
    assert.equal(await slots.take(bob, left.signal), undefined, "nor does one who has left already");
  });

  test("one caller does not fill the queue", async () => {
    const slots = new Slots({ atOnce: 1, perCaller: 1, anonymous: 1, ...patient });
    const left = new AbortController();
    const held = await slots.take(alice);
    const waiting = Array.from({ length: 60 }, () => slots.take(alice, left.signal));
    assert.equal(await waiting.at(-1), undefined, "told at once");
    const other = slots.take(bob);
    left.abort();
    held?.[Symbol.dispose]();
    assert.ok(await other);
  });
});
