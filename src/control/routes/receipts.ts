/** `GET /api/receipts/ID` (of a receipt or its call), and `GET /api/keys`, with which anyone can check one offline. */
import type { Route } from "../api.ts";
import { mayKnow, ownerOf, refuse } from "../api.ts";

export const receiptsRoute: Route = (api, server) => {
  api.get("/api/receipts/:id", async (c) => {
    const signed = await server.receipt(c.req.param("id"));
    if (!signed)
      return refuse(c, "control/not-found", {
        detail: `No receipt has the id ${c.req.param("id")}; a call has one when it has ended.`,
      });
    const { account, paidBy } = signed.receipt;
    const isPayer = paidBy !== undefined && mayKnow(c, paidBy, "admin");
    const caller = isPayer || account.startsWith("address:") ? null : ownerOf(c, account, "admin");
    return caller instanceof Response ? caller : c.json(signed);
  });
  api.get("/api/keys", async (c) => c.json({ keys: await server.publicKeys() }));
};
