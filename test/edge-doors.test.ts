// The edge at its doors: upgrades, requests that two servers could read differently, addresses, closing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { ListenError, openEdge } from "../src/edge/index.ts";
import { answerOf, app, marks, open, read } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

describe("a WebSocket", () => {
  function websocketApp(world: EdgeWorld): void {
    world.app.on("upgrade", (request: IncomingMessage, socket) => {
      if (request.url === "/refuse")
        return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
      const accept = createHash("sha1")
        .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      // Echo: the client's masked text frames, unmasked (shorter than 126 bytes each).
      socket.on("data", (frame: Buffer) => {
        const opcode = (frame[0] as number) & 15;
        const length = (frame[1] as number) & 127;
        const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, i) => byte ^ (frame[2 + (i % 4)] as number)));
        if (opcode === 8) socket.end(Buffer.concat([Buffer.from([0x88, length]), text]));
        else socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
      });
    });
  }

  describe("that the app declines with a long answer", () => {
    // More than the sockets on the way hold: who leaves has not been sent all of it.
    const bytes = 32 << 20;
    const head = `GET /ws HTTP/1.1\r\nHost: ${appHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    let world: EdgeWorld;
    before(async () => {
      world = await edgeWorld((_, response) => response.writeHead(426).end(Buffer.alloc(bytes, "n")));
    });
    after(() => world.close());

    test("gets all of it", async () => {
      const text = await rawExchange(world.edge.port, head);
      assert.match(text, /^HTTP\/1\.1 426 /);
      assert.ok(text.replaceAll(/[^n]/g, "").length >= bytes, `${text.length} bytes`);
    });

    test("is seen to leave in the middle of it", async () => {
      const visitor = connect(world.edge.port, "127.0.0.1");
      visitor.pause();
      visitor.write(head);
      await eventually("it is under way", () => world.edge.busy("r_1") === 1);
      visitor.destroy();
      const left = await eventually("its end is recorded", () =>
        world.emitter.entries.find(({ hop, mark }) => hop === "edge.deliver" && mark !== "done"),
      );
      assert.equal(left.facts["code"], "route/visitor-left");
    });
  });

  test("echoes through the edge and leaves one record with status 101", async () => {
    const world = await edgeWorld(app);
    websocketApp(world);
    world.directory.set(
      "127.0.0.1",
      world.directory.get(appHost) as NonNullable<ReturnType<typeof world.directory.get>>,
    );
    try {
      const socket = new WebSocket(`ws://127.0.0.1:${world.edge.port}/ws`);
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      const echoed = new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data);
      });
      socket.send("to and fro");
      assert.equal(await echoed, "to and fro");
      socket.close();
      const pack = await eventually("its record", () => world.emitter.packs[0]);
      assert.equal(pack.facts["status"], 101);
      assert.equal(pack.facts["to"], [...world.upstream.connections.values()][0]?.acceptedBytes);
    } finally {
      await world.close();
    }
  });

  test("that the app refuses is answered with the app's own answer", async () => {
    const world = await edgeWorld(app);
    websocketApp(world);
    try {
      const text = await rawExchange(
        world.edge.port,
        `GET /refuse HTTP/1.1\r\nHost: ${appHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`,
      );
      assert.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
      assert.match(text, /proxy-status: waybill;received-status=403\r\n/);
      assert.ok(text.endsWith("no"));
    } finally {
      await world.close();
    }
  });
});

describe("what two servers could read differently", () => {
  let world: EdgeWorld;
  before(async () => {
    world = await edgeWorld(app);
  });
  after(() => world.close());

  const refused: Record<string, string> = {
    "two Host lines": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nHost: other\r\n\r\n`,
    "no Host": "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "a Host that is a path": "GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n",
    "an absolute target of another host": `GET http://other/ HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`,
    "Transfer-Encoding in HTTP/1.0": `POST / HTTP/1.0\r\nHost: ${appHost}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "Transfer-Encoding gzip, chunked": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    "Transfer-Encoding twice": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "Connection that names Authorization": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close, Authorization\r\n\r\n`,
    "Connection that names X-IP-Token": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: X-IP-Token\r\n\r\n`,
    "two Authorization lines": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`,
    "Content-Length and Transfer-Encoding": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "two lengths": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
    "a signed length": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nContent-Length: +5\r\n\r\nhello`,
    "bare line feeds": `GET / HTTP/1.1\nHost: ${appHost}\n\n`,
    "a folded line": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nX: a\r\n b\r\n\r\n`,
    "a space before the colon": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nX : a\r\n\r\n`,
    "a NUL in a value": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nX: a\0b\r\n\r\n`,
    "a chunk size that is no number": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
    "a head of 17 KiB": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nX: ${"a".repeat(17_408)}\r\n\r\n`,
    CONNECT: `CONNECT ${appHost}:80 HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`,
  };
  for (const [name, bytes] of Object.entries(refused)) {
    test(`${name}: refused once, with evidence, and the connection ends`, async () => {
      const text = await rawExchange(world.edge.port, bytes);
      assert.match(text, /^HTTP\/1\.1 4(00|31) /);
      assert.match(text, /"code":"malformed"/);
      assert.match(text, /proxy-status: waybill;error=http_request_error/);
      assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1);
      assert.match(text, /x-waybill-id: [nq]_/);
    });
  }

  test("an absolute target of this host becomes a path", async () => {
    const text = await rawExchange(
      world.edge.port,
      `GET http://${appHost}/abs?x=1 HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(text, /"url":"\/abs\?x=1"/);
  });

  test("a bad chunk after the app was given the beginning: refused, recorded, and the app's connection ends", async () => {
    const text = await rawExchange(
      world.edge.port,
      `POST / HTTP/1.1\r\nHost: ${appHost}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`,
    );
    const work = /x-waybill-id: (q_\w+)/.exec(text)?.[1] ?? "";
    assert.deepEqual(marks(world, work).slice(3), ["edge.connect handed", "edge.deliver refused route/malformed"]);
    await eventually("the app's connection ends", () => [...world.upstream.connections.values()].at(-1)?.closed);
  });

  test("two requests in one packet get two answers, in order", async () => {
    const one = (path: string, close: string): string => `GET ${path} HTTP/1.1\r\nHost: ${appHost}\r\n${close}\r\n`;
    const text = await rawExchange(world.edge.port, one("/first", "") + one("/second", "Connection: close\r\n"));
    assert.deepEqual(
      [...text.matchAll(/"url":"([^"]+)"/g)].map(([, url]) => url),
      ["/first", "/second"],
    );
  });

  const slow = `GET /long HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`;
  for (const [name, second] of Object.entries({
    "an upgrade": `GET /ws HTTP/1.1\r\nHost: ${appHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    CONNECT: `CONNECT ${appHost}:80 HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`,
  })) {
    for (const first of [slow, slow.replaceAll(appHost, "localhost")]) {
      test(`${name} behind a request whose answer is owed (${first === slow ? "an app's" : "the console's"}): nothing lands inside that answer`, async () => {
        const begun = await edgeWorld(app, { console: (_, response) => response.write("begun") });
        try {
          const text = await rawExchange(begun.edge.port, first + second);
          assert.ok((text.match(/HTTP\/1\.1 \d/g)?.length ?? 0) <= 1, text);
          assert.deepEqual(begun.errors, []);
        } finally {
          await begun.close();
        }
      });
    }
  }

  test("what is no HTTP behind a request whose answer is owed is refused after that answer, which is whole", async () => {
    const begun = await edgeWorld(app, {
      console: (_, response) => {
        response.write("begun");
        setImmediate(() => response.end("whole"));
      },
    });
    try {
      const text = await rawExchange(begun.edge.port, `${slow.replaceAll(appHost, "localhost")}\u0001\u0002\r\n\r\n`);
      assert.match(text, /begun\r\n5\r\nwhole\r\n0\r\n\r\nHTTP\/1\.1 400 /);
      assert.deepEqual(begun.errors, []);
    } finally {
      await begun.close();
    }
  });

  test("an upgrade with a body is refused: what follows the head would be read as the tunnel's", async () => {
    const text = await rawExchange(
      world.edge.port,
      `GET /ws HTTP/1.1\r\nHost: ${appHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`,
    );
    assert.match(text, /^HTTP\/1\.1 400 [^]*Upgrade: not with a body/);
  });

  test("Expect: 100-continue is answered by us and not passed on", async () => {
    const text = await rawExchange(
      world.edge.port,
      `POST / HTTP/1.1\r\nHost: ${appHost}\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`,
    );
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    assert.ok(!/expect/i.test(text.slice(30)));
  });
});

describe("addresses", () => {
  test("are added and removed while it runs; one that is taken is reported", async () => {
    const world = await edgeWorld(app);
    const { port } = world.edge;
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, "127.77.1.2", resolve));
    try {
      world.directory.set(
        "127.77.1.1",
        world.directory.get(appHost) as NonNullable<ReturnType<typeof world.directory.get>>,
      );
      assert.deepEqual(await world.edge.addAddress("127.77.1.1"), { ok: true });
      assert.equal((await fetch(`http://127.77.1.1:${port}/here`)).status, 200);
      const taken = await world.edge.addAddress("127.77.1.2");
      assert.ok(!taken.ok && taken.code === "EADDRINUSE" && taken.says.includes("in use"));
      assert.deepEqual(world.edge.addresses(), ["127.0.0.1", "127.77.1.1"]);
      await world.edge.removeAddress("127.77.1.1");
      const refusal = await new Promise((resolve) =>
        connect(port, "127.77.1.1").on("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
      );
      assert.equal(refusal, "ECONNREFUSED");
    } finally {
      squatter.close();
      await world.close();
    }
  });

  test("that are in use at the start stop it with a sentence", async () => {
    const world = await edgeWorld(app);
    try {
      const again = openEdge({
        ...({} as Parameters<typeof openEdge>[0]),
        random: (count) => new Uint8Array(count),
        explainUrl: String,
        consoleHosts: [],
        emitter: world.emitter,
        listen: [{ address: "127.0.0.1", port: world.edge.port }],
      });
      await assert.rejects(
        again,
        (error) =>
          error instanceof ListenError &&
          error.code === "EADDRINUSE" &&
          /Port \d+ on 127\.0\.0\.1 is in use/.test(error.message),
      );
    } finally {
      await world.close();
    }
  });
});

describe("closing", () => {
  test("breaks off what does not end, and says so in the record", async () => {
    const world = await edgeWorld(app);
    const request = open(world, "/silent");
    request.end();
    const answer = answerOf(request).then(read);
    await eventually("the app has it", () =>
      [...world.upstream.connections.values()].some(({ acceptedBytes }) => acceptedBytes > 0),
    );
    await world.close();
    const { status, headers } = await answer;
    assert.equal(status, 503);
    assert.ok(marks(world, String(headers["x-waybill-id"])).includes("edge.deliver failed route/control-down"));
    assert.equal(world.app.address(), null);
  });
});
