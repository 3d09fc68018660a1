/**
 * `POST /api/quota/allowances`: an operator gives an account more for its window, credits, or lifts one of its policies.
 * `POST /api/quota/allowances/ID/revoke`: takes one back.
 * `GET` and `PUT /api/spaces/OWNER/NAME/budget`: what the Space's owner pays for its visitors; for the two of them.
 */
import type { BudgetSummary } from "../../core/views.ts";
import type { ApiContext, Route } from "../api.ts";
import { administrator, refuseAs, spaceOwnerOf } from "../api.ts";
import { allowanceBody, budgetBody, revocationBody } from "../allowances.ts";
import { jsonBody } from "../json-body.ts";
import { budgetView, quotaView } from "../pool-views.ts";
import { budgetLimits, rateLimitFields } from "../quota-fields.ts";
import type { Refused } from "../spaces.ts";
import type { Instant } from "../../stdx/time.ts";

export const allowancesRoute: Route = (api, server) => {
  api.post("/api/quota/allowances", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, allowanceBody);
    if (wish instanceof Response) return wish;
    const given = await server.ledger.allow(wish, caller.account);
    return "ok" in given ? refuseAs(c, given) : c.json(quotaView(given), 201);
  });
  api.post("/api/quota/allowances/:id/revoke", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, revocationBody);
    if (wish instanceof Response) return wish;
    const taken = await server.ledger.revoke(c.req.param("id"), wish, caller.account);
    return "ok" in taken ? refuseAs(c, taken) : c.json(quotaView(taken));
  });
  api.get("/api/spaces/:owner/:name/budget", async (c) => {
    const { owner, name } = c.req.param();
    const caller = spaceOwnerOf(c, "admin");
    if (caller instanceof Response) return caller;
    const budget = await server.ledger.budget(`${owner}/${name}`);
    return answer(c, budget, server.clock.wall());
  });
  api.put("/api/spaces/:owner/:name/budget", async (c) => {
    const { owner, name } = c.req.param();
    const caller = spaceOwnerOf(c, "admin");
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, budgetBody);
    if (wish instanceof Response) return wish;
    const budget = await server.ledger.setBudget(`${owner}/${name}`, wish);
    return answer(c, budget, server.clock.wall());
  });
};

/** With what is left of it as `RateLimit` fields. */
function answer(c: ApiContext, budget: BudgetSummary | Refused, now: Instant): Response {
  if ("ok" in budget) return refuseAs(c, budget);
  return c.json(budgetView(budget), 200, rateLimitFields(budgetLimits(budget, now)));
}
