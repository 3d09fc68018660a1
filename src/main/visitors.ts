/** Plugs identity into the edge (who is visiting) and into the server (whose call it is). */
import type { TokenVerdict } from "../control/calls.ts";
import { handOverPaths } from "../contract/hand-over.ts";
import type { InsideCaller } from "../contract/egress.ts";
import type { AppsPayer } from "../control/quotes.ts";
import type { Asked, Credentials, IdentityRefusal, Visitor, VisitorIdentity } from "../edge/ports.ts";
import type { VisitShown } from "../edge/visit-cookie.ts";
import { codeRow } from "../evidence/codes.ts";
import type { TierName, BilledBy } from "../core/model.ts";
import { isLoopback, plainAddress } from "../http/visitor.ts";
import type { Identity, TokenResolver } from "../identity/token-resolver.ts";
import type { VisitorKeys } from "../identity/visitor-keys.ts";
import { mintVisitorToken, verifyVisitorToken, visitorTokenLasts } from "../identity/visitor-token.ts";
import type { Sessions } from "../identity/sessions.ts";
import { readVisit } from "../identity/visits.ts";
import type { VisitorSecrets } from "../identity/visitor-token.ts";
import { after } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { spaceOwner } from "../contract/space.ts";

/** Spaces that one visitor's token may pass through: a chain of them is two or three long, and what is longer is a loop. */
const hopsMax = 8;

export interface VisitorIdentityParts {
  readonly resolver: TokenResolver;
  readonly sessions: Pick<Sessions, "byId">;
  /** Signs what browsers carry to apps' addresses. */
  readonly visitKey: Uint8Array;
  readonly keys: VisitorKeys;
  readonly clock: Clock;
  /** The tier of an account that pays without a token: the owner of a Space that calls from inside. */
  readonly ownerTier: (owner: string) => TierName;
  /** Whether the account is the owner, or a member of the organisation that is. */
  readonly reads: (account: string, owner: string) => boolean;
  /** Apps are plain processes: no connection says which of them calls, so a forwarded token has to say it itself. */
  readonly plainProcesses: boolean;
}

export function visitorIdentity(parts: VisitorIdentityParts): VisitorIdentity {
  const { resolver, keys } = parts;
  return {
    resolve(credentials) {
      const { authorization, xHfAuthorization, address, ipToken } = credentials;
      const forwarded = ipToken === undefined ? undefined : forwardedVisitor(ipToken, credentials, parts);
      if (forwarded && "refused" in forwarded) return forwarded;
      const shown = { authorization, hfAuthorization: xHfAuthorization, address };
      // Most requests are of somebody who is known: those wait for nothing.
      const known = resolver.known(shown);
      if (known !== undefined) return visitorOf(known, credentials, forwarded, parts);
      return resolver.resolve(shown).then((identity) => visitorOf(identity, credentials, forwarded, parts));
    },
    mint({ space, request, visitor, asksFor, now }) {
      const { kid, key, prepared } = keys.current;
      const { user, account, tier, billedBy, forwarded } = visitor;
      return mintVisitorToken({
        kid,
        key,
        prepared,
        space,
        user,
        account,
        tier: tier as TierName,
        billedBy: billedBy as BilledBy,
        request,
        forwarded,
        asksFor,
        issuedAt: now,
        expiresAt: after(now, visitorTokenLasts),
      });
    },
  };
}

function visitorOf(
  identity: Identity,
  { visit, inside, to }: Credentials,
  forwarded: Forwarding | undefined,
  parts: VisitorIdentityParts,
): Visitor | IdentityRefusal | Promise<Visitor | IdentityRefusal> {
  if (!identity.ok) return { refused: identity.code, detail: identity.says };
  // What a request shows beside its cookie goes before it.
  if (visit !== undefined && forwarded === undefined && identity.by === "address")
    return sessionVisitor(visit, { inside, to }, parts);
  // Before anything of the Space is looked at: where there is none this is the answer too.
  if (forwarded === undefined && identity.by === "token" && !identity.scopes.includes("gpu")) {
    return {
      refused: "identity/forbidden",
      detail: "This token may not spend GPU time: it has not the scope gpu. Visit without it, or with another.",
    };
  }
  if (to?.private === true && !mayRead(to, identity, forwarded, parts)) return closedTo(identity, forwarded);
  // The app's own access token lets it in; who is billed is its visitor.
  if (forwarded) return forwarded.visitor;
  if (identity.by === "address" && inside !== undefined) return ownerOf(inside.space, parts.ownerTier);
  const user = identity.by === "token" ? identity.account : null;
  return { account: identity.account, tier: identity.tier, billedBy: identity.by, user };
}

/** A person whose session was handed over to this address. */
async function sessionVisitor(
  { value, place, foreign }: VisitShown,
  { inside, to }: Pick<Credentials, "inside" | "to">,
  { sessions, visitKey, reads }: VisitorIdentityParts,
): Promise<Visitor | IdentityRefusal> {
  const id = inside === undefined ? readVisit(visitKey, value, place) : undefined;
  const found = id === undefined ? undefined : await sessions.byId(id);
  if (found?.ok !== true) {
    const { signIn, signOut } = handOverPaths;
    const detail = `Sign in again at \`${signIn}\`, or go on as a stranger by \`${signOut}\`.`;
    return { refused: "identity/session-ended", detail };
  }
  if (foreign !== undefined) return { refused: "identity/cross-site", detail: foreign };
  const { account } = found.session;
  if (to?.private === true && found.role !== "admin" && !reads(account, to.owner))
    return { refused: "identity/private", detail: `It was ${account}.`, who: account, hidden: true };
  return { account, tier: found.tier, billedBy: "session", user: account };
}

/**
 * Who may read a private Space: by an access token what that one may; by a visitor's token who that is, and only straight from a Space
 * whose owner may read it too. Else any Space that somebody visits could go through their private ones. That an app of the platform asks
 * opens nothing: what it runs may be its visitors' own code.
 */
function mayRead(
  { space, owner }: Asked,
  identity: Extract<Identity, { ok: true }>,
  forwarded: Forwarding | undefined,
  { reads }: Pick<VisitorIdentityParts, "reads">,
): boolean {
  if (identity.by === "token") {
    const { account, role, scopes, token } = identity;
    if (role === "admin" && scopes.includes("admin")) return true;
    return reads(account, owner) && (scopes.includes("read") || token.spaces.some((one) => one.space === space));
  }
  if (forwarded === undefined) return false;
  const { visitor, caller } = forwarded;
  return visitor.user !== null && visitor.forwarded?.hops === 1 && reads(visitor.user, owner) && reads(caller, owner);
}

function closedTo(identity: Extract<Identity, { ok: true }>, forwarded: Forwarding | undefined): IdentityRefusal {
  const account = identity.by === "token" ? identity.account : (forwarded?.visitor.account ?? identity.account);
  const passed =
    identity.by === "address" && forwarded ? `, by the token that a Space of ${forwarded.caller} passed on` : "";
  return { refused: "identity/private", detail: `It was ${account}${passed}.`, who: account, hidden: true };
}

/** A visitor by the token that a Space passed on, and that Space's owner. */
interface Forwarding {
  readonly visitor: Visitor;
  readonly caller: string;
}

/** Whoever made the request that the calling Space is answering; a refusal in all other cases, never a stranger instead. */
function forwardedVisitor(
  token: string,
  { inside, address }: Credentials,
  { keys, clock, plainProcesses }: VisitorIdentityParts,
): Forwarding | IdentityRefusal {
  const isNamed = inside !== undefined;
  if (!isNamed && !(plainProcesses && isLoopback(plainAddress(address))))
    return {
      refused: "identity/forwarded",
      detail: "An X-IP-Token is taken only from the Space that it was made for, over its own connection.",
    };
  const verified = verifyVisitorToken(token, { keys: keys.all, space: inside?.space ?? null, now: clock.wall() });
  if (!verified.ok) return { refused: verified.code, detail: codeRow(verified.code).says };
  const { account, tier, billedBy, user, request, forwarded, space } = verified.claims;
  const hops = (forwarded?.hops ?? 0) + 1;
  if (hops > hopsMax)
    return { refused: "route/loop", detail: `Its visitor's token has passed through ${hopsMax} Spaces already.` };
  const chain = { by: request, root: forwarded?.root ?? request, hops };
  return { visitor: { account, tier, billedBy, user, forwarded: chain }, caller: spaceOwner(space) };
}

/**
 * Whose quota an app asks the platform about: its visitor's, by the token that the visitor's request brought it, else its owner's. Null
 * where it is no app that asks.
 */
export function payerOfApp(
  token: string | null,
  inside: InsideCaller | null,
  {
    keys,
    clock,
    ownerTier,
    plainProcesses,
  }: Pick<VisitorIdentityParts, "keys" | "clock" | "ownerTier" | "plainProcesses">,
): AppsPayer {
  if (token === null) return inside && { ok: true, space: inside.space, ...ownerOf(inside.space, ownerTier) };
  if (inside === null && !plainProcesses) return { ok: false, code: "identity/forwarded" };
  const verified = verifyVisitorToken(token, { keys: keys.all, space: inside?.space ?? null, now: clock.wall() });
  if (!verified.ok) return verified;
  const { account, tier, request, forwarded, space } = verified.claims;
  return { ok: true, space, account, tier, request, ...(forwarded && { root: forwarded.root }) };
}

/** A Space that calls another without a visitor: its own work, on its owner's account, as its GPU calls without a token are. */
function ownerOf(space: string, tierOf: VisitorIdentityParts["ownerTier"]) {
  const owner = spaceOwner(space);
  return { account: owner, tier: tierOf(owner), billedBy: "owner", user: null } as const;
}

export function verifyVisitor(
  token: string,
  options: { keys: VisitorSecrets; space: string; now: Instant },
): TokenVerdict {
  const verified = verifyVisitorToken(token, options);
  if (!verified.ok) return verified;
  const { account, tier, billedBy, request, forwarded, asksFor = null } = verified.claims;
  return { ok: true, account, tier, billedBy, request, asksFor, ...(forwarded && { root: forwarded.root }) };
}
