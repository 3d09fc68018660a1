/** `POST /api/nodes/NAME/token`: the token by which an agent joins as that node, shown once. For administrators. */
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";

export const nodesRoute: Route = (api, server) => {
  api.post("/api/nodes/:name/token", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const node = c.req.param("name");
    const before = server.effects.made?.work;
    const made =
      typeof before === "string"
        ? ({ ok: true, token: await server.tokens.renew(before) } as const)
        : await server.nodeTokens.create(node);
    if (!made.ok) return refuse(c, "control/invalid", { detail: made.says });
    return c.json({ node, token: made.token }, 201);
  });
};
