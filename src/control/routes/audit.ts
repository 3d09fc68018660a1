/** `GET /api/audit`: who changed what. Operators read all of it, everybody else what they changed and what is theirs. */
import { z } from "zod";
import type { Page } from "../../contract/api.ts";
import type { AuditEntryView } from "../../contract/identity.ts";
import { instant } from "../../stdx/time.ts";
import type { Route } from "../api.ts";
import { refuse, signedIn } from "../api.ts";
import { auditEntryView } from "../auditing.ts";
import { refuseInput } from "../json-body.ts";

const pageDefault = 50;
const pageMost = 200;
const textMax = 300;
/** An instant of a query, as RFC 3339 writes it. */
export const moment = z.iso.datetime({ offset: true }).transform((text) => instant(Math.max(0, Date.parse(text))));
export const auditQuery = z.strictObject({
  account: z.string().max(textMax).optional().describe("Who did it."),
  action: z
    .string()
    .regex(/^[a-z]+(\.[a-z]+)?$/, "write an action such as space.pause, or its first word")
    .max(textMax)
    .optional()
    .describe("What was done, as `space.pause`, or its first word."),
  target: z.string().max(textMax).optional().describe("To what, as `space/alice/demo`."),
  request: z.string().max(textMax).optional().describe("By which request: its `X-Waybill-Id`."),
  since: moment.optional().describe("Then or later."),
  until: moment.optional().describe("Before."),
  page: z.string().max(textMax).optional().describe("`next` of the page before; without it the first one."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(pageMost)
    .optional()
    .describe(`Items of one page; ${pageDefault} where it is not said.`),
});

export const auditRoute: Route = (api, server) => {
  api.get("/api/audit", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const asked = auditQuery.safeParse(c.req.query());
    if (!asked.success) return refuseInput(c, asked.error, "query");
    const { page, limit = pageDefault, ...filter } = asked.data;
    const concerns = caller.admin ? undefined : caller.account;
    const found = await server.catalog.audit.list({ ...filter, concerns }, { page, limit });
    if (!found) return refuse(c, "control/invalid", { detail: `"${page}" is no page of this list.` });
    // By which token and from where others acted is theirs to know.
    const items = found.items.map((row) =>
      auditEntryView(row, { mayTrace: caller.admin || row.account === caller.account }),
    );
    return c.json({ items, next: found.next } satisfies Page<AuditEntryView>);
  });
};
