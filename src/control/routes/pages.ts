/** `GET /`, the plain console, and `GET /spaces/OWNER/NAME`, a Space's page. They show what anybody may know; of private Spaces to those alone who may read them. */
import type { ApiContext, Route } from "../api.ts";
import { mayKnowOf } from "../api.ts";
import { consolePage, pageHeaders } from "../pages.ts";
import { knownSpace, noSpace } from "./asked-space.ts";
import { spacePage } from "../space-page.ts";

export const pagesRoute: Route = (api, server) => {
  api.get(
    "/",
    async (c) =>
      new Response(
        consolePage(await server.status(), await server.spaces.pageViews((row) => mayKnowOf(c, row)), signedIn(c)),
        { headers: pageHeaders },
      ),
  );
  api.get("/spaces/:owner/:name", async (c) => {
    const { owner, name } = c.req.param();
    const known = knownSpace(c, server);
    const view = known && (await server.spaces.publicView(known.id));
    if (!view) return noSpace(c, `${owner}/${name}`);
    return new Response(spacePage(view, server.isolation, signedIn(c)), { headers: pageHeaders });
  });
};

function signedIn(c: ApiContext): string | null {
  return c.get("caller")?.account ?? null;
}
