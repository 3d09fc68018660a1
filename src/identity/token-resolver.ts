/**
 * Who is calling: the account of the access token that the request carries, or the caller's address where it carries none.
 * A token that does not hold is refused, never passed over: nobody who pays is counted as a stranger without being told.
 */
import type { TierName } from "../core/model.ts";
import { iso } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { accessTokenHash, isAccessToken } from "./access-token.ts";
import { addressAccount } from "./caller-address.ts";
import { Remembered } from "./remembered.ts";

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
    /** The Space whose app it was given to; none where its account has it for itself. */
    readonly app?: string | null;
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
  | TokenRefusal;

export interface TokenRefusal {
  readonly ok: false;
  readonly code: "identity/bad-token" | "identity/token-expired";
  /** What is wrong with it, in a sentence for whoever sent it. */
  readonly says: string;
}

export interface ResolverOptions {
  readonly directory: TokenDirectory;
  readonly clock: Clock;
  /** Told when the last use of a token could not be noted: the request itself goes on. */
  readonly onTouchFailed: (error: unknown) => void;
}

export class TokenResolver {
  readonly #options: ResolverOptions;
  /** By the token itself, whose hash costs more than all else here. A revoked one stops working within a second. */
  readonly #known: Remembered<FoundToken>;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#known = new Remembered(
      () => options.clock.monotonic(),
      (token) => this.#ask(token),
    );
  }

  /** Where nobody has to be asked for it. */
  known(credentials: Credentials): Identity | undefined {
    const token = tokenOf(credentials);
    const found = typeof token === "string" ? this.#known.at(token) : undefined;
    if (found) return this.#identityOf(found);
    const shown = shownBy(token, credentials);
    return typeof shown === "string" ? undefined : shown;
  }

  /** Rejects only where the directory does. */
  async resolve(credentials: Credentials): Promise<Identity> {
    const shown = shownBy(tokenOf(credentials), credentials);
    return typeof shown === "string" ? this.#identityOf(await this.#known.find(apart(shown))) : shown;
  }

  /** Forgets what is remembered: for a caller that has just revoked a token here. */
  forget(): void {
    this.#known.forget();
  }

  #identityOf(found: FoundToken | undefined): Identity {
    if (!found) return bad("This access token is not known here.");
    const { token, tier, role } = found;
    if (token.revokedAt !== null) return bad(`This access token was revoked at ${iso(token.revokedAt)}.`);
    if (token.expiresAt !== null && this.#options.clock.wall() >= token.expiresAt) {
      const says = `This access token expired at ${iso(token.expiresAt)}.`;
      return { ok: false, code: "identity/token-expired", says };
    }
    return { ok: true, by: "token", account: token.account, tier, role, scopes: token.scopes, token };
  }

  async #ask(token: string): Promise<FoundToken | undefined> {
    const { directory, clock, onTouchFailed } = this.#options;
    const found = await directory.find(accessTokenHash(token));
    if (found?.token.revokedAt === null) void directory.touch(found.token.id, clock.wall()).catch(onTouchFailed);
    return found;
  }
}

/**
 * The platform's token that the request carries; undefined where it carries none. `Basic` is how git and older tools send one, as
 * the password or the name; what is no token of ours or of the hosted service is the app's own business. One that is sent in no such
 * way is refused: whoever sent it believes to be known.
 */
function tokenOf({ authorization, hfAuthorization }: Credentials): string | TokenRefusal | undefined {
  const token = hfAuthorization === undefined ? undefined : bearer(hfAuthorization);
  if (hfAuthorization !== undefined && token === undefined) return astray("X-HF-Authorization");
  const found = token ?? bearer(authorization) ?? basicToken(authorization);
  if (found !== undefined || authorization === undefined || !holdsToken.test(authorization)) return found;
  return astray("Authorization");
}

/** As `Authorization: hf_wb…` and `Authorization: Token hf_wb…` do. */
const holdsToken = /\bhf_/i;

/** A text of its own: a piece of a request's head would keep all of that. */
function apart(token: string): string {
  return Buffer.from(token, "latin1").toString("latin1");
}

/** An access token of ours by its form; an identity where it takes no look to tell. */
function shownBy(token: ReturnType<typeof tokenOf>, credentials: Credentials): Identity | string {
  if (token === undefined) {
    return { ok: true, by: "address", account: addressAccount(credentials.address), tier: "anonymous" };
  }
  if (typeof token !== "string") return token;
  if (!isAccessToken(token))
    return bad(
      token.startsWith("hf_wb")
        ? "This is no whole access token of this platform: it is incomplete, or mistyped."
        : "This is no access token of this platform: those begin with hf_wb.",
    );
  return token;
}

function astray(field: string): TokenRefusal {
  return bad(`${field} is not as \`Bearer hf_wb…\`, so nobody is known by it.`);
}

function bad(says: string): TokenRefusal {
  return { ok: false, code: "identity/bad-token", says };
}

/** What follows `Bearer`; undefined where the field is of another scheme, or absent. */
export function bearer(field: string | undefined): string | undefined {
  if (field === undefined) return undefined;
  // As nearly everybody writes it.
  if (field.startsWith("Bearer hf_") && !field.includes(" ", 7)) return field.slice(7);
  const match = /^bearer(?:[ \t]+(.*))?$/i.exec(field.trim());
  return match ? (match[1] ?? "") : undefined;
}

function basicToken(field: string | undefined): string | undefined {
  const match = /^basic[ \t]+([A-Za-z0-9+/=_-]+)$/i.exec(field?.trim() ?? "");
  if (!match) return undefined;
  const pair = Buffer.from(match[1] as string, "base64").toString();
  const [, name = "", password = ""] = /^([^:]*):?(.*)$/s.exec(pair) ?? [];
  return [password, name].find((part) => part.startsWith("hf_"));
}
