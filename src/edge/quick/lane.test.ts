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

function asked(visitor: Visitor): QuickResponse[] {
  const responses: QuickResponse[] = [];
  const lane = new QuickLane({
    accept: (_, response) => responses.push(response) > 0,
    handOver: () => assert.fail("all of it is plain"),
    onSilent: () => assert.fail("it is not silent"),
    monotonic: () => 0,
  });
  lane.take(visitor as unknown as Socket);
  visitor.push(get);
  return responses;
}

test("an answer whose last write fails at once is not called finished", async () => {
  const visitor = new Visitor();
  const responses = asked(visitor);
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
  const responses = asked(visitor);
  await turn();
  responses[0]?.writeHead(200, { "content-length": "0", connection: "close" }).end();
  visitor.push(get);
  await turn();
  assert.equal(responses.length, 1);
});
