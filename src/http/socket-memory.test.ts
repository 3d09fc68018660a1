import assert from "node:assert/strict";
import type { OnReadOpts } from "node:net";
import { test } from "node:test";

import { SocketMemory } from "./socket-memory.ts";

/** As a socket does that got so many bytes of one value. */
function arrive(onread: OnReadOpts, count: number, value: number): Uint8Array {
  const memory = into(onread);
  memory.fill(value, 0, count);
  assert.equal(onread.callback(count, memory), true);
  return memory;
}

const into = ({ buffer }: OnReadOpts): Uint8Array => (typeof buffer === "function" ? buffer() : buffer);

/** A socket whose bytes somebody takes, who is through with them or not. */
function socket(memory: SocketMemory, isThrough: () => boolean) {
  const taken: Buffer[] = [];
  const onread = memory.reader((bytes) => {
    taken.push(bytes);
    return isThrough();
  });
  return { onread, taken };
}

test("what came little by little stays as it was, whoever reads into the same memory afterwards", () => {
  const memory = new SocketMemory();
  const [one, other] = [socket(memory, () => true), socket(memory, () => true)];
  assert.equal(arrive(one.onread, 5, 1), arrive(other.onread, 7, 2));
  arrive(one.onread, 3, 3);
  assert.deepEqual(
    [...one.taken, ...other.taken].map((bytes) => [...bytes]),
    [Array(5).fill(1), Array(3).fill(3), Array(7).fill(2)],
  );
});

test("a socket on which much comes reads into memory of its own, and takes all of it without a copy", () => {
  const memory = new SocketMemory();
  const one = socket(memory, () => true);
  const shared = arrive(one.onread, 65_536, 1);
  const own = arrive(one.onread, 65_536, 2);
  assert.notEqual(own, shared);
  assert.equal(own.length, 65_536);
  assert.equal(arrive(one.onread, 40_000, 3), own);
  assert.equal(one.taken[2]?.buffer, own.buffer);
  assert.equal(into(socket(memory, () => true).onread), shared);
});

test("memory of which somebody still has to look at something is theirs", () => {
  const memory = new SocketMemory();
  let isThrough = true;
  const one = socket(memory, () => isThrough);
  const shared = arrive(one.onread, 65_536, 1);
  isThrough = false;
  const own = arrive(one.onread, 65_536, 2);
  assert.equal(into(one.onread), shared);
  arrive(one.onread, 65_536, 3);
  assert.equal(into(one.onread), shared, "whoever waits for somebody slow has no memory of its own");
  isThrough = true;
  arrive(one.onread, 65_536, 4);
  assert.notEqual(into(one.onread), own);
  arrive(one.onread, 65_536, 5);
  assert.deepEqual(
    one.taken.slice(0, 4).map((bytes) => bytes.every((value) => value === bytes[0]) && bytes[0]),
    [1, 2, 3, 4],
  );
});

test("memory of one that gets little again is the next one's", () => {
  const memory = new SocketMemory();
  const one = socket(memory, () => true);
  const shared = arrive(one.onread, 65_536, 1);
  const own = arrive(one.onread, 200, 2);
  assert.notEqual(own, shared);
  assert.equal(into(one.onread), shared);
  const other = socket(memory, () => true);
  arrive(other.onread, 65_536, 1);
  assert.equal(into(other.onread), own);
});

test("memory of which all that was kept is given back is the next one's, and no other is", () => {
  const memory = new SocketMemory();
  const taken: Buffer[] = [];
  const onread = memory.reader((bytes) => {
    taken.push(bytes);
    return false;
  }, "for now");
  const shared = arrive(onread, 65_536, 1);
  arrive(onread, 40_000, 2);
  arrive(onread, 100, 3);
  const [first, second, little] = taken as [Buffer, Buffer, Buffer];
  for (const bytes of [little, shared, Buffer.alloc(65_536)] as const) memory.release(Buffer.from(bytes.buffer, 0, 10));
  memory.release(second);
  const other = socket(memory, () => true);
  arrive(other.onread, 65_536, 4);
  assert.equal(into(other.onread).buffer, second.buffer);
  arrive(other.onread, 65_536, 5);
  assert.equal(first.every((value) => value === 1) && little.every((value) => value === 3), true);
  const third = socket(memory, () => true);
  arrive(third.onread, 65_536, 6);
  assert.equal([first.buffer, second.buffer, shared.buffer].includes(into(third.onread).buffer as ArrayBuffer), false);
});

test("memory of what goes one way is used again once all before it is through", () => {
  const memory = new SocketMemory();
  const taken: Buffer[] = [];
  let isThrough = false;
  const onread = memory.reader((bytes) => {
    taken.push(bytes);
    return isThrough;
  }, "in order");
  for (const value of [1, 2, 3]) arrive(onread, 65_536, value);
  assert.deepEqual(
    taken.map((bytes) => bytes.every((value) => value === bytes[0]) && bytes[0]),
    [1, 2, 3],
  );
  isThrough = true;
  arrive(onread, 65_536, 4);
  const own = into(onread);
  assert.equal(own.buffer, taken[3]?.buffer);
  const others = [1, 2, 3].map(() => {
    const other = socket(memory, () => true);
    arrive(other.onread, 65_536, 5);
    return into(other.onread).buffer;
  });
  assert.deepEqual(new Set(others), new Set(taken.slice(0, 3).map(({ buffer }) => buffer)));
});
