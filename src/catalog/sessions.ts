/** Sessions at the console, by the hash of what the browser's cookie holds: the secret itself is stored nowhere. */
import type { Selectable } from "kysely";
import type { TierName } from "../core/model.ts";
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import type { Role } from "./accounts.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { SessionsTable as Row } from "./schema.ts";

export interface SessionRow {
  readonly id: string; // s_…
  readonly account: string;
  /** SHA-256 of the cookie's secret, 64 hexadecimal digits. */
  readonly hash: string;
  /** What the person signed in with. */
  readonly how: string;
  readonly createdAt: Instant;
  /** The last use, as coarsely as it is noted. */
  readonly usedAt: Instant;
  /** It holds before this instant, however much it is used. */
  readonly expiresAt: Instant;
  /** Somebody ended it. */
  readonly endedAt: Instant | null;
  /** Of the browser, when it signed in. */
  readonly address: string | null;
  readonly agent: string | null;
}

/** A session together with what it opens. */
export interface SessionOwner {
  readonly session: SessionRow;
  readonly tier: TierName;
  readonly role: Role;
}

/** Of one account at once: a person's browsers. Beyond it the one that was not used for longest ends. */
export const sessionsMax = 100;
/** Addresses that are told at once, some megabytes: who comes from one beyond them is a stranger. */
const placesMax = 100_000;
/** Sessions that hold no more are forgotten after so long. */
export const sessionKeptMs = 30 * 24 * 3_600_000;
/** Of one account, with those that have ended: whoever tries its name has them looked through for where it has been. */
export const sessionRowsMax = 500;

export class Sessions {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** The account must exist. */
  async create(session: Omit<SessionRow, "usedAt" | "endedAt">): Promise<SessionRow> {
    const row: SessionRow = { ...session, usedAt: session.createdAt, endedAt: null };
    const { account, createdAt } = row;
    const add = this.#db.insertInto("sessions").values(row);
    const old = this.#db
      .deleteFrom("sessions")
      .where("account", "=", account)
      .where((is) =>
        is.or([is("endedAt", "<", createdAt - sessionKeptMs), is("expiresAt", "<", createdAt - sessionKeptMs)]),
      );
    const firstForgotten = this.#db
      .selectFrom("sessions")
      .select("createdAt")
      .where("account", "=", account)
      .orderBy("createdAt", "desc")
      .limit(1)
      .offset(sessionRowsMax);
    const beyond = this.#db
      .deleteFrom("sessions")
      .where("account", "=", account)
      .where("endedAt", "is not", null)
      .where("createdAt", "<=", firstForgotten);
    const firstTooMany = this.#db
      .selectFrom("sessions")
      .select("usedAt")
      .where("account", "=", account)
      .where("endedAt", "is", null)
      .orderBy("usedAt", "desc")
      .limit(1)
      .offset(sessionsMax);
    const tooMany = this.#db
      .updateTable("sessions")
      .set({ endedAt: createdAt })
      .where("account", "=", account)
      .where("endedAt", "is", null)
      .where("id", "!=", row.id)
      .where("usedAt", "<=", firstTooMany);
    await this.#sql.transaction([old, add, tooMany, beyond].map((query) => statement(query)));
    return row;
  }

  /** The session with this hash, also one that has ended: the caller says why it refuses it. */
  async find(hash: string): Promise<SessionOwner | undefined> {
    return this.#find("sessions.hash", hash);
  }

  async byId(id: string): Promise<SessionOwner | undefined> {
    return this.#find("sessions.id", id);
  }

  async #find(by: "sessions.hash" | "sessions.id", value: string): Promise<SessionOwner | undefined> {
    const row = await this.#db
      .selectFrom("sessions")
      .innerJoin("accounts", "accounts.name", "sessions.account")
      .selectAll("sessions")
      .select(["accounts.tier", "accounts.role"])
      .where(by, "=", value)
      .executeTakeFirst();
    return row && { session: sessionOf(row), tier: row.tier as TierName, role: row.role as Role };
  }

  /** Those of an account that nobody has ended, newest first. */
  async list(account: string): Promise<readonly SessionRow[]> {
    const rows = await this.#db
      .selectFrom("sessions")
      .selectAll()
      .where("account", "=", account)
      .where("endedAt", "is", null)
      .orderBy("createdAt", "desc")
      .orderBy("id")
      .execute();
    return rows.map(sessionOf);
  }

  /** From where an account has signed in lately, also by sessions that have ended. */
  async addresses(account: string): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom("sessions")
      .select("address")
      .distinct()
      .where("account", "=", account)
      .where("address", "is not", null)
      .limit(sessionsMax)
      .execute();
    return rows.map(({ address }) => address ?? "");
  }

  /** From where anybody has signed in lately. */
  async places(): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom("sessions")
      .select("address")
      .distinct()
      .where("address", "is not", null)
      .limit(placesMax)
      .execute();
    return rows.map(({ address }) => address ?? "");
  }

  /** Notes a use. */
  async touch(id: string, at: Instant): Promise<void> {
    await this.#db.updateTable("sessions").set({ usedAt: at }).where("id", "=", id).where("usedAt", "<", at).execute();
  }

  /** Ends all of an account but one; that is all that a request wanted. How many they were. */
  async endOthers(account: string, at: Instant, { keep }: { readonly keep: string | null }): Promise<number> {
    const end = endingOthers(this.#db, { account, at, keep });
    const [ended] = await this.#sql.transaction([end, ...marked(this.#db, this.#effects)]);
    return ended?.changes ?? 0;
  }

  /** Ends one of an account. False where it has no such session, or that has ended. `asked`: that is all that a request wanted. */
  async end(
    { id, account }: Pick<SessionRow, "id" | "account">,
    at: Instant,
    { asked = false }: { readonly asked?: boolean } = {},
  ): Promise<boolean> {
    const end = this.#db
      .updateTable("sessions")
      .set({ endedAt: at })
      .where("id", "=", id)
      .where("account", "=", account)
      .where("endedAt", "is", null);
    const effect = asked ? marked(this.#db, this.#effects) : [];
    const [ended] = await this.#sql.transaction([statement(end), ...effect]);
    return ended?.changes === 1;
  }
}

/** Ends an account's sessions but `keep`, in whose commit it is wanted. */
export function endingOthers(
  db: Database,
  { account, at, keep }: { readonly account: string; readonly at: Instant; readonly keep: string | null },
): SqlStatement {
  return statement(
    db
      .updateTable("sessions")
      .set({ endedAt: at })
      .where("account", "=", account)
      .where("endedAt", "is", null)
      .$if(keep !== null, (query) => query.where("id", "!=", keep!)),
  );
}

function sessionOf({ id, account, hash, how, createdAt, usedAt, expiresAt, ...rest }: Selectable<Row>): SessionRow {
  return {
    ...{ id, account, hash, how, createdAt: createdAt as Instant, usedAt: usedAt as Instant },
    ...{ expiresAt: expiresAt as Instant, endedAt: rest.endedAt as Instant | null },
    ...{ address: rest.address, agent: rest.agent },
  };
}
