/** Access tokens as people ask for them: none may do more than the one that makes it, and one that is revoked holds no longer. */
import type { Catalog } from "../catalog/catalog.ts";
import type { TokenRow } from "../catalog/tokens.ts";
import { nameRefusals } from "../catalog/names.ts";
import type { TokenView } from "../contract/identity.ts";
import type { TierName } from "../core/model.ts";
import { accessTokenHash, newAccessToken } from "../identity/access-token.ts";
import type { Scope, TokenResolver, TokenSpace } from "../identity/token-resolver.ts";
import { assert } from "../stdx/assert.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import type { Caller } from "./caller.ts";
import type { RequestEffects } from "./request-effects.ts";
import { no } from "./spaces.ts";
import type { Refused } from "./spaces.ts";

export interface AccessTokensParts {
  readonly catalog: Catalog;
  readonly resolver: TokenResolver;
  readonly effects: RequestEffects;
  readonly clock: Clock;
  readonly random: RandomBytes;
  onAccount(account: { readonly name: string; readonly tier: TierName }): void;
}

export interface TokenWish {
  readonly account: string;
  /** Make the account where it is not there. */
  readonly create?: boolean | undefined;
  readonly tier?: TierName | undefined;
  readonly name?: string | undefined;
  readonly scopes?: readonly Scope[] | undefined;
  readonly spaces?: readonly TokenSpace[] | undefined;
  readonly expiresInMs?: number | undefined;
}

export type TokenMade = { readonly ok: true; readonly account: string; readonly id: string; readonly token: string };

/** Of one account at once: a list that a person can read. */
const tokensMax = 500;

export class AccessTokens {
  readonly #parts: AccessTokensParts;

  constructor(parts: AccessTokensParts) {
    this.#parts = parts;
  }

  async create(wish: TokenWish, by: Caller): Promise<TokenMade | Refused> {
    const { catalog, clock, random, effects } = this.#parts;
    const { account } = wish;
    const made = effects.made?.work;
    if (typeof made === "string") return { ok: true, account, id: made, token: await this.renew(made) };
    const refused = refuseWish(wish, by) ?? (await this.#account(wish));
    if (refused) return refused;
    const row = await catalog.accounts.get(account);
    assert(row, "the account was looked for");
    const now = clock.wall();
    if ((await catalog.tokens.count(account, now)) >= tokensMax)
      return no("control/conflict", `${account} has ${tokensMax} tokens that hold: revoke one first.`);
    const usual: readonly Scope[] = row.role === "admin" ? ["read", "write", "gpu", "admin"] : ["read", "write", "gpu"];
    const spaces = wish.spaces ?? [];
    const usualHere = by.admin ? usual : usual.filter((scope) => by.scopes.includes(scope));
    const scopes = wish.scopes ?? (spaces.length > 0 ? [] : usualHere);
    const token = newAccessToken(random);
    const id = newId("t", random);
    const expiresAt = soonest(wish.expiresInMs === undefined ? null : instant(now + wish.expiresInMs), by);
    const fresh = { id, account, hash: accessTokenHash(token), name: wish.name ?? "token", createdAt: now };
    await catalog.tokens.create({ ...fresh, scopes, spaces, expiresAt });
    return { ok: true, account, id, token };
  }

  /** A token that was made and never shown, for its answer was lost or its program comes for it now: it gets another secret. */
  async renew(id: string): Promise<string> {
    const token = newAccessToken(this.#parts.random);
    const isThere = await this.#parts.catalog.tokens.replaceHash(id, accessTokenHash(token));
    assert(isThere, `the token ${id} was made`);
    return token;
  }

  /** The platform's own doing: of a token that nobody has, or that two may have. */
  async withdraw(id: string): Promise<void> {
    const { catalog, resolver, clock } = this.#parts;
    await catalog.tokens.revoke(id, clock.wall());
    resolver.forget();
  }

  async list(account: string, by: Caller): Promise<readonly TokenView[]> {
    return (await this.#parts.catalog.tokens.list(account)).map((row) => viewOf(row, by));
  }

  /** From the answer on nothing here takes it, and within a second nothing anywhere. */
  async revoke(id: string, by: Caller): Promise<{ readonly ok: true; readonly row: TokenRow } | Refused> {
    const { catalog, resolver, clock, effects } = this.#parts;
    const row = await catalog.tokens.get(id);
    if (!row || !(by.admin || row.account === by.account)) return no("control/not-found", `There is no token ${id}.`);
    if (row.scopes.includes("node"))
      return no(
        "control/conflict",
        `${id} is the token of node ${row.name}: \`waybill node token ${row.name}\` puts another in its place.`,
      );
    if (effects.made) return { ok: true, row };
    // Who takes a token from an app takes back what they allowed it, in one commit: it asks again.
    const grant = row.app === null ? undefined : await catalog.apps.grantOf(row.hash);
    const done = await catalog.tokens.revoke(id, clock.wall(), { asked: true, grant });
    resolver.forget();
    return done ? { ok: true, row } : no("control/conflict", `${id} was revoked before.`);
  }

  /** The account that the token is for, made where that is wished. */
  async #account({ account, create, tier }: TokenWish): Promise<Refused | undefined> {
    const { catalog, clock, onAccount } = this.#parts;
    if (create) {
      const created = { name: account, tier: tier ?? "free", role: "user", createdAt: clock.wall() } as const;
      const made = await catalog.accounts.create(created);
      if (!made.ok && made.refusal !== "account-exists")
        return no("control/invalid", `"${account}" cannot be an account's name. ${nameRefusals[made.refusal]}`);
    }
    const row = await catalog.accounts.get(account);
    if (!row) return no("control/not-found", `There is no account ${account}; \`--create\` makes it.`);
    onAccount(row);
    if (row.kind === "organisation")
      return no(
        "control/invalid",
        `${account} is an organisation: its members act for it, each by a token of their own.`,
      );
    if (tier !== undefined && tier !== row.tier)
      return no("control/conflict", `${account} is there already, in tier ${row.tier}.`);
    return undefined;
  }
}

/** What a token may not hand on. An operator's may make any: it acts for everybody. */
function refuseWish({ account, create, tier, scopes = [], spaces = [] }: TokenWish, by: Caller): Refused | undefined {
  if (by.admin) return undefined;
  if (account !== by.account || create || tier !== undefined)
    return no("identity/forbidden", "Accounts, and tokens of others, are made with an administrator's token.");
  const more = scopes.find((scope) => !by.scopes.includes(scope));
  if (more !== undefined)
    return no("identity/forbidden", `This token has not the scope ${more}, so it makes none that has it.`);
  const beyond = spaces.find(({ space, right }) => !by.grants(right, space));
  if (beyond === undefined) return undefined;
  return no("identity/forbidden", `This token may not ${beyond.right} ${beyond.space}, so it makes none that may.`);
}

/** None outlasts the one that makes it, but an operator's. */
function soonest(wished: Instant | null, { admin, via }: Caller): Instant | null {
  // A session ends sooner than what its person makes for a machine.
  const expiresAt = via.kind === "token" ? via.expiresAt : null;
  if (admin || expiresAt === null) return wished;
  return wished === null || wished > expiresAt ? expiresAt : wished;
}

function viewOf({ id, name, scopes, spaces, app, ...times }: TokenRow, { via }: Caller): TokenView {
  const at = (time: Instant | null): string | null => (time === null ? null : iso(time));
  return {
    ...{ id, name, scopes, spaces, app, createdAt: iso(times.createdAt), lastUsedAt: at(times.lastUsedAt) },
    ...{ expiresAt: at(times.expiresAt), revokedAt: at(times.revokedAt), current: id === via.id },
  };
}
