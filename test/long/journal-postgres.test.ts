/** The journal in a real PostgreSQL: the suite, and what holds when writers and servers die or take over. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client } from "pg";
import { followPostgresJournal } from "../../src/journal/postgres-follow.ts";
import { openPostgresJournal } from "../../src/journal/postgres.ts";
import type { PostgresJournal } from "../../src/journal/postgres.ts";
import { journalSuite, record } from "../../src/journal/journal.suite.ts";
import { genesisHash } from "../../src/journal/port.ts";
import { eventually } from "../support/eventually.ts";
import { needs } from "../support/needs.ts";
import { PostgresServer } from "../support/postgres.ts";

const needed = await needs("postgresql");
const started: PostgresServer[] = [];
after(() => started.forEach((server) => server[Symbol.dispose]()));

/** One for all tests of this file, started by the first; each test has a database of its own. */
function server(): PostgresServer {
  if (started.length === 0) started.push(new PostgresServer());
  return started[0] as PostgresServer;
}

/** A database, and what its writers in this process failed of. */
class Database {
  readonly url: string;
  readonly failures: (Error & { code?: string })[] = [];

  constructor(url: string) {
    this.url = url;
  }

  open(standBy?: AbortSignal): Promise<PostgresJournal> {
    const onFatal = (failure: Error): void => void this.failures.push(failure);
    return openPostgresJournal({ url: this.url, onFatal, ...(standBy === undefined ? {} : { standBy }) });
  }

  sql(text: string): Promise<readonly Record<string, unknown>[]> {
    return server().sql(this.url, text);
  }

  async count(table: string): Promise<number> {
    const [row] = await this.sql(`SELECT count(*)::int AS n FROM waybill.${table}`);
    return row?.["n"] as number;
  }

  async fill(from: number, to: number): Promise<void> {
    await using journal = await this.open();
    for (let index = from; index <= to; index++) void journal.append(record(index), [`c_${index}`]);
  }
}

async function database(): Promise<Database> {
  return new Database(await server().database());
}

/** Opens and closes: a sound journal does so without a word. */
async function opens(here: Database): Promise<void> {
  await (await here.open())[Symbol.asyncDispose]();
}

const writerFile = new URL("../support/journal-writer.ts", import.meta.url).pathname;

/** A writer in a process of its own, and what it has said so far. */
class Writer implements Disposable {
  readonly child: ChildProcess;
  #output = "";

  constructor(url: string) {
    this.child = spawn(process.execPath, [writerFile, url], { stdio: ["ignore", "pipe", "inherit"] });
    this.child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get lines(): string[] {
    return this.#output.split("\n").slice(0, -1);
  }

  get acknowledged(): number {
    return this.lines.reduce((most, line) => (/^\d+$/.test(line) ? Math.max(most, Number(line)) : most), 0);
  }

  async reached(index: number): Promise<void> {
    await eventually(`record ${index} acknowledged`, () => this.acknowledged >= index);
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

if (needed.skip === false) {
  journalSuite("PostgresJournal", async () => {
    const here = await database();
    return {
      open: () => here.open(),
      [Symbol.asyncDispose]: async () => assert.deepEqual(here.failures, []),
    };
  });
}

test("L29: after another took over, a late append, snapshot and the rest fail and change nothing", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), ["a"]);
  await here.sql("UPDATE waybill.journal_head SET epoch = epoch + 1");
  await assert.rejects(journal.append(record(2), ["a"]), { code: "journal-deposed" });
  await assert.rejects(journal.append(record(3), ["a"]), { code: "journal-deposed" });
  await assert.rejects(journal.saveSnapshot({ index: 1, stateHash: "h", body: "{}" }), { code: "journal-deposed" });
  assert.deepEqual([await here.count("journal"), await here.count("journal_works")], [1, 1]);
  assert.equal(await here.count("journal_snapshots"), 0);
  assert.deepEqual(
    here.failures.map(({ code }) => code),
    ["journal-deposed"],
  );
});

test("L29: a snapshot alone learns of it too", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), []);
  await here.sql("UPDATE waybill.journal_head SET epoch = epoch + 1");
  await assert.rejects(journal.saveSnapshot({ index: 1, stateHash: "h", body: "{}" }), { code: "journal-deposed" });
  assert.equal(await here.count("journal_snapshots"), 0);
});

test("L29: an append that waits while another takes over is refused when that is done", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), []);
  const other = new Client({ connectionString: here.url });
  await other.connect();
  await other.query("BEGIN");
  await other.query("UPDATE waybill.journal_head SET epoch = epoch + 1");
  const late = assert.rejects(journal.append(record(2), []), { code: "journal-deposed" });
  const blocked =
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
  for (let waiting = 0; waiting === 0;) waiting = (await here.sql(blocked))[0]?.["n"] as number;
  await other.query("COMMIT");
  await other.end();
  await late;
  assert.equal(await here.count("journal"), 1);
});

test(
  "L29: a writer that slept while its session was ended and another wrote can add nothing when it wakes",
  needed,
  async () => {
    const here = await database();
    using first = new Writer(here.url);
    await first.reached(5);
    first.child.kill("SIGSTOP");
    await here.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    await using second = await here.open(AbortSignal.timeout(180_000));
    const { index } = second.head;
    assert.ok(index >= first.acknowledged);
    await second.append(record(index + 1), []);
    const closed = once(first.child, "close");
    first.child.kill("SIGCONT");
    assert.equal((await closed)[0], 70);
    assert.match(first.lines.at(-1) ?? "", /^fatal journal-stopped$/);
    await second.append(record(index + 2), []);
    assert.equal((await second.verify()).records, index + 2);
  },
);

test(
  "L24: what a killed writer had acknowledged is there, and the one that stood by goes on from it",
  needed,
  async () => {
    const here = await database();
    using first = new Writer(here.url);
    await first.reached(20);
    const standBy = here.open(AbortSignal.timeout(180_000));
    await first.reached(first.acknowledged + 20);
    const closed = once(first.child, "close");
    first.child.kill("SIGKILL");
    await closed;
    await using second = await standBy;
    assert.ok(second.head.index >= first.acknowledged, `${second.head.index} of ${first.acknowledged}`);
    await second.append(record(second.head.index + 1), []);
    assert.equal((await second.verify()).records, second.head.index);
  },
);

test("a standby that is told to stop waiting leaves the writer alone", needed, async () => {
  const here = await database();
  await using first = await here.open();
  await assert.rejects(here.open(AbortSignal.timeout(1)), { name: "AbortError" });
  await first.append(record(1), []);
});

test(
  "L24, L27: a server that dies under load ends the writer, and has kept what was acknowledged",
  needed,
  async () => {
    using own = new PostgresServer();
    const url = await own.database();
    using writer = new Writer(url);
    await writer.reached(50);
    const closed = once(writer.child, "close");
    own.stop("immediate");
    assert.equal((await closed)[0], 70);
    assert.equal(writer.lines.at(-1), "fatal journal-stopped");
    own.start();
    await using again = await openPostgresJournal({ url, onFatal: assert.ifError });
    assert.ok(again.head.index >= writer.acknowledged, `${again.head.index} of ${writer.acknowledged}`);
    assert.equal((await again.verify()).records, again.head.index);
  },
);

test("L27: a writer whose session is ended tells it once, and takes nothing more", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), []);
  await here.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  await eventually("the loss is told", () => here.failures.length > 0);
  await assert.rejects(journal.append(record(2), []), { code: "journal-stopped" });
  await assert.rejects(journal.read(1, 1), { code: "journal-stopped" });
  assert.deepEqual(
    here.failures.map(({ code }) => code),
    ["journal-stopped"],
  );
});

test("L27: a snapshot that the server does not take ends the writer as an append would", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), []);
  await here.sql("DROP TABLE waybill.journal_snapshots");
  const saved = journal.saveSnapshot({ index: 1, stateHash: "h", body: "{}" });
  await assert.rejects(saved, { code: "journal-stopped", message: /journal_snapshots.*PostgreSQL and its log/ });
  assert.equal(here.failures.length, 1);
});

test("a follower gets each record once and in order, those from before and those to come", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  await journal.append(record(1), []);
  const ended = new AbortController();
  const seen: number[] = [];
  const following = (async () => {
    const after = { index: 0, hash: genesisHash };
    for await (const records of followPostgresJournal({ url: here.url, after, signal: ended.signal }))
      seen.push(...records.map(({ index }) => index));
  })();
  await eventually("the first record", () => seen.length === 1);
  for (let index = 2; index <= 40; index++) await journal.append(record(index), []);
  await eventually("all records", () => seen.length >= 40);
  ended.abort();
  await following;
  assert.deepEqual(
    seen,
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
});

test("an idle follower hears of a commit well before it would have looked by itself", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  const ended = new AbortController();
  const waits: number[] = [];
  let appendedAt = 0;
  const following = (async () => {
    const after = { index: 0, hash: genesisHash };
    for await (const _ of followPostgresJournal({ url: here.url, after, signal: ended.signal }))
      waits.push(performance.now() - appendedAt);
  })();
  for (let index = 1; index <= 9; index++) {
    appendedAt = performance.now();
    await journal.append(record(index), []);
    await eventually("heard", () => waits.length === index);
  }
  ended.abort();
  await following;
  const median = waits.toSorted((a, b) => a - b)[4] as number;
  assert.ok(median < 800, `${median} ms, and it looks by itself every second`);
});

for (const [what, change, message] of [
  [
    "a changed record",
    "UPDATE waybill.journal SET body = set_byte(body, 9, 65) WHERE idx = 2",
    /record 2 .*hash does not fit/,
  ],
  ["a missing record", "DELETE FROM waybill.journal WHERE idx = 2", /record 2 .*it is missing/],
  ["a missing end", "DELETE FROM waybill.journal WHERE idx = 3", /record 3 .*up to 3 were acknowledged/],
  [
    "a record that nobody wrote",
    "INSERT INTO waybill.journal SELECT 4, at, epoch, hash, body FROM waybill.journal WHERE idx = 3",
    /record 4 .*never acknowledged/,
  ],
  [
    "a head of another chain",
    "UPDATE waybill.journal_head SET hash = sha256('x')",
    /record 3 .*not the one that was acknowledged/,
  ],
  ["a missing head", "DELETE FROM waybill.journal_head", /last acknowledged record is missing/],
] as const) {
  test(`L26: ${what} stops the start, and is left as it is`, needed, async () => {
    const here = await database();
    await here.fill(1, 3);
    await here.sql(change);
    const rows = await here.sql("SELECT * FROM waybill.journal ORDER BY idx");
    await assert.rejects(here.open(), { code: "journal-damaged", message });
    assert.deepEqual(await here.sql("SELECT * FROM waybill.journal ORDER BY idx"), rows);
  });
}

test("L26: a start follows the chain from the last snapshot; what lies before it is verify's", needed, async () => {
  const here = await database();
  {
    await using journal = await here.open();
    for (const index of [1, 2, 3]) await journal.append(record(index), []);
    await journal.saveSnapshot({ index: 2, stateHash: "h", body: "{}" });
  }
  await here.sql("UPDATE waybill.journal SET body = set_byte(body, 9, 65) WHERE idx = 1");
  await using again = await here.open();
  await assert.rejects(again.verify(), { code: "journal-damaged", message: /record 1 / });
  await again[Symbol.asyncDispose]();
  await here.sql("UPDATE waybill.journal_snapshots SET body = '[]'");
  await here.sql("UPDATE waybill.journal SET body = set_byte(body, 9, ascii('1')) WHERE idx = 1");
  await using whole = await here.open();
  assert.deepEqual(whole.passedOver, [2], "the chain was followed from its beginning");
});

test("older snapshots go, but for one", needed, async () => {
  const here = await database();
  await using journal = await here.open();
  for (const index of [1, 2, 3, 4]) {
    await journal.append(record(index), []);
    await journal.saveSnapshot({ index, stateHash: "h", body: "{}" });
  }
  const kept = await here.sql("SELECT idx::int FROM waybill.journal_snapshots ORDER BY idx");
  assert.deepEqual(kept, [{ idx: 3 }, { idx: 4 }]);
});

test("a format of a later version is refused as such", needed, async () => {
  const here = await database();
  await opens(here);
  await here.sql("UPDATE waybill.journal_head SET format = '3'");
  await assert.rejects(here.open(), { code: "journal-format-unknown", message: /format "3"/ });
});

test(
  "a server that is not there, or would forget what it acknowledged, is refused with what to do",
  needed,
  async () => {
    const nowhere = openPostgresJournal({ url: "postgres://u@127.0.0.1:1/d", onFatal: assert.ifError });
    await assert.rejects(nowhere, { code: "database-unfit", message: /database d at 127\.0\.0\.1:1 .*ECONNREFUSED/ });
    using own = new PostgresServer();
    const url = await own.database();
    await own.sql(url, "ALTER SYSTEM SET fsync = off");
    await own.sql(url, "SELECT pg_reload_conf()");
    for (let fsync: unknown = "on"; fsync !== "off";) fsync = (await own.sql(url, "SHOW fsync"))[0]?.["fsync"];
    await assert.rejects(openPostgresJournal({ url, onFatal: assert.ifError }), {
      code: "database-unfit",
      message: /fsync = off/,
    });
  },
);

test(
  "L26: with a mark beside the server, a database that was restored to an older state is refused, and left as it is",
  needed,
  async () => {
    const here = await database();
    const folder = mkdtempSync(join(tmpdir(), "wb-mark-"));
    const mark = join(folder, "journal.postgres.mark");
    const open = () => openPostgresJournal({ url: here.url, onFatal: assert.ifError, mark });
    try {
      {
        await using journal = await open();
        for (const index of [1, 2, 3]) await journal.append(record(index), []);
      }
      await (await open())[Symbol.asyncDispose]();
      await here.sql(
        "DELETE FROM waybill.journal WHERE idx = 3; UPDATE waybill.journal_head h SET idx = j.idx, at = j.at, hash = j.hash FROM waybill.journal j WHERE j.idx = 2",
      );
      await opens(here);
      await assert.rejects(open(), { code: "journal-damaged", message: /record 3 .*up to 3 were acknowledged/ });
      writeFileSync(mark, "");
      await assert.rejects(open(), { code: "journal-damaged", message: /neither of its two halves/ });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test(
  "a compaction removes records in one commit, keeps what they came to, and another writer goes on from there",
  needed,
  async () => {
    const here = await database();
    await here.fill(1, 50);
    const counts = [{ account: "a", space: "a/b", period: 0, settled: 1, voided: 0, refused: 0, chargedMs: 5 }];
    const snapshot = { index: 30, stateHash: "h", body: "{}" };
    {
      await using journal = await here.open();
      await journal.saveSnapshot({ index: 10, stateHash: "old", body: "{}" });
      assert.equal(await journal.compact({ snapshot, counts, also: [] }), null);
      const rolledUp = await journal.rolledUp();
      assert.deepEqual([rolledUp?.index, rolledUp?.at, rolledUp?.counts], [30, record(30).at, counts]);
      assert.deepEqual(await journal.readWork("c_30"), []);
      assert.equal((await journal.verify()).records, 20);
    }
    await using journal = await here.open();
    assert.deepEqual({ ...(await journal.latestSnapshot()) }, snapshot);
    assert.equal((await journal.read(1, 100))[0]?.index, 31);
    for (const index of [51, 52, 53]) {
      await journal.append(record(index), []);
      await journal.saveSnapshot({ index, stateHash: "h", body: "{}" });
    }
    assert.deepEqual({ ...(await journal.snapshotAt(30)) }, snapshot, "what the record begins with stays");
    assert.equal(await here.count("journal_snapshots"), 3);
    assert.deepEqual(here.failures, []);
  },
);

test("a compaction that fails half-way has removed nothing", needed, async () => {
  const here = await database();
  await here.fill(1, 20);
  {
    await using journal = await here.open();
    const snapshot = { index: 10, stateHash: "h", body: "{}" };
    const also = [{ sql: "DELETE FROM no_such_table" }];
    await assert.rejects(journal.compact({ snapshot, counts: [], also }), { code: "journal-stopped" });
  }
  assert.equal(await here.count("journal"), 20);
  await using journal = await here.open();
  assert.deepEqual([await journal.rolledUp(), (await journal.verify()).records], [null, 20]);
});
