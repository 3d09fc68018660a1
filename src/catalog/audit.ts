/** The audit log: what people and their tokens changed. A row is there before its change, and the change's own commit calls it done. */
import type { Selectable } from "kysely";
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import type { AuditTable } from "./schema.ts";

/** `begun`: the platform stopped before it had answered; what it says may be done or not. `failed`: it was answered with our own fault. */
export type AuditOutcome = "begun" | "done" | "failed";

export interface AuditRow {
  readonly id: number;
  readonly at: Instant;
  readonly account: string;
  /** `t_…`, where a token was used. */
  readonly token: string | null;
  /** `s_…`, where a session was. */
  readonly session: string | null;
  readonly address: string | null;
  /** As `space.pause`. */
  readonly action: string;
  /** As `space/alice/demo`. */
  readonly target: string;
  /** Whose it is; null for what is the platform's. */
  readonly owner: string | null;
  /** `q_…` */
  readonly request: string;
  readonly outcome: AuditOutcome;
  /** JSON of what was so before and is so now, as far as it is known and no secret. */
  readonly was: string | null;
  readonly became: string | null;
}

/** What is known of an entry when its change is made. */
export type AuditEnding = Pick<AuditRow, "id" | "target" | "owner" | "outcome" | "was" | "became">;

export interface AuditFilter {
  /** Who changed it. */
  readonly account?: string | undefined;
  /** Whose it is, or who changed it. */
  readonly concerns?: string | undefined;
  /** An action, or the first word of several: `space` for `space.pause` and all others of it. */
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly request?: string | undefined;
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
}

export interface AuditBounds {
  /** Newest entries of one account: whoever wants to push out traces pushes out their own. */
  readonly ofAccount: number;
  readonly all: number;
}

/** An entry has some 300 bytes as a rule, and 9 KB at most. */
export const auditBounds: AuditBounds = { ofAccount: 20_000, all: 200_000 };
/** So many entries may be too many for a moment. */
const trimEvery = 100;

export class Audit {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #bounds: AuditBounds;
  #sinceTrim = 0;

  constructor(db: Database, sql: SqlRunner, bounds = auditBounds) {
    this.#db = db;
    this.#sql = sql;
    this.#bounds = bounds;
  }

  /** Adds an entry; its number, higher than all before. */
  async add(row: Omit<AuditRow, "id">): Promise<number> {
    const { id } = await this.#db.insertInto("audit").values(row).returning("id").executeTakeFirstOrThrow();
    this.#sinceTrim += 1;
    if (this.#sinceTrim >= trimEvery) {
      this.#sinceTrim = 0;
      await this.trim(row.account);
    }
    return Number(id);
  }

  /** Says how it ended. */
  async end(ending: AuditEnding): Promise<void> {
    await this.#sql.transaction([endingOf(this.#db, ending)]);
  }

  /** Nothing was changed: it was refused. */
  async forget(id: number): Promise<void> {
    await this.#db.deleteFrom("audit").where("id", "=", id).where("outcome", "=", "begun").execute();
  }

  /** Newest first; undefined where `page` is not a page of ours. */
  async list(
    filter: AuditFilter,
    { page, limit: asked }: { readonly page: string | undefined; readonly limit: number },
  ): Promise<Page<AuditRow> | undefined> {
    const place = page === undefined ? undefined : parsePageToken(page);
    if (page !== undefined && place === undefined) return undefined;
    const limit = pageLimit(asked);
    const { account, concerns, action, target, request, since, until } = filter;
    const rows = await this.#db
      .selectFrom("audit")
      .selectAll()
      .$if(place !== undefined, (query) => query.where("id", "<", place!.order))
      .$if(account !== undefined, (query) => query.where("account", "=", account!))
      .$if(concerns !== undefined, (query) =>
        query.where((is) => is.or([is("account", "=", concerns!), is("owner", "=", concerns!)])),
      )
      .$if(action !== undefined, (query) =>
        // "/" is the character after "." : all actions whose first word it is.
        query.where((is) =>
          is.or([
            is("action", "=", action!),
            is.and([is("action", ">", `${action}.`), is("action", "<", `${action}/`)]),
          ]),
        ),
      )
      .$if(target !== undefined, (query) => query.where("target", "=", target!))
      .$if(request !== undefined, (query) => query.where("request", "=", request!))
      .$if(since !== undefined, (query) => query.where("at", ">=", since!))
      .$if(until !== undefined, (query) => query.where("at", "<", until!))
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, ({ id }) => ({ order: Number(id), id: "audit" }), rowOf);
  }

  /** Forgets what is older than the newest entries of the account, and of all. */
  async trim(account: string): Promise<void> {
    const { ofAccount, all } = this.#bounds;
    const newest = this.#db.selectFrom("audit").select("id").orderBy("id", "desc").limit(1);
    const queries = [
      this.#db
        .deleteFrom("audit")
        .where("account", "=", account)
        .where("id", "<=", newest.where("account", "=", account).offset(ofAccount)),
      this.#db.deleteFrom("audit").where("id", "<=", newest.offset(all)),
    ];
    await this.#sql.transaction(queries.map((query) => statement(query)));
  }
}

/** What the commit of the change carries. An entry that is done stays done. */
export function endingOf(db: Database, { id, ...ended }: AuditEnding): SqlStatement {
  const update = db.updateTable("audit").set(ended).where("id", "=", id);
  return statement(ended.outcome === "done" ? update : update.where("outcome", "=", "begun"));
}

function rowOf(row: Selectable<AuditTable>): AuditRow {
  return { ...row, id: Number(row.id), at: Number(row.at) as Instant, outcome: row.outcome as AuditOutcome };
}
