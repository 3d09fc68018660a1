/**
 * `GET /api/spaces`, in the Hub's form, or with `form=views` in our own, and `GET /api/spaces/OWNER/NAME` in both forms at once: builds, releases, replicas and reasons are shown to the owner and the operator.
 * `…/events`, `…/releases` and `PATCH …/settings`: for those two.
 */
import type { ApiContext, Route } from "../api.ts";
import { repoName } from "../../hub/repo-name.ts";
import { isInside, mayKnow, refuse, spaceOwnerOf, wholeNumber } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { whyNoReach } from "../reach.ts";
import type { Server } from "../server.ts";
import { namesMost } from "../name-pages.ts";
import { spacesAsked } from "../space-list.ts";
import { settingsChange } from "../space-settings.ts";
import { askedSpace, knownSpace, noSpace } from "./asked-space.ts";
import { infoOf, listRepos } from "./hub/info.ts";
import { actorOf, isRefused } from "./space-states.ts";

const pageDefault = 50;
const pageMost = 200;

export const spacesRoute: Route = (api, server) => {
  api.get("/api/spaces", async (c) => {
    if (c.req.query("form") !== "views") return listRepos(c, server, "spaces");
    const { page, search, author, of, needs } = c.req.query();
    const limit = wholeNumber(c.req.query("limit"), { min: 1, max: namesMost, otherwise: namesMost });
    const asked = spacesAsked({ page, search, author, of, needs }, { own: accountsOf(c, server), limit });
    if (typeof asked === "string") return refuse(c, "control/invalid", { detail: asked });
    return c.json(await server.spaces.views((owner, id) => mayKnow(c, owner, "read", id), asked));
  });
  api.get("/api/spaces/:owner/:name", async (c) => {
    const { owner, name } = c.req.param();
    const id = `${owner}/${name}`;
    if (!knownSpace(c, server)) return noSpace(c, id);
    const view = await (mayKnow(c, owner, "read", id) ? server.spaces.view(id) : server.spaces.publicView(id));
    const hub = server.spaces.hubView(id, { inside: isInside(c) });
    if (!view || !hub) return noSpace(c, id);
    const runtimeFacts = await server.runtimeFacts(view.release);
    const repo = server.hub.repos.find(repoName("spaces", owner, name));
    const info = repo && (await infoOf(c, server, repo, await server.hub.revision(repo, "main")));
    // An operator's names and ranges are for who can act on them.
    const [node] = server.nodes.all;
    const outbound = node && mayKnow(c, owner, "write", id) && { outbound: node.outbound ?? null };
    return c.json({ ...view, ...hub, ...info, runtimeFacts, isolation: server.isolation, ...outbound });
  });
  api.get("/api/spaces/:owner/:name/runtime", async (c) => {
    const { owner, name } = c.req.param();
    const id = `${owner}/${name}`;
    if (!knownSpace(c, server)) return noSpace(c, id);
    await server.spaces.refresh(id);
    const hub = server.spaces.hubView(id, { inside: isInside(c) });
    return hub ? c.json(hub.runtime) : noSpace(c, id);
  });
  for (const list of ["events", "releases"] as const) {
    api.get(`/api/spaces/:owner/:name/${list}`, async (c) => {
      const asked = askedSpace(c, server);
      if (asked instanceof Response) return asked;
      const limit = wholeNumber(c.req.query("limit"), { min: 1, max: pageMost, otherwise: pageDefault });
      const page = c.req.query("page");
      const found = await server.spaces[list](asked.space, page, limit);
      return found ? c.json(found) : refuse(c, "control/invalid", { detail: `"${page}" is no page of this list.` });
    });
  }
  api.patch("/api/spaces/:owner/:name/settings", async (c) => {
    const { owner, name } = c.req.param();
    const caller = spaceOwnerOf(c);
    if (caller instanceof Response) return caller;
    const named = await jsonBody(c, settingsChange);
    if (named instanceof Response) return named;
    const id = `${owner}/${name}`;
    const unreached = named.reach === undefined ? undefined : whyNoReach(named.reach, server.around);
    if (unreached !== undefined) return refuse(c, "control/invalid", { detail: unreached });
    const changed = server.effects.made
      ? server.spaces.get(id)?.settings
      : await server.spaces.set(id, named, actorOf(caller));
    if (!changed) return noSpace(c, id);
    return isRefused(changed) ? refuse(c, changed.code, { detail: changed.says }) : c.json(changed);
  });
};

/** The caller's, and the organisations' of which it is a member. */
function accountsOf(c: ApiContext, server: Server): readonly string[] {
  const caller = c.get("caller");
  if (!caller) return [];
  return [caller.account, ...server.organisations.of(caller.account).map(({ organisation }) => organisation)];
}
