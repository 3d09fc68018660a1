/** `GET /`: the plain console. Nobody signs in to it, so it shows what anybody may know. */
import type { Route } from "../api.ts";
import { consolePage, pageHeaders } from "../pages.ts";

export const pagesRoute: Route = (api, server) => {
  api.get(
    "/",
    async () =>
      new Response(consolePage(await server.status(), await server.spaces.views(() => false)), {
        headers: pageHeaders,
      }),
  );
};
