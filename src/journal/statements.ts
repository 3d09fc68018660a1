/** Other parts' rows in the journal's file: their statements, one atomic step each, and what SQLite's refusals mean. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { SqlRefused } from "../stdx/sql.ts";
import type { SqlChange, SqlRow, SqlRule, SqlStatement, SqlValue } from "../stdx/sql.ts";

/** Prepared statements kept: a query builder makes a few hundred different ones. */
const preparedMax = 500;

export class Statements {
  readonly #db: DatabaseSync;
  /** Least recently used first. */
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(sql: string, params: readonly SqlValue[]): readonly SqlRow[] {
    return this.#atomic(() => this.#prepare(sql).all(...params) as readonly SqlRow[]);
  }

  run(sql: string, params: readonly SqlValue[]): SqlChange {
    return this.#atomic(() => this.#run(sql, params));
  }

  transaction(statements: readonly SqlStatement[]): readonly SqlChange[] {
    return this.#atomic(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      const changes = statements.map(({ sql, params }) => this.#run(sql, params ?? []));
      this.#db.exec("COMMIT");
      return changes;
    });
  }

  #run(sql: string, params: readonly SqlValue[]): SqlChange {
    const { changes, lastInsertRowid } = this.#prepare(sql).run(...params);
    return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.delete(sql);
    this.#prepared.set(sql, statement);
    if (this.#prepared.size > preparedMax) this.#prepared.delete(this.#prepared.keys().next().value as string);
    return statement;
  }

  /** A step that fails, or leaves a transaction open, changes nothing. */
  #atomic<T>(step: () => T): T {
    try {
      const result = step();
      if (this.#db.isTransaction) throw new SqlRefused("a transaction was left open; use transaction()", "other");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw isBroken(error) ? error : asRefusal(error);
    }
  }
}

/**
 * Whether SQLite speaks of the disk or the file, not of the statement: no memory (7), read-only (8), I/O (10), corrupt (11),
 * full (13), can't open (14), not a database (26).
 */
export function isBroken(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && [7, 8, 10, 11, 13, 14, 26].includes(code & 255);
}

function asRefusal(error: unknown): SqlRefused {
  if (error instanceof SqlRefused) return error;
  const code = (error as { errcode?: number }).errcode ?? 0;
  const message = error instanceof Error ? error.message : String(error);
  return new SqlRefused(message, rules.get(code) ?? "other", { cause: error });
}

/** SQLite's extended result codes for constraints. */
const rules: ReadonlyMap<number, SqlRule> = new Map([
  [2067, "unique"],
  [1555, "unique"], // a primary key
  [2579, "unique"], // a rowid
  [787, "foreign-key"],
  [1299, "not-null"],
  [275, "check"],
]);
