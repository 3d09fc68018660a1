/** `POST /api/spaces/OWNER/NAME/restart[?factory=true]`, in the Hub's form (`huggingface_hub`'s `restart_space`). */
import type { Route } from "../api.ts";
import { ownerOf, refuse } from "../api.ts";

export const restartRoute: Route = (api, server) => {
  api.post("/api/spaces/:owner/:name/restart", async (c) => {
    const { owner, name } = c.req.param();
    const caller = ownerOf(c, owner);
    if (caller instanceof Response) return caller;
    const factory = c.req.query("factory") ?? "false";
    if (factory !== "true" && factory !== "false")
      return refuse(c, "control/invalid", { detail: `factory is "${factory}"; write true or false, or leave it out.` });
    const space = `${owner}/${name}`;
    const done = await server.restart(space, { factory: factory === "true", account: caller.account });
    return done.ok
      ? c.json(server.spaces.hubView(space, { inside: false })?.runtime)
      : refuse(c, done.code, { detail: done.says });
  });
};
