/**
 * `GET /api/sessions?account=`: browsers that are signed in, of the caller's account, or for operators of any. `DELETE /api/sessions/ID`
 * ends one, `DELETE /api/sessions?account=` all but the one that asks. `PUT /api/accounts/NAME/password`: one's own, or for operators anybody's.
 */
import { z } from "zod";
import type { SessionRow } from "../../catalog/sessions.ts";
import type { Page } from "../../contract/api.ts";
import type { SessionView } from "../../contract/identity.ts";
import { passwordMaxLength } from "../../identity/password.ts";
import { holds } from "../../identity/sessions.ts";
import { iso } from "../../stdx/time.ts";
import { addressOf, refuse, refuseAs, inPerson, inPersonOrOperator } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { noteChange } from "../auditing.ts";
import type { Caller } from "../caller.ts";
import { jsonBody } from "../json-body.ts";
import type { Server } from "../server.ts";

export const passwordBody = z.strictObject({
  password: z.string().min(1).max(passwordMaxLength),
  current: z.string().min(1).max(passwordMaxLength).optional(),
});

export const sessionsRoute: Route = (api, server) => {
  api.get("/api/sessions", async (c) => {
    const asked = accountOf(c);
    if (asked instanceof Response) return asked;
    const items = await sessionsOf(server, asked.account, asked.caller);
    return c.json({ items, next: null } satisfies Page<SessionView>);
  });
  api.delete("/api/sessions", async (c) => {
    const asked = accountOf(c);
    if (asked instanceof Response) return asked;
    noteChange(c, { account: asked.account });
    return c.json({ ended: await endOthers(server, asked.account, asked.caller) });
  });
  api.delete("/api/sessions/:id", async (c) => {
    const asked = accountOf(c);
    if (asked instanceof Response) return asked;
    const { account } = asked;
    const id = c.req.param("id");
    noteChange(c, { account });
    const isEnded = server.effects.made !== undefined || (await server.sessions.end({ id, account }, { asked: true }));
    if (!isEnded) return refuse(c, "control/not-found", { detail: `${account} has no session ${id} that holds.` });
    return c.json({ id });
  });
  api.put("/api/accounts/:name/password", async (c) => {
    const caller = inPersonOrOperator(c);
    if (caller instanceof Response) return caller;
    const account = c.req.param("name");
    if (account !== caller.account && !caller.admin)
      return refuse(c, "identity/forbidden", { detail: `This belongs to ${account}.` });
    const input = await jsonBody(c, passwordBody);
    if (input instanceof Response) return input;
    const done = await server.signIn.setPassword({ ...input, account, address: addressOf(c) }, caller);
    return done.ok ? c.json({ account }) : refuseAs(c, done);
  });
};

/** Those that hold, newest first. */
export async function sessionsOf(server: Server, account: string, caller: Caller): Promise<readonly SessionView[]> {
  const now = server.clock.wall();
  const rows = await server.catalog.sessions.list(account);
  return rows.filter((row) => holds(row, now)).map((row) => viewOf(row, caller));
}

/** Ends all of the account's but the one that asks. */
export async function endOthers(server: Server, account: string, { via }: Caller): Promise<number> {
  if (server.effects.made) return 0;
  const keep = via.kind === "session" ? via.id : null;
  const ended = await server.catalog.sessions.endOthers(account, server.clock.wall(), { keep });
  server.sessions.forget();
  return ended;
}

function accountOf(c: ApiContext): { readonly account: string; readonly caller: Caller } | Response {
  const caller = inPerson(c);
  if (caller instanceof Response) return caller;
  const account = c.req.query("account") ?? caller.account;
  if (account === caller.account || caller.admin) return { account, caller };
  return refuse(c, "identity/forbidden", { detail: `The sessions of ${account} belong to it.` });
}

function viewOf({ id, how, address, agent, ...times }: SessionRow, { via }: Caller): SessionView {
  return {
    ...{ id, how, createdAt: iso(times.createdAt), lastUsedAt: iso(times.usedAt), expiresAt: iso(times.expiresAt) },
    ...{ address, agent, current: id === via.id },
  };
}
