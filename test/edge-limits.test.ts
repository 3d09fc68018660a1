/** What one address and one Space may ask of the edge, over real sockets: addresses are told by a trusted proxy in front. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import type { SpaceLimits } from "../src/edge/index.ts";
import { parseProxyStatus } from "../src/http/index.ts";
import { answerOf, app, ask, marks, open, problemIn, read } from "./support/edge-app.ts";
import type { Answer } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free-port.ts";
import { until } from "./support/platform.ts";

const proxies = { has: (address: string) => address === "127.0.0.1", headers: "x-forwarded" } as const;

async function withEdge(
  options: Parameters<typeof edgeWorld>[1] & { of?: SpaceLimits },
  run: (world: EdgeWorld) => Promise<void>,
): Promise<void> {
  const { of, ...given } = options;
  const world = await edgeWorld(app, { proxies, ...given });
  const route = world.directory.get(appHost);
  assert.ok(route);
  world.directory.set(appHost, { ...route, limits: of });
  try {
    await run(world);
    assert.deepEqual(world.errors, []);
  } finally {
    await world.close();
  }
}

const from = (address: string): { "x-forwarded-for": string } => ({ "x-forwarded-for": address });
const errorOf = ({ headers }: Answer): unknown => parseProxyStatus(String(headers["proxy-status"]))?.[0];

/** A request that is under way until it is left. */
async function taken(world: EdgeWorld, headers: Record<string, string> = {}): Promise<() => void> {
  const request = open(world, "/long", headers);
  request.end();
  const response = await answerOf(request);
  response.on("error", () => undefined);
  return () => void request.destroy();
}

describe("the edge's limits", () => {
  test("an address that asks too fast is told so, when to come again and by which rule; it is counted, not recorded", () =>
    withEdge({ guard: { addressPerSecond: 1 } }, async (world) => {
      for (let i = 0; i < 4; i++) assert.equal((await ask(world, "/", from("203.0.113.7"))).status, 200);
      const refused = await until("it is refused", async () => {
        const answer = await ask(world, "/", from("203.0.113.7"));
        return answer.status !== 200 && answer;
      });
      assert.deepEqual([refused.status, problemIn(refused).code], [429, "rate-limited"]);
      assert.deepEqual(
        ["retry-after", "ratelimit-policy", "ratelimit"].map((name) => refused.headers[name]),
        ["1", '"address";q=4;w=4', '"address";r=0;t=1'],
      );
      assert.deepEqual(errorOf(refused), {
        deployment: "waybill",
        error: "connection_limit_reached",
        details: "capacity/rate-limited",
      });
      assert.equal(refused.headers["x-waybill-id"], "n_0000000000000001");
      assert.deepEqual(world.counted.at(-1), { code: "capacity/rate-limited", host: appHost });
      assert.equal((await ask(world, "/", from("203.0.113.8"))).status, 200, "another one is served");
    }));

  test("neighbours in one IPv6 network are one address", () =>
    withEdge({ guard: { addressRequests: 1 } }, async (world) => {
      const leave = await taken(world, from("2001:db8::1"));
      assert.equal((await ask(world, "/", from("2001:db8::ffff"))).status, 429);
      assert.equal((await ask(world, "/", from("2001:db8:0:1::1"))).status, 200);
      leave();
      await until("it may again", async () => (await ask(world, "/", from("2001:db8::2"))).status === 200);
    }));

  test("what an address has under way at another worker of the edge counts here", async () => {
    const at: EdgeWorld[] = [];
    const worker = (n: number) =>
      edgeWorld(app, {
        proxies,
        guard: { addressRequests: 1 },
        share: (told) => at[1 - n]?.edge.learn(`edge-${n}`, told),
      });
    at.push(await worker(0), await worker(1));
    const [here, elsewhere] = at as [EdgeWorld, EdgeWorld];
    try {
      const leave = await taken(elsewhere, from("203.0.113.7"));
      const status = async (): Promise<number> => (await ask(here, "/", from("203.0.113.7"))).status;
      await until("it is refused", async () => (await status()) === 429);
      leave();
      await until("it may again", async () => (await status()) === 200);
    } finally {
      for (const world of at) await world.close();
    }
  });

  test("a WebSocket counts for as long as it is open", () =>
    withEdge({ guard: { addressRequests: 1 }, upstream: { onOpen: upgraded } }, async (world) => {
      const head = `GET / HTTP/1.1\r\nHost: ${appHost}\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
      const socket = connect({ host: "127.0.0.1", port: world.edge.port });
      socket.write(head);
      await new Promise((resolve) => socket.once("data", resolve));
      assert.match(await rawExchange(world.edge.port, head, /\r\n\r\n/), /^HTTP\/1\.1 429 /);
      socket.destroy();
      await until("it may again", async () =>
        (await rawExchange(world.edge.port, head, /\r\n\r\n/)).startsWith("HTTP/1.1 101"),
      );
    }));

  test("more connections of one address than it may have are answered and closed, without a request", async () => {
    const port = await freePort();
    const told = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n";
    // Version 2, of a visitor who came to the proxy over TLS.
    const toldOfTls = Buffer.concat([
      Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14", "latin1"),
      Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 18, 103, 0, 80]),
      Buffer.from([0x20, 0, 5, 1, 0, 0, 0, 0]),
    ]);
    const request = `GET /long HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`;
    const proxyProtocol = { address: "127.0.0.1", port };
    await withEdge({ guard: { addressConnections: 1 }, proxyProtocol }, async (world) => {
      const first = connect({ host: "127.0.0.1", port });
      first.write(told + request);
      await new Promise((resolve) => first.once("data", resolve));
      for (const next of [told, toldOfTls]) {
        const counted = world.counted.length;
        const refused = await rawExchange(port, next);
        assert.match(refused, /^HTTP\/1\.1 429 Too Many Requests\r\n/);
        assert.match(refused, /\r\nproxy-status: waybill;error=connection_limit_reached/);
        assert.match(refused, /\r\nretry-after: 5\r\n/);
        assert.deepEqual(world.counted.slice(counted), [{ code: "capacity/rate-limited", host: "" }]);
      }
      first.destroy();
      await until("there is room again", async () =>
        (await rawExchange(port, told + request, /\r\n\r\n/)).startsWith("HTTP/1.1 200"),
      );
    });
  });

  test("a Space has as many requests as its owner allows; the next one is told that it is the Space's, and when to come", () =>
    withEdge({ of: { requests: 1 } }, async (world) => {
      const leave = await taken(world);
      const refused = await ask(world, "/");
      assert.deepEqual([refused.status, problemIn(refused).code], [503, "space-busy"]);
      assert.equal(refused.headers["retry-after"], "1");
      assert.deepEqual(problemIn(refused).owner, "app");
      leave();
      await until("there is room again", async () => (await ask(world, "/")).status === 200);
    }));

  test("a body may be as long as the owner allows, with a length or without", () =>
    withEdge({ of: { bodyMaxBytes: 1_000 } }, async (world) => {
      assert.equal((await ask(world, "/", {}, "POST", "x".repeat(1_000))).status, 200);
      const long = await ask(world, "/", {}, "POST", "x".repeat(1_001));
      assert.deepEqual([long.status, problemIn(long).code], [413, "too-large"]);
      const request = open(world, "/", {}, "POST");
      for (let i = 0; i < 11; i++) request.write("x".repeat(100));
      request.end();
      assert.equal((await read(await answerOf(request))).status, 413);
    }));

  test("a stream on which nothing passes is ended, and its record says after how long; one that speaks lives on", () =>
    withEdge({ of: { idleMs: 500 } }, async (world) => {
      const request = open(world, "/long");
      request.end();
      const response = await answerOf(request);
      const work = String(response.headers["x-waybill-id"]);
      await new Promise((resolve) =>
        response
          .once("close", resolve)
          .on("error", () => undefined)
          .resume(),
      );
      assert.equal(response.complete, false);
      await eventually("it is recorded", () => marks(world, work).at(-1) === "edge.deliver failed route/idle-timeout");
      const end = world.emitter.of(work).at(-1);
      assert.deepEqual([end?.facts["says"], end?.facts["answeredBy"]], ["Nothing passed for 0.5 s.", "app"]);
    }));

  test("a request may be open for so long and no longer: before an answer it is told, within one it is cut", () =>
    withEdge({ of: { openMs: 500 } }, async (world) => {
      const silent = await ask(world, "/silent");
      assert.deepEqual([silent.status, problemIn(silent).code], [504, "open-too-long"]);
      assert.deepEqual(errorOf(silent), {
        deployment: "waybill",
        error: "http_response_timeout",
        details: "route/open-too-long",
      });
      const request = open(world, "/long");
      request.end();
      const response = await answerOf(request);
      await new Promise((resolve) =>
        response
          .once("close", resolve)
          .on("error", () => undefined)
          .resume(),
      );
      const work = String(response.headers["x-waybill-id"]);
      await eventually("it is recorded", () => marks(world, work).at(-1) === "edge.deliver failed route/open-too-long");
    }));
});

function upgraded(socket: Socket): void {
  socket.once("data", () =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
  );
}
