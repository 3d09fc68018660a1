/**
 * `POST /api/tokens`: a token, shown once; of the caller's account, or for administrators of any. `GET /api/tokens?account=`: those of an
 * account. `DELETE /api/tokens/ID`: revokes one; `DELETE /api/tokens/current` the one by which it is asked.
 */
import { z } from "zod";
import { tokenScopes } from "../../identity/token-resolver.ts";
import type { Page } from "../../contract/api.ts";
import type { TokenView } from "../../contract/identity.ts";
import type { Route } from "../api.ts";
import { refuse, refuseAs, inPerson, inPersonOrOperator } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { jsonBody } from "../json-body.ts";

const spacesMax = 50;
const expiresMostMs = 10 * 366 * 24 * 3_600_000;
export const tokenBody = z.strictObject({
  account: z.string().min(1).max(64).optional(),
  create: z.boolean().optional(),
  tier: z.enum(["free", "pro", "enterprise", "unlimited"]).optional(),
  name: z.string().min(1).max(100).optional(),
  scopes: z.array(z.enum(tokenScopes)).max(4).optional(),
  spaces: z
    .array(
      z.strictObject({
        space: z.string().regex(/^[^/\s]{1,64}\/[^/\s]{1,64}$/, "write OWNER/NAME"),
        right: z.enum(["read", "write"]),
      }),
    )
    .min(1)
    .max(spacesMax)
    .optional(),
  expiresInMs: z.int().min(1_000).max(expiresMostMs).optional(),
});

export const tokensRoute: Route = (api, server) => {
  api.get("/api/tokens", async (c) => {
    const caller = inPerson(c);
    if (caller instanceof Response) return caller;
    const account = c.req.query("account") ?? caller.account;
    if (account !== caller.account && !caller.admin)
      return refuse(c, "identity/forbidden", { detail: `The tokens of ${account} are its own.` });
    const items = await server.tokens.list(account, caller);
    return c.json({ items, next: null } satisfies Page<TokenView>);
  });
  api.post("/api/tokens", async (c) => {
    const caller = inPersonOrOperator(c);
    if (caller instanceof Response) return caller;
    const input = await jsonBody(c, tokenBody);
    if (input instanceof Response) return input;
    const account = input.account ?? caller.account;
    noteChange(c, { account });
    const made = await server.tokens.create({ ...input, account }, caller);
    if (!made.ok) return refuseAs(c, made);
    noteChange(c, { token: made.id });
    return c.json({ account: made.account, id: made.id, token: made.token }, 201);
  });
  // Whoever has a token may end it, whatever else it may.
  api.delete("/api/tokens/current", async (c) => {
    const caller = c.get("caller");
    if (!caller) return refuse(c, "identity/missing");
    if (caller.via.kind !== "token")
      return refuse(c, "control/invalid", {
        detail: "This was asked by a session, which is no token: sign out instead.",
      });
    const revoked = await server.tokens.revoke(caller.via.id, caller);
    if (!revoked.ok) return refuseAs(c, revoked);
    noteChange(c, { account: revoked.row.account, name: revoked.row.name, token: revoked.row.id });
    return c.json({ id: revoked.row.id });
  });
  api.delete("/api/tokens/:id", async (c) => {
    const caller = inPerson(c);
    if (caller instanceof Response) return caller;
    const revoked = await server.tokens.revoke(c.req.param("id"), caller);
    if (!revoked.ok) return refuseAs(c, revoked);
    noteChange(c, { account: revoked.row.account, name: revoked.row.name });
    return c.json({ id: revoked.row.id });
  });
};
