/**
 * The ledger's speed: whole call cycles (schedule, attach, end), each answered only when it is durable, beside the same
 * events written by node:sqlite alone, and beside a bare server.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Engine } from "../src/control/engine.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { Journal } from "../src/journal/index.ts";
import { openPostgresJournal } from "../src/journal/postgres.ts";
import { instant } from "../src/stdx/time.ts";
import { PostgresServer } from "../test/support/postgres.ts";
import { fdatasyncUs, fileSystemOf, rawDatabase, scratch } from "./disk.ts";
import { compare, figure, machine, median } from "./document.ts";
import type { BenchDocument, BenchOptions, Figure, Measured, Report, Skipped } from "./document.ts";
import { curves } from "./engine-curves.ts";
import { bareServer, engineServer } from "./engine-http.ts";
import { pacePerSecond, scheduleToGrant } from "./engine-latency.ts";
import { drive } from "./engine-load.ts";
import { bullmqJobs, lackingForPostgres, lackingForRedis, postgresTransfers } from "./engine-peers.ts";
import { attach, end, hear, leaseOf, prepare, schedule } from "./engine-calls.ts";

/** Cycles that go on at once: many callers, as many slots. */
const parallel = 1_000;
/** Callers over HTTP, ours and the bare server's: a commit takes those along that came while the last one was on its way. */
const connections = 256;
const runMs = 1_500;
/** A file system of memory, where Linux has one. */
const memory = "/dev/shm";
const rounds = 4;

export async function run(report: Report, { full }: BenchOptions): Promise<BenchDocument> {
  const startedAt = performance.now();
  const folder = scratch("engine");
  try {
    const syncUs = fdatasyncUs(folder);
    report(`one write of 4 KiB and fdatasync: ${syncUs} us`);
    const world = await openWorld(folder);
    const cycles = await inProcess(world, folder, report);
    const http = await overHttp(world, report);
    const latency = await scheduleToGrant(world.engine, folder, "", report);
    const inMemory = await withoutDisk(report);
    const beside = await besideOthers(world, folder, report);
    await world.close();
    const curved = await curves(full, report);
    const conditions = {
      "file system": fileSystemOf(folder),
      "fdatasync us": syncUs,
      "row bytes": cycles.rowBytes,
      "records per commit": cycles.recordsPerCommit,
      "cpu us per cycle in process": cycles.cpuUs,
      "cycles at once": parallel,
      "schedule to grant at calls/s": pacePerSecond,
      ...curved.conditions,
    };
    return {
      bench: "engine",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures: [cycles.ours, cycles.raw, http, latency, ...inMemory.figures, ...beside.figures, ...curved.figures],
      skipped: [...inMemory.skipped, ...beside.skipped],
      conditions,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface World {
  readonly journal: Journal;
  readonly engine: Engine;
  close(): Promise<void>;
}

async function openWorld(folder: string, postgres?: string): Promise<World> {
  const onFatal = (failure: Error): never => {
    throw failure;
  };
  const journal = postgres
    ? await openPostgresJournal({ url: postgres, onFatal })
    : await openSqliteJournal({ folder: join(folder, "ours"), onFatal });
  const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
  const engine = await Engine.open({ journal, clock, onFatal });
  await prepare(engine, parallel);
  const close = async (): Promise<void> => {
    await engine[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
  };
  return { journal, engine, close };
}

/* ── in process ─────────────────────────────────────────────────────────── */

interface InProcess {
  readonly ours: Figure;
  readonly raw: Figure;
  readonly rowBytes: number;
  readonly recordsPerCommit: number;
  readonly cpuUs: number;
}

async function inProcess(world: World, folder: string, report: Report): Promise<InProcess> {
  await cyclesPerSecond(world.engine, 500); // warms up the compiler, for both
  const events = await eventsOfOneCycle(world);
  const before = world.journal.counters;
  const cpuUs: number[] = [];
  const group = (): number => {
    const { records, commits } = world.journal.counters;
    return Math.max(1, Math.round((records - before.records) / (commits - before.commits) / 3));
  };
  const rawName = "raw journal cycles/s";
  const ours = await compare(
    {
      name: "call cycles/s in process",
      unit: "cycles/s",
      rounds,
      ours: async () => {
        const { perSecond, cpuUsEach } = await cyclesPerSecond(world.engine, runMs);
        cpuUs.push(cpuUsEach);
        return perSecond;
      },
      peers: [{ name: rawName, run: async () => rawCyclesPerSecond(folder, events, group(), runMs) }],
    },
    report,
  );
  const { records, commits, bytes } = world.journal.counters;
  return {
    ours,
    raw: figure(rawName, "cycles/s", ours.peers[0]?.runs ?? []),
    rowBytes: Math.round((bytes - before.bytes) / (records - before.records)),
    recordsPerCommit: Math.round((records - before.records) / (commits - before.commits)),
    cpuUs: Math.round(median(cpuUs)),
  };
}

async function cyclesPerSecond(engine: Engine, forMs: number): Promise<{ perSecond: number; cpuUsEach: number }> {
  await hear(engine, parallel);
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let cycles = 0;
  const worker = async (_: unknown, i: number): Promise<void> => {
    while (performance.now() - startedAt < forMs) {
      await cycle(engine, i);
      cycles += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (cycles / (performance.now() - startedAt)) * 1000, cpuUsEach: (user + system) / cycles };
}

async function cycle(engine: Engine, caller: number): Promise<string> {
  const asked = schedule(caller);
  const { call, fence } = leaseOf(await engine.submit(asked));
  await engine.submit(attach(call, fence));
  await engine.submit(end(call, fence));
  return call;
}

/** The events of one cycle as they are stored, each by itself. */
async function eventsOfOneCycle({ engine, journal }: World): Promise<readonly Uint8Array[]> {
  const records = await journal.readWork(await cycle(engine, 0));
  return records.flatMap(({ index, at, events }) =>
    events.map((event) => Buffer.from(JSON.stringify({ index, at, event }))),
  );
}

/** The same events, one row each, by node:sqlite alone in this thread, `group` cycles a commit, as durable as ours. */
function rawCyclesPerSecond(folder: string, events: readonly Uint8Array[], group: number, forMs: number): number {
  const file = join(folder, "raw.db");
  const db = rawDatabase(file);
  try {
    const insert = db.prepare("INSERT INTO j (b) VALUES (?)");
    const startedAt = performance.now();
    let cycles = 0;
    while (performance.now() - startedAt < forMs) {
      db.exec("BEGIN");
      for (let i = 0; i < group; i++) for (const event of events) insert.run(event);
      db.exec("COMMIT");
      cycles += group;
    }
    return (cycles / (performance.now() - startedAt)) * 1000;
  } finally {
    db.close();
    rmSync(file);
  }
}

/* ── over HTTP ──────────────────────────────────────────────────────────── */

async function overHttp({ engine }: World, report: Report): Promise<Figure> {
  const ours = await listen(engineServer(engine));
  const bare = await listen(bareServer());
  try {
    return await compare(
      {
        name: "call cycles/s over HTTP",
        unit: "cycles/s",
        rounds: 3,
        ours: async () => {
          await hear(engine, parallel);
          return drive(ours.port, { connections, forMs: runMs });
        },
        peers: [{ name: "bare node:http", run: () => drive(bare.port, { connections, forMs: runMs }) }],
      },
      report,
    );
  } finally {
    for (const { server } of [ours, bare]) server.close().closeAllConnections();
  }
}

async function listen(server: Server): Promise<{ server: Server; port: number }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/* ── without a disk ─────────────────────────────────────────────────────── */

/** What of a grant's wait is ours: where a sync costs nothing. */
async function withoutDisk(report: Report): Promise<Pick<Beside, "figures" | "skipped">> {
  const what = "schedule to grant in memory";
  if (!existsSync(memory)) return { figures: [], skipped: [{ what, why: `no ${memory}` }] };
  const folder = mkdtempSync(join(memory, "waybill-bench-"));
  const world = await openWorld(folder);
  try {
    return { figures: [await scheduleToGrant(world.engine, folder, ", in memory", report)], skipped: [] };
  } finally {
    await world.close();
    rmSync(folder, { recursive: true });
  }
}

/* ── beside others ──────────────────────────────────────────────────────── */

interface Beside {
  readonly figures: Figure[];
  readonly skipped: Skipped[];
}

/** Our cycles beside what is on this machine; on PostgreSQL too, where its commits are what bounds them. */
async function besideOthers(world: World, folder: string, report: Report): Promise<Beside> {
  const figures: Figure[] = [];
  const skipped: Skipped[] = [];
  await using stack = new AsyncDisposableStack();
  const peers: Measured[] = [];
  const noPostgres = lackingForPostgres();
  const server = noPostgres === undefined ? postgresServer(folder) : noPostgres;
  if (typeof server === "string") skipped.push({ what: "PostgreSQL", why: server });
  else {
    const { name, cyclesPerSecond: perSecond } = await postgresTransfers(stack.use(server), folder);
    peers.push({ name, run: perSecond });
  }
  const noRedis = lackingForRedis();
  if (noRedis !== undefined) skipped.push({ what: "BullMQ", why: noRedis });
  else {
    const { name, cyclesPerSecond: perSecond } = stack.use(await bullmqJobs(folder, parallel));
    peers.push({ name, run: perSecond });
  }
  const ours = (one: World) => async () => (await cyclesPerSecond(one.engine, runMs)).perSecond;
  const unit = "cycles/s";
  if (peers.length > 0)
    figures.push(
      await compare({ name: "call cycles/s beside others", unit, rounds: 2, ours: ours(world), peers }, report),
    );
  if (typeof server === "string") return { figures, skipped };
  const other = await openWorld(folder, await server.database());
  stack.defer(() => other.close());
  const [transfers] = peers;
  const onPostgres = { name: "call cycles/s in process, journal in PostgreSQL", unit, rounds: 2, ours: ours(other) };
  figures.push(await compare({ ...onPostgres, peers: transfers ? [transfers] : [] }, report));
  return { figures, skipped };
}

/** On the disk of the others; a clone that the server's own user cannot get to has none. */
function postgresServer(folder: string): PostgresServer | string {
  const parent = join(folder, "postgres");
  try {
    mkdirSync(parent);
    chmodSync(folder, 0o755);
    return new PostgresServer(parent);
  } catch (error) {
    return `a server could not be started in ${parent}: ${(error as Error).message}`;
  }
}
