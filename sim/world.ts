/** One run: everybody who is there, the faults that come, and how it ends. */
import type { TokenVerdict } from "../src/control/calls.ts";
import type { TierName } from "../src/core/model.ts";
import { DataFolderBusy, JournalDamaged } from "../src/journal/failures.ts";
import { prng } from "../src/stdx/prng.ts";
import type { Prng } from "../src/stdx/prng.ts";
import { boundaries, configure, faultKinds } from "./configuration.ts";
import type { Boundaries, Configuration, FaultKind, Faults } from "./configuration.ts";
import { drainsIn, drawDrain, draining } from "./drains.ts";
import type { Draining } from "./drains.ts";
import { drawGift, giftsIn } from "./gifts.ts";
import { Disk, openSimJournal, recordsOf } from "./journal.ts";
import type { DiskManners } from "./journal.ts";
import { Machine } from "./machine.ts";
import { Connection } from "./network.ts";
import { changesIn, divide, drawChange, withCards } from "./pools.ts";
import type { Division } from "./pools.ts";
import { Server } from "./server.ts";
import { Life, MachineClock, VirtualTime } from "./time.ts";
import { judgeStory } from "./story.ts";
import { Watch } from "./watch.ts";

const noFaults: Pick<Faults, "lost" | "duplicated" | "reordered" | "delayMs"> = {
  lost: 0,
  duplicated: 0,
  reordered: 0,
  delayMs: 2,
};
/** A bound on what a run may take to settle once its faults stop: a lost node's time, a lease, a report's, and some. */
const settlesWithinMs = 400_000;
/** Virtual time between two looks at whether all has settled. */
const lookEveryMs = 1_000;
const minuteMs = 60_000;

export class World {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly configuration: Configuration;
  readonly division: Division;
  readonly draining: Draining;
  readonly #boundaries: Boundaries;
  readonly disk = new Disk();
  readonly watch: Watch;
  readonly serverMachine: { readonly life: Life; readonly clock: MachineClock };
  readonly machines: readonly Machine[];
  readonly counters = new Map<string, number>();
  readonly diskManners: DiskManners;
  /** The faults that came, in order. */
  readonly schedule: { readonly atMs: number; readonly fault: string }[] = [];
  steps = 0;
  /** Calls are made, and faults come. */
  isBusy = true;
  isAlive = true;
  #server: Server | undefined;
  readonly #life = new Life();
  readonly #connections = new Map<string, Connection>();
  readonly #partitioned = new Set<string>();
  #failsNext: string | undefined;
  #replicas = 0;
  #requests = 0;
  #gifts = 0;

  constructor(seed: number, without: ReadonlySet<string>) {
    this.random = prng(seed);
    this.division = divide(seed);
    this.draining = draining(seed, without);
    this.#boundaries = boundaries(seed, without);
    this.configuration = withCards(this.division, configure(seed, this.random, without));
    this.watch = new Watch(this.disk, this.time);
    this.serverMachine = { life: new Life(), clock: this.newClock() };
    this.diskManners = {
      commitMs: () => 0.2 + this.random.int(this.configuration.commitMs),
      failure: () => {
        const failure = this.#failsNext;
        this.#failsNext = undefined;
        return failure;
      },
      left: (count) => {
        const whole = this.random.int(count + 1);
        const torn = whole < count && this.random.chance(0.3);
        this.count(torn ? "tornWrites" : whole < count ? "writesLost" : "writesUnacknowledged");
        return { whole, torn };
      },
    };
    this.machines = this.configuration.nodes.map(({ name, cards }) => new Machine(this, name, cards));
  }

  count(what: string, by = 1): void {
    this.counters.set(what, (this.counters.get(what) ?? 0) + by);
  }

  /** Whether a process of this kind dies here, between one effect of an event and the next. Whoever asks sees to its end. */
  diesHere(kind: "server" | "agent" | "shim"): boolean {
    const { every, random } = this.#boundaries;
    if (!this.isBusy || every === 0 || random.int(every) > 0) return false;
    this.count(`${kind}CrashWithin`);
    this.schedule.push({ atMs: Math.round(this.time.now), fault: `${kind}CrashWithin` });
    return true;
  }

  newClock(): MachineClock {
    const { drift } = this.configuration.faults;
    const rate = 1 + drift * (this.random.int(2001) / 1000 - 1);
    return new MachineClock(this.time, { rate, offsetMs: this.random.int(5_000), base: this.random.int(1_000_000) });
  }

  newReplica(): { readonly replica: string; readonly space: string } {
    return { replica: `p_${++this.#replicas}`, space: this.random.pick(this.configuration.spaces).name };
  }

  declaredMs(): number {
    return this.random.chance(0.03)
      ? this.random.pick([0, 700_000])
      : this.random.pick([1_000, 1_000, 2_000, 3_000, 5_000, 15_000]);
  }

  /** What a visitor's token says; null: the Space's owner pays. */
  visitorsToken(): string | null {
    if (this.random.chance(0.15)) return null;
    const { name, tier } = this.random.pick(this.configuration.accounts);
    // Some requests make several calls.
    if (!this.random.chance(0.2)) this.#requests++;
    return JSON.stringify({ account: name, tier, request: `q_${this.#requests}` });
  }

  verifyToken(token: string): TokenVerdict {
    const { account, tier, request } = JSON.parse(token) as { account: string; tier: TierName; request: string };
    return { ok: true, account, tier, billedBy: "token", request, asksFor: null };
  }

  /** The edge saw the visitor of this call's request go. */
  visitorLeaves(call: string): void {
    const request = this.watch.audit.holds.get(call)?.terms.request;
    if (!request || !this.#server?.isUp) return;
    this.count("visitorsLeft");
    this.#server.visitorGone(request);
  }

  /** A new connection of a node's agent; undefined where nobody answers. */
  dial(agentLife: Life, node: string): Connection | undefined {
    const server = this.#server;
    if (!server?.isUp || this.#partitioned.has(node)) return undefined;
    const connection = new Connection(
      {
        time: this.time,
        random: this.random,
        count: (what) => this.count(what),
        faults: () => (this.isBusy ? this.configuration.faults : noFaults),
      },
      server.life,
      agentLife,
    );
    this.#connections.set(node, connection);
    server.connect(connection);
    return connection;
  }

  serverDied(server: Server): void {
    if (this.#server !== server) return;
    this.#server = undefined;
    for (const connection of this.#connections.values()) connection.failsSoon(this.#life);
    this.time.after(50 + this.random.int(4_000), this.#life, () => this.#startServer());
  }

  /** Lives until `maxSteps`, something breaks, or the end; then faults stop and everything must settle. */
  async run(maxSteps: number): Promise<void> {
    this.#startServer();
    for (const [at, machine] of this.machines.entries()) machine.boot(this.configuration.nodes[at]?.replicas ?? 1);
    this.#plan();
    const { livesMs } = this.configuration;
    if (!(await this.#goOn(livesMs, maxSteps))) return;
    this.#heal();
    const end = livesMs + settlesWithinMs;
    for (let until = livesMs + lookEveryMs; until <= end; until += lookEveryMs) {
      if (!(await this.#goOn(until, maxSteps))) return;
      if (this.time.now >= livesMs + minuteMs && this.watch.unfinished().length === 0 && !this.watch.hasStrays) break;
    }
    this.watch.look("L9");
    const [left] = this.watch.unfinished();
    if (left === undefined) this.watch.checkStrays();
    else this.watch.fail("L9", `${left}, ${settlesWithinMs / 1000} s after the last fault`);
    this.isAlive = false;
    const records = recordsOf(this.disk.rows);
    for (const name of giftsIn(records)) this.count(name);
    for (const name of changesIn(records)) this.count(name);
    for (const name of drainsIn(records)) this.count(name);
    await judgeStory(this.watch, records, this.random);
  }

  async #goOn(until: number, maxSteps: number): Promise<boolean> {
    while (this.time.step(until)) {
      this.steps++;
      await settled();
      if (this.watch.broken || this.steps >= maxSteps) return false;
    }
    return true;
  }

  #startServer(): void {
    if (this.#server) return;
    if (this.isBusy) this.#tamper();
    try {
      this.#server = new Server(this);
    } catch (error) {
      this.watch.fail("L26", `a journal that is whole was refused: ${String(error)}`);
    }
  }

  /* ── faults ─────────────────────────────────────────────────────────── */

  #plan(): void {
    for (const kind of faultKinds) {
      const rate = this.configuration.faults.perMinute[kind];
      if (rate > 0) this.#again(minuteMs / rate, () => this.#cause(kind));
    }
    this.#again(1_000, () => this.#repeat());
    const { giftsPerMinute } = this.configuration;
    if (giftsPerMinute > 0) this.#again(minuteMs / giftsPerMinute, () => this.#give());
    const { changesPerMinute } = this.division;
    if (changesPerMinute > 0) this.#again(minuteMs / changesPerMinute, () => this.#divide());
    const { drainsPerMinute } = this.draining;
    if (drainsPerMinute > 0) this.#again(minuteMs / drainsPerMinute, () => this.#drain());
  }

  #again(meanMs: number, run: () => void): void {
    const next = (): void => {
      this.time.after(1 + this.random.int(2 * meanMs), this.#life, () => {
        if (!this.isBusy) return;
        run();
        next();
      });
    };
    next();
  }

  #cause(kind: FaultKind): void {
    const machine = this.random.pick(this.machines);
    const shim = machine.shims.size > 0 ? this.random.pick([...machine.shims.values()]) : undefined;
    switch (kind) {
      case "serverCrash":
        if (!this.#server) return;
        this.#server.kill();
        break;
      case "agentCrash":
        if (!machine.agent?.life.isAlive) return;
        machine.killAgent();
        break;
      case "shimCrash":
        if (!shim) return;
        shim.kill();
        machine.shimDied(shim);
        break;
      case "machineCrash":
      case "agentReinstalled":
        if (!machine.life.alive) return;
        machine.crash(kind === "agentReinstalled");
        break;
      case "connectionLost":
        if (!machine.agent?.connection?.isOpen) return;
        machine.agent.connection.close();
        break;
      case "partition":
        this.#partition(machine);
        break;
      case "pause":
        this.#pause(machine);
        break;
      case "wallStep":
        this.random.pick([this.serverMachine.clock, machine.clock]).offsetMs += this.random.pick([
          -3_600_000, -5_000, 5_000, 90_000_000,
        ]);
        break;
      case "workerDies":
        if (!shim) return;
        for (const process of shim.processes.values()) shim.died(process, { exitCode: null, signal: "SIGKILL" });
        break;
      case "appEnds":
      case "operatorStops":
        if (!shim) return;
        void shim.endApp(kind === "operatorStops" ? "operator-stop" : this.random.pick(["app-exit", "app-killed"]));
        break;
      case "cardTrouble":
        this.#trouble(machine);
        break;
      case "diskFails":
        this.#failsNext = this.random.pick(["fsync failed", "the disk is full"]);
        break;
      case "olderSnapshot":
        if (this.disk.snapshots.length === 0) return;
        this.disk.snapshots.pop();
        this.#server?.kill();
        break;
      case "secondWriter":
        this.#secondWriter();
        break;
      case "staleOrder":
        if (!machine.repeatOrder()) return;
        break;
    }
    this.count(kind);
    this.schedule.push({ atMs: Math.round(this.time.now), fault: kind });
  }

  #partition(machine: Machine): void {
    this.#partitioned.add(machine.name);
    const connection = this.#connections.get(machine.name);
    if (connection) {
      connection.isCut = true;
      connection.failsSoon(this.#life);
    }
    this.time.after(1_000 + this.random.int(70_000), this.#life, () => this.#partitioned.delete(machine.name));
  }

  /** A process, or its whole machine, stands still. */
  #pause(machine: Machine): void {
    const shims = [...machine.shims.values()].map(({ life }) => life);
    const lives = [this.#server?.life, machine.agent?.life, machine.life, ...shims];
    const life = this.random.pick(lives.filter((one) => one !== undefined));
    life.pausedUntil = Math.max(life.pausedUntil, this.time.now + this.random.pick([200, 3_000, 20_000]));
  }

  #trouble(machine: Machine): void {
    const card = this.random.int(machine.cards.length);
    if (!machine.trouble.delete(card)) machine.trouble.add(card);
    machine.agent?.tellCards();
  }

  /** L29. */
  #secondWriter(): void {
    if (this.disk.writer === null) return;
    this.watch.look("L29");
    try {
      openSimJournal({ disk: this.disk, manners: this.diskManners, now: () => this.time.now, after: () => {} }).crash();
      this.watch.fail("L29", "a second writer has opened the journal");
    } catch (error) {
      if (!(error instanceof DataFolderBusy)) throw error;
    }
  }

  /** L26: a copy of the disk with a flipped bit in an acknowledged record, or without one, is not opened. */
  #tamper(): void {
    const from = this.disk.snapshots.at(-1)?.index ?? 0;
    const { mark } = this.disk;
    if (mark.index <= from) return;
    const copy = new Disk();
    copy.rows.push(...this.disk.rows);
    copy.snapshots.push(...this.disk.snapshots);
    copy.mark = mark;
    const at = from + this.random.int(mark.index - from);
    const row = copy.rows[at];
    if (row === undefined) return;
    if (this.random.chance(0.5)) copy.rows.splice(at, 1);
    else {
      const body = Uint8Array.from(row.body);
      const byte = this.random.int(body.length);
      body[byte] = (body[byte] as number) ^ (1 << this.random.int(8));
      copy.rows[at] = { ...row, body };
    }
    this.watch.look("L26");
    this.count("recordsDamaged");
    try {
      openSimJournal({ disk: copy, manners: this.diskManners, now: () => this.time.now, after: () => {} });
      this.watch.fail("L26", `record ${at + 1} was damaged, and the journal was opened`);
    } catch (error) {
      if (!(error instanceof JournalDamaged)) throw error;
    }
  }

  /* ── what people do besides ─────────────────────────────────────────── */

  #repeat(): void {
    const engine = this.#server?.engine;
    if (!engine) return;
    const { scheduled, reports } = this.watch;
    if (scheduled.length > 0) this.#mayFail(this.watch.askAgain(engine, this.random.pick(scheduled)));
    if (reports.length > 0) this.#mayFail(this.watch.reportAgain(engine, this.random.pick(reports)));
    this.#mayFail(this.watch.strangers(engine));
    this.#mayFail(this.watch.showQuota(engine, this.random.pick(this.configuration.accounts).name));
  }

  #give(): void {
    const engine = this.#server?.engine;
    if (!engine) return;
    const id = `al_${++this.#gifts}`;
    const gift = engine.read((state, now) => drawGift(this.random, this.configuration, id, state, now));
    this.#mayFail(gift.then((command) => engine.submit(command)));
  }

  #divide(): void {
    const engine = this.#server?.engine;
    if (engine) this.#mayFail(engine.submit(drawChange(this.division, this.configuration)));
  }

  #drain(): void {
    const engine = this.#server?.engine;
    if (engine) this.#mayFail(engine.submit(drawDrain(this.draining, this.configuration)));
  }

  /** An engine that stops meanwhile answers nobody. */
  #mayFail(asked: Promise<unknown>): void {
    asked.catch((error: unknown) => {
      const { code } = error as { code?: unknown };
      if (code !== "engine-stopped" && code !== "journal-stopped") this.watch.unexpected("a repeat", error);
    });
  }

  /** No more faults and calls; what is cut is noticed. */
  #heal(): void {
    this.isBusy = false;
    this.#partitioned.clear();
    this.#failsNext = undefined;
    for (const machine of this.machines) machine.trouble.clear();
    for (const connection of this.#connections.values()) connection.close();
  }
}

/** All that follows from an event at once has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
