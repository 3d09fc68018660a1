/**
 * `GET /api/hosts?domain=HOST`: whether a host is the platform's, for a proxy in front that gets certificates on demand (Caddy's `ask`).
 * 200 where it is; for anybody, who can see as much by visiting it. Of a private Space its host is told, which has a certificate too, and
 * not its name.
 */
import type { Route } from "../api.ts";
import { mayKnowOf, refuse } from "../api.ts";

export const hostsRoute: Route = (api, server) => {
  api.get("/api/hosts", (c) => {
    const host = (c.req.query("domain") ?? "").toLowerCase().replace(/\.$/, "");
    const space = server.spaces.at(host);
    if (space === undefined && !server.isConsole(host))
      return refuse(c, "control/not-found", { detail: `No Space is at ${JSON.stringify(host.slice(0, 260))}.` });
    const row = space === undefined ? undefined : server.spaces.get(space);
    return c.json({ host, space: row && mayKnowOf(c, row) ? row.id : null });
  });
};
