/** `waybill journal move`: kept journals and a larger one into a real PostgreSQL, whole or not at all, and never two writers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Catalog } from "../../src/catalog/catalog.ts";
import { Engine, worksOf } from "../../src/control/engine.ts";
import { hello, Ledger } from "../../src/core/ledger.suite.ts";
import { Replay } from "../../src/core/totals.ts";
import { decodeState } from "../../src/core/state.ts";
import { openPostgresJournal } from "../../src/journal/postgres.ts";
import type { PostgresJournal } from "../../src/journal/postgres.ts";
import { move } from "../../src/main/move.ts";
import { openJournal } from "../../src/main/open-journal.ts";
import { instant } from "../../src/stdx/time.ts";
import { keepRecords } from "../support/journal-folder.ts";
import { CopiedJournal, callsIn, keptFolders } from "../support/kept-journals.ts";
import { needs } from "../support/needs.ts";
import { PostgresServer } from "../support/postgres.ts";

const needed = await needs("postgresql");
const program = new URL("../../src/main/waybill.ts", import.meta.url).pathname;
const clockAt = (ms: number) => ({ wall: () => instant(ms), monotonic: () => 0 });
const opened = (url: string): Promise<PostgresJournal> =>
  openPostgresJournal({ url, onFatal: (failure) => assert.fail(failure) });

/** Each life is longer than the one before by half: from before the program is loaded to past its last step on any machine. */
const firstLifeMs = 200;
const triesMax = 20;

describe("a journal that is moved into PostgreSQL", needed, () => {
  let server: PostgresServer;
  before(() => void (server = new PostgresServer()));
  after(() => server[Symbol.dispose]());

  for (const folder of keptFolders())
    test(`L25, L26, L38: kept journal ${folder.name}: state, sums and catalog are the folder's, and the ledger goes on`, async () => {
      using copy = new CopiedJournal(folder);
      const { kept } = folder;
      const url = await server.database();
      const moved = await move({ data: copy.folder, journal: url }, clockAt(kept.at));
      assert.deepEqual([moved.copied, moved.totals, moved.head.index], [true, kept.totals, kept.totals.records]);
      {
        await using journal = await opened(url);
        const records = await journal.read(1, 10_000);
        const rolledUp = await journal.rolledUp();
        assert.equal(records[0]?.index, (rolledUp?.index ?? 0) + 1);
        const snapshot = rolledUp && (await journal.snapshotAt(rolledUp.index));
        const beginning = snapshot && { state: decodeState(snapshot.body), counts: rolledUp.counts };
        const replay = new Replay(beginning ?? undefined);
        for (const record of records) replay.take(record);
        assert.deepEqual(replay.counts(), kept.counts);
        // A call: nodes are found by their names only in records of later versions.
        const calls = records.flatMap(({ events }) => events.flatMap((event) => ("call" in event ? event.call : [])));
        const work = calls.at(-1) ?? assert.fail();
        const named = records.filter(({ events }) => worksOf(events).includes(work));
        assert.deepEqual(await journal.readWork(work), named);
        const catalog = await Catalog.open(journal.sql, clockAt(kept.at));
        if (folder.name.endsWith("whole")) assert.deepEqual(await callsIn(catalog), kept.catalog);
        assert.equal((await catalog.spaces.get("alice/demo"))?.owner, "alice");
        const options = { clock: clockAt(kept.at), alarm: () => () => {}, onFatal: assert.fail };
        await using engine = await Engine.open({ journal, ...options });
        assert.deepEqual([engine.passedOver, engine.durable], [[], kept.totals.records + 1]);
      }
      const elsewhere = { code: "journal-elsewhere" };
      const start = { onFatal: assert.fail, standBy: undefined };
      await assert.rejects(openJournal({ data: copy.folder, journal: null }, start), elsewhere);
      await assert.rejects(move({ data: copy.folder, journal: url }, clockAt(kept.at)), elsewhere);
      await using again = await openJournal({ data: copy.folder, journal: url }, start);
      assert.equal(again.head.index, kept.totals.records + 1);
    });

  test("a database that holds anything else is refused, and the folder's platform starts as before", async () => {
    const [folder] = keptFolders();
    assert.ok(folder);
    using copy = new CopiedJournal(folder);
    const url = await server.database();
    await (await opened(url))[Symbol.asyncDispose]();
    await assert.rejects(move({ data: copy.folder, journal: url }, clockAt(folder.kept.at)), {
      code: "database-filled",
    });
    assert.ok(!existsSync(join(copy.folder, "journal.postgres.mark")));
    const start = { onFatal: assert.fail, standBy: undefined };
    await using journal = await openJournal({ data: copy.folder, journal: null }, start);
    assert.equal(journal.head.index, folder.kept.totals.records);
  });

  test("L24, L29: killed at any step, the folder or the database has all of it, and the next one ends", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-move-"));
    try {
      const it = new Ledger();
      it.do({ type: "start-writer", epoch: 1 });
      it.do({ type: "set-pool", pool: "main", settings: {} });
      it.do(hello());
      for (let call = 0; call < 1_500; call++) it.run(`c_${call}`, 100, { account: "alice" });
      await keepRecords(folder, it.records);
      const url = await server.database();
      let killed = 0;
      for (let attempt = 1; ; attempt++) {
        assert.ok(attempt <= triesMax, "one that has time enough ends");
        const code = await moveFor(folder, url, Math.round(firstLifeMs * 1.5 ** (attempt - 1)));
        if (existsSync(join(folder, "journal.moved.db"))) break;
        assert.equal(code, null, "it was killed");
        killed += 1;
        assert.ok(existsSync(join(folder, "journal.db")));
      }
      assert.ok(killed > 1);
      await using journal = await opened(url);
      assert.deepEqual(await journal.read(1, 10_000), it.records);
      await journal.verify();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** The exit code; null where it was killed. */
async function moveFor(folder: string, url: string, ms: number): Promise<number | null> {
  const child = spawn(process.execPath, [program, "journal", "move", "--journal", url, "--data", folder], {
    ...{ stdio: "ignore", timeout: ms, killSignal: "SIGKILL" },
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}
