/**
 * `GET /api/pools`, `GET`, `PATCH` and `PUT /api/pools/NAME`: pools and their settings; `PUT` makes one that is not there.
 * `PUT` and `DELETE` of `/api/nodes/NAME/pool` and `/api/nodes/NAME/cards/INDEX/pool`: which cards are in which pool. `GET`, `PUT` and
 * `DELETE` of `/api/spaces/OWNER/NAME/pools` and `/api/accounts/NAME/pools`: by which pools calls are served; `GET /api/rules`: all
 * rules that are set. Changes are for administrators: a rule decides whose cards an app uses.
 */
import type { RouteOf } from "../../core/routes.ts";
import type { Api, ApiContext, Route } from "../api.ts";
import { administrator, ownerOf, refuse, refuseAs } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { cardPoolBody, poolBody, routeBody } from "../pool-orders.ts";
import type { Cards } from "../pool-orders.ts";
import type { Server } from "../server.ts";

const pageSize = 50;
export const poolChangeBody = poolBody.refine(
  (change) => Object.keys(change).length > 0,
  "name at least one setting to change",
);

export const poolsRoute: Route = (api, server) => {
  api.get("/api/pools", async (c) => c.json({ pools: await server.ledger.pools() }));
  api.get("/api/pools/:name", async (c) => {
    const view = await server.ledger.pool(c.req.param("name"));
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no pool ${c.req.param("name")}.` });
  });
  api.patch("/api/pools/:name", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const change = await jsonBody(c, poolChangeBody);
    if (change instanceof Response) return change;
    const name = c.req.param("name");
    const changed = await server.ledger.setPool(name, change);
    if (!changed) return refuse(c, "control/not-found", { detail: `There is no pool ${name}.` });
    return "ok" in changed ? refuseAs(c, changed) : c.json(changed);
  });
  api.put("/api/pools/:name", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, poolBody);
    if (wish instanceof Response) return wish;
    const made = await server.ledger.makePool(c.req.param("name"), wish);
    return "ok" in made ? refuseAs(c, made) : c.json(made);
  });
  api.get("/api/rules", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    return c.json(await server.ledger.rules({ page: c.req.query("page"), limit: pageSize }));
  });
  const name = (c: ApiContext): string => c.req.param("name") ?? "";
  cardPools(api, server, "/api/nodes/:name/pool", (c) => ({ node: name(c), device: null }));
  cardPools(api, server, "/api/nodes/:name/cards/:index/pool", (c) => {
    const index = c.req.param("index") ?? "";
    return /^\d{1,6}$/.test(index) ? { node: name(c), device: Number(index) } : undefined;
  });
  routes(api, server, "/api/spaces/:owner/:name/pools", {
    of: (c) => ({ kind: "space", space: `${c.req.param("owner")}/${name(c)}` }),
    owner: (c) => c.req.param("owner") ?? "",
    isThere: async (of) => of.kind === "space" && server.spaces.get(of.space) !== undefined,
  });
  routes(api, server, "/api/accounts/:name/pools", {
    of: (c) => ({ kind: "account", account: name(c) }),
    owner: name,
    isThere: async (of) => of.kind === "account" && (await server.ledger.quota(of.account)) !== undefined,
  });
};

function cardPools(api: Api, server: Server, path: string, of: (c: ApiContext) => Cards | undefined): void {
  const answer = async (c: ApiContext, pool: string | null): Promise<Response> => {
    const cards = of(c);
    if (!cards) return refuse(c, "control/not-found", { detail: "A card is named by its index, such as 0." });
    const done = await server.ledger.setCardPool(cards, pool);
    return done.ok ? c.json({ nodes: await server.ledger.nodeViews() }) : refuseAs(c, done);
  };
  api.put(path, async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, cardPoolBody);
    return wish instanceof Response ? wish : answer(c, wish.pool);
  });
  api.delete(path, async (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : answer(c, null);
  });
}

interface Ruled {
  of(c: ApiContext): RouteOf;
  /** Who may see the rule, beside administrators. */
  owner(c: ApiContext): string;
  isThere(of: RouteOf): Promise<boolean>;
}

function routes(api: Api, server: Server, path: string, { of, owner, isThere }: Ruled): void {
  const answer = async (c: ApiContext, change?: Parameters<Server["ledger"]["setRoute"]>[1]): Promise<Response> => {
    const whose = of(c);
    const what = whose.kind === "space" ? `Space ${whose.space}` : `account ${whose.account}`;
    // A rule outlives its Space, and can be taken back.
    const isSet = change === null && (await server.ledger.route(whose)).pools.length > 0;
    if (!isSet && !(await isThere(whose))) return refuse(c, "control/not-found", { detail: `There is no ${what}.` });
    const done = change === undefined ? ({ ok: true } as const) : await server.ledger.setRoute(whose, change);
    return done.ok ? c.json(await server.ledger.route(whose)) : refuseAs(c, done);
  };
  api.get(path, async (c) => {
    const caller = ownerOf(c, owner(c), "read");
    return caller instanceof Response ? caller : answer(c);
  });
  api.put(path, async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, routeBody);
    return wish instanceof Response ? wish : answer(c, wish);
  });
  api.delete(path, async (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : answer(c, null);
  });
}
