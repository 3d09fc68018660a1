/** Builds and the releases that they make. A build's log is the builder's; here is only how many lines it has. */
import type { BuildStage, BuildView } from "../contract/api.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import { between, iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { Database } from "./database.ts";
import { pageLimit } from "./page.ts";
import type { BuildsTable as StoredBuild, ReleasesTable as StoredRelease } from "./schema.ts";

export type BuildStep = BuildView["steps"][number];

export interface BuildRow {
  readonly id: string;
  readonly space: string;
  readonly commit: string;
  readonly stage: BuildStage;
  /** `boundary/name` when it failed. */
  readonly code: string | null;
  readonly says: string;
  readonly because: readonly string[];
  readonly steps: readonly BuildStep[];
  readonly queuedAt: Instant;
  readonly claimedAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly logLines: number;
  readonly release: string | null;
}

export type NewBuild = Pick<BuildRow, "id" | "space" | "commit" | "says" | "queuedAt">;
export type BuildChange = Partial<Omit<BuildRow, "id" | "space" | "commit" | "queuedAt">>;

export interface ReleaseRow {
  readonly id: string;
  readonly space: string;
  readonly build: string;
  readonly commit: string;
  readonly manifest: ReleaseManifest;
  /** Where its folder lies. */
  readonly node: string;
  readonly createdAt: Instant;
}

export class Builds {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async create(build: NewBuild): Promise<BuildRow> {
    const row: BuildRow = {
      ...build,
      stage: "queued",
      code: null,
      because: [],
      steps: [],
      claimedAt: null,
      endedAt: null,
      logLines: 0,
      release: null,
    };
    await this.#db
      .insertInto("builds")
      .values({ ...row, because: "[]", steps: "[]" })
      .execute();
    return row;
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
  async update(id: string, { because, steps, ...change }: BuildChange): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("builds")
      .set({
        ...change,
        ...(because && { because: JSON.stringify(because) }),
        ...(steps && { steps: JSON.stringify(steps) }),
        id, // so that an empty change is a statement too
      })
      .where("id", "=", id)
      .where("endedAt", "is", null)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }
}

export class Releases {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A release never changes: publishing the same id again keeps the first. */
  async create(release: ReleaseRow): Promise<void> {
    await this.#db
      .insertInto("releases")
      .values({ ...release, manifest: JSON.stringify(release.manifest) })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
  }

  async get(id: string): Promise<ReleaseRow | undefined> {
    const row = await this.#db.selectFrom("releases").selectAll().where("id", "=", id).executeTakeFirst();
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

/** A build as the API shows it; `now` counts for one that is still going on. */
export function buildView(row: BuildRow, now: Instant): BuildView {
  const end = row.endedAt ?? now;
  return {
    id: row.id,
    space: row.space,
    commit: row.commit,
    stage: row.stage,
    outcome: row.stage === "done" ? "ok" : row.stage === "failed" ? "failed" : null,
    code: row.code,
    says: row.says,
    queuedAt: iso(row.queuedAt),
    queuedMs: between(row.queuedAt, row.claimedAt ?? end),
    tookMs: row.claimedAt === null ? 0 : between(row.claimedAt, end),
    logLines: row.logLines,
    steps: row.steps,
    because: row.because,
    release: row.release,
  };
}

function buildOf(row: StoredBuild): BuildRow {
  return {
    id: row.id,
    space: row.space,
    commit: row.commit,
    stage: row.stage as BuildStage,
    code: row.code,
    says: row.says,
    because: JSON.parse(row.because) as string[],
    steps: JSON.parse(row.steps) as BuildStep[],
    queuedAt: row.queuedAt as Instant,
    claimedAt: row.claimedAt as Instant | null,
    endedAt: row.endedAt as Instant | null,
    logLines: row.logLines,
    release: row.release,
  };
}

function releaseOf(row: StoredRelease): ReleaseRow {
  return { ...row, manifest: JSON.parse(row.manifest) as ReleaseManifest, createdAt: row.createdAt as Instant };
}
