/** `waybill journal verify` and `export`: a ledger's own records on a real disk, whole, and damaged by hand. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { worksOf } from "../src/control/engine.ts";
import { ledger } from "../src/core/ledger.suite.ts";
import type { Ledger } from "../src/core/ledger.suite.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { encodeState } from "../src/core/state.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "waybill-rest-"))));
afterEach(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly code?: string;
  readonly detail?: string;
  readonly hash: string;
  readonly tornFrom: number | null;
  readonly totals: { readonly records: number; readonly chargedMs: number; readonly usedMs: number; heldMs: number };
  readonly wrongSnapshots: readonly number[];
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
    restore: () => assert.fail("the journal's commands restore nothing"),
    stopAll: () => assert.fail("the journal's commands stop nothing"),
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
  tamper("UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'at', 'At') AS BLOB) WHERE idx IN (6, 9)");
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
});

test("records that nobody was promised are no damage: verify says where the next start cuts", async () => {
  const { records } = await filled();
  tamper(`INSERT INTO journal VALUES (${records.length + 1}, 9999999999999, x'00', x'00')`);
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
