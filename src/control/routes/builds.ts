/** `GET /api/builds/ID` and its log. */
import type { BuildView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { lines, ownerOf, refuse, wholeNumber } from "../api.ts";

export const buildsRoute: Route = (api, server) => {
  api.get("/api/builds/:id", async (c) => {
    const build = await server.catalog.builds.get(c.req.param("id"));
    if (!build) return refuse(c, "control/not-found", { detail: `There is no build ${c.req.param("id")}.` });
    const caller = ownerOf(c, build.space.split("/")[0] ?? "");
    if (caller instanceof Response) return caller;
    const view = server.builds.view(build);
    return c.json({ ...view, runtimeFacts: await server.runtimeFacts(view.release) } satisfies BuildView);
  });
  api.get("/api/builds/:id/log", async (c) => {
    const build = await server.catalog.builds.get(c.req.param("id"));
    if (!build) return refuse(c, "control/not-found", { detail: `There is no build ${c.req.param("id")}.` });
    const caller = ownerOf(c, build.space.split("/")[0] ?? "");
    if (caller instanceof Response) return caller;
    const from = wholeNumber(c.req.query("from"), { min: 1, max: 1_000_000_000, otherwise: 1 });
    if (c.req.query("follow") === "1") return lines(server.builds.follow(build.id, from, c.req.raw.signal));
    const log = await server.builds.log(build.id);
    return lines(iterate(log.read(from, 100_000).lines));
  });
};

async function* iterate<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}
