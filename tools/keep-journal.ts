/**
 * `npm run keep-journal`: writes the next folder of `test/kept-journals/`, a data folder's journal as this version of Waybill writes
 * it, once whole and once compacted, with what it came to beside it. For whoever changes what is stored: CONTRIBUTING says when.
 *
 * What is in it is drawn: lives of the ledger's properties, one after the other, until all kinds of events that are known have come.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Catalog } from "../src/catalog/catalog.ts";
import { worksOf } from "../src/control/engine.ts";
import { begin, cardsUpTo, life, nodes, play, replicas } from "../src/core/life.suite.ts";
import type { Ledger } from "../src/core/ledger.suite.ts";
import { tierDefaults } from "../src/core/policy.ts";
import { emptyState, encodeState } from "../src/core/state.ts";
import type { State } from "../src/core/state.ts";
import { apply } from "../src/core/evolve.ts";
import { Replay } from "../src/core/totals.ts";
import { knownVersions } from "../src/journal/encoding.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import { compact } from "../src/main/compact.ts";
import { instant } from "../src/stdx/time.ts";
import type { Clock } from "../src/stdx/time.ts";
import { balancesOf, callsIn, keptJournals } from "../test/support/kept-journals.ts";
import type { KeptJournal } from "../test/support/kept-journals.ts";

/** Of each kind of event, and of calls that were settled: a few hundred kilobytes, which stay in the repository for ever. */
const eachLeast = 2;
const settledLeast = 40;
const livesMost = 100;
/** Of a life's end; the ledger's time is its own. */
const clockOf = (it: Ledger): Clock => ({ wall: () => it.now, monotonic: () => 0 });
const onFatal = (failure: Error): never => {
  throw failure;
};

const number = 1 + Math.max(0, ...readdirSync(keptJournals).map(Number));
const folder = join(keptJournals, String(number));
const it = drawn(number);
const catalog = await keepWhole(join(folder, "whole"), it);
await keepCompacted(join(folder, "compacted"), join(folder, "whole"), it);
const kept = { ...whatItCameTo(it), catalog };
writeFileSync(join(folder, "kept.json"), `${JSON.stringify(kept, null, 2)}\n`);
console.log(`${folder}: ${kept.totals.records} records, ${Object.keys(kept.events).length} kinds of events`);

/** The same number draws the same lives. */
function drawn(seed: number): Ledger {
  const it = begin();
  const missing = new Map<string, number>(Object.keys(knownVersions).map((type) => [type, eachLeast]));
  missing.set("call-settled", settledLeast);
  for (const steps of fc.sample(life, { seed, numRuns: livesMost, unbiased: true })) {
    const from = it.records.length;
    asShipped(it);
    for (const step of steps) play(it, step);
    for (const { type } of it.records.slice(from).flatMap(({ events }) => events)) {
      const left = (missing.get(type) ?? 0) - 1;
      if (left <= 0) missing.delete(type);
      else missing.set(type, left);
    }
    if (missing.size === 0) return it;
  }
  assert.fail(
    `${livesMost} lives have not drawn enough of ${[...missing.keys()].join(", ")}: see src/core/life.suite.ts`,
  );
}

/** Each life begins with what the one before took out of use, and with the limits of a tier that is not set. */
function asShipped(it: Ledger): void {
  for (const tier of ["free", "anonymous"] as const) it.do({ type: "set-tier", tier, settings: tierDefaults[tier] });
  for (const { of } of it.state.drains.values()) it.do({ type: "set-drain", of, drain: null });
  for (const node of nodes) {
    it.do({ type: "join-node", node, pool: "main", devices: cardsUpTo(2), replicas });
    it.do({ type: "report-cards", node, trouble: [] });
  }
}

/** Two snapshots, and records after both. */
async function keepWhole(to: string, it: Ledger): Promise<KeptJournal["catalog"]> {
  mkdirSync(to, { recursive: true });
  await using journal = await openSqliteJournal({ folder: to, onFatal });
  const last = it.records.length;
  const snapshots = [Math.floor(last / 2), Math.floor((last * 3) / 4)];
  const state = emptyState();
  for (const record of it.records) {
    void journal.append(record, worksOf(record.events));
    apply(state, record);
    if (snapshots.includes(record.index)) await keepSnapshot(journal, state);
  }
  return await keepCatalog(journal, it);
}

async function keepSnapshot(journal: SqliteJournal, state: State): Promise<void> {
  const body = encodeState(state);
  await journal.saveSnapshot({ index: state.index, stateHash: hash("sha256", body, "hex"), body });
}

/** Its tables as they are now, with an account, a Space and all calls with their receipts. */
async function keepCatalog(journal: SqliteJournal, it: Ledger): Promise<KeptJournal["catalog"]> {
  const catalog = await Catalog.open(journal.sql, clockOf(it));
  await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: it.now });
  const created = await catalog.spaces.create("alice", "demo", it.now);
  assert.ok(created.ok);
  await catalog.calls.project(it.records);
  return callsIn(catalog);
}

/** All records go that are older than a quarter of the ledger's life. */
async function keepCompacted(to: string, whole: string, it: Ledger): Promise<void> {
  cpSync(whole, to, { recursive: true });
  const [first] = it.records;
  assert.ok(first);
  const keepMs = (it.now - first.at) / 4;
  const { removed } = await compact({ data: to, journal: null, keepMs }, clockOf(it));
  assert.ok(removed > 0 && removed < it.records.length, `${removed} records went`);
  for (const lock of [to, whole]) rmSync(join(lock, "journal.lock"));
}

function whatItCameTo(it: Ledger): Omit<KeptJournal, "catalog"> {
  const replay = new Replay();
  const events: Record<string, number> = {};
  for (const record of it.records) {
    replay.take(record);
    for (const { type } of record.events) events[type] = (events[type] ?? 0) + 1;
  }
  assert.deepEqual(replay.differences(), []);
  return {
    at: instant(it.now),
    stateHash: hash("sha256", encodeState(replay.state), "hex"),
    totals: replay.totals(),
    balances: balancesOf(replay.state),
    counts: replay.counts(),
    events,
  };
}
