/**
 * What happened, as deliveries to the webhooks that want to hear of it: rows of the same commit as what they tell, so that nothing is told
 * that was not, and nothing that was is left out by a stop. A delivery's id follows from its webhook and from what happened, so the same
 * thing that is told again is known by its id.
 */
import { createHash } from "node:crypto";
import type { NoticeBody, NoticeData, NoticeType } from "../contract/webhooks.ts";
import { ownTypes, platformTypes } from "../contract/webhooks.ts";
import { base32 } from "../stdx/ids.ts";
import type { SqlStatement } from "../stdx/sql.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";

/** One thing that happened. */
export type Notice<Type extends NoticeType = NoticeType> = Type extends NoticeType
  ? {
      readonly type: Type;
      /** Which of all things it is: `space/alice/demo/17`. */
      readonly key: string;
      readonly at: Instant;
      /** Whose it is; null: the platform's. */
      readonly owner: string | null;
      readonly data: NoticeData[Type];
    }
  : never;

/** Who is told what. */
export interface Hearer {
  readonly id: string;
  /** Null: the platform's, which hears of all. */
  readonly owner: string | null;
  /** Empty: all that its owner may hear. */
  readonly types: readonly NoticeType[];
  /** It hears of no incident from before: a start tells of those of the last day again. */
  readonly since: Instant;
}

export interface DeliveryBounds {
  /** Deliveries of one webhook that wait; the oldest give way, so that one that is away for days does not fill the disk. */
  readonly waiting: number;
  /** Of those that have ended, the newest of one webhook. */
  readonly ended: number;
}

/** Some 500 bytes each, 20 KB at most. */
export const deliveryBounds: DeliveryBounds = { waiting: 1_000, ended: 200 };
/** Of one sentence: a body stays below the 20 KB that Standard Webhooks advises. */
const sentenceMax = 2_000;
/** Of a delivery's id: 80 bits, as all ids have. */
const idBytes = 10;
/** Deliveries that were decided lately: what is told over and over, as a quota that is used up, is no write each time. */
const latelyMax = 1_000;

export class Notices {
  readonly #db: Database;
  readonly #bounds: DeliveryBounds;
  #hearers: ReadonlyMap<string, Hearer> = new Map();
  readonly #lately = new Set<string>();
  /** Told of each webhook to which something is on its way. */
  onDelivery: (webhook: string) => void = () => {};

  constructor(db: Database, bounds = deliveryBounds) {
    this.#db = db;
    this.#bounds = bounds;
  }

  /** From here on these hear of what happens: those that are switched on. */
  hear(hearers: Iterable<Hearer>): void {
    this.#hearers = new Map([...hearers].map((one) => [one.id, one]));
  }

  /** For the commit of what happened; empty where nobody hears of it. */
  statements(notices: readonly Notice[], only?: string): readonly SqlStatement[] {
    return notices.flatMap((notice) =>
      this.#hearing(notice, only).flatMap((webhook) => this.#delivery(notice, webhook)),
    );
  }

  /** They are in a commit that was made. */
  told(notices: readonly Notice[], only?: string): void {
    for (const notice of notices) {
      for (const webhook of this.#hearing(notice, only)) {
        this.#lately.add(deliveryId(webhook, notice.key));
        this.onDelivery(webhook);
      }
    }
    for (const id of this.#lately) {
      if (this.#lately.size <= latelyMax) return;
      this.#lately.delete(id);
    }
  }

  /** Forgets the oldest that have ended. */
  trim(webhook: string): readonly SqlStatement[] {
    const ended = this.#db.selectFrom("deliveries").where("webhook", "=", webhook).where("endedAt", "is not", null);
    const old = ended.select("number").orderBy("number", "desc").limit(1).offset(this.#bounds.ended);
    const gone = ended.select("id").where("number", "<=", old);
    return [
      statement(this.#db.deleteFrom("deliveryAttempts").where("delivery", "in", gone)),
      statement(
        this.#db
          .deleteFrom("deliveries")
          .where("webhook", "=", webhook)
          .where("endedAt", "is not", null)
          .where("number", "<=", old),
      ),
    ];
  }

  #hearing(notice: Notice, only: string | undefined): readonly string[] {
    const all = [...this.#hearers.values()];
    const hearing = all.filter((one) => (only ?? one.id) === one.id && hears(one, notice)).map(({ id }) => id);
    return hearing.filter((id) => !this.#lately.has(deliveryId(id, notice.key)));
  }

  #delivery(notice: Notice, webhook: string): readonly SqlStatement[] {
    const { type, at } = notice;
    const row = {
      ...{ id: deliveryId(webhook, notice.key), webhook, type, at, body: bodyOf(notice) },
      ...{ state: "waiting", tries: 0, dueAt: at, endedAt: null, says: "" },
    };
    const waiting = this.#db.selectFrom("deliveries").select("number").where("webhook", "=", webhook);
    const oldest = waiting
      .where("state", "=", "waiting")
      .orderBy("number", "desc")
      .limit(1)
      .offset(this.#bounds.waiting);
    const says = `${this.#bounds.waiting} newer ones waited, which are the most`;
    return [
      statement(
        this.#db
          .insertInto("deliveries")
          .values(row)
          .onConflict((conflict) => conflict.column("id").doNothing()),
      ),
      statement(
        this.#db
          .updateTable("deliveries")
          .set({ state: "failed", dueAt: null, endedAt: at, says })
          .where("webhook", "=", webhook)
          .where("state", "=", "waiting")
          .where("number", "<=", oldest),
      ),
      ...this.trim(webhook),
    ];
  }
}

/** Whether a webhook is told. */
function hears({ id, owner, types, since }: Hearer, notice: Notice): boolean {
  if (notice.type === "webhook.off" && notice.data.webhook === id) return false;
  if (platformTypes.includes(notice.type) && notice.at < since) return false;
  if (owner !== null && (owner !== notice.owner || platformTypes.includes(notice.type))) return false;
  return types.length === 0 || types.includes(notice.type) || ownTypes.includes(notice.type);
}

function deliveryId(webhook: string, key: string): string {
  const digest = createHash("sha256").update(`${webhook}\n${key}`).digest();
  return `dl_${base32(digest.subarray(0, idBytes))}`;
}

function bodyOf({ type, at, data }: Notice): string {
  const body: NoticeBody = { type, timestamp: iso(at), data };
  return JSON.stringify(body, (_name, value: unknown) =>
    typeof value === "string" && value.length > sentenceMax ? `${value.slice(0, sentenceMax)}…` : value,
  );
}
