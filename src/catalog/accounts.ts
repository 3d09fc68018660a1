/** Accounts: who may sign in, by which tier they are billed, and whether they operate the platform. */
import type { Selectable } from "kysely";
import type { TierName } from "../core/model.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import { refuseAccountName } from "./names.ts";
import type { NameRefusal } from "./names.ts";
import type { AccountsTable as Row } from "./schema.ts";

export type Role = "user" | "admin";

/** An organisation owns Spaces and has members; it signs in nowhere and makes no calls of its own. */
export type AccountKind = "person" | "organisation";

export interface AccountRow {
  readonly name: string;
  readonly tier: TierName;
  readonly role: Role;
  readonly kind: AccountKind;
  readonly createdAt: Instant;
}

export type AccountCreated =
  | { readonly ok: true; readonly account: AccountRow }
  | { readonly ok: false; readonly refusal: NameRefusal | "account-exists" };

export class Accounts {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** `asked`: that is all that a request wanted. */
  async create(person: Omit<AccountRow, "kind">, { asked = false } = {}): Promise<AccountCreated> {
    const account: AccountRow = { ...person, kind: "person" };
    const refusal = refuseAccountName(account.name);
    if (refusal) return { ok: false, refusal };
    const add = this.#db
      .insertInto("accounts")
      .values(account)
      .onConflict((conflict) => conflict.column("name").doNothing());
    const effect = asked && !(await this.get(account.name)) ? marked(this.#db, this.#effects) : [];
    const [added] = await this.#sql.transaction([statement(add), ...effect]);
    return added?.changes === 1 ? { ok: true, account } : { ok: false, refusal: "account-exists" };
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

function accountOf({ name, tier, role, kind, createdAt }: Selectable<Row>): AccountRow {
  return {
    ...{ name, tier: tier as TierName, role: role as Role },
    ...{ kind: kind as AccountKind, createdAt: createdAt as Instant },
  };
}
