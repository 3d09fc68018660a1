/** Accounts: who may sign in, by which tier they are billed, and whether they operate the platform. */
import type { TierName } from "../core/model.ts";
import type { Instant } from "../stdx/time.ts";
import type { Database } from "./database.ts";
import { refuseAccountName } from "./names.ts";
import type { NameRefusal } from "./names.ts";
import type { AccountsTable as Row } from "./schema.ts";

export type Role = "user" | "admin";

export interface AccountRow {
  readonly name: string;
  readonly tier: TierName;
  readonly role: Role;
  readonly createdAt: Instant;
}

export type AccountCreated =
  | { readonly ok: true; readonly account: AccountRow }
  | { readonly ok: false; readonly refusal: NameRefusal | "account-exists" };

export class Accounts {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async create(account: AccountRow): Promise<AccountCreated> {
    const refusal = refuseAccountName(account.name);
    if (refusal) return { ok: false, refusal };
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto("accounts")
      .values({ ...account })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows ? { ok: true, account } : { ok: false, refusal: "account-exists" };
  }

  async get(name: string): Promise<AccountRow | undefined> {
    const row = await this.#db.selectFrom("accounts").selectAll().where("name", "=", name).executeTakeFirst();
    return row && accountOf(row);
  }

  /** By name. An operator's list: a self-hosted platform's accounts fit a page of memory. */
  async list(): Promise<readonly AccountRow[]> {
    return (await this.#db.selectFrom("accounts").selectAll().orderBy("name").execute()).map(accountOf);
  }

  /** False where there is no such account. */
  async setTier(name: string, tier: TierName): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("accounts")
      .set({ tier })
      .where("name", "=", name)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }
}

function accountOf(row: Row): AccountRow {
  return { name: row.name, tier: row.tier as TierName, role: row.role as Role, createdAt: row.createdAt as Instant };
}
