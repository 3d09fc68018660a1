/** The server's side of an edge in processes of its own: tells it what it has to know, as it changes, and answers what it asks. */
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { edgeProtocol } from "../contract/edge.ts";
import type { EdgeKey, EdgeReport, EdgeTerms, FromEdge } from "../contract/edge.ts";
import type { EdgeWorkerView } from "../contract/status.ts";
import { listenError } from "../edge/index.ts";
import type { AddressResult, CallTold, SpaceRoute, TlsPairs } from "../edge/index.ts";
import type { FoundSession } from "../identity/sessions.ts";
import type { FoundToken } from "../identity/token-resolver.ts";
import { readLines, writeLine } from "./edge-lines.ts";
import type { Copied, EdgeChange, ForEdge } from "./edge-copy.ts";
import { listenOnOwn } from "./own-socket.ts";

/** How often it is looked whether a Space's route has changed; what a replica tells is looked at in the same turn. */
const lookEveryMs = 200;
/** Of the time that passes, looking may take no more than this share. */
const lookShare = 0.1;
/** A sign of life for an edge that nothing else is told. */
const tickEveryMs = 1_000;
/** Edges at a time: the one that serves and its successor, and what an operator tries beside. */
const edgesMax = 8;
/** A worker that has not said for so long that it has a change is not waited for: it says something every second, or is being ended. */
const heardWithinMs = 30_000;
/** Wakes that one edge waits for. */
const wakesMax = 10_000;

export interface EdgeDeskParts {
  /** The socket's path; what lies there is an earlier server's. */
  readonly path: string;
  readonly terms: EdgeTerms;
  /** Of visitors' tokens, the one to mint with first. */
  readonly keys: () => readonly EdgeKey[];
  /** Resolves when the nodes have said what runs there: before, a Space whose app runs would be told to be down. */
  readonly ready: Promise<void>;
  readonly spaces: {
    entries(): Iterable<Omit<Copied, "lines">>;
    entry(id: string): Omit<Copied, "lines"> | undefined;
    used(id: string): void;
    wake(id: string, account: string | null, gone: AbortSignal): Promise<SpaceRoute | undefined>;
  };
  readonly spaceOf: (replica: string) => string | undefined;
  readonly replicasOf: (space: string) => readonly string[];
  /** As the edge asks it in one process. */
  readonly line: (replica: string) => number | undefined;
  readonly tiers: ReadonlyMap<string, string>;
  /** Organisations with their members. */
  readonly members: Iterable<readonly [string, readonly string[]]>;
  readonly tokens: {
    find(hash: string): Promise<FoundToken | undefined>;
    touch(id: string): Promise<void>;
  };
  session(id: string): Promise<FoundSession | undefined>;
  /** Certificates of an edge that speaks TLS. */
  readonly pairs: TlsPairs | undefined;
  readonly now: () => number;
  readonly onCounted: (rows: readonly unknown[]) => Promise<void>;
  readonly onVisitorGone: (request: string) => Promise<void>;
  /** A worker has begun an epoch: what its emitter left open before ended with an earlier process. */
  readonly onWorker: (name: string, epoch: number) => Promise<void>;
  readonly onFailure: (what: string, error: unknown) => void;
}

interface Worker {
  readonly epoch: number;
  readonly pid: number;
  report: EdgeReport | undefined;
  reportedAt: number;
}

interface Connection {
  readonly socket: Socket;
  version: string;
  readonly workers: Map<string, Worker>;
  readonly wakes: Map<string, AbortController>;
}

type WithoutNumber<One> = One extends unknown ? Omit<One, "n"> : never;

/** Rejects where the socket cannot be made. */
export async function openEdgeDesk(parts: EdgeDeskParts): Promise<EdgeDesk> {
  const desk = new EdgeDesk(parts);
  await desk.open();
  return desk;
}

export class EdgeDesk implements AsyncDisposable {
  readonly #parts: EdgeDeskParts;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #addresses = new Set<string>();
  readonly #ports = new Map<number, string>();
  readonly #tiers = new Map<string, string>();
  readonly #members: Map<string, readonly string[]>;
  /** As they were told: the document, and the number that it had. */
  readonly #told = new Map<string, { readonly text: string; readonly n: number; readonly space: Copied }>();
  #n = 0;
  #tokenChanges = 0;
  /** Who waits until all workers have that change. */
  readonly #awaited = new Set<{ readonly n: number; readonly heard: () => void }>();
  #look: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  readonly #tick: NodeJS.Timeout;

  constructor(parts: EdgeDeskParts) {
    this.#parts = parts;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = edgesMax;
    this.#tick = setInterval(() => this.#tell({ type: "tick" }), tickEveryMs).unref();
    this.#members = new Map(parts.members);
    for (const [account, tier] of parts.tiers) this.#tiers.set(account, tier);
  }

  async open(): Promise<void> {
    const { path, onFailure } = this.#parts;
    await listenOnOwn(this.#server, path, (error) => onFailure("the edges' socket", error));
    this.#lookAgain();
  }

  get port(): number {
    return this.#parts.terms.port;
  }

  get workers(): readonly EdgeWorkerView[] {
    const now = this.#parts.now();
    return [...this.#connections].flatMap(({ workers }) =>
      [...workers].map(([name, { pid, epoch, report, reportedAt }]) => ({
        ...{ name, pid, epoch },
        behind: this.#n - (report?.got ?? 0),
        heardMs: report === undefined ? null : Math.round(now - reportedAt),
      })),
    );
  }

  /** Requests under way to this replica. More than none also where it is not known: no worker is there, or one still sends it requests. */
  busy(replica: string): number {
    const id = this.#parts.spaceOf(replica);
    if (id !== undefined) this.#lookAt(id);
    const since = (id === undefined ? undefined : this.#told.get(id)?.n) ?? 0;
    let known = 0;
    let unknown = this.#connections.size === 0 ? 1 : 0;
    for (const { workers } of this.#connections) {
      // Its workers have said nothing yet, and may carry requests since before this server began.
      if (workers.size === 0) unknown = 1;
      for (const { report } of workers.values()) {
        if (report === undefined || report.got < since) unknown = 1;
        known += report?.busy[replica] ?? 0;
      }
    }
    return known + unknown;
  }

  addAddress(address: string): Promise<AddressResult> {
    if (!this.#addresses.has(address)) {
      this.#addresses.add(address);
      this.#change({ type: "address", address });
    }
    return Promise.resolve({ ok: true });
  }

  /**
   * A port that nobody had before is tried here first: whatever other program has it, the next one is given. One that is the Space's
   * already is the edge's to open, which may have it open since an earlier server; the edge's log says where it cannot.
   */
  async addPort(port: number, mark: string, isNew: boolean): Promise<AddressResult> {
    const tried = isNew ? await isFree(this.#parts.terms.address, port) : { ok: true as const };
    if (tried.ok && this.#ports.get(port) !== mark) {
      this.#ports.set(port, mark);
      this.#change({ type: "port", port, mark });
    }
    return tried;
  }

  tell(request: string, told: CallTold): void {
    this.#tell({ type: "tell", request, told });
  }

  /** Something of a replica has changed. */
  soon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#lookAtAll();
    });
  }

  tier(account: string, tier: string): void {
    if (this.#tiers.get(account) === tier) return;
    this.#tiers.set(account, tier);
    this.#tokenChanges += 1;
    this.#change({ type: "tier", account, tier });
  }

  members(organisation: string, accounts: readonly string[]): void {
    this.#members.set(organisation, accounts);
    this.#change({ type: "members", organisation, accounts });
  }

  tokenChanged(id: string): void {
    this.#tokenChanges += 1;
    this.#change({ type: "token-changed", id });
  }

  /** Resolves when each worker goes by the keys as they are now, with those that have not said so in time. */
  async keysChanged(): Promise<readonly string[]> {
    const n = this.#change({ type: "keys", keys: this.#parts.keys() });
    if (!this.#haveAll(n)) await this.#heard(n);
    const behind = this.#behind(n);
    if (behind.length > 0)
      this.#parts.onFailure("keys of visitors' tokens", new Error(`not known to be taken by ${behind.join("; ")}`));
    return behind;
  }

  async #heard(n: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = { n, heard: resolve };
    const late = setTimeout(resolve, heardWithinMs);
    this.#awaited.add(awaited);
    await promise;
    clearTimeout(late);
    this.#awaited.delete(awaited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { heard } of this.#awaited) heard();
    clearInterval(this.#tick);
    clearTimeout(this.#look);
    clearImmediate(this.#soon);
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    for (const { socket } of this.#connections) socket.destroy();
    await closed;
  }

  // ---- what edges are told

  #lookAgain(): void {
    const began = performance.now();
    this.#lookAtAll();
    const took = performance.now() - began;
    this.#look = setTimeout(() => this.#lookAgain(), Math.max(lookEveryMs, took / lookShare)).unref();
  }

  #lookAtAll(): void {
    const seen = new Set<string>();
    for (const entry of this.#parts.spaces.entries()) {
      seen.add(entry.space);
      this.#compare(entry);
    }
    for (const id of this.#told.keys()) {
      if (seen.has(id)) continue;
      this.#told.delete(id);
      this.#change({ type: "space-gone", id });
    }
  }

  #lookAt(id: string): void {
    const entry = this.#parts.spaces.entry(id);
    if (entry !== undefined) this.#compare(entry);
  }

  #compare(entry: Omit<Copied, "lines">): void {
    const space: Copied = { ...entry, lines: this.#linesOf(entry.space) };
    const text = JSON.stringify(space);
    if (this.#told.get(entry.space)?.text === text) return;
    const n = this.#change({ type: "space", space });
    this.#told.set(entry.space, { text, n, space });
  }

  /** Of all its replicas: a request may be under way to one that gets no others any more. */
  #linesOf(space: string): Record<string, number | null> {
    return Object.fromEntries(
      this.#parts.replicasOf(space).flatMap((id) => {
        const line = this.#parts.line(id);
        return line === 0 ? [] : [[id, line ?? null] as const];
      }),
    );
  }

  #change(change: WithoutNumber<EdgeChange>): number {
    this.#n += 1;
    this.#tell({ ...change, n: this.#n });
    return this.#n;
  }

  #tell(message: ForEdge): void {
    for (const { socket, version } of this.#connections) if (version !== "") writeLine(socket, message);
  }

  /** Whether all that carry requests have this change, but those that say nothing. An edge that has not named its workers yet may have some of before. */
  #haveAll(n: number): boolean {
    const now = this.#parts.now();
    return [...this.#connections].every(
      ({ workers }) =>
        workers.size > 0 &&
        [...workers.values()].every((worker) => hasChange(worker, n) || now - worker.reportedAt > heardWithinMs),
    );
  }

  /** Who does not go by this change, as far as they have said, in words. */
  #behind(n: number): readonly string[] {
    return [...this.#connections].flatMap(({ workers }) => {
      if (workers.size === 0) return ["an edge that has named no workers yet"];
      const late = [...workers].filter(([, worker]) => !hasChange(worker, n));
      return late.map(([name, { pid }]) => `${name}, process ${pid}`);
    });
  }

  #settleAwaited(): void {
    for (const { n, heard } of this.#awaited) if (this.#haveAll(n)) heard();
  }

  // ---- what they say

  #accept(socket: Socket): void {
    const connection: Connection = { socket, version: "", workers: new Map(), wakes: new Map() };
    this.#connections.add(connection);
    readLines(socket, (document) => this.#onMessage(connection, document as FromEdge));
    socket.on("error", (error) => this.#parts.onFailure("an edge's connection", error));
    socket.once("close", () => {
      this.#connections.delete(connection);
      for (const wake of connection.wakes.values()) wake.abort();
      this.#settleAwaited();
    });
  }

  #onMessage(connection: Connection, message: FromEdge): void {
    const { spaces, tokens, now, onCounted, onVisitorGone, onWorker } = this.#parts;
    const { socket, workers, wakes } = connection;
    switch (message.type) {
      case "hello":
        if (message.protocol !== edgeProtocol)
          throw new Error(`the edge's version ${message.version} speaks otherwise than this server: use one version`);
        return this.#settle(
          "an edge's copy",
          this.#parts.ready.then(() => this.#tellAll(connection, message.version)),
        );
      case "worker":
        workers.set(message.name, { epoch: message.epoch, pid: message.pid, report: undefined, reportedAt: now() });
        return this.#settle("an edge worker's epoch", onWorker(message.name, message.epoch));
      case "worker-ended":
        if (workers.get(message.name)?.epoch === message.epoch) workers.delete(message.name);
        this.#settleAwaited();
        // What it left open is told as such when the epoch after it is known.
        return message.closed ? undefined : this.#settle("a worker's end", onWorker(message.name, message.epoch + 1));
      case "report": {
        const worker = workers.get(message.name);
        if (worker === undefined) return;
        worker.report = message;
        worker.reportedAt = now();
        this.#settleAwaited();
        for (const id of message.used) spaces.used(id);
        if (message.counted.length > 0) this.#settle("an edge's counters", onCounted(message.counted));
        return;
      }
      case "wake":
        return this.#settle("a wake", this.#answered(socket, this.#wake(connection, message)));
      case "unwake":
        return wakes.get(message.ask)?.abort();
      case "sync":
        this.#lookAtAll();
        return writeLine(socket, { type: "synced", ask: message.ask } satisfies ForEdge);
      case "find-token":
        return this.#settle("a token that an edge asks for", this.#answered(socket, this.#find(socket, message)));
      case "find-session":
        return this.#settle("a session that an edge asks for", this.#answered(socket, this.#session(socket, message)));
      case "find-pair":
        return this.#settle("a certificate that an edge asks for", this.#answered(socket, this.#pair(socket, message)));
      case "find-challenge":
        return this.#settle("an authority's question", this.#answered(socket, this.#challenge(socket, message)));
      case "touch-token":
        return this.#settle("a token's last use", tokens.touch(message.id));
      case "visitor-gone":
        return this.#settle("a visitor's leave", onVisitorGone(message.request));
    }
  }

  #tellAll(connection: Connection, version: string): void {
    this.#lookAtAll();
    connection.version = version;
    writeLine(connection.socket, {
      ...{ type: "copy", n: this.#n, terms: this.#parts.terms, keys: this.#parts.keys() },
      ...{ tokens: [], pairs: [] },
      spaces: [...this.#told.values()].map(({ space }) => space),
      tiers: [...this.#tiers],
      members: [...this.#members],
      addresses: [...this.#addresses],
      ports: [...this.#ports],
    } satisfies ForEdge);
  }

  async #wake(
    { socket, wakes }: Connection,
    { ask, space, account }: Extract<FromEdge, { type: "wake" }>,
  ): Promise<void> {
    if (wakes.size >= wakesMax) return writeLine(socket, { type: "woken", ask, route: null } satisfies ForEdge);
    const gone = new AbortController();
    wakes.set(ask, gone);
    gone.signal.addEventListener("abort", () => wakes.delete(ask));
    const route = await this.#parts.spaces.wake(space, account, gone.signal);
    wakes.delete(ask);
    // What it is sent to is known to it first.
    this.#lookAt(space);
    writeLine(socket, { type: "woken", ask, route: route ?? null } satisfies ForEdge);
  }

  /** As it is when it is told: one that is revoked, or whose account's tier changes, while it is looked up is looked up again. */
  async #find(socket: Socket, { ask, hash }: Extract<FromEdge, { type: "find-token" }>): Promise<void> {
    for (;;) {
      const changes = this.#tokenChanges;
      const found = await this.#parts.tokens.find(hash);
      if (changes === this.#tokenChanges)
        return writeLine(socket, { type: "token", ask, hash, found: found ?? null } satisfies ForEdge);
    }
  }

  async #session(socket: Socket, { ask, id }: Extract<FromEdge, { type: "find-session" }>): Promise<void> {
    const found = (await this.#parts.session(id)) ?? null;
    writeLine(socket, { type: "session", ask, found } satisfies ForEdge);
  }

  async #pair(socket: Socket, { ask, asked }: Extract<FromEdge, { type: "find-pair" }>): Promise<void> {
    const pair = await this.#parts.pairs?.pairFor({ name: asked.name ?? undefined, address: asked.address });
    const found = pair === undefined ? null : { cert: pair.cert, key: pair.key };
    writeLine(socket, { type: "pair", ask, asked, found } satisfies ForEdge);
  }

  async #challenge(socket: Socket, { ask, token }: Extract<FromEdge, { type: "find-challenge" }>): Promise<void> {
    const answer = (await this.#parts.pairs?.challenge(token)) ?? null;
    writeLine(socket, { type: "challenge", ask, answer } satisfies ForEdge);
  }

  /** What cannot be answered ends the line: an edge takes that for a server that is away, and does not wait. */
  async #answered(socket: Socket, answer: Promise<void>): Promise<void> {
    try {
      await answer;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #settle(what: string, done: Promise<unknown>): void {
    done.catch((error: unknown) => this.#parts.onFailure(what, error));
  }
}

async function isFree(host: string, port: number): Promise<AddressResult> {
  const server = createServer();
  const opened = Promise.withResolvers<AddressResult>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    const { code, message: says } = listenError(error, host, port);
    opened.resolve({ ok: false, code, says });
  });
  server.listen({ host, port, exclusive: true }, () => server.close(() => opened.resolve({ ok: true })));
  return opened.promise;
}

function hasChange({ report }: Worker, n: number): boolean {
  return report !== undefined && report.got >= n;
}
