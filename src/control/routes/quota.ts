/** `GET /api/quota?account=`: used, held and left of an account's window, at the journal index that is named. */
import type { Route } from "../api.ts";
import { askedAccount, refuse } from "../api.ts";

export const quotaRoute: Route = (api, server) => {
  api.get("/api/quota", async (c) => {
    const account = askedAccount(c);
    if (account instanceof Response) return account;
    const view = await server.quota(account);
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
  });
};
