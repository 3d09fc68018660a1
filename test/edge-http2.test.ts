/** HTTP/2 at the edge with Node's client: what the app is shown, and what comes back, both ways as it comes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";
import { parseProxyStatus } from "../src/http/index.ts";
import { app, floods, pulls, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { askH2, readH2, wsClose, wsText } from "./support/h2-client.ts";

let world: EdgeWorld;
let session: ClientHttp2Session;
before(async () => {
  world = await edgeWorld(app);
  session = connect(world.url);
});
after(async () => {
  session.destroy();
  await world.close();
});

describe("a request over HTTP/2 with prior knowledge", () => {
  test("reaches the app as HTTP/1.1, and its answer bears what every answer does", async () => {
    const answer = await askH2(session, { ":path": "/a?b=c", "x-request-id": "mine-1" });
    assert.equal(answer.status, 200);
    assert.deepEqual(parseProxyStatus(String(answer.headers["proxy-status"])), [
      { deployment: "waybill", receivedStatus: 200 },
    ]);
    assert.equal(answer.headers["x-request-id"], "mine-1");
    const got = JSON.parse(answer.text) as { method: string; url: string };
    assert.deepEqual([got.method, got.url], ["GET", "/a?b=c"]);
    const pack = await eventually("its record", () =>
      world.emitter.packs.find(({ work }) => work === answer.headers["x-waybill-id"]),
    );
    assert.deepEqual([pack.facts["status"], pack.facts["host"], pack.facts["protocol"]], [200, appHost, "HTTP/2"]);
  });

  test("shows the app one Cookie of its pieces, the protocol it came by, and nothing that is ours", async () => {
    const headers = shown(
      (
        await askH2(session, {
          ":path": "/",
          cookie: ["a=1", "__Host-waybill-console=s", "b=2"],
          te: "trailers",
          x_forwarded_for: "6.6.6.6",
          "x-forwarded-for": "6.6.6.6",
          "x-ip-token": "forged",
          "x-mine": "kept",
        })
      ).text,
    );
    assert.equal(headers.get("cookie"), "a=1; b=2");
    assert.equal(headers.get("via"), "2 waybill");
    assert.equal(headers.get("host"), appHost);
    assert.equal(headers.get("x-forwarded-for"), "127.0.0.1");
    assert.equal(headers.get("x-forwarded-proto"), "http");
    assert.equal(headers.get("x-mine"), "kept");
    assert.match(headers.get("x-ip-token") ?? "", /^minted\./);
    for (const name of ["te", "x_forwarded_for", "connection"]) assert.equal(headers.get(name), undefined, name);
  });

  test("carries a body with and without a length", async () => {
    for (const length of [{}, { "content-length": 6 }]) {
      const { text } = await askH2(session, { ":path": "/", ":method": "POST", ...length }, "abcdef");
      const got = JSON.parse(text) as { bytes: number; sha256: string };
      assert.deepEqual([got.bytes, got.sha256], [6, createHash("sha256").update("abcdef").digest("hex")]);
    }
  });

  test("to HEAD has no body, to OPTIONS * an answer, and a length of 0 is one", async () => {
    assert.deepEqual(
      await askH2(session, { ":path": "/", ":method": "HEAD" }).then(({ status, text }) => [status, text]),
      [200, ""],
    );
    const options = await askH2(session, { ":path": "*", ":method": "OPTIONS" });
    assert.equal((JSON.parse(options.text) as { url: string }).url, "*");
    assert.equal((await askH2(session, { ":path": "/", ":method": "POST", "content-length": 0 }, "")).status, 200);
  });

  test("that expects 100-continue is told to go on before its body leaves", async () => {
    const stream = session.request(
      { ":authority": appHost, ":path": "/", ":method": "POST", expect: "100-continue" },
      { endStream: false },
    );
    const answer = readH2(stream);
    await new Promise((resolve) => stream.on("continue", resolve));
    stream.end("after");
    assert.equal((JSON.parse((await answer).text) as { bytes: number }).bytes, 5);
  });

  test("gets the app's early hints before its answer", async () => {
    const stream = session.request({ ":authority": appHost, ":path": "/hints" });
    const hints: unknown[] = [];
    stream.on("headers", (interim) => hints.push([interim[":status"], interim["link"]]));
    assert.equal((await readH2(stream)).text, "after");
    assert.deepEqual(hints, [[103, "</a.css>; rel=preload"]]);
  });

  test("gets an answer that comes before its upload is whole, and the stream ends without an error", async () => {
    const stream = session.request(
      { ":authority": appHost, ":path": "/early", ":method": "POST", "content-length": 1_000_000 },
      { endStream: false },
    );
    stream.write("begin");
    const { status, text, reset } = await readH2(stream);
    assert.deepEqual([status, text, reset], [413, "no\n", 0]);
  });

  test("to the console's name is the console's", async () => {
    assert.equal((await askH2(session, { ":path": "/", ":authority": "localhost" })).text, "the console");
  });

  test("to no Space is refused with the counter's id", async () => {
    const answer = await askH2(session, { ":path": "/", ":authority": "nobody.localhost" });
    assert.deepEqual([answer.status, answer.headers["x-waybill-id"]], [404, "n_0000000000000001"]);
  });
});

describe("bytes over HTTP/2", () => {
  test("of an event stream arrive one by one, and its visitor's reset ends the app's connection", async () => {
    const stream = session.request({ ":authority": appHost, ":path": "/sse" });
    stream.on("error", () => {});
    const iterator = stream.setEncoding("utf8")[Symbol.asyncIterator]();
    const pull = await eventually("the app's stream", () => pulls.pop());
    for (const n of [1, 2, 3]) {
      pull();
      assert.equal((await iterator.next()).value, `data: ${n}\n\n`);
    }
    const gone = world.gone.length;
    stream.close(8);
    await eventually("the edge has told that the visitor left", () => world.gone.length > gone);
    await eventually(
      "the app's connection has ended",
      () => [...world.upstream.connections.values()].filter(({ closed }) => !closed).length === 0,
    );
  });

  test("of an answer that the visitor does not read stay with the app, and all arrive in the end", async () => {
    const stream = session.request({ ":authority": appHost, ":path": "/flood" });
    await new Promise((resolve) => stream.on("response", resolve));
    await eventually("the app has stopped", () => floods.at(-1)?.stopped);
    assert.ok((floods.at(-1)?.sent ?? 0) < 30e6, `${floods.at(-1)?.sent} bytes left the app`);
    let bytes = 0;
    for await (const part of stream) bytes += (part as Buffer).length;
    assert.equal(bytes, 100 << 20);
  });

  test("of an upload that the app does not read stay with the visitor", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const stream = session.request(
      { ":authority": appHost, ":path": "/deaf", ":method": "POST", "content-length": 100 * piece.length },
      { endStream: false },
    );
    stream.on("error", () => {});
    let written = 0;
    const push = (): void => {
      while (written < 100 && stream.write(piece, () => (written += 1))) {}
    };
    stream.on("drain", push);
    push();
    let last = -1;
    while (written === 0 || written !== last) {
      last = written;
      for (let others = 0; others < 100; others++) await askH2(session, { ":path": "/" });
    }
    assert.ok(written < 30, `${written} of 100 MB left the visitor`);
    stream.close(8);
  });

  test("of an upload of 50 MB arrive whole", async () => {
    const piece = Buffer.alloc(1 << 20, "x");
    const hash = createHash("sha256");
    const stream = session.request({ ":authority": appHost, ":path": "/", ":method": "PUT" }, { endStream: false });
    const answer = readH2(stream);
    for (let i = 0; i < 50; i++) {
      hash.update(piece);
      if (!stream.write(piece)) await new Promise((resolve) => stream.once("drain", resolve));
    }
    stream.end();
    const got = JSON.parse((await answer).text) as { bytes: number; sha256: string };
    assert.deepEqual([got.bytes, got.sha256], [50 * piece.length, hash.digest("hex")]);
  });
});

describe("a failure of the app", () => {
  test("before its answer is told with a problem, after its beginning by a reset: what came is not taken for whole", async () => {
    const before = await askH2(session, { ":path": "/reset-before", ":method": "POST" }, "x");
    assert.equal(before.status, 502);
    assert.match(before.text, /"code":"reset-midway"/);
    const midway = await askH2(session, { ":path": "/reset-after" });
    assert.deepEqual([midway.status, midway.text, midway.reset], [200, "only this", 2]);
  });
});

describe("a WebSocket over HTTP/2 (RFC 8441)", () => {
  const sockets = new WebSocketServer({ noServer: true });
  before(() => {
    world.app.on("upgrade", (request, socket, head) => {
      if (request.url === "/refuse")
        return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
      sockets.handleUpgrade(request, socket, head, (ws) =>
        ws.on("message", (data, binary) => ws.send(data, { binary })),
      );
    });
  });

  test("is offered by the settings, opened with 200, echoes, closes in order, and leaves one record with 101", async () => {
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request(
      {
        ":authority": appHost,
        ":path": "/ws",
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        "sec-websocket-version": "13",
      },
      { endStream: false },
    );
    const head = await new Promise<Record<string, unknown>>((resolve) => stream.on("response", resolve));
    assert.equal(head[":status"], 200);
    assert.equal(head["sec-websocket-accept"], undefined);
    const iterator = stream[Symbol.asyncIterator]();
    for (const text of ["to", "and fro"]) {
      stream.write(wsText(text));
      assert.deepEqual(
        (await iterator.next()).value,
        Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]),
      );
    }
    stream.write(wsClose);
    assert.equal(((await iterator.next()).value as Buffer)[0], 0x88);
    stream.end();
    assert.equal((await iterator.next()).done, true);
    assert.equal(stream.rstCode, 0);
    const work = String(head["x-waybill-id"]);
    const pack = await eventually("its record", () => world.emitter.packs.find((record) => record.work === work));
    assert.equal(pack.facts["status"], 101);
  });

  test("that the app refuses is answered with the app's own answer", async () => {
    const answer = await readH2(
      session.request(
        {
          ":authority": appHost,
          ":path": "/refuse",
          ":method": "CONNECT",
          ":protocol": "websocket",
          ":scheme": "http",
        },
        { endStream: false },
      ),
    );
    assert.deepEqual([answer.status, answer.text], [403, "no"]);
    assert.match(String(answer.headers["proxy-status"]), /received-status=403/);
  });

  test("whose visitor resets it ends the app's", async () => {
    const stream = session.request(
      {
        ":authority": appHost,
        ":path": "/ws",
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        "sec-websocket-version": "13",
      },
      { endStream: false },
    );
    stream.on("error", () => {});
    await new Promise((resolve) => stream.on("response", resolve));
    assert.equal(sockets.clients.size, 1);
    stream.close(8);
    await eventually("the app's socket has closed", () => sockets.clients.size === 0);
  });
});
