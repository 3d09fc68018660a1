/**
 * The process beside one replica. It starts the app, keeps its log, carries its connections, gives it a Device API, and
 * outlives the agent. Its end is the replica's end.
 *
 *   starting ─► ready ─► exited          by itself, or because it never listened
 *       └─────────┴────► stopped         on an order, or SIGTERM to the shim
 */
import { chmodSync, rmSync, statSync } from "node:fs";
import { connect, type Server } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { ReplicaPhase, ReplicaStatus } from "../../contract/agent.ts";
import { shimContract } from "../../contract/shim.ts";
import type { AgentToShim, GpuOrder, ShimToAgent } from "../../contract/shim.ts";
import type { Code } from "../../evidence/codes.ts";
import type { Facts } from "../../evidence/entry.ts";
import { durationMs, type Clock } from "../../stdx/time.ts";
import { openExits } from "../exits.ts";
import { readExit, socketNames, writeStored, type SandboxPlan, type ShimRecord, type StoredPlan } from "../folder.ts";
import { maskOf } from "../../log/mask.ts";
import { readLogFiles } from "../../log/segments.ts";
import { members, type Processes } from "../processes.ts";
import { gatewaySocketName } from "../../contract/egress.ts";
import type { WatchFolders } from "../sandbox/disk.ts";
import { openNetwork, type Network } from "../net/network.ts";
import { startApp, type App, type AppEnd, type AppHost } from "./app.ts";
import { controlServer, type Control } from "./control.ts";
import {
  causeOf,
  endSays,
  lastOutput,
  namesDisk,
  networkDenied,
  outOfMemorySays,
  stoppedEnd,
  type End,
} from "./ends.ts";
import type { EvidenceLine } from "./evidence.ts";
import { freezer, type Freezer } from "./freezer.ts";
import { inboundServer, type InboundHost } from "./inbound.ts";
import { askFunctions, type Functions } from "./functions.ts";
import { watchHealth, type HealthWatch } from "./health.ts";
import { limitsOf } from "./limits.ts";
import { untilReady } from "./readiness.ts";
import { ReplicaLog } from "./replica-log.ts";
import { caughtPorts, type Place } from "./place.ts";
import { staticConnector } from "./static.ts";
import { isFirst, strayFacts, type StrayFound } from "./stray.ts";
import { appWorkers, type AppWorkers } from "./workers.ts";

export type AppEndCause = "app-exit" | "app-killed" | "operator-stop";

/** What the shim needs of its GPU side; `main` plugs it in. */
export interface GpuSide {
  /** Base URL of the Device API on this replica's own channel. */
  readonly url: string;
  take(order: GpuOrder): void;
  /** Says everything again that the agent has not acknowledged. */
  resume(): void;
  /** Nothing is left that the agent has to hear. */
  readonly told: boolean;
  /** The platform begins to end the app: a worker that is lost from now on is the platform's doing. */
  stopping(): void;
  /** All the app's processes are gone: ends every call, and resolves when that is synced. */
  appEnded(cause: AppEndCause): Promise<void>;
  close(): Promise<void>;
}

/** What the GPU side needs of the shim. */
export interface GpuHost {
  readonly replica: string;
  readonly space: string;
  readonly release: string;
  readonly folder: string;
  send(message: ShimToAgent): boolean;
  connected(): boolean;
  /** A line of the replica's log, from the platform to the app's owner. */
  note(text: string): void;
  /** Records that a process of the app used a card without a lease. `app`: it is the app itself, which is ended for it here. */
  stray(found: StrayFound): Promise<"process" | "app">;
  readonly workers: AppWorkers;
}

export interface ShimWorld {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly evidence: EvidenceLine;
  readonly watchFolders: WatchFolders;
  /** Not called for static Spaces. */
  openGpu(host: GpuHost): Promise<GpuSide>;
}

export interface Shim {
  /** Resolves when the replica has ended and there is nobody left to tell: the process may exit. */
  readonly done: Promise<void>;
  stop(graceMs: number, why: string): Promise<void>;
}

/** After an end by itself, edges may still ask what became of their connections. */
const answersAfterExitMs = 5_000;
/** How long an end is kept for an agent that is away; afterwards the folder tells it. */
const waitForAgentMs = 60_000;
/** After a stop: whoever ordered it hears of it, and nobody waits long for our process to go. */
const waitAfterStopMs = 2_000;
const lookEveryMs = 50;
const healthEveryMs = durationMs(5_000);
/** An app that hangs does not use the grace of others. */
const unhealthyGraceMs = 2_000;
const shipWithinMs = 500;

/**
 * Runs the replica of `plan`, whose app's place is on its way, where it has one. Throws what keeps it from starting at all: a socket in
 * use, a folder that cannot be written.
 */
export async function startShim(plan: StoredPlan, place: Place | null, world: ShimWorld): Promise<Shim> {
  const running = new RunningShim(plan, place, world);
  await running.start();
  return running;
}

class RunningShim implements Shim {
  readonly done: Promise<void>;
  readonly #plan: StoredPlan;
  readonly #place: Place | null;
  readonly #world: ShimWorld;
  readonly #log: ReplicaLog;
  readonly #control: Control;
  readonly #startedAt: number;
  readonly #limits: Pick<ReplicaStatus, "limits">;
  readonly #stopping = new AbortController();
  #shipping: NodeJS.Timeout | undefined;
  #inbound: Server | undefined;
  #finish: () => void = () => undefined;
  #gpu: GpuSide | undefined;
  #network: Network | undefined;
  #app: App | undefined;
  #freezer: Freezer | undefined;
  /** Connections on which something came for the app that it has not begun to answer. */
  readonly #unanswered = new Set<object>();
  #status: ReplicaStatus;
  #connect: InboundHost["connect"] = () => undefined;
  #stopWhy: string | undefined;
  #stopped: Promise<void> | undefined;
  /** Settles when the app's process is there, or cannot be. */
  #starting: Promise<void> = Promise.resolve();
  #toldEnd = false;
  /** Why the platform ended an app that nobody wanted to stop. */
  #gaveUp: { readonly code: Code; readonly says: string } | undefined;
  #health: HealthWatch | undefined;
  #functions: Functions | undefined;

  constructor(plan: StoredPlan, place: Place | null, world: ShimWorld) {
    this.#plan = plan;
    this.#place = place;
    this.#world = world;
    this.#startedAt = world.clock.wall();
    this.#limits = plan.sandbox === null ? {} : { limits: limitsOf(plan.sandbox, plan.folder) };
    this.#log = new ReplicaLog(plan.folder, world.clock, maskOf(plan.spec.secrets ?? {}));
    this.#status = this.#statusOf("starting", null);
    this.done = new Promise((resolve) => (this.#finish = resolve));
    world.evidence.onWritten(() => this.#shipSoon());
    this.#control = controlServer({
      hello: () => this.#greet(),
      message: (message) => this.#order(message),
      left: () => undefined,
    });
  }

  async start(): Promise<void> {
    const { folder, sockets } = this.#plan;
    const inbound = inboundServer({
      connect: (onread) => this.#connect(onread),
      incoming: (on) => {
        this.#unanswered.add(on);
        this.#thaw("a request came for it");
      },
      answered: (on) => this.#unanswered.delete(on),
      stopping: () => this.#stopWhy !== undefined,
      onFailure: (error) => this.#log.note(`no answer about a connection: ${String(error)}`),
      evidence: this.#world.evidence.emitter,
    });
    this.#inbound = inbound;
    await listen(inbound, join(sockets, socketNames.inbound));
    this.#status = this.#statusOf("starting", join(sockets, socketNames.inbound));
    await listen(this.#control.server, join(sockets, socketNames.control));
    const { pid, start } = this.#world.processes.stat(process.pid) ?? { pid: process.pid, start: "" };
    writeStored(folder, "shim.json", { pid, start, contract: shimContract.speaks } satisfies ShimRecord);
    // An agent that found no shim here gave this replica up: it looked before our record was there, or will end us by it.
    if (readExit(folder)) throw new Error("this replica was given up before its shim had started");
    if (this.#plan.spec.says !== undefined) this.#log.note(this.#plan.spec.says);
    if (this.#plan.release.argv === null) return this.#serveFiles();
    const starting = this.#runApp();
    this.#starting = starting.catch(() => undefined);
    await starting;
  }

  stop(graceMs: number, why: string): Promise<void> {
    this.#stopWhy ??= why;
    this.#stopping.abort();
    this.#health?.close();
    this.#thaw("it is to be stopped");
    this.#gpu?.stopping();
    // An app that is just being started is ended when it is known, or it would outlive us.
    this.#stopped ??= this.#starting.then(() =>
      this.#app ? this.#app.end(graceMs) : this.#end(stoppedEnd(why, null)),
    );
    return this.#stopped;
  }

  #serveFiles(): void {
    const { staticFolder, startPage } = this.#plan.release;
    const root = join(this.#plan.releaseFolder, "app", staticFolder);
    if (!isFolder(root)) {
      const says = `The release has no folder "${staticFolder}".`;
      void this.#end({ phase: "exited", code: "app/exit", exitCode: null, signal: null, says });
      return;
    }
    this.#connect = staticConnector(root, startPage);
    this.#become(this.#statusOf("ready", this.#status.socket));
  }

  async #openNetwork(sandbox: SandboxPlan, { routes }: Place): Promise<undefined> {
    const gateway = join(this.#plan.sockets, gatewaySocketName);
    const note = (text: string): void => this.#log.note(text, "egress");
    this.#network = await openNetwork({ routes, gateway, ports: caughtPorts(this.#plan, sandbox), note });
  }

  async #runApp(): Promise<void> {
    const { processes, clock } = this.#world;
    const { sandbox } = this.#plan;
    const place = this.#place;
    const network = sandbox && place ? this.#openNetwork(sandbox, place).catch(networkDenied) : undefined;
    this.#gpu = await this.#world.openGpu(this.#gpuHost());
    const denied = await network;
    if (denied) {
      place?.sandbox.abandon();
      return void this.#end(denied);
    }
    const borrows = this.#plan.spec.gpu !== false;
    const app = await startApp(this.#plan, place, borrows ? this.#gpu.url : null, this.#appHost());
    this.#app = app;
    void app.ended.then((end) => this.#appEnded(end));
    void app.exited.then(() => {
      this.#stopping.abort();
      this.#health?.close();
    });
    if (!app.of) return this.#tellStatus();
    this.#become({ ...this.#status, came: "started" });
    this.#freezer = freezer(processes, app.of, sandbox?.cgroups?.workers ?? null);
    const { spec, release } = this.#plan;
    const expected = {
      port: app.port,
      given: release.portGiven !== false,
      patient: release.startupTimeoutMs !== undefined && release.startupTimeoutMs > 0,
    };
    untilReady({
      expected,
      path: spec.health?.path ?? null,
      withinMs: spec.readyWithinMs,
      processes,
      of: app.of,
      clock,
      note: (text) => this.#log.note(text),
      onListening: () => this.#become({ ...this.#status, came: "listening" }),
      signal: this.#stopping.signal,
    }).then(
      (readiness) => {
        if (this.#stopping.signal.aborted) return;
        if (readiness.ready) this.#ready(app, readiness);
        else void this.#giveUp(app, "app/not-listening", readiness.says, 0);
      },
      (error: unknown) => {
        if ((error as Error).name !== "AbortError") throw error;
      },
    );
  }

  #ready(app: App, { host, port }: { readonly host: string; readonly port: number }): void {
    if (port !== app.port) this.#log.note(`No app_port is given, so port ${port} is taken for the app's.`);
    const health = this.#plan.spec.health ?? { path: null, everyMs: healthEveryMs };
    const onFailing = (says: string): void => void this.#giveUp(app, "app/health-failing", says, unhealthyGraceMs);
    const pids = (): readonly number[] =>
      app.of === null ? [] : members(this.#world.processes, app.of, process.pid).map(({ pid }) => pid);
    this.#health = watchHealth({ host, port, health, pids, onFailing });
    this.#connect = (onread) => connect({ port, host, noDelay: true, allowHalfOpen: true, onread });
    this.#become(this.#statusOf("ready", this.#status.socket));
    if (this.#plan.spec.sdk === "gradio") void this.#askFunctions(host, port);
  }

  /** Nobody waits for it: a call that comes before is known by its release, size and length. */
  async #askFunctions(host: string, port: number): Promise<void> {
    const functions = await askFunctions(host, port);
    if (Object.keys(functions).length === 0) return;
    this.#functions = functions;
    if (this.#status.phase === "ready") this.#become({ ...this.#status, functions });
  }

  #setFrozen(frozen: boolean): void {
    if (frozen) this.#freeze();
    else this.#thaw("the platform woke it");
  }

  /** Only a ready one that owes no answer: a request may have come after whoever ordered it looked. */
  #freeze(): void {
    const mayBe = this.#status.phase === "ready" && this.#unanswered.size === 0 && this.#stopWhy === undefined;
    if (!this.#freezer || this.#freezer.frozen || !mayBe) return this.#tellStatus();
    this.#health?.pause(true);
    this.#freezer.freeze();
    this.#log.note("The app is frozen: it keeps its memory and gets no processor.");
    this.#become({ ...this.#status, frozen: true });
  }

  #thaw(why: string): void {
    if (!this.#freezer?.frozen) return;
    this.#freezer.thaw();
    this.#health?.pause(false);
    this.#log.note(`The app goes on: ${why}.`);
    const { frozen: _, ...status } = this.#status;
    this.#become(status);
  }

  async #giveUp(app: App, code: Code, says: string, graceMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#gaveUp = { code, says };
    this.#gpu?.stopping();
    this.#log.note(`${says} The platform ended it.`);
    await app.end(graceMs);
  }

  async #appEnded(end: AppEnd): Promise<void> {
    const cause = this.#stopWhy !== undefined || this.#gaveUp !== undefined ? "operator-stop" : causeOf(end);
    await this.#gpu?.appEnded(cause);
    await this.#end(this.#endOf(end));
  }

  #appHost(): AppHost {
    const { processes, watchFolders, evidence } = this.#world;
    const work = this.#plan.spec.replica;
    const onDisk = (facts: Facts): void =>
      void evidence.emitter.write({ work, hop: "replica.disk", mark: "took", facts });
    return { log: this.#log, processes, watchFolders, onDisk };
  }

  async #stray(found: StrayFound): Promise<"process" | "app"> {
    const { evidence, processes } = this.#world;
    const facts = strayFacts(found);
    evidence.emitter.write({ work: this.#plan.spec.replica, hop: "replica.card", mark: "failed", facts });
    // A disk that fails keeps no process on a card, and the app does not end for its evidence.
    await evidence.emitter.sync().catch((error: unknown) => this.#unsynced(error));
    const app = this.#app;
    const isApp = app?.of && isFirst(processes, app.of, found.process);
    if (isApp) void this.#giveUp(app, facts.code, `The app used a GPU without a lease: ${facts.says}.`, 0);
    else this.#log.note(`A process is ended that used a GPU without a lease: ${facts.says}.`, "gpu");
    return isApp ? "app" : "process";
  }

  #unsynced(error: unknown): void {
    this.#log.note(`the evidence could not be synced: ${String(error)}`);
  }

  #endOf({ exitCode, signal, failure, denied, outOfMemory, disk }: AppEnd): End {
    if (this.#stopWhy !== undefined) return { ...stoppedEnd(this.#stopWhy, exitCode), signal };
    if (this.#gaveUp !== undefined) {
      const { code, says } = this.#gaveUp;
      return { phase: "exited", code, exitCode, signal, says: says + lastOutput(this.#plan.folder) };
    }
    const printed = lastOutput(this.#plan.folder);
    if (!denied && !outOfMemory && disk && (disk.ended || namesDisk(printed))) {
      const how = disk.ended ? "" : `${endSays({ exitCode, signal, failure })} `;
      return { phase: "exited", code: disk.code, exitCode, signal, says: how + disk.says + printed };
    }
    const says = outOfMemory
      ? outOfMemorySays(this.#plan.sandbox?.limits.memoryBytes ?? 0)
      : endSays({ exitCode, signal, failure });
    const code = denied ? "runtime/sandbox-denied" : outOfMemory ? "app/out-of-memory" : "app/exit";
    return { phase: "exited", code, exitCode, signal, says: says + printed };
  }

  async #end({ phase, ...end }: End): Promise<void> {
    if (this.#status.end) return;
    this.#connect = () => undefined;
    if (phase === "exited") this.#log.note(end.says);
    const status = { ...this.#statusOf(phase, null), end };
    writeStored(this.#plan.folder, "exit.json", status);
    this.#become(status);
    await this.#untilAsked(phase === "stopped");
    this.#inbound?.close();
    await this.#world.evidence.end().catch((error: unknown) => this.#unsynced(error));
    await this.#untilHeard(phase === "stopped" ? waitAfterStopMs : waitForAgentMs);
    await this.#close();
  }

  /** Edges may still ask what became of their connections; after a stop nobody does, and a stop meanwhile ends the wait. */
  async #untilAsked(stopped: boolean): Promise<void> {
    const since = this.#world.clock.monotonic();
    while (!stopped && this.#stopWhy === undefined && this.#world.clock.monotonic() - since < answersAfterExitMs) {
      await delay(lookEveryMs);
    }
  }

  /** The end is on disk, so this is a courtesy with a bound: whoever stops us or comes back later reads it there. */
  async #untilHeard(longestMs: number): Promise<void> {
    const since = this.#world.clock.monotonic();
    while (this.#world.clock.monotonic() - since < longestMs) {
      this.#ship();
      const heard = this.#toldEnd && (this.#gpu?.told ?? true) && this.#world.evidence.acknowledged;
      const nobody = !this.#control.connected && (this.#toldEnd || this.#stopWhy !== undefined);
      if (heard || nobody) return;
      await delay(lookEveryMs);
    }
  }

  async #close(): Promise<void> {
    clearTimeout(this.#shipping);
    this.#control.close();
    await this.#gpu?.close();
    await this.#network?.close();
    this.#log.close();
    const { folder, sockets } = this.#plan;
    for (const name of Object.values(socketNames)) rmSync(join(sockets, name), { force: true });
    if (sockets !== folder) rmSync(sockets, { recursive: true, force: true });
    this.#finish();
  }

  #greet(): void {
    this.#tellStatus();
    const { secrets } = this.#plan.spec;
    if (secrets !== undefined) this.#control.send({ type: "secrets", secrets });
    this.#gpu?.resume();
    this.#world.evidence.again();
    this.#ship();
  }

  #order(message: Exclude<AgentToShim, { type: "hello" }>): void {
    if (message.type === "stop") void this.stop(message.graceMs, message.why);
    else if (message.type === "freeze-replica") this.#setFrozen(message.frozen);
    else if (message.type === "read-log") this.#readLog(message);
    else if (message.type === "ack-evidence") {
      this.#world.evidence.acknowledge(message);
      this.#ship();
    } else this.#gpu?.take(message);
  }

  #readLog({ read, from, limit, find }: Extract<AgentToShim, { type: "read-log" }>): void {
    // Looked at before the lines are read: what is written in between is then simply not the end yet.
    const ended = this.#status.end !== undefined;
    const part = readLogFiles(this.#plan.folder, from, limit, find);
    this.#control.send({
      type: "log",
      read,
      ...part,
      complete: ended && part.lines.length === 0 && part.more !== true,
    });
  }

  /** What comes within that time goes along. */
  #shipSoon(): void {
    this.#shipping ??= setTimeout(() => {
      this.#shipping = undefined;
      this.#ship();
    }, shipWithinMs);
  }

  #ship(): void {
    const batch = this.#control.connected ? this.#world.evidence.next() : undefined;
    if (batch) this.#control.send({ type: "evidence", batch });
  }

  #gpuHost(): GpuHost {
    const { folder, spec, sandbox } = this.#plan;
    return {
      replica: spec.replica,
      space: spec.space,
      release: spec.release,
      folder,
      send: (message) => this.#control.send(message),
      connected: () => this.#control.connected,
      note: (text) => this.#log.note(text, "gpu"),
      stray: (found) => this.#stray(found),
      workers: appWorkers(this.#world.processes, () => this.#app?.of ?? undefined, {
        groups: sandbox?.cgroups?.workers ?? null,
        oomCounter: sandbox?.cgroups?.oomCounter ?? null,
        exits: openExits(this.#world.processes),
      }),
    };
  }

  #become(status: ReplicaStatus): void {
    this.#status = status;
    this.#tellStatus();
  }

  #tellStatus(): void {
    const told = this.#control.send({
      type: "status",
      status: this.#status,
      shimPid: process.pid,
      appPid: this.#app?.pid ?? null,
      port: this.#app?.port ?? null,
    });
    if (told && this.#status.end) this.#toldEnd = true;
  }

  #statusOf(phase: ReplicaPhase, socket: string | null): ReplicaStatus {
    const { replica, space, release, setup } = this.#plan.spec;
    const told = { ...this.#limits, ...(setup && { setup }), ...(this.#functions && { functions: this.#functions }) };
    return { replica, space, release, phase, socket, startedAt: this.#startedAt, ...told };
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A socket of this user alone. What lies at the path is a dead shim's: the folder belongs to one replica, and it starts once. */
async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
}
