/** `GET /api/whoami-v2`, in the Hub's shape, since its clients ask this first. */
import type { WhoAmI } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";

export const whoamiRoute: Route = (api) => {
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
      orgs: [],
      auth: {
        type: "access_token",
        accessToken: {
          displayName: "token",
          role: caller.admin ? "admin" : caller.scopes.includes("write") ? "write" : "read",
          createdAt: "1970-01-01T00:00:00.000Z",
        },
      },
    };
    return c.json(answer);
  });
};
