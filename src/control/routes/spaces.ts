/**
 * `GET /api/spaces` and `GET /api/spaces/OWNER/NAME`, the latter with the Hub's fields too: builds, releases, replicas and reasons are shown to the owner and the operator.
 * `PATCH /api/spaces/OWNER/NAME/settings`: for those two.
 */
import { z } from "zod";
import type { OwnerSettings, Page, SpaceView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { isInside, mayKnow, ownerOf, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

/** As a request's path is written: from the first slash on, in visible ASCII. */
const healthPath = /^(?:\/[\x21-\x7e]{0,199})?$/;
const settings = {
  "on-leave": z.enum(["finish", "stop"]).exactOptional(),
  "health-path": z.string().regex(healthPath, "write a path such as /health, or nothing for none").exactOptional(),
};
const change = z
  .strictObject(settings satisfies Record<keyof OwnerSettings, z.ZodType>)
  .refine(
    (named) => Object.keys(named).length > 0,
    `name at least one setting to change: ${Object.keys(settings).join(", ")}`,
  );

export const spacesRoute: Route = (api, server) => {
  api.get("/api/spaces", async (c) => {
    const page: Page<SpaceView> = { items: await server.spaces.views((owner) => mayKnow(c, owner)), next: null };
    return c.json(page);
  });
  api.get("/api/spaces/:owner/:name", async (c) => {
    const { owner, name } = c.req.param();
    const id = `${owner}/${name}`;
    const view = await (mayKnow(c, owner) ? server.spaces.view(id) : server.spaces.publicView(id));
    const hub = server.spaces.hubView(id, { inside: isInside(c) });
    return view && hub
      ? c.json({ ...view, ...hub, runtimeFacts: await server.runtimeFacts(view.release) })
      : refuse(c, "control/not-found", { detail: `There is no Space ${id}.` });
  });
  api.get("/api/spaces/:owner/:name/runtime", (c) => {
    const { owner, name } = c.req.param();
    const hub = server.spaces.hubView(`${owner}/${name}`, { inside: isInside(c) });
    return hub
      ? c.json(hub.runtime)
      : refuse(c, "control/not-found", { detail: `There is no Space ${owner}/${name}.` });
  });
  api.patch("/api/spaces/:owner/:name/settings", async (c) => {
    const { owner, name } = c.req.param();
    const caller = ownerOf(c, owner);
    if (caller instanceof Response) return caller;
    const named = await jsonBody(c, change);
    if (named instanceof Response) return named;
    const changed = await server.spaces.set(`${owner}/${name}`, named);
    return changed
      ? c.json(changed)
      : refuse(c, "control/not-found", { detail: `There is no Space ${owner}/${name}.` });
  });
};
