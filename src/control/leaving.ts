/** What a browser keeps while it is at another provider: the cookie that makes the answer to its own question the only one that is taken. */
import { cookieIn, hostCookieAttributes } from "../contract/hand-over.ts";
import type { Leaving } from "../identity/provider.ts";

/** `next`: the console's own page to go on to. */
export interface LeavingTo extends Leaving {
  readonly provider: string;
  readonly next: string;
}

const cookieName = "__Host-waybill-leaving";
/** A person signs in there with a second factor and a forgotten password; no longer. */
const livesSeconds = 600;

export function leavingCookie(leaving: LeavingTo): string {
  const value = Buffer.from(JSON.stringify(leaving)).toString("base64url");
  return `${cookieName}=${value}; Max-Age=${livesSeconds}; ${hostCookieAttributes}`;
}

export const noLeavingCookie = `${cookieName}=; Max-Age=0; ${hostCookieAttributes}`;

/** Undefined where the browser has not left from here, or brings what was not set here. */
export function leavingOf(cookie: string | undefined): LeavingTo | undefined {
  const value = cookieIn(cookie, cookieName);
  if (value === undefined || value === "") return undefined;
  try {
    const { state, nonce, verifier, provider, next } = JSON.parse(
      Buffer.from(value, "base64url").toString(),
    ) as Readonly<Record<keyof LeavingTo, unknown>>;
    const all = [state, nonce, verifier, provider, next];
    if (!all.every((part): part is string => typeof part === "string" && part !== "")) return undefined;
    return { state, nonce, verifier, provider, next } as LeavingTo;
  } catch {
    return undefined; // Not what was set here: whoever brings it starts again.
  }
}
