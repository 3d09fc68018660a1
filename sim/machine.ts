/**
 * A node: a machine with cards, the agent's process, and the shims of its replicas. Fences, meters and the shims' GPU side are
 * the product's own; how the agent passes messages on is told here in few lines.
 */
import type { ReplicaStatus, ToAgent, ToServer } from "../src/contract/agent.ts";
import type { ShimToAgent } from "../src/contract/shim.ts";
import { Fences } from "../src/agent/fences.ts";
import { ReplicasWords } from "../src/agent/words.ts";
import type { MeterReport } from "../src/contract/agent.ts";
import { noIsolation } from "../src/contract/isolation.ts";
import type { Connection } from "./network.ts";
import { Shim } from "./shim.ts";
import type { Process } from "./shim.ts";
import { Life, type MachineClock } from "./time.ts";
import type { World } from "./world.ts";

const heartbeatMs = 5_000;
const cardsEveryMs = 5_000;
/** How long `nvidia-smi` may take. */
const listWithinMs = 1_500;
/** As the agent waits for a card's memory, and how often it looks. */
const memoryWithinMs = 10_000;
const memoryEveryMs = 250;
const dialEveryMs = 1_000;
/** Without a welcome it dials anew. */
const welcomeWithinMs = 5_000;
type FencedOrder = Extract<ToAgent, { type: "grant" | "clear" | "withdraw" }>;
/** Orders of a node that may be said again. */
const ordersKept = 60;
/** A replica that ended is followed by another after so long. */
const restartMs = 1_500;

/** A replica that has ended: what its agent has to tell before it is forgotten. */
interface Dead {
  readonly status: ReplicaStatus;
  meter: readonly MeterReport[];
  isTold: boolean;
}

export class Machine {
  life = new Life();
  readonly name: string;
  readonly clock: MachineClock;
  readonly world: World;
  readonly cards: readonly number[];
  readonly shims = new Map<string, Shim>();
  readonly dead = new Map<string, Dead>();
  /** Indexes of cards in trouble. */
  readonly trouble = new Set<number>();
  /** When the memory of processes that are gone is free, by card: all that a look at it can tell. */
  readonly memory = new Map<string, number>();
  fenceLines: string[] = [];
  agent: Agent | undefined;
  /** The last orders that its agents had, also from servers that are no longer there. */
  readonly orders: FencedOrder[] = [];

  constructor(world: World, name: string, cards: readonly number[]) {
    this.world = world;
    this.name = name;
    this.cards = cards;
    this.clock = world.newClock();
  }

  boot(replicas: number): void {
    for (let n = 0; n < replicas; n++) this.startShim();
    this.startAgent();
  }

  startAgent(): void {
    if (this.agent?.life.isAlive || !this.life.alive) return;
    this.agent = new Agent(this);
  }

  /** A server that does not know that it was followed says what it said before. */
  repeatOrder(): boolean {
    if (!this.agent?.life.isAlive || this.orders.length === 0) return false;
    this.agent.hear(this.world.random.pick(this.orders));
    return true;
  }

  killAgent(): void {
    this.agent?.kill();
    this.startAgentSoon();
  }

  startAgentSoon(): void {
    this.world.time.after(this.world.random.int(5_000), this.life, () => this.startAgent());
  }

  /** All that ran is gone; what is on its disk stays, or nothing does where it is set up anew. */
  crash(isReinstalled: boolean): void {
    for (const shim of this.shims.values()) shim.kill();
    this.agent?.kill();
    for (const card of this.memory.keys()) this.world.watch.memoryFree(this.name, card);
    this.memory.clear();
    this.life.alive = false;
    const replicas = this.shims.size;
    this.#bury();
    if (isReinstalled) {
      this.fenceLines = [];
      this.dead.clear();
      this.world.watch.reinstalled(this.name);
    }
    const again = new Life();
    this.world.time.after(1_000 + this.world.random.int(70_000), again, () => {
      this.life = again;
      this.boot(replicas);
    });
  }

  startShim(): void {
    const shim = new Shim(this, this.world.newReplica());
    this.shims.set(shim.replica, shim);
    this.agent?.adopt(shim);
  }

  /** A process is gone, and its memory is free some time later. */
  leaves({ cards }: Process): number {
    const { random, time } = this.world;
    const freeAt = time.now + (random.chance(0.05) ? random.int(15_000) : random.int(800));
    for (const card of cards) this.memory.set(card, Math.max(freeAt, this.memory.get(card) ?? 0));
    return freeAt;
  }

  /** A shim's process and all below it are gone. */
  shimDied(shim: Shim): void {
    if (!this.shims.delete(shim.replica)) return;
    this.dead.set(shim.replica, { status: shim.lastStatus, meter: shim.unacknowledged, isTold: false });
    this.world.time.after(10 + this.world.random.int(200), this.life, () => this.agent?.tellDead(shim.replica));
    this.world.time.after(restartMs, this.life, () => {
      if (this.world.isAlive) this.startShim();
    });
  }

  #bury(): void {
    for (const shim of this.shims.values())
      this.dead.set(shim.replica, { status: shim.lastStatus, meter: shim.unacknowledged, isTold: false });
    this.shims.clear();
  }
}

class Agent {
  readonly life: Life;
  readonly #machine: Machine;
  readonly #fences: Fences;
  readonly #words: ReplicasWords;
  /** Cards whose memory did not come back in time. */
  readonly #held = new Set<string>();
  #connection: Connection | undefined;
  #connections = 0;
  #isWelcome = false;
  #toldDead: readonly string[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
    this.life = new Life(machine.life);
    this.#fences = new Fences({
      read: () => machine.fenceLines,
      append: (line) => this.#append(line),
      replace: (line) => void (machine.fenceLines = [line]),
      close: () => {},
    });
    this.#words = new ReplicasWords({
      devices: machine.cards.map((_, index) => ({ index, uuid: uuidOf(index) })),
      cards: () => ({ look: () => Promise.resolve(), returned: (uuids) => this.#returned(uuids) }),
      send: (message) => this.#send(message),
    });
    for (const shim of machine.shims.values()) this.adopt(shim);
    const timers = machine.clock.timers(this.life);
    timers.every(heartbeatMs, () => this.#heartbeat());
    timers.every(dialEveryMs, () => this.#dial());
    timers.every(cardsEveryMs, () => this.#lookAtProcesses());
    this.#dial();
  }

  /** A line of fences; or a part of it, after which nothing of the operation goes on. */
  #append(line: string): void {
    const dies = this.#mayDie();
    const isTorn = dies && line.length % 2 === 0;
    this.#machine.fenceLines.push(isTorn ? line.slice(0, line.length >> 1) : line);
  }

  /** True where it is killed here. */
  #mayDie(): boolean {
    if (!this.life.isAlive || !this.#machine.world.diesHere("agent")) return false;
    this.kill();
    this.#machine.startAgentSoon();
    return true;
  }

  kill(): void {
    if (!this.life.alive) return;
    this.life.alive = false;
    for (const shim of this.#machine.shims.values()) shim.disconnected();
    if (this.#connection) this.#connection.failsSoon(this.#machine.life);
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  adopt(shim: Shim): void {
    if (!this.life.isAlive) return;
    shim.connected(this.life, (message) => this.#takeFromShim(message));
    this.#tellReplica(shim.status);
  }

  tellDead(replica: string): void {
    const dead = this.#machine.dead.get(replica);
    if (!dead || !this.life.isAlive) return;
    for (const report of dead.meter) this.#words.tell({ type: "meter", replica, report });
    this.#tellReplica(dead.status);
  }

  hear(order: FencedOrder): void {
    this.#take(order);
  }

  tellCards(): void {
    const { name, trouble } = this.#machine;
    const told = [...trouble].map((card) => [uuidOf(card), { code: "runtime/xid", says: "simulated" }] as const);
    const held = [...this.#held].map((uuid) => [uuid, { code: "gpu/device-fault", says: "simulated" }] as const);
    this.#send({ type: "cards", node: name, trouble: Object.fromEntries([...held, ...told]) });
  }

  /** As `CardWatch` does: until the memory is back, or it has waited long enough and says what it found. */
  async #returned(uuids: readonly string[]): Promise<void> {
    const { clock, memory, world } = this.#machine;
    const late = (): readonly string[] =>
      uuids.filter((uuid) => !this.#held.has(uuid) && (memory.get(uuid) ?? 0) > world.time.now);
    for (let waited = 0; late().length > 0; waited += memoryEveryMs) {
      if (waited >= memoryWithinMs) return this.#hold(late());
      await new Promise<void>((resolve) => void clock.timers(this.life).after(memoryEveryMs, resolve));
    }
  }

  #hold(uuids: readonly string[]): void {
    const { clock, memory, world } = this.#machine;
    for (const uuid of uuids) {
      world.count("memoryHeld");
      world.watch.memoryFree(this.#machine.name, uuid);
      this.#held.add(uuid);
      const lift = (): void => {
        if ((memory.get(uuid) ?? 0) > world.time.now) return void clock.timers(this.life).after(cardsEveryMs, lift);
        this.#held.delete(uuid);
        this.tellCards();
      };
      lift();
    }
    this.tellCards();
  }

  /** What the list has is as old as its program takes to print it. */
  #lookAtProcesses(): void {
    const { world, shims } = this.#machine;
    for (const shim of shims.values()) {
      const processes = shim.onCards;
      world.time.after(world.random.int(listWithinMs), this.life, () => shim.take({ type: "on-cards", processes }));
    }
  }

  #dial(): void {
    if (this.#connection?.isOpen && this.#connections > 0) return;
    const { world, name, cards, shims, dead } = this.#machine;
    const connection = world.dial(this.life, name);
    if (!connection) return;
    const number = ++this.#connections;
    const isCurrent = (): boolean => number === this.#connections && this.life.isAlive;
    this.#connection = connection;
    this.#isWelcome = false;
    const untold = [...dead].filter(([, { isTold }]) => !isTold);
    this.#toldDead = untold.map(([replica]) => replica);
    this.#send({
      type: "hello",
      node: name,
      epoch: 1,
      pool: "main",
      devices: cards.map((slots, index) => ({ index, uuid: uuidOf(index), name: "simulated", slots, simulated: true })),
      replicas: [...[...shims.values()].map(({ status }) => status), ...untold.map(([, { status }]) => status)],
      sdks: [],
      buildsAtOnce: 1,
      isolation: noIsolation("simulated"),
    });
    connection.agent.onMessage((message) => {
      if (isCurrent()) this.#take(message);
    });
    connection.agent.onClose(() => {
      if (isCurrent()) this.#connection = undefined;
    });
    this.#machine.clock.timers(this.life).after(welcomeWithinMs, () => {
      if (isCurrent() && !this.#isWelcome) connection.close();
    });
  }

  #take(message: ToAgent): void {
    switch (message.type) {
      case "welcome":
        return this.#welcome();
      case "grant":
        this.#words.granted(message);
        return this.#passFenced(message, message.slots, this.#fences.admitGrant(message));
      case "clear":
        return this.#passFenced(message, [message.slot], this.#fences.admit([message.slot], message.fence));
      case "withdraw":
        return this.#passFenced(message, [], this.#fences.admitWithdrawal(message.call, message.fence));
      case "queued":
      case "refuse":
        return this.#pass(message.replica, message);
      case "ack-meter":
        return this.#ackMeter(message.replica, message.seq);
      default:
        return;
    }
  }

  #welcome(): void {
    this.#isWelcome = true;
    this.tellCards();
    for (const shim of this.#machine.shims.values()) shim.resume();
    for (const [replica, { isTold }] of this.#machine.dead) if (!isTold) this.tellDead(replica);
    for (const replica of this.#toldDead) {
      const dead = this.#machine.dead.get(replica);
      if (dead?.meter.length === 0 && !this.#words.holdsBack(replica)) dead.isTold = true;
    }
    this.#heartbeat();
  }

  #passFenced(message: FencedOrder, slots: readonly string[], admitted: boolean): void {
    const { name, world, orders } = this.#machine;
    orders.push(message);
    if (orders.length > ordersKept) orders.shift();
    if (!this.life.isAlive) return;
    if (!admitted) return world.count("fencesRefused");
    world.watch.passed(name, slots, message.fence);
    this.#pass(message.replica, message);
    if (message.type === "clear" && !this.#machine.shims.has(message.replica))
      this.#words.tell({ ...message, type: "cleared" });
  }

  #pass(replica: string, message: Parameters<Shim["take"]>[0]): void {
    const shim = this.#machine.shims.get(replica);
    if (shim) return shim.take(message);
    const dead = this.#machine.dead.get(replica);
    if (dead) this.#tellReplica(dead.status);
    else this.#tellReplica(unknownReplica(replica));
  }

  #ackMeter(replica: string, seq: number): void {
    this.#machine.shims.get(replica)?.take({ type: "ack-meter", replica, seq });
    const dead = this.#machine.dead.get(replica);
    if (dead) dead.meter = dead.meter.filter((report) => report.seq > seq);
  }

  #takeFromShim(message: Extract<ShimToAgent, { type: "schedule" | "left" | "meter" | "cleared" | "status" }>): void {
    if (!this.life.isAlive) return;
    if (message.type === "status") this.#tellReplica(message.status);
    else this.#words.tell(message);
  }

  #tellReplica(status: ReplicaStatus): void {
    this.#words.tell({ type: "replica", status });
  }

  #heartbeat(): void {
    this.#send({ type: "heartbeat", node: this.#machine.name, tookGrants: this.#fences.tookGrants, builds: [] });
  }

  #send(message: ToServer): void {
    if (!this.life.isAlive || this.#mayDie()) return;
    this.#connection?.agent.send(message);
  }
}

export const uuidOf = (card: number): string => `GPU-${card}`;

function unknownReplica(replica: string): ReplicaStatus {
  const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says: `this node has no replica ${replica}` };
  return { replica, space: "", release: "", phase: "lost", socket: null, startedAt: 0, end };
}
