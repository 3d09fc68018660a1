/** Who belongs to which organisation, in which role. That one administrator is left is seen to by whoever asks for a change. */
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import type { AccountRow } from "./accounts.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notice, Notices } from "./notices.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";

export interface MemberRow {
  readonly organisation: string;
  readonly account: string;
  readonly role: "read" | "contributor" | "write" | "admin";
  readonly since: Instant;
  readonly addedBy: string;
}

/** What a change of one is to those who hear of it, and when it was. */
export interface MemberChange {
  readonly type: "member.added" | "member.changed" | "member.removed";
  readonly at: Instant;
}

export class Members {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;
  readonly #notices: Notices;

  constructor(db: Database, sql: SqlRunner, effects: Effects, notices: Notices) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
    this.#notices = notices;
  }

  /** By organisation and name. */
  async all(): Promise<readonly MemberRow[]> {
    const rows = await this.#db.selectFrom("members").selectAll().orderBy("organisation").orderBy("account").execute();
    return rows.map((row) => ({ ...row, role: row.role as MemberRow["role"], since: Number(row.since) as Instant }));
  }

  /** An organisation with its first member. Both accounts' names must be free and taken. */
  async found(organisation: AccountRow, member: MemberRow): Promise<void> {
    await this.#commit(
      [this.#db.insertInto("accounts").values(organisation), this.#db.insertInto("members").values(member)],
      noticeOf(member, { type: "member.added", at: member.since }),
    );
  }

  /** Adds a member, or gives it another role. */
  async put(member: MemberRow, change: MemberChange): Promise<void> {
    const { role } = member;
    const put = this.#db
      .insertInto("members")
      .values(member)
      .onConflict((conflict) => conflict.columns(["organisation", "account"]).doUpdateSet({ role }));
    await this.#commit([put], noticeOf(member, change));
  }

  async remove(member: MemberRow, at: Instant): Promise<void> {
    const { organisation, account } = member;
    const drop = this.#db.deleteFrom("members").where("organisation", "=", organisation).where("account", "=", account);
    await this.#commit([drop], noticeOf(member, { type: "member.removed", at }));
  }

  async #commit(queries: readonly Parameters<typeof statement>[0][], notice: Notice): Promise<void> {
    const told = this.#notices.statements([notice]);
    const marks = marked(this.#db, this.#effects);
    await this.#sql.transaction([...queries.map((query) => statement(query)), ...told, ...marks]);
    this.#notices.told([notice]);
  }
}

function noticeOf({ organisation, account, role }: MemberRow, { type, at }: MemberChange): Notice {
  const key = `member/${organisation}/${account}/${type}/${at}`;
  return { type, key, at, owner: organisation, data: { organisation, account, role } };
}
