/** Builds, their transitions, and the releases that they make. A build's log is the builder's; here is only how many lines it has. */
import { sql } from "kysely";
import type { Selectable } from "kysely";
import type { BuildEventView, BuildStage, BuildView } from "../contract/api.ts";
import type { LimitsOfBuild } from "../contract/isolation.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { between, instant, iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { spaceOwner } from "../contract/space.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notice, Notices } from "./notices.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import type { BuildEventsTable, BuildsTable, ReleasesTable } from "./schema.ts";

export type BuildStep = BuildView["steps"][number];

export interface BuildRow {
  readonly id: string;
  readonly space: string;
  readonly commit: string;
  readonly stage: BuildStage;
  /** `boundary/name` where it ended otherwise than well. */
  readonly code: string | null;
  readonly says: string;
  readonly because: readonly string[];
  readonly steps: readonly BuildStep[];
  readonly queuedAt: Instant;
  /** When a builder took it, the last time. */
  readonly claimedAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly logLines: number;
  readonly release: string | null;
  readonly account: string | null;
  /** Of this stage; null for a build of version 0.1. */
  readonly since: Instant | null;
  readonly deadline: Instant | null;
  readonly builder: string | null;
  readonly attempts: number;
  readonly priority: number;
  /** Who caused this stage, in words. */
  readonly actor: string | null;
  readonly replacedBy: string | null;
  readonly retryOf: string | null;
  /** What the queue keeps of an open build, as JSON; this table does not look into it. */
  readonly machine: string | null;
  /** What was in force on it; absent before a builder has said so. */
  readonly limits?: LimitsOfBuild;
  /** When its log and its events were removed; absent while they are there. */
  readonly trimmedAt?: Instant;
}

export type NewBuild = Pick<BuildRow, "id" | "space" | "commit" | "says" | "queuedAt"> &
  Partial<Pick<BuildRow, "account" | "retryOf">>;
export type BuildChange = Partial<Omit<BuildRow, "id" | "space" | "commit" | "queuedAt">>;

/** A transition of a build, and what it changes in the build's row. */
export interface BuildTransition {
  readonly build: string;
  readonly at: Instant;
  readonly event: string;
  readonly stage: BuildStage;
  readonly actor: string;
  /** Counts the hand-overs to builders so far. */
  readonly fence: number;
  readonly code: string | null;
  readonly says: string;
  readonly deadline: Instant | null;
  readonly change: BuildChange;
  /** Of its first: the row that is made. */
  readonly created?: NewBuild;
}

export interface ReleaseRow {
  readonly id: string;
  readonly space: string;
  readonly build: string;
  readonly commit: string;
  readonly manifest: ReleaseManifest;
  /** Where its folder lies. */
  readonly node: string;
  readonly createdAt: Instant;
  /** When its folder was given up; absent while it can run. */
  readonly removedAt?: Instant;
}

/** Builds that ended within some time, with their codes. */
export interface EndedCount {
  readonly stage: BuildStage;
  readonly code: string | null;
  readonly count: number;
}

export class Builds {
  readonly #db: Database;
  readonly #runner: SqlRunner;
  readonly #effects: Effects;
  readonly #notices: Notices;

  constructor(db: Database, runner: SqlRunner, effects: Effects, notices: Notices) {
    this.#db = db;
    this.#runner = runner;
    this.#effects = effects;
    this.#notices = notices;
  }

  async create(build: NewBuild): Promise<BuildRow> {
    const row = newRow(build);
    await this.#insert(row).execute();
    return row;
  }

  /** Stores transitions, and the release that one of them published, in one commit. */
  async record(transitions: readonly BuildTransition[], release?: ReleaseRow): Promise<void> {
    const statements = transitions.flatMap(({ change, created, ...event }) => [
      ...(created ? [this.#insert(newRow(created))] : []),
      this.#change(event.build, change),
      this.#db.insertInto("buildEvents").values({
        ...event,
        n: this.#db
          .selectFrom("buildEvents")
          .select(sql<number>`coalesce(max(n), 0) + 1`.as("n"))
          .where("build", "=", event.build) as never,
      }),
    ]);
    const all = release ? [insertRelease(this.#db, release), ...statements] : statements;
    if (all.length === 0) return;
    const made = transitions.find(({ created }) => created !== undefined)?.build ?? null;
    const notices = await this.#ended(transitions);
    const told = this.#notices.statements(notices);
    await this.#runner.transaction([...all.map(statement), ...told, ...marked(this.#db, this.#effects, made)]);
    this.#notices.told(notices);
  }

  /** How a build came to its stage, in order. */
  async events(build: string): Promise<readonly BuildEventView[]> {
    const rows = await this.#db.selectFrom("buildEvents").selectAll().where("build", "=", build).orderBy("n").execute();
    return rows.map(eventOf);
  }

  async get(id: string): Promise<BuildRow | undefined> {
    const row = await this.#db.selectFrom("builds").selectAll().where("id", "=", id).executeTakeFirst();
    return row && buildOf(row);
  }

  /** Newest first. */
  async list(space: string, limit: number): Promise<readonly BuildRow[]> {
    const rows = await this.#db
      .selectFrom("builds")
      .selectAll()
      .where("space", "=", space)
      .orderBy("queuedAt", "desc")
      .orderBy("id", "desc")
      .limit(pageLimit(limit))
      .execute();
    return rows.map(buildOf);
  }

  /** Of a Space, of the commits that begin with these digits, newest first. */
  async ofCommit(space: string, commit: string, limit: number): Promise<readonly BuildRow[]> {
    const rows = await this.#db
      .selectFrom("builds")
      .selectAll()
      .where("space", "=", space)
      .where("commit", ">=", commit)
      .where("commit", "<", `${commit}g`) // the character behind the last hexadecimal digit
      .orderBy("queuedAt", "desc")
      .orderBy("id", "desc")
      .limit(pageLimit(limit))
      .execute();
    return rows.map(buildOf);
  }

  /** Newest first; undefined where `before` is no page of ours. */
  async page(
    space: string,
    { limit, before }: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<Page<BuildRow> | undefined> {
    const place = before === undefined ? undefined : parsePageToken(before);
    if (before !== undefined && place === undefined) return undefined;
    const most = pageLimit(limit);
    let query = this.#db.selectFrom("builds").selectAll().where("space", "=", space);
    if (place)
      query = query.where(({ eb, or, and }) =>
        or([eb("queuedAt", "<", place.order), and([eb("queuedAt", "=", place.order), eb("id", "<", place.id)])]),
      );
    const rows = await query
      .orderBy("queuedAt", "desc")
      .orderBy("id", "desc")
      .limit(most + 1)
      .execute();
    return pageOf(rows, most, ({ queuedAt, id }) => ({ order: queuedAt, id }), buildOf);
  }

  /** Those that a builder had and that have ended since, oldest first; `limit` of the newest. */
  async endedSince(since: Instant, limit: number): Promise<readonly BuildRow[]> {
    const rows = await this.#db
      .selectFrom("builds")
      .selectAll()
      .where("endedAt", ">", since)
      .where("claimedAt", "is not", null)
      .orderBy("endedAt", "desc")
      .limit(limit)
      .execute();
    return rows.map(buildOf).reverse();
  }

  async countEnded(since: Instant): Promise<readonly EndedCount[]> {
    const rows = await this.#db
      .selectFrom("builds")
      .select(({ fn }) => ["stage", "code", fn.countAll<number>().as("count")])
      .where("endedAt", ">", since)
      .groupBy(["stage", "code"])
      .execute();
    return rows.map(({ stage, code, count }) => ({ stage: stage as BuildStage, code, count: Number(count) }));
  }

  /** Those that have not ended, oldest first: what a restart has to look after. */
  async open(): Promise<readonly BuildRow[]> {
    const rows = await this.#db
      .selectFrom("builds")
      .selectAll()
      .where("endedAt", "is", null)
      .orderBy("queuedAt")
      .orderBy("id")
      .execute();
    return rows.map(buildOf);
  }

  /** False where there is no such build or it has ended: an ended build is not changed any more. */
  async update(id: string, change: BuildChange): Promise<boolean> {
    const { numUpdatedRows } = await this.#change(id, change).executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  async #ended(transitions: readonly BuildTransition[]): Promise<readonly Notice[]> {
    const ended = transitions.filter(({ change }) => typeof change.endedAt === "number");
    const notices: Notice[] = [];
    for (const { build, at, stage, code, says, change, created } of ended) {
      const of = created ?? transitions.find((one) => one.build === build && one.created)?.created;
      const row = of ?? (await this.get(build));
      if (!row) continue;
      const { space, commit } = row;
      const data = { build, space, commit, stage, says: change.says ?? says, code, release: change.release ?? null };
      notices.push({ type: "build.ended", key: `build/${build}`, at, owner: spaceOwner(space), data });
    }
    return notices;
  }

  #insert({ because, steps, limits, ...row }: BuildRow) {
    return this.#db.insertInto("builds").values({
      ...row,
      because: JSON.stringify(because),
      steps: JSON.stringify(steps),
      ...(limits && { limits: JSON.stringify(limits) }),
    });
  }

  #change(id: string, { because, steps, limits, ...change }: BuildChange) {
    return this.#db
      .updateTable("builds")
      .set({
        ...change,
        ...(because && { because: JSON.stringify(because) }),
        ...(steps && { steps: JSON.stringify(steps) }),
        ...(limits && { limits: JSON.stringify(limits) }),
        id, // so that an empty change is a statement too
      })
      .where("id", "=", id)
      .where("endedAt", "is", null);
  }
}

export class Releases {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A release never changes: publishing the same id again keeps the first. */
  async create(release: ReleaseRow): Promise<void> {
    await insertRelease(this.#db, release).execute();
  }

  async get(id: string): Promise<ReleaseRow | undefined> {
    const row = await this.#db.selectFrom("releases").selectAll().where("id", "=", id).executeTakeFirst();
    return row && releaseOf(row);
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list(
    space: string,
    { before, limit: asked }: { readonly before?: string; readonly limit: number },
  ): Promise<Page<ReleaseRow> | undefined> {
    const limit = pageLimit(asked);
    let query = this.#db.selectFrom("releases").selectAll().where("space", "=", space);
    if (before !== undefined) {
      const place = parsePageToken(before);
      if (!place) return undefined;
      query = query.where((eb) => eb(eb.refTuple("createdAt", "id"), "<", eb.tuple(place.order, place.id)));
    }
    const rows = await query
      .orderBy("createdAt", "desc")
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, ({ createdAt, id }) => ({ order: createdAt, id }), releaseOf);
  }

  /** Of all Spaces or of one, published in `[from, to)`, oldest first. */
  async between(
    { from, to, space }: { readonly from: Instant; readonly to: Instant; readonly space: string | undefined },
    limit: number,
  ): Promise<readonly ReleaseRow[]> {
    const rows = await this.#db
      .selectFrom("releases")
      .selectAll()
      .where("createdAt", ">=", from)
      .where("createdAt", "<", to)
      .$if(space !== undefined, (query) => query.where("space", "=", space!))
      .orderBy("createdAt")
      .orderBy("id")
      .limit(limit)
      .execute();
    return rows.map(releaseOf);
  }

  /** The one that was published before this one, of those that can run. */
  async before(space: string, { createdAt }: Pick<ReleaseRow, "createdAt">): Promise<ReleaseRow | undefined> {
    const row = await this.#db
      .selectFrom("releases")
      .selectAll()
      .where("space", "=", space)
      .where("createdAt", "<", createdAt)
      .where("removedAt", "is", null)
      .orderBy("createdAt", "desc")
      .limit(1)
      .executeTakeFirst();
    return row && releaseOf(row);
  }

  /** The newest release of this commit of a Space, or of any commit. */
  async newest(space: string, commit?: string): Promise<ReleaseRow | undefined> {
    let query = this.#db.selectFrom("releases").selectAll().where("space", "=", space);
    if (commit !== undefined) query = query.where("commit", "=", commit);
    const row = await query.orderBy("createdAt", "desc").orderBy("id", "desc").limit(1).executeTakeFirst();
    return row && releaseOf(row);
  }
}

/** A build as the API shows it; `now` counts for one that is still going on. Where it waits is the queue's to say. */
export function buildView(row: BuildRow, now: Instant): BuildView {
  const end = row.endedAt ?? now;
  return {
    id: row.id,
    space: row.space,
    commit: row.commit,
    stage: row.stage,
    outcome: outcomeOf(row.stage),
    code: row.code,
    says: row.says,
    account: row.account,
    since: iso(row.since ?? row.endedAt ?? row.claimedAt ?? row.queuedAt),
    deadline: row.endedAt === null && row.deadline !== null ? iso(row.deadline) : null,
    by: row.actor ?? "the platform",
    builder: row.builder,
    attempts: row.attempts,
    priority: row.priority,
    waiting: null,
    replacedBy: row.replacedBy,
    retryOf: row.retryOf,
    queuedAt: iso(row.queuedAt),
    queuedMs: between(row.queuedAt, row.claimedAt ?? end),
    tookMs: row.claimedAt === null ? 0 : between(row.claimedAt, end),
    logLines: row.logLines,
    steps: row.steps,
    because: row.because,
    release: row.release,
    limits: row.limits ?? null,
    ...(row.trimmedAt === undefined ? {} : { trimmedAt: iso(row.trimmedAt) }),
  };
}

function outcomeOf(stage: BuildStage): BuildView["outcome"] {
  if (stage === "done") return "ok";
  return stage === "failed" || stage === "cancelled" || stage === "superseded" ? stage : null;
}

/** A build that has just been asked for. */
export function newRow({ account = null, retryOf = null, ...build }: NewBuild): BuildRow {
  return {
    ...build,
    stage: "queued",
    code: null,
    because: [],
    steps: [],
    claimedAt: null,
    endedAt: null,
    logLines: 0,
    release: null,
    account,
    since: build.queuedAt,
    deadline: null,
    builder: null,
    attempts: 0,
    priority: 0,
    actor: account,
    replacedBy: null,
    retryOf,
    machine: null,
  };
}

function insertRelease(db: Database, release: ReleaseRow) {
  return db
    .insertInto("releases")
    .values({ ...release, manifest: JSON.stringify(release.manifest) })
    .onConflict((conflict) => conflict.column("id").doNothing());
}

function buildOf({ trimmedAt, limits, ...row }: Selectable<BuildsTable>): BuildRow {
  return {
    ...row,
    ...(limits === null ? {} : { limits: JSON.parse(limits) as LimitsOfBuild }),
    ...(trimmedAt === null ? {} : { trimmedAt: instant(trimmedAt) }),
    stage: row.stage as BuildStage,
    because: JSON.parse(row.because) as string[],
    steps: JSON.parse(row.steps) as BuildStep[],
    queuedAt: instant(row.queuedAt),
    claimedAt: row.claimedAt as Instant | null,
    endedAt: row.endedAt as Instant | null,
    since: row.since as Instant | null,
    deadline: row.deadline as Instant | null,
  };
}

function eventOf({ at, event, stage, actor, fence, code, says, deadline }: BuildEventsTable): BuildEventView {
  return {
    at: iso(instant(at)),
    event,
    stage: stage as BuildStage,
    by: actor,
    fence,
    code,
    says,
    deadline: deadline === null ? null : iso(instant(deadline)),
  };
}

export function releaseOf({ removedAt, ...row }: Selectable<ReleasesTable>): ReleaseRow {
  const manifest = JSON.parse(row.manifest) as ReleaseManifest;
  const gone = removedAt === null ? {} : { removedAt: instant(removedAt) };
  return { ...row, manifest, createdAt: instant(row.createdAt), ...gone };
}
