/** `GET /`: the plain console. */
import type { Route } from "../api.ts";
import { consolePage, pageHeaders } from "../pages.ts";

export const pagesRoute: Route = (api, server) => {
  api.get("/", async () => new Response(consolePage(await server.status(), await server.spaces.views()), { headers: pageHeaders }));
};
