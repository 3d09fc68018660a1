/**
 * `GET /api/calls` and `GET /api/calls/ID`: GPU calls of an account, newest first; one call with what it waits for. With `space=` those of a
 * Space: everybody's for who may write to it, one's own for others.
 * `POST /api/calls/ID/cancel`: as if its visitor had left, by who made it, who may write to its Space, or an operator.
 */
import { spaceOwner } from "../../contract/space.ts";
import type { ApiContext, Route } from "../api.ts";
import { askedAccount, knownCaller, mayKnowOf, refuse, signedIn } from "../api.ts";
import type { Server } from "../server.ts";

const pageSize = 50;

export const callsRoute: Route = (api, server) => {
  api.get("/api/calls", async (c) => {
    const space = c.req.query("space");
    if (space !== undefined) return ofSpace(c, server, space);
    const account = askedAccount(c);
    if (account instanceof Response) return account;
    const calls = await server.calls.list({ account, page: c.req.query("page"), limit: pageSize });
    // An empty list would hide a misspelt name. An address without an account may have calls, and is then listed.
    if (calls.items.length === 0 && !(await server.ledger.quota(account)))
      return refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
    return c.json(calls);
  });
  api.get("/api/calls/:id", async (c) => {
    const view = await server.calls.get(c.req.param("id"));
    if (!view) return refuse(c, "control/not-found", { detail: `There is no call ${c.req.param("id")}.` });
    const caller = knownCaller(c);
    // A caller without an account is told by the id alone, which holds 80 random bits; others see their own.
    if (
      !view.account.startsWith("address:") &&
      caller?.account !== view.account &&
      !caller?.may("write", { owner: spaceOwner(view.space), space: view.space })
    ) {
      return refuse(c, c.get("caller") ? "identity/forbidden" : "identity/missing");
    }
    return c.json(view);
  });
  api.post("/api/calls/:id/cancel", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const id = c.req.param("id");
    const view = await server.calls.get(id);
    const mayWrite = view && caller.may("write", { owner: spaceOwner(view.space), space: view.space });
    if (!view || !(view.account === caller.account || mayWrite))
      return refuse(c, "control/not-found", { detail: `There is no call ${id} of yours.` });
    if (view.stage !== "ended" && !server.effects.made) await server.cancelCall(id);
    return c.json(await server.calls.get(id));
  });
};

async function ofSpace(c: ApiContext, server: Server, id: string): Promise<Response> {
  const caller = signedIn(c);
  if (caller instanceof Response) return caller;
  const space = server.spaces.get(id);
  if (!space || !mayKnowOf(c, space)) return refuse(c, "control/not-found", { detail: `There is no Space ${id}.` });
  const seesAll = caller.may("write", { owner: space.owner, space: id });
  const account = seesAll && c.req.query("account") === undefined ? undefined : askedAccount(c);
  if (account instanceof Response) return account;
  return c.json(await server.calls.list({ account, space: id, page: c.req.query("page"), limit: pageSize }));
}
