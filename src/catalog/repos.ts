/**
 * Repositories of models and datasets: whose they are, who may read them, and in which folder they are. A folder's name is its
 * repository's for life, so that moving a repository is one row's change; what is deleted has its folder listed until that is removed. Names
 * that one had before it was moved go on leading to it, until they are another's.
 */
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { droppingAccess } from "./access-requests.ts";
import { statement, type Database } from "./database.ts";
import { droppingDiscussions } from "./discussions.ts";
import { droppingHolder, holderOf, movingHolder } from "./large-files.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { ReposTable } from "./schema.ts";

/** Who has to ask before files are read: nobody; everybody, and is let in at once; everybody, and somebody decides. */
export type Gated = "no" | "auto" | "manual";

export interface RepoName {
  readonly kind: "models" | "datasets";
  readonly owner: string;
  readonly name: string;
}

export interface RepoRow extends RepoName {
  /** Below the folder of repositories. */
  readonly folder: string;
  readonly private: boolean;
  readonly gated: Gated;
  readonly createdAt: Instant;
  readonly createdBy: string;
  /** Of its files or settings, the last time. */
  readonly changedAt: Instant;
  readonly changedBy: string;
}

/** A name that a repository had, in small letters. */
export interface Alias {
  readonly key: string;
  readonly folder: string;
}

/** Of one repository; a longer list of names is a program's mistake. */
const aliasesMax = 20;

export class Repos {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** Oldest first. */
  async all(): Promise<readonly RepoRow[]> {
    const rows = await this.#db.selectFrom("repos").selectAll().orderBy("createdAt").orderBy("folder").execute();
    return rows.map(rowOf);
  }

  /** A folder that is to be removed unless its repository is made. */
  async begin(folder: string, at: Instant): Promise<void> {
    await this.#db.insertInto("repoRemovals").values({ folder, at }).execute();
  }

  /** The repository of a folder that was begun. False where the name is taken, also in other letters of the same kind (`A` and `a`). */
  async create(row: RepoRow): Promise<boolean> {
    const add = this.#db
      .insertInto("repos")
      .values({ ...row, private: row.private ? 1 : 0 })
      .onConflict((conflict) => conflict.doNothing());
    // Where the name is taken the folder stays listed.
    const kept = this.#db
      .deleteFrom("repoRemovals")
      .where("folder", "in", this.#db.selectFrom("repos").select("folder").where("folder", "=", row.folder));
    const [added] = await this.#sql.transaction([
      statement(add),
      statement(kept),
      this.#droppingAlias(aliasOf(row)),
      ...marked(this.#db, this.#effects),
    ]);
    return added?.changes === 1;
  }

  /** What somebody wanted changed, its name and owner among it, by which it goes on naming what it brought; false where it is not there. Rejects where the new name is taken. */
  async change(
    of: RepoName,
    change: Partial<Pick<RepoRow, "owner" | "name" | "private" | "gated" | "changedAt" | "changedBy">>,
  ): Promise<boolean> {
    const { private: isPrivate, ...rest } = change;
    const set = { ...rest, ...(isPrivate !== undefined && { private: isPrivate ? 1 : 0 }) };
    const update = this.#update(of).set(set);
    const { owner = of.owner, name = of.name } = change;
    const isMoved = owner !== of.owner || name !== of.name;
    const held = { holder: nameHolder({ ...of, owner, name }), owner };
    const [updated] = await this.#sql.transaction([
      statement(update),
      ...(isMoved ? movingHolder(this.#db, nameHolder(of), held) : []),
      ...(isMoved ? this.#movingAlias(of, { ...of, owner, name }) : []),
      ...marked(this.#db, this.#effects),
    ]);
    return updated?.changes === 1;
  }

  /** Its files were changed. */
  async touch(of: RepoName, { at, by }: { readonly at: Instant; readonly by: string }): Promise<void> {
    await this.#update(of).set({ changedAt: at, changedBy: by }).execute();
  }

  /** It is gone from now on, what it brought is not its owner's any more, its discussions go with it, and nobody has access to it; its folder is listed in {@link removals}. */
  async remove({ folder, ...of }: RepoName & Pick<RepoRow, "folder">, at: Instant): Promise<void> {
    await this.#sql.transaction([
      statement(this.#db.deleteFrom("repos").where("folder", "=", folder)),
      statement(this.#db.insertInto("repoRemovals").values({ folder, at })),
      ...droppingHolder(this.#db, nameHolder(of)),
      droppingAccess(this.#db, folder),
      statement(this.#db.deleteFrom("repoAliases").where("folder", "=", folder)),
      ...droppingDiscussions(this.#db, folder),
      ...marked(this.#db, this.#effects),
    ]);
  }

  /** Of all that are there. */
  async aliases(): Promise<readonly Alias[]> {
    return await this.#db.selectFrom("repoAliases").select(["key", "folder"]).execute();
  }

  /** Folders that are to be removed from the disk. */
  async removals(): Promise<readonly string[]> {
    return (await this.#db.selectFrom("repoRemovals").select("folder").execute()).map(({ folder }) => folder);
  }

  /** The folder is off the disk. Who asked for access while it was removed has done so in vain. */
  async removed(folder: string): Promise<void> {
    const listed = this.#db.deleteFrom("repoRemovals").where("folder", "=", folder);
    await this.#sql.transaction([droppingAccess(this.#db, folder), statement(listed)]);
  }

  /** In the transaction that moved it: the name that it had leads to it, and the one that it has to no other. */
  #movingAlias(from: RepoName, { kind, owner, name }: RepoName): readonly SqlStatement[] {
    const moved = this.#db
      .selectFrom("repos")
      .where("kind", "=", kind)
      .where("owner", "=", owner)
      .where("name", "=", name);
    const had = this.#db
      .insertInto("repoAliases")
      .columns(["key", "folder", "at"])
      .expression(moved.select(({ val }) => [val(aliasOf(from)).as("key"), "folder", "changedAt as at"]))
      .onConflict((conflict) => conflict.column("key").doUpdateSet(({ ref }) => ({ folder: ref("excluded.folder") })));
    const newest = this.#db
      .selectFrom("repoAliases")
      .select("key")
      .where("folder", "=", moved.select("folder"))
      .orderBy("at", "desc")
      .orderBy("key")
      .limit(aliasesMax);
    const older = this.#db
      .deleteFrom("repoAliases")
      .where("folder", "=", moved.select("folder"))
      .where("key", "not in", newest);
    return [statement(had), this.#droppingAlias(aliasOf({ kind, owner, name })), statement(older)];
  }

  #droppingAlias(key: string): SqlStatement {
    return statement(this.#db.deleteFrom("repoAliases").where("key", "=", key));
  }

  #update({ kind, owner, name }: RepoName) {
    return this.#db.updateTable("repos").where("kind", "=", kind).where("owner", "=", owner).where("name", "=", name);
  }
}

/** As {@link Alias} has it. */
export function aliasOf({ kind, owner, name }: RepoName): string {
  return `${kind}/${owner}/${name}`.toLowerCase();
}

function nameHolder({ kind, owner, name }: RepoName): string {
  return holderOf({ kind, id: `${owner}/${name}` });
}

function rowOf(row: ReposTable): RepoRow {
  return {
    ...row,
    kind: row.kind as RepoRow["kind"],
    private: row.private === 1,
    gated: row.gated as Gated,
    createdAt: row.createdAt as Instant,
    changedAt: row.changedAt as Instant,
  };
}
