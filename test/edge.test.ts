/** The edge with real sockets: streaming, evidence, faults, and what two servers could read differently. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { SpaceRoute, Visitor, VisitorIdentity } from "../src/edge/index.ts";
import { parseProxyStatus } from "../src/http/index.ts";
import { answerOf, app, ask, floods, marks, open, problemIn, pulls, read, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

describe("an answer of the app", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app);
  });
  after(() => world.close());

  test("bears received-status without error, the work's id and the caller's request id", async () => {
    const answer = await ask(world, "/a?b=c", { "x-request-id": "mine-1" });
    assert.equal(answer.status, 200);
    assert.deepEqual(parseProxyStatus(String(answer.headers["proxy-status"])), [
      { deployment: "waybill", receivedStatus: 200 },
    ]);
    assert.match(String(answer.headers["x-waybill-id"]), /^q_[0-9a-z]{16}$/);
    assert.equal(answer.headers["x-request-id"], "mine-1");
  });

  test("leaves one packed record with the exact bytes of its connection", async () => {
    const answer = await ask(world, "/path?secret=1");
    const work = String(answer.headers["x-waybill-id"]);
    const pack = await eventually("the packed record", () =>
      world.emitter.packs.find((record) => record.work === work),
    );
    assert.deepEqual(world.emitter.of(work), []);
    const { from, to, connection, ...facts } = pack.facts;
    assert.deepEqual(
      [
        facts["method"],
        facts["path"],
        facts["space"],
        facts["replica"],
        facts["status"],
        facts["answeredBy"],
        facts["billedBy"],
      ],
      ["GET", "/path", "alice/demo", "r_1", 200, "app", "address"],
    );
    const carried = world.upstream.connections.get(connection as string);
    await eventually("the app's socket has it all", () => (carried?.acceptedBytes ?? 0) >= Number(to));
    assert.ok(Number(from) >= 0 && Number(to) > Number(from));
    assert.deepEqual(
      pack.stages.map(([hop]) => hop),
      ["edge.accept", "identity.resolve", "edge.route", "edge.connect", "app.take", "app.respond", "edge.deliver"],
    );
  });

  test("cannot forge what is ours, nor set cookies for others", async () => {
    const answer = await ask(world, "/forged");
    assert.deepEqual(parseProxyStatus(String(answer.headers["proxy-status"])), [
      { deployment: "waybill", receivedStatus: 200 },
    ]);
    assert.match(String(answer.headers["x-waybill-id"]), /^q_(?!forged)/);
    assert.equal(answer.headers["x-forwarded-for"], undefined);
    assert.equal(answer.headers["x-secret"], undefined);
    assert.deepEqual(answer.headers["set-cookie"], ["a=1; Path=/"]);
  });

  test("may be preceded by early hints", async () => {
    const text = await rawExchange(
      world.edge.port,
      `GET /hints HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(text, /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/i);
  });

  test("to HEAD has no body and keeps the connection", async () => {
    const answer = await ask(world, "/head", {}, "HEAD");
    assert.equal(answer.status, 200);
    assert.equal(answer.text, "");
  });
});

describe("what the app is shown", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app);
  });
  after(() => world.close());

  test("is the visitor's request without what is ours or hop-by-hop, and with what we know", async () => {
    const answer = await ask(world, "/x", {
      "x-ip-token": "forged",
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-proto": "https",
      forwarded: "for=6.6.6.6",
      "x-real-ip": "6.6.6.6",
      via: "1.1 evil",
      "proxy-status": "evil",
      "x-waybill-id": "q_evil",
      x_forwarded_for: "6.6.6.6",
      te: "trailers",
      "x-secret": "1",
      connection: "close, x-secret",
      "x-mine": "kept",
      cookie: "a=1; __Host-waybill-console=s; b=2",
      authorization: "Bearer hf_wbalice",
      "x-hf-authorization": "Bearer hf_x",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    const headers = shown(answer.text);
    const work = String(answer.headers["x-waybill-id"]);
    assert.equal(headers.get("x-ip-token"), `minted.${work}.alice`);
    assert.equal(headers.get("x-forwarded-for"), "127.0.0.1");
    assert.equal(headers.get("x-forwarded-proto"), "http");
    assert.equal(headers.get("x-forwarded-host"), appHost);
    assert.equal(headers.get("via"), "1.1 waybill");
    assert.equal(headers.get("x-waybill-id"), work);
    assert.equal(headers.get("x-mine"), "kept");
    assert.equal(headers.get("cookie"), "a=1; b=2");
    for (const name of [
      "forwarded",
      "x-real-ip",
      "proxy-status",
      "x_forwarded_for",
      "te",
      "x-secret",
      "authorization",
      "x-hf-authorization",
    ])
      assert.equal(headers.get(name), undefined, name);
    assert.match(headers.get("traceparent") ?? "", /^00-(?!0af7)[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    const pack = await eventually("the record", () => world.emitter.packs.find((record) => record.work === work));
    assert.equal(pack.facts["trace"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  });

  test("includes an Authorization that is the app's own affair", async () => {
    const answer = await ask(world, "/x", { authorization: "Basic YTpi" });
    assert.equal(shown(answer.text).get("authorization"), "Basic YTpi");
  });
});

describe("bytes", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app);
  });
  after(() => world.close());

  test("of an event stream arrive one by one, head first", async () => {
    const request = open(world, "/sse");
    request.end();
    const response = await answerOf(request);
    const iterator = response.setEncoding("utf8")[Symbol.asyncIterator]();
    const pull = await eventually("the app's stream", () => pulls.pop());
    for (const n of [1, 2, 3]) {
      pull();
      assert.equal((await iterator.next()).value, `data: ${n}\n\n`);
    }
    request.destroy();
    await eventually(
      "the app's connection ends with the visitor's",
      () => [...world.upstream.connections.values()].every(({ closed }) => closed) || undefined,
    );
  });

  test("of an upload of 100 MB arrive whole", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const hash = createHash("sha256");
    const request = open(world, "/upload", { "content-length": String(100 * piece.length) }, "POST");
    const answer = answerOf(request).then(read);
    for (let i = 0; i < 100; i++) {
      hash.update(piece);
      if (!request.write(piece)) await new Promise((resolve) => request.once("drain", resolve));
    }
    request.end();
    const { text } = await answer;
    const got = JSON.parse(text) as { bytes: number; sha256: string };
    assert.deepEqual([got.bytes, got.sha256], [100 * piece.length, hash.digest("hex")]);
  });

  test("of an upload that the app does not read stay with the visitor: memory is constant", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const request = open(world, "/deaf", { "content-length": String(100 * piece.length) }, "POST");
    request.on("error", () => {});
    let written = 0;
    const push = (): void => {
      while (written < 100 && request.write(piece, () => (written += 1))) {}
    };
    request.on("drain", push);
    push();
    // Stopped: the edge carries a hundred other requests, and the count is the same.
    let last = -1;
    while (written === 0 || written !== last) {
      last = written;
      for (let others = 0; others < 100; others++) await ask(world, "/");
    }
    // What is on the way lies in the buffers of four sockets and a few chunks of 64 KiB.
    assert.ok(written < 30, `${written} of 100 MB left the visitor`);
    request.destroy();
  });

  test("of an answer that the visitor does not read stay with the app", async () => {
    const request = open(world, "/flood");
    request.end();
    const response = await answerOf(request);
    await eventually("the app has stopped", () => floods.at(-1)?.stopped);
    assert.ok((floods.at(-1)?.sent ?? 0) < 30e6, `${floods.at(-1)?.sent} bytes left the app`);
    let bytes = 0;
    for await (const part of response) bytes += (part as Buffer).length;
    assert.equal(bytes, 100 << 20);
  });

  test("of a chunked upload are framed anew and arrive whole", async () => {
    const request = open(world, "/upload", { "transfer-encoding": "chunked" }, "PUT");
    for (const part of ["a", "bc", "def"]) request.write(part);
    request.end();
    const { text } = await read(await answerOf(request));
    const got = JSON.parse(text) as { bytes: number; sha256: string };
    assert.deepEqual([got.bytes, got.sha256], [6, createHash("sha256").update("abcdef").digest("hex")]);
  });

  test("of an answer that comes before the upload is whole reach the visitor", async () => {
    const request = open(world, "/early", { "content-length": "1000000" }, "POST");
    request.write("begin");
    const { status, text } = await read(await answerOf(request));
    request.destroy();
    assert.deepEqual([status, text], [413, "no\n"]);
  });
});

describe("a kept connection", () => {
  test("carries the next request where the one before ended", async () => {
    const world = await edgeWorld(app, { upstream: { keep: true } });
    try {
      const works: string[] = [];
      for (const path of ["/one", "/two?q=1", "/three"])
        works.push(String((await ask(world, path)).headers["x-waybill-id"]));
      await ask(world, "/four", { "content-type": "text/plain" }, "POST", "body");
      const packs = await eventually("four records", () =>
        world.emitter.packs.length === 4 ? world.emitter.packs : undefined,
      );
      assert.equal(world.upstream.connections.size, 1);
      const [carried] = world.upstream.connections.values();
      const stream = Buffer.concat(carried?.bytes ?? []).toString("latin1");
      let end = 0;
      for (const { facts, work } of packs) {
        assert.equal(facts["from"], end);
        const bytes = stream.slice(end, Number(facts["to"]));
        assert.ok(
          bytes.startsWith(`${facts["method"] as string} ${facts["path"] as string}`) && bytes.includes(work),
          bytes,
        );
        end = Number(facts["to"]);
      }
      assert.equal(end, stream.length);
      assert.ok(stream.endsWith("body"));
      assert.deepEqual(
        packs.slice(0, 3).map(({ work }) => work),
        works,
      );
    } finally {
      await world.close();
    }
  });

  test("that the app has closed in the meantime is replaced, and a GET succeeds", async () => {
    const world = await edgeWorld(app);
    try {
      await ask(world, "/one");
      world.app.closeIdleConnections();
      const answer = await ask(world, "/two");
      assert.equal(answer.status, 200);
    } finally {
      await world.close();
    }
  });

  test("is not reused after bytes that belong to no answer", async () => {
    const world = await edgeWorld(app, {
      upstream: {
        onOpen: (socket) =>
          socket.on("data", () =>
            socket.write(
              "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            ),
          ),
      },
    });
    try {
      for (const path of ["/one", "/two"]) assert.equal((await ask(world, path)).text, "ok");
      assert.equal(world.upstream.connections.size, 2);
    } finally {
      await world.close();
    }
  });
});

describe("a failure of the app", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app, { limits: { responseWithinMs: 1_500, connectWithinMs: 5_000 } });
  });
  after(() => world.close());

  test("before its answer is told as reset-midway, after the shim was asked, with entries first", async () => {
    const answer = await ask(world, "/reset-before", {}, "POST", "x");
    const problem = problemIn(answer);
    assert.deepEqual(
      [answer.status, problem.boundary, problem.code, problem.owner, problem.waybill],
      [502, "route", "reset-midway", "app", answer.headers["x-waybill-id"]],
    );
    assert.deepEqual(parseProxyStatus(String(answer.headers["proxy-status"])), [
      { deployment: "waybill", error: "connection_terminated", details: "route/reset-midway" },
    ]);
    const work = String(problem.waybill);
    assert.deepEqual(marks(world, work), [
      "edge.accept took",
      "identity.resolve done",
      "edge.route done",
      "edge.connect handed",
      "app.respond failed route/reset-midway",
      "edge.deliver failed route/reset-midway",
    ]);
    const [, , , handed, failed] = world.emitter.of(work);
    assert.equal(handed?.facts["closed"], true);
    assert.equal(handed?.facts["channel"], "edge/3→r_1");
    const shim = failed?.facts["shim"] as { state: string; connected: boolean; acceptedBytes: number };
    assert.deepEqual([shim.state, shim.connected, shim.acceptedBytes], ["closed", true, handed?.facts["to"]]);
    assert.ok(world.upstream.asked.includes(work));
  });

  test("after its head breaks the visitor's connection and is recorded", async () => {
    const request = open(world, "/reset-after");
    request.end();
    const response = await answerOf(request);
    await assert.rejects(read(response));
    const entry = world.emitter.entries.findLast(({ hop }) => hop === "app.respond");
    assert.deepEqual(
      [entry?.facts["code"], entry?.facts["receivedStatus"], entry?.facts["bytes"]],
      ["route/reset-midway", 200, 9],
    );
  });

  test("to begin its answer in time is told as response-timeout", async () => {
    const answer = await ask(world, "/silent");
    assert.deepEqual([answer.status, problemIn(answer).code], [504, "response-timeout"]);
    assert.equal(parseProxyStatus(String(answer.headers["proxy-status"]))?.[0]?.error, "http_response_timeout");
  });

  test("to listen is told as connect-refused, on the shim's word", async () => {
    const deaf = await edgeWorld(app);
    deaf.app.close();
    try {
      const answer = await ask(deaf, "/");
      assert.deepEqual([answer.status, problemIn(answer).code], [502, "connect-refused"]);
      assert.deepEqual(marks(deaf, String(answer.headers["x-waybill-id"])).slice(3), [
        "edge.connect handed",
        "edge.connect failed route/connect-refused",
        "edge.deliver failed route/connect-refused",
      ]);
    } finally {
      await deaf.close();
    }
  });

  test("to accept in time is told as connect-timeout, on the shim's word", async () => {
    const stuck = await edgeWorld(app, { limits: { responseWithinMs: 100 }, upstream: { onOpen: () => {} } });
    try {
      const answer = await ask(stuck, "/");
      assert.deepEqual([answer.status, problemIn(answer).code], [504, "connect-timeout"]);
    } finally {
      await stuck.close();
    }
  });

  test("to serve more at once than it may have connections is told as connect-timeout", async () => {
    const busy = await edgeWorld(app, { limits: { connectionsPerReplica: 1, connectWithinMs: 1_500 } });
    try {
      const first = open(busy, "/silent");
      first.on("error", () => {});
      first.end();
      await eventually("the only connection is in use", () => busy.upstream.connections.size === 1);
      const answer = await ask(busy, "/");
      assert.deepEqual([answer.status, problemIn(answer).code], [504, "connect-timeout"]);
      const next = ask(busy, "/");
      first.destroy();
      assert.equal((await next).status, 200);
    } finally {
      await busy.close();
    }
  });

  test("of which the shim is the cause is never blamed on the app", async () => {
    const lost = await edgeWorld(app);
    await lost.upstream.close();
    try {
      const answer = await ask(lost, "/");
      const problem = problemIn(answer);
      assert.deepEqual(
        [answer.status, problem.boundary, problem.code, problem.owner],
        [503, "runtime", "shim-lost", "platform"],
      );
      assert.deepEqual(marks(lost, String(problem.waybill)).slice(3), [
        "edge.connect failed runtime/shim-lost",
        "edge.deliver failed runtime/shim-lost",
      ]);
      assert.ok(Number(answer.headers["retry-after"]) >= 1);
    } finally {
      await lost.close();
    }
  });

  test("to speak HTTP is told without passing on a byte of it", async () => {
    const babble = await edgeWorld(app, {
      upstream: {
        onOpen: (socket) => socket.on("data", () => socket.write("HTTP/1.1 200 OK\nContent-Length: 4\n\nevil\r\n\r\n")),
      },
    });
    try {
      const answer = await ask(babble, "/");
      assert.equal(answer.status, 502);
      assert.ok(!answer.text.includes("evil"));
      assert.match(
        babble.emitter.entries.find(({ hop }) => hop === "app.respond")?.facts["because"] as string,
        /not valid HTTP/,
      );
    } finally {
      await babble.close();
    }
  });
});

describe("a visitor", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app, { limits: { bodyMaxBytes: 1_000 } });
  });
  after(() => world.close());

  test("who leaves while the app works ends the app's connection, and is recorded and reported", async () => {
    const request = open(world, "/silent");
    request.on("error", () => {});
    request.end();
    const work = await eventually("the app has it", () =>
      [...world.upstream.connections.values()].some(({ acceptedBytes, closed }) => acceptedBytes > 0 && !closed),
    );
    assert.ok(work);
    request.destroy();
    const gone = await eventually("the report", () => world.gone[0]);
    assert.deepEqual(marks(world, gone), [
      "edge.accept took",
      "identity.resolve done",
      "edge.route done",
      "edge.connect handed",
      "edge.deliver failed route/visitor-left",
    ]);
    await eventually("the app's connection ends", () =>
      [...world.upstream.connections.values()].every(({ closed }) => closed),
    );
  });

  test("with a token that is not known is refused with a challenge and entries, and the app sees nothing", async () => {
    const seen = world.upstream.connections.size;
    const answer = await ask(world, "/", { authorization: "Bearer hf_wbwrong" });
    assert.equal(answer.status, 401);
    assert.match(String(answer.headers["www-authenticate"]), /^Bearer/);
    assert.deepEqual(marks(world, String(answer.headers["x-waybill-id"])), [
      "edge.accept took",
      "identity.resolve refused identity/bad-token",
      "edge.deliver refused identity/bad-token",
    ]);
    assert.equal(world.upstream.connections.size, seen);
  });

  test("of a Space that is not running reads why, and when to come again", async () => {
    const answer = await ask(world, "/", { host: "alice-asleep.localhost" });
    const problem = problemIn(answer);
    assert.deepEqual(
      [answer.status, problem.code, problem.detail, answer.headers["retry-after"]],
      [503, "not-running", "alice/asleep is stopped.", "3"],
    );
    assert.deepEqual(marks(world, String(problem.waybill)), [
      "edge.accept took",
      "identity.resolve done",
      "edge.route refused route/not-running",
      "edge.deliver refused route/not-running",
    ]);
  });

  test("of no Space is counted, not recorded", async () => {
    const before = world.emitter.entries.length;
    const answer = await ask(world, "/", { host: "nobody.localhost" });
    assert.deepEqual(
      [answer.status, problemIn(answer).code, answer.headers["x-waybill-id"]],
      [404, "no-such-space", "n_0000000000000001"],
    );
    assert.deepEqual(world.counted.at(-1), { code: "route/no-such-space", host: "nobody.localhost" });
    assert.equal(world.emitter.entries.length, before);
  });

  test("with a browser gets a page with the sentence, the break and no script", async () => {
    const answer = await ask(world, "/<script>", {
      host: "alice-asleep.localhost",
      accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    });
    assert.match(String(answer.headers["content-type"]), /^text\/html/);
    assert.match(String(answer.headers["content-security-policy"]), /default-src 'none'; style-src 'sha256-/);
    assert.match(answer.text, /<h1>The Space is not running\.<\/h1>/);
    assert.ok(!answer.text.includes("<script") && answer.text.length < 10_000);
  });

  test("who sends too much is refused by the declared length, and by the counted one", async () => {
    const declared = await ask(world, "/", {}, "POST", "x".repeat(1_001));
    const counted = await ask(world, "/", { "transfer-encoding": "chunked" }, "POST", "x".repeat(5_000));
    for (const answer of [declared, counted])
      assert.deepEqual([answer.status, problemIn(answer).code], [413, "too-large"]);
  });

  test("of the console is handed over", async () => {
    assert.equal((await ask(world, "/", { host: `localhost:${world.edge.port}` })).text, "the console");
  });

  test("whose request stays open for long leaves entries before it ends, and an end after", async () => {
    const request = open(world, "/long");
    request.end();
    const response = await answerOf(request);
    const work = String(response.headers["x-waybill-id"]);
    await eventually("entries of an open request", () => marks(world, work).includes("edge.connect handed"));
    assert.equal(world.emitter.of(work).at(-1)?.facts["closed"], undefined);
    request.destroy();
    await eventually("its end", () => marks(world, work).includes("edge.deliver failed route/visitor-left"));
    assert.equal(world.emitter.of(work).findLast(({ hop }) => hop === "edge.connect")?.facts["closed"], true);
  });
});

describe("a replica that is told to end while it is found out who asks", () => {
  test("is not asked: the request goes where its Space is then", async () => {
    const asked = Promise.withResolvers<void>();
    const identified = Promise.withResolvers<Visitor>();
    const identity: VisitorIdentity = {
      resolve: () => {
        asked.resolve();
        return identified.promise;
      },
      mint: () => "minted",
    };
    const world = await edgeWorld(app, { identity });
    try {
      const running = world.directory.get(appHost) as SpaceRoute;
      // The replica that the Space has when the request comes, of whose socket nothing is left when it is known who asks.
      world.directory.set(appHost, {
        ...running,
        state: { kind: "running", replicas: [{ id: "r_0", socket: "/gone" }] },
      });
      const answer = ask(world, "/");
      await asked.promise;
      world.directory.set(appHost, running);
      identified.resolve({ account: "alice", tier: "free", billedBy: "token", user: "alice" });
      const { status, headers } = await answer;
      assert.equal(status, 200);
      const work = String(headers["x-waybill-id"]);
      const pack = await eventually("its record", () => world.emitter.packs.find((record) => record.work === work));
      assert.equal(pack.facts["replica"], "r_1");
    } finally {
      await world.close();
    }
  });
});
