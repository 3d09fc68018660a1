/** `GET /api/whoami-v2`, in the Hub's shape, since its clients ask this first. */
import type { MemberRow } from "../../catalog/members.ts";
import type { WhoAmI } from "../../contract/api.ts";
import type { OrganisationOf } from "../../contract/identity.ts";
import { iso } from "../../stdx/time.ts";
import type { Caller } from "../caller.ts";
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";

export const whoamiRoute: Route = (api, server) => {
  api.get("/api/whoami-v2", (c) => {
    const caller = c.get("caller");
    if (!caller) return refuse(c, "identity/missing");
    const answer: WhoAmI = {
      type: "user",
      id: caller.account,
      name: caller.account,
      fullname: caller.account,
      email: null,
      emailVerified: false,
      isPro: caller.tier !== "free" && caller.tier !== "anonymous",
      canPay: false,
      periodEnd: null,
      avatarUrl: "",
      orgs: server.organisations.of(caller.account).map(orgOf),
      auth: authOf(caller),
    };
    return c.json(answer);
  });
};

function authOf({ via, admin, scopes }: Caller): WhoAmI["auth"] {
  const createdAt = iso(via.createdAt);
  if (via.kind === "session")
    return { type: "session", session: { id: via.id, createdAt, expiresAt: iso(via.expiresAt) } };
  const role = via.spaces.length > 0 ? "fineGrained" : roleOf({ admin, scopes });
  return { type: "access_token", accessToken: { displayName: via.name, role, createdAt } };
}

function roleOf({ admin, scopes }: Pick<Caller, "admin" | "scopes">): "read" | "write" | "admin" {
  if (admin) return "admin";
  return scopes.includes("write") ? "write" : "read";
}

function orgOf({ organisation, role }: MemberRow): OrganisationOf {
  return {
    ...{ type: "org", id: organisation, name: organisation, fullname: organisation, email: null },
    ...{ canPay: false, periodEnd: null, isEnterprise: false, avatarUrl: "", roleInOrg: role },
  };
}
