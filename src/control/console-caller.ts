/**
 * Who asks the API, and whether a page of another site asks in their name: a browser adds its session's cookie to whatever any page lets
 * it send, so a session alone is no proof that its person wanted this.
 */
import { noSessionCookie, sessionSecretOf } from "../identity/sessions.ts";
import type { Code } from "../evidence/codes.ts";
import type { ApiContext } from "./api.ts";
import { insideOf, originOf, refuse } from "./api.ts";
import type { Caller } from "./caller.ts";
import type { Server } from "./server.ts";

export type ConsoleCaller =
  | { readonly caller: Caller | null; readonly endedSession: boolean }
  | { readonly refused: Code; readonly says?: string };

/** A token goes before a cookie. Pages show a browser whose session has ended what they show to everybody. */
export async function callerOf(c: ApiContext, server: Server): Promise<ConsoleCaller> {
  const byToken = await server.callers.byToken(c.req.header("authorization"));
  if ("refused" in byToken) return byToken;
  const secret = byToken.caller === null ? sessionSecretOf(c.req.header("cookie")) : undefined;
  if (secret === undefined) return { ...byToken, endedSession: false };
  // An app that has the cookie of a browser has no business with it.
  const called = insideOf(c) ? endedSession : await server.callers.bySession(secret);
  if ("refused" in called) return isApi(c) ? called : { caller: null, endedSession: true };
  const says = foreignSays(c);
  return says === undefined ? { ...called, endedSession: false } : { refused: "identity/cross-site", says };
}

export function refuseCaller(c: ApiContext, called: { readonly refused: Code; readonly says?: string }): Response {
  const isToken = called.refused === "identity/bad-token" || called.refused === "identity/token-expired";
  const answer = refuse(
    c,
    called.refused,
    called.says === undefined ? {} : { detail: called.says },
    // By this sentence `huggingface_hub` knows that it is not the repository which is missing.
    isToken ? { "x-error-message": "Invalid credentials in Authorization header" } : {},
  );
  if (called.refused === "identity/session-ended") answer.headers.append("set-cookie", noSessionCookie);
  return answer;
}

const endedSession = { refused: "identity/session-ended" } as const;
const safe: readonly string[] = ["GET", "HEAD", "OPTIONS"];
/** What a form or a script of another site sends without asking the platform first (Fetch, "CORS-safelisted request-header"). */
const ofForms = /^\s*(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(?:;|$)/i;

/**
 * Why the request is not taken for the console's own; undefined where it is. Browsers say where a request comes from in `Sec-Fetch-Site`
 * (W3C Fetch Metadata §2.3) where the console's address is trustworthy, and in `Origin` (Fetch §3.2) for whatever may write: one of the
 * two must name the console itself. Another port of its host, or another name of its domain, is not it: Spaces may be there. A write to
 * the API is also none that a plain form could make. Reading is open to a link that leads here.
 */
export function foreignSays(c: ApiContext): string | undefined {
  const site = c.req.header("sec-fetch-site");
  if (safe.includes(c.req.method)) {
    const isOwn = site === undefined || site === "same-origin" || site === "none";
    if (isOwn || c.req.header("sec-fetch-mode") === "navigate") return undefined;
    return `A page of another site (${site}) read here with the console's cookie.`;
  }
  const origin = c.req.header("origin");
  if (site === undefined ? origin !== originOf(c) : site !== "same-origin")
    return `The request bears the console's cookie and came from ${site === undefined ? (origin ?? "nowhere that it names") : `a page that is ${site}`}, not from the console itself.`;
  const type = c.req.header("content-type");
  const isForms = c.req.method === "POST" && (type === undefined || ofForms.test(type));
  if (isApi(c) && isForms && c.req.header("x-requested-with") === undefined)
    return "The request bears the console's cookie and is one that a form could make: send JSON, or the header `X-Requested-With`.";
  return undefined;
}

function isApi(c: ApiContext): boolean {
  return c.req.path.startsWith("/api/");
}
