/** An `SqlRunner` over a database in memory: for tests, here and in the parts that use the catalog. */
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { SqlRefused } from "../stdx/sql.ts";
import type { SqlChange, SqlRow, SqlRunner, SqlStatement, SqlValue } from "../stdx/sql.ts";

/** A fresh database each time, with the engine's rules: foreign keys hold, a refused statement changes nothing. */
export function memorySql(): SqlRunner {
  const database = new DatabaseSync(":memory:");
  database.exec("PRAGMA foreign_keys = ON");
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  const run = ({ sql, params = [] }: SqlStatement): SqlChange => {
    const { changes, lastInsertRowid } = prepare(sql).run(...params);
    return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
  };
  return {
    dialect: "sqlite",
    all: async (sql: string, params: readonly SqlValue[] = []) =>
      refusing(() => prepare(sql).all(...params) as readonly SqlRow[]),
    run: async (sql, params = []) => refusing(() => run({ sql, params })),
    transaction: async (statements) =>
      refusing(() => {
        database.exec("BEGIN IMMEDIATE");
        try {
          const changes = statements.map(run);
          database.exec("COMMIT");
          return changes;
        } catch (error) {
          database.exec("ROLLBACK");
          throw error;
        }
      }),
  };
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SqlRefused(message, message.includes("UNIQUE") ? "unique" : "other", { cause: error });
  }
}
