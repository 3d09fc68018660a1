/** Small values that the platform keeps for itself, such as its signing keys. They never leave by an API. */
import type { SqlRunner } from "../stdx/sql.ts";
import { statement, type Database } from "./database.ts";
import { marked, type Effects } from "./request-keys.ts";

export class Settings {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  async get(key: string): Promise<string | null> {
    const row = await this.#db.selectFrom("catalogSettings").select("value").where("key", "=", key).executeTakeFirst();
    return row?.value ?? null;
  }

  /** `asked`: it is the effect of a request. */
  async set(key: string, value: string, { asked = false } = {}): Promise<void> {
    const kept = this.#db
      .insertInto("catalogSettings")
      .values({ key, value })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }));
    await this.#sql.transaction([statement(kept), ...(asked ? marked(this.#db, this.#effects) : [])]);
  }

  /** Keeps `value` if nothing was kept under `key`, and gives what is kept then: two that begin at once agree. */
  async setOnce(key: string, value: string): Promise<string> {
    await this.#db
      .insertInto("catalogSettings")
      .values({ key, value })
      .onConflict((conflict) => conflict.column("key").doNothing())
      .execute();
    return (await this.get(key)) ?? value;
  }
}
