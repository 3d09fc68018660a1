/** One session with PostgreSQL, as the journal needs it: statements in turn, 64-bit integers as numbers, a loss told once. */
import { Client, TypeOverrides, types } from "pg";
import type { QueryResult } from "pg";
import { assert } from "../stdx/assert.ts";
import { DatabaseUnfit, JournalBacklog } from "./failures.ts";

/** A host that is there answers at once. */
const connectWithinMs = 10_000;
/** No statement of ours takes so long unless the server hangs; a writer that can't tell must not wait for ever (L27). */
const answerWithinMs = 30_000;
/** Statements that may wait for the session. */
const waitingMax = 10_000;

/**
 * Whatever the server's or the role's defaults are. A commit is acknowledged when it is on disk; a session whose client
 * is gone ends after 5 + 3 × 2 s, and its lock with it.
 */
const sessionSettings = `
  SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; SET bytea_output = 'hex';
  SET search_path = waybill; SET idle_in_transaction_session_timeout = '30s'; SET statement_timeout = 0; SET idle_session_timeout = 0; SET client_connection_check_interval = '2s';
  SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
`;

/** The oldest version that has all settings above. */
const versionMin = 14;

export type Param = string | number | null | Buffer | readonly (string | number)[];

/** One statement of a transaction. */
export type Ask = (text: string, values?: readonly Param[]) => Promise<Pick<QueryResult, "rows" | "rowCount">>;

export interface TransactionOptions {
  /** For an answer of each of its statements, where they are no small ones. */
  readonly withinMs?: number;
}

export class Connection implements AsyncDisposable {
  /** The database in words, without a password. */
  readonly place: string;
  readonly #client: Client;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing = false;

  /** Rejects with `DatabaseUnfit`. `onLost` is called at most once, when the session ends and {@link Connection} was not closed. */
  static async open(url: string, onLost: (cause: Error) => void): Promise<Connection> {
    const client = new Client({
      connectionString: url,
      fallback_application_name: "waybill",
      connectionTimeoutMillis: connectWithinMs,
      query_timeout: answerWithinMs,
      keepAlive: true,
      types: typeParsers(),
    });
    const connection = new Connection(client, onLost);
    try {
      await client.connect();
      await connection.#requireFit();
      await client.query(sessionSettings);
      return connection;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      if (error instanceof DatabaseUnfit) throw error;
      const says = error instanceof Error ? error.message : String(error);
      throw new DatabaseUnfit(
        connection.place,
        `no session with it: ${says}; start it, make it with createdb, or correct its address`,
        { cause: error },
      );
    }
  }

  private constructor(client: Client, onLost: (cause: Error) => void) {
    this.#client = client;
    this.place = `the PostgreSQL database ${client.database} at ${client.host}:${client.port}`;
    const lost = (cause: Error): void => {
      if (this.#closing) return;
      this.#closing = true;
      onLost(cause);
    };
    client.on("error", lost);
    client.on("end", () => lost(new Error("the session ended")));
  }

  /** Calls back at each notification on `channel`. */
  async listen(channel: string, heard: () => void): Promise<void> {
    this.#client.on("notification", heard);
    await this.query(`LISTEN ${channel}`);
  }

  /** The rows of one statement, which is a transaction by itself. With a `name` it is parsed once for the session. */
  async query<Row>(text: string, values: readonly Param[] = [], name?: string): Promise<readonly Row[]> {
    return this.#inTurn(async () => {
      const statement = { text, values: [...values] };
      const { rows } = await this.#client.query(name === undefined ? statement : { ...statement, name });
      return rows as Row[];
    });
  }

  /** Statements without parameters, all or none. */
  async script(text: string): Promise<void> {
    await this.query(text);
  }

  /** What `work` asks for is all or none, and nobody's statement comes between. Rejects with what `work` does. */
  async transaction<T>(
    work: (ask: Ask) => Promise<T>,
    { withinMs = answerWithinMs }: TransactionOptions = {},
  ): Promise<T> {
    return this.#inTurn(async () => {
      await this.#client.query("BEGIN");
      try {
        const done = await work((text, values = []) =>
          this.#client.query({ text, values: [...values], ...{ query_timeout: withinMs } }),
        );
        await this.#client.query({ text: "COMMIT", ...{ query_timeout: withinMs } });
        return done;
      } catch (error) {
        if (!this.#closing) await this.#client.query("ROLLBACK");
        throw error;
      }
    });
  }

  /** After all that was asked for before. Rejects with `JournalBacklog` before anything is sent. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= waitingMax) throw new JournalBacklog(waitingMax);
    this.#waiting += 1;
    const answer = this.#turn.then(work).finally(() => (this.#waiting -= 1));
    this.#turn = answer.catch(() => {}); // whoever asked hears of it; the next one has its turn all the same
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.#client.end();
  }

  async #requireFit(): Promise<void> {
    const [row] = await this.query<{ version: number; fsync: string; pages: string; standby: boolean }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('fsync') AS fsync,
              current_setting('full_page_writes') AS pages, pg_is_in_recovery() AS standby`,
    );
    assert(row, "one row");
    const unfit = (found: string): DatabaseUnfit => new DatabaseUnfit(this.place, found);
    if (row.version < versionMin) throw unfit(`it is PostgreSQL ${row.version}; ${versionMin} or newer is needed`);
    if (row.standby) throw unfit("it is a standby, which takes no writes; name the primary");
    if (row.fsync !== "on")
      throw unfit("its server runs with fsync = off, and forgets what it acknowledged; turn it on");
    if (row.pages !== "on")
      throw unfit("its server runs with full_page_writes = off, and a crash can tear its pages; turn it on");
  }
}

/** `bigint` as a number; the rest as pg reads it. */
function typeParsers(): TypeOverrides {
  const parsers = new TypeOverrides();
  parsers.setTypeParser(types.builtins.INT8, wholeNumber);
  return parsers;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), `${text} is a whole number below 2^53`);
  return value;
}
