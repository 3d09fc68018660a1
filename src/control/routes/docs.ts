/** `/docs`: the documentation, for everybody. */
import type { ApiContext, Route } from "../api.ts";
import { refusedPage } from "../refused-page.ts";
import type { Server } from "../server.ts";

export const docsRoute: Route = (api, server) => {
  api.get("/docs", (c) => answer(c, server, "index"));
  api.get("/docs/:path{.+}", (c) => answer(c, server, c.req.param("path")));
};

async function answer(c: ApiContext, { docsFiles }: Server, path: string): Promise<Response> {
  const found = await docsFiles?.at(path);
  const detail =
    docsFiles === undefined
      ? "The documentation is not built here. In a clone `npm run console` builds it, and the platform's next start shows it; docs/README.md has it too."
      : `The documentation has no page ${path}.`;
  return found ?? refusedPage(c, "control/not-found", detail, "Begin at /docs.");
}
