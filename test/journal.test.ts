/** The journal on a real disk: what holds when processes die, files are cut, bits flip and writes fail. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, hash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { Engine } from "../src/control/engine.ts";
import { apply } from "../src/core/evolve.ts";
import { emptyState, stateHashInput } from "../src/core/state.ts";
import { segmentRecords } from "../src/journal/database.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { Journal, SqliteJournal } from "../src/journal/index.ts";
import { journalSuite, record } from "../src/journal/journal.suite.ts";
import { backlogMax } from "../src/journal/port.ts";
import { rowsFrom } from "../src/journal/rows.ts";
import { instant } from "../src/stdx/time.ts";
import { eventually } from "./support/eventually.ts";

const writer = new URL("./support/journal-writer.ts", import.meta.url).pathname;

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "waybill-journal-"));
  readonly failures: Error[] = [];

  open(): Promise<SqliteJournal> {
    return openSqliteJournal({ folder: this.path, onFatal: (failure) => this.failures.push(failure) });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Name, size and digest of each file that holds data. */
  fingerprint(): string[] {
    return readdirSync(this.path)
      .filter((name) => !name.endsWith("-shm")) // an index of the log, made anew by whoever opens it
      .sort()
      .map((name) => {
        const bytes = readFileSync(this.file(name));
        return `${name} ${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
      });
  }

  /** Changes stored rows as a flipped bit or a hand would, and leaves the journal closed. */
  tamper(sql: string): void {
    const db = new DatabaseSync(this.file("journal.db"));
    db.exec(sql);
    db.close();
  }

  /** Each record in a row of its own, as files of format 1 have them. */
  before3(): void {
    using db = new DatabaseSync(this.file("journal.db"));
    const rows = [...rowsFrom(db, 1)];
    db.exec("BEGIN; DELETE FROM journal; ALTER TABLE journal DROP COLUMN parts");
    const insert = db.prepare("INSERT INTO journal (idx, at, hash, body) VALUES (?, ?, ?, ?)");
    for (const { idx, at, hash: its, body } of rows) insert.run(idx, at, its, body);
    db.exec("COMMIT");
  }

  /** Changes the bytes of one row. */
  change(idx: number, how: (body: Buffer, parts: Buffer) => unknown): void {
    using db = new DatabaseSync(this.file("journal.db"));
    const row = db.prepare("SELECT body, parts FROM journal WHERE idx = ?").get(idx);
    const [body, parts] = ["body", "parts"].map((name) => Buffer.from(row?.[name] as Uint8Array)) as [Buffer, Buffer];
    how(body, parts);
    db.prepare("UPDATE journal SET body = ?, parts = ? WHERE idx = ?").run(body, parts, idx);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Each record by itself in its row. */
async function filled(folder: Folder, count: number): Promise<void> {
  await using journal = await folder.open();
  for (let index = 1; index <= count; index++) await journal.append(record(index), [`c_${index}`]);
}

/** Records `from` to `to` in one row. */
async function packed(folder: Folder, from: number, to: number): Promise<void> {
  await using journal = await folder.open();
  for (let index = from; index <= to; index++) void journal.append(record(index), [`c_${index}`]);
}

/** A writer in a process of its own, and what it has acknowledged so far. */
class Writer implements Disposable {
  readonly child: ChildProcess;
  #output = "";

  constructor(folder: Folder, { kind = "plain", fileLimitKb }: { kind?: string; fileLimitKb?: number } = {}) {
    const args = [writer, folder.path, kind];
    const stdio = ["ignore", "pipe", "inherit"] as const;
    this.child =
      fileLimitKb === undefined
        ? spawn(process.execPath, args, { stdio: [...stdio] })
        : spawn("bash", ["-c", `ulimit -f ${fileLimitKb}; exec "$0" "$@"`, process.execPath, ...args], {
            stdio: [...stdio],
          });
    this.child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  /** Complete lines only: a process killed in the middle of a line had not said it. */
  get lines(): string[] {
    return this.#output.split("\n").slice(0, -1);
  }

  get acknowledged(): number {
    return this.lines.reduce((most, line) => (/^\d+$/.test(line) ? Math.max(most, Number(line)) : most), 0);
  }

  async reached(index: number): Promise<void> {
    await eventually(`record ${index} acknowledged`, () => this.acknowledged >= index);
  }

  async kill(): Promise<void> {
    assert.equal(this.child.exitCode, null, "the writer lives until it is killed");
    const closed = once(this.child, "close");
    this.child.kill("SIGKILL");
    await closed;
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

journalSuite("SqliteJournal", async () => {
  const folder = new Folder();
  return {
    open: () => folder.open(),
    [Symbol.asyncDispose]: async () => {
      folder[Symbol.dispose]();
      assert.deepEqual(folder.failures, []);
    },
  };
});

test("what it keeps, keys and hashes of tokens among it, is for its user alone", async () => {
  using folder = new Folder();
  await using journal = await folder.open();
  await journal.append(record(1), []);
  for (const name of ["journal.db", "journal.db-wal"]) assert.equal(statSync(folder.file(name)).mode & 0o077, 0, name);
});

describe("a writer that is killed", () => {
  test("L24, L26: all that it acknowledged is there, and the chain verifies, kill after kill", async () => {
    using folder = new Folder();
    for (let kill = 1; kill <= 3; kill++) {
      using child = new Writer(folder);
      await child.reached(kill * 150);
      await child.kill();
      await using journal = await folder.open();
      assert.ok(journal.head.index >= child.acknowledged, `${journal.head.index} of ${child.acknowledged}`);
      assert.equal((await journal.verify()).records, journal.head.index);
      assert.equal((await journal.readWork(`c_${child.acknowledged}`)).length, 1);
    }
  });

  test("L25: recovery from snapshot and log gives the state of the whole log, twice", async () => {
    using folder = new Folder();
    using child = new Writer(folder, { kind: "engine" });
    await child.reached(1_200);
    await child.kill();
    const first = await recovered(folder, child.acknowledged);
    const second = await recovered(folder, child.acknowledged);
    assert.equal(first, second);
  });

  test("L29: while it lives nobody else opens its folder; when it is killed anybody may", async () => {
    using folder = new Folder();
    using child = new Writer(folder);
    await child.reached(1);
    await assert.rejects(folder.open(), { code: "data-folder-busy", message: /another process.*Stop it first/ });
    await child.reached(child.acknowledged + 1);
    await child.kill();
    await using journal = await folder.open();
    assert.ok(journal.head.index >= child.acknowledged);
  });

  test("L27: a write that fails ends it, and what it had acknowledged is kept", async () => {
    using folder = new Folder();
    using child = new Writer(folder, { fileLimitKb: 512 });
    const [code] = (await once(child.child, "close")) as [number];
    assert.equal(code, 70);
    assert.equal(child.lines.at(-1), "fatal journal-stopped");
    await using journal = await folder.open();
    assert.ok(child.acknowledged > 0 && journal.head.index >= child.acknowledged);
  });
});

/** Opens and checks; gives the hash of the state at the last record that the writer acknowledged. */
async function recovered(folder: Folder, acknowledged: number): Promise<string> {
  await using journal = await folder.open();
  const failures: Error[] = [];
  const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
  await using engine = await Engine.open({ journal, clock, onFatal: (failure) => failures.push(failure) });
  assert.equal(engine.stateHash(), await foldedHash(journal, journal.head.index));
  assert.ok((await journal.latestSnapshot()) !== null);
  assert.deepEqual(failures, []);
  return foldedHash(journal, acknowledged);
}

async function foldedHash(journal: Journal, until: number): Promise<string> {
  const state = emptyState();
  for (const each of await journal.read(1, until)) apply(state, each);
  assert.equal(state.index, until);
  return hash("sha256", stateHashInput(state), "hex");
}

describe("a damaged journal stops the start, says where, and is left as it was", () => {
  /** Fills, damages, and opens twice: the second refusal is the first one's, so nothing was changed by it. */
  async function refused(
    damage: (folder: Folder) => void | Promise<void>,
    expected: { index: number | null; message: RegExp },
  ): Promise<void> {
    using folder = new Folder();
    await filled(folder, 50);
    await damage(folder);
    const before = folder.fingerprint();
    for (let start = 1; start <= 2; start++) {
      const failure = await folder.open().then(
        () => assert.fail("it opened"),
        (error: Error & { code: string; damage: { index: number | null } }) => error,
      );
      assert.equal(failure.code, "journal-damaged", failure.message);
      assert.equal(failure.damage.index, expected.index);
      assert.match(failure.message, expected.message);
      assert.match(failure.message, /Nothing was overwritten.*restore it from a backup/);
      assert.deepEqual(folder.fingerprint(), before);
    }
  }

  test("a changed amount", () =>
    refused(
      (folder) =>
        folder.tamper(
          "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'c_20', 'c_21') AS BLOB) WHERE idx = 20",
        ),
      {
        index: 20,
        message: /record 20 in .*journal\.db: its hash does not fit/,
      },
    ));

  test("a missing record in the middle", () =>
    refused((folder) => folder.tamper("DELETE FROM journal WHERE idx = 30"), {
      index: 30,
      message: /record 30 .*it is missing; the next one is 31/,
    }));

  describe("in a row of many records", () => {
    const last = 60;
    const at = (body: Buffer, text: string): number => body.indexOf(text);
    for (const [what, damage, expected] of [
      [
        "a changed amount",
        (body: Buffer) => body.write("c_65", at(body, "c_56")),
        { index: 56, message: /record 56 in .*its hash does not fit/ },
      ],
      [
        "a changed hash between two of them",
        (body: Buffer) => body.writeUInt8(body.readUInt8(at(body, '{"index":56') - 1) ^ 1, at(body, '{"index":56') - 1),
        { index: 55, message: /record 55 in .*its hash does not fit/ },
      ],
      [
        "a changed length",
        (_: Buffer, parts: Buffer) => parts.writeUInt8(parts.readUInt8(0) ^ 1, 0),
        { index: 51, message: /record 51 .*it is missing; the next one is 60/ },
      ],
      [
        "a changed time",
        (_: Buffer, parts: Buffer) => parts.writeDoubleLE(1, 12 + 4),
        { index: 52, message: /record 52 in .*its time is before/ },
      ],
    ] as const)
      test(what, () =>
        refused(async (folder) => {
          await packed(folder, 51, last);
          folder.change(last, damage);
        }, expected),
      );

    test("a row whose lengths are gone", () =>
      refused(
        async (folder) => {
          await packed(folder, 51, last);
          folder.tamper(`UPDATE journal SET parts = NULL WHERE idx = ${last}`);
        },
        { index: 51, message: /record 51 .*it is missing; the next one is 60/ },
      ));
  });

  test("a lost end that was acknowledged", () =>
    refused((folder) => folder.tamper("DELETE FROM journal WHERE idx > 40"), {
      index: 41,
      message: /record 41 .*it is missing; records up to 50 were acknowledged/,
    }));

  test("a chain that was written anew", () =>
    refused((folder) => folder.tamper("DELETE FROM journal WHERE idx > 0"), { index: 1, message: /record 1 / }));

  test("a file cut short", () =>
    refused((folder) => truncateSync(folder.file("journal.db"), statSync(folder.file("journal.db")).size - 4096), {
      index: null,
      message: /journal\.db: SQLite says/,
    }));

  test("an empty file", () =>
    refused((folder) => truncateSync(folder.file("journal.db"), 0), {
      index: 1,
      message: /missing or empty.*50 records/,
    }));

  test("a file that is gone", () =>
    refused((folder) => rmSync(folder.file("journal.db")), { index: 1, message: /missing or empty/ }));

  test("a file that is not a database", () =>
    refused((folder) => writeFileSync(folder.file("journal.db"), "nonsense ".repeat(1_000)), {
      index: null,
      message: /SQLite says "file is not a database"/,
    }));

  test("a mark that is gone", () =>
    refused((folder) => rmSync(folder.file("journal.mark")), { index: null, message: /the mark .* is missing/ }));

  test("a mark that can't be read", () =>
    refused((folder) => writeFileSync(folder.file("journal.mark"), "?"), {
      index: null,
      message: /the mark .* can't be read/,
    }));
});

test("a record too many is refused before it is taken, and the rest goes to disk", async () => {
  using folder = new Folder();
  await using journal = await folder.open();
  for (let index = 1; index <= backlogMax; index++) void journal.append(record(index), []);
  await assert.rejects(journal.append(record(backlogMax + 1), []), { code: "journal-backlog" });
  await journal.read(1, 1);
  await journal.append(record(backlogMax + 1), []);
  assert.equal(journal.head.index, backlogMax + 1);
});

test("L26: with the log of a killed writer lost, its acknowledged records are missed, and nothing is changed", async () => {
  using folder = new Folder();
  using child = new Writer(folder);
  await child.reached(50);
  // The mark is at most a second late: wait until it names some of what only the log holds.
  await eventually(
    "a mark",
    () => Number(/"index":(\d+)/.exec(readFileSync(folder.file("journal.mark"), "latin1"))?.[1] ?? 0) > 0,
  );
  await child.kill();
  truncateSync(folder.file("journal.db-wal"), 0);
  const before = folder.fingerprint();
  await assert.rejects(folder.open(), {
    code: "journal-damaged",
    message: /it is missing; records up to \d+ were acknowledged/,
  });
  assert.deepEqual(folder.fingerprint(), before);
});

test("L26: a bad record past the mark was promised to nobody: it is cut, and the journal goes on", async () => {
  using folder = new Folder();
  await filled(folder, 20);
  const mark = readFileSync(folder.file("journal.mark"));
  await packed(folder, 21, 25);
  writeFileSync(folder.file("journal.mark"), mark);
  folder.change(25, (body) => body.write("c_32", body.indexOf("c_23")));
  {
    await using journal = await folder.open();
    assert.deepEqual([journal.cutFrom, journal.head.index], [23, 22]);
    assert.deepEqual(await journal.readWork("c_24"), []);
    await journal.append(record(23, "again"), []);
  }
  await using journal = await folder.open();
  assert.deepEqual([journal.cutFrom, (await journal.verify()).records], [null, 23]);
});

test("damage before the last snapshot does not stop the start; `verify` finds it", async () => {
  using folder = new Folder();
  {
    await using journal = await folder.open();
    for (let index = 1; index <= 20; index++) await journal.append(record(index), []);
    await journal.saveSnapshot({ index: 15, stateHash: "h", body: "{}" });
  }
  folder.tamper("UPDATE journal SET body = x'00' WHERE idx = 7");
  await using journal = await folder.open();
  assert.equal(journal.head.index, 20);
  await assert.rejects(journal.verify(), { code: "journal-damaged", message: /record 7 / });
});

test("L26: past a snapshot with a flipped bit the chain is followed from the one before it, or from the first record", async () => {
  using folder = new Folder();
  {
    await using journal = await folder.open();
    for (const index of [1, 2, 3]) {
      await journal.append(record(index), []);
      if (index > 1) await journal.saveSnapshot({ index, stateHash: "h", body: '{"usedMs":1}' });
    }
  }
  folder.tamper(`UPDATE snapshots SET body = '{"usedMs":0}' WHERE idx = 3`);
  assert.deepEqual(await passedOver(folder), [3]);
  folder.tamper(`UPDATE snapshots SET body = '{"usedMs":0}'`);
  assert.deepEqual(await passedOver(folder), [3, 2]);
  folder.tamper("UPDATE journal SET body = x'00' WHERE idx = 1");
  await assert.rejects(folder.open(), { code: "journal-damaged", message: /record 1 / });
});

async function passedOver(folder: Folder): Promise<readonly number[]> {
  await using journal = await folder.open();
  return journal.passedOver;
}

describe("the index of works", () => {
  /** Works of their own, and one that all have, over more than two segments. */
  const count = 2 * segmentRecords + 500;
  const probes = [1, segmentRecords - 1, segmentRecords, segmentRecords + 1, 2 * segmentRecords + 100, count];

  async function found(journal: SqliteJournal): Promise<void> {
    for (const index of probes)
      assert.deepEqual(
        (await journal.readWork(`c_${index}`)).map((each) => each.index),
        [index],
      );
    assert.equal((await journal.readWork("all")).length, count);
    const works = await journal.worksOf(2 * segmentRecords - 2, count);
    assert.equal(works.size, count - 2 * segmentRecords + 3);
    assert.deepEqual(works.get(count)?.toSorted(), ["all", `c_${count}`]);
  }

  test("has records of segments that are over and of the one that is not, again after a start, and in a file of the format before", async () => {
    using folder = new Folder();
    {
      await using journal = await folder.open();
      for (let index = 1; index <= count; index++) void journal.append(record(index), ["all", `c_${index}`, "all"]);
      await found(journal);
    }
    {
      await using journal = await folder.open();
      await found(journal);
    }
    folder.tamper("UPDATE meta SET value = '1' WHERE key = 'format'; DROP TABLE recent_works");
    folder.before3();
    await using journal = await folder.open();
    await found(journal);
    const formats = await journal.sql.all("SELECT value FROM meta WHERE key = 'format'");
    assert.deepEqual(
      formats.map(({ value }) => value),
      ["3"],
    );
  });
});

test("a format of a later version is refused as such", async () => {
  using folder = new Folder();
  await filled(folder, 1);
  folder.tamper("UPDATE meta SET value = '5' WHERE key = 'format'");
  await assert.rejects(folder.open(), { code: "journal-format-unknown", message: /format "5"/ });
});

describe("SqlRunner: other parts' rows in the journal's file", () => {
  async function withTable(use: (journal: SqliteJournal) => Promise<void>): Promise<void> {
    using folder = new Folder();
    await using journal = await folder.open();
    await journal.sql.run("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER NOT NULL, b BLOB) STRICT");
    await use(journal);
    assert.deepEqual(folder.failures, []);
  }

  test("rows come back as they were written", () =>
    withTable(async ({ sql }) => {
      const { changes } = await sql.run("INSERT INTO t VALUES (?, ?, ?)", ["a", 1, new Uint8Array([1, 2])]);
      assert.equal(changes, 1);
      const rows = await sql.all("SELECT k, n, b FROM t WHERE n = ?", [1]);
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ k: "a", n: 1, b: new Uint8Array([1, 2]) }],
      );
    }));

  test("a change with RETURNING gives its rows", () =>
    withTable(async ({ sql }) => {
      const rows = await sql.all("INSERT INTO t (k, n) VALUES ('a', 2) RETURNING n");
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ n: 2 }],
      );
    }));

  test("a transaction is done whole or not at all, and the refusal names the rule", () =>
    withTable(async ({ sql }) => {
      const insert = (k: string) => ({ sql: "INSERT INTO t (k, n) VALUES (?, 1)", params: [k] });
      await assert.rejects(sql.transaction([insert("a"), insert("b"), insert("a")]), {
        code: "sql-refused",
        rule: "unique",
      });
      assert.equal((await sql.all("SELECT * FROM t")).length, 0);
      await sql.transaction([insert("a"), insert("b")]);
      assert.equal((await sql.all("SELECT * FROM t")).length, 2);
    }));

  test("wrong SQL, and a transaction left open, are refused; records go on", () =>
    withTable(async (journal) => {
      await assert.rejects(journal.sql.all("SELEKT"), { code: "sql-refused" });
      await assert.rejects(journal.sql.run("BEGIN"), { code: "sql-refused", message: /left open/ });
      await journal.append(record(1), []);
      assert.equal(journal.head.index, 1);
    }));

  test("rows and records written at once are both kept", () =>
    withTable(async (journal) => {
      const work = Array.from({ length: 50 }, async (_, i) => {
        await Promise.all([
          journal.append(record(i + 1), []),
          journal.sql.run("INSERT INTO t (k, n) VALUES (?, ?)", [`k${i}`, i]),
        ]);
      });
      await Promise.all(work);
      assert.equal(journal.head.index, 50);
      assert.equal((await journal.sql.all("SELECT * FROM t")).length, 50);
      assert.equal((await journal.verify()).records, 50);
    }));
});
