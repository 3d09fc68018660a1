/** Spaces: an app's name, state and addresses. What it runs is told by its builds, releases and replicas. */
import type { Selectable } from "kysely";
import type { OwnerSettings, SpaceState } from "../contract/api.ts";
import { reachWords } from "../contract/reach.ts";
import type { Space } from "../core/spaces/model.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { CatalogError } from "./error.ts";
import { loopbackFor, refuseSpaceName, subdomainFor } from "./names.ts";
import type { NameRefusal } from "./names.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import { droppingDiscussions } from "./discussions.ts";
import { droppingHolder, holderOf } from "./large-files.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { SpacesTable } from "./schema.ts";

type Row = Selectable<SpacesTable>;

export interface SpaceRow {
  readonly id: string; // owner/name
  readonly owner: string;
  readonly name: string;
  readonly sdk: string | null;
  readonly state: SpaceState;
  readonly since: Instant;
  /** One sentence: why it is in this state and what ends it. */
  readonly says: string;
  /** `boundary/name` of what brought it here, where something went wrong. */
  readonly code: string | null;
  /** The newest build, and the release that should run. */
  readonly build: string | null;
  readonly release: string | null;
  /** Its label under the apps' domain, and its own loopback address: given once, kept for its life. */
  readonly subdomain: string;
  readonly address: string;
  readonly createdAt: Instant;
  /** The account that made it; null where an older program did not note it. */
  readonly createdBy: string | null;
  readonly settings: OwnerSettings;
  /** What happened to it leads to this; null before anything did, and of one that an older program made. */
  readonly machine: Machine | null;
  /** Its own port, where Spaces are told apart by ports; null before it has one. */
  readonly port: number | null;
}

/** What is kept of a Space's machine beside its settings. */
export type Machine = Pick<Space, "state" | "release" | "next" | "horizon">;

export type SpaceChange = Partial<
  Pick<SpaceRow, "sdk" | "state" | "since" | "says" | "code" | "build" | "release" | "settings">
>;

/** Settings of which nobody has said anything. */
export const settingDefaults: OwnerSettings = {
  "on-leave": "finish",
  "health-path": "",
  "sleep-after": "never",
  "sleep-mode": "stop",
  replicas: 1,
  hardware: "",
  messages: "full",
  "requests-at-once": 0,
  "requests-per-second": 0,
  "body-max-mb": 0,
  "idle-limit": "none",
  "time-limit": "none",
  reach: reachWords.all,
  private: false,
};

export type SpaceCreated =
  | { readonly ok: true; readonly space: SpaceRow }
  | { readonly ok: false; readonly refusal: NameRefusal | "space-exists" | "no-such-account" };

/** Addresses that are tried for one Space. With 16 million of them and hashed tries, more means that something is broken. */
const addressTries = 32;

export class Spaces {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** Makes a Space without a release, with addresses of its own. */
  async create(
    owner: string,
    name: string,
    now: Instant,
    createdBy: string | null = null,
    settings: Partial<OwnerSettings> = {},
  ): Promise<SpaceCreated> {
    const refusal = refuseSpaceName(name);
    if (refusal) return { ok: false, refusal };
    const account = await this.#db.selectFrom("accounts").select("name").where("name", "=", owner).executeTakeFirst();
    if (!account) return { ok: false, refusal: "no-such-account" };
    for (let attempt = 0; attempt < addressTries; attempt += 1) {
      const fresh = await this.#freshSpace(owner, name, now);
      const space = { ...fresh, createdBy, settings: { ...fresh.settings, ...settings } };
      if ((await this.#insert(space)) || (await this.#again(space))) {
        const made = await this.get(space.id);
        if (made) return { ok: true, space: made };
      }
      if (await this.get(space.id)) return { ok: false, refusal: "space-exists" };
    }
    throw new CatalogError(
      "names-exhausted",
      `No free address was found for ${owner}/${name} in ${addressTries} tries.`,
    );
  }

  async get(id: string): Promise<SpaceRow | undefined> {
    const row = await this.#present().where("id", "=", id).executeTakeFirst();
    return row && spaceOf(row);
  }

  /** All of them, oldest first: what the edge's table of hosts is made of. */
  async all(): Promise<readonly SpaceRow[]> {
    return (await this.#present().orderBy("createdAt").orderBy("id").execute()).map(spaceOf);
  }

  /**
   * It is gone from now on, and its repository's folder is listed among those to be removed. Its builds, events and calls stay as they
   * are, and so do its name's address and port, for a Space that is made under this name again.
   */
  async remove(id: string, at: Instant): Promise<void> {
    const gone = this.#db.updateTable("spaces").set({ deletedAt: at }).where("id", "=", id);
    const values = this.#db.deleteFrom("spaceVariables").where("space", "=", id);
    const secrets = this.#db.deleteFrom("spaceSecrets").where("space", "=", id);
    const folder = this.#db
      .insertInto("repoRemovals")
      .values({ folder: id, at })
      .onConflict((conflict) => conflict.doNothing());
    await this.#sql.transaction([
      ...[gone, values, secrets, folder].map((query) => statement(query)),
      ...droppingHolder(this.#db, holderOf({ kind: "spaces", id })),
      ...droppingDiscussions(this.#db, id),
      ...marked(this.#db, this.#effects),
    ]);
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list(asked: {
    readonly owner?: string;
    readonly before?: string;
    readonly limit: number;
  }): Promise<Page<SpaceRow> | undefined> {
    const limit = pageLimit(asked.limit);
    let query = this.#present();
    if (asked.owner !== undefined) query = query.where("owner", "=", asked.owner);
    if (asked.before !== undefined) {
      const place = parsePageToken(asked.before);
      if (!place) return undefined;
      query = query.where((eb) => eb(eb.refTuple("createdAt", "id"), "<", eb.tuple(place.order, place.id)));
    }
    const rows = await query
      .orderBy("createdAt", "desc")
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => ({ order: row.createdAt, id: row.id }), spaceOf);
  }

  /** Whether the one of that name that was there at that time is deleted; another may have been made since. False where none is known. */
  async wasDeleted(id: string, at: number): Promise<boolean> {
    const known = this.#db.selectFrom("spaces").select(["createdAt", "deletedAt"]).where("id", "=", id);
    const row = await known.executeTakeFirst();
    return row !== undefined && (row.deletedAt !== null || row.createdAt > at);
  }

  /** Those that Spaces have, and those that deleted ones had: a port stays its name's, as the address does. */
  async ports(): Promise<ReadonlySet<number>> {
    const rows = await this.#db.selectFrom("spaces").select("port").where("port", "is not", null).execute();
    return new Set(rows.flatMap(({ port }) => port ?? []));
  }

  /** Gives a Space its port, once. Rejects where another Space has it. */
  async givePort(id: string, port: number): Promise<void> {
    await this.#db.updateTable("spaces").set({ port }).where("id", "=", id).where("port", "is", null).execute();
  }

  /** False where there is no such Space. */
  async update(id: string, { settings, ...change }: SpaceChange): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("spaces")
      .set({
        ...change,
        ...(settings && { settings: JSON.stringify(settings) }),
        id, // so that an empty change is a statement too
      })
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  #present() {
    return this.#db.selectFrom("spaces").selectAll().where("deletedAt", "is", null);
  }

  /** One that was deleted, with nothing of its earlier life but its addresses; false where it was not. */
  async #again({ id, createdAt, createdBy, settings, since, says }: SpaceRow): Promise<boolean> {
    const fresh = { sdk: null, state: "no-release", code: null, build: null, release: null, machine: null };
    const { numUpdatedRows } = await this.#db
      .updateTable("spaces")
      .set({ ...fresh, createdAt, createdBy, settings: JSON.stringify(settings), since, says, deletedAt: null })
      .where("id", "=", id)
      .where("deletedAt", "is not", null)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  async #freshSpace(owner: string, name: string, now: Instant): Promise<SpaceRow> {
    return {
      id: `${owner}/${name}`,
      owner,
      name,
      sdk: null,
      state: "no-release",
      since: now,
      says: "Nothing was deployed yet.",
      code: null,
      build: null,
      release: null,
      subdomain: await this.#firstFree("subdomain", (attempt) => subdomainFor(owner, name, attempt)),
      address: await this.#firstFree("address", (attempt) => loopbackFor(owner, name, attempt)),
      createdAt: now,
      createdBy: null,
      settings: settingDefaults,
      machine: null,
      port: null,
    };
  }

  /** The first try that no Space has. Another may still take it before the insert: then that one changes nothing. */
  async #firstFree(column: "subdomain" | "address", tried: (attempt: number) => string): Promise<string> {
    for (let attempt = 0; attempt < addressTries; attempt += 1) {
      const value = tried(attempt);
      const taken = await this.#db.selectFrom("spaces").select("id").where(column, "=", value).executeTakeFirst();
      if (!taken) return value;
    }
    throw new CatalogError("names-exhausted", `No free ${column} was found in ${addressTries} tries.`);
  }

  async #insert(space: SpaceRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto("spaces")
      .values({ ...space, settings: JSON.stringify(space.settings), machine: null })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    return Boolean(numInsertedOrUpdatedRows);
  }
}

function spaceOf({ deletedAt: _deletedAt, ...row }: Row): SpaceRow {
  return {
    ...row,
    state: row.state as SpaceState,
    since: row.since as Instant,
    createdAt: row.createdAt as Instant,
    settings: { ...settingDefaults, ...(JSON.parse(row.settings) as Partial<OwnerSettings>) },
    machine: row.machine === null ? null : (JSON.parse(row.machine) as Machine),
  };
}
