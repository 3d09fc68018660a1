/**
 * Other parts' rows in the journal's PostgreSQL. Each change is a transaction that holds a lock which whoever begins the next
 * epoch waits for, and that finds the epoch to be ours: a writer that was replaced changes nothing here either (L29).
 */
import { DatabaseError } from "pg";
import { JournalBacklog } from "./failures.ts";
import { SqlRefused } from "../stdx/sql.ts";
import type { SqlChange, SqlRow, SqlRule, SqlRunner, SqlStatement, SqlValue } from "../stdx/sql.ts";
import type { Ask, Connection, Param } from "./postgres-connection.ts";
import { rowsLockKey } from "./postgres-schema.ts";

export interface PostgresRowsOptions {
  readonly connection: Connection;
  readonly epoch: number;
  deposed(): Error;
  /** The database failed: nobody knows what was kept. Gives the reason that callers are to be told. */
  stop(error: unknown): Error;
}

export class PostgresRows implements SqlRunner {
  readonly dialect = "postgres";
  readonly #options: PostgresRowsOptions;

  constructor(options: PostgresRowsOptions) {
    this.#options = options;
  }

  async all(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    if (!/^\s*select\b/i.test(sql))
      return this.#change(async (ask) => (await ask(sql, paramsOf(params))).rows as SqlRow[]);
    return this.#refusing(() => this.#options.connection.query<SqlRow>(sql, paramsOf(params)));
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<SqlChange> {
    return this.#change(async (ask) => changeOf(await ask(sql, paramsOf(params))));
  }

  async transaction(statements: readonly SqlStatement[]): Promise<readonly SqlChange[]> {
    return this.#change(async (ask) => {
      const changes: SqlChange[] = [];
      for (const { sql, params = [] } of statements) changes.push(changeOf(await ask(sql, paramsOf(params))));
      return changes;
    });
  }

  #change<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    const { connection, epoch, deposed } = this.#options;
    return this.#refusing(() =>
      connection.transaction(async (ask) => {
        await ask("SELECT pg_advisory_xact_lock_shared($1, $2)", rowsLockKey);
        // A statement of its own: it has to see what was committed while the lock was waited for.
        const { rowCount } = await ask("SELECT 1 FROM journal_head WHERE epoch = $1", [epoch]);
        if (rowCount === 0) throw deposed();
        return await work(ask);
      }),
    );
  }

  async #refusing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Nothing was sent.
      if (error instanceof JournalBacklog) throw error;
      const refused = refusalOf(error);
      throw refused ?? this.#options.stop(error);
    }
  }
}

/** Classes of errors that are the statement's fault: its data, its rules, its words, what a trigger says. */
const refusedClasses: readonly string[] = ["22", "23", "42", "P0"];
const rules: ReadonlyMap<string, SqlRule> = new Map([
  ["23505", "unique"],
  ["23503", "foreign-key"],
  ["23502", "not-null"],
  ["23514", "check"],
]);

function refusalOf(error: unknown): SqlRefused | undefined {
  const code = error instanceof DatabaseError ? (error.code ?? "") : "";
  if (!refusedClasses.includes(code.slice(0, 2))) return undefined;
  return new SqlRefused((error as Error).message, rules.get(code) ?? "other", { cause: error });
}

export function changeOf({
  rows,
  rowCount,
}: {
  readonly rows: readonly unknown[];
  readonly rowCount: number | null;
}): SqlChange {
  const { id = 0 } = (rows.at(-1) ?? {}) as { readonly id?: unknown };
  return { changes: rowCount ?? 0, lastInsertRowid: Number(id) };
}

/** As PostgreSQL's driver takes them. */
export function paramsOf(values: readonly SqlValue[]): readonly Param[] {
  return values.map((value) => {
    if (typeof value === "bigint") return String(value);
    return value instanceof Uint8Array ? Buffer.from(value) : value;
  });
}
