/**
 * `GET /api/hub/usage`, `POST /api/hub/jobs`, `GET /api/hub/jobs/ID`, `PUT /api/accounts/NAME/storage`: what is kept in repositories and by
 * whom, whether it is whole, and what nobody needs. For administrators.
 */
import { z } from "zod";
import type { SetStorage, StorageUsages } from "../../../contract/hub-storage.ts";
import { administrator, refuse, type Route } from "../../api.ts";
import { jsonBody } from "../../json-body.ts";

export const hubJobBody = z.strictObject({
  kind: z.enum(["verify", "gc"], "write verify or gc"),
  olderThanSeconds: z.number().int().min(0).max(1e9).optional(),
});
export const storageBody = z.strictObject({
  maxBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullable(),
});

export const storageRoute: Route = (api, server) => {
  const { xet, catalog, clock } = server;

  api.get("/api/hub/usage", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    if (xet === undefined) return refuse(c, "control/not-found");
    return c.json((await xet.storage.usages()) satisfies StorageUsages);
  });

  api.post("/api/hub/jobs", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const asked = await jsonBody(c, hubJobBody);
    if (asked instanceof Response) return asked;
    const { kind, olderThanSeconds } = asked;
    const job = xet?.jobs.begin({ kind, ...(olderThanSeconds !== undefined && { olderThanSeconds }) });
    if (job) return c.json(job, 202);
    return refuse(c, "control/conflict", { detail: "The store of large files is being looked at: wait for its end." });
  });

  api.get("/api/hub/jobs/:id", (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const job = xet?.jobs.view(c.req.param("id"));
    if (job) return c.json(job);
    return refuse(c, "control/not-found", {
      detail: `Nothing ${c.req.param("id")} was ordered since the server was started.`,
    });
  });

  api.put("/api/accounts/:name/storage", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wished = await jsonBody(c, storageBody);
    if (wished instanceof Response) return wished;
    const name = c.req.param("name");
    if ((await catalog.accounts.get(name)) === undefined)
      return refuse(c, "control/not-found", { detail: `There is no account ${name}.` });
    if (!server.effects.made) await catalog.largeFiles.setLimit(name, wished.maxBytes, clock.wall());
    return c.json(wished satisfies SetStorage);
  });
};
