/**
 * `GET /api/nodes`: nodes and their cards. `PUT` and `DELETE` of `/api/pools/NAME/drain`, `/api/nodes/NAME/drain` and
 * `/api/nodes/NAME/cards/INDEX/drain` take out of use and give back, `POST /api/nodes/NAME/check` says that the cards were seen to: for administrators.
 */
import { z } from "zod";
import type { Api, ApiContext, Route } from "../api.ts";
import { administrator, refuse, signedIn } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { plainText } from "../plain-text.ts";
import type { DrainScope } from "../../core/drained.ts";
import { settingMaxMs } from "../../core/policy.ts";
import type { Server } from "../server.ts";

const reasonMax = 200;

export const drainBody = z.strictObject({
  /** Whoever is refused for it reads it. */
  reason: plainText(reasonMax),
  endAfterMs: z.int().min(0).max(settingMaxMs).optional(),
});

export const drainsRoute: Route = (api, server) => {
  api.get("/api/nodes", async (c) => {
    const caller = signedIn(c);
    return caller instanceof Response ? caller : c.json({ nodes: await server.ledger.nodeViews() });
  });
  api.post("/api/nodes/:name/check", (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const node = c.req.param("name");
    if (!server.ledger.checkCards(node))
      return refuse(c, "control/not-found", { detail: `Node ${node} is not connected.` });
    return c.json({ node }, 202);
  });
  const name = (c: ApiContext): string => c.req.param("name") ?? "";
  drains(api, server, "/api/pools/:name/drain", (c) => ({ kind: "pool", pool: name(c) }));
  drains(api, server, "/api/nodes/:name/drain", (c) => ({ kind: "node", node: name(c) }));
  drains(api, server, "/api/nodes/:name/cards/:index/drain", (c) => ({
    kind: "card",
    node: name(c),
    device: /^\d{1,6}$/.test(c.req.param("index") ?? "") ? Number(c.req.param("index")) : -1,
  }));
};

function drains(api: Api, server: Server, path: string, of: (c: ApiContext) => DrainScope): void {
  const answer = async (c: ApiContext, drain: Parameters<Server["ledger"]["setDrain"]>[1]): Promise<Response> => {
    const done = await server.ledger.setDrain(of(c), drain);
    return done
      ? c.json({ nodes: await server.ledger.nodeViews() })
      : refuse(c, "control/not-found", { detail: lacking(of(c)) });
  };
  api.put(path, async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wished = await jsonBody(c, drainBody);
    if (wished instanceof Response) return wished;
    return answer(c, { ...wished, by: caller.account });
  });
  api.delete(path, async (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : answer(c, null);
  });
}

function lacking(of: DrainScope): string {
  if (of.kind === "pool") return `There is no pool ${of.pool}.`;
  return of.kind === "node" ? `There is no node ${of.node}.` : `There is no such card on a node ${of.node}.`;
}
