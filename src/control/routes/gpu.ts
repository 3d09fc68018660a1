/**
 * `POST /api/gpu/quote`: what a call of the caller's would meet; an app asks for its visitor, with the visitor's `X-IP-Token`.
 * `GET /api/spaces/OWNER/NAME/functions`: what calls of its functions cost, for whoever may know of the Space.
 * `GET /api/gpu/queue` and `GET /api/gpu/board`: who waits for what, and who has the slots. Names are for administrators.
 */
import { z } from "zod";
import type { BoardView, FunctionView, Page, QueueView } from "../../contract/api.ts";
import type { ApiContext, Route } from "../api.ts";
import type { AppsPayer, Payer } from "../quotes.ts";
import type { Server } from "../server.ts";
import type { Caller } from "../caller.ts";
import { insideOf, mayKnowOf, refuse, signedIn } from "../api.ts";
import { callLimits, rateLimitFields } from "../quota-fields.ts";
import { jsonBody } from "../json-body.ts";
import { knownSpace, noSpace } from "./asked-space.ts";

type OfApp = Extract<AppsPayer, { ok: true }>;

export const quoteBody = z.strictObject({
  space: z.string().max(200),
  /** Without it what the endpoint declared when it was called last. */
  declaredMs: z.int().min(1).optional(),
  size: z.enum(["large", "xlarge"]).optional(),
  endpoint: z.string().max(200).optional(),
});

export const gpuRoute: Route = (api, server) => {
  api.post("/api/gpu/quote", async (c) => {
    // It changes nothing: a POST only for its body.
    const payer = payerOf(c, server);
    if (payer instanceof Response) return payer;
    const request = await jsonBody(c, quoteBody);
    if (request instanceof Response) return request;
    if (!isKnownTo(c, server, request.space, payer))
      return refuse(c, "control/not-found", { detail: `There is no Space ${request.space}; write OWNER/NAME.` });
    const declared = declaredIn(request, server);
    if (declared === undefined)
      return refuse(c, "control/not-found", {
        detail: `It is not known what ${request.endpoint ?? "a function that is not named"} of ${request.space} declares: it was not called since the platform started.`,
        next: "Name its length as declaredMs, or call it once.",
      });
    const quoted = await server.ledger.quote(payer, { ...request, ...declared });
    if (!quoted) return refuse(c, "control/not-found", { detail: "No node is there." });
    return c.json(quoted.view, 200, rateLimitFields(callLimits(quoted.limits, server.clock.wall())));
  });
  api.get("/api/spaces/:owner/:name/functions", async (c) => {
    const space = knownSpace(c, server);
    if (space === undefined) return noSpace(c, `${c.req.param("owner")}/${c.req.param("name")}`);
    return c.json({ items: await server.ledger.functionsOf(space.id), next: null } satisfies Page<FunctionView>);
  });
  api.get("/api/gpu/queue", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const pool = c.req.query("pool");
    const view = await server.ledger.queue(pool);
    if (view) return c.json(queueFor(view, caller));
    const detail = pool === undefined ? "This platform has no pool." : `There is no pool ${pool}.`;
    return refuse(c, "control/not-found", { detail });
  });
  api.get("/api/gpu/board", async (c) => {
    const caller = signedIn(c);
    return caller instanceof Response ? caller : c.json(boardFor(await server.ledger.board(), caller));
  });
};

function declaredIn(
  { declaredMs, size, space, endpoint }: z.infer<typeof quoteBody>,
  server: Server,
): { readonly declaredMs: number; readonly size?: "large" | "xlarge" } | undefined {
  if (declaredMs !== undefined) return { declaredMs, ...(size !== undefined && { size }) };
  return endpoint === undefined ? undefined : server.ledger.declaredBy(space, endpoint);
}

/** To an app the Space that it runs as is known. */
function isKnownTo(c: ApiContext, server: Server, space: string, by: Payer | OfApp): boolean {
  const row = server.spaces.get(space);
  return row !== undefined && (mayKnowOf(c, row) || ("space" in by && by.space === space));
}

/** The caller; without an access token an app's visitor, or its owner. */
function payerOf(c: ApiContext, server: Server): Payer | OfApp | Response {
  const ofApp = c.get("caller") ? null : server.payerOfApp(c.req.header("x-ip-token") ?? null, insideOf(c));
  if (ofApp === null) return signedIn(c, "read");
  return ofApp.ok ? ofApp : refuse(c, ofApp.code);
}

/** Others' calls keep their place and lose their names. */
function queueFor(view: QueueView, caller: Caller): QueueView {
  if (caller.admin) return view;
  return {
    ...view,
    calls: view.calls.map((call) =>
      call.account === caller.account ? call : { ...call, account: "another", space: "another", call: "-" },
    ),
  };
}

function boardFor(view: BoardView, caller: Caller): BoardView {
  if (caller.admin) return view;
  return {
    slots: view.slots.map((slot) =>
      slot.account === caller.account ? slot : { ...slot, account: null, space: null, call: null },
    ),
  };
}
