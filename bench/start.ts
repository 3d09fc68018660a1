/**
 * The ledger's start on a long record: a million records, or with `--full` ten, as many calls' own; then the time from nothing to a ledger
 * that answers, after a process that was killed at the worst moment (as many records after the snapshot as there may be), and after
 * one that ended in order.
 */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Engine, snapshotEveryDefault } from "../src/control/engine.ts";
import type { Alarm } from "../src/control/engine.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import { instant } from "../src/stdx/time.ts";
import { fileSystemOf, scratch } from "./disk.ts";
import { figure, machine } from "./document.ts";
import type { BenchDocument, BenchOptions, Report } from "./document.ts";
import { attach, end, hear, leaseOf, prepare, schedule } from "./engine-calls.ts";

/** Calls that go on at once. */
const parallel = 1_000;
const recordsOnce = 1_000_000;
const recordsFull = 10_000_000;
const starts = 3;
/** However long the record is. */
const promisedMs = 5_000;
/** Nodes that are not heard for 45 s are lost. */
const hearEveryMs = 10_000;
const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
/** An engine that is left must not wake on a closed journal. */
const never: Alarm = () => () => {};
const onFatal = (failure: Error): never => {
  throw failure;
};

export async function run(report: Report, { full }: BenchOptions): Promise<BenchDocument> {
  const startedAt = performance.now();
  const folder = scratch("start");
  const wanted = full ? recordsFull : recordsOnce;
  try {
    const records = await write(folder, wanted, report);
    const { size } = statSync(join(folder, "journal.db"));
    const [killed, ended]: [Started[], Started[]] = [[], []];
    for (let n = 0; n < starts; n++) killed.push(await start(folder, { inOrder: n === starts - 1 }));
    for (let n = 0; n < starts; n++) ended.push(await start(folder, { inOrder: true }));
    const msOf = (all: readonly Started[]): number[] => all.map(({ ms }) => ms);
    const figures = [
      figure("start after a kill", "ms", msOf(killed)),
      figure("start after an orderly end", "ms", msOf(ended)),
    ];
    for (const { name, ours } of figures) {
      if (ours <= promisedMs) continue;
      report(`${name} took ${ours} ms, promised are ${promisedMs}`);
      process.exitCode = 1;
    }
    return {
      bench: "start",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped: [],
      conditions: {
        records,
        "records after the snapshot, after a kill": killed[0]?.replayed ?? 0,
        "journal MB": Math.round(size / 1e6),
        "file system": fileSystemOf(folder),
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Until there are so many records, and as many after the last snapshot as a kill can leave. */
async function write(folder: string, wanted: number, report: Report): Promise<number> {
  await using journal = await openSqliteJournal({ folder, onFatal });
  let isOver = false;
  // Calls that ended are forgotten by ticks: without them the state would be as long as the record.
  const alarm: Alarm = (ms, ring) => {
    const timer = setTimeout(() => isOver || ring(), ms);
    return () => clearTimeout(timer);
  };
  const engine = await Engine.open({ journal, clock, alarm, onFatal });
  await prepare(engine, parallel);
  const last = Math.floor(wanted / snapshotEveryDefault) * snapshotEveryDefault + snapshotEveryDefault - 10 * parallel;
  const telling = setInterval(() => report(`${engine.durable} of ${last} records`), hearEveryMs);
  let heard: Promise<void> = Promise.resolve();
  const hearing = setInterval(() => {
    heard = hear(engine, parallel);
  }, hearEveryMs);
  const caller = async (n: number): Promise<void> => {
    while (engine.durable < last) await cycle(engine, n);
  };
  await Promise.all(Array.from({ length: parallel }, (_, n) => caller(n)));
  isOver = true;
  clearInterval(telling);
  clearInterval(hearing);
  await heard;
  // The engine is left as a kill leaves it: without a snapshot of its end.
  return journal.head.index;
}

async function cycle(engine: Engine, caller: number): Promise<void> {
  const command = schedule(caller);
  const { call } = command.terms;
  const { fence } = leaseOf(await engine.submit(command));
  await engine.submit(attach(call, fence));
  await engine.submit(end(call, fence));
}

interface Started {
  readonly ms: number;
  readonly replayed: number;
}

/** In order: it keeps a snapshot as it ends. */
async function start(folder: string, { inOrder }: { readonly inOrder: boolean }): Promise<Started> {
  const startedAt = performance.now();
  await using journal: SqliteJournal = await openSqliteJournal({ folder, onFatal });
  const before = journal.head.index;
  const engine = await Engine.open({ journal, clock, alarm: never, onFatal });
  const ms = performance.now() - startedAt;
  const replayed = before - ((await journal.latestSnapshot())?.index ?? 0);
  if (inOrder) await engine[Symbol.asyncDispose]();
  return { ms: Math.round(ms), replayed };
}
