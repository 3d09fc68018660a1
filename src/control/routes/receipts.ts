/**
 * Receipts, each with what checks it offline, and their log: its keys, its checkpoint and its tiles (C2SP tlog-tiles), from which anybody
 * can tell that it only grows. Tiles are hashes of documents that nobody can guess: receipts themselves are shown to whom they concern.
 */
import type { ConsistencyView } from "../../contract/receipts.ts";
import { TooManyKeys } from "../../identity/receipt-key.ts";
import { tileAt } from "../../receipts/tiles.ts";
import type { Route } from "../api.ts";
import { administrator, askedAccount, mayKnow, ownerOf, refuse, wholeNumber } from "../api.ts";
import { noteChange } from "../auditing.ts";

/** As large as a log gets. */
const sizeMax = 10 ** 12;
const pageSize = 50;
const monthSays = "`month` is a month in UTC, as 2026-11, and `page` what the page before named.";
const tileLife = "public, max-age=31536000, immutable";

export const receiptsRoute: Route = (api, server) => {
  api.get("/api/receipts", async (c) => {
    const account = askedAccount(c);
    if (account instanceof Response) return account;
    const below = c.req.query("below");
    const page = await server.statements.list({
      ...{ account, month: c.req.query("month"), page: c.req.query("page") },
      below: below === undefined ? undefined : wholeNumber(below, { min: 0, max: sizeMax, otherwise: 0 }),
      limit: wholeNumber(c.req.query("limit"), { min: 1, max: 200, otherwise: pageSize }),
    });
    if (!page) return refuse(c, "control/invalid", { detail: monthSays });
    if (page.items.length > 0 || (await server.ledger.quota(account))) return c.json(page);
    return refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
  });
  api.get("/api/statements/:month", async (c) => {
    const account = askedAccount(c);
    if (account instanceof Response) return account;
    const statement = await server.statements.statement(account, c.req.param("month"));
    if (!statement) return refuse(c, "control/invalid", { detail: monthSays });
    if (statement.calls > 0 || (await server.ledger.quota(account))) return c.json(statement);
    return refuse(c, "control/not-found", { detail: `There is no account ${account}.` });
  });
  api.get("/api/receipts/:id", async (c) => {
    const since = wholeNumber(c.req.query("since"), { min: 0, max: sizeMax, otherwise: 0 });
    const signed = await server.receipt(c.req.param("id"), since);
    if (!signed)
      return refuse(c, "control/not-found", {
        detail: `No receipt has the id ${c.req.param("id")}; a call has one when it has ended.`,
      });
    const { account, paidBy } = signed.receipt;
    const isPayer = paidBy !== undefined && mayKnow(c, paidBy, "admin");
    const caller = isPayer || account.startsWith("address:") ? null : ownerOf(c, account, "admin");
    return caller instanceof Response ? caller : c.json(signed);
  });
  api.get("/api/receipts/log/consistency", async (c) => {
    const [from, to] = ["from", "to"].map((name) =>
      wholeNumber(c.req.query(name), { min: 0, max: sizeMax, otherwise: 0 }),
    );
    const proof = await server.receipts.consistency(from ?? 0, to ?? 0);
    if (proof) return c.json({ proof } satisfies ConsistencyView);
    return refuse(c, "control/invalid", {
      detail:
        "`from` and `to` are sizes of the log, the first at least 1 and no greater than the second, which it has reached.",
    });
  });
  api.get("/api/keys", async (c) => c.json(await server.receiptKeys()));
  api.post("/api/keys/receipts/rotate", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    try {
      if (!server.effects.made) await server.receipts.rotate();
    } catch (error) {
      if (error instanceof TooManyKeys) return refuse(c, "control/conflict", { detail: `No: ${error.message}.` });
      throw error;
    }
    const now = await server.receiptKeys();
    noteChange(c, { kid: now.keys.at(-1)?.kid });
    return c.json(now);
  });
  api.get("/checkpoint", async (c) => {
    const { note } = await server.receipts.checkpoint();
    return c.body(note, 200, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  });
  api.get("/tile/:level{[0-9]+}/:index{.+}", async (c) => {
    const place = tileAt(c.req.path.slice(1));
    const hashes = place && (await server.receipts.tile(place));
    if (!hashes) return refuse(c, "control/not-found", { detail: "The log of receipts has no such tile (yet)." });
    return c.body(Uint8Array.from(hashes), 200, {
      "content-type": "application/octet-stream",
      "cache-control": tileLife,
    });
  });
};
