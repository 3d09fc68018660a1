/** What is kept of each Space: the newest of its releases, builds and events; the rest is marked as gone, then forgotten. */
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { releaseOf } from "./builds.ts";
import type { ReleaseRow } from "./builds.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";

/** So many rows that say what was removed, for each one that is kept: a few hundred bytes each. */
const marksPerKept = 10;
/** Ids in one statement: SQLite takes 32,766 values. */
const idsAtOnce = 1_000;

export class Kept {
  readonly #db: Database;
  readonly #sql: SqlRunner;

  constructor(db: Database, sql: SqlRunner) {
    this.#db = db;
    this.#sql = sql;
  }

  /**
   * Marks the releases of `space` beside its `newest` and those of `pinned` as removed; resolves with them. To be called in the
   * Space's turn, so that nobody is choosing one of them.
   */
  async removeReleases(
    space: string,
    { newest, pinned, now }: { readonly newest: number; readonly pinned: readonly string[]; readonly now: Instant },
  ): Promise<readonly ReleaseRow[]> {
    const ofSpace = this.#db.selectFrom("releases").select("id").where("space", "=", space);
    const latest = ofSpace.orderBy("createdAt", "desc").orderBy("id", "desc");
    const removed = await this.#db
      .updateTable("releases")
      .set({ removedAt: now })
      .where("space", "=", space)
      .where("removedAt", "is", null)
      .where("id", "not in", latest.limit(newest))
      .$if(pinned.length > 0, (query) => query.where("id", "not in", pinned))
      .returningAll()
      .execute();
    const marks = latest.where("removedAt", "is not", null).limit(newest * marksPerKept);
    await this.#db
      .deleteFrom("releases")
      .where("space", "=", space)
      .where("removedAt", "is not", null)
      .where("id", "not in", marks)
      .execute();
    return removed.map(releaseOf);
  }

  /** Those of these releases that can run. */
  async runnable(releases: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await inPieces(releases, (ids) =>
      this.#db.selectFrom("releases").select("id").where("id", "in", ids).where("removedAt", "is", null).execute(),
    );
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Marks ended builds of `space` as trimmed, with their events, but its `newest`, its `newest` failed ones, and those whose release
   * can run; resolves with the ids of those whose logs are to go.
   */
  async trimBuilds(
    space: string,
    { newest, now }: { readonly newest: number; readonly now: Instant },
  ): Promise<readonly string[]> {
    const ofSpace = this.#db.selectFrom("builds").select("id").where("space", "=", space);
    const latest = ofSpace.orderBy("queuedAt", "desc").orderBy("id", "desc");
    const running = this.#db
      .selectFrom("releases")
      .select("build")
      .where("space", "=", space)
      .where("removedAt", "is", null);
    const old = await ofSpace
      .where("endedAt", "is not", null)
      .where("trimmedAt", "is", null)
      .where("id", "not in", latest.limit(newest))
      .where("id", "not in", latest.where("stage", "=", "failed").limit(newest))
      .where("id", "not in", running)
      .limit(idsAtOnce)
      .execute();
    const ids = old.map(({ id }) => id);
    const marks = latest.where("trimmedAt", "is not", null).limit(newest * marksPerKept);
    const trimmed = { trimmedAt: now, steps: "[]", because: "[]", machine: null };
    const queries = [
      ...(ids.length === 0
        ? []
        : [
            this.#db.updateTable("builds").set(trimmed).where("id", "in", ids),
            this.#db.deleteFrom("buildEvents").where("build", "in", ids),
          ]),
      this.#db
        .deleteFrom("builds")
        .where("space", "=", space)
        .where("trimmedAt", "is not", null)
        .where("id", "not in", marks),
    ];
    await this.#sql.transaction(queries.map((query) => statement(query)));
    return ids;
  }

  /** Those of these builds whose logs are kept. */
  async logged(builds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await inPieces(builds, (ids) =>
      this.#db.selectFrom("builds").select("id").where("id", "in", ids).where("trimmedAt", "is", null).execute(),
    );
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Forgets what happened to `space`, but its `newest` events and its `newest` ones with a code; and who changed its variables and
   * secrets, but the `newest` changes and the last one that its app noticed.
   */
  async trimEvents(space: string, newest: number): Promise<void> {
    const events = this.#db
      .selectFrom("spaceEvents")
      .select("seq")
      .where("space", "=", space)
      .orderBy("seq", "desc")
      .limit(newest);
    const changes = this.#db.selectFrom("spaceEnvironmentChanges").where("space", "=", space);
    const queries = [
      this.#db
        .deleteFrom("spaceEvents")
        .where("space", "=", space)
        .where("seq", "not in", events)
        .where("seq", "not in", events.where("code", "is not", null)),
      this.#db
        .deleteFrom("spaceEnvironmentChanges")
        .where("space", "=", space)
        .where("id", "not in", changes.select("id").orderBy("id", "desc").limit(newest))
        .where("id", "not in", changes.select("id").where("action", "!=", "described").orderBy("id", "desc").limit(1)),
    ];
    await this.#sql.transaction(queries.map((query) => statement(query)));
  }
}

async function inPieces<Row>(
  ids: readonly string[],
  read: (ids: readonly string[]) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let at = 0; at < ids.length; at += idsAtOnce) rows.push(...(await read(ids.slice(at, at + idsAtOnce))));
  return rows;
}
