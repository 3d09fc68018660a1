import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";

import type { UpgradeEnd } from "../accepted.ts";
import { drainMaxBytes } from "../limits.ts";
import { SocketMemory } from "../../http/socket-memory.ts";
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
const post = (length: number): string => `POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: ${length}\r\n\r\n`;
const noContent = (response: QuickResponse | undefined): void => void response?.writeHead(204, {}).end();

interface Lane {
  readonly lane: QuickLane;
  readonly responses: readonly QuickResponse[];
  /** Requests whose body was found wrong, with the status for it. */
  readonly faults: readonly (readonly [QuickResponse, number])[];
}

function laneOf(visitor: Visitor, clock = { now: 0 }): Lane {
  const responses: QuickResponse[] = [];
  const faults: [QuickResponse, number][] = [];
  const lane = new QuickLane({
    accept: (_, response) => responses.push(response) > 0,
    handOver: () => assert.fail("all of it is plain"),
    cut: (_, response, { status }) => void faults.push([response, status]),
    memory: new SocketMemory(),
    monotonic: () => clock.now,
  });
  lane.take(visitor as unknown as Socket);
  return { lane, responses, faults };
}

/** What comes of its body, and whether its end did. */
function bodyOf({ req }: QuickResponse): { text: string; ended: boolean } {
  const body = { text: "", ended: false };
  req.on("data", (bytes) => (body.text += bytes.toString())).on("end", () => (body.ended = true));
  return body;
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

/** One visitor whose request with a body of so many bytes is accepted. */
async function posting(length: number, first = "", clock = { now: 0 }) {
  const visitor = new Visitor();
  const made = laneOf(visitor, clock);
  visitor.push(post(length) + first);
  await turn();
  const [response] = made.responses;
  assert.ok(response !== undefined);
  return { visitor, response, ...made };
}

test("a body is taken as it comes, and what stands behind it is the next request, once it is answered", async () => {
  const { visitor, response, responses } = await posting(10, "one");
  const body = bodyOf(response);
  await turn();
  assert.deepEqual([body, response.req.complete], [{ text: "one", ended: false }, false]);
  visitor.push("two");
  await turn();
  assert.equal(body.text, "onetwo");
  visitor.push(`four${post(2)}hi${get}`);
  await turn();
  assert.deepEqual([body, response.req.complete], [{ text: "onetwofour", ended: true }, true]);
  assert.equal(responses.length, 1);
  noContent(response);
  await turn();
  assert.deepEqual([responses.length, responses[1]?.req.complete], [2, true]);
  noContent(responses[1]);
  await turn();
  assert.deepEqual([responses.length, responses[2]?.req.method], [3, "GET"]);
});

test("a body of no bytes ends for whoever listens, once", async () => {
  const { response } = await posting(0);
  const body = bodyOf(response);
  await turn();
  response.req.resume();
  await turn();
  assert.deepEqual([body, response.req.complete], [{ text: "", ended: true }, true]);
});

test("a body that nobody takes is held up to 64 kB, and comes in its order when somebody does", async () => {
  const { visitor, response } = await posting(200_000, "a".repeat(30_000));
  visitor.push("b".repeat(40_000));
  await turn();
  assert.equal(visitor.isPaused(), true);
  visitor.push("c".repeat(130_000));
  const body = bodyOf(response);
  await turn();
  await turn();
  assert.equal(body.text, "a".repeat(30_000) + "b".repeat(40_000) + "c".repeat(130_000));
  assert.deepEqual([body.ended, visitor.isPaused()], [true, false]);
});

test("whoever takes a body may let its visitor wait, and is told of its end when they go on", async () => {
  const { visitor, response } = await posting(6);
  const body = bodyOf(response);
  response.req.on("data", () => response.req.pause());
  visitor.push("one");
  await turn();
  assert.equal(visitor.isPaused(), true);
  visitor.push("two");
  await turn();
  assert.equal(body.text, "one");
  response.req.resume();
  await turn();
  assert.deepEqual([body, visitor.isPaused()], [{ text: "onetwo", ended: false }, false]);
  response.req.resume();
  await turn();
  assert.equal(body.ended, true);
});

test("whoever listened to a body may leave it to another, who gets the rest", async () => {
  const { visitor, response } = await posting(6, "one");
  const { req } = response;
  const pieces: Buffer[] = [];
  const first = (bytes: Buffer): void => {
    pieces.push(bytes);
    req.off("data", first).pause();
  };
  req.on("data", first);
  await turn();
  const body = bodyOf(response);
  visitor.push("two");
  await turn();
  assert.deepEqual([Buffer.concat(pieces).toString(), body.text], ["one", ""]);
  req.resume();
  await turn();
  assert.deepEqual(body, { text: "two", ended: true });
});

test("a body that ends early is found wrong once, and nothing more is read of its connection", async () => {
  const { visitor, response, responses, faults } = await posting(10, "one");
  const body = bodyOf(response);
  visitor.push(null);
  await turn();
  assert.deepEqual(faults, [[response, 400]]);
  assert.deepEqual([body, response.req.complete], [{ text: "one", ended: false }, false]);
  assert.equal(responses.length, 1);
});

test("a body that is not whole after an hour is found wrong, and what still comes of it is nobody's", async () => {
  const clock = { now: 0 };
  const { visitor, response, lane, faults } = await posting(10, "one", clock);
  const body = bodyOf(response);
  for (const [now, found] of [
    [3_600_000, []],
    [3_600_001, [[response, 408]]],
    [3_700_000, [[response, 408]]],
  ] as const) {
    clock.now = now;
    lane.sweep();
    assert.deepEqual(faults, found);
  }
  visitor.push("two");
  await turn();
  assert.equal(body.text, "one");
});

test("of a request that was answered early the rest is nobody's, and the next one follows it", async () => {
  const { visitor, response, responses, lane } = await posting(100_000, "a".repeat(70_000));
  assert.equal(visitor.isPaused(), true);
  noContent(response);
  const body = bodyOf(response);
  lane.closeIdle();
  visitor.push("b".repeat(20_000));
  await turn();
  assert.deepEqual([visitor.destroyed, visitor.isPaused(), responses.length], [false, false, 1]);
  visitor.push(`${"c".repeat(10_000)}${post(1)}`);
  visitor.push(`x${get}`);
  await turn();
  assert.deepEqual([body.text, responses.length], ["", 2]);
  assert.equal(responses[1]?.req.method, "POST");
  noContent(responses[1]);
  await turn();
  assert.equal(responses[2]?.req.method, "GET");
});

test("of a request that was answered early no more is read than so that its answer is", async () => {
  const { visitor, response } = await posting(1_000_000_000);
  noContent(response);
  const piece = Buffer.alloc(1 << 20);
  for (let sent = 0; sent < drainMaxBytes; sent += piece.length) visitor.push(piece);
  await turn();
  assert.equal(visitor.destroyed, false);
  visitor.push("x");
  await turn();
  assert.equal(visitor.destroyed, true);
});

test("pieces that come before the next request has begun keep their order", async () => {
  const { visitor, response, responses } = await posting(100_000, "a".repeat(70_000));
  // Two of them wait in the socket, and flow at once.
  visitor.push(`${"b".repeat(30_000)}POST /next HTTP/1.1\r\nHost: a.loc`);
  visitor.push("alhost\r\nContent-Length: 2\r\n\r\nhi");
  noContent(response);
  await turn();
  assert.deepEqual([responses.length, responses[1]?.req.url, responses[1]?.req.complete], [2, "/next", true]);
});

test("a head of which too much stands behind is the other parser's", async () => {
  const visitor = new Visitor();
  const handed: Socket[] = [];
  const lane = new QuickLane({
    accept: () => assert.fail("nothing is read here"),
    handOver: (socket) => void handed.push(socket),
    cut: () => assert.fail("nothing is wrong"),
    memory: new SocketMemory(),
    monotonic: () => 0,
  });
  lane.take(visitor as unknown as Socket);
  visitor.push(`${post(2)}hi${get.repeat(500)}`);
  await turn();
  assert.equal(handed.length, 1);
});

const asksForSocket = get.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");

/** One visitor who asks for a WebSocket, with bytes behind. */
async function upgrading() {
  const visitor = new Visitor();
  let end: UpgradeEnd | undefined;
  const responses: QuickResponse[] = [];
  const lane = new QuickLane({
    accept: (_, response, __, upgrade) => {
      end = upgrade;
      return responses.push(response) > 0;
    },
    handOver: () => assert.fail("all of it is plain"),
    cut: () => assert.fail("nothing is wrong"),
    memory: new SocketMemory(),
    monotonic: () => 0,
  });
  lane.take(visitor as unknown as Socket);
  visitor.push(`${asksForSocket}first`);
  await turn();
  const [response] = responses;
  assert.ok(response !== undefined && end !== undefined);
  return { visitor, response, responses, end };
}

test("with a WebSocket its connection is whoever's has it then, with what came behind its request and after that", async () => {
  const { visitor, response, end } = await upgrading();
  visitor.push("second");
  await turn();
  assert.equal(end.first.toString(), "first");
  response.detachSocket();
  assert.deepEqual(
    ["data", "end", "close", "error", "drain"].map((event) => visitor.listenerCount(event)),
    // A stream's own.
    ["data", "end", "close", "error", "drain"].map((event) => new Visitor().listenerCount(event)),
  );
  let text = "";
  visitor.on("data", (bytes: Buffer) => (text += bytes.toString()));
  await turn();
  assert.equal(text, "second");
});

test("behind a WebSocket that is declined nothing is a request, and its connection ends", async () => {
  const { visitor, response, responses } = await upgrading();
  let text = "";
  visitor._write = (bytes: Buffer, _, done) => {
    text += bytes.toString();
    done();
  };
  response.writeHead(404, "Not Found", ["content-length", "0"]).end();
  visitor.push(get);
  await turn();
  assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n[^]*Connection: close\r\n/);
  assert.deepEqual([responses.length, visitor.destroyed], [1, true]);
});
