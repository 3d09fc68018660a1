/** Every journal that a version of Waybill has written is read, to the state that it had: events keep their meaning for ever. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { Catalog } from "../src/catalog/catalog.ts";
import { Engine } from "../src/control/engine.ts";
import { apply } from "../src/core/evolve.ts";
import { decodeState, encodeState } from "../src/core/state.ts";
import type { State } from "../src/core/state.ts";
import { Replay } from "../src/core/totals.ts";
import { knownVersions } from "../src/journal/encoding.ts";
import { JournalAtRest, openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import {
  balancesOf,
  callsIn,
  CopiedJournal,
  hubIn,
  identityIn,
  keptFolders,
  webhooksIn,
} from "./support/kept-journals.ts";
import type { KeptFolder } from "./support/kept-journals.ts";

const hashOf = (state: State): string => hash("sha256", encodeState(state), "hex");
const opened = (folder: string): Promise<SqliteJournal> =>
  openSqliteJournal({ folder, onFatal: (failure) => assert.fail(failure) });

/** From the first record on, or from the state that a compaction left. */
function replayed(folder: string): { replay: Replay; events: Record<string, number> } {
  using journal = new JournalAtRest(folder);
  const rolledUp = journal.rolledUp();
  const replay = new Replay(
    rolledUp === null ? undefined : { state: decodeState(rolledUp.body), counts: rolledUp.counts },
  );
  const snapshots = new Map(journal.snapshots().map(({ index, stateHash }) => [index, stateHash]));
  const events: Record<string, number> = {};
  journal.walk({
    record: (record) => {
      replay.take(record);
      const kept = snapshots.get(record.index);
      if (kept !== undefined) assert.equal(hashOf(replay.state), kept, `the snapshot after record ${record.index}`);
      for (const { type } of record.events) events[type] = (events[type] ?? 0) + 1;
    },
  });
  return { replay, events };
}

/** As a start does; the hash is of the state with the start's own record. */
async function started(folder: string, { kept }: KeptFolder): Promise<string> {
  await using journal = await opened(folder);
  const clock = { wall: () => kept.at, monotonic: () => 0 };
  await using engine = await Engine.open({ journal, clock, alarm: () => () => {}, onFatal: assert.fail });
  return engine.stateHash();
}

function dropSnapshots(folder: string): void {
  using db = new DatabaseSync(join(folder, "journal.db"));
  const rolledUp = db.prepare("SELECT value FROM meta WHERE key = 'rolled-up'").get();
  const stays = rolledUp === undefined ? 0 : JSON.parse(JSON.parse(rolledUp["value"] as string).text).index;
  db.prepare("DELETE FROM snapshots WHERE idx <> ?").run(stays);
}

test("the newest kept journal has each kind of event that is known: another one is kept when there are more", () => {
  const newest = keptFolders().reduce((a, b) => (Number.parseInt(b.name, 10) >= Number.parseInt(a.name, 10) ? b : a));
  const missing = Object.keys(knownVersions).filter((type) => !(type in newest.kept.events));
  assert.deepEqual(missing, [], "run `npm run keep-journal`, and commit what it writes");
});

for (const folder of keptFolders())
  describe(`kept journal ${folder.name}`, () => {
    const { kept } = folder;

    test("L25, L26, L38: each record fits the one before, and all of them give the state, the balances and the sums of then", () => {
      using copy = new CopiedJournal(folder);
      const { replay, events } = replayed(copy.folder);
      assert.equal(hashOf(replay.state), kept.stateHash);
      assert.deepEqual(replay.differences(), []);
      assert.deepEqual(replay.totals(), kept.totals);
      assert.deepEqual(replay.counts(), kept.counts);
      assert.deepEqual(balancesOf(replay.state), kept.balances);
      if (folder.name.endsWith("whole")) assert.deepEqual(events, kept.events);
    });

    test("L25: a start from its snapshot and one without any give the same state", async () => {
      using withSnapshot = new CopiedJournal(folder);
      using without = new CopiedJournal(folder);
      dropSnapshots(without.folder);
      const { replay } = replayed(without.folder);
      const epoch = replay.state.writer.epoch + 1;
      const record = { index: replay.state.index + 1, at: kept.at, events: [{ v: 1, type: "writer-started", epoch }] };
      apply(replay.state, record as Parameters<typeof apply>[1]);
      for (const copy of [withSnapshot, without])
        assert.equal(await started(copy.folder, folder), hashOf(replay.state));
    });

    test("its catalog is brought to today's tables, with its accounts, Spaces and receipts", async () => {
      using copy = new CopiedJournal(folder);
      await using journal = await opened(copy.folder);
      const catalog = await Catalog.open(journal.sql, { wall: () => kept.at });
      assert.deepEqual((await catalog.accounts.get("alice"))?.createdAt, kept.at);
      assert.deepEqual((await catalog.spaces.get("alice/demo"))?.owner, "alice");
      assert.equal(catalog.calls.cursor, kept.totals.records);
      // What was added to a row since then has come to nothing in old ones.
      if (kept.identity !== undefined) assert.partialDeepStrictEqual(await identityIn(catalog), kept.identity);
      if (kept.hub !== undefined) assert.partialDeepStrictEqual(await hubIn(catalog), kept.hub);
      if (kept.webhooks !== undefined) assert.partialDeepStrictEqual(await webhooksIn(catalog), kept.webhooks);
      const { calls, chargedMs } = await callsIn(catalog);
      if (folder.name.endsWith("whole")) assert.deepEqual({ calls, chargedMs }, kept.catalog);
      else assert.ok(calls > 0 && calls < kept.catalog.calls, "receipts of the removed records are gone");
    });
  });
