/** Where a person's browser goes from an address at which it is told that there is nothing: to sign in, where there might be something. Pure. */
import { handOverPaths } from "../contract/hand-over.ts";
import type { Credentials } from "./ports.ts";
import { isOfWindow } from "./visit-cookie.ts";

export interface Visited {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly target: string;
  /** The host, or the Space's own port. */
  readonly place: string;
}

/**
 * A page in a window of its own, without credentials; whether a private Space is there or none makes no difference. Undefined for all
 * else, which is told so: what a script or a frame asks for leads nobody to sign in.
 */
export function signInLocation(
  { method, rawHeaders, target, place }: Visited,
  { authorization, xHfAuthorization, ipToken, visit, inside }: Credentials,
  appsDomain: string | undefined,
): string | undefined {
  if (authorization !== undefined || xHfAuthorization !== undefined || ipToken !== undefined) return undefined;
  if (visit !== undefined || inside !== undefined || method !== "GET") return undefined;
  if (appsDomain === undefined || !(place.endsWith(`.${appsDomain}`) || place.startsWith(":"))) return undefined;
  return isOfWindow(rawHeaders) ? `${handOverPaths.signIn}?to=${encodeURIComponent(target)}` : undefined;
}
