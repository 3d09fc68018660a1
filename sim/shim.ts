/**
 * A replica: the shim's GPU side as it runs in production, over a simulated spool, and an app whose workers are simulated
 * processes: they begin, run, raise, die, hang, come late.
 */
import type { MeterReport, ReplicaStatus } from "../src/contract/agent.ts";
import type { GpuOrder, OnCard, ShimToAgent } from "../src/contract/shim.ts";
import { Device } from "../src/gpu/device.ts";
import type { ReportStore, Stray, Workers } from "../src/gpu/device.ts";
import type { MeterDraft } from "../src/gpu/meter-file.ts";
import type { Seen, Worker } from "../src/gpu/meter.ts";
import { App } from "./app.ts";
import type { Machine } from "./machine.ts";
import { Life } from "./time.ts";
import type { World } from "./world.ts";

export type ToldByShim = Extract<ShimToAgent, { type: "schedule" | "left" | "meter" | "cleared" | "status" }>;

/** A worker process. */
export interface Process extends Worker {
  readonly replica: string;
  /** Uuids of the cards that it is on. */
  readonly cards: Set<string>;
  seen: Seen | null;
}

/** How long the socket between shim and agent takes, in milliseconds. */
const socketMs = 1;

/** A release runs on the node that built it. */
export function releaseAt(node: string, space: string): string {
  return `rel_${node}_${space}`;
}

export function placeOf(release: string): { readonly node: string; readonly space: string } | undefined {
  const [, node, space] = /^rel_([^_]+)_(.+)$/.exec(release) ?? [];
  return node !== undefined && space !== undefined ? { node, space } : undefined;
}

export class Shim {
  readonly life: Life;
  readonly replica: string;
  readonly space: string;
  readonly machine: Machine;
  readonly device: Device;
  readonly processes = new Map<number, Process>();
  readonly app: App;
  readonly #spool: Spool;
  readonly #world: World;
  readonly #startedAt: number;
  #tell: ((message: ToldByShim) => void) | undefined;
  #end: Pick<ReplicaStatus, "phase" | "end"> | undefined;
  #isEnding = false;
  #pid = 1;

  constructor(machine: Machine, { replica, space }: { readonly replica: string; readonly space: string }) {
    const { world, clock } = machine;
    this.machine = machine;
    this.replica = replica;
    this.space = space;
    this.#world = world;
    this.life = new Life(machine.life);
    this.#startedAt = clock.wall();
    const spool = new Spool(world, this.life, () => this.#mayDie());
    this.#spool = spool;
    const host = {
      replica,
      space,
      release: releaseAt(machine.name, space),
      folder: "",
      send: (message: ShimToAgent) => this.#send(message as ToldByShim),
      connected: () => this.#tell !== undefined,
      note: () => {},
      stray: ({ process }: Stray) => {
        world.watch.strayFound(this.processes.get(process.pid));
        world.count("straysEnded");
        return new Promise<"process">((resolve) => {
          world.time.after(1 + world.random.int(8), this.life, () => resolve("process"));
        });
      },
      workers: this.#workers(),
    };
    const random = (count: number): Uint8Array => world.random.bytes(count);
    this.device = new Device(host, {
      clock,
      random,
      timers: clock.timers(this.life),
      openMeter: (tell) => spool.open(tell),
    });
    this.app = new App(this, world);
  }

  get status(): ReplicaStatus {
    const { replica, space, machine } = this;
    const phase = this.#end ?? { phase: "ready" as const };
    return {
      replica,
      space,
      release: releaseAt(machine.name, space),
      socket: null,
      startedAt: this.#startedAt,
      ...phase,
    };
  }

  /** What the agent finds of it when it is gone. */
  get lastStatus(): ReplicaStatus {
    if (this.#end) return this.status;
    const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says: "its shim is gone" };
    return { ...this.status, phase: "lost", end };
  }

  get unacknowledged(): readonly MeterReport[] {
    return this.#spool.onDisk;
  }

  /** A report of this call's end is on the disk, or was. */
  hasReported(call: string): boolean {
    return this.#spool.ended.has(call);
  }

  connected(agent: Life, tell: (message: ToldByShim) => void): void {
    this.#tell = (message) => void this.#world.time.after(socketMs, agent, () => tell(message));
  }

  disconnected(): void {
    this.#tell = undefined;
  }

  resume(): void {
    this.#later(() => this.device.resume());
  }

  take(order: GpuOrder): void {
    this.#later(() => {
      if (order.type === "grant") this.#world.watch.arrived(this, order.call);
      this.device.take(order);
    });
  }

  /** What the driver lists of it. */
  get onCards(): readonly OnCard[] {
    return [...this.processes.values()].flatMap(({ pid, start, seen, cards }) =>
      seen === null ? [...cards].map((card) => ({ pid, start, cards: [card] })) : [],
    );
  }

  fork(): Process {
    const process: Process = {
      pid: ++this.#pid,
      start: String(this.#world.time.now),
      replica: this.replica,
      cards: new Set(),
      seen: null,
    };
    this.processes.set(process.pid, process);
    return process;
  }

  died(process: Process, seen: Seen): void {
    if (process.seen !== null) return;
    process.seen = seen;
    this.#world.watch.processGone(process, this.machine.leaves(process));
  }

  /** The shim is killed, and every process with it. */
  kill(): void {
    if (!this.life.alive) return;
    this.life.alive = false;
    this.#allDie();
    this.#spool.crash();
  }

  /** The app ends, by itself or for an operator; its shim tells, and goes. */
  async endApp(cause: "app-exit" | "app-killed" | "operator-stop"): Promise<void> {
    if (this.#isEnding || !this.life.isAlive) return;
    this.#isEnding = true;
    if (cause === "operator-stop") this.device.stopping();
    this.#allDie();
    await this.device.appEnded(cause);
    if (!this.life.isAlive) return;
    const signal = cause === "app-killed" ? "SIGKILL" : null;
    const end = { code: "app/exit", exitCode: signal ? null : 0, signal, says: cause };
    this.#end = { phase: cause === "operator-stop" ? "stopped" : "exited", end };
    this.#send({ type: "status", status: this.status, shimPid: 1, appPid: null, port: null });
    this.life.alive = false;
    this.machine.shimDied(this);
  }

  #allDie(): void {
    this.app.life.alive = false;
    for (const process of this.processes.values()) this.died(process, { exitCode: null, signal: "SIGKILL" });
  }

  #later(run: () => void): void {
    this.#world.time.after(socketMs, this.life, run);
  }

  /** True where it is killed here. */
  #mayDie(): boolean {
    if (!this.life.isAlive || !this.#world.diesHere("shim")) return false;
    this.kill();
    this.machine.shimDied(this);
    return true;
  }

  #send(message: ToldByShim): boolean {
    if (!this.life.isAlive || this.#mayDie()) return false;
    if (message.type === "meter") this.#world.watch.metered(this, message.report);
    this.#tell?.(message);
    return this.#tell !== undefined;
  }

  #workers(): Workers {
    const { random, time } = this.#world;
    const of = (worker: Worker): Process | undefined => {
      const process = this.processes.get(worker.pid);
      return process?.start === worker.start ? process : undefined;
    };
    const kill = (worker: Worker, withinMs: number): Promise<boolean> =>
      new Promise((resolve) => {
        const dies = (): void => {
          const process = of(worker);
          if (process) this.died(process, { exitCode: null, signal: "SIGKILL" });
          resolve(true);
        };
        time.after(random.int(withinMs), this.life, dies);
      });
    return {
      find: (pid) => {
        const process = this.processes.get(pid);
        return process?.seen === null ? process : undefined;
      },
      begin: () => {},
      look: (worker) => of(worker)?.seen ?? null,
      own: (process) => (of(process)?.seen === null ? of(process) : undefined),
      isOf: (worker, process) => of(worker) !== undefined && of(worker) === of(process),
      term: (worker) => {
        if (random.chance(0.5)) void kill(worker, 600);
      },
      end: (worker) => kill(worker, 300),
    };
  }
}

/** The meter's file: each report takes its time to the disk, in order; a killed shim's may be there unsynced. */
class Spool implements ReportStore {
  readonly #world: World;
  readonly #life: Life;
  readonly #dies: () => boolean;
  #tell: (report: MeterReport) => void = () => {};
  #seq = 0;
  #synced: MeterReport[] = [];
  /** Calls whose end was synced. */
  readonly ended = new Set<string>();
  #writing: { readonly report: MeterReport; readonly done: PromiseWithResolvers<void> }[] = [];

  /** `dies`: whether its process ends here. */
  constructor(world: World, life: Life, dies: () => boolean) {
    this.#world = world;
    this.#life = life;
    this.#dies = dies;
  }

  open(tell: (report: MeterReport) => void): ReportStore {
    this.#tell = tell;
    return this;
  }

  append(draft: MeterDraft): Promise<void> {
    const report = { ...draft, seq: ++this.#seq } as MeterReport;
    const done = Promise.withResolvers<void>();
    this.#writing.push({ report, done });
    if (this.#writing.length === 1) this.#sync();
    return done.promise;
  }

  get pending(): readonly MeterReport[] {
    return this.#synced;
  }

  get onDisk(): readonly MeterReport[] {
    return this.#synced;
  }

  acknowledge(seq: number): void {
    this.#synced = this.#synced.filter((report) => report.seq > seq);
  }

  async settled(): Promise<void> {
    await this.#writing.at(-1)?.done.promise;
  }

  close(): void {}

  /** What was written and not synced is there, up to any point. */
  crash(): void {
    const count = this.#world.random.int(this.#writing.length + 1);
    this.#synced.push(...this.#writing.slice(0, count).map(({ report }) => report));
  }

  #sync(): void {
    this.#world.time.after(1 + this.#world.random.int(8), this.#life, () => {
      const written = this.#writing.shift();
      if (!written) return;
      this.#synced.push(written.report);
      if (written.report.kind === "ended") this.ended.add(written.report.call);
      // On the disk, and neither the agent nor the app has heard of it.
      if (this.#dies()) return;
      this.#tell(written.report);
      written.done.resolve();
      if (this.#writing.length > 0) this.#sync();
    });
  }
}
