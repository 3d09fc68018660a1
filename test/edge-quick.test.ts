// A connection on which plain requests are read by the edge itself, and the first that is not by node:http: to a visitor one and the same.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

const longBytes = 3 << 20;
/** Bodies that have begun to come to the app. */
let digests = 0;

const app: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://app");
  const sizes: Readonly<Record<string, number>> = { "/short": 5, "/middle": 40_000, "/long": longBytes };
  if (pathname === "/none") return void response.writeHead(204).end();
  if (pathname === "/same") return void response.writeHead(304, { etag: '"1"' }).end();
  if (pathname === "/hangs") return void response.write("begun");
  if (pathname === "/digest") {
    digests += 1;
    return void request.pipe(createHash("sha256").setEncoding("hex")).pipe(response);
  }
  if (pathname === "/breaks") return void response.write("begun", () => response.destroy());
  if (pathname === "/pieces") {
    response.write("one,");
    return void setImmediate(() => response.end("two"));
  }
  const size = sizes[pathname];
  if (size !== undefined) return void response.setHeader("content-length", size).end(Buffer.alloc(size, pathname[1]));
  let body = "";
  request
    .on("data", (bytes: Buffer) => (body += bytes.toString()))
    .on("end", () => response.end(`${pathname === "/heads" ? request.rawHeaders.join() : request.url} ${body}`));
};

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: ${appHost}\r\n${more}\r\n`;
const last = "Connection: close\r\n";
/** Of the same request, but no longer plain: it is read by node:http, as all that follow it on its connection. */
const notPlain = "Connection: keep-alive, x-some\r\n";
const post = (path: string, bytes: number, more = ""): string =>
  get(path, `Content-Length: ${bytes}\r\n${more}`).replace("GET", "POST");
/** No two kilobytes of it are the same. */
function long(seed: number): Buffer {
  const body = Buffer.alloc(longBytes);
  for (let at = 0; at < longBytes; at += 1_024) body.writeDoubleLE(seed + at, at);
  return body;
}
const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("plain requests on one connection", () => {
  let world: EdgeWorld;
  let agent: Agent;
  before(async () => {
    world = await edgeWorld(app);
    agent = new Agent({ keepAlive: true, maxSockets: 1 });
  });
  after(async () => {
    agent.destroy();
    await world.close();
  });

  async function ask(
    method: string,
    path: string,
    body = "",
  ): Promise<{ answer: IncomingMessage; bytes: Buffer; port: number }> {
    const request = httpRequest({
      agent,
      port: world.edge.port,
      host: "127.0.0.1",
      method,
      path,
      headers: { host: appHost },
    });
    // In two it is sent in chunks.
    if (method === "PUT") request.write(body);
    request.end(method === "PUT" ? "" : body);
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { answer, bytes: Buffer.concat(parts), port: request.socket?.localPort ?? 0 };
  }

  test("answers of every framing come whole, with a record each, before and after a request with a body", async () => {
    const packs = world.emitter.packs.length;
    const ports = new Set<number>();
    const around = async (): Promise<void> => {
      for (const [method, path, status, length] of [
        ["GET", "/short", 200, 5],
        ["GET", "/middle", 200, 40_000],
        ["GET", "/long", 200, longBytes],
        ["HEAD", "/long", 200, 0],
        ["GET", "/pieces", 200, 7],
        ["GET", "/none", 204, 0],
        ["GET", "/same", 304, 0],
      ] as const) {
        const { answer, bytes, port } = await ask(method, path);
        ports.add(port);
        assert.deepEqual([answer.statusCode, bytes.length], [status, length], `${method} ${path}`);
        assert.match(answer.headers["x-waybill-id"] as string, /^q_/);
        assert.equal(answer.headers["proxy-status"], `waybill;received-status=${status}`);
        assert.equal(Number.isNaN(Date.parse(answer.headers.date ?? "")), false);
      }
    };
    await around();
    for (const method of ["POST", "PUT"]) {
      const { bytes, port } = await ask(method, "/echo", "some words");
      assert.equal(bytes.toString(), "/echo some words");
      ports.add(port);
      await around();
    }
    assert.equal(ports.size, 1, "one connection carried them all");
    await eventually("a record each", () => world.emitter.packs.length === packs + 23);
    assert.deepEqual(world.errors, []);
  });

  test("what an app and a record see of a body, and a visitor of its answer, is the same by both", async () => {
    const packs = world.emitter.packs.length;
    const visitor = connect(world.edge.port, "127.0.0.1");
    let text = "";
    visitor.on("data", (bytes: Buffer) => (text += bytes.toString()));
    const asked = async (bytes: string, until: string): Promise<string> => {
      text = "";
      visitor.write(bytes);
      await eventually(until, () => text.endsWith(until));
      return text;
    };
    const lines = "Content-Type: text/plain\r\nX-Some: thing\r\nCookie: a=b; waybill_session=x\r\n";
    const one = `${post("/heads?a=b&token=s3cret", 5, lines)}hello`;
    // The first one opens the connection to the app.
    await asked(one, "hello");
    const plain = await asked(one, "hello");
    await asked(get("/short", notPlain), "sssss");
    const other = await asked(one, "hello");
    visitor.destroy();
    const same = (answer: string): string =>
      answer.replaceAll(/q_\w{16}|00-\w{32}-\w{16}-00|\d\d:\d\d:\d\d GMT|(?:Connection|Keep-Alive): [^\r]*\r\n/g, "");
    const inOrder = (answer: string): string => same(answer).split("\r\n").toSorted().join("\n");
    assert.equal(inOrder(plain), inOrder(other));
    await eventually("a record each", () => world.emitter.packs.length === packs + 4);
    const [, two, , four] = world.emitter.packs.slice(packs);
    const { status, received, bytes, path, query, host, method, protocol } = two?.facts ?? {};
    assert.deepEqual(
      { status, received, bytes, path, query, host, method, protocol },
      Object.fromEntries(
        ["status", "received", "bytes", "path", "query", "host", "method", "protocol"].map((fact) => [
          fact,
          four?.facts[fact],
        ]),
      ),
    );
    assert.deepEqual(
      two?.stages.map(([hop]) => hop),
      four?.stages.map(([hop]) => hop),
    );
    assert.deepEqual(Object.keys(two?.facts ?? {}), Object.keys(four?.facts ?? {}));
  });

  test("long bodies, one after the other on one connection, come whole, by whomever they are read", async () => {
    const visitor = connect(world.edge.port, "127.0.0.1");
    let text = "";
    visitor.on("data", (bytes: Buffer) => (text += bytes.toString())).on("error", () => {});
    const answered = async (seed: number): Promise<void> => {
      const of = digest(long(seed));
      await eventually(`the digest of ${seed}`, () => text.includes(of));
      text = "";
    };
    for (const seed of [1, 2]) {
      visitor.write(post("/digest", longBytes));
      visitor.write(long(seed));
      // Behind it, and in the same packet as its last bytes.
      visitor.write(get("/short"));
      await answered(seed);
    }
    for (const seed of [3, 4]) {
      visitor.write(post("/digest", longBytes, seed === 3 ? notPlain : ""));
      visitor.write(long(seed));
      await answered(seed);
    }
    // Whoever reads it now is told that it broke, and the edge lives.
    const begun = digests;
    visitor.write(`${post("/digest", longBytes)}half`);
    await eventually("it has begun", () => digests > begun);
    visitor.resetAndDestroy();
    await eventually("its end is recorded", () => world.emitter.entries.at(-1)?.facts["code"] === "route/visitor-left");
    assert.deepEqual(world.errors, []);
  });

  for (const [who, more] of [
    ["the edge", ""],
    ["node:http", notPlain],
  ] as const)
    test(`a visitor who leaves in the middle of a body that ${who} reads is recorded as gone, one who ends it early is refused`, async () => {
      const visitor = connect(world.edge.port, "127.0.0.1");
      const begun = digests;
      visitor.on("error", () => {}).write(`${post("/digest", longBytes, more)}${"x".repeat(100_000)}`);
      await eventually("it has begun", () => digests > begun);
      visitor.resetAndDestroy();
      await eventually(
        "its end is recorded",
        () => world.emitter.entries.at(-1)?.facts["code"] === "route/visitor-left",
      );
      const early = connect({ port: world.edge.port, host: "127.0.0.1", allowHalfOpen: true });
      let text = "";
      early.on("data", (bytes: Buffer) => (text += bytes.toString()));
      early.end(`${post("/digest", longBytes, more)}${"x".repeat(100_000)}`);
      await once(early, "end");
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.match(text, /connection: close/i);
      assert.deepEqual(
        world.emitter.entries.filter(({ work }) => text.includes(work)).flatMap(({ facts }) => facts["code"] ?? []),
        ["route/malformed"],
      );
      early.destroy();
    });

  test("a hundred in one packet, one with a body among them, are answered in their order", async () => {
    const paths = Array.from({ length: 100 }, (_, i) => `/r${i}`);
    const bytes = paths.map((path, i) =>
      i === 60
        ? `POST ${path} HTTP/1.1\r\nHost: ${appHost}\r\nContent-Length: 3\r\n\r\nabc`
        : get(path, i === 99 ? last : ""),
    );
    const text = await rawExchange(world.edge.port, bytes.join(""));
    assert.deepEqual(
      [...text.matchAll(/(\/r\d+) (abc)?/g)].map(([, path]) => path),
      paths,
    );
  });

  test("a head that comes in two pieces is read all the same", async () => {
    const socket = connect(world.edge.port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString()));
    socket.write(get("/whole"));
    await eventually("the first answer", () => text.includes("/whole"));
    const head = get("/halves", last);
    socket.write(head.slice(0, 20));
    await eventually("its first half is at the edge", () => socket.bytesWritten > 0 && socket.writableLength === 0);
    socket.write(head.slice(20));
    await once(socket, "close");
    assert.match(text, /\/halves/);
  });

  test("a visitor who leaves in the middle of an answer is recorded as gone", async () => {
    const text = await rawExchange(world.edge.port, get("/hangs"), /begun/);
    const work = /x-waybill-id: (q_\w+)/.exec(text)?.[1] ?? "";
    await eventually("its end is recorded", () =>
      world.emitter.of(work).some(({ hop, facts }) => hop === "edge.deliver" && facts["code"] === "route/visitor-left"),
    );
    await eventually("whoever runs it hears", () => world.gone.includes(work));
  });

  test("an answer that the app breaks off ends the visitor's connection without its last chunk", async () => {
    const text = await rawExchange(world.edge.port, get("/breaks"));
    assert.match(text, /begun/);
    assert.doesNotMatch(text, /\r\n0\r\n/);
    const work = /x-waybill-id: (q_\w+)/.exec(text)?.[1] ?? "";
    assert.ok(world.emitter.of(work).some(({ facts }) => facts["code"] === "route/reset-midway"));
  });

  test("what is no HTTP behind a request whose answer is owed is refused after that answer, which is whole", async () => {
    const [packs, counted] = [world.emitter.packs.length, world.counted.length];
    const text = await rawExchange(world.edge.port, `${get("/pieces")}\u0001\u0002\r\n\r\n`);
    assert.match(text, /one,\r\n3\r\ntwo\r\n0\r\n\r\nHTTP\/1\.1 400 /);
    assert.equal(world.emitter.packs.length, packs + 1);
    assert.deepEqual(world.counted.slice(counted), [{ code: "route/malformed", host: "" }]);
  });

  test("a Space's bound counts until the answer is through, or its visitor has left", async () => {
    const route = world.directory.get(appHost);
    assert.ok(route);
    world.directory.set(appHost, { ...route, limits: { requests: 1 } });
    // The next connection has been plain from its first request on.
    agent.destroy();
    try {
      for (const path of ["/long", "/none", "/short"]) assert.notEqual((await ask("GET", path)).answer.statusCode, 503);
      const visitor = connect(world.edge.port, "127.0.0.1");
      visitor.write(get("/hangs"));
      await once(visitor, "data");
      assert.equal((await ask("GET", "/short")).answer.statusCode, 503);
      visitor.destroy();
      await eventually(
        "it is recorded as gone",
        () => world.emitter.entries.at(-1)?.facts["code"] === "route/visitor-left",
      );
      assert.equal((await ask("GET", "/short")).answer.statusCode, 200);
    } finally {
      world.directory.set(appHost, route);
    }
  });

  test("a visitor who takes slowly is waited for, and gets all of it", async () => {
    const socket = connect(world.edge.port, "127.0.0.1");
    socket.pause();
    socket.write(get("/long", "X-Slow: 1\r\n"));
    const upstream = world.upstream;
    await eventually("the app's answer has begun to come", () => upstream.connections.size > 0);
    let got = 0;
    socket.on("data", (bytes: Buffer) => (got += bytes.length));
    socket.resume();
    await eventually("all of it", () => got > longBytes);
    socket.destroy();
  });
});

test("an edge that closes ends connections that wait for nothing at once", async () => {
  const world = await edgeWorld(app);
  const socket = connect(world.edge.port, "127.0.0.1");
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString()));
  socket.write(get("/short"));
  await eventually("an answer", () => text.includes("sssss"));
  const closed = once(socket, "close");
  await world.close();
  await closed;
});

test("an edge that is left says with each answer that its connection ends", async () => {
  const world = await edgeWorld(app);
  const visitor = connect(world.edge.port, "127.0.0.1");
  let text = "";
  visitor.on("data", (bytes) => (text += bytes.toString()));
  visitor.write(get("/short"));
  await eventually("an answer", () => text.includes("sssss"));
  assert.doesNotMatch(text, /connection: close/i);
  const left = world.edge.drain(10_000);
  visitor.write(get("/none") + get("/short"));
  await once(visitor, "close");
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+|connection: close/gi), [
    "HTTP/1.1 200",
    "HTTP/1.1 204",
    "Connection: close",
  ]);
  await left;
  await world.close();
});

test("an edge that closes ends connections that have said nothing", { timeout: 15_000 }, async () => {
  const world = await edgeWorld(app);
  const silent = connect(world.edge.port, "127.0.0.1");
  const closed = once(silent, "close");
  await once(silent, "connect");
  // Connections are taken in their order: the silent one is at the edge.
  await rawExchange(world.edge.port, get("/short", last));
  await world.close();
  silent.resume();
  await closed;
});
