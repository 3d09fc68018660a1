/** `GET /api/tiers` and `PATCH /api/tiers/NAME`: what accounts of a tier may use. Changing it is for administrators. */
import { z } from "zod";
import type { TierSettings } from "../../core/model.ts";
import { settingMaxCount, settingMaxMs, tierNames, weightMax, windowMaxMs } from "../../core/policy.ts";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

export const tierBody = z
  .strictObject({
    windowLimitMs: z.int().min(0).nullable(),
    windowMs: z.int().min(1000).max(windowMaxMs),
    durationMaxMs: z.int().min(1000).max(settingMaxMs).nullable(),
    runsMax: z.int().min(0).max(settingMaxCount).nullable(),
    callsMax: z.int().min(0).max(settingMaxCount).nullable(),
    weight: z.int().min(1).max(weightMax),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "name at least one setting to change");

export const tiersRoute: Route = (api, server) => {
  api.get("/api/tiers", async (c) => c.json({ tiers: await server.ledger.tiers() }));
  api.patch("/api/tiers/:name", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const name = tierNames.find((each) => each === c.req.param("name"));
    if (name === undefined) {
      return refuse(c, "control/not-found", {
        detail: `There is no tier ${c.req.param("name")}; there are ${tierNames.join(", ")}.`,
      });
    }
    const change = await jsonBody(c, tierBody);
    if (change instanceof Response) return change;
    return c.json(await server.ledger.setTier(name, change as Partial<TierSettings>));
  });
};
