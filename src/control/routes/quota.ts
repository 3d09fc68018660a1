/**
 * `GET /api/quota?account=`: used, held and left of an account's window, at the journal index that is named.
 * `GET /api/spaces/zero-gpu/quota`: the caller's own in the Hub's form. Both carry `RateLimit` fields.
 */
import type { Quota } from "../../core/views.ts";
import type { ApiContext, Route } from "../api.ts";
import { askedAccount, refuse } from "../api.ts";
import { quotaView } from "../pool-views.ts";
import { accountLimits, hubQuota, rateLimitFields } from "../quota-fields.ts";
import type { Server } from "../server.ts";

export const quotaRoute: Route = (api, server) => {
  api.get("/api/quota", (c) => answer(c, server, quotaView));
  api.get("/api/spaces/zero-gpu/quota", (c) => answer(c, server, hubQuota));
};

async function answer(c: ApiContext, server: Server, as: (quota: Quota) => object): Promise<Response> {
  const account = askedAccount(c);
  if (account instanceof Response) return account;
  const quota = await server.ledger.quota(account);
  if (!quota) return refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
  return c.json(as(quota), 200, rateLimitFields(accountLimits(quota, server.clock.wall())));
}
