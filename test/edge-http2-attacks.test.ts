/** HTTP/2 at the edge in frames that no library would send: smuggling, floods and stalls. Between them an honest visitor is answered. */
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { connect } from "node:http2";
import { after, before, beforeEach, describe, test } from "node:test";
import { instant } from "../src/stdx/time.ts";
import { app, shown as shownIn } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { askH2 } from "./support/h2-client.ts";
import { flags, frame, frameTypes, headerBlock, headers, RawHttp2 } from "./support/h2-frames.ts";

type Fields = readonly (readonly [string, string])[];

const shown: string[] = [];
/** Added to the edge's clock. */
let later = 0;
let world: EdgeWorld;
before(async () => {
  world = await edgeWorld(
    (request: IncomingMessage, response) => {
      shown.push(`${request.method ?? ""} ${request.url ?? ""}`);
      app(request, response);
    },
    { clock: { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) + later } },
  );
});
after(() => world.close());
beforeEach(() => {
  shown.length = 0;
});

const get = (path = "/x"): Fields => [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", path],
  [":authority", appHost],
];
const post = (more: Fields = []): Fields => [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/x"],
  [":authority", appHost],
  ...more,
];
const without = (name: string, fields: Fields = get()): Fields => fields.filter(([one]) => one !== name);
const instead = (name: string, value: string, fields: Fields = get()): Fields =>
  fields.map((pair) => (pair[0] === name ? [name, value] : pair));
const wholeHead = flags.endHeaders | flags.endStream;
/** What the edge adds. */
const ofTheEdge: ReadonlySet<string> = new Set([
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via", "cdn-loop", "x-request-id", "x-waybill-id"],
  ...["traceparent", "x-ip-token", "connection"],
]);
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: alice-demo.localhost\r\n\r\n";

/** Somebody else is answered meanwhile. */
async function othersAreAnswered(): Promise<void> {
  const session = connect(world.url);
  session.on("error", () => {});
  try {
    assert.equal((await askH2(session, { ":path": "/honest" })).status, 200);
  } finally {
    session.destroy();
  }
}

describe("a head that HTTP/1.1 could read as another is refused, and the app hears nothing of it", () => {
  const heads: Readonly<Record<string, Fields>> = {
    "capitals in a name": [...get(), ["X-A", "d"]],
    "a line break in :path": instead(":path", `/x HTTP/1.1\r\nHost: ${appHost}\r\n\r\n${smuggled}`),
    "a space in :path": instead(":path", "/x HTTP/1.1"),
    "a tab in :path": instead(":path", "/x\tHTTP/1.1"),
    "a fragment in :path": instead(":path", "/x#y"),
    "an absolute :path": instead(":path", `http://${appHost}/x`),
    "a :path without its slash": instead(":path", "x"),
    "an empty :path": instead(":path", ""),
    "* for another method": instead(":path", "*"),
    "no :path": without(":path"),
    "two of :path": [...get(), [":path", "/y"]],
    "two of :path, together": [[":path", "/y"], ...get()],
    "a line break in :method": instead(":method", `GET /y HTTP/1.1\r\nHost: ${appHost}\r\n\r\nGET`),
    "a space in :method": instead(":method", "GET /y"),
    "no :method": without(":method"),
    "two of :method": [[":method", "GET"], ...get()],
    "no :scheme": without(":scheme"),
    "another :scheme": instead(":scheme", "gopher"),
    "a line break in :scheme": instead(":scheme", "http\r\nx: y"),
    "no :authority and no host": without(":authority"),
    "an :authority with user info": instead(":authority", `evil@${appHost}`),
    "an :authority with a path": instead(":authority", `${appHost}/../x`),
    "a line break in :authority": instead(":authority", `${appHost}\r\nx-evil: 1`),
    "two of :authority": [[":authority", "localhost"], ...get()],
    "a host that is another": [...get(), ["host", "localhost"]],
    "two of host": [...without(":authority"), ["host", appHost], ["host", "localhost"]],
    "an unknown pseudo-header": [[":evil", "1"], ...get()],
    "an answer's pseudo-header": [[":status", "200"], ...get()],
    "a late pseudo-header": [["x-a", "b"], ...get()],
    "transfer-encoding": [...get(), ["transfer-encoding", "chunked"]],
    connection: [...get(), ["connection", "close"]],
    "connection that names a header": [...get(), ["connection", "cookie"]],
    "keep-alive": [...get(), ["keep-alive", "timeout=5"]],
    "proxy-connection": [...get(), ["proxy-connection", "close"]],
    upgrade: [...get(), ["upgrade", "websocket"]],
    "te with more than trailers": [...get(), ["te", "trailers, chunked"]],
    "two lengths": [...get(), ["content-length", "0"], ["content-length", "5"]],
    "two lengths that agree": [...get(), ["content-length", "0"], ["content-length", "0"]],
    "a length with a sign": [...get(), ["content-length", "+0"]],
    "a length that is a list": [...get(), ["content-length", "0, 0"]],
    "a length in hexadecimal": [...get(), ["content-length", "0x0"]],
    "a length and no body": [...get(), ["content-length", "5"]],
    "CONNECT as of old": [
      [":method", "CONNECT"],
      [":authority", `${appHost}:443`],
    ],
    "CONNECT for another protocol": [[":protocol", "connect-udp"], ...instead(":method", "CONNECT")],
    ":protocol with another method": [[":protocol", "websocket"], ...get()],
    "a WebSocket that has ended": [[":protocol", "websocket"], ...instead(":method", "CONNECT")],
  };

  for (const [name, fields] of Object.entries(heads))
    test(name, async () => {
      const raw = new RawHttp2(world.edge.port);
      try {
        raw.send(headers(1, fields, wholeHead));
        const ended = await raw.end(1);
        if ("body" in ended) assert.match(ended.body, /"boundary":"route","code":"malformed"/);
        else assert.notEqual(ended.reset, 0);
        await othersAreAnswered();
        assert.deepEqual(shown, ["GET /honest"]);
      } finally {
        raw.destroy();
      }
    });

  test("and what is refused says which field, with the counter's id", async () => {
    const raw = new RawHttp2(world.edge.port);
    raw.send(headers(1, [...get(), ["host", "localhost"]], wholeHead));
    const ended = await raw.end(1);
    assert.ok("body" in ended);
    const problem = JSON.parse(ended.body) as Record<string, unknown>;
    assert.deepEqual(
      [problem["status"], problem["detail"], problem["waybill"]],
      [400, "Host: differs from :authority", "n_0000000000000001"],
    );
    raw.destroy();
  });
});

describe("a field that is none never gets to the app, nor does any part of it", () => {
  const fields: Readonly<Record<string, readonly [string, string]>> = {
    "a line break in a value": ["x-a", `b\r\n\r\n${smuggled}`],
    "a line feed in a value": ["x-a", "b\nx-c: d"],
    "a carriage return in a value": ["x-a", "b\rx-c: d"],
    "NUL in a value": ["x-a", "b\0c"],
    "a line break in a name": ["x-a: b\r\nx-c", "d"],
    "a colon in a name": ["x-a: b", "d"],
    "a space in a name": ["x a", "d"],
    "an empty name": ["", "d"],
    "transfer-encoding with a blank before it": [" transfer-encoding", "chunked"],
  };
  for (const [name, field] of Object.entries(fields))
    test(name, async () => {
      const raw = new RawHttp2(world.edge.port);
      try {
        raw.send(headers(1, [...get(), field, ["x-last", "l"]], wholeHead));
        const ended = await raw.end(1);
        if ("body" in ended && !ended.body.includes('"malformed"')) {
          // The library leaves it out, as if it had not been sent.
          const mine = [...shownIn(ended.body).keys()].filter((one) => !ofTheEdge.has(one));
          assert.deepEqual(mine, ["host", "x-last"]);
        }
        await othersAreAnswered();
        assert.ok(!shown.includes("GET /smuggled"));
      } finally {
        raw.destroy();
      }
    });
});

describe("a body that is not as long as it says", () => {
  const bodies: Readonly<Record<string, readonly Buffer[]>> = {
    "too long, in one frame": [
      headers(1, post([["content-length", "5"]]), flags.endHeaders),
      frame(frameTypes.data, flags.endStream, 1, `hello${smuggled}`),
    ],
    "too long, in another frame": [
      headers(1, post([["content-length", "5"]]), flags.endHeaders),
      frame(frameTypes.data, 0, 1, "hello"),
      frame(frameTypes.data, flags.endStream, 1, smuggled),
    ],
    "too short": [
      headers(1, post([["content-length", "50"]]), flags.endHeaders),
      frame(frameTypes.data, flags.endStream, 1, "hello"),
    ],
    "with a length of 0": [
      headers(1, post([["content-length", "0"]]), flags.endHeaders),
      frame(frameTypes.data, flags.endStream, 1, smuggled),
    ],
  };
  for (const [name, frames] of Object.entries(bodies))
    test(`${name}: its stream is reset, and nothing of it is a second request`, async () => {
      const raw = new RawHttp2(world.edge.port);
      raw.send(...frames);
      const ended = await raw.end(1);
      assert.ok("reset" in ended && ended.reset !== 0, JSON.stringify(ended));
      await othersAreAnswered();
      assert.ok(
        shown.every((line) => line === "GET /honest" || line === "POST /x"),
        shown.join(),
      );
      raw.destroy();
    });

  test("and chunks that a client writes into its DATA are bytes, not framing", async () => {
    const raw = new RawHttp2(world.edge.port);
    raw.send(headers(1, post(), flags.endHeaders), frame(frameTypes.data, flags.endStream, 1, `0\r\n\r\n${smuggled}`));
    const ended = await raw.end(1);
    assert.ok("body" in ended);
    assert.equal((JSON.parse(ended.body) as { bytes: number }).bytes, 5 + smuggled.length);
    assert.deepEqual(shown, ["POST /x"]);
    raw.destroy();
  });
});

describe("a flood ends its own session, and no other", () => {
  /** Sends until the session has ended; the number of rounds is a limit against a hang. */
  async function until(raw: RawHttp2, send: (round: number) => void): Promise<void> {
    let round = 0;
    await eventually("the session has ended", () => {
      for (let i = 0; i < 100 && !raw.closed; i++) send(round++);
      return raw.closed;
    });
  }

  test("of requests that are reset at once (CVE-2023-44487), and no app is asked for them", async () => {
    const raw = new RawHttp2(world.edge.port);
    await until(raw, (round) => {
      const stream = 2 * round + 1;
      raw.send(
        Buffer.concat([
          headers(stream, get("/reset"), wholeHead),
          frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8])),
        ]),
      );
    });
    await othersAreAnswered();
    assert.deepEqual(shown, ["GET /honest"]);
  });

  test("of streams that it makes us reset (CVE-2025-8671)", async () => {
    const raw = new RawHttp2(world.edge.port);
    await until(raw, (round) => {
      const stream = 2 * round + 1;
      // RFC 9113 §6.9: an increment of 0 is an error of the stream.
      raw.send(
        Buffer.concat([
          headers(stream, get("/made"), wholeHead),
          frame(frameTypes.windowUpdate, 0, stream, Buffer.alloc(4)),
        ]),
      );
    });
    await othersAreAnswered();
    const asked = shown.filter((line) => line === "GET /made").length;
    assert.ok(asked < 1_000, `${asked} requests reached the app`);
  });

  test("of CONTINUATION frames (CVE-2024-27316)", async () => {
    const raw = new RawHttp2(world.edge.port);
    raw.send(headers(1, get(), 0));
    await until(raw, (round) =>
      raw.send(frame(frameTypes.continuation, 0, 1, headerBlock([[`x-${round}`, "v".repeat(1_000)]]))),
    );
    await othersAreAnswered();
    assert.deepEqual(shown, ["GET /honest"]);
  });

  const noises: Readonly<Record<string, Buffer>> = {
    PING: frame(frameTypes.ping, 0, 0, Buffer.alloc(8)),
    SETTINGS: frame(frameTypes.settings, 0, 0),
    "empty DATA": frame(frameTypes.data, 0, 1),
    "HEADERS of a closed stream": headers(1, get(), wholeHead),
  };
  for (const [name, noise] of Object.entries(noises))
    test(`of ${name} frames`, async () => {
      const raw = new RawHttp2(world.edge.port);
      raw.send(headers(1, post(), flags.endHeaders));
      await until(raw, () => raw.send(noise));
      await othersAreAnswered();
    });

  test("of headers beyond the limit is reset, and the session's other streams live", async () => {
    const raw = new RawHttp2(world.edge.port);
    raw.send(headers(1, [...get(), ...Array.from({ length: 400 }, (_, i) => [`x-${i}`, "v"] as const)], wholeHead));
    const many = await raw.end(1);
    assert.ok("reset" in many, JSON.stringify(many));
    raw.send(headers(3, [...get(), ["x-long", "v".repeat(15_000)], ["x-longer", "v".repeat(5_000)]], 0));
    raw.destroy();
    await othersAreAnswered();
    assert.deepEqual(shown, ["GET /honest"]);
  });

  test("of streams beyond those at once is refused, and the rest go on", async () => {
    const raw = new RawHttp2(world.edge.port);
    for (let i = 0; i < 140; i++) raw.send(headers(2 * i + 1, get("/silent"), wholeHead));
    await eventually(
      "the app has those that may be",
      () => shown.filter((line) => line === "GET /silent").length === 128,
    );
    await eventually(
      "the others are refused",
      () => raw.frames.filter(({ type }) => type === frameTypes.reset).length === 12,
    );
    await othersAreAnswered();
    raw.destroy();
    await eventually("the app is rid of them", () =>
      [...world.upstream.connections.values()].every(({ closed }) => closed),
    );
  });
});

describe("a visitor that waits for ever", () => {
  test("with a window that never opens loses its stream, and the app its connection", async () => {
    // SETTINGS_INITIAL_WINDOW_SIZE of 0 (RFC 9113 §6.5.2).
    const raw = new RawHttp2(world.edge.port, { settings: Buffer.from([0, 4, 0, 0, 0, 0]) });
    raw.send(headers(1, get("/flood"), wholeHead));
    await eventually("the answer has begun", () => raw.of(1, frameTypes.headers).length === 1);
    // The edge's clock goes on while nothing moves; it looks at its streams a few times a second.
    await eventually("the stream is reset", () => {
      later += 40_000;
      return raw.of(1, frameTypes.reset).length === 1;
    });
    assert.equal(raw.of(1, frameTypes.data).length, 0);
    await eventually("the app is rid of it", () =>
      [...world.upstream.connections.values()].every(({ closed }) => closed),
    );
    raw.destroy();
  });

  test("without a request loses its session, pings or not", async () => {
    const raw = new RawHttp2(world.edge.port);
    await eventually("its settings are acknowledged", () =>
      raw.frames.some((one) => one.type === frameTypes.settings && (one.flags & flags.ack) !== 0),
    );
    await eventually("the session has ended", () => {
      later += 10_000;
      raw.send(frame(frameTypes.ping, 0, 0, Buffer.alloc(8)));
      return raw.closed;
    });
    assert.ok(raw.frames.some(({ type }) => type === frameTypes.goaway));
  });
});
