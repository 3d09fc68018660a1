/**
 * Who may read the files of a gated repository, and who has asked to: one row for each account that did, by the repository's folder, so
 * that it holds under whatever name the repository has, and for none that is made under the name later.
 */
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { RepoAccessTable } from "./schema.ts";

export const accessStatuses = ["pending", "accepted", "rejected"] as const;
export type AccessStatus = (typeof accessStatuses)[number];

export interface AccessRow {
  /** The repository's, for life. */
  readonly folder: string;
  readonly account: string;
  /** `ar_…` */
  readonly id: string;
  readonly status: AccessStatus;
  /** When it was asked for, or given without having been asked for. */
  readonly askedAt: Instant;
  /** What was filled in; null where nothing was asked, or access was given. */
  readonly fields: Readonly<Record<string, string | boolean>> | null;
  /** Null while it waits. */
  readonly decidedAt: Instant | null;
  /** Null where nobody had to. */
  readonly decidedBy: string | null;
  /** Why it was turned down. */
  readonly reason: string | null;
}

export class AccessRequests {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** All who have access to something. */
  async accepted(): Promise<readonly Pick<AccessRow, "folder" | "account">[]> {
    const rows = await this.#db
      .selectFrom("repoAccess")
      .select(["folder", "account"])
      .where("status", "=", "accepted")
      .execute();
    return rows.map(({ folder, account }) => ({ folder, account }));
  }

  /** By whose it is, or by its id. */
  async find(
    folder: string,
    of: { readonly account: string } | { readonly id: string },
  ): Promise<AccessRow | undefined> {
    const all = this.#db.selectFrom("repoAccess").selectAll().where("folder", "=", folder);
    const row = "id" in of ? all.where("id", "=", of.id) : all.where("account", "=", of.account);
    const [found] = await row.execute();
    return found && rowOf(found);
  }

  /** Of whichever repository. */
  async byId(id: string): Promise<AccessRow | undefined> {
    const row = await this.#db.selectFrom("repoAccess").selectAll().where("id", "=", id).executeTakeFirst();
    return row && rowOf(row);
  }

  /** Oldest first. */
  async list(
    folder: string,
    status: AccessStatus,
    { skip, limit }: { readonly skip: number; readonly limit: number },
  ): Promise<readonly AccessRow[]> {
    const rows = await this.#db
      .selectFrom("repoAccess")
      .selectAll()
      .where("folder", "=", folder)
      .where("status", "=", status)
      .orderBy("askedAt")
      .orderBy("account")
      .offset(skip)
      .limit(limit)
      .execute();
    return rows.map(rowOf);
  }

  /** Of all in the repository, whatever became of them. */
  async count(folder: string): Promise<number> {
    const [row] = await this.#db
      .selectFrom("repoAccess")
      .select(({ fn }) => fn.countAll().as("count"))
      .where("folder", "=", folder)
      .execute();
    return Number(row?.count);
  }

  /** The account's one for this repository, whatever it was before; its id stays what it was at first. */
  async put({ fields, ...row }: AccessRow): Promise<void> {
    const values = { ...row, fields: fields === null ? null : JSON.stringify(fields) };
    const { status, askedAt, decidedAt, decidedBy, reason } = values;
    await this.#commit(
      statement(
        this.#db
          .insertInto("repoAccess")
          .values(values)
          .onConflict((conflict) =>
            conflict
              .columns(["folder", "account"])
              .doUpdateSet({ status, askedAt, decidedAt, decidedBy, reason, fields: values.fields }),
          ),
      ),
    );
  }

  /** It was never asked for. */
  async remove({ folder, account }: Pick<AccessRow, "folder" | "account">): Promise<void> {
    const row = this.#db.deleteFrom("repoAccess").where("folder", "=", folder).where("account", "=", account);
    await this.#commit(statement(row));
  }

  async #commit(change: SqlStatement): Promise<void> {
    await this.#sql.transaction([change, ...marked(this.#db, this.#effects)]);
  }
}

/** The repository is gone. */
export function droppingAccess(db: Database, folder: string): SqlStatement {
  return statement(db.deleteFrom("repoAccess").where("folder", "=", folder));
}

function rowOf({ status, askedAt, decidedAt, fields, ...row }: RepoAccessTable): AccessRow {
  return {
    ...row,
    status: status as AccessStatus,
    askedAt: Number(askedAt) as Instant,
    decidedAt: decidedAt === null ? null : (Number(decidedAt) as Instant),
    fields: fields === null ? null : (JSON.parse(fields) as AccessRow["fields"]),
  };
}
