/** Kysely over the engine's `SqlRunner`: typed queries, compiled here and run on the database's own thread. */
import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Compilable, CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from "kysely";
import { assert } from "../stdx/assert.ts";
import type { SqlDialect, SqlRunner, SqlStatement, SqlValue } from "../stdx/sql.ts";
import type { Schema } from "./schema.ts";

export type Database = Kysely<Schema>;

export function openDatabase(sql: SqlRunner): Database {
  return new Kysely<Schema>({ dialect: { ...dialects[sql.dialect], createDriver: () => new RunnerDriver(sql) } });
}

const dialects: Readonly<Record<SqlDialect, Omit<Dialect, "createDriver">>> = {
  sqlite: {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
  postgres: {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
};

/** A compiled query as a statement of `SqlRunner.transaction`. */
export function statement(query: Compilable): SqlStatement {
  const { sql, parameters } = query.compile();
  return { sql, params: parameters as readonly SqlValue[] };
}

class RunnerDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(sql: SqlRunner) {
    this.#connection = {
      executeQuery: <Row>(query: CompiledQuery) => execute<Row>(sql, query),
      streamQuery: () => {
        throw new Error("the catalog reads whole pages, it does not stream");
      },
    };
  }

  async init(): Promise<void> {}
  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }
  // The runner has no open transactions: what belongs together goes through its `transaction`.
  beginTransaction(): Promise<void> {
    assert(false, "the catalog's transactions are lists of statements");
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

async function execute<Row>(sql: SqlRunner, query: CompiledQuery): Promise<QueryResult<Row>> {
  const params = query.parameters as readonly SqlValue[];
  if (givesRows(query)) return { rows: (await sql.all(query.sql, params)) as unknown as Row[] };
  const { changes } = await sql.run(query.sql, params);
  return { rows: [], numAffectedRows: BigInt(changes) };
}

function givesRows({ query }: CompiledQuery): boolean {
  return query.kind === "SelectQueryNode" || ("returning" in query && query.returning !== undefined);
}
