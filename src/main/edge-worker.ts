/** A worker of an edge: carries requests by its copy of what the server knows, and is an emitter of its own. Forked by its parent. */
import { join } from "node:path";
import process from "node:process";
import type { FromEdge } from "../contract/edge.ts";
import { edgeSockets } from "../contract/edge.ts";
import { listenError, openEdge } from "../edge/index.ts";
import type { Edge, SharedSession, SharedSockets, TlsOptions } from "../edge/index.ts";
import { openSpool } from "../record/spool.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { carryConsole } from "./console-carry.ts";
import { lastStatus } from "./last-status.ts";
import { edgeNetwork } from "./own-edge.ts";
import { ControlLine } from "./control-line.ts";
import type { PlatformConfig } from "./config.ts";
import type { FromWorker, Place, ToWorker } from "./edge-messages.ts";
import { configFrom, prepareProcess } from "./starting.ts";

const [name = "edge-1", data = ""] = process.argv.slice(2);
/** What a worker has and does is told so often. */
const reportEveryMs = 200;
/** What is under way may take so long where the parent is gone: how long its operator allows was the parent's to say. */
const aloneMs = 10_000;

const say = (message: FromWorker): void => void (process.connected && process.send?.(message));
const log = prepareProcess({ json: true });
const config = readOwnConfig();

const sockets = new Map<number, (handle: object | undefined, failed: string | undefined) => void>();
let asked = 0;
const socketOf: SharedSockets = (place) =>
  new Promise((resolve, reject) => {
    sockets.set(++asked, (handle, code) => {
      if (handle !== undefined) return resolve(handle);
      const [address, port] = placeNames(place);
      reject(listenError(Object.assign(new Error(code), { code: code ?? "UNKNOWN" }), address, port));
    });
    say({ kind: "socket", id: asked, place });
  });

const opened: { edge?: Edge } = {};
/** Placed before it began; what is shared meanwhile is of no request of its own. */
let sessions: readonly SharedSession[] = [];
const line = new ControlLine({
  say: (message: FromEdge) => say({ kind: "server", message }),
  clock: systemClock,
  random: systemRandom,
  onTold: (request, told) => opened.edge?.tell(request, told),
  onAddress: async (address) => {
    const added = await opened.edge?.addAddress(address);
    if (added?.ok === false) log.error({ address }, added.says);
  },
  onPort: async (own, mark) => {
    const added = await opened.edge?.addPort(own, mark);
    if (added?.ok === false) log.error({ port: own }, added.says);
  },
});
const drained = Promise.withResolvers<number>();

process.on("message", (message: ToWorker, handle: unknown) => {
  switch (message.kind) {
    case "server":
      return line.take(message.message);
    case "away":
      return line.away(message.since);
    case "socket": {
      const settle = sockets.get(message.id);
      sockets.delete(message.id);
      return settle?.(handle as object | undefined, message.failed);
    }
    case "shared":
      return opened.edge?.learn(message.worker, message.told);
    case "sessions":
      return void (sessions = message.sessions);
    case "drain":
      return drained.resolve(message.withinMs);
  }
});
// Without a parent nobody opens another address or tells of a change: what is under way is brought to its end.
process.on("disconnect", () => drained.resolve(aloneMs));
process.on("SIGTERM", () => say({ kind: "leaving" }));
// The terminal's signals are the parent's to answer.
for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});

const copy = await line.first;
const { address, port, insidePath, consoleHosts, appsDomain, console, isProxiesAlone, tls } = copy.terms;
const spool = await openSpool({
  folder: join(config.data, "spool"),
  name,
  clock: systemClock,
  random: systemRandom,
  onFailure: (error) => log.error({ error: error.stack }, `the spool of ${name}`),
  // L27: what it answers has to be on the disk.
  onBroken: (error) => {
    log.error({ error: error.stack }, "this worker ends: what it refuses cannot be kept");
    process.exit(1);
  },
});
const explainUrl = (id: string): string => `${console}/w/${id}`;
try {
  opened.edge = await openEdge({
    listen: [{ address, port }],
    directory: line,
    identity: line.identity,
    emitter: spool,
    counter: line,
    clock: systemClock,
    random: systemRandom,
    sockets: socketOf,
    ...(insidePath !== null && { insidePath }),
    ...edgeNetwork({ ...config.network, isProxiesAlone }),
    ...(tls !== null && { tls: { pairs: line.pairs, ...definite(tls) } }),
    console: carryConsole({
      path: join(config.data, edgeSockets.console),
      counter: line,
      explainUrl,
      awaySays: () => line.awaySays("The console and the API answer when it is back."),
      lastStatus: () => lastStatus(config.data),
    }),
    consoleHosts,
    appsDomain,
    limits: config.edge,
    guard: config.guard,
    explainUrl,
    share: (told) => say({ kind: "shared", told }),
    onVisitorGone: (request) => say({ kind: "server", message: { type: "visitor-gone", request } }),
    onError: (error) => log.error({ error: error instanceof Error ? error.stack : String(error) }, "the edge"),
    line: (replica) => line.line(replica),
    lineSettled: (replica) => line.lineSettled(replica),
  });
} catch (error) {
  say({ kind: "failed", says: (error as Error).message });
  throw error;
}
const edge = opened.edge;
for (const session of sessions) edge.learn("", session);
await line.openAddresses();
say({ kind: "server", message: { type: "worker", name, epoch: spool.epoch, pid: process.pid } });
say({ kind: "ready", epoch: spool.epoch });
const report = (): void => line.report(name, edge.allBusy());
const timer = setInterval(report, reportEveryMs);
const withinMs = await drained.promise;
await edge.drain(withinMs);
clearInterval(timer);
report();
await spool.close();
process.disconnect?.();
process.exit(0);

/** What the environment says of the edge; all else the server has said. */
function readOwnConfig(): PlatformConfig {
  try {
    return configFrom(process.env, {
      ...{ role: "server", data, port: undefined, network: {}, simulateGpus: undefined, sandbox: undefined },
      ...{ journal: undefined, standBy: false, service: true, json: true },
    });
  } catch (error) {
    say({ kind: "failed", says: (error as Error).message });
    throw error;
  }
}

function definite({ plainPort, publicPort }: NonNullable<typeof tls>): Omit<TlsOptions, "pairs"> {
  return { ...(plainPort !== null && { plainPort }), ...(publicPort !== null && { publicPort }) };
}

function placeNames(place: Place): readonly [string, number] {
  return "path" in place ? [place.path, 0] : [place.address, place.port];
}
