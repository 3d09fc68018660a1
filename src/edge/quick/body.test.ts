import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";

import { QuickBody } from "./body.ts";

const pieceBytes = 32_768;

/** A body of so many pieces, and what of it may be read into again. */
function bodyOf(length: number): { body: QuickBody; released: string[] } {
  const released: string[] = [];
  const socket = new Duplex({ read: () => {}, write: (_, __, done) => done() });
  const memory = { release: (bytes: Buffer) => void released.push(bytes.toString("latin1", 0, 3)) };
  return {
    body: new QuickBody(socket as unknown as Socket, { length: pieceBytes * length, since: 0, memory }),
    released,
  };
}

const take = (body: QuickBody, text: string): boolean => body.take(Buffer.alloc(pieceBytes, text));

test("what a listener is not through with is given back when it is through with what came later", () => {
  const { body, released } = bodyOf(3);
  let isThrough = false;
  body.on("data", () => isThrough);
  assert.deepEqual([take(body, "one"), take(body, "two"), released], [false, false, []]);
  isThrough = true;
  assert.equal(take(body, "end"), true);
  // The last is still its reader's.
  assert.deepEqual(released, ["one", "two"]);
});

test("or when it lets the body go on", () => {
  const { body, released } = bodyOf(2);
  body.on("data", () => {
    body.pause();
    return false;
  });
  assert.equal(take(body, "one"), false);
  assert.deepEqual(released, []);
  body.resume();
  assert.deepEqual(released, ["one"]);
});

test("what a listener keeps is never given back, nor what one of several does", () => {
  for (const listeners of [[() => undefined], [() => true, () => undefined]]) {
    const { body, released } = bodyOf(2);
    for (const listener of listeners) body.on("data", listener);
    assert.equal(take(body, "one"), false);
    body.pause();
    body.resume();
    for (const listener of listeners) body.off("data", listener);
    body.on("data", () => true);
    assert.equal(take(body, "two"), true);
    assert.deepEqual(released, []);
  }
});

test("what nobody has taken yet is given back once somebody is through with it", async () => {
  const { body, released } = bodyOf(2);
  assert.equal(take(body, "one"), false);
  body.on("data", () => true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(released, ["one"]);
});

test("of a body that was answered nothing is given back: its app's connection ends with what it waits with", () => {
  const { body, released } = bodyOf(2);
  body.on("data", () => false);
  take(body, "one");
  body.drop(2 * pieceBytes);
  body.resume();
  assert.deepEqual([take(body, "two"), released], [true, []]);
});
