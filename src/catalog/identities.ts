/** Who somebody is at another sign-in provider, by its issuer and its own word for them, and which account that is here. */
import type { Selectable } from "kysely";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import type { AccountRow } from "./accounts.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { refuseAccountName } from "./names.ts";
import type { NameRefusal } from "./names.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { IdentitiesTable as Row } from "./schema.ts";

export interface IdentityRow {
  readonly issuer: string;
  /** The provider's `sub`: it names one person for ever, as no name or e-mail address does (OpenID Connect Core, 5.7). */
  readonly subject: string;
  readonly account: string;
  readonly linkedAt: Instant;
  /** An operator; the account itself where its first sign-in made it. */
  readonly linkedBy: string;
}

export class Identities {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  async find({ issuer, subject }: Pick<IdentityRow, "issuer" | "subject">): Promise<IdentityRow | undefined> {
    const row = await this.#db
      .selectFrom("identities")
      .selectAll()
      .where("issuer", "=", issuer)
      .where("subject", "=", subject)
      .executeTakeFirst();
    return row && rowOf(row);
  }

  /** Those of an account. */
  async list(account: string): Promise<readonly IdentityRow[]> {
    const rows = await this.#db
      .selectFrom("identities")
      .selectAll()
      .where("account", "=", account)
      .orderBy("issuer")
      .orderBy("subject")
      .execute();
    return rows.map(rowOf);
  }

  /** The account must exist. False where somebody is that person already. */
  async link(row: IdentityRow): Promise<boolean> {
    const add = this.#db
      .insertInto("identities")
      .values(row)
      .onConflict((conflict) => conflict.columns(["issuer", "subject"]).doNothing());
    const isThere = (await this.find(row)) !== undefined;
    const [added] = await this.#sql.transaction([statement(add), ...(isThere ? [] : marked(this.#db, this.#effects))]);
    return added?.changes === 1;
  }

  /** An account and who it is, all or nothing: nobody gets an account that was there. */
  async found(
    account: AccountRow,
    row: IdentityRow,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly refusal: NameRefusal | "account-exists" }> {
    const refusal = refuseAccountName(account.name);
    if (refusal) return { ok: false, refusal };
    try {
      await this.#sql.transaction([
        statement(this.#db.insertInto("accounts").values(account)),
        statement(this.#db.insertInto("identities").values(row)),
      ]);
      return { ok: true };
    } catch (error) {
      const taken = await this.#db
        .selectFrom("accounts")
        .select("name")
        .where("name", "=", account.name)
        .executeTakeFirst();
      if (taken) return { ok: false, refusal: "account-exists" };
      throw error;
    }
  }

  async unlink({ issuer, account }: Pick<IdentityRow, "issuer" | "account">): Promise<boolean> {
    const drop = this.#db.deleteFrom("identities").where("issuer", "=", issuer).where("account", "=", account);
    const [dropped] = await this.#sql.transaction([statement(drop), ...marked(this.#db, this.#effects)]);
    return (dropped?.changes ?? 0) > 0;
  }
}

function rowOf(row: Selectable<Row>): IdentityRow {
  return { ...row, linkedAt: Number(row.linkedAt) as Instant };
}
