/** The edge: one HTTP server behind several addresses of one port; each request goes to the console, to an app, or is refused. */
import { createServer as createHttpServer, ServerResponse } from "node:http";
import type { IncomingMessage, Server as HttpServer } from "node:http";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";

import type { InsideCaller } from "../contract/egress.ts";
import { isHandOver } from "../contract/hand-over.ts";
import type { Emitter } from "../evidence/entry.ts";
import { parseHost } from "../http/host.ts";
import {
  closeGraceMs,
  connectionsMax,
  headMaxBytes,
  headWithinMs,
  requestWithinMs,
  visitorIdleMs,
} from "../http/limits.ts";
import { defaultDeploymentName } from "../http/proxy-status.ts";
import { noteVisitor, plainAddress } from "../http/visitor.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { strangerReplies } from "./strangers.ts";
import { credentialsOf } from "./accepted.ts";
import type { TurnAway, UpgradeEnd } from "./accepted.ts";
import { EdgeContext } from "./context.ts";
import { readFirstBytes } from "./doorstep.ts";
import { Exchange } from "./exchange.ts";
import { guardLimits } from "./guard.ts";
import type { GuardLimits } from "./guard.ts";
import { openHttp2 } from "./h2/sessions.ts";
import type { Http2Door } from "./h2/sessions.ts";
import { withoutConsoleCookies } from "./headers.ts";
import { openInsideDoor } from "./inside.ts";
import { Connections } from "./connections.ts";
import { listen, ListenError } from "./listening.ts";
import type { ListenAddress, SharedSockets } from "./listening.ts";
import { cookieJar } from "./jar.ts";
import type { CookieJar } from "./jar.ts";
import { defaultLimits, drainMaxBytes, pipelinedMax, sweepEveryMs } from "./limits.ts";
import type { EdgeLimits } from "./limits.ts";
import { isOwnMachine, originOf } from "./origin.ts";
import type { Peer, TrustedProxies } from "./origin.ts";
import { portName } from "./ports.ts";
import type { CallTold, SpaceDirectory, StrangerCounter, VisitorIdentity } from "./ports.ts";
import { turnAwayFromNowhere } from "./nowhere.ts";
import { readProxyHead } from "./proxy-protocol.ts";
import { answerPlain } from "./plain.ts";
import { DirectWay } from "./quick/direct.ts";
import type { QuickRequest } from "./quick/ends.ts";
import { QuickLane } from "./quick/lane.ts";
import { Said } from "./quick/said.ts";
import { signInLocation } from "./sign-in.ts";
import { screenedHost, screenRequest } from "./screen.ts";
import type { Screened } from "./screen.ts";
import { openTls } from "./secure.ts";
import type { TlsDoor, TlsPairs } from "./secure.ts";
import type { Shared } from "./shared.ts";

export interface EdgeOptions {
  /** At least one; the first is the console's. */
  readonly listen: readonly ListenAddress[];
  readonly directory: SpaceDirectory;
  readonly identity: VisitorIdentity;
  readonly emitter: Emitter;
  readonly counter: StrangerCounter;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The proxies in front whose word about a visitor counts; without them nobody's does. */
  readonly proxies?: TrustedProxies;
  /** Which other machines may ask at all; without it all that reach it. Its own and those behind a PROXY header may. */
  readonly admits?: (address: string) => boolean;
  /** Another listener, whose connections each begin with a PROXY header of one of {@link EdgeOptions.proxies}. */
  readonly proxyProtocol?: ListenAddress;
  /** The unix socket where the node's gateway brings callers from inside; without it there are none. */
  readonly insidePath?: string;
  /** Answers requests whose host is the console's. They are screened already. `inside` calls from a sandbox; `upgrade`: it asks for a WebSocket. */
  readonly console: (
    request: IncomingMessage,
    response: ServerResponse,
    inside: InsideCaller | undefined,
    upgrade: UpgradeEnd | undefined,
  ) => void;
  /** Lower case, without ports. */
  readonly consoleHosts: Iterable<string>;
  /** Under which Spaces have names: pages at those are sent to sign in where nothing is for who comes without credentials. */
  readonly appsDomain?: string;
  /** With it the edge's ports speak TLS too, and visitors of other machines do not do without. */
  readonly tls?: TlsOptions;
  /** Whose listening sockets it takes connections from; without it it opens its own. Rejects with a {@link ListenError}. */
  readonly sockets?: SharedSockets;
  readonly limits?: Partial<EdgeLimits>;
  /** What one address and one Space may ask for at a time. */
  readonly guard?: Partial<GuardLimits>;
  readonly deploymentName?: string;
  /** The page that explains a work or a counter. */
  readonly explainUrl: (id: string) => string;
  /** The visitor of this request went away after the app had been given it. */
  readonly onVisitorGone?: (request: string) => void;
  /** The number of the line to a replica's node; undefined while it is lost, 0 where there is none. Absent: all are on this machine. */
  readonly line?: (replica: string) => number | undefined;
  /** Where `line` is hearsay: resolves, soon, when it is as it was when this was asked. Undefined where it is already. */
  readonly lineSettled?: (replica: string) => Promise<void> | undefined;
  /** Tells the edge's other workers what visitors may come to them with. Absent: there are none. */
  readonly share?: (told: Shared) => void;
  /** Something of ours threw while carrying a request; rethrown where the process sees it unless this is given. */
  readonly onError?: (error: unknown) => void;
}

export interface TlsOptions {
  readonly pairs: TlsPairs;
  /** A second port of the first address, without TLS: visitors are sent on, and certificate authorities given their proof. */
  readonly plainPort?: number;
  /** Where visitors come to instead, where that is not the edge's own port. */
  readonly publicPort?: number;
}

export type AddressResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly says: string };

export interface Edge extends AsyncDisposable {
  readonly port: number;
  /** Also answers on this address, same port. A port that is taken is reported, not thrown. */
  addAddress(address: string): Promise<AddressResult>;
  /** Also answers on this port of the first address, for the one Space that the directory has under {@link portName}; `mark`: its cookies'. */
  addPort(port: number, mark: string): Promise<AddressResult>;
  /** Takes no more connections there; those that are open live on. */
  removeAddress(address: string): Promise<void>;
  addresses(): string[];
  /** Connections to this replica on which a request is under way. */
  busy(replica: string): number;
  /** The platform's GPU queue says something of a call that this request caused. */
  tell(request: string, told: CallTold): void;
  /** What another worker of this edge shared, or that it has ended. */
  learn(worker: string, told: Shared | "ended"): void;
  /** That of all replicas which have one. */
  allBusy(): Readonly<Record<string, number>>;
  /**
   * Takes no more connections, and closes each when its answer is through, those that idle when their time is over; breaks off and
   * records what is left after `withinMs`. The places stay open where others take connections from the same sockets.
   */
  drain(withinMs: number): Promise<void>;
  /** Takes nothing more, lets what is under way finish for a moment, breaks off and records the rest. */
  close(): Promise<void>;
}

/** Opens all addresses and the door, or leaves none open: an address throws a {@link ListenError}, the door what the system said. */
export async function openEdge(options: EdgeOptions): Promise<Edge> {
  const [first, ...others] = options.listen;
  if (first === undefined) throw new ListenError("EINVAL", "The edge needs an address to listen on.", undefined);
  const context = contextOf(options);
  const callers = new WeakMap<Socket, InsideCaller>();
  const peers = new WeakMap<Socket, Peer>();
  const owners = new WeakMap<Socket, OwnPort>();
  const plain = new WeakSet<Socket>();
  let port = first.port;
  const publicPort = (): number => options.tls?.publicPort ?? port;
  const { server, lane, http2, tls } = httpServer(options, context, { callers, peers, owners, plain, publicPort });
  const connections = new Connections(server);
  const { sockets } = options;
  port = await listen(server, first, context.onError, sockets);
  const extra = new Map<string, Server>();
  const timer = setInterval(() => {
    context.sweep();
    lane.sweep();
    http2.sweep();
  }, sweepEveryMs);
  timer.unref();
  const onCaller = (socket: Socket, caller: InsideCaller): void => {
    callers.set(socket, caller);
    server.emit("connection", socket);
  };
  let inside: Server | undefined;
  let proxied: Server | undefined;

  const openDoor = async (key: string, place: ListenAddress, owner?: OwnPort): Promise<AddressResult> => {
    if (extra.has(key)) return { ok: true };
    const door = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      if (owner !== undefined) owners.set(socket, owner);
      if (key.startsWith(plainKey)) plain.add(socket);
      server.emit("connection", socket);
    });
    door.maxConnections = connectionsMax;
    extra.set(key, door);
    try {
      await listen(door, place, context.onError, sockets);
      return { ok: true };
    } catch (error) {
      extra.delete(key);
      if (error instanceof ListenError) return { ok: false, code: error.code, says: error.message };
      throw error;
    }
  };
  const addAddress = async (address: string): Promise<AddressResult> =>
    address === first.address ? { ok: true } : openDoor(address, { address, port });
  const removeAddress = async (address: string): Promise<void> => {
    const door = extra.get(address);
    extra.delete(address);
    door?.close();
  };
  const leave = (): void => {
    inside?.close();
    proxied?.close();
    for (const door of extra.values()) door.close();
    extra.clear();
  };
  const drain = async (withinMs: number): Promise<void> => {
    leave();
    context.isDraining = true;
    http2.close();
    await connections.drained(withinMs);
    await close();
  };
  const close = async (): Promise<void> => {
    leave();
    server.close();
    http2.close();
    await drained(context, () => {
      server.closeIdleConnections();
      lane.closeIdle();
    });
    clearInterval(timer);
    for (const carried of context.active) carried.breakOff();
    context.close();
    server.closeAllConnections();
    lane.closeAll();
    http2.destroy();
    tls?.close();
    connections.destroy();
  };
  const edge: Edge = {
    port,
    addAddress,
    addPort: (own, mark) =>
      openDoor(portName(own), { address: first.address, port: own }, { name: portName(own), jar: cookieJar(mark) }),
    removeAddress,
    addresses: () => [first.address, ...extra.keys()],
    busy: (replica) => context.busy(replica),
    tell: (request, told) => context.gradio.tell(request, told),
    learn: (worker, told) => context.learn(worker, told),
    allBusy: () => context.allBusy(),
    drain,
    close,
    [Symbol.asyncDispose]: close,
  };
  try {
    const { insidePath: path } = options;
    if (path !== undefined) inside = await openInsideDoor({ path, onCaller, onError: context.onError, sockets });
    if (options.proxyProtocol !== undefined) {
      proxied = proxyDoor(options, (socket, peer) => {
        peers.set(socket, peer);
        server.emit("connection", socket);
      });
      await listen(proxied, options.proxyProtocol, context.onError, sockets);
    }
    const plainPort = options.tls?.plainPort;
    const doors = others.map(({ address }) => addAddress(address));
    if (plainPort !== undefined)
      doors.push(openDoor(`${plainKey}${plainPort}`, { address: first.address, port: plainPort }));
    for (const added of await Promise.all(doors)) {
      if (!added.ok) throw new ListenError(added.code, added.says, undefined);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return edge;
}

function contextOf(options: EdgeOptions): EdgeContext {
  const { clock, random, identity, emitter, explainUrl, directory } = options;
  return new EdgeContext({
    directory,
    clock,
    random,
    identity,
    emitter,
    explainUrl,
    limits: { ...defaultLimits, ...options.limits },
    guard: { ...guardLimits, ...options.guard },
    deploymentName: options.deploymentName ?? defaultDeploymentName,
    onVisitorGone: options.onVisitorGone ?? (() => {}),
    onError: options.onError ?? rethrow,
    ...(options.share && { share: options.share }),
    ...(options.line && { line: options.line }),
    ...(options.lineSettled && { lineSettled: options.lineSettled }),
  });
}

/** Before the number, in the name of the door without TLS. */
const plainKey = "plain:";

/** Takes connections that begin with a PROXY header; what is none is counted as malformed, and answered by nothing. */
function proxyDoor(options: EdgeOptions, onVisitor: (socket: Socket, peer: Peer) => void): Server {
  const door = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) =>
    readProxyHead(socket, {
      isTrusted: (address) => options.proxies?.has(address) === true,
      onPeer: (peer) => onVisitor(socket, peer),
      onRefused: (address, says) =>
        void options.counter.count({ code: "route/malformed", host: "", address, sample: `PROXY protocol: ${says}` }),
    }),
  );
  door.maxConnections = connectionsMax;
  return door;
}

/** Behind which connections are read: each begins in the lane, and goes to the server with its first request that is not plain. */
interface HttpDoor {
  readonly server: HttpServer;
  readonly lane: QuickLane;
  readonly http2: Http2Door;
  readonly tls: TlsDoor | undefined;
}

interface KnownConnections {
  /** Who calls, of a connection from inside. */
  readonly callers: WeakMap<Socket, InsideCaller>;
  /** Whose connection it is, where a PROXY header told it. */
  readonly peers: WeakMap<Socket, Peer>;
  /** Which Space's port it came to. */
  readonly owners: WeakMap<Socket, OwnPort>;
  /** Those of the door without TLS. */
  readonly plain: WeakSet<Socket>;
  readonly publicPort: () => number;
}

/** A listener of one Space: the directory's name for it, and what keeps its cookies apart. */
interface OwnPort {
  readonly name: string;
  readonly jar: CookieJar;
}

type Looked = Pick<QuickRequest, "socket" | "rawHeaders"> & {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
};

interface Look {
  readonly peer: Peer;
  readonly owner: OwnPort | undefined;
  readonly inside: InsideCaller | undefined;
  readonly origin: ReturnType<typeof originOf>;
  readonly asSent: ReturnType<typeof screenRequest>;
}

function httpServer(
  options: EdgeOptions,
  context: EdgeContext,
  { callers, peers, owners, plain, publicPort }: KnownConnections,
): HttpDoor {
  const server = createHttpServer({
    headersTimeout: headWithinMs,
    requestTimeout: requestWithinMs,
    keepAliveTimeout: visitorIdleMs,
    maxHeaderSize: headMaxBytes,
    connectionsCheckingInterval: 5_000,
    // Ours says it with evidence.
    requireHostHeader: false,
    noDelay: true,
    keepAlive: true,
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
  });
  server.maxConnections = connectionsMax;
  // A head is bounded in bytes; a bound in lines would drop the rest of them without a word.
  server.maxHeadersCount = 0;
  const carriedOn = new WeakMap<Socket, { readonly exchange: Exchange; readonly request: IncomingMessage }>();
  const pending = new WeakMap<Socket, Set<ServerResponse>>();
  /** Connections on which something was no HTTP, and how many bytes had come by then. */
  const wrong = new WeakMap<Socket, number>();
  /** Connections that end with a refusal: what came behind it in the same packet is nobody's request. */
  const shut = new WeakSet<Socket>();
  const owes = (socket: Socket): boolean => (pending.get(socket)?.size ?? 0) > 0;
  const peerAt = (socket: Socket): Peer => peers.get(socket) ?? peerOf(socket);
  const isProxy = (socket: Socket): boolean => options.proxies?.has(peerOf(socket).address) === true;
  const strangers = strangerReplies(options, context, (socket) => peerAt(socket).address);
  const consoleHosts = new Set(options.consoleHosts);
  const { admits } = options;
  const isAdmitted = (socket: Socket): boolean =>
    admits === undefined ||
    callers.has(socket) ||
    peers.has(socket) ||
    isOwnMachine(socket) ||
    admits(peerOf(socket).address);

  /** What is read of a request's head before anything is decided. */
  const look = ({ socket, method = "", url = "", httpVersion, rawHeaders }: Looked): Look => {
    const peer = peerAt(socket);
    const owner = owners.get(socket);
    return {
      peer,
      owner,
      inside: callers.get(socket),
      origin: originOf(peer, rawHeaders, options.proxies),
      asSent: screenRequest(
        { method, url, httpVersion, rawHeaders },
        owner === undefined ? withoutConsoleCookies : (cookie) => withoutConsoleCookies(owner.jar.toApp(cookie)),
      ),
    };
  };
  /** A port is its Space's under the console's hosts: under a stranger's name a page elsewhere could speak to it as its own. */
  const askedBy = (host: string, owner: OwnPort | undefined): string =>
    owner === undefined ? host : consoleHosts.has(host) ? owner.name : "";
  const turnAwayOf =
    (
      who: Parameters<typeof credentialsOf>[0] & { readonly request: IncomingMessage },
      response: ServerResponse,
    ): TurnAway =>
    (code, extra) => {
      if (response.destroyed) return;
      const { request, screened, asked } = who;
      const { method = "", rawHeaders } = request;
      const isNothing = code === "route/no-such-space";
      const location = isNothing
        ? signInLocation(
            { method, rawHeaders, target: screened.target, place: asked },
            credentialsOf(who, undefined),
            options.appsDomain,
          )
        : undefined;
      if (location === undefined) strangers.answer(request, response, code, screened.host, extra);
      else response.writeHead(303, { location, "cache-control": "no-store", "content-length": "0" }).end();
    };

  const accept = (request: IncomingMessage, response: ServerResponse, upgrade?: UpgradeEnd): void => {
    const { socket } = request;
    const open = pending.get(socket) ?? new Set();
    const before = [...open].at(-1);
    pending.set(socket, open.add(response));
    response.once("close", () => open.delete(response));
    if (open.size > pipelinedMax) return void socket.destroy();
    // The parser reads nothing behind an upgrade, declined or not.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    // One after the other (RFC 9112 §9.3.2): what a request does may be what the next one asks for.
    if (before === undefined) handle(request, response, upgrade);
    else before.once("close", () => socket.destroyed || handle(request, response, upgrade));
  };
  /** `staysPlain`: it was asked already whether it may do without TLS. */
  const handle = (
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: UpgradeEnd,
    { staysPlain = false } = {},
  ): void => {
    if (shut.has(request.socket)) return;
    // RFC 9112 §9.6: what its client asks next it asks on another connection, which somebody else takes.
    if (context.isDraining) response.shouldKeepAlive = false;
    const malformed = (detail: string, host: string, status = 400): void => {
      shut.add(request.socket);
      strangers.answer(request, response, "route/malformed", host, { detail, status, close: true });
    };
    const { peer, origin, owner, inside, asSent } = look(request);
    noteVisitor(request, "detail" in origin ? { address: peer.address, proto: "http", host: undefined } : origin);
    if (!asSent.ok) return malformed(asSent.detail, asSent.host, asSent.status);
    if ("detail" in origin) return malformed(origin.detail, asSent.host);
    if (options.tls !== undefined && origin.proto === "http" && inside === undefined && !staysPlain) {
      const mayStay =
        !plain.has(request.socket) &&
        (isOwnMachine(request.socket) || peers.has(request.socket) || isProxy(request.socket));
      const visit = { screened: asSent, pairs: options.tls.pairs, mayStay, port: publicPort() };
      const done = answerPlain(request, response, visit);
      if (done === true) return;
      if (done !== false) {
        const goOn = (isDone: boolean): void => {
          if (!isDone && !response.destroyed) handle(request, response, upgrade, { staysPlain: true });
        };
        return void done.then(goOn).catch(context.onError);
      }
    }
    const screened = origin.host === undefined ? asSent : atHost(asSent, origin.host);
    if (upgrade !== undefined && screened.framing.kind !== "none")
      return malformed("Upgrade: not with a body", screened.host);
    if (!isAdmitted(request.socket))
      return strangers.answer(request, response, "route/no-such-space", screened.host, {
        detail:
          "This platform answers here to the proxy in front of it alone, which has TLS. Come by that one's address.",
        close: true,
      });
    const isConsole = consoleHosts.has(screened.host);
    if (isConsole && owner === undefined) return options.console(request, response, inside, upgrade);
    const asked = askedBy(screened.host, owner);
    if (isHandOver(screened.target) && inside === undefined) return options.console(request, response, inside, upgrade);
    const route = options.directory.find(asked);
    const isTold = route !== undefined && route.private !== true;
    const entered = context.guard.enter({
      ...{ space: isTold ? route.space : undefined, limits: isTold ? route.limits : undefined },
      address: inside === undefined ? origin.address : undefined,
    });
    const who = { request, screened, origin, asked, inside };
    const turnAway = turnAwayOf(who, response);
    if (!entered.ok) return turnAway(entered.code, entered);
    (upgrade?.socket ?? response).once("close", entered.leave);
    if (route === undefined) {
      return turnAwayFromNowhere(context, credentialsOf(who, undefined), turnAway);
    }
    const exchange = new Exchange(context, {
      ...{ ...who, response, jar: owner?.jar, route, upgrade, turnAway },
    });
    carriedOn.set(request.socket, { exchange, request });
    exchange.start();
  };

  /** What is still to come of a request is wrong, or does not come: it ends where it is carried, or is answered here where nothing was yet. */
  const cut = (
    request: IncomingMessage,
    { headersSent }: Pick<ServerResponse, "headersSent">,
    { detail, status }: { readonly detail: string; readonly status: number },
  ): void => {
    const { socket } = request;
    const carried = carriedOn.get(socket);
    const exchange = carried?.request === request ? carried.exchange : undefined;
    const isOver = exchange?.over === true;
    if (!isOver && exchange?.malformed(detail, status) === true) return;
    if (isOver || headersSent) socket.destroy();
    else strangers.raw(socket, detail, status, "");
  };

  server.on("request", accept);
  // What else is expected is refused there; node:http would answer it with a 417 that nothing tells of.
  server.on("checkExpectation", accept);
  server.on("checkContinue", (request, response) => {
    accept(request, response);
    if (!response.headersSent) response.writeContinue();
  });
  server.on("upgrade", (request, socket, head) => {
    const client = socket as Socket;
    // Other answers are still owed on it: HTTP cannot end there, and a second response cannot have its socket.
    if (owes(client)) return void client.destroy();
    accept(request, responseOn(request, client), { socket: client, first: head });
  });
  server.on("connect", (request, socket) => {
    if (owes(socket as Socket)) socket.destroy();
    else strangers.raw(socket as Socket, "CONNECT: not understood here", 400, request.headers.host ?? "");
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const client = socket as Socket;
    const fault = parserFault(error.code ?? "");
    const wrongAt = wrong.get(client);
    // Of what follows nothing is read; whoever sends on and on, or has ended, is waited for no more.
    if (wrongAt !== undefined && !client.readableEnded && client.bytesRead - wrongAt < drainMaxBytes) return;
    if (fault === undefined || wrongAt !== undefined || !client.writable) return void client.destroy();
    wrong.set(client, client.bytesRead);
    const owed = [...(pending.get(client) ?? [])];
    const last = owed.at(-1);
    const refuse = (): void =>
      fault === "closed" ? client.destroySoon() : strangers.raw(client, fault.detail, fault.status, "");
    // Between answers; while some are owed to requests that were right, it would land inside another's.
    if (last === undefined) return refuse();
    if (last.req.complete || fault === "closed") return void last.once("close", refuse);
    if (owed.length === 1) return cut(last.req, last, fault);
    cut(last.req, { headersSent: true }, fault);
  });
  const [take] = server.listeners("connection") as [(this: HttpServer, socket: Socket) => void];
  const direct = new DirectWay(context, {
    saidBy: (quick) => {
      const { owner, inside, origin, asSent } = look(quick);
      if (!asSent.ok || "detail" in origin || origin.host !== undefined || inside !== undefined) return undefined;
      if (options.tls !== undefined && origin.proto === "http") return undefined;
      if (!isAdmitted(quick.socket) || context.isLoop(asSent.cdnLoop)) return undefined;
      if (owner === undefined && consoleHosts.has(asSent.host)) return undefined;
      const request = { method: "GET", rawHeaders: quick.rawHeaders } as const;
      const asked = askedBy(asSent.host, owner);
      return new Said({ request, screened: asSent, origin, asked, jar: owner?.jar, via: context.via });
    },
    accepted: (quick, quickResponse, { screened: first, origin, asked, jar }, route) => {
      const request = quick as unknown as IncomingMessage;
      const response = quickResponse as unknown as ServerResponse;
      const screened = { ...first, target: quick.url };
      const who = { request, screened, origin, asked, inside: undefined };
      noteVisitor(request, origin);
      return { ...who, response, jar, route, upgrade: undefined, turnAway: turnAwayOf(who, response) };
    },
  });
  const lane = new QuickLane({
    accept: (quick, response, sayings, upgrade) => {
      if (upgrade === undefined && direct.take(quick, response, sayings)) return true;
      const host = screenedHost(quick.rawHeaders);
      if (host === undefined || consoleHosts.has(host) || isHandOver(quick.url)) return false;
      // They have what an exchange needs.
      handle(quick as unknown as IncomingMessage, response as unknown as ServerResponse, upgrade);
      return true;
    },
    handOver: (socket) => take.call(server, socket),
    cut: (quick, response, fault) => cut(quick as unknown as IncomingMessage, response, fault),
    memory: context.memory,
    monotonic: () => context.clock.monotonic(),
  });
  /** What is known of a connection holds of what it carries. */
  const onCarrier = (socket: Socket, carrier: Socket): void => {
    const [peer, owner] = [peers.get(carrier), owners.get(carrier)];
    if (peer !== undefined) peers.set(socket, peer);
    if (owner !== undefined) owners.set(socket, owner);
    if (plain.has(carrier)) plain.add(socket);
  };
  const takeHttp1 = (socket: Socket): void => {
    // Those of a proxy in front may be for the console whatever their host says.
    if (peers.has(socket) || isProxy(socket)) take.call(server, socket);
    else lane.take(socket);
  };
  const tls =
    options.tls &&
    openTls({
      pairs: options.tls.pairs,
      onError: context.onError,
      onSecure: (socket, carrier) => {
        onCarrier(socket, carrier);
        // What a proxy said of the connection holds but for this: it passed on what it could not read.
        const peer = peers.get(socket);
        if (peer !== undefined) peers.set(socket, { ...peer, secure: true });
        if (socket.alpnProtocol === "h2") http2.take(socket);
        else takeHttp1(socket);
      },
    });
  const http2 = openHttp2({
    random: options.random,
    monotonic: () => context.clock.monotonic(),
    onConnection: (socket) => take.call(server, socket),
    onCarrier,
    onMalformed: (socket, { detail, host }) => strangers.raw(socket, detail, 400, host),
  });
  const admit = (socket: Socket): boolean => {
    const { address } = peerAt(socket);
    // What a trusted proxy carries is many visitors'; each of their requests counts by its own address.
    if (!peers.has(socket) && isProxy(socket)) return true;
    const leave = context.guard.connect(address);
    if (leave !== undefined) socket.once("close", leave);
    else strangers.raw(socket, "This address has as many connections open as it may have.", 429, "");
    return leave !== undefined;
  };
  server.removeAllListeners("connection").on("connection", (socket: Socket) => {
    // A caller from inside speaks nothing else than HTTP/1.1.
    if (callers.has(socket)) return take.call(server, socket);
    if (!admit(socket)) return;
    readFirstBytes(socket, {
      withinMs: headWithinMs,
      onSpoken: (spoke, spoken) => {
        if (spoken === "http/2") return http2.take(spoke);
        if (spoken === "tls" && tls !== undefined) return tls.take(spoke);
        spoke.resume();
        takeHttp1(spoke);
      },
    });
  });
  return { server, lane, http2, tls };
}

function peerOf(socket: Socket): Peer {
  return {
    address: plainAddress(socket.remoteAddress) ?? "unknown",
    secure: (socket as Partial<TLSSocket>).encrypted === true,
  };
}

/** For the host that a trusted proxy was asked for. */
function atHost(screened: Screened, hostAsSent: string): Screened {
  const host = parseHost(hostAsSent)?.name;
  return host === undefined ? screened : { ...screened, host, hostAsSent };
}

/**
 * What the parser or its timer found wrong; undefined where there is nobody left to be told. `closed`: something came after a request
 * that was to be the last one, which is read no more (RFC 9112 §9.6).
 */
function parserFault(code: string): { readonly status: number; readonly detail: string } | "closed" | undefined {
  if (code === "HPE_CLOSED_CONNECTION") return "closed";
  if (code === "HPE_HEADER_OVERFLOW") return { status: 431, detail: `request head: longer than ${headMaxBytes} bytes` };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return { status: 408, detail: "request: not whole in time" };
  if (code.startsWith("HPE_"))
    return { status: 400, detail: `request: not valid HTTP/1.1 (${code.slice(4).toLowerCase().replaceAll("_", " ")})` };
  return undefined;
}

/** A response over a socket that node:http has let go of, so that a refused upgrade is answered like any request. */
export function responseOn(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  socket.on("error", () => socket.destroy());
  response.assignSocket(socket);
  response.on("finish", () => socket.destroySoon());
  return response;
}

/** Resolves when nothing is under way any more, at the latest after {@link closeGraceMs}. */
async function drained(context: EdgeContext, closeIdle: () => void): Promise<void> {
  const until = context.clock.monotonic() + closeGraceMs;
  closeIdle();
  while (context.active.size > 0 && context.clock.monotonic() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    closeIdle();
  }
}

function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
