/** Who belongs to which organisation, in which role. That one administrator is left is seen to by whoever asks for a change. */
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import type { AccountRow } from "./accounts.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";

export interface MemberRow {
  readonly organisation: string;
  readonly account: string;
  readonly role: "read" | "contributor" | "write" | "admin";
  readonly since: Instant;
  readonly addedBy: string;
}

export class Members {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** By organisation and name. */
  async all(): Promise<readonly MemberRow[]> {
    const rows = await this.#db.selectFrom("members").selectAll().orderBy("organisation").orderBy("account").execute();
    return rows.map((row) => ({ ...row, role: row.role as MemberRow["role"], since: Number(row.since) as Instant }));
  }

  /** An organisation with its first member. Both accounts' names must be free and taken. */
  async found(organisation: AccountRow, member: MemberRow): Promise<void> {
    await this.#commit(
      this.#db.insertInto("accounts").values(organisation),
      this.#db.insertInto("members").values(member),
    );
  }

  /** Adds a member, or gives it another role. */
  async put(member: MemberRow): Promise<void> {
    const { role } = member;
    await this.#commit(
      this.#db
        .insertInto("members")
        .values(member)
        .onConflict((conflict) => conflict.columns(["organisation", "account"]).doUpdateSet({ role })),
    );
  }

  async remove({ organisation, account }: Pick<MemberRow, "organisation" | "account">): Promise<void> {
    await this.#commit(
      this.#db.deleteFrom("members").where("organisation", "=", organisation).where("account", "=", account),
    );
  }

  async #commit(...queries: readonly Parameters<typeof statement>[0][]): Promise<void> {
    await this.#sql.transaction([...queries.map((query) => statement(query)), ...marked(this.#db, this.#effects)]);
  }
}
