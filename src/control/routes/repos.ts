/**
 * `POST /api/repos/create` and `PUT /api/spaces/OWNER/NAME/settings`: the Hub's way to make a Space before anything is pushed to it, and to
 * make it private or public.
 */
import { z } from "zod";
import type { CreatedRepo } from "../../contract/hub.ts";
import type { ApiContext, Route } from "../api.ts";
import { originOf, ownerOf, problemResponse, refuse, signedIn } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { jsonBody } from "../json-body.ts";
import { problemOf } from "../../http/index.ts";
import { askedSpace } from "./asked-space.ts";
import { actorOf, isRefused } from "./space-states.ts";

const seen = {
  private: z.boolean().nullish(),
  visibility: z.enum(["public", "private"], "write public or private").nullish(),
};

const wish = z.strictObject({
  ...seen,
  name: z.string().max(200),
  /** The account that is to own it; the caller's own where it is absent. */
  organization: z.string().max(200).nullish(),
  type: z.literal("space", "only Spaces are kept here: write space").optional(),
  // The README's front matter says it.
  sdk: z.string().max(40).nullish(),
});

const change = z.strictObject({ ...seen, gated: z.literal(false, "Spaces are not gated here").nullish() });

export const reposRoute: Route = (api, server) => {
  api.post("/api/repos/create", async (c) => {
    const caller = signedIn(c, "write");
    const via = c.get("caller")?.via;
    // A token for single Spaces may make those.
    const makesSome = via?.kind === "token" && via.spaces.some(({ right }) => right === "write");
    if (caller instanceof Response && !makesSome) return caller;
    const asked = await jsonBody(c, wish);
    if (asked instanceof Response) return asked;
    const owner = asked.organization ?? c.get("caller")?.account ?? "";
    const id = `${owner}/${asked.name}`;
    const by = ownerOf(c, owner, "write", id);
    if (by instanceof Response) return by;
    const url = `${originOf(c)}/spaces/${id}`;
    if (server.spaces.get(id)) return thereAlready(c, id, url);
    const settings = { private: isPrivate(asked) ?? false };
    const made = await server.spaces.ensure(owner, asked.name, by.account, settings);
    if (!made.ok && made.refusal === "no-such-account")
      return refuse(c, "control/not-found", { detail: `There is no account ${owner}.` });
    if (!made.ok) return refuse(c, "control/invalid", { detail: `${id} cannot be a Space: ${made.refusal}.` });
    noteChange(c, { owner, ...settings });
    return c.json({ url, name: id, id } satisfies CreatedRepo);
  });
  api.put("/api/spaces/:owner/:name/settings", async (c) => {
    const named = askedSpace(c, server);
    if (named instanceof Response) return named;
    const asked = await jsonBody(c, change);
    if (asked instanceof Response) return asked;
    const wished = isPrivate(asked);
    if (wished !== undefined && !server.effects.made) {
      noteChange(c, { private: wished });
      const changed = await server.spaces.set(named.space, { private: wished }, actorOf(named.caller));
      if (changed !== undefined && isRefused(changed)) return refuse(c, changed.code, { detail: changed.says });
    }
    const shown = server.spaces.get(named.space)?.settings.private === true;
    return c.json({ private: shown, visibility: shown ? "private" : "public", gated: false });
  });
};

/** Undefined where nothing is said of it. */
function isPrivate({ visibility, ...asked }: z.infer<z.ZodObject<typeof seen>>): boolean | undefined {
  return visibility ? visibility === "private" : (asked.private ?? undefined);
}

/** The Hub's clients go on with the address. */
function thereAlready(c: ApiContext, id: string, url: string): Response {
  const problem = problemOf("control/conflict", { waybill: c.get("requestId"), detail: `${id} is there already.` });
  const body = JSON.stringify({ ...problem, url });
  return new Response(body, { status: problem.status, headers: problemResponse(problem).headers });
}
