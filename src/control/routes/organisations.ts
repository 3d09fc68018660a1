/**
 * `POST` and `GET /api/accounts`: makes people's accounts and organisations, and lists them; for operators.
 * `GET`, `POST /api/organizations/NAME/members`, `PATCH` and `DELETE …/members/ACCOUNT`: who belongs to it, by the path that the Hub has.
 * Members read it, its administrators and operators change it, and everybody may leave.
 */
import { z } from "zod";
import type { AccountRow } from "../../catalog/accounts.ts";
import type { Page } from "../../contract/api.ts";
import type { AccountView, MemberView } from "../../contract/identity.ts";
import { memberRoles } from "../../identity/roles.ts";
import { iso } from "../../stdx/time.ts";
import type { ApiContext, Route } from "../api.ts";
import { administrator, ownerOf, refuse, refuseAs, signedIn, wholeNumber } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { firstByName, isAskedName, namesAsked, namesMost } from "../name-pages.ts";
import type { Server } from "../server.ts";

const accountName = z.string().min(1).max(64);
const role = z.enum(memberRoles);
export const accountBody = z.strictObject({
  name: accountName,
  organisation: z.boolean().optional(),
  tier: z.enum(["free", "pro", "enterprise", "unlimited"]).optional(),
  /** The organisation's first administrator; whoever makes it where nobody is named. */
  admin: accountName.optional(),
});
export const memberBody = z.strictObject({ account: accountName, role });
export const roleBody = z.strictObject({ role });

export const organisationsRoute: Route = (api, server) => {
  api.get("/api/accounts", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const { page, search } = c.req.query();
    const asked = namesAsked({ page, search });
    if (typeof asked === "string") return refuse(c, "control/invalid", { detail: asked });
    const limit = wholeNumber(c.req.query("limit"), { min: 1, max: namesMost, otherwise: namesMost });
    const found = (await server.catalog.accounts.list()).filter(({ name }) => isAskedName(asked, name));
    const { items, next } = firstByName(found, limit, ({ name }) => name);
    return c.json({ items: items.map(accountView), next } satisfies Page<AccountView>);
  });
  api.post("/api/accounts", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, accountBody);
    if (wish instanceof Response) return wish;
    const { name, organisation = false, tier = "free", admin } = wish;
    if (!organisation && admin !== undefined)
      return refuse(c, "control/invalid", { detail: "Only an organisation has an administrator: write organisation." });
    if (server.effects.made === undefined) {
      const made = organisation
        ? await server.organisations.create({ name, tier, admin: admin ?? caller.account, by: caller.account })
        : await server.createAccount({ name, tier });
      if (!made.ok) return refuseAs(c, made);
    }
    const row = await server.catalog.accounts.get(name);
    if (!row) return refuse(c, "control/failed");
    return c.json(accountView(row), 201);
  });

  const path = "/api/organizations/:name/members" as const;
  api.get(path, (c) => {
    const name = c.req.param("name");
    const caller = ownerOf(c, name, "read");
    return caller instanceof Response ? caller : members(c, server, name);
  });
  api.post(path, async (c) => {
    const name = c.req.param("name");
    const caller = ownerOf(c, name, "admin");
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, memberBody);
    if (wish instanceof Response) return wish;
    const done = server.effects.made ?? (await server.organisations.add(name, { ...wish, by: caller.account }));
    return "ok" in done && !done.ok ? refuseAs(c, done) : members(c, server, name);
  });
  api.patch(`${path}/:account`, async (c) => {
    const { name, account } = c.req.param();
    const caller = ownerOf(c, name, "admin");
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, roleBody);
    if (wish instanceof Response) return wish;
    const done = server.effects.made ?? (await server.organisations.setRole(name, account, wish.role));
    return "ok" in done && !done.ok ? refuseAs(c, done) : members(c, server, name);
  });
  api.delete(`${path}/:account`, async (c) => {
    const { name, account } = c.req.param();
    const self = signedIn(c);
    if (self instanceof Response) return self;
    const caller = self.account === account ? self : ownerOf(c, name, "admin");
    if (caller instanceof Response) return caller;
    const done = server.effects.made ?? (await server.organisations.remove(name, account));
    return "ok" in done && !done.ok ? refuseAs(c, done) : members(c, server, name);
  });
};

function accountView({ name, kind, tier, role, createdAt }: AccountRow): AccountView {
  return { name, kind, tier, role, createdAt: iso(createdAt) };
}

function members(c: ApiContext, server: Server, name: string): Response {
  if (!server.organisations.has(name))
    return refuse(c, "control/not-found", { detail: `There is no organisation ${name}.` });
  const items = server.organisations.members(name).map(({ account, role, since, addedBy }): MemberView => {
    return { user: account, fullname: account, avatarUrl: "", role, since: iso(since), addedBy };
  });
  return c.json(items);
}
