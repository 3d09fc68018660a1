/**
 * Signing in to apps: a client for each Space, what the OpenID provider keeps between two requests (codes, grants, tokens' details), and
 * its signing keys. Whatever would open something is here only sealed, and found by a hash.
 */
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { endOfGrant } from "./grants.ts";
import type { AppArtifactsTable, AppClientsTable, AppKeysTable } from "./schema.ts";
import type { Scope } from "./tokens.ts";

export interface AppClientRow {
  readonly space: string;
  readonly client: string;
  /** The id of the key that sealed its secret. */
  readonly key: string;
  readonly sealed: string;
  readonly createdAt: Instant;
}

export interface AppArtifact {
  /** What it is, as the provider names it: `AuthorizationCode`, `Grant`. */
  readonly model: string;
  /** Hashes, as are `grantId` and `lookup`: what leads to it besides. */
  readonly id: string;
  readonly grantId: string | null;
  readonly lookup: string | null;
  readonly key: string;
  readonly sealed: string;
  /** It is there before this instant. */
  readonly expiresAt: Instant;
  readonly consumedAt: Instant | null;
}

export interface AppKeyRow {
  readonly id: string;
  readonly alg: string;
  readonly key: string;
  readonly sealed: string;
  readonly createdAt: Instant;
}

/** The access token that an artifact tells the details of. */
export interface AppToken {
  readonly id: string;
  readonly account: string;
  readonly hash: string;
  readonly name: string;
  /** The Space whose app it is for. */
  readonly app: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
}

export interface AppBounds {
  /** Of one model at once: whoever is not signed in makes some of them. Those that end first go first. */
  readonly ofModel: number;
  /** Tokens of one account that one app has at once: a person's browsers. The oldest ends. */
  readonly tokensOfApp: number;
}

/** An artifact has some 700 bytes. */
export const appBounds: AppBounds = { ofModel: 50_000, tokensOfApp: 25 };
/** So many of a model may be too many, or over, for a moment. */
const trimEvery = 100;

export class Apps {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #bounds: AppBounds;
  #sinceTrim = 0;

  constructor(db: Database, sql: SqlRunner, bounds = appBounds) {
    this.#db = db;
    this.#sql = sql;
    this.#bounds = bounds;
  }

  // ---- clients

  async clients(): Promise<readonly AppClientRow[]> {
    return (await this.#db.selectFrom("appClients").selectAll().orderBy("space").execute()).map(clientOf);
  }

  /** Keeps it if its Space has none; gives the Space's. */
  async clientOnce(row: AppClientRow): Promise<AppClientRow> {
    await this.#db
      .insertInto("appClients")
      .values(row)
      .onConflict((conflict) => conflict.column("space").doNothing())
      .execute();
    const kept = await this.#db.selectFrom("appClients").selectAll().where("space", "=", row.space).executeTakeFirst();
    return kept ? clientOf(kept) : row;
  }

  async reseal({ space, key, sealed }: AppClientRow): Promise<void> {
    await this.#db.updateTable("appClients").set({ key, sealed }).where("space", "=", space).execute();
  }

  // ---- what the provider keeps

  /** Keeps it in place of what was there under its id; with a token in one commit with that. */
  async put(row: AppArtifact, now: Instant, token?: AppToken): Promise<void> {
    const { model: _model, id: _id, ...values } = row;
    const put = this.#db
      .insertInto("appArtifacts")
      .values(row)
      .onConflict((conflict) => conflict.columns(["model", "id"]).doUpdateSet(values));
    await this.#sql.transaction([statement(put), ...(token === undefined ? [] : this.#withToken(token))]);
    this.#sinceTrim += 1;
    if (this.#sinceTrim < trimEvery) return;
    this.#sinceTrim = 0;
    await this.trim(row.model, now);
  }

  /** Also one that is over: the caller knows the time. */
  async get({ model, id }: Pick<AppArtifact, "model" | "id">): Promise<AppArtifact | undefined> {
    const row = await this.#db
      .selectFrom("appArtifacts")
      .selectAll()
      .where("model", "=", model)
      .where("id", "=", id)
      .executeTakeFirst();
    return row && artifactOf(row);
  }

  /** The one that ends last. */
  async getBy({
    model,
    lookup,
  }: {
    readonly model: string;
    readonly lookup: string;
  }): Promise<AppArtifact | undefined> {
    const row = await this.#db
      .selectFrom("appArtifacts")
      .selectAll()
      .where("model", "=", model)
      .where("lookup", "=", lookup)
      .orderBy("expiresAt", "desc")
      .orderBy("id")
      .limit(1)
      .executeTakeFirst();
    return row && artifactOf(row);
  }

  /** False where it was used before, also by somebody who uses it at the same moment, or is not there. */
  async consume({ model, id }: Pick<AppArtifact, "model" | "id">, at: Instant): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("appArtifacts")
      .set({ consumedAt: at })
      .where("model", "=", model)
      .where("id", "=", id)
      .where("consumedAt", "is", null)
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  /** Removes it; a token of that hash holds no longer. */
  async remove({ model, id }: Pick<AppArtifact, "model" | "id">, at: Instant): Promise<void> {
    const removal = this.#db.deleteFrom("appArtifacts").where("model", "=", model).where("id", "=", id);
    const end = this.#db
      .updateTable("tokens")
      .set({ revokedAt: at })
      .where("hash", "=", id)
      .where("revokedAt", "is", null);
    await this.#sql.transaction([...(model === "AccessToken" ? [statement(end)] : []), statement(removal)]);
  }

  /** Ends what was given by a grant, and the grant: the tokens hold no longer. `grantId` is its hash. */
  async endGrant(grantId: string, at: Instant): Promise<void> {
    await this.#sql.transaction(endOfGrant(this.#db, grantId, at));
  }

  /** The grant that the access token of this hash came from. */
  async grantOf(hash: string): Promise<string | undefined> {
    return (await this.get({ model: "AccessToken", id: hash }))?.grantId ?? undefined;
  }

  /** Whether the access token of this hash holds. */
  async tokenHolds(hash: string, now: Instant): Promise<boolean> {
    const row = await this.#db
      .selectFrom("tokens")
      .select(["revokedAt", "expiresAt"])
      .where("hash", "=", hash)
      .executeTakeFirst();
    return row !== undefined && row.revokedAt === null && (row.expiresAt === null || row.expiresAt > now);
  }

  /** Forgets what is over, and of one model what is too many. */
  async trim(model: string, now: Instant): Promise<void> {
    const over = this.#db.deleteFrom("appArtifacts").where("expiresAt", "<=", now);
    const firstKept = this.#db
      .selectFrom("appArtifacts")
      .select("expiresAt")
      .where("model", "=", model)
      .orderBy("expiresAt", "desc")
      .limit(1)
      .offset(this.#bounds.ofModel - 1);
    const tooMany = this.#db.deleteFrom("appArtifacts").where("model", "=", model).where("expiresAt", "<", firstKept);
    await this.#sql.transaction([statement(over), statement(tooMany)]);
  }

  // ---- signing keys

  /** Oldest first. */
  async keys(): Promise<readonly AppKeyRow[]> {
    const rows = await this.#db.selectFrom("appKeys").selectAll().orderBy("createdAt").orderBy("id").execute();
    return rows.map(keyOf);
  }

  async addKey(row: AppKeyRow): Promise<void> {
    await this.#db.insertInto("appKeys").values(row).execute();
  }

  async removeKey(id: string): Promise<void> {
    await this.#db.deleteFrom("appKeys").where("id", "=", id).execute();
  }

  #withToken({ app, scopes, ...token }: AppToken): readonly SqlStatement[] {
    const values = { ...token, app, scopes: JSON.stringify(scopes), lastUsedAt: null, revokedAt: null, spaces: null };
    const add = this.#db.insertInto("tokens").values(values);
    const mine = this.#db
      .selectFrom("tokens")
      .select("createdAt")
      .where("account", "=", token.account)
      .where("app", "=", app)
      .where("revokedAt", "is", null)
      .orderBy("createdAt", "desc")
      .limit(1)
      .offset(this.#bounds.tokensOfApp);
    const tooMany = this.#db
      .updateTable("tokens")
      .set({ revokedAt: token.createdAt })
      .where("account", "=", token.account)
      .where("app", "=", app)
      .where("revokedAt", "is", null)
      .where("id", "!=", token.id)
      .where("createdAt", "<=", mine);
    return [statement(add), statement(tooMany)];
  }
}

function clientOf(row: AppClientsTable): AppClientRow {
  return { ...row, createdAt: row.createdAt as Instant };
}

function artifactOf(row: AppArtifactsTable): AppArtifact {
  return { ...row, expiresAt: row.expiresAt as Instant, consumedAt: row.consumedAt as Instant | null };
}

function keyOf(row: AppKeysTable): AppKeyRow {
  return { ...row, createdAt: row.createdAt as Instant };
}
