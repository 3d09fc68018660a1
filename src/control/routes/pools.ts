/** `GET /api/pools/NAME` and `PATCH /api/pools/NAME`: a pool's settings. Changing them is for administrators. */
import { z } from "zod";
import { halfLifeMaxMs, halfLifeMinMs, settingMaxCount, settingMaxMs } from "../../core/policy.ts";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

const body = z
  .strictObject({
    queueLimitMs: z.int().min(1).max(settingMaxMs),
    queueMax: z.int().min(0).max(settingMaxCount),
    durationMaxMs: z.int().min(1000).max(settingMaxMs),
    attachWithinMs: z.int().min(1000).max(600_000),
    admission: z.enum(["clip", "strict"]),
    spaceCallsMax: z.int().min(0).max(settingMaxCount).nullable(),
    shareHalfLifeMs: z.int().min(halfLifeMinMs).max(halfLifeMaxMs),
    oldestEvery: z.int().min(1).max(settingMaxCount),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "name at least one setting to change");

export const poolsRoute: Route = (api, server) => {
  api.get("/api/pools/:name", async (c) => {
    const view = await server.pool(c.req.param("name"));
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no pool ${c.req.param("name")}.` });
  });
  api.patch("/api/pools/:name", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const change = await jsonBody(c, body);
    if (change instanceof Response) return change;
    const view = await server.setPool(c.req.param("name"), change);
    return view ? c.json(view) : refuse(c, "control/not-found", { detail: `There is no pool ${c.req.param("name")}.` });
  });
};
