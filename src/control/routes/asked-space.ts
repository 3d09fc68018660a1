/** The Space that a path names, `/api/spaces/OWNER/NAME…`, for who may ask about it. */
import type { Right } from "../../identity/roles.ts";
import type { ApiContext } from "../api.ts";
import { refuse, spaceOwnerOf } from "../api.ts";
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

export function noSpace(c: ApiContext, space: string): Response {
  return refuse(c, "control/not-found", { detail: `There is no Space ${space}.` });
}
