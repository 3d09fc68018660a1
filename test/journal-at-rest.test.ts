/** `waybill journal verify` and `export`: a ledger's own records on a real disk, whole, and damaged by hand. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { Engine, worksOf } from "../src/control/engine.ts";
import { card, ledger } from "../src/core/ledger.suite.ts";
import type { Ledger } from "../src/core/ledger.suite.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { decodeState, encodeState } from "../src/core/state.ts";
import { Catalog } from "../src/catalog/catalog.ts";
import { Replay } from "../src/core/totals.ts";
import type { Count } from "../src/core/totals.ts";
import { JournalAtRest, openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import { compact } from "../src/main/compact.ts";
import { after, durationMs } from "../src/stdx/time.ts";
import type { Instant } from "../src/stdx/time.ts";
import { changeRecord } from "./support/stored-records.ts";

let folder: string;
/** As of when a compaction counts back. */
let now = 0 as Instant;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "waybill-rest-"))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly code?: string;
  readonly detail?: string;
  readonly hash: string;
  readonly tornFrom: number | null;
  readonly totals: { readonly records: number; readonly chargedMs: number; readonly usedMs: number; heldMs: number };
  readonly wrongSnapshots: readonly number[];
  readonly rolledUp: { readonly index: number } | null;
  readonly removed?: number;
}

async function journalCommand(...args: string[]): Promise<{ readonly code: number; readonly report: Report }> {
  let out = "";
  const code = await runCli(["journal", ...args, "--json"], {
    ...{ version: "1.2.3", env: {}, signInFile: join(folder, "none"), signal: new AbortController().signal },
    stdout: { write: (text) => (out += text) },
    stderr: { write: () => assert.fail("with --json all is in the document") },
    stdin: { text: async () => "" },
    clock: { wall: () => 0 as never, monotonic: () => 0 },
    up: () => assert.fail("the journal's commands start nothing"),
    agent: () => assert.fail("the journal's commands start nothing"),
    edge: () => assert.fail("the journal's commands start nothing"),
    restore: () => assert.fail("the journal's commands restore nothing"),
    compact: (options) => compact(options, { wall: () => now, monotonic: () => 0 }),
    move: () => assert.fail("what is moved is tried with a real database"),
    authority: () => assert.fail("the journal's commands make no authority"),
    doctorBundle: () => assert.fail("the journal's commands look at no machine"),
    doctor: () => assert.fail("the journal's commands look at no machine"),
    stopAll: () => assert.fail("the journal's commands stop nothing"),
    uninstall: () => assert.fail("the journal's commands remove nothing"),
    dataFolder: (named) => named ?? folder,
  });
  return { code, report: JSON.parse(out) as Report };
}

/** Two calls that ended, one that runs, and a snapshot from in between. */
async function filled(): Promise<Ledger> {
  const it = ledger();
  it.run("c_1", 4_000, { account: "alice" });
  it.run("c_2", 2_500, { account: "bob", size: "xlarge" });
  const { index } = it.state;
  const body = encodeState(it.state);
  it.schedule("c_3", { account: "alice" });
  await using journal = await opened();
  await Promise.all(it.records.map((record) => journal.append(record, worksOf(record.events))));
  await journal.saveSnapshot({ index, stateHash: hash("sha256", body, "hex"), body });
  return it;
}

function opened(): Promise<SqliteJournal> {
  return openSqliteJournal({ folder, onFatal: (failure) => assert.fail(failure) });
}

function capitalAt(body: Buffer): Buffer {
  return Buffer.from(body.toString().replaceAll("at", "At"));
}

/** Changes what is stored as a hand or a failing disk would. */
function tamper(sql: string): void {
  using db = new DatabaseSync(join(folder, "journal.db"));
  db.exec(sql);
}

test("L38: what an export sums up to is what the ledger says, and its lines alone give the chain's last hash", async () => {
  const it = await filled();
  const file = join(folder, "records.ndjson");
  const { code, report } = await journalCommand("export", file);
  assert.equal(code, 0);
  const accounts = [...it.state.accounts.values()];
  assert.equal(
    report.totals.usedMs,
    accounts.reduce((sum, { usedMs }) => sum + usedMs, 0),
  );
  assert.equal(
    report.totals.heldMs,
    accounts.reduce((sum, { heldMs }) => sum + heldMs, 0),
  );
  assert.ok(report.totals.heldMs > 0, "c_3 holds");
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const charges = lines.flatMap((line) =>
    (JSON.parse(line) as LedgerRecord).events.map((event) => (event.type === "call-settled" ? event.chargedMs : 0)),
  );
  assert.equal(
    report.totals.chargedMs,
    charges.reduce<number>((sum, ms) => sum + ms, 0),
  );
  assert.equal(report.totals.chargedMs, report.totals.usedMs);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as LedgerRecord),
    it.records,
  );
  const chained = lines.reduce(
    (previous, line) => hash("sha256", Buffer.concat([previous, Buffer.from(line)]), "buffer"),
    Buffer.alloc(32),
  );
  assert.equal(chained.toString("hex"), report.hash);
});

test("L26: verify finds the first bad record wherever it is, says what to do, and changes nothing", async () => {
  await filled();
  assert.deepEqual((await journalCommand("verify")).code, 0);
  for (const index of [6, 9]) changeRecord(folder, index, capitalAt);
  const before = readFileSync(join(folder, "journal.db"));
  const { code, report } = await journalCommand("verify");
  assert.equal(code, 1);
  assert.equal(report.code, "journal-damaged");
  assert.match(report.detail ?? "", /record 6 .*its hash does not fit/);
  assert.deepEqual(readFileSync(join(folder, "journal.db")), before);
  const file = join(folder, "half.ndjson");
  assert.equal((await journalCommand("export", file)).code, 1);
  assert.ok(!existsSync(file), "half an export is none");
});

test("L25: a snapshot that is not the state which the records give is named", async () => {
  const it = await filled();
  const { index } = it.state;
  {
    await using journal = await opened();
    await journal.saveSnapshot({ index, stateHash: "0".repeat(64), body: encodeState(it.state) });
  }
  const { code, report } = await journalCommand("verify");
  assert.deepEqual([code, report.wrongSnapshots], [1, [index]]);
  // The one before it, which was right.
  tamper(`UPDATE snapshots SET body = replace(body, '1', '2') WHERE idx < ${index}`);
  const changed = await journalCommand("verify");
  assert.deepEqual([changed.code, changed.report.wrongSnapshots.length], [1, 2], "one that was changed since, too");
});

test("records that nobody was promised are no damage: verify says where the next start cuts", async () => {
  const { records } = await filled();
  tamper(`INSERT INTO journal VALUES (${records.length + 1}, 9999999999999, x'00', x'00', NULL)`);
  const { code, report } = await journalCommand("verify");
  assert.deepEqual([code, report.tornFrom, report.totals.records], [0, records.length + 1, records.length]);
});

test("a running platform's journal is left alone, and a folder without one is said to be without", async () => {
  assert.equal((await journalCommand("verify")).code, 3);
  await using journal = await opened();
  await journal.append({ index: 1, at: 1 as never, events: [] }, []);
  const { code, report } = await journalCommand("verify");
  assert.deepEqual([code, report.code], [1, "data-folder-busy"]);
});

const day = 24 * 3_600_000;

/** The calls of `days`, each with two accounts' and a refusal on it, and one call that runs over midnight. */
async function grown(it: Ledger, days: number): Promise<void> {
  for (let n = 0; n < days; n++) {
    const at = `${it.now}`;
    it.run(`c_a${at}`, 4_000, { account: "alice" });
    it.run(`c_b${at}`, 2_500, { account: "bob", space: "bob/draw" });
    it.schedule(`c_r${at}`, { account: "bob", declaredMs: durationMs(day) });
    it.schedule(`c_o${at}`, { account: "alice", space: "bob/draw", declaredMs: durationMs(60_000) });
    it.attach(`c_o${at}`);
    it.wait(50_000);
    if (n === days - 1) break;
    it.end(`c_o${at}`, 50_000);
    it.wait(day);
  }
  now = it.now;
  await using journal = await opened();
  await Promise.all(it.records.map((record) => journal.append(record, worksOf(record.events))));
  const body = encodeState(it.state);
  await journal.saveSnapshot({ index: it.state.index, stateHash: hash("sha256", body, "hex"), body });
}

/** By account, Space and window, as the folder's journal has them. */
function countsKept(): readonly Count[] {
  using journal = new JournalAtRest(folder);
  const rolledUp = journal.rolledUp();
  const replay = new Replay(rolledUp ? { state: decodeState(rolledUp.body), counts: rolledUp.counts } : undefined);
  journal.walk({ record: (record) => replay.take(record) });
  return replay.counts();
}

test("a compaction removes old records and receipts, and no sum of an account, a Space or a window changes", async () => {
  const it = ledger();
  await grown(it, 20);
  const before = { counts: countsKept(), report: (await journalCommand("verify")).report };
  assert.ok(before.counts.length > 40, "two accounts, two Spaces, a window a day");
  const { code, report } = await journalCommand("compact", "--keep", "7d");
  assert.equal(code, 0, report.detail ?? "");
  assert.ok(report.removed! > it.records.length / 2, `${report.removed} of ${it.records.length}`);
  const after = (await journalCommand("verify")).report;
  assert.deepEqual(after.totals, before.report.totals);
  assert.deepEqual([after.hash, after.wrongSnapshots, after.rolledUp?.index], [before.report.hash, [], report.removed]);
  assert.deepEqual(countsKept(), before.counts);
  await using journal = await opened();
  const kept = await journal.read(1, it.records.length);
  assert.equal(kept[0]?.index, report.removed! + 1);
  assert.ok(kept.every(({ at }) => at >= now - 7 * day));
  const { receipts } = await Catalog.open(journal.sql, { wall: () => now });
  const ended = it.records.flatMap(({ index, events }) =>
    events.flatMap((event) => (event.type === "call-settled" ? { index, call: event.call } : [])),
  );
  for (const { index, call } of ended)
    assert.equal((await receipts.get(call)) !== undefined, index > report.removed!, `${call}, record ${index}`);
});

test("L25: a compacted journal goes on as the state that it had, and is compacted again", async () => {
  const it = ledger();
  await grown(it, 12);
  await journalCommand("compact", "--keep", "7d");
  {
    await using journal = await opened();
    // As a start does that finds no newer snapshot: from the state after the removed records.
    assert.equal((await journal.latestSnapshot())?.index, it.state.index);
    let ran = 0;
    const clock = { wall: () => now, monotonic: () => ran };
    const alarm = () => () => {};
    await using engine = await Engine.open({ journal, clock, alarm, onFatal: (failure) => assert.fail(failure) });
    const used = ({ accounts }: Ledger["state"]): ReadonlyMap<string, number> =>
      new Map([...accounts.values()].map(({ id, usedMs }) => [id, usedMs]));
    assert.deepEqual(await engine.read(used), used(it.state));
    // More snapshots than are kept: the one that the record begins with stays.
    for (const epoch of [2, 3, 4]) {
      ran++;
      await engine.submit({ type: "start-writer", epoch });
      const body = await engine.read(encodeState);
      const { index } = decodeState(body);
      await journal.saveSnapshot({ index, stateHash: hash("sha256", body, "hex"), body });
    }
  }
  const before = { counts: countsKept(), report: (await journalCommand("verify")).report };
  now = after(now, durationMs(30 * day));
  const { code, report } = await journalCommand("compact", "--keep", "7d");
  assert.equal(code, 0, report.detail ?? "");
  assert.equal(report.rolledUp?.index, before.report.totals.records - 1, "the last record stays");
  assert.deepEqual((await journalCommand("verify")).report.totals, before.report.totals);
  assert.deepEqual(countsKept(), before.counts);
  assert.equal((await journalCommand("compact", "--keep", "7d")).report.removed, 0);
});

test("L24: what ended in the last record's millisecond keeps its receipt with its record, where others ended then too", async () => {
  const it = ledger([card(0), card(1)]);
  for (const call of ["c_1", "c_2"]) it.schedule(call, { account: "alice" });
  for (const call of ["c_1", "c_2"]) it.attach(call);
  it.wait(4_000);
  for (const call of ["c_1", "c_2"]) it.end(call, 4_000);
  now = it.now;
  {
    await using journal = await opened();
    await Promise.all(it.records.map((record) => journal.append(record, worksOf(record.events))));
  }
  now = after(now, durationMs(30 * day));
  const { report } = await journalCommand("compact", "--keep", "7d");
  await using journal = await opened();
  const { receipts } = await Catalog.open(journal.sql, { wall: () => now });
  for (const call of ["c_1", "c_2"]) assert.ok(await receipts.get(call), call);
  assert.equal(report.removed, it.records.length - 2, "both ends stay");
});

test("L29: a running platform's journal is not compacted, nor one whose balances are not its records'", async () => {
  await grown(ledger(), 10);
  {
    await using journal = await opened();
    const { code, report } = await journalCommand("compact", "--keep", "7d");
    assert.deepEqual([code, report.code], [1, "data-folder-busy"]);
    assert.equal((await journal.read(1, 1))[0]?.index, 1);
  }
  const young = await journalCommand("compact", "--keep", "2d");
  assert.deepEqual([young.code, young.report.code], [2, "keep"]);
  changeRecord(folder, 6, capitalAt);
  const { code, report } = await journalCommand("compact", "--keep", "7d");
  assert.deepEqual([code, report.code], [1, "journal-damaged"]);
});

test("L26: what was kept of removed records has a digest: a changed sum is damage", async () => {
  await grown(ledger(), 12);
  await journalCommand("compact", "--keep", "7d");
  tamper("UPDATE meta SET value = replace(value, '4000', '4001') WHERE key = 'rolled-up'");
  const { code, report } = await journalCommand("verify");
  assert.deepEqual([code, report.code], [1, "journal-damaged"]);
  assert.match(report.detail ?? "", /what was kept of the records that were removed was changed/);
  await assert.rejects(opened(), { code: "journal-damaged" });
});

test("a folder without a journal is told so, and one whose journal is in PostgreSQL where it is", async () => {
  const none = await journalCommand("verify");
  assert.deepEqual([none.code, none.report.code], [3, "no-journal"]);
  writeFileSync(join(folder, "journal.postgres.mark"), "");
  const elsewhere = await journalCommand("verify");
  assert.deepEqual([elsewhere.code, elsewhere.report.code], [3, "journal-elsewhere"]);
  assert.match(elsewhere.report.detail ?? "", /is in PostgreSQL/);
});
