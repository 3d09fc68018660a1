/** Small values that the platform keeps for itself, such as its signing keys. They never leave by an API. */
import type { Database } from "./database.ts";

export class Settings {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async get(key: string): Promise<string | null> {
    const row = await this.#db.selectFrom("catalogSettings").select("value").where("key", "=", key).executeTakeFirst();
    return row?.value ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    await this.#db
      .insertInto("catalogSettings")
      .values({ key, value })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
      .execute();
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
