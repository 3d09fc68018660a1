/** `GET /`, the plain console, and `GET /spaces/OWNER/NAME`, a Space's page. Nobody signs in to them: they show what anybody may know. */
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";
import { consolePage, pageHeaders } from "../pages.ts";
import { spacePage } from "../space-page.ts";

export const pagesRoute: Route = (api, server) => {
  api.get(
    "/",
    async () =>
      new Response(consolePage(await server.status(), await server.spaces.views(() => false)), {
        headers: pageHeaders,
      }),
  );
  api.get("/spaces/:owner/:name", async (c) => {
    const { owner, name } = c.req.param();
    const view = await server.spaces.publicView(`${owner}/${name}`);
    if (!view) return refuse(c, "control/not-found", { detail: `There is no Space ${owner}/${name}.` });
    return new Response(spacePage(view, server.isolation), { headers: pageHeaders });
  });
};
