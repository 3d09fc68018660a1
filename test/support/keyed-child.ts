/**
 * A server of its own process, on a real journal, that is asked one thing with an Idempotency-Key. Arguments: the data folder, the method,
 * the path, the body, and `die` to end by SIGKILL when the effect is on disk and before its answer is. Prints what it answered.
 */
import { commitBytes, ControlWorld } from "../../src/control/control.suite.ts";
import { createChecked } from "../../src/control/described/checked.suite.ts";
import { openSqliteJournal } from "../../src/journal/index.ts";
import type { SqlRunner } from "../../src/stdx/sql.ts";

const [folder = "", method = "", path = "", body = "", wish] = process.argv.slice(2);

/** The answer is the last that is written of a request with a key. */
function dyingBeforeAnswer(sql: SqlRunner): SqlRunner {
  const isAnswer = (text: string): boolean => text.startsWith('update "requestKeys" set "answer"');
  return {
    dialect: sql.dialect,
    all: (text, params) => sql.all(text, params),
    transaction: (statements) => sql.transaction(statements),
    run: async (text, params) => {
      if (isAnswer(text)) process.kill(process.pid, "SIGKILL");
      return sql.run(text, params);
    },
  };
}

const onFatal = (failure: Error): never => {
  throw failure;
};
await using journal = await openSqliteJournal({ folder, onFatal });
const sql = wish === "die" ? dyingBeforeAnswer(journal.sql) : journal.sql;
const world = await ControlWorld.open({ journal, sql, folder, drawn: process.pid * 1_000 });
await world.spaces.recover();
await world.builds.recover();
const token = await world.token("admin", ["read", "write", "admin"]);
const response = await createChecked(world.server).request(path, {
  method,
  headers: { authorization: `Bearer ${token}`, "idempotency-key": '"k1"' },
  body: body === "a commit" ? Buffer.from(commitBytes({ "README.md": "demo" })) : body,
});
const records = await journal.read(1, 1_000);
const found = {
  status: response.status,
  body: await response.text(),
  replayed: response.headers.has("idempotent-replayed"),
  effects: {
    tokens: (await world.catalog.tokens.list("alice")).length,
    tiers: records.flatMap(({ events }) => events).filter(({ type }) => type === "tier-set").length,
    builds: (await world.catalog.builds.list("alice/demo", 10)).length,
  },
};
process.stdout.write(JSON.stringify(found));
world.builds.close();
world.spaces.close();
await world.engine[Symbol.asyncDispose]();
