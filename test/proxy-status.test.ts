/** RFC 9209 at the edge and at the gateway: each error type that can occur is caused for real; and an answer that was cut never looks whole. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { proxyErrors } from "../src/contract/proxy-status.ts";
import type { ProxyError } from "../src/contract/proxy-status.ts";
import { codeRow, isCode } from "../src/evidence/codes.ts";
import { parseProxyStatus } from "../src/http/proxy-status.ts";
import { app, ask } from "./support/edge-app.ts";
import type { Answer } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { EgressWorld, fullListener, lacking, range, serve } from "./support/egress-world.ts";
import { eventually } from "./support/eventually.ts";
import { producedBy, tableLines } from "./support/proxy-errors.ts";

type Options = NonNullable<Parameters<typeof edgeWorld>[1]>;
type Behaviour = (socket: Socket, request: string) => void;

/** An edge before an app that answers each request with what the test writes, byte by byte; the test's upstream counts as a shim does. */
class Raw implements AsyncDisposable {
  readonly #server: Server;
  world!: EdgeWorld;

  static async open(behaviour: Behaviour, options: Options = {}): Promise<Raw> {
    const raw = new Raw(behaviour);
    raw.world = await edgeWorld(app, options);
    raw.world.app.close();
    raw.world.app.address = () => raw.#server.address();
    await eventually("the raw app listens", () => raw.#server.listening);
    return raw;
  }

  private constructor(behaviour: Behaviour) {
    this.#server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes: Buffer) => behaviour(socket, bytes.toString("latin1")));
    }).listen(0, "127.0.0.1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world.close();
    this.#server.close();
  }
}

const says =
  (text: string, end = true): Behaviour =>
  (socket) =>
    void (end ? socket.end(text, "latin1") : socket.write(text, "latin1"));

/** The type on the wire, or in the entry that failed. */
function errorOf(answer: Answer): string | undefined {
  const [member, ...others] = parseProxyStatus(String(answer.headers["proxy-status"])) ?? [];
  assert.deepEqual(others, []);
  assert.equal(member?.receivedStatus, undefined);
  assert.ok(answer.headers["x-waybill-id"]);
  assert.match(answer.text, /"explain":"http/);
  if (answer.status === 503 || answer.status === 429) assert.ok(Number(answer.headers["retry-after"]) >= 1);
  return member?.error;
}

async function onRaw(behaviour: Behaviour, options: Options = {}): Promise<string | undefined> {
  await using raw = await Raw.open(behaviour, options);
  return errorOf(await ask(raw.world, "/"));
}

async function onApp(
  act: (world: EdgeWorld) => Promise<string | undefined>,
  options: Options = {},
): Promise<string | undefined> {
  const world = await edgeWorld(app, options);
  try {
    return await act(world);
  } finally {
    await world.close();
  }
}

const manyHeaders = Array.from({ length: 4_000 }, (_, n) => `x-${n}: ${"y".repeat(60)}\r\n`).join("");
const silent: Behaviour = () => undefined;

const causedAtEdge: Partial<Record<ProxyError, () => Promise<string | undefined>>> = {
  destination_not_found: () => onApp(async (world) => errorOf(await ask(world, "/", { host: "nobody.localhost" }))),
  destination_unavailable: () =>
    onApp(async (world) => errorOf(await ask(world, "/", { host: "alice-asleep.localhost" }))),
  connection_refused: () =>
    onApp(async (world) => {
      world.app.close();
      return errorOf(await ask(world, "/"));
    }),
  connection_terminated: () => onRaw((socket) => void socket.destroy()),
  connection_timeout: () =>
    onApp(async (world) => errorOf(await ask(world, "/")), {
      limits: { responseWithinMs: 100 },
      upstream: { onOpen: () => undefined },
    }),
  connection_read_timeout: () =>
    onApp(
      async (world) => {
        await assert.rejects(ask(world, "/long"), "its head has left: the connection breaks");
        return await eventually("the entry that failed", () => failedWith(world));
      },
      { limits: { idleWithinMs: 200 } },
    ),
  connection_write_timeout: () =>
    onApp(async (world) => errorOf(await ask(world, "/deaf", {}, "POST", "x".repeat(32 << 20))), {
      limits: { responseWithinMs: 300 },
    }),
  connection_limit_reached: () =>
    onApp(
      async (world) => {
        const first = ask(world, "/silent").catch(() => undefined); // It ends with the world.
        await eventually("the only connection is in use", () => world.upstream.connections.size === 1);
        const error = errorOf(await ask(world, "/"));
        world.app.closeAllConnections();
        await first;
        return error;
      },
      { limits: { connectionsPerReplica: 1, connectWithinMs: 300 } },
    ),
  http_request_error: () =>
    onApp(async (world) => {
      const answer = await rawExchange(
        world.edge.port,
        `GET / HTTP/1.1\r\nhost: ${appHost}\r\nhost: b\r\nconnection: close\r\n\r\n`,
      );
      return /^proxy-status: .*error=(\w+)/im.exec(answer)?.[1];
    }),
  http_request_denied: () =>
    onApp(async (world) => errorOf(await ask(world, "/", { authorization: "Bearer hf_wbwrong" }))),
  http_response_incomplete: () => onRaw(says("HTTP/1.1 200 OK\r\ncontent-le")),
  http_response_header_section_size: () => onRaw(says(`HTTP/1.1 200 OK\r\n${manyHeaders}\r\n`, false)),
  http_response_transfer_coding: () => onRaw(says("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx")),
  http_response_trailer_section_size: async () => {
    await using raw = await Raw.open(
      says(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${manyHeaders}`, false),
    );
    await assert.rejects(ask(raw.world, "/"), "its head has left: the connection breaks");
    return await eventually("the entry that failed", () => failedWith(raw.world));
  },
  http_response_timeout: () => onRaw(silent, { limits: { responseWithinMs: 100 } }),
  http_protocol_error: () => onRaw(says("SSH-2.0-OpenSSH_9.9\r\n\r\n")),
  proxy_internal_error: () =>
    onApp(async (world) => {
      const answer = ask(world, "/silent");
      await eventually("it is on its way", () => world.upstream.connections.size === 1);
      await world.edge.close();
      return errorOf(await answer);
    }),
  proxy_loop_detected: () =>
    onApp(async (world) =>
      errorOf(await ask(world, "/", { "cdn-loop": Array.from({ length: 20 }, () => "waybill").join(", ") })),
    ),
};

function failedWith(world: EdgeWorld): ProxyError | undefined {
  const { code, proxyError } = world.emitter.entries.find(({ mark }) => mark === "failed")?.facts ?? {};
  if (typeof proxyError === "string") return proxyError as ProxyError;
  return typeof code === "string" && isCode(code) ? codeRow(code).proxy : undefined;
}

describe("an error type of the edge", () => {
  for (const type of Object.keys(proxyErrors) as ProxyError[]) {
    const by = producedBy[type];
    const cause = causedAtEdge[type];
    if ("never" in by || by.edge === undefined) {
      assert.equal(cause, undefined, type);
      continue;
    }
    test(`${type}: ${by.edge}`, async () => {
      assert.ok(cause, "nothing causes it");
      assert.equal(await cause(), type);
    });
  }
});

describe("an error type of the gateway", { skip: lacking() }, () => {
  const dial = (host: string, port: number): string => `
try:
  s = socket.create_connection((${JSON.stringify(host)}, ${port}), timeout=20)
  s.recv(1)
except OSError: pass`;
  interface Way {
    readonly host?: string;
    readonly port?: number;
    readonly options: Parameters<typeof EgressWorld.open>[0];
  }
  const onGateway = async ({ host = "x.example", port = 81, options }: Way): Promise<unknown> => {
    await using world = await EgressWorld.open({
      policy: { ports: [80, port], addresses: [range("127.0.0.1/32")] },
      ...options,
    });
    await world.python(dial(host, port));
    const { told } = await world.refused(/./);
    return told.entries.findLast(({ facts }) => "proxyError" in facts)?.facts["proxyError"];
  };
  const at = (address: string) => ({ "x.example": address });
  const causes: Partial<Record<ProxyError, () => Promise<unknown>>> = {
    dns_error: () => onGateway({ host: "nobody.example", options: {} }),
    dns_timeout: () => onGateway({ options: { silent: ["x.example"], limits: { resolveMs: 100 } } }),
    destination_ip_prohibited: () => onGateway({ options: { names: at("10.0.0.5") } }),
    connection_refused: () => onGateway({ port: 1, options: { names: at("127.0.0.1") } }),
    connection_timeout: async () => {
      await using full = await fullListener();
      return await onGateway({ port: full.port, options: { names: at("127.0.0.1"), limits: { dialMs: 300 } } });
    },
    connection_terminated: async () => {
      await using server = await serve((socket) => void socket.resetAndDestroy());
      return await onGateway({ port: server.port, options: { names: at("127.0.0.1") } });
    },
    http_request_denied: () =>
      onGateway({ port: 25, options: { policy: { ports: [80] }, names: at("127.0.0.1"), listensOn: [25] } }),
  };
  for (const [type, cause] of Object.entries(causes) as [ProxyError, () => Promise<unknown>][])
    test(`${type}: ${"gateway" in producedBy[type] ? producedBy[type].gateway : ""}`, async () => {
      assert.equal(await cause(), type);
    });
});

test("the document's table is the one that is tested here", () => {
  const text = readFileSync(join(import.meta.dirname, "../docs/proxy-status.md"), "utf8");
  for (const line of tableLines()) assert.ok(text.includes(line), line);
});

describe("an answer that only the end of its connection ends", () => {
  const unframed = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it";
  const closers: (() => Promise<void>)[] = [];
  after(async () => {
    for (const close of closers) await close();
  });

  test("is whole where the app ended it and nothing of it is missing", async () => {
    await using raw = await Raw.open(says(unframed));
    const answer = await ask(raw.world, "/");
    assert.deepEqual([answer.status, answer.text], [200, "all of it"]);
    assert.match(String(answer.headers["proxy-status"]), /received-status=200$/);
    await eventually("its record", () => raw.world.emitter.packs[0]);
  });

  /** What carries the connection gives the head and some of the answer, then ends as if it were all. */
  const cut = async (options: Options = {}): Promise<EdgeWorld> => {
    const onOpen = (socket: Socket): void =>
      void socket.once("data", () => {
        for (const carried of world.upstream.connections.values()) carried.connected = true;
        socket.end("HTTP/1.1 200 OK\r\n\r\nonly a part");
      });
    const world = await edgeWorld(app, { ...options, upstream: { onOpen } });
    closers.push(() => world.close());
    return world;
  };

  test("is cut where its replica's shim did not give that: the visitor's connection breaks, and it is told", async () => {
    const world = await cut();
    await assert.rejects(ask(world, "/"), /aborted|socket hang up|ECONNRESET/);
    assert.equal(await eventually("the entry", () => failedWith(world)), "http_response_incomplete");
    assert.equal(world.emitter.packs.length, 0);
  });

  test("is cut where the line to its replica's machine was lost under it, and then the node is away", async () => {
    let line: number | undefined = 1;
    const world = await cut({ line: () => line });
    const request = ask(world, "/");
    line = undefined;
    await assert.rejects(request);
    const failed = await eventually("the entry", () =>
      world.emitter.entries.find(({ hop, mark }) => hop === "edge.connect" && mark === "failed"),
    );
    assert.equal(failed.facts["code"], "route/node-away");
  });

  test("reaches a visitor of HTTP/1.0 as a reset where it is cut: an end would look whole", async () => {
    const world = await cut();
    const socket = connect({ host: "127.0.0.1", port: world.edge.port });
    const errors: string[] = [];
    socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? "")).resume();
    socket.write(`GET / HTTP/1.0\r\nhost: ${appHost}\r\n\r\n`);
    await eventually("it is over", () => socket.closed);
    assert.deepEqual(errors, ["ECONNRESET"]);
  });
});
