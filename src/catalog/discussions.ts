/**
 * Discussions and pull requests of repositories, and what happened in them. A repository is named by its folder, so one that is moved
 * keeps them. The commits of a pull request are in git alone; what has to change in git and here is noted here first, as `pending`.
 */
import { sql, type Selectable } from "kysely";
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { DiscussionEventsTable, DiscussionsTable } from "./schema.ts";

/** A pull request that was opened without commits is a draft until somebody says that it is done. */
export type DiscussionStatus = "draft" | "open" | "closed" | "merged";

export interface DiscussionRow {
  /** The repository's folder, below that of all repositories. */
  readonly repo: string;
  readonly num: number;
  readonly title: string;
  readonly author: string;
  /** Whether it is a pull request. */
  readonly pull: boolean;
  readonly status: DiscussionStatus;
  /** The commit of main from which a pull request began. */
  readonly base: string | null;
  /** The commit of main that a pull request became. */
  readonly merged: string | null;
  /** What was begun and is not known to have come to its end: `opening`, or `merging FROM TO ACCOUNT`. */
  readonly pending: string | null;
  readonly createdAt: Instant;
}

/** What a comment said at some time. */
export interface CommentText {
  readonly text: string;
  readonly by: string;
  readonly at: Instant;
}

export type DiscussionDeed =
  /** `texts`: the newest first; none of a comment that was hidden. */
  | { readonly kind: "comment"; readonly texts: readonly CommentText[] }
  | { readonly kind: "status"; readonly status: DiscussionStatus }
  | { readonly kind: "title"; readonly from: string; readonly to: string };

export type DiscussionEvent = {
  /** 24 hexadecimal digits. */
  readonly id: string;
  readonly author: string;
  readonly at: Instant;
} & DiscussionDeed;

export interface DiscussionFilter {
  readonly pull?: boolean;
  readonly statuses?: readonly DiscussionStatus[];
  readonly author?: string;
}

/** Main goes from one commit to another, as the account wants. */
export interface Merging {
  readonly from: string;
  readonly to: string;
  readonly account: string;
}

/** They are numbered from 1 in each repository. */
export type DiscussionKey = Pick<DiscussionRow, "repo" | "num">;

const opening = "opening";
const merging = "merging ";
const live: readonly DiscussionStatus[] = ["draft", "open"];

export class Discussions {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** Undefined also of one that is being opened. */
  async get({ repo, num }: DiscussionKey): Promise<DiscussionRow | undefined> {
    const row = await this.#shown(repo).selectAll().where("num", "=", num).executeTakeFirst();
    return row && rowOf(row);
  }

  /** Newest first, and how many there are in all. */
  async list(
    repo: string,
    filter: DiscussionFilter,
    { skip, limit }: { readonly skip: number; readonly limit: number },
  ): Promise<{ readonly total: number; readonly rows: readonly DiscussionRow[] }> {
    const { pull, statuses, author } = filter;
    const found = this.#shown(repo)
      .$if(pull !== undefined, (query) => query.where("pull", "=", pull === true ? 1 : 0))
      .$if(statuses !== undefined, (query) => query.where("status", "in", [...statuses!]))
      .$if(author !== undefined, (query) => query.where("author", "=", author!));
    const { total } = await found.select(({ fn }) => fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
    const rows = await found.selectAll().orderBy("num", "desc").offset(skip).limit(limit).execute();
    return { total: Number(total), rows: rows.map(rowOf) };
  }

  /** Numbers of the pull requests. */
  async pulls(repo: string): Promise<ReadonlySet<number>> {
    const rows = await this.#shown(repo).select("num").where("pull", "=", 1).execute();
    return new Set(rows.map(({ num }) => Number(num)));
  }

  /** Oldest first. */
  async events({ repo, num }: DiscussionKey): Promise<readonly DiscussionEvent[]> {
    const rows = await this.#eventsOf({ repo, num }).selectAll().orderBy("seq").execute();
    return rows.map(eventOf);
  }

  async event({ repo, num }: DiscussionKey, id: string): Promise<DiscussionEvent | undefined> {
    const row = await this.#eventsOf({ repo, num }).selectAll().where("id", "=", id).executeTakeFirst();
    return row && eventOf(row);
  }

  /** How much was said in it, with what comments said before they were changed. */
  async weigh(of: DiscussionKey): Promise<{ readonly events: number; readonly characters: number }> {
    const { events, characters } = await this.#eventsOf(of)
      .select(({ fn }) => [
        fn.countAll<number>().as("events"),
        fn.sum<number | null>(sql`length(body)`).as("characters"),
      ])
      .executeTakeFirstOrThrow();
    return { events: Number(events), characters: Number(characters ?? 0) };
  }

  /** Of the repository, and of them the author's. */
  async count(repo: string, author: string): Promise<{ readonly all: number; readonly own: number }> {
    const all = this.#db.selectFrom("discussions").where("repo", "=", repo);
    const [every, own] = await Promise.all(
      [all, all.where("author", "=", author)].map((query) =>
        query.select(({ fn }) => fn.countAll<number>().as("count")).executeTakeFirstOrThrow(),
      ),
    );
    return { all: Number(every?.count), own: Number(own?.count) };
  }

  /** Pull requests of the author that are neither merged nor closed, in all repositories. */
  async countOpenPulls(author: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom("discussions")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("author", "=", author)
      .where("pull", "=", 1)
      .where("status", "in", [...live])
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** The number of the repository's next one; whoever asks makes that before anybody else asks. */
  async next(repo: string): Promise<number> {
    const { last } = await this.#db
      .selectFrom("discussions")
      .select(({ fn }) => fn.max<number | null>("num").as("last"))
      .where("repo", "=", repo)
      .executeTakeFirstOrThrow();
    return Number(last ?? 0) + 1;
  }

  /** One without a part in git. */
  async open(row: Omit<DiscussionRow, "pending" | "base" | "merged">, first: DiscussionEvent): Promise<void> {
    const values = { ...row, pull: row.pull ? 1 : 0, base: null, merged: null, pending: null };
    await this.#commit(String(row.num), this.#db.insertInto("discussions").values(values), this.#adding(row, first));
  }

  /** A pull request that nobody is shown until {@link opened}. */
  async begin(row: Omit<DiscussionRow, "pending" | "merged">): Promise<void> {
    const values = { ...row, pull: row.pull ? 1 : 0, merged: null, pending: opening };
    await this.#db.insertInto("discussions").values(values).execute();
  }

  /** Its reference is there. */
  async opened(of: DiscussionKey, first: DiscussionEvent): Promise<void> {
    await this.#commit(String(of.num), this.#update(of).set({ pending: null }), this.#adding(of, first));
  }

  /** It was never opened. */
  async forget({ repo, num }: DiscussionKey): Promise<void> {
    await this.#db
      .deleteFrom("discussions")
      .where("repo", "=", repo)
      .where("num", "=", num)
      .where("pending", "=", opening)
      .execute();
  }

  /** What happened, and what of the discussion is another by it. */
  async add(
    of: DiscussionKey,
    events: readonly DiscussionEvent[],
    change: Partial<Pick<DiscussionRow, "title" | "status">> = {},
  ): Promise<void> {
    const isChange = Object.keys(change).length > 0;
    await this.#commit(
      events[0]?.id ?? null,
      ...(isChange ? [this.#update(of).set(change)] : []),
      ...events.map((event) => this.#adding(of, event)),
    );
  }

  /** A comment says something else now. */
  async say(id: string, texts: readonly CommentText[]): Promise<void> {
    await this.#commit(
      id,
      this.#db
        .updateTable("discussionEvents")
        .set({ body: JSON.stringify({ texts }) })
        .where("id", "=", id),
    );
  }

  /** What is about to be done to main. Null: it was not. */
  async merging(of: DiscussionKey, next: Merging | null): Promise<void> {
    const pending = next && `${merging}${next.from} ${next.to} ${next.account}`;
    await this.#update(of).set({ pending }).execute();
  }

  /** Main has it. */
  async merged(of: DiscussionKey, commit: string, events: readonly DiscussionEvent[]): Promise<void> {
    await this.#commit(
      String(of.num),
      this.#update(of).set({ status: "merged", merged: commit, pending: null }),
      ...events.map((event) => this.#adding(of, event)),
    );
  }

  /** What an earlier process did not come to the end of. */
  async pending(): Promise<readonly DiscussionRow[]> {
    const rows = await this.#db.selectFrom("discussions").selectAll().where("pending", "is not", null).execute();
    return rows.map(rowOf);
  }

  #shown(repo: string) {
    return this.#db
      .selectFrom("discussions")
      .where("repo", "=", repo)
      .where((is) => is.or([is("pending", "is", null), is("pending", "!=", opening)]));
  }

  #eventsOf({ repo, num }: DiscussionKey) {
    return this.#db.selectFrom("discussionEvents").where("repo", "=", repo).where("num", "=", num);
  }

  #update({ repo, num }: DiscussionKey) {
    return this.#db.updateTable("discussions").where("repo", "=", repo).where("num", "=", num);
  }

  #adding({ repo, num }: DiscussionKey, { id, author, at, kind, ...body }: DiscussionEvent) {
    const values = { repo, num, id, author, at, kind, body: JSON.stringify(body) };
    return this.#db.insertInto("discussionEvents").values(values);
  }

  async #commit(work: string | null, ...queries: readonly Parameters<typeof statement>[0][]): Promise<void> {
    await this.#sql.transaction([
      ...queries.map((query) => statement(query)),
      ...marked(this.#db, this.#effects, work),
    ]);
  }
}

/** What was about to be done to main; undefined where nothing was. */
export function mergingOf({ pending }: Pick<DiscussionRow, "pending">): Merging | undefined {
  if (pending?.startsWith(merging) !== true) return undefined;
  const [from = "", to = "", account = ""] = pending.slice(merging.length).split(" ");
  return { from, to, account };
}

/** The repository is gone, with all that was said of it. */
export function droppingDiscussions(db: Database, repo: string): readonly SqlStatement[] {
  return (["discussions", "discussionEvents", "proposers"] as const).map((table) =>
    statement(db.deleteFrom(table).where("repo", "=", repo)),
  );
}

function rowOf({ pull, num, createdAt, status, ...row }: Selectable<DiscussionsTable>): DiscussionRow {
  return {
    ...row,
    num: Number(num),
    pull: Number(pull) === 1,
    status: status as DiscussionStatus,
    createdAt: Number(createdAt) as Instant,
  };
}

function eventOf({ id, author, at, kind, body }: Selectable<DiscussionEventsTable>): DiscussionEvent {
  const deed = { kind, ...(JSON.parse(body) as object) } as DiscussionDeed;
  return { id, author, at: Number(at) as Instant, ...deed };
}
