/** `POST /api/tokens`: a token for an account, shown once. For administrators. */
import { z } from "zod";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

const body = z.strictObject({
  account: z.string().min(1).max(64),
  create: z.boolean().optional(),
  tier: z.enum(["free", "pro", "enterprise", "unlimited"]).optional(),
  name: z.string().min(1).max(100).optional(),
  scopes: z
    .array(z.enum(["read", "write", "gpu", "admin"]))
    .max(4)
    .optional(),
});

export const tokensRoute: Route = (api, server) => {
  api.post("/api/tokens", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const input = await jsonBody(c, body);
    if (input instanceof Response) return input;
    const made = await server.createToken(input);
    if (!made.ok) return refuse(c, made.code, { detail: made.says });
    return c.json({ account: made.account, token: made.token }, 201);
  });
};
