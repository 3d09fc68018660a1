/**
 * Builds: one, those of a Space, and the queue, which is the operator's. Cancelling and trying again are for the Space's
 * owner and the operator, priorities for the operator.
 */
import { z } from "zod";
import type { BuildRow } from "../../catalog/builds.ts";
import type { BuildDetails, BuildView, Page } from "../../contract/api.ts";
import type { Actor, BuildDecision } from "../../core/builds/model.ts";
import type { ApiContext, Route } from "../api.ts";
import { administrator, ownerOf, refuse, wholeNumber } from "../api.ts";
import type { Caller } from "../caller.ts";
import { jsonBody } from "../json-body.ts";
import { askedSpace } from "./asked-space.ts";
import type { Server } from "../server.ts";
import { spaceOwner } from "../../contract/space.ts";

/** Builds of a Space in one page. */
const pageLength = 50;
/** Beyond this a priority says no more. */
const priorityMost = 100;
export const priorityBody = z.strictObject({ priority: z.int().min(-priorityMost).max(priorityMost) });

export const buildsRoute: Route = (api, server) => {
  api.get("/api/builds", (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : c.json(server.builds.views.queue());
  });
  api.get("/api/spaces/:owner/:name/builds", async (c) => {
    const asked = askedSpace(c, server);
    if (asked instanceof Response) return asked;
    const limit = wholeNumber(c.req.query("limit"), { min: 1, max: 200, otherwise: pageLength });
    const found = await server.catalog.builds.page(asked.space, { limit, before: c.req.query("page") });
    const page: Page<BuildView> = { items: server.builds.views.all(found?.items ?? []), next: found?.next ?? null };
    return c.json(page);
  });
  api.get("/api/builds/:id", async (c) => {
    const found = await buildOf(c, server);
    if (found instanceof Response) return found;
    const view = server.builds.views.of(found.row);
    const [runtimeFacts, events] = await Promise.all([
      server.runtimeFacts(view.release),
      server.catalog.builds.events(view.id),
    ]);
    return c.json({ ...view, runtimeFacts, events } satisfies BuildDetails);
  });
  api.post("/api/builds/:id/cancel", async (c) => {
    const found = await buildOf(c, server);
    if (found instanceof Response) return found;
    if (server.effects.made) return c.json(server.builds.views.of(found.row));
    return answer(c, server, found.row, await server.builds.cancel(found.row.id, actorOf(found.caller, found.row)));
  });
  api.post("/api/builds/:id/retry", async (c) => {
    const found = await buildOf(c, server);
    if (found instanceof Response) return found;
    const { id, space } = found.row;
    const made = server.effects.made?.work;
    const done =
      typeof made === "string"
        ? ({ ok: true, build: made } as const)
        : await server.commits.retry(space, id, found.caller.account);
    if (!done.ok) return refuse(c, done.code, { detail: done.says });
    const row = await server.catalog.builds.get(done.build);
    return c.json(row && server.builds.views.of(row));
  });
  api.patch("/api/builds/:id", async (c) => {
    const operator = administrator(c);
    if (operator instanceof Response) return operator;
    const row = await rowOf(c, server);
    if (row instanceof Response) return row;
    const named = await jsonBody(c, priorityBody);
    if (named instanceof Response) return named;
    if (server.effects.made) return c.json(server.builds.views.of(row));
    const by: Actor = { kind: "operator", name: operator.account };
    return answer(c, server, row, await server.builds.prioritize(row.id, named.priority, by));
  });
};

/** The build that a path names, for a caller who may know of it. */
export async function buildOf(c: ApiContext, server: Server): Promise<{ row: BuildRow; caller: Caller } | Response> {
  const row = await rowOf(c, server);
  if (row instanceof Response) return row;
  const caller = ownerOf(c, spaceOwner(row.space), undefined, row.space);
  return caller instanceof Response ? caller : { row, caller };
}

async function rowOf(c: ApiContext, server: Server): Promise<BuildRow | Response> {
  const id = c.req.param("id") ?? "";
  return (
    (await server.catalog.builds.get(id)) ?? refuse(c, "control/not-found", { detail: `There is no build ${id}.` })
  );
}

/** Also an operator who owns the Space acts as its owner. */
function actorOf({ account, admin }: Caller, { space }: BuildRow): Actor {
  return { kind: admin && !space.startsWith(`${account}/`) ? "operator" : "owner", name: account };
}

function answer(c: ApiContext, server: Server, row: BuildRow, decision: BuildDecision): Response {
  if (decision.ok) return c.json(server.builds.views.of(row));
  return refuse(c, "control/conflict", { detail: `Build ${row.id}: ${decision.says}.` });
}
