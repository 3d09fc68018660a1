/** SQL over whatever database holds our rows, as its users need it: three calls, each one atomic. */

export type SqlValue = string | number | bigint | null | Uint8Array;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface SqlStatement {
  readonly sql: string;
  readonly params?: readonly SqlValue[];
}

export interface SqlChange {
  /** Rows inserted, changed or deleted. */
  readonly changes: number;
  /** The number that the database gave to the last row; in PostgreSQL of a statement that ends with `RETURNING id`. */
  readonly lastInsertRowid: number;
}

/** Whose SQL is spoken. */
export type SqlDialect = "sqlite" | "postgres";

/**
 * Runs statements in the order of the calls, each call by itself and durable when it resolves.
 * A refused statement (a broken constraint, wrong SQL) rejects with an `SqlRefused` and changes nothing.
 */
export interface SqlRunner {
  readonly dialect: SqlDialect;
  /** The rows of one statement: a query, or a change with `RETURNING`. */
  all(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  run(sql: string, params?: readonly SqlValue[]): Promise<SqlChange>;
  /** All statements or none. */
  transaction(statements: readonly SqlStatement[]): Promise<readonly SqlChange[]>;
}

/** The database said no to a statement, and nothing changed. */
export class SqlRefused extends Error {
  override readonly name = "SqlRefused";
  readonly code = "sql-refused";
  /** The broken rule where the database names it: `unique`, `foreign-key`, `not-null`, `check`; else `other`. */
  readonly rule: SqlRule;

  constructor(message: string, rule: SqlRule, options?: ErrorOptions) {
    super(message, options);
    this.rule = rule;
  }
}
export type SqlRule = "unique" | "foreign-key" | "not-null" | "check" | "other";
