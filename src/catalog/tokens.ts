/** Access tokens, by the hash of what the client sends: the token itself is stored nowhere. */
import type { TierName } from "../core/model.ts";
import type { Instant } from "../stdx/time.ts";
import type { Role } from "./accounts.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { TokensTable as Row } from "./schema.ts";

/** `node`: joins as the node that its name says, and nothing else. */
export type Scope = "read" | "write" | "gpu" | "admin" | "node";

export interface TokenRow {
  readonly id: string; // t_…
  readonly account: string;
  /** SHA-256 of the token, 64 hexadecimal digits. */
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Instant;
  /** To the hour or so; null until it is used. */
  readonly lastUsedAt: Instant | null;
  /** It is valid before this instant; null: without end. */
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
}

/** A token together with what it opens. */
export interface TokenOwner {
  readonly token: TokenRow;
  readonly tier: TierName;
  readonly role: Role;
}

export type NewToken = Omit<TokenRow, "lastUsedAt" | "revokedAt">;

/** A token's last use is written at most so often: a busy client must not make each request a write. */
export const lastUsedEveryMs = 3_600_000;

export class Tokens {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;
  /** Told of each token that is not any more what {@link Tokens.find} gave. */
  onChanged: (id: string) => void = () => {};

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** The account must exist. */
  async create(token: NewToken): Promise<TokenRow> {
    const row: TokenRow = { ...token, lastUsedAt: null, revokedAt: null };
    const add = this.#db.insertInto("tokens").values({ ...row, scopes: JSON.stringify(row.scopes) });
    await this.#sql.transaction([statement(add), ...marked(this.#db, this.#effects, row.id)]);
    return row;
  }

  /** Gives a token that nobody was shown another secret. False where there is no such token. */
  async replaceHash(id: string, hash: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("tokens")
      .set({ hash })
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    this.onChanged(id);
    return numUpdatedRows > 0n;
  }

  /** The token with this hash, expired and revoked ones too: the caller says why it refuses them. */
  async find(hash: string): Promise<TokenOwner | undefined> {
    const row = await this.#db
      .selectFrom("tokens")
      .innerJoin("accounts", "accounts.name", "tokens.account")
      .selectAll("tokens")
      .select(["accounts.tier", "accounts.role"])
      .where("tokens.hash", "=", hash)
      .executeTakeFirst();
    return row && { token: tokenOf(row), tier: row.tier as TierName, role: row.role as Role };
  }

  /** Newest first. */
  async list(account: string): Promise<readonly TokenRow[]> {
    const rows = await this.#db
      .selectFrom("tokens")
      .selectAll()
      .where("account", "=", account)
      .orderBy("createdAt", "desc")
      .orderBy("id")
      .execute();
    return rows.map(tokenOf);
  }

  /** Notes a use; writes only when the last note is old. */
  async touch(id: string, at: Instant): Promise<void> {
    await this.#db
      .updateTable("tokens")
      .set({ lastUsedAt: at })
      .where("id", "=", id)
      .where((is) => is.or([is("lastUsedAt", "is", null), is("lastUsedAt", "<=", at - lastUsedEveryMs)]))
      .execute();
  }

  /** False where there is no such token or it was revoked before. */
  async revoke(id: string, at: Instant): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable("tokens")
      .set({ revokedAt: at })
      .where("id", "=", id)
      .where("revokedAt", "is", null)
      .executeTakeFirstOrThrow();
    this.onChanged(id);
    return numUpdatedRows > 0n;
  }

  /** Forgets one that was revoked: it stays unknown. */
  async forget(id: string): Promise<void> {
    await this.#db.deleteFrom("tokens").where("id", "=", id).where("revokedAt", "is not", null).execute();
  }
}

function tokenOf(row: Row): TokenRow {
  return {
    id: row.id,
    account: row.account,
    hash: row.hash,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Scope[],
    createdAt: row.createdAt as Instant,
    lastUsedAt: row.lastUsedAt as Instant | null,
    expiresAt: row.expiresAt as Instant | null,
    revokedAt: row.revokedAt as Instant | null,
  };
}
