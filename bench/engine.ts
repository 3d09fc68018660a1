/**
 * The ledger's speed: whole call cycles (schedule, attach, end), each answered only when it is durable, beside the same
 * events written by node:sqlite alone, and beside a bare server.
 */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Engine } from "../src/control/engine.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import { instant } from "../src/stdx/time.ts";
import { compare, figure, machine, median, quantile } from "./document.ts";
import type { BenchDocument, Figure, Report } from "./document.ts";
import { bareServer, engineServer } from "./engine-http.ts";
import { drive } from "./engine-load.ts";
import { attach, end, leaseOf, prepare, schedule } from "./engine-calls.ts";

/** Cycles that go on at once: many callers, as many slots. */
const parallel = 512;
const runMs = 1_500;
const rounds = 4;
/** A moderate load: some cards' worth of short calls. */
const moderatePerSecond = 200;
const moderateMs = 2_000;

export async function run(report: Report): Promise<BenchDocument> {
  const startedAt = performance.now();
  const folder = scratch();
  try {
    const syncUs = fdatasyncUs(folder);
    report(`one write of 4 KiB and fdatasync: ${syncUs} us`);
    const world = await openWorld(join(folder, "ours"));
    const cycles = await inProcess(world, folder, report);
    const http = await overHttp(world, report);
    const latency = await scheduleToGrant(world, folder, report);
    const conditions = {
      "file system": fileSystemOf(folder),
      "fdatasync us": syncUs,
      "row bytes": cycles.rowBytes,
      "records per commit": cycles.recordsPerCommit,
      "cpu us per cycle in process": cycles.cpuUs,
      "cycles at once": parallel,
      "moderate load, cycles/s": moderatePerSecond,
    };
    await world.close();
    const figures = [cycles.ours, cycles.raw, http, latency];
    return {
      bench: "engine",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped: [],
      conditions,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface World {
  readonly journal: SqliteJournal;
  readonly engine: Engine;
  close(): Promise<void>;
}

async function openWorld(folder: string): Promise<World> {
  const onFatal = (failure: Error): never => {
    throw failure;
  };
  const journal = await openSqliteJournal({ folder, onFatal });
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

function rawDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA wal_autocheckpoint = 4000; CREATE TABLE j (i INTEGER PRIMARY KEY, b BLOB NOT NULL)`);
  return db;
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
        ours: () => drive(ours.port, { connections: 64, forMs: runMs }),
        peers: [{ name: "bare node:http", run: () => drive(bare.port, { connections: 64, forMs: runMs }) }],
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

/* ── how long one waits ─────────────────────────────────────────────────── */

async function scheduleToGrant({ engine }: World, folder: string, report: Report): Promise<Figure> {
  const file = join(folder, "commits.db");
  const db = rawDatabase(file);
  const insert = db.prepare("INSERT INTO j (b) VALUES (?)");
  const row = new Uint8Array(600);
  const ours = async (): Promise<number> =>
    quantile(
      await arrivals(async (i, waited) => {
        const startedAt = performance.now();
        const { call, fence } = leaseOf(await engine.submit(schedule(i % parallel)));
        waited(performance.now() - startedAt);
        await engine.submit(attach(call, fence));
        await engine.submit(end(call, fence));
      }),
      0.99,
    );
  const raw = async (): Promise<number> =>
    quantile(
      await arrivals(async (_, waited) => {
        const startedAt = performance.now();
        insert.run(row);
        waited(performance.now() - startedAt);
      }),
      0.99,
    );
  try {
    return await compare(
      {
        name: "schedule to grant p99 ms",
        unit: "ms",
        rounds: 3,
        ours,
        peers: [{ name: "one row, one commit, node:sqlite alone, p99 ms", run: raw }],
      },
      report,
    );
  } finally {
    db.close();
  }
}

/** Starts `one` at the moderate load's pace; gives the waits that they reported, in milliseconds. */
async function arrivals(one: (i: number, waited: (ms: number) => void) => Promise<void>): Promise<number[]> {
  const waits: number[] = [];
  const going: Promise<void>[] = [];
  const startedAt = performance.now();
  const total = (moderatePerSecond * moderateMs) / 1000;
  while (going.length < total) {
    const due = ((performance.now() - startedAt) * moderatePerSecond) / 1000;
    while (going.length < Math.min(due, total)) going.push(one(going.length, (ms) => waits.push(ms)));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(going);
  return waits;
}

/* ── the disk ───────────────────────────────────────────────────────────── */

/** In the clone, not in the system's temporary folder: that is often memory, where a sync costs nothing. */
function scratch(): string {
  const cache = join(import.meta.dirname, "..", ".cache");
  mkdirSync(cache, { recursive: true });
  return mkdtempSync(join(cache, "bench-engine-"));
}

function fdatasyncUs(folder: string): number {
  const fd = openSync(join(folder, "sync"), "w");
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 200 }, () => {
    const startedAt = performance.now();
    writeSync(fd, page);
    fdatasyncSync(fd);
    return (performance.now() - startedAt) * 1000;
  });
  closeSync(fd);
  return Math.round(median(times));
}

/** By the number that the kernel gives each kind (statfs(2)). */
function fileSystemOf(folder: string): string {
  const type = statfsSync(folder).type;
  const names: Readonly<Record<number, string>> = {
    0xef53: "ext2, ext3 or ext4",
    0x01021994: "tmpfs (memory: a sync costs nothing)",
    0x9123683e: "btrfs",
    0x58465342: "xfs",
    0x794c7630: "overlayfs",
    0x2fc12fc1: "zfs",
  };
  return names[type] ?? `0x${type.toString(16)}`;
}
