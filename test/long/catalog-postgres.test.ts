/** The catalog in a real PostgreSQL: the suite that it passes in SQLite, and the end of a writer that was replaced. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Catalog } from "../../src/catalog/catalog.ts";
import { catalogSuite } from "../../src/catalog/catalog.suite.ts";
import { openPostgresJournal } from "../../src/journal/postgres.ts";
import type { PostgresJournal } from "../../src/journal/postgres.ts";
import { instant } from "../../src/stdx/time.ts";
import { needs } from "../support/needs.ts";
import { PostgresServer } from "../support/postgres.ts";

const needed = await needs("postgresql");
const server = needed.skip === false ? new PostgresServer() : undefined;
/** A property compares two databases at once; older ones are closed, since a server has only so many sessions. */
const opened: PostgresJournal[] = [];
after(async () => {
  for (const journal of opened) await journal[Symbol.asyncDispose]();
  server?.[Symbol.dispose]();
});

async function open(url: string, onFatal: (failure: Error) => void): Promise<PostgresJournal> {
  const journal = await openPostgresJournal({ url, onFatal });
  opened.push(journal);
  while (opened.length > 2) await opened.shift()?.[Symbol.asyncDispose]();
  return journal;
}

if (server) {
  const onFatal = (failure: Error): void => {
    throw failure;
  };
  catalogSuite("the journal's PostgreSQL", async () => (await open(await server.database(), onFatal)).sql, 5);
}

test("L29. a writer that was replaced without noticing changes no row", needed, async () => {
  assert(server);
  const url = await server.database();
  const failures: Error[] = [];
  const journal = await open(url, (failure) => failures.push(failure));
  const catalog = await Catalog.open(journal.sql, { wall: () => instant(1) });
  const account = (name: string) => ({ name, tier: "free", role: "user", createdAt: instant(1) }) as const;
  assert.equal((await catalog.accounts.create(account("alice"))).ok, true);
  await server.sql(url, "UPDATE waybill.journal_head SET epoch = epoch + 1");
  await assert.rejects(catalog.accounts.create(account("bob")), { code: "journal-deposed" });
  assert.deepEqual(
    failures.map((failure) => failure.name),
    ["JournalDeposed"],
  );
  assert.deepEqual(
    (await server.sql(url, "SELECT name FROM waybill.accounts")).map(({ name }) => name),
    ["alice"],
  );
});
