/** The API as one fetch handler: who calls is worked out once, routes register themselves, and whatever fails says so under an id. */
import { Hono } from "hono";
import { isDiskFull } from "../hub/errors.ts";
import { isSessionCookie, noSessionCookie } from "../identity/sessions.ts";
import { newId } from "../stdx/ids.ts";
import type { ApiEnv, Route } from "./api.ts";
import { refuse } from "./api.ts";
import { auditing } from "./auditing.ts";
import { commitPlaces } from "./commit-places.ts";
import { callerOf, refuseCaller } from "./console-caller.ts";
import { RepoGone } from "./hub.ts";
import { keyed } from "./keyed.ts";
import { EffectMade } from "./request-effects.ts";
import { auditRoute } from "./routes/audit.ts";
import { buildsRoute } from "./routes/builds.ts";
import { callsRoute } from "./routes/calls.ts";
import { consoleRoute, pageOfNothing } from "./routes/console.ts";
import { docsRoute } from "./routes/docs.ts";
import { domainsRoute } from "./routes/domains.ts";
import { environmentRoute } from "./routes/environment.ts";
import { eventsRoute } from "./routes/events.ts";
import { explainRoute } from "./routes/explain.ts";
import { gpuRoute } from "./routes/gpu.ts";
import { backupsRoute } from "./routes/backups.ts";
import { deviceRoute } from "./routes/device.ts";
import { drainsRoute } from "./routes/drains.ts";
import { framesRoute } from "./routes/frames.ts";
import { handOverRoute } from "./routes/hand-over.ts";
import { hostsRoute } from "./routes/hosts.ts";
import { accessRoute } from "./routes/hub/access.ts";
import { noRepo, noSuchRepo } from "./routes/hub/asked-repo.ts";
import { discussionsRoute } from "./routes/hub/discussions.ts";
import { historyRoute } from "./routes/hub/history.ts";
import { infoRoute } from "./routes/hub/info.ts";
import { moreRoute } from "./routes/hub/more.ts";
import { hubReposRoute } from "./routes/hub/repos.ts";
import { treeRoute } from "./routes/hub/tree.ts";
import { uploadRoute } from "./routes/hub/upload.ts";
import { incidentsRoute } from "./routes/incidents.ts";
import { loginRoute } from "./routes/login.ts";
import { logsRoute } from "./routes/logs.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { pagesRoute } from "./routes/pages.ts";
import { allowancesRoute } from "./routes/allowances.ts";
import { tiersRoute } from "./routes/tiers.ts";
import { nodesRoute } from "./routes/nodes.ts";
import { poolsRoute } from "./routes/pools.ts";
import { providersRoute } from "./routes/providers.ts";
import { quotaRoute } from "./routes/quota.ts";
import { receiptsRoute } from "./routes/receipts.ts";
import { openapiRoute } from "./routes/openapi.ts";
import { organisationsRoute } from "./routes/organisations.ts";
import { requestsRoute } from "./routes/requests.ts";
import { spaceStatesRoute } from "./routes/space-states.ts";
import { spacesRoute } from "./routes/spaces.ts";
import { sessionsRoute } from "./routes/sessions.ts";
import { settingsRoute } from "./routes/settings.ts";
import { statusRoute } from "./routes/status.ts";
import { tokensRoute } from "./routes/tokens.ts";
import { trialsRoute } from "./routes/trials.ts";
import { visitorKeysRoute } from "./routes/visitor-keys.ts";
import { webhooksRoute } from "./routes/webhooks.ts";
import { whoamiRoute } from "./routes/whoami.ts";
import { storageRoute } from "./routes/hub/storage.ts";
import { xetRoute } from "./routes/hub/xet.ts";
import type { Server } from "./server.ts";

const routes: readonly Route[] = [
  // Before the plain pages, which stand at some of the same addresses.
  consoleRoute,
  docsRoute,
  pagesRoute,
  loginRoute,
  settingsRoute,
  statusRoute,
  openapiRoute,
  incidentsRoute,
  metricsRoute,
  whoamiRoute,
  tokensRoute,
  deviceRoute,
  sessionsRoute,
  providersRoute,
  // Before the Spaces: its path in the Hub's form is one of theirs.
  quotaRoute,
  moreRoute,
  spacesRoute,
  spaceStatesRoute,
  hubReposRoute,
  infoRoute,
  treeRoute,
  historyRoute,
  discussionsRoute,
  uploadRoute,
  handOverRoute,
  framesRoute,
  xetRoute,
  storageRoute,
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
  trialsRoute,
  allowancesRoute,
  auditRoute,
  organisationsRoute,
  explainRoute,
  eventsRoute,
  receiptsRoute,
  visitorKeysRoute,
  webhooksRoute,
  // The last: what is no other page is a model's.
  accessRoute,
];

const problemType = "application/problem+json";
const isHubs = (path: string): boolean =>
  /^\/api\/(models|datasets|spaces|repos|whoami-v2|validate-yaml)(\/|$)/.test(path);

/** A client's own name for its request, if it is one line of sense. */
function theirs(id: string | undefined): string | undefined {
  return id !== undefined && /^[\x21-\x7e]{1,200}$/.test(id) ? id : undefined;
}

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
    c.header(
      "x-request-id",
      theirs(c.req.header("x-request-id")) ?? theirs(c.req.header("x-amzn-trace-id")) ?? requestId,
    );
    c.header("x-content-type-options", "nosniff");
    // Clients of the Hub in a browser's language read an error only where it is plain JSON; ours ask for the problem by its name.
    if (
      isHubs(c.req.path) &&
      c.res.headers.get("content-type") === problemType &&
      !c.req.header("accept")?.includes(problemType)
    )
      c.header("content-type", "application/json");
    return undefined;
  });
  api.use(commitPlaces());
  api.use(keyed(server));
  api.use(auditing(server));
  for (const route of routes) route(api, server);
  api.notFound((c) => {
    const { pathname } = new URL(c.req.url);
    return (
      noSuchRepo(c, server, pathname) ??
      pageOfNothing(c, server) ??
      refuse(c, "control/not-found", { detail: `${c.req.method} ${pathname} is not a route of this API.` })
    );
  });
  api.onError((error, c) => {
    if (error instanceof RepoGone) return noRepo(c, error.repo);
    if (error instanceof EffectMade) return refuse(c, "control/answer-lost");
    server.onFailure(`${c.req.method} ${new URL(c.req.url).pathname} (${c.get("requestId")})`, error);
    if (isHubs(c.req.path) && isDiskFull(error)) return refuse(c, "transfer/disk-full");
    return refuse(c, "control/failed");
  });
  return api;
}
