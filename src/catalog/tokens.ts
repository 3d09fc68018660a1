/** Access tokens, by the hash of what the client sends: the token itself is stored nowhere. */
import type { TierName } from "../core/model.ts";
import type { Instant } from "../stdx/time.ts";
import type { Role } from "./accounts.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { endOfGrant } from "./grants.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { Selectable } from "kysely";
import type { TokensTable } from "./schema.ts";

type Row = Selectable<TokensTable>;

/** `node`: joins as the node that its name says, and nothing else. */
export type Scope = "read" | "write" | "gpu" | "admin" | "node";

/** What a token may do to one Space; `write` reads too. */
export interface TokenSpace {
  readonly space: string;
  readonly right: "read" | "write";
}

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
  /** The Spaces that it may read or write beside its scopes. */
  readonly spaces: readonly TokenSpace[];
  /** The Space whose app it was given to by signing in there; null where it is nobody's but the account's. */
  readonly app: string | null;
}

/** A token together with what it opens. */
export interface TokenOwner {
  readonly token: TokenRow;
  readonly tier: TierName;
  readonly role: Role;
}

export type NewToken = Omit<TokenRow, "lastUsedAt" | "revokedAt" | "spaces" | "app"> & {
  readonly spaces?: readonly TokenSpace[];
};

/** A token's last use is written at most so often: a busy client must not make each request a write. */
export const lastUsedEveryMs = 3_600_000;
/** Tokens that hold no more are listed so long. */
export const endedKeptMs = 90 * 24 * 3_600_000;

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
    const row: TokenRow = { spaces: [], ...token, app: null, lastUsedAt: null, revokedAt: null };
    const spaces = row.spaces.length === 0 ? null : JSON.stringify(row.spaces);
    const add = this.#db.insertInto("tokens").values({ ...row, scopes: JSON.stringify(row.scopes), spaces });
    const old = this.#db
      .deleteFrom("tokens")
      .where("account", "=", row.account)
      .where((is) =>
        is.or([is("revokedAt", "<", row.createdAt - endedKeptMs), is("expiresAt", "<", row.createdAt - endedKeptMs)]),
      );
    await this.#sql.transaction([statement(old), statement(add), ...marked(this.#db, this.#effects, row.id)]);
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

  async get(id: string): Promise<TokenRow | undefined> {
    const row = await this.#db.selectFrom("tokens").selectAll().where("id", "=", id).executeTakeFirst();
    return row && tokenOf(row);
  }

  /** How many hold at that instant. */
  async count(account: string, at: Instant): Promise<number> {
    const { count } = await this.#db
      .selectFrom("tokens")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("account", "=", account)
      .where("revokedAt", "is", null)
      .where((is) => is.or([is("expiresAt", "is", null), is("expiresAt", ">", at)]))
      .executeTakeFirstOrThrow();
    return Number(count);
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

  /**
   * False where there is no such token or it was revoked before. `asked`: that is all that a request wanted. `grant`: what it came from,
   * which ends with it.
   */
  async revoke(
    id: string,
    at: Instant,
    { asked = false, grant }: { readonly asked?: boolean; readonly grant?: string | undefined } = {},
  ): Promise<boolean> {
    const revoke = this.#db
      .updateTable("tokens")
      .set({ revokedAt: at })
      .where("id", "=", id)
      .where("revokedAt", "is", null);
    const [revoked] = await this.#sql.transaction([
      statement(revoke),
      ...(grant === undefined ? [] : endOfGrant(this.#db, grant, at)),
      ...(asked ? marked(this.#db, this.#effects) : []),
    ]);
    this.onChanged(id);
    return revoked?.changes === 1;
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
    spaces: row.spaces === null ? [] : (JSON.parse(row.spaces) as TokenSpace[]),
    app: row.app,
  };
}
