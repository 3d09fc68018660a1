/** `GET /api/keys/visitors`, `POST /api/keys/visitors/rotate`: the keys of visitors' tokens, without their secrets. For administrators. */
import { z } from "zod";
import type { VisitorKeysView } from "../../contract/identity.ts";
import { iso } from "../../stdx/time.ts";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { jsonBody } from "../json-body.ts";
import type { Server } from "../server.ts";

export const rotationBody = z.strictObject({ dropFormer: z.boolean().optional() });

export const visitorKeysRoute: Route = (api, server) => {
  api.get("/api/keys/visitors", (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : c.json(viewOf(server));
  });
  api.post("/api/keys/visitors/rotate", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wished = await jsonBody(c, rotationBody);
    if (wished instanceof Response) return wished;
    const rotated = server.effects.made
      ? ({ ok: true, behind: [] } as const)
      : await server.visitorKeys.rotate({ dropFormer: wished.dropFormer ?? false });
    if (!rotated.ok) return refuse(c, "control/conflict", { detail: rotated.says });
    noteChange(c, { kid: server.visitorKeys.current.kid });
    return c.json({ ...viewOf(server), behind: rotated.behind } satisfies VisitorKeysView);
  });
};

function viewOf({ visitorKeys }: Server): VisitorKeysView {
  return {
    keys: visitorKeys.facts.map(({ kid, stage, since, until }) => {
      return { kid, stage, since: iso(since), until: until && iso(until) };
    }),
  };
}
