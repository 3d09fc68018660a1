/** What is on its way to webhooks, how each try went, and how it ended: the newest of each webhook are kept. */
import type { Selectable } from "kysely";
import type { AttemptOutcome, NoticeType } from "../contract/webhooks.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notices } from "./notices.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { DeliveriesTable, DeliveryAttemptsTable } from "./schema.ts";

export interface DeliveryRow {
  /** Later ones have higher numbers, over all webhooks. */
  readonly number: number;
  /** `dl_…`, the same at each try. */
  readonly id: string;
  readonly webhook: string;
  readonly type: NoticeType;
  /** When what it tells happened. */
  readonly at: Instant;
  /** As it is sent. */
  readonly body: string;
  readonly state: "waiting" | "delivered" | "failed";
  /** Since it was decided, or since somebody wanted it again. */
  readonly tries: number;
  /** When it is tried; null where it has ended. */
  readonly dueAt: Instant | null;
  readonly endedAt: Instant | null;
  /** How the last try went, or why it ended. */
  readonly says: string;
}

export interface AttemptRow {
  readonly delivery: string;
  /** 1, 2, 3… */
  readonly n: number;
  readonly at: Instant;
  readonly tookMs: number;
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
  readonly says: string;
  /** The first bytes of what was answered. */
  readonly answer: string | null;
}

/** What a try leads to. */
export type AfterTry = Pick<DeliveryRow, "state" | "dueAt" | "endedAt" | "says">;

/** Of one delivery: more than two whole runs of tries. */
const attemptsKept = 30;

export class Deliveries {
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

  /** The one of this webhook that is due first, also where that is later. */
  async next(webhook: string): Promise<DeliveryRow | undefined> {
    const row = await this.#db
      .selectFrom("deliveries")
      .selectAll()
      .where("webhook", "=", webhook)
      .where("dueAt", "is not", null)
      .orderBy("dueAt")
      .orderBy("number")
      .limit(1)
      .executeTakeFirst();
    return row && deliveryOf(row);
  }

  async get(id: string): Promise<DeliveryRow | undefined> {
    const row = await this.#db.selectFrom("deliveries").selectAll().where("id", "=", id).executeTakeFirst();
    return row && deliveryOf(row);
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list(
    webhook: string,
    { before, limit: asked }: { readonly before?: string | undefined; readonly limit: number },
  ): Promise<Page<DeliveryRow> | undefined> {
    const limit = pageLimit(asked);
    const place = before === undefined ? undefined : parsePageToken(before);
    if (before !== undefined && place === undefined) return undefined;
    const rows = await this.#db
      .selectFrom("deliveries")
      .selectAll()
      .where("webhook", "=", webhook)
      .$if(place !== undefined, (query) => query.where("number", "<", place!.order))
      .orderBy("number", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, ({ number, id }) => ({ order: Number(number), id }), deliveryOf);
  }

  /** Deliveries of a webhook that have not ended. */
  async waiting(webhook: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom("deliveries")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("webhook", "=", webhook)
      .where("state", "=", "waiting")
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Of these deliveries, in the order in which they were made. */
  async attempts(deliveries: readonly string[]): Promise<readonly AttemptRow[]> {
    if (deliveries.length === 0) return [];
    const rows = await this.#db
      .selectFrom("deliveryAttempts")
      .selectAll()
      .where("delivery", "in", deliveries)
      .orderBy("delivery")
      .orderBy("n")
      .execute();
    return rows.map(attemptOf);
  }

  /** Stores a try and what it leads to. One that has ended meanwhile, as its webhook was switched off, stays ended, but for its delivery. */
  async tried(
    { id, webhook, tries }: DeliveryRow,
    attempt: Omit<AttemptRow, "delivery" | "n">,
    then: AfterTry,
  ): Promise<void> {
    const newest = this.#db
      .selectFrom("deliveryAttempts")
      .select(({ fn }) => fn.max("n").as("n"))
      .where("delivery", "=", id);
    const n = Number((await newest.executeTakeFirst())?.n ?? 0) + 1;
    const ended = this.#db
      .updateTable("deliveries")
      .set({ ...then, tries: tries + 1 })
      .where("id", "=", id);
    // A webhook that was removed meanwhile has no log any more.
    if ((await this.get(id)) === undefined) return;
    await this.#sql.transaction([
      statement(this.#db.insertInto("deliveryAttempts").values({ delivery: id, n, ...attempt })),
      statement(
        this.#db
          .deleteFrom("deliveryAttempts")
          .where("delivery", "=", id)
          .where("n", "<=", n - attemptsKept),
      ),
      statement(then.state === "delivered" ? ended : ended.where("state", "=", "waiting")),
      ...(then.state === "waiting" ? [] : this.#notices.trim(webhook)),
    ]);
  }

  /** Somebody wants it tried again, from the first try on, under the same id. */
  async again({ id, webhook }: Pick<DeliveryRow, "id" | "webhook">, now: Instant): Promise<void> {
    const again = this.#db
      .updateTable("deliveries")
      .set({ state: "waiting", tries: 0, dueAt: now, endedAt: null, says: "" })
      .where("id", "=", id);
    await this.#sql.transaction([statement(again), ...marked(this.#db, this.#effects, id)]);
    this.#notices.onDelivery(webhook);
  }
}

function deliveryOf(row: Selectable<DeliveriesTable>): DeliveryRow {
  return {
    ...row,
    number: Number(row.number),
    type: row.type as NoticeType,
    at: row.at as Instant,
    state: row.state as DeliveryRow["state"],
    dueAt: row.dueAt as Instant | null,
    endedAt: row.endedAt as Instant | null,
  };
}

function attemptOf(row: DeliveryAttemptsTable): AttemptRow {
  return { ...row, at: row.at as Instant, outcome: row.outcome as AttemptOutcome };
}
