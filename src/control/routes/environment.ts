/**
 * Variables and secrets of a Space, in the Hub's form: `/api/spaces/OWNER/NAME/variables` and `/secrets`, for the owner and the operator.
 * `GET /api/spaces/OWNER/NAME/environment/changes` tells who changed which of them when.
 */
import { z } from "zod";
import type { EnvironmentChangeView, Page, SecretViews, VariableViews } from "../../contract/api.ts";
import { iso } from "../../stdx/time.ts";
import type { Route } from "../api.ts";
import { refuse } from "../api.ts";
import type { EnvironmentEntry } from "../environments.ts";
import { jsonBody } from "../json-body.ts";
import { askedSpace } from "./asked-space.ts";
import type { Server } from "../server.ts";

const descriptionMaxChars = 1_000;
const changesShown = 100;
export const entryBody = z.object({
  key: z.string(),
  value: z.string(),
  // `huggingface_hub` sends null where none is given.
  description: z.string().max(descriptionMaxChars).nullish(),
});
export const entryNameBody = z.object({ key: z.string() });

export const environmentRoute: Route = (api, server) => {
  for (const kind of ["variable", "secret"] as const) {
    const path = `/api/spaces/:owner/:name/${kind}s` as const;
    api.get(path, (c) => {
      const asked = askedSpace(c, server, "write");
      return asked instanceof Response ? asked : c.json(viewsOf(server, kind, asked.space));
    });
    api.post(path, async (c) => {
      const asked = askedSpace(c, server, "write");
      if (asked instanceof Response) return asked;
      const body = await jsonBody(c, entryBody);
      if (body instanceof Response) return body;
      const { key: name, value, description = null } = body;
      const given = { value, description, account: asked.caller.account };
      const set = server.effects.made
        ? server.environments.found({ kind, space: asked.space, name })
        : await server.environments.set({ kind, space: asked.space, name }, given);
      if (!set.ok) return refuse(c, set.code, { detail: set.says });
      return c.json(kind === "secret" ? { name, updatedAt: set.updatedAt } : viewsOf(server, kind, asked.space));
    });
    api.delete(path, async (c) => {
      const asked = askedSpace(c, server, "write");
      if (asked instanceof Response) return asked;
      const body = await jsonBody(c, entryNameBody);
      if (body instanceof Response) return body;
      const entry = { kind, space: asked.space, name: body.key };
      const isUnset =
        server.effects.made !== undefined || (await server.environments.unset(entry, asked.caller.account));
      if (!isUnset) return refuse(c, "control/not-found", { detail: `${asked.space} has no ${kind} ${body.key}.` });
      return c.json(viewsOf(server, kind, asked.space));
    });
  }
  api.get("/api/spaces/:owner/:name/environment/changes", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const changes = await server.environments.changes(asked.space, changesShown);
    const items = changes.map(({ at, account, kind, name, action }) => ({ at: iso(at), account, kind, name, action }));
    return c.json({ items, next: null } satisfies Page<EnvironmentChangeView>);
  });
};

function viewsOf(server: Server, kind: EnvironmentEntry["kind"], space: string): VariableViews | SecretViews {
  return kind === "variable" ? server.environments.variables(space) : server.environments.secrets(space);
}
