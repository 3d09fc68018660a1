import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";

import { Packet } from "./packet.ts";

/** As a socket whose reader takes all at once, or nothing until it is told to. */
class Peer extends Writable {
  readonly connecting: boolean = false;
  /** As they were given: what is in them may still change. */
  readonly pieces: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];
  isSlow = false;

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.pieces.push(bytes);
    if (this.isSlow) this.#waiting.push(done);
    else done();
  }

  /** Takes all that waits. */
  goOn(): void {
    this.isSlow = false;
    for (const done of this.#waiting.splice(0)) done();
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString("latin1");
  }
}

const peer = (): Peer & Socket => new Peer() as unknown as Peer & Socket;

test("parts and a body leave as they are, in one piece", () => {
  const to = peer();
  new Packet().write(to, ["one", "", "tw\u00f6"], Buffer.from([0, 255]));
  assert.deepEqual([to.text, to.pieces.length], ["onetw\u00f6\0\u00ff", 1]);
});

test("the next one is put together in the same memory", () => {
  const to = peer();
  const packet = new Packet();
  packet.write(to, ["one"]);
  packet.write(to, ["two"]);
  assert.equal(to.pieces[0]?.buffer, to.pieces[1]?.buffer);
});

test("one that is longer than the memory leaves whole, too", () => {
  const to = peer();
  new Packet().write(to, ["a".repeat(10_000)], Buffer.alloc(20_000, "b"));
  assert.equal(to.text, "a".repeat(10_000) + "b".repeat(20_000));
});

test("what waits for somebody slow stays as it was, whatever is written to others, and what follows it is behind it", () => {
  const [slow, other] = [peer(), peer()];
  const packet = new Packet();
  slow.isSlow = true;
  packet.write(slow, ["slow", " body"], Buffer.from("!"));
  packet.write(other, ["something else"]);
  packet.write(slow, [" and", " more"], Buffer.from("."));
  packet.write(other, ["something else"]);
  slow.goOn();
  assert.equal(slow.text, "slow body! and more.");
});
