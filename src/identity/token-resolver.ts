/**
 * Who is calling: the account of the access token that the request carries, or the caller's address where it carries none.
 * A token that does not hold is refused, never passed over: nobody who pays is counted as a stranger without being told.
 */
import type { TierName } from "../core/model.ts";
import { assert } from "../stdx/assert.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { accessTokenHash, isAccessToken } from "./access-token.ts";
import { addressAccount } from "./caller-address.ts";

export type Role = "user" | "admin";
/** What people give their tokens. */
export const tokenScopes = ["read", "write", "gpu", "admin"] as const;
export type Scope = (typeof tokenScopes)[number] | "node";

/** What a token may do to one Space beside its scopes; `write` reads too. */
export interface TokenSpace {
  readonly space: string;
  readonly right: "read" | "write";
}

/** What the resolver needs of the catalog's tokens. */
export interface TokenDirectory {
  find(hash: string): Promise<FoundToken | undefined>;
  /** Notes a use, coarsely. */
  touch(id: string, at: Instant): Promise<void>;
}

export interface FoundToken {
  readonly token: {
    readonly id: string;
    readonly account: string;
    readonly scopes: readonly Scope[];
    readonly spaces: readonly TokenSpace[];
    readonly name: string;
    readonly createdAt: Instant;
    readonly expiresAt: Instant | null;
    readonly revokedAt: Instant | null;
  };
  readonly tier: TierName;
  readonly role: Role;
}

/** The request's own words. Where both fields are there, `x-hf-authorization` speaks to the platform, the other to the app. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly hfAuthorization: string | undefined;
  /** The caller's network address, as the socket or a trusted proxy tells it. */
  readonly address: string | undefined;
}

export type Identity =
  | {
      readonly ok: true;
      readonly by: "token";
      readonly account: string;
      readonly tier: TierName;
      readonly role: Role;
      readonly scopes: readonly Scope[];
      /** The token that was shown: for a record of who did what, and what it says of itself. */
      readonly token: FoundToken["token"];
    }
  | { readonly ok: true; readonly by: "address"; readonly account: string; readonly tier: "anonymous" }
  | { readonly ok: false; readonly code: "identity/bad-token" | "identity/expired" };

/** Known tokens are asked for anew after so long: a revoked one stops working within a second. */
export const knownForMs = 1000;
/** Tokens remembered at once, some 300 bytes each; beyond it the one remembered first is asked for again. */
const knownMax = 10_000;

interface Known {
  readonly found: Promise<FoundToken | undefined>;
  readonly until: number;
}

export interface ResolverOptions {
  readonly directory: TokenDirectory;
  readonly clock: Clock;
  /** Told when the last use of a token could not be noted: the request itself goes on. */
  readonly onTouchFailed: (error: unknown) => void;
}

export class TokenResolver {
  readonly #options: ResolverOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Rejects only where the directory does. */
  async resolve(credentials: Credentials): Promise<Identity> {
    const token = tokenOf(credentials);
    if (token === undefined) {
      return { ok: true, by: "address", account: addressAccount(credentials.address), tier: "anonymous" };
    }
    if (!isAccessToken(token)) return { ok: false, code: "identity/bad-token" };
    return this.#identityOf(await this.#find(accessTokenHash(token)));
  }

  /** Forgets what is remembered: for a caller that has just revoked a token here. */
  forget(): void {
    this.#known.clear();
  }

  #identityOf(found: FoundToken | undefined): Identity {
    if (!found || found.token.revokedAt !== null) return { ok: false, code: "identity/bad-token" };
    const { token, tier, role } = found;
    if (token.expiresAt !== null && this.#options.clock.wall() >= token.expiresAt) {
      return { ok: false, code: "identity/expired" };
    }
    return { ok: true, by: "token", account: token.account, tier, role, scopes: token.scopes, token };
  }

  #find(hash: string): Promise<FoundToken | undefined> {
    const now = this.#options.clock.monotonic();
    const known = this.#known.get(hash);
    if (known && now < known.until) return known.found;
    const found = this.#ask(hash);
    this.#remember(hash, { found, until: now + knownForMs });
    return found;
  }

  async #ask(hash: string): Promise<FoundToken | undefined> {
    const { directory, clock, onTouchFailed } = this.#options;
    try {
      const found = await directory.find(hash);
      if (!found) this.#known.delete(hash);
      else if (found.token.revokedAt === null) void directory.touch(found.token.id, clock.wall()).catch(onTouchFailed);
      return found;
    } catch (error) {
      this.#known.delete(hash);
      throw error;
    }
  }

  #remember(hash: string, known: Known): void {
    this.#known.delete(hash);
    this.#known.set(hash, known);
    if (this.#known.size <= knownMax) return;
    const [oldest] = this.#known.keys();
    assert(oldest !== undefined, "a full map has a first key");
    this.#known.delete(oldest);
  }
}

/**
 * The platform's token that the request carries; undefined where it carries none. `Basic` is how git and older tools send one, as
 * the password; a password that is no token of ours or of the hosted service is the app's own business.
 */
function tokenOf({ authorization, hfAuthorization }: Credentials): string | undefined {
  return bearer(hfAuthorization) ?? bearer(authorization) ?? basicToken(authorization);
}

/** What follows `Bearer`; undefined where the field is of another scheme, or absent. */
export function bearer(field: string | undefined): string | undefined {
  const match = /^bearer(?: +(.*))?$/i.exec(field?.trim() ?? "");
  return match ? (match[1] ?? "") : undefined;
}

function basicToken(field: string | undefined): string | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(field?.trim() ?? "");
  if (!match) return undefined;
  const pair = Buffer.from(match[1] as string, "base64").toString();
  const password = pair.slice(pair.indexOf(":") + 1);
  return password.startsWith("hf_") ? password : undefined;
}
