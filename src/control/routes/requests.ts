/** `GET /api/spaces/OWNER/NAME/requests`: what visitors asked and who answered, newest first. For the owner. */
import type { Route } from "../api.ts";
import { ownerOf, refuse } from "../api.ts";

const pageSize = 50;

export const requestsRoute: Route = (api, server) => {
  api.get("/api/spaces/:owner/:name/requests", async (c) => {
    const { owner, name } = c.req.param();
    const caller = ownerOf(c, owner);
    if (caller instanceof Response) return caller;
    const space = `${owner}/${name}`;
    if (!server.spaces.get(space)) return refuse(c, "control/not-found", { detail: `There is no Space ${space}.` });
    return c.json(await server.listRequests({ space, page: c.req.query("page"), limit: pageSize }));
  });
};
