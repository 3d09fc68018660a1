/** Plugs identity into the edge (who is visiting) and into the server (whose call it is). */
import type { TokenVerdict } from "../control/calls.ts";
import type { VisitorIdentity } from "../edge/ports.ts";
import type { TierName, BilledBy } from "../core/model.ts";
import type { TokenResolver } from "../identity/token-resolver.ts";
import type { VisitorKeys } from "../identity/visitor-keys.ts";
import { mintVisitorToken, verifyVisitorToken } from "../identity/visitor-token.ts";
import type { VisitorSecrets } from "../identity/visitor-token.ts";
import { after, seconds } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";

/** A visitor's token outlasts the longest queue and the app's own; it names one request and carries caps. */
const visitorTokenLasts = seconds(2 * 3600);

export function visitorIdentity({
  resolver,
  keys,
}: {
  resolver: TokenResolver;
  keys: VisitorKeys;
  clock: Clock;
}): VisitorIdentity {
  return {
    async resolve({ authorization, xHfAuthorization, address }) {
      const identity = await resolver.resolve({ authorization, hfAuthorization: xHfAuthorization, address });
      if (!identity.ok) return { refused: identity.code };
      if (identity.by === "token" && !identity.scopes.includes("gpu")) {
        return {
          refused: "identity/forbidden",
          detail: "This token may not spend GPU time: it has not the scope gpu. Visit without it, or with another.",
        };
      }
      const user = identity.by === "token" ? identity.account : null;
      return { account: identity.account, tier: identity.tier, billedBy: identity.by, user };
    },
    mint: ({ space, request, visitor, now }) =>
      mintVisitorToken({
        ...keys.current,
        space,
        user: visitor.user,
        account: visitor.account,
        tier: visitor.tier as TierName,
        billedBy: visitor.billedBy as BilledBy,
        request,
        issuedAt: now,
        expiresAt: after(now, visitorTokenLasts),
      }),
  };
}

export function verifyVisitor(
  token: string,
  options: { keys: VisitorSecrets; space: string; now: Instant },
): TokenVerdict {
  const verified = verifyVisitorToken(token, options);
  if (!verified.ok) return verified;
  const { account, tier, billedBy, request } = verified.claims;
  return { ok: true, account, tier, billedBy, request };
}
