/**
 * `GET /api/hosts?domain=HOST`: whether a host is the platform's, for a proxy in front that gets certificates on demand (Caddy's `ask`).
 * 200 where it is; for anybody, who can see as much by visiting it.
 */
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";

export const hostsRoute: Route = (api, server) => {
  api.get("/api/hosts", (c) => {
    const host = (c.req.query("domain") ?? "").toLowerCase().replace(/\.$/, "");
    const space = server.spaces.at(host);
    if (space === undefined && !server.isConsole(host))
      return refuse(c, "control/not-found", { detail: `No Space is at ${JSON.stringify(host.slice(0, 260))}.` });
    return c.json({ host, space: space ?? null });
  });
};
