/**
 * `GET` and `POST /api/webhooks`, `GET`, `PATCH` and `DELETE /api/webhooks/ID`, `POST …/secret`, `…/test`, `GET …/deliveries` and
 * `…/deliveries/ID`, `POST …/deliveries/ID/redeliver`: where what happens is told. For the account whose they are, an organisation's
 * administrators, and of the platform's for operators; an app's token is not for them, since a webhook outlasts it.
 */
import { z } from "zod";
import type { Page } from "../../contract/api.ts";
import { noticeTypes } from "../../contract/webhooks.ts";
import type { AddedWebhook, DeliveryView, NoticeType, WebhookSecret, WebhookView } from "../../contract/webhooks.ts";
import type { WebhookRow } from "../../catalog/webhooks.ts";
import { administrator, inPerson, ownerOf, refuse, refuseAs, wholeNumber } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import type { Caller } from "../caller.ts";
import { noteChange } from "../auditing.ts";
import { jsonBody } from "../json-body.ts";
import { isPlain } from "../plain-text.ts";
import { addressMax } from "../webhooks/address.ts";
import { noWebhook } from "../webhooks/desk.ts";

const descriptionMax = 200;
const deliveriesShown = 50;

const url = z.string().min(1).max(addressMax);
const description = z.string().trim().max(descriptionMax).refine(isPlain, "write it in one line of plain text");
const types = z.array(z.enum(Object.keys(noticeTypes) as [NoticeType, ...NoticeType[]])).max(20);
export const webhookBody = z.strictObject({
  url,
  types: types.optional(),
  description: description.optional(),
  account: z.string().min(1).max(64).optional(),
  platform: z.boolean().optional(),
});
export const webhookChanges = z.strictObject({
  url: url.optional(),
  types: types.optional(),
  /** Empty: none any more. */
  description: description.optional(),
  state: z.enum(["on", "off"]).optional(),
});

export const webhooksRoute: Route = (api, server) => {
  const { webhooks } = server;
  const asked = (c: ApiContext): { readonly row: WebhookRow; readonly caller: Caller } | Response => {
    const id = c.req.param("id") ?? "";
    const person = inPerson(c);
    if (person instanceof Response) return person;
    const row = webhooks.get(id);
    // Of another's nobody is told whether it is there.
    const caller = row && callerFor(c, row.owner);
    if (!row || !caller || caller instanceof Response) return refuseAs(c, noWebhook(id));
    return { row, caller };
  };

  api.get("/api/webhooks", async (c) => {
    const person = inPerson(c);
    if (person instanceof Response) return person;
    const owner = c.req.query("platform") === "true" ? null : (c.req.query("account") ?? person.account);
    const caller = callerFor(c, owner);
    if (caller instanceof Response) return caller;
    return c.json({ items: await webhooks.list(owner), next: null } satisfies Page<WebhookView>);
  });
  api.post("/api/webhooks", async (c) => {
    const person = inPerson(c);
    if (person instanceof Response) return person;
    const wish = await jsonBody(c, webhookBody);
    if (wish instanceof Response) return wish;
    const { account, platform = false, ...about } = wish;
    if (platform && account !== undefined)
      return refuse(c, "control/invalid", {
        detail: "A webhook is an account's or the platform's: write one of both.",
      });
    const owner = platform ? null : (account ?? person.account);
    const caller = callerFor(c, owner);
    if (caller instanceof Response) return caller;
    noteChange(c, { owner: owner ?? "" });
    const made = await webhooks.add(about, { owner, by: caller.account });
    if (!made.ok) return refuseAs(c, made);
    const { secret, ...row } = made.value;
    noteChange(c, { webhook: row.id });
    return c.json({ ...(await webhooks.view(row)), secret } satisfies AddedWebhook, 201);
  });

  const path = "/api/webhooks/:id" as const;
  api.get(path, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    return c.json((await webhooks.view(found.row)) satisfies WebhookView);
  });
  api.patch(path, async (c) => {
    const person = inPerson(c);
    if (person instanceof Response) return person;
    const wish = await jsonBody(c, webhookChanges);
    if (wish instanceof Response) return wish;
    const found = asked(c);
    if (found instanceof Response) return found;
    const refused = await webhooks.change(found.row, wish, found.caller.account);
    if (refused) return refuseAs(c, refused);
    return c.json((await webhooks.view(webhooks.get(found.row.id) ?? found.row)) satisfies WebhookView);
  });
  api.delete(path, async (c) => {
    const found = asked(c);
    // An earlier try of the same request removed it.
    if (found instanceof Response && server.effects.made) return c.json({ id: c.req.param("id") });
    if (found instanceof Response) return found;
    await webhooks.remove(found.row);
    return c.json({ id: found.row.id });
  });
  api.post(`${path}/secret`, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    const made = await webhooks.rotate(found.row);
    return made.ok ? c.json(made.value satisfies WebhookSecret) : refuseAs(c, made);
  });
  api.post(`${path}/test`, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    const sent = await webhooks.test(found.row, found.caller.account);
    return sent.ok ? c.json(sent.value satisfies DeliveryView, 202) : refuseAs(c, sent);
  });
  api.get(`${path}/deliveries`, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    const limit = wholeNumber(c.req.query("limit"), { min: 1, max: 200, otherwise: deliveriesShown });
    const page = await webhooks.deliveries(found.row.id, c.req.query("page"), limit);
    if (!page) return refuse(c, "control/invalid", { detail: "`page` is not one that this list named." });
    return c.json(page satisfies Page<DeliveryView>);
  });
  api.get(`${path}/deliveries/:delivery`, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    const { id = "", delivery = "" } = c.req.param() as Readonly<Record<string, string>>;
    const view = await webhooks.delivery(id, delivery);
    if (view) return c.json(view satisfies DeliveryView);
    return refuse(c, "control/not-found", { detail: `There is no delivery ${delivery} of ${id}.` });
  });
  api.post(`${path}/deliveries/:delivery/redeliver`, async (c) => {
    const found = asked(c);
    if (found instanceof Response) return found;
    const again = await webhooks.redeliver(found.row, c.req.param("delivery"));
    return again.ok ? c.json(again.value satisfies DeliveryView, 202) : refuseAs(c, again);
  });
};

/** Addresses hold what proves who may write there: whoever may only read of an organisation does not see them. */
function callerFor(c: ApiContext, owner: string | null): Caller | Response {
  return owner === null ? administrator(c) : ownerOf(c, owner, "admin");
}
