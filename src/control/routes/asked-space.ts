/** The Space that a path names, `/api/spaces/OWNER/NAME…`, for who may ask about it. */
import type { SpaceRow } from "../../catalog/spaces.ts";
import type { Right } from "../../identity/roles.ts";
import type { ApiContext } from "../api.ts";
import { mayKnowOf, refuse, spaceOwnerOf } from "../api.ts";
import type { Caller } from "../caller.ts";
import type { Server } from "../server.ts";

/** The Space and who asks, if it may and the Space is there; else the answer that says no. `right`: as of {@link spaceOwnerOf}. */
export function askedSpace(
  c: ApiContext,
  server: Server,
  right?: Right,
): { readonly space: string; readonly caller: Caller } | Response {
  const { owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  const caller = spaceOwnerOf(c, right);
  if (caller instanceof Response) return caller;
  const space = `${owner}/${name}`;
  return server.spaces.get(space) ? { space, caller } : noSpace(c, space);
}

/** Also of a private one that the caller may not know of. The Hub's clients tell by the code that it is the Space which is missing. */
export function noSpace(c: ApiContext, space: string): Response {
  return refuse(c, "control/not-found", { detail: `There is no Space ${space}.` }, { "x-error-code": "RepoNotFound" });
}

/** The Space that the path names, if the caller may know of it. */
export function knownSpace(c: ApiContext, server: Server): SpaceRow | undefined {
  const { owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  const row = server.spaces.get(`${owner}/${name}`);
  return row && mayKnowOf(c, row) ? row : undefined;
}
