/**
 * `GET /api/incidents` and `/api/incidents/ID`: what was wrong with the platform; open to everyone, without names for who is not signed
 * in. `POST …/notes` and `…/close`: an operator's word beside it, and its end by one.
 */
import { z } from "zod";
import { pageOf, parsePageToken } from "../../catalog/page.ts";
import type { ApiContext, Route } from "../api.ts";
import { administrator, knownCaller, refuse } from "../api.ts";
import { incidentPage, incidentView, type Reader, type Word } from "../incidents.ts";
import { jsonBody } from "../json-body.ts";
import { plainText } from "../plain-text.ts";
import type { Server } from "../server.ts";

const noteMax = 2_000;
export const noteBody = z.strictObject({ says: plainText(noteMax) });

export const incidentsRoute: Route = (api, server) => {
  api.get("/api/incidents", async (c) => {
    const token = c.req.query("page");
    const place = token === undefined ? undefined : parsePageToken(token);
    if (token !== undefined && place === undefined)
      return refuse(c, "control/invalid", { detail: "`page` is not one that this list named." });
    const before = place === undefined ? null : { since: place.order, id: place.id };
    const found = (await server.incidents?.list(before, incidentPage + 1)) ?? [];
    return c.json(
      pageOf(
        found,
        incidentPage,
        ({ since, id }) => ({ order: since, id }),
        (one) => incidentView(one, readerOf(c)),
      ),
    );
  });
  api.get("/api/incidents/:id", async (c) => {
    const found = await server.incidents?.get(c.req.param("id"));
    return found ? c.json(incidentView(found, readerOf(c))) : none(c);
  });
  api.post("/api/incidents/:id/notes", (c) =>
    word(c, server, (id, by, says) => server.incidents?.note(id, { by, says })),
  );
  api.post("/api/incidents/:id/close", (c) =>
    word(c, server, (id, by, says) => server.incidents?.close(id, { by, says })),
  );
};

/** Who reads, by what the caller showed. */
export function readerOf(c: ApiContext): Reader {
  const caller = knownCaller(c);
  return caller === null ? "stranger" : caller.admin ? "operator" : "account";
}

async function word(
  c: ApiContext,
  server: Server,
  say: (id: string, by: string, says: string) => Promise<Word> | undefined,
): Promise<Response> {
  const caller = administrator(c);
  if (caller instanceof Response) return caller;
  const body = await jsonBody(c, noteBody);
  if (body instanceof Response) return body;
  const id = c.req.param("id") ?? "";
  const before = server.effects.made && (await server.incidents?.get(id));
  if (before) return c.json(incidentView(before, "operator"));
  const done = await say(id, caller.account, body.says);
  if (done?.ok) {
    await server.catalog.requestKeys.made(id);
    return c.json(incidentView(done.incident, "operator"));
  }
  return done?.why === "over"
    ? refuse(c, "control/conflict", { detail: "This incident is over already; a note can still be put beside it." })
    : none(c);
}

function none(c: ApiContext): Response {
  return refuse(c, "control/not-found", {
    detail: `There is no incident ${c.req.param("id")}.`,
    next: "`waybill incident list` shows those that are kept.",
  });
}
