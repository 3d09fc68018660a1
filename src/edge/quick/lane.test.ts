import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";

import type { QuickResponse } from "./ends.ts";
import { QuickLane } from "./lane.ts";

/** A visitor's end, as far as the lane looks at it. */
class Visitor extends Duplex {
  fails = false;
  override _read(): void {}
  override _write(_bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    if (this.fails) done(new Error("EPIPE"));
    else done();
  }
  destroySoon(): void {
    this.end();
    this.once("finish", () => this.destroy());
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const get = "GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n";

function laneOf(visitor: Visitor, clock = { now: 0 }): { lane: QuickLane; responses: readonly QuickResponse[] } {
  const responses: QuickResponse[] = [];
  const lane = new QuickLane({
    accept: (_, response) => responses.push(response) > 0,
    handOver: () => assert.fail("all of it is plain"),
    monotonic: () => clock.now,
  });
  lane.take(visitor as unknown as Socket);
  return { lane, responses };
}

test("an answer whose last write fails at once is not called finished", async () => {
  const visitor = new Visitor();
  const { responses } = laneOf(visitor);
  visitor.push(get);
  await turn();
  const [response] = responses;
  assert.ok(response !== undefined);
  const closed: boolean[] = [];
  response.on("close", () => closed.push(response.writableFinished));
  visitor.fails = true;
  response.writeHead(200, "OK", ["content-length", "2"]).end(Buffer.from("hi"));
  await turn();
  assert.deepEqual(closed, [false]);
});

test("what comes behind an answer that ends its connection is no request", async () => {
  const visitor = new Visitor();
  const { responses } = laneOf(visitor);
  visitor.push(get);
  await turn();
  responses[0]?.writeHead(200, { "content-length": "0", connection: "close" }).end();
  visitor.push(get);
  await turn();
  assert.equal(responses.length, 1);
});

test("one that never asked is dropped after 20 s", () => {
  const [visitor, clock] = [new Visitor(), { now: 0 }];
  const { lane } = laneOf(visitor, clock);
  for (const [now, isDropped] of [
    [20_000, false],
    [20_001, true],
  ] as const) {
    clock.now = now;
    lane.sweep();
    assert.equal(visitor.destroyed, isDropped);
  }
});

test("one that has asked is waited for as long as its answer is owed, and for 30 s after it", async () => {
  const [visitor, clock] = [new Visitor(), { now: 0 }];
  const { lane, responses } = laneOf(visitor, clock);
  visitor.push(get);
  await turn();
  clock.now = 1_000_000;
  lane.sweep();
  assert.equal(visitor.destroyed, false);
  responses[0]?.writeHead(204, {}).end();
  for (const [now, isDropped] of [
    [1_030_000, false],
    [1_030_001, true],
  ] as const) {
    clock.now = now;
    lane.sweep();
    assert.equal(visitor.destroyed, isDropped);
  }
});
