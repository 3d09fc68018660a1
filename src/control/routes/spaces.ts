/** `GET /api/spaces` and `GET /api/spaces/OWNER/NAME`. */
import type { Page, SpaceView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";

export const spacesRoute: Route = (api, server) => {
  api.get("/api/spaces", async (c) => {
    const page: Page<SpaceView> = { items: await server.spaces.views(), next: null };
    return c.json(page);
  });
  api.get("/api/spaces/:owner/:name", async (c) => {
    const id = `${c.req.param("owner")}/${c.req.param("name")}`;
    const view = await server.spaces.view(id);
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no Space ${id}.` });
  });
};
