/** What is kept of people's passwords. One account has one, or none. */
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import { endingOthers } from "./sessions.ts";

export interface PasswordRow {
  readonly account: string;
  /** As argon2's reference writes it, with its parameters: `$argon2id$v=19$…`. */
  readonly hash: string;
  readonly changedAt: Instant;
}

export class Passwords {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  async get(account: string): Promise<PasswordRow | undefined> {
    const row = await this.#db.selectFrom("passwords").selectAll().where("account", "=", account).executeTakeFirst();
    return row && { ...row, changedAt: row.changedAt as Instant };
  }

  /** Sets it and, in the same commit, ends the account's sessions but one. The account must exist. */
  async set({ account, hash, changedAt }: PasswordRow, { keep }: { readonly keep: string | null }): Promise<void> {
    const put = this.#db
      .insertInto("passwords")
      .values({ account, hash, changedAt })
      .onConflict((conflict) => conflict.column("account").doUpdateSet({ hash, changedAt }));
    const end = endingOthers(this.#db, { account, at: changedAt, keep });
    await this.#sql.transaction([statement(put), end, ...marked(this.#db, this.#effects)]);
  }
}
