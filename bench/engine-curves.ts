/**
 * What a call cycle costs as the queue grows and as the pool grows, and what a queued call takes in memory. Records are discarded: the
 * disk takes the same at each point, and would only hide what the ledger does.
 */
import { setImmediate as afterThis } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Engine } from "../src/control/engine.ts";
import type { Answer } from "../src/control/engine.ts";
import type { Command } from "../src/core/model.ts";
import { settingMaxCount } from "../src/core/policy.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import type { Head, Journal } from "../src/journal/index.ts";
import { durationMs, instant, seconds } from "../src/stdx/time.ts";
import { figure, median } from "./document.ts";
import type { Figure, Report } from "./document.ts";
import { attach, end, schedule } from "./engine-calls.ts";

/** A share of each curve fits a short run. */
const shortDepths = [10, 1_000, 10_000];
const fullDepths = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const shortSlots = [4, 64, 1_000];
const fullSlots = [4, 16, 64, 256, 1_000, 4_000, 10_000];

/** As many as a pool's queue may be told to hold: the deepest point fills it. */
const queueMax = settingMaxCount;
const slotsPerNode = 8;
/** Longer than the longest queue takes to be filled: no call that runs meanwhile comes to its end. */
const leaseMs = seconds(600);
/** One node: all that wait stand in one line. */
const queueNodes = 1;
/** Short runs of a point, in turn with as many of the first. */
const runs = 5;
const runMs = 300;
const hearEveryMs = 10_000;
/** From so many on, what a queued call takes is not lost among what else the heap does. */
const weighedFrom = 1_000;
/** Schedules on their way at once while a queue is filled, below the engine's own bound. */
const fillAtOnce = 5_000;

export interface Curves {
  readonly figures: readonly Figure[];
  readonly conditions: Readonly<Record<string, string | number>>;
}

export async function curves(full: boolean, report: Report): Promise<Curves> {
  const queued = await curve("queued", full ? fullDepths : shortDepths, atDepth, report);
  const slots = await curve("slots", full ? fullSlots : shortSlots, atSlots, report);
  const memory = figure(
    "memory bytes per queued call",
    "bytes",
    queued.points.slice(-1).flatMap(({ bytesPerCall }) => bytesPerCall ?? []),
  );
  return {
    figures: [...queued.figures, ...slots.figures, memory],
    conditions: {
      "curves are measured":
        "by the main thread's processor time, the records discarded, each point in turn with the first",
      "slowest of the queued curve over its fastest": queued.spread,
      "slowest of the slots curve over its fastest": slots.spread,
    },
  };
}

/** A pool in the state that a point stands for. */
interface Opened extends AsyncDisposable {
  /** Of the heap, for each call of the queue; null where nothing waits that could be weighed. */
  readonly bytesPerCall: number | null;
  /** One cycle; leaves the pool in the same state. */
  readonly cycle: (n: number) => Promise<void>;
}

interface Point {
  readonly bytesPerCall: number | null;
  readonly usPerCycle: readonly number[];
  /** Of the first point's in turn with it: the machine's other work moves both. */
  readonly ratio: number;
}

async function curve(
  of: string,
  at: readonly number[],
  open: (n: number) => Promise<Opened>,
  report: Report,
): Promise<{ figures: Figure[]; points: Point[]; spread: number }> {
  const points: Point[] = [];
  await using first = await open(at[0] as number);
  await runFor(first.cycle, 2 * runMs);
  for (const n of at) {
    await using other = points.length === 0 ? undefined : await open(n);
    const point = await measure(first, other ?? first);
    const weight = point.bytesPerCall === null ? "" : `, ${Math.round(point.bytesPerCall)} bytes a call`;
    const ratio = other && `, ${point.ratio.toFixed(2)} of that at ${at[0]}`;
    report(`${n} ${of}: ${median(point.usPerCycle).toFixed(1)} us a cycle${ratio ?? ""}${weight}`);
    points.push(point);
  }
  const ratios = points.map(({ ratio }) => ratio);
  return {
    figures: points.map(({ usPerCycle }, i) => figure(`cpu us per cycle at ${at[i]} ${of}`, "us", usPerCycle)),
    points,
    spread: Number((Math.max(...ratios) / Math.min(...ratios)).toFixed(2)),
  };
}

async function measure(first: Opened, { cycle, bytesPerCall }: Opened): Promise<Point> {
  await runFor(cycle, runMs); // for the compiler
  const firsts: number[] = [];
  const usPerCycle: number[] = [];
  while (usPerCycle.length < runs) {
    firsts.push(await runFor(first.cycle, runMs));
    usPerCycle.push(await runFor(cycle, runMs));
  }
  const isFirst = cycle === first.cycle;
  return {
    bytesPerCall,
    usPerCycle,
    ratio: isFirst ? 1 : median(usPerCycle.map((us, i) => us / (firsts[i] as number))),
  };
}

/** All slots are taken and `depth` calls wait: each end lets one in, and another comes. */
async function atDepth(depth: number): Promise<Opened> {
  const pool = await Pool.open(queueNodes, slotsPerNode);
  const callers = queueNodes * slotsPerNode;
  const running: Lease[] = [];
  for (let i = 0; i < callers; i++) running.push(await pool.begin(i));
  const before = heapBytes();
  await pool.fill(depth);
  const bytesPerCall = depth < weighedFrom ? null : (heapBytes() - before) / depth;
  const cycle = async (n: number): Promise<void> => {
    const i = n % callers;
    const next = await pool.finish(running[i] as Lease);
    if (next === undefined) throw new Error("the queue is empty");
    running[i] = next;
    await pool.queue(i);
  };
  return { bytesPerCall, cycle, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
}

/** `count` slots, each call granted at once, round all slots. */
async function atSlots(count: number): Promise<Opened> {
  const onNode = Math.min(count, slotsPerNode);
  const nodes = Math.ceil(count / onNode);
  const pool = await Pool.open(nodes, onNode);
  const cycle = async (n: number): Promise<void> => {
    await pool.finish(await pool.begin(n % (nodes * onNode)));
  };
  return { bytesPerCall: null, cycle, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
}

/** The main thread's processor time for one cycle. */
async function runFor(cycle: (n: number) => Promise<void>, ms: number): Promise<number> {
  let n = 0;
  const cpu = process.threadCpuUsage();
  const startedAt = performance.now();
  while (performance.now() - startedAt < ms) {
    for (let i = 0; i < 4; i++) await cycle(n++);
    await afterThis(); // As where records are acknowledged by another thread: timers have their turn.
  }
  const { user, system } = process.threadCpuUsage(cpu);
  return (user + system) / n;
}

interface Lease {
  readonly call: string;
  readonly fence: number;
}

/** An engine on nodes of so many slots each. */
class Pool implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #onNode: number;
  readonly #callers: number;
  /** One that is silent for 45 s is lost, also while another pool is filled. */
  readonly #hears = setInterval(() => void this.#hear(), hearEveryMs);

  private constructor(engine: Engine, nodes: number, onNode: number) {
    this.#engine = engine;
    this.#onNode = onNode;
    this.#callers = nodes * onNode;
  }

  static async open(nodes: number, onNode: number): Promise<Pool> {
    const onFatal = (failure: Error): never => {
      throw failure;
    };
    const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
    const engine = await Engine.open({ journal: new Discarding(), clock, onFatal, snapshotEvery: 1e9 });
    const pool = new Pool(engine, nodes, onNode);
    // Nobody is to time out, and no agent speaks here.
    const settings = { queueMax, queueLimitMs: durationMs(seconds(86_400)), durationMaxMs: leaseMs };
    await pool.submit({ type: "set-pool", pool: "main", settings });
    for (let n = 0; n < nodes; n++) {
      const cards = Math.max(1, onNode / 4);
      const devices = Array.from({ length: cards }, (_, index) => ({
        index,
        uuid: `GPU-${n}-${index}`,
        name: "simulated",
        slots: onNode / cards,
        simulated: true,
      }));
      await pool.submit({ type: "join-node", node: `n${n}`, pool: "main", devices, replicas: [`p_${n}`] });
    }
    return pool;
  }

  schedule(caller: number): Command {
    const command = schedule(caller);
    const node = Math.floor(caller / this.#onNode) % (this.#callers / this.#onNode);
    return {
      ...command,
      terms: { ...command.terms, tier: "unlimited", declaredMs: leaseMs, node: `n${node}`, replica: `p_${node}` },
    };
  }

  async #hear(): Promise<void> {
    for (let n = 0; n * this.#onNode < this.#callers; n++) await this.submit({ type: "hear-node", node: `n${n}` });
  }

  async submit(command: Command): Promise<Answer> {
    const answer = await this.#engine.submit(command);
    if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer.why)}`);
    return answer;
  }

  /** A call that is granted at once, attached. */
  async begin(caller: number): Promise<Lease> {
    const lease = grantIn(await this.submit(this.schedule(caller)));
    if (lease === undefined) throw new Error("not granted at once");
    await this.submit(attach(lease.call, lease.fence));
    return lease;
  }

  /** A call that has to wait. */
  async queue(caller: number): Promise<void> {
    const answer = await this.submit(this.schedule(caller));
    if (!answer.ok || !answer.events.some(({ type }) => type === "call-queued"))
      throw new Error(`not queued: ${JSON.stringify(answer)}`);
  }

  /** Ends a call; the one that its slot goes to is attached. */
  async finish({ call, fence }: Lease): Promise<Lease | undefined> {
    const next = grantIn(await this.submit(end(call, fence)));
    if (next !== undefined) await this.submit(attach(next.call, next.fence));
    return next;
  }

  async fill(depth: number): Promise<void> {
    for (let filled = 0; filled < depth; filled += fillAtOnce) {
      const count = Math.min(fillAtOnce, depth - filled);
      await Promise.all(Array.from({ length: count }, (_, i) => this.queue(filled + i)));
      await afterThis();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#hears);
    return this.#engine[Symbol.asyncDispose]();
  }
}

function grantIn(answer: Answer): Lease | undefined {
  const granted = answer.ok ? answer.events.find((event) => event.type === "call-granted") : undefined;
  return granted && { call: granted.call, fence: granted.lease.fence };
}

/** A journal that keeps nothing. */
class Discarding implements Journal {
  head: Head = { index: 0, at: instant(0), hash: "0".repeat(64) };
  counters = { commits: 0, records: 0, bytes: 0 };
  readonly latestSnapshot = async (): Promise<null> => null;
  readonly read = async (): Promise<readonly LedgerRecord[]> => [];
  readonly readWork = async (): Promise<readonly LedgerRecord[]> => [];
  readonly saveSnapshot = async (): Promise<void> => {};
  readonly verify = async () => ({ records: 0, hash: this.head.hash });
  readonly [Symbol.asyncDispose] = async (): Promise<void> => {};

  append({ index, at }: LedgerRecord): Promise<void> {
    this.head = { ...this.head, index, at };
    return Promise.resolve();
  }
}

/** Bytes of live objects. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
