/** The API as one fetch handler: who calls is worked out once, routes register themselves, and whatever fails says so under an id. */
import { Hono } from "hono";
import { isSessionCookie, noSessionCookie } from "../identity/sessions.ts";
import { newId } from "../stdx/ids.ts";
import type { ApiEnv, Route } from "./api.ts";
import { refuse } from "./api.ts";
import { auditing } from "./auditing.ts";
import { callerOf, refuseCaller } from "./console-caller.ts";
import { keyed } from "./keyed.ts";
import { EffectMade } from "./request-effects.ts";
import { auditRoute } from "./routes/audit.ts";
import { buildsRoute } from "./routes/builds.ts";
import { callsRoute } from "./routes/calls.ts";
import { commitRoute } from "./routes/commit.ts";
import { domainsRoute } from "./routes/domains.ts";
import { environmentRoute } from "./routes/environment.ts";
import { explainRoute } from "./routes/explain.ts";
import { gpuRoute } from "./routes/gpu.ts";
import { backupsRoute } from "./routes/backups.ts";
import { deviceRoute } from "./routes/device.ts";
import { drainsRoute } from "./routes/drains.ts";
import { handOverRoute } from "./routes/hand-over.ts";
import { hostsRoute } from "./routes/hosts.ts";
import { loginRoute } from "./routes/login.ts";
import { logsRoute } from "./routes/logs.ts";
import { pagesRoute } from "./routes/pages.ts";
import { allowancesRoute } from "./routes/allowances.ts";
import { tiersRoute } from "./routes/tiers.ts";
import { nodesRoute } from "./routes/nodes.ts";
import { poolsRoute } from "./routes/pools.ts";
import { providersRoute } from "./routes/providers.ts";
import { quotaRoute } from "./routes/quota.ts";
import { receiptsRoute } from "./routes/receipts.ts";
import { organisationsRoute } from "./routes/organisations.ts";
import { reposRoute } from "./routes/repos.ts";
import { requestsRoute } from "./routes/requests.ts";
import { spaceStatesRoute } from "./routes/space-states.ts";
import { spacesRoute } from "./routes/spaces.ts";
import { sessionsRoute } from "./routes/sessions.ts";
import { settingsRoute } from "./routes/settings.ts";
import { statusRoute } from "./routes/status.ts";
import { tokensRoute } from "./routes/tokens.ts";
import { visitorKeysRoute } from "./routes/visitor-keys.ts";
import { whoamiRoute } from "./routes/whoami.ts";
import type { Server } from "./server.ts";

const routes: readonly Route[] = [
  pagesRoute,
  loginRoute,
  settingsRoute,
  statusRoute,
  whoamiRoute,
  tokensRoute,
  deviceRoute,
  sessionsRoute,
  providersRoute,
  // Before the Spaces: its path in the Hub's form is one of theirs.
  quotaRoute,
  spacesRoute,
  spaceStatesRoute,
  reposRoute,
  handOverRoute,
  commitRoute,
  logsRoute,
  environmentRoute,
  domainsRoute,
  hostsRoute,
  requestsRoute,
  buildsRoute,
  callsRoute,
  gpuRoute,
  poolsRoute,
  backupsRoute,
  drainsRoute,
  nodesRoute,
  tiersRoute,
  allowancesRoute,
  auditRoute,
  organisationsRoute,
  explainRoute,
  receiptsRoute,
  visitorKeysRoute,
];

export function createApi(server: Server): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  api.use(async (c, next) => {
    const requestId = newId("q", server.random);
    c.set("requestId", requestId);
    const called = await callerOf(c, server);
    if ("refused" in called) return refuseCaller(c, called);
    c.set("caller", called.caller);
    await next();
    // Who has just signed in keeps the session that this answer gives.
    if (called.endedSession && !c.res.headers.getSetCookie().some(isSessionCookie))
      c.header("set-cookie", noSessionCookie, { append: true });
    c.header("x-waybill-id", requestId);
    c.header("x-request-id", c.req.header("x-request-id") ?? requestId);
    c.header("x-content-type-options", "nosniff");
    return undefined;
  });
  api.use(keyed(server));
  api.use(auditing(server));
  for (const route of routes) route(api, server);
  api.notFound((c) =>
    refuse(c, "control/not-found", {
      detail: `${c.req.method} ${new URL(c.req.url).pathname} is not a route of this API.`,
    }),
  );
  api.onError((error, c) => {
    if (error instanceof EffectMade) return refuse(c, "control/answer-lost");
    server.onFailure(`${c.req.method} ${new URL(c.req.url).pathname} (${c.get("requestId")})`, error);
    return refuse(c, "control/failed");
  });
  return api;
}
