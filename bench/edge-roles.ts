/** The Node processes of the edge's benchmark; `node edge-roles.ts ROLE APP-SOCKET FOLDER`, spoken to over IPC, ended by its end. */
import { randomBytes } from "node:crypto";
import { Agent, createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

import proxyServer from "http-proxy";
import { Pool } from "undici";
import type { Dispatcher } from "undici";
import { openEdge } from "../src/edge/index.ts";
import type { EdgeOptions, Visitor } from "../src/edge/index.ts";
import type { Draft, Emitter } from "../src/evidence/entry.ts";
import { mintVisitorToken, preparedKey } from "../src/identity/visitor-token.ts";
import { openSpool } from "../src/record/spool.ts";
import { after, instant, iso, seconds } from "../src/stdx/time.ts";
import { openApp } from "./edge-app.ts";
import { closedLoop, Crowd, host, inWindows, openLoop } from "./edge-load.ts";
import { eitherIdentity } from "./identity-sides.ts";
import type { Wanted, Windows } from "./edge-load.ts";

/** What a process is asked. All but `collect` are for the load. */
export type Asked =
  /** Garbage is not what a connection costs. */
  | { readonly ask: "collect" }
  | {
      readonly ask: "closed-loop";
      readonly port: number;
      readonly ms: number;
      readonly connections: number;
      readonly wanted: Wanted;
    }
  | { readonly ask: "windows"; readonly windows: Windows; readonly wanted: readonly [Wanted, Wanted] }
  | {
      readonly ask: "open-loop";
      readonly port: number;
      readonly ms: number;
      readonly connections: number;
      readonly perSecond: number;
    }
  | {
      readonly ask: "open";
      readonly port: number;
      readonly count: number;
      readonly kind: "idle" | "streams" | "sockets";
    }
  | { readonly ask: "listen"; readonly ms: number; readonly everyMs: number | undefined }
  | { readonly ask: "drop" };

export interface Told {
  readonly port?: number;
  /** Answers or messages that came; of an open loop, the 99th percentile in milliseconds. */
  readonly value?: number;
  /** Of windows that took turns. */
  readonly turns?: readonly [number[], number[]];
  readonly failed?: string;
}

const space = "alice/demo";
const [role, appSocket, folder] = process.argv.slice(2) as [keyof typeof roles, string, string];
const clock = { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) };
const visitor: Visitor = { account: "address:127.0.0.1", tier: "anonymous", billedBy: "address", user: null };
/** More than the most connections that the benchmark opens at once. */
const connectionsMax = 2_048;
/** All visitors here have one address, which asks for more than an address may. */
const oneForAll = {
  addressConnections: 100_000,
  addressRequests: 100_000,
  addressPerSecond: 1_000_000,
  spaceRequests: 100_000,
  spacePerSecond: 1_000_000,
};
/** As long as a real one. */
const tokenOfAll = "x".repeat(330);

const roles = {
  app: () => app(),
  edge: async () => edge({ emitter: await spool(), identity: { resolve: () => visitor, mint: minted() } }),
  "edge-without-identity": async () =>
    edge({ emitter: await spool(), identity: { resolve: () => visitor, mint: () => tokenOfAll } }),
  "edge-without-evidence": async () =>
    edge({ emitter: keepsNothing(), identity: { resolve: () => visitor, mint: minted() } }),
  "edge-with-either-identity": async () => edge({ emitter: await spool(), identity: eitherIdentity(clock) }),
  "http-proxy": () => httpProxy(),
  undici: () => undiciProxy(),
  load: async () => undefined,
};

const crowd = new Crowd();
process.on("disconnect", () => process.exit(0));
process.on("message", (asked: Asked) => {
  answer(asked).then(
    (value) => tell(typeof value === "number" ? { value } : { ...(value && { turns: value }) }),
    (error: unknown) => tell({ failed: String(error) }),
  );
});
const port = await roles[role]();
tell({ ...(port !== undefined && { port }) });

function tell(told: Told): void {
  process.send?.(told);
}

async function answer(asked: Asked): Promise<number | Told["turns"]> {
  switch (asked.ask) {
    case "collect":
      globalThis.gc?.();
      return undefined;
    case "closed-loop":
      return closedLoop(asked.port, asked.ms, asked.connections, asked.wanted);
    case "windows":
      return inWindows(asked.windows, asked.wanted);
    case "open-loop":
      return openLoop(asked.port, asked.ms, asked.connections, asked.perSecond);
    case "open":
      await crowd.open(asked.port, asked.count, asked.kind);
      return undefined;
    case "listen":
      return crowd.listen(asked.ms, asked.everyMs);
    case "drop":
      crowd.drop();
      return undefined;
  }
}

/** The port of the two: nothing is between it and who asks there. */
async function app(): Promise<number> {
  await openApp({ path: appSocket });
  return portOf(await openApp({ host: "127.0.0.1", port: 0 }));
}

// ---- ours

async function edge({ emitter, identity }: Pick<EdgeOptions, "emitter" | "identity">): Promise<number> {
  const opened = await openEdge({
    listen: [{ address: "127.0.0.1", port: 0 }],
    directory: {
      find: (name) =>
        name === host
          ? { space, owner: "alice", state: { kind: "running", replicas: [{ id: "p_1", socket: appSocket }] } }
          : undefined,
      used: () => {},
      isPrivate: () => false,
      wake: async () => undefined,
    },
    identity,
    emitter,
    counter: { count: () => "n_0" },
    clock,
    random: (count) => randomBytes(count),
    console: (_, response) => response.end(),
    consoleHosts: ["localhost"],
    limits: { connectionsPerReplica: connectionsMax },
    guard: oneForAll,
    explainUrl: (id) => id,
  });
  return opened.port;
}

function spool(): Promise<Emitter> {
  return openSpool({ folder, name: "edge", clock, onFailure: fails });
}

/** An edge that keeps no evidence is not what is measured. */
function fails(error: Error): never {
  throw error;
}

/** A token for each request, as in production. */
function minted(): EdgeOptions["identity"]["mint"] {
  const key = preparedKey({ kid: "k1", key: randomBytes(32) });
  return ({ request, now }) =>
    mintVisitorToken({
      ...key,
      space,
      user: null,
      account: "address:127.0.0.1",
      tier: "anonymous",
      billedBy: "address",
      request,
      issuedAt: now,
      expiresAt: after(now, seconds(3_600)),
    });
}

/** For telling apart what evidence costs. */
function keepsNothing(): Emitter {
  let seq = 0;
  const at = iso(clock.wall());
  const own = { emitter: "edge", epoch: 1, at };
  return {
    name: "edge",
    epoch: 1,
    write: (draft: Draft) => ({ id: `edge/1/${++seq}`, ...draft, ...own, seq }),
    writeAll: () => {},
    pack: () => {},
    answer: async (mark) => ({ ...mark, ...own, seq: ++seq }),
    sync: async () => {},
  };
}

// ---- others, as their documentation has them

function httpProxy(): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  // Its types know no socket path; its code hands `target` to node:http.
  const target = { socketPath: appSocket } as unknown as string;
  const proxy = proxyServer.createProxyServer({ target, agent, xfwd: true, ws: true });
  proxy.on("error", (_, __, to) => void to.destroy());
  const server = createServer((request, response) => proxy.web(request, response));
  server.on("upgrade", (request, socket, head) => proxy.ws(request, socket, head));
  return listening(server);
}

function undiciProxy(): Promise<number> {
  const pool = new Pool("http://app", { socketPath: appSocket, connections: connectionsMax, bodyTimeout: 0 });
  const server = createServer((request, response) => {
    const { method = "GET", url = "/" } = request;
    const body = method === "GET" ? null : request;
    pool.dispatch({ method, path: url, headers: headersOf(request), body }, passTo(response));
  });
  server.on("upgrade", (request, socket, head) => {
    pool.upgrade({ path: request.url ?? "/", headers: headersOf(request), protocol: "websocket" }).then(
      ({ headers, socket: app }) => {
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n${lines.join("")}\r\n`,
        );
        if (head.length > 0) app.write(head);
        app.on("error", () => socket.destroy()).pipe(socket);
        socket.on("error", () => app.destroy()).pipe(app);
      },
      () => socket.destroy(),
    );
  });
  return listening(server);
}

function headersOf(request: IncomingMessage): Record<string, string | string[] | undefined> {
  const { connection: _, upgrade: __, "keep-alive": ___, "transfer-encoding": ____, ...passed } = request.headers;
  return { ...passed, "x-forwarded-for": request.socket.remoteAddress };
}

function passTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller) => {
      response.on("drain", () => controller.resume());
      response.on("close", () => {
        if (!response.writableFinished) controller.abort(new Error("the visitor left"));
      });
    },
    onResponseStart: (_, status, headers) => {
      const { connection: __, "keep-alive": ___, "transfer-encoding": ____, ...passed } = headers;
      response.writeHead(status, passed);
      // A stream's head leaves before its first event.
      if (headers["content-length"] === undefined) response.flushHeaders();
    },
    onResponseData: (controller, bytes) => {
      if (!response.write(bytes)) controller.pause();
    },
    onResponseEnd: () => void response.end(),
    onResponseError: () => void response.destroy(),
  };
}

function listening(server: Server): Promise<number> {
  server.keepAliveTimeout = 600_000;
  return new Promise((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
      resolve(portOf(server));
    });
  });
}

function portOf(server: Pick<Server, "address">): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
