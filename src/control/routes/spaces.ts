/** `GET /api/spaces` and `GET /api/spaces/OWNER/NAME`. Builds, releases, replicas and reasons are shown to the owner and the operator. */
import type { Page, SpaceView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { mayKnow, refuse } from "../api.ts";

export const spacesRoute: Route = (api, server) => {
  api.get("/api/spaces", async (c) => {
    const page: Page<SpaceView> = { items: await server.spaces.views((owner) => mayKnow(c, owner)), next: null };
    return c.json(page);
  });
  api.get("/api/spaces/:owner/:name", async (c) => {
    const { owner, name } = c.req.param();
    const id = `${owner}/${name}`;
    const view = await (mayKnow(c, owner) ? server.spaces.view(id) : server.spaces.publicView(id));
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no Space ${id}.` });
  });
};
