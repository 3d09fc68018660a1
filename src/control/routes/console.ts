/**
 * The console for browsers: its one page at every address of its site map, and its files under `/console/`. Whoever does not ask for HTML,
 * or asks for it `?plain`, gets what the other routes have there, as does everybody where the console was not built.
 */
import { prefersHtml } from "../../http/index.ts";
import type { ApiContext, Route } from "../api.ts";
import { mayKnowOf, refuse } from "../api.ts";
import { notBuiltPage, pageHeaders } from "../pages.ts";
import type { Server } from "../server.ts";

/** A plain page stands there too. */
const storyPath = "/w/:id{.+}";
/** `src/console/site-map.tsx` draws them. */
const pages = [storyPath, "/gpu", "/me", "/o/:name", "/admin", "/admin/:part", "/status", "/verify"] as const;
const ofSpace = "/spaces/:owner/:name";
const tabs = `${ofSpace}/:tab{builds|logs|requests|calls|files|settings}`;

export const consoleRoute: Route = (api, server) => {
  api.get("/console/:file", (c) => {
    const { file } = c.req.param();
    const found = server.consoleFiles?.file(file, c.req.header("accept-encoding"));
    return found ?? refuse(c, "control/not-found", { detail: `The console has no file ${file}.` });
  });
  for (const path of ["/", ...pages] as const)
    api.get(path, async (c, next) => {
      const page = pageFor(c, server);
      return page === undefined ? next() : page;
    });
  for (const path of [ofSpace, tabs] as const)
    api.get(path, async (c, next) => {
      const { owner, name } = c.req.param();
      const row = server.spaces.get(`${owner}/${name}`);
      // The same to who may not know of it as where nothing is.
      const page = pageFor(c, server, row !== undefined && mayKnowOf(c, row) ? 200 : 404);
      return page === undefined ? next() : page;
    });
  for (const path of [...pages, tabs].filter((one) => one !== storyPath))
    api.get(path, async (c, next) => {
      if (!prefersHtml(c.req.header("accept"))) return next();
      return new Response(notBuiltPage(server.consoleFiles !== undefined), { status: 404, headers: pageHeaders });
    });
};

/** What a browser gets at an address where nothing is; undefined for whoever asks for no page, and for one of the API. */
export function pageOfNothing(c: ApiContext, server: Server): Response | undefined {
  if (c.req.method !== "GET" || c.req.path.startsWith("/api/")) return undefined;
  return pageFor(c, server, 404);
}

function pageFor(c: ApiContext, server: Server, status = 200): Response | undefined {
  if (c.req.query("plain") !== undefined || !prefersHtml(c.req.header("accept"))) return undefined;
  const { protocol, port } = new URL(server.consoleUrl());
  const frames = `${protocol}//*.${server.appsDomain}${port === "" ? "" : `:${port}`}`;
  return server.consoleFiles?.page(c.req.header("accept-encoding"), { status, frames });
}
