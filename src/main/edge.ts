/**
 * `waybill edge`: the edge as processes of its own. This one has the listening sockets and the copy of what the server knows; its
 * workers carry the requests. It takes no connection and answers nothing, so there is little in it that can fail.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { exit } from "../cli/exit.ts";
import { requireReach } from "../cli/folder.ts";
import { CliFailure } from "../cli/failures.ts";
import type { EdgeRoleOptions } from "../cli/world.ts";
import { edgeSockets } from "../contract/edge.ts";
import type { FromEdge } from "../contract/edge.ts";
import { systemClock } from "./clock.ts";
import { dataFolder } from "./config.ts";
import type { ForEdge } from "./edge-copy.ts";
import { EdgeLine } from "./edge-line.ts";
import type { FromWorker, ToWorker } from "./edge-messages.ts";
import { ListeningSockets } from "./listening.ts";
import { PlacedSessions } from "./placed-sessions.ts";
import type { PlatformLog } from "./platform.ts";
import { aborted, prepareProcess } from "./starting.ts";
import type { UpWorld } from "./starting.ts";

/** A worker that ended by itself is followed at once; one that ends again and again after these, the last one from then on. */
const againAfterMs = [0, 200, 1_000, 5_000] as const;
/** A worker that lived for so long had not failed by its start. */
const begunAfterMs = 10_000;
/** A worker that has taken nothing of what waits for it for so long is stuck: what is told meanwhile is all that is ever kept for it. */
const stuckAfterMs = 30_000;
/** Workers that are being left, beside those that serve: more reloads than this at a time wait for the earlier ones. */
const slotsMax = 256;

/** Resolves with the exit code when it was told to stop. Throws a `CliFailure` where it cannot start. */
export async function edge(options: EdgeRoleOptions, { env, version, signal }: UpWorld): Promise<number> {
  const data = dataFolder(env, options.data);
  requireReach(data);
  const log = prepareProcess(options);
  await using keeper = new EdgeKeeper({ data, options, version, log });
  const onReload = (): void => keeper.reload();
  process.on("SIGHUP", onReload);
  using _off = { [Symbol.dispose]: () => void process.off("SIGHUP", onReload) };
  const stopped = aborted(signal);
  const ready = await Promise.race([keeper.ready, stopped]);
  if (ready === undefined) return exit.done;
  if (options.json) process.stdout.write(`${JSON.stringify({ ready: true, port: ready.port, pids: keeper.pids })}\n`);
  else
    process.stderr.write(
      `Waybill ${version} edge: ${options.workers} of ${options.workers} workers on port ${ready.port}\n`,
    );
  await stopped;
  return exit.done;
}

interface Slot {
  readonly name: string;
  readonly child: ChildProcess;
  readonly startedAt: number;
  /** `leaving`: it brings what is under way to its end, and takes nothing more. */
  stage: "starting" | "serving" | "leaving";
  epoch: number | undefined;
  /** Messages that it has not taken yet, and when it took one last, or the first of these was written. */
  unsent: number;
  movedAt: number;
  /** Whose place it takes when it serves. */
  readonly follows: readonly Slot[];
}

interface EdgeKeeperParts {
  readonly data: string;
  readonly options: EdgeRoleOptions;
  readonly version: string;
  readonly log: PlatformLog;
}

class EdgeKeeper implements AsyncDisposable {
  readonly ready: Promise<{ readonly port: number }>;
  readonly #ready = Promise.withResolvers<{ readonly port: number }>();
  readonly #parts: EdgeKeeperParts;
  readonly #sockets = new ListeningSockets();
  readonly #line: EdgeLine;
  readonly #sessions = new PlacedSessions();
  readonly #slots = new Map<string, Slot>();
  #endsInARow = 0;
  #isOver = false;
  #isBegun = false;
  #reloadWaits = false;

  constructor(parts: EdgeKeeperParts) {
    this.#parts = parts;
    this.ready = this.#ready.promise;
    this.#line = new EdgeLine({
      path: join(parts.data, edgeSockets.control),
      version: parts.version,
      clock: systemClock,
      greeting: () => [...this.#slots.values()].flatMap(workerMessage),
      onMessage: (message) => this.#onServer(message),
      onAway: (since) => this.#tellAll({ kind: "away", since }),
      onFailure: (error) => parts.log.warn({ error: error.message }, "no server is there"),
    });
    this.#line.dial();
  }

  get pids(): readonly number[] {
    return [...this.#slots.values()].flatMap(({ stage, child }) => (stage === "serving" ? [child.pid ?? 0] : []));
  }

  /** Workers of the program as it lies on the disk now take the places of those that serve. */
  reload(): void {
    const serving = [...this.#slots.values()].filter(({ stage }) => stage === "serving");
    const isStarting = [...this.#slots.values()].some(({ stage }) => stage === "starting");
    // One after the other: what is starting now is of the program that was there then.
    this.#reloadWaits = isStarting;
    if (isStarting || !this.#isBegun) return;
    for (const slot of serving) this.#start([slot]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    // Nobody follows: what comes from now on is refused, and not left in a queue that nobody reads.
    this.#sockets[Symbol.dispose]();
    const ended = [...this.#slots.values()].map(
      ({ child }) => new Promise<void>((done) => (isOver(child) ? done() : child.once("exit", () => done()))),
    );
    for (const slot of this.#slots.values()) this.#leave(slot, this.#parts.options.drainMs);
    await Promise.all(ended);
    this.#line[Symbol.dispose]();
  }

  // ---- workers

  /** `named`: the one whose place it takes has ended, so that the end of its epoch is told by the next one. */
  #start(follows: readonly Slot[], named?: string): void {
    const name = named ?? this.#freeName();
    const copy = this.#line.copy;
    if (name === undefined || copy === undefined || this.#isOver) return;
    const file = join(import.meta.dirname, import.meta.url.endsWith(".ts") ? "edge-worker.ts" : "edge-worker.js");
    const child = fork(file, [name, this.#parts.data], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const slot: Slot = {
      name,
      child,
      startedAt: systemClock.monotonic(),
      stage: "starting",
      epoch: undefined,
      unsent: 0,
      movedAt: 0,
      follows,
    };
    this.#slots.set(name, slot);
    child.on("message", (message: FromWorker) => this.#onWorker(slot, message));
    child.on("error", (error) => this.#parts.log.error({ worker: name, error: error.message }, "an edge worker"));
    child.once("exit", (code, signal) => this.#onExit(slot, code ?? signal));
    this.#tell(slot, { kind: "server", message: copy.whole() });
    this.#tell(slot, { kind: "away", since: this.#line.awaySince });
    this.#tell(slot, { kind: "sessions", sessions: this.#sessions.all() });
  }

  /** No two that live share one: each is an emitter. */
  #freeName(): string | undefined {
    for (let n = 1; n <= slotsMax; n++) if (!this.#slots.has(`edge-${n}`)) return `edge-${n}`;
    this.#parts.log.error({}, `${slotsMax} workers are being left already: none is started`);
    return undefined;
  }

  #onWorker(slot: Slot, message: FromWorker): void {
    switch (message.kind) {
      case "server":
        if (message.message.type === "worker") slot.epoch = message.message.epoch;
        return this.#line.say(addressed(message.message, slot.name));
      case "socket": {
        const opened = this.#isOver ? { ok: false as const, code: "ECANCELED" } : this.#sockets.at(message.place);
        if (opened.ok) return this.#tell(slot, { kind: "socket", id: message.id }, opened.socket);
        return this.#tell(slot, { kind: "socket", id: message.id, failed: opened.code });
      }
      case "shared":
        if (message.told.type === "session") this.#sessions.keep(message.told);
        return this.#tellOthers(slot, message.told);
      case "ready":
        slot.stage = "serving";
        for (const before of slot.follows) this.#leave(before, this.#parts.options.drainMs);
        return this.#onServing();
      case "leaving":
        // It goes on until another one is there.
        if (slot.stage === "serving" && !this.#isOver) this.#start([slot]);
        return;
      case "failed":
        return this.#onFailed(message.says);
    }
  }

  #onServing(): void {
    const stages = [...this.#slots.values()].map(({ stage }) => stage);
    if (stages.filter((stage) => stage === "serving").length >= this.#parts.options.workers)
      this.#ready.resolve({ port: this.#line.copy?.terms.port ?? 0 });
    if (this.#reloadWaits && !stages.includes("starting")) this.reload();
  }

  /** Where the first ones cannot begin nobody ever will: the command ends with the reason. */
  #onFailed(says: string): void {
    this.#parts.log.error({}, says);
    this.#ready.reject(
      new CliFailure(exit.failed, {
        code: "edge-failed",
        says,
        next: "Correct it (what has the port is stopped, or the server is given another one with --port), then start it again.",
      }),
    );
  }

  #leave(slot: Slot, withinMs: number): void {
    slot.stage = "leaving";
    this.#tell(slot, { kind: "drain", withinMs });
  }

  #onExit(slot: Slot, how: number | string | null): void {
    this.#slots.delete(slot.name);
    const { name, epoch } = slot;
    this.#tellOthers(slot, "ended");
    if (epoch !== undefined) this.#line.say({ type: "worker-ended", name, epoch, closed: how === 0 });
    if (slot.stage === "leaving" || this.#isOver) return;
    const livedMs = systemClock.monotonic() - slot.startedAt;
    this.#endsInARow = livedMs > begunAfterMs ? 0 : this.#endsInARow + 1;
    const afterMs = againAfterMs[Math.min(this.#endsInARow, againAfterMs.length - 1)];
    this.#parts.log.error(
      { worker: slot.name, how, livedMs, afterMs },
      "an edge worker ended; another takes its place",
    );
    setTimeout(() => {
      const isTaken = this.#slots.has(name);
      this.#start(
        slot.follows.filter(({ stage }) => stage === "serving"),
        isTaken ? undefined : name,
      );
    }, afterMs);
  }

  // ---- the server

  #onServer(message: ForEdge): void {
    if (message.type === "copy") return this.#onCopy();
    if (message.type === "tick") return;
    if ("ask" in message) {
      const [name = "", ask = ""] = message.ask.split(" ");
      const asker = this.#slots.get(name);
      if (asker) this.#tell(asker, { kind: "server", message: { ...message, ask } });
      if (message.type !== "token" && message.type !== "pair") return;
      // A token or a certificate that one of them has seen all of them know while no server is there.
      for (const slot of this.#slots.values())
        if (slot !== asker) this.#tell(slot, { kind: "server", message: { ...message, ask: "" } });
      return;
    }
    this.#tellAll({ kind: "server", message });
  }

  #onCopy(): void {
    const copy = this.#line.copy;
    if (copy === undefined) return;
    this.#tellAll({ kind: "server", message: copy.whole() });
    if (this.#isBegun) return;
    this.#isBegun = true;
    for (let n = 0; n < this.#parts.options.workers; n++) this.#start([]);
  }

  #tellOthers({ name: worker }: Slot, told: Extract<ToWorker, { kind: "shared" }>["told"]): void {
    for (const slot of this.#slots.values())
      if (slot.name !== worker) this.#tell(slot, { kind: "shared", worker, told });
  }

  #tellAll(message: ToWorker): void {
    for (const slot of this.#slots.values()) this.#tell(slot, message);
  }

  #tell(slot: Slot, message: ToWorker, socket?: object): void {
    const { child, name } = slot;
    if (!child.connected) return;
    const now = systemClock.monotonic();
    if (slot.unsent === 0) slot.movedAt = now;
    if (now - slot.movedAt > stuckAfterMs) {
      this.#parts.log.error({ worker: name, unsent: slot.unsent }, "an edge worker hears nothing, and is ended");
      return void child.kill("SIGKILL");
    }
    slot.unsent += 1;
    // A worker that ends hears nothing more: its exit is what is acted on.
    child.send(message, socket as never, {}, () => {
      slot.unsent -= 1;
      slot.movedAt = systemClock.monotonic();
    });
  }
}

function workerMessage({ name, epoch, child }: Slot): FromEdge[] {
  return epoch === undefined ? [] : [{ type: "worker", name, epoch, pid: child.pid ?? 0 }];
}

/** Answers find their worker by it. */
function addressed(message: FromEdge, name: string): FromEdge {
  return "ask" in message ? { ...message, ask: `${name} ${message.ask}` } : message;
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
