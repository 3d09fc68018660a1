/**
 * Keys of requests that are made once (L10–L13): a row before the effect, its mark in the same commit as the effect, and the answer
 * before it is sent. What was asked and answered is here only as it is sealed: both may hold a secret.
 */
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { endingOf } from "./audit.ts";
import type { AuditEnding } from "./audit.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";

export interface RequestKeyRow {
  readonly account: string;
  readonly key: string;
  /** `k_…`: by it the commit that has the effect says whose it is. */
  readonly mark: string;
  readonly at: Instant;
  /** The fingerprint of what was asked, sealed. */
  readonly asked: string;
  /** Whether the catalog has the effect. The journal says it of its own, under the mark. */
  readonly made: boolean;
  /** What the effect made: a build or a token. */
  readonly work: string | null;
  /** Sealed; null until it was given. */
  readonly answer: string | null;
}

/** Whose effect is being committed. */
export interface Effects {
  /** The mark that the commit of the effect has to carry, once; null where the request has no key. */
  take(): string | null;
  /** The entry of the audit log that this commit makes true; null where nobody asked for it. */
  entry(): AuditEnding | null;
}

/** Expired rows that one step removes: it holds the writing thread for some milliseconds. */
const removedAtOnce = 1_000;

export class RequestKeys {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** Adds the row, in the place of one that is not younger than `expired`; false where a younger one is there. */
  async begin(
    { account, key, mark, at, asked }: Pick<RequestKeyRow, "account" | "key" | "mark" | "at" | "asked">,
    expired: Instant,
  ): Promise<boolean> {
    const remove = this.#db
      .deleteFrom("requestKeys")
      .where("account", "=", account)
      .where("key", "=", key)
      .where("at", "<=", expired);
    const row = { account, key, mark, at, asked, made: 0, work: null, answer: null };
    const add = this.#db
      .insertInto("requestKeys")
      .values(row)
      .onConflict((conflict) => conflict.columns(["account", "key"]).doNothing());
    const [, added] = await this.#sql.transaction([remove, add].map((query) => statement(query)));
    return added?.changes === 1;
  }

  async get(account: string, key: string): Promise<RequestKeyRow | undefined> {
    const row = await this.#db
      .selectFrom("requestKeys")
      .selectAll()
      .where("account", "=", account)
      .where("key", "=", key)
      .executeTakeFirst();
    return row && { ...row, at: row.at as Instant, made: row.made === 1 };
  }

  async count(account: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom("requestKeys")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("account", "=", account)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Keeps the answer; the first one stays. */
  async answer(mark: string, answer: string): Promise<void> {
    await this.#db
      .updateTable("requestKeys")
      .set({ answer })
      .where("mark", "=", mark)
      .where("answer", "is", null)
      .execute();
  }

  /** The effect of the request that is under way is there, where no commit of the catalog or the journal could say so: it is git's, or the evidence store's. */
  async made(work: string): Promise<void> {
    const marks = marked(this.#db, this.#effects, work);
    if (marks.length > 0) await this.#sql.transaction(marks);
  }

  /** Forgets a key whose request has had no effect. */
  async forget(mark: string): Promise<void> {
    await this.#db.deleteFrom("requestKeys").where("mark", "=", mark).where("made", "=", 0).execute();
  }

  /** Forgets keys that are not younger than `expired`, a bounded number of them. */
  async removeExpired(expired: Instant): Promise<void> {
    const old = this.#db.selectFrom("requestKeys").select("mark").where("at", "<=", expired).limit(removedAtOnce);
    await this.#db.deleteFrom("requestKeys").where("mark", "in", old).execute();
  }
}

/** What belongs into the commit of a request's effect: its entry of the audit log and, where the request has a key, the key's mark. `work`: what the effect made. */
export function marked(db: Database, effects: Effects, work: string | null = null): readonly SqlStatement[] {
  const mark = effects.take();
  const entry = effects.entry();
  return [
    ...(mark === null
      ? []
      : [statement(db.updateTable("requestKeys").set({ made: 1, work }).where("mark", "=", mark))]),
    ...(entry === null ? [] : [endingOf(db, entry)]),
  ];
}

/** Of whoever answers no requests. */
export const noEffects: Effects = { take: () => null, entry: () => null };
