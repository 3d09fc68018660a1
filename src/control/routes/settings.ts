/** `GET /settings`: an account's own page; `POST /settings/password` changes its password, `POST /settings/sessions` ends sessions. */
import { addressOf, inPerson } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { noteChange } from "../auditing.ts";
import type { Caller } from "../caller.ts";
import { codeRow } from "../../evidence/codes.ts";
import { formFields } from "../form-body.ts";
import { settingsPage } from "../login-page.ts";
import { pageHeaders } from "../pages.ts";
import type { Server } from "../server.ts";
import { endOthers, sessionsOf } from "./sessions.ts";

export const settingsRoute: Route = (api, server) => {
  api.get("/settings", async (c) => {
    const caller = c.get("caller");
    if (caller === null) return c.redirect("/login?next=%2Fsettings", 303);
    return show(server, caller, {}, 200);
  });
  api.post("/settings/password", async (c) => {
    const asked = await form(c);
    if (asked instanceof Response) return asked;
    const { caller, fields } = asked;
    const { password = "", current } = fields;
    noteChange(c, { account: caller.account });
    const wish = { account: caller.account, password, current, address: addressOf(c) };
    const done = await server.signIn.setPassword(wish, caller);
    if (done.ok) return show(server, caller, { says: "The password is changed.", isDone: true }, 200);
    return show(server, caller, { says: done.says }, codeRow(done.code).status);
  });
  api.post("/settings/sessions", async (c) => {
    const asked = await form(c);
    if (asked instanceof Response) return asked;
    const { caller, fields } = asked;
    const { session = "" } = fields;
    noteChange(c, { account: caller.account, session });
    if (session === "others") {
      const ended = await endOthers(server, caller.account, caller);
      return show(server, caller, { says: `${ended} sessions have ended.`, isDone: true }, 200);
    }
    if (await server.sessions.end({ id: session, account: caller.account }, { asked: true }))
      return show(server, caller, { says: "The session has ended.", isDone: true }, 200);
    return show(server, caller, { says: "That session had ended before." }, 404);
  });
};

async function form(
  c: ApiContext,
): Promise<{ readonly caller: Caller; readonly fields: Readonly<Record<string, string>> } | Response> {
  const caller = inPerson(c);
  if (caller instanceof Response) return caller;
  const fields = await formFields(c);
  return fields instanceof Response ? fields : { caller, fields };
}

async function show(
  server: Server,
  caller: Caller,
  told: Parameters<typeof settingsPage>[2],
  status: number,
): Promise<Response> {
  const page = settingsPage(caller.account, await sessionsOf(server, caller.account, caller), told);
  return new Response(page, { status, headers: pageHeaders });
}
