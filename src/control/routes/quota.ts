/** `GET /api/quota?account=`: used, held and left of an account's window, at the journal index that is named. */
import type { Route } from "../api.ts";
import { ownerOf, refuse, signedIn } from "../api.ts";

export const quotaRoute: Route = (api, server) => {
  api.get("/api/quota", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const account = c.req.query("account") ?? caller.account;
    const allowed = ownerOf(c, account);
    if (allowed instanceof Response) return allowed;
    const view = await server.quota(account);
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
  });
};
