/** What every route of the API shares: who calls, how a refusal is written, how a stream of lines is sent. */
import type { Context as HonoContext, Hono } from "hono";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { InsideCaller } from "../contract/egress.ts";
import type { Problem } from "../contract/problem.ts";
import type { Code } from "../evidence/codes.ts";
import { problemOf } from "../http/index.ts";
import type { ProblemExtra } from "../http/index.ts";
import type { Right } from "../identity/roles.ts";
import type { Scope } from "../identity/token-resolver.ts";
import type { AskedBody } from "./audited.ts";
import type { Caller } from "./caller.ts";
import type { Server } from "./server.ts";
import type { Refused } from "./spaces.ts";

export interface ApiEnv {
  /** `origin`: the platform's address as this client wrote it. `address`: the client's own; "" where nothing tells it. */
  // oxlint-disable-next-line typescript/consistent-type-definitions -- Hono wants an object type
  Bindings: { inside: InsideCaller | null; origin: string; address: string };
  // oxlint-disable-next-line typescript/consistent-type-definitions -- Hono wants an object type
  /** `asked`: the body as it was parsed, and what a route adds for the audit log. */
  Variables: { caller: Caller | null; requestId: string; asked?: AskedBody };
}

export type Api = Hono<ApiEnv>;
export type ApiContext = HonoContext<ApiEnv>;
/** A route's file registers itself on the API and reads the server. */
export type Route = (api: Api, server: Server) => void;

/** A header is one line, and many proxies bound all of them to some kilobytes. */
const errorMessageMax = 500;

/** An answer that says no: the row of the code, and what happened this time. */
export function refuse(
  c: ApiContext,
  code: Code,
  extra: ProblemExtra = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  return problemResponse(problemOf(code, { waybill: c.get("requestId"), ...extra }), headers);
}

/** The same of what the server did not do. */
export function refuseAs(c: ApiContext, { code, says, next }: Refused): Response {
  return refuse(c, code, { detail: says, ...(next !== undefined && { next }) });
}

export function problemResponse(problem: Problem, more: Readonly<Record<string, string>> = {}): Response {
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    // The Hub's clients tell of a 401 or 403 what stands here, and not what the body says.
    "x-error-message": problem.detail.replace(/[^\x20-\x7e]+/g, " ").slice(0, errorMessageMax),
    ...more,
  };
  if (problem.status === 401) headers["www-authenticate"] = 'Bearer realm="waybill"';
  if (problem.status === 429 || problem.status === 503) headers["retry-after"] = "2";
  // `error`: where the Hub's clients look for the sentence.
  return new Response(JSON.stringify({ ...problem, error: problem.detail }), { status: problem.status, headers });
}

/** The caller, or the answer that asks for a sign-in, or for a token that may do this: reading needs `read`, all else `write`. */
export function signedIn(c: ApiContext, scope: Scope = scopeOf(c)): Caller | Response {
  const caller = c.get("caller");
  if (!caller || caller.scopes.includes(scope)) return caller ?? refuse(c, "identity/missing");
  return notFor(c, scope);
}

/**
 * {@link signedIn} for what opens an account: its tokens, sessions and password. An app's token is none of that, whatever it may: with
 * another one that it made, or without the sessions of whoever would end it, it would outlast what its person takes back.
 */
export function inPerson(c: ApiContext): Caller | Response {
  const caller = signedIn(c);
  if (caller instanceof Response || caller.via.kind === "session" || !caller.via.app) return caller;
  return refuse(c, "identity/forbidden", {
    detail: `This token was given to the app ${caller.via.app}: what opens an account is not an app's.`,
  });
}

/** {@link inPerson}, or an operator by whichever token: one that may do nothing else may still give somebody a way in. */
export function inPersonOrOperator(c: ApiContext): Caller | Response {
  const caller = c.get("caller");
  return caller?.admin ? caller : inPerson(c);
}

/** The answer to a token that is for something else. */
export function notFor(c: ApiContext, scope: Scope): Response {
  return refuse(c, "identity/forbidden", { detail: `This token is not for that: it has not the scope ${scope}.` });
}

/** Who may see what is its own; null for nobody, and for one whose token is not for that. */
export function knownCaller(c: ApiContext): Caller | null {
  const caller = signedIn(c);
  return caller instanceof Response ? null : caller;
}

/** Whether the caller may know all about what `owner` owns. */
export function mayKnow(c: ApiContext, owner: string | null, right: Right = "read", space?: string): boolean {
  const caller = c.get("caller");
  if (!caller?.grants("read", space)) return false;
  return owner === null ? caller.admin : caller.may(right, { owner, ...(space !== undefined && { space }) });
}

/** Whether the caller may know that there is such a Space. */
export function mayKnowOf(
  c: ApiContext,
  { owner, id, settings }: Pick<SpaceRow, "owner" | "id" | "settings">,
): boolean {
  return !settings.private || mayKnow(c, owner, "read", id);
}

/** Whether the caller is an app in a sandbox, where the Spaces' numeric addresses are its own loopback. */
export function isInside(c: ApiContext): boolean {
  return insideOf(c) !== null;
}

/** The platform's address as this client wrote it. */
export function originOf(c: ApiContext): string {
  return bindingsOf(c)?.origin ?? new URL(c.req.url).origin;
}

/** The app in a sandbox that calls; null where none does. */
export function insideOf(c: ApiContext): InsideCaller | null {
  return bindingsOf(c)?.inside ?? null;
}

/** The client's own address; null where nothing tells it. */
export function addressOf(c: ApiContext): string | null {
  return bindingsOf(c)?.address || null;
}

/** Undefined where a test asks without a connection. */
function bindingsOf(c: ApiContext): Partial<ApiEnv["Bindings"]> | undefined {
  return c.env;
}

/** The caller if it is an administrator. */
export function administrator(c: ApiContext): Caller | Response {
  const caller = c.get("caller") ?? refuse(c, "identity/missing");
  if (caller instanceof Response || caller.admin) return caller;
  return refuse(c, "identity/forbidden", { detail: "This needs an administrator's token." });
}

/** The caller if it may do so to what `owner` owns, or to that Space of it. Without `right`: reading is for who may read, all else for who may write. */
export function ownerOf(
  c: ApiContext,
  owner: string,
  right: Right = scopeOf(c) === "read" ? "read" : "write",
  space?: string,
): Caller | Response {
  const caller = c.get("caller");
  if (!caller) return refuse(c, "identity/missing");
  const scope = scopeOf(c);
  if (!caller.grants(scope, space)) return notFor(c, scope);
  if (caller.may(right, { owner, ...(space !== undefined && { space }) })) return caller;
  return refuse(c, "identity/forbidden", { detail: `This belongs to ${owner}.` });
}

/** The same of the Space that the path names. */
export function spaceOwnerOf(c: ApiContext, right?: Right): Caller | Response {
  const { owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  return ownerOf(c, owner, right, `${owner}/${name}`);
}

function scopeOf(c: ApiContext): "read" | "write" {
  return c.req.method === "GET" || c.req.method === "HEAD" ? "read" : "write";
}

/** The account that a list is asked of: the one that is named, if it is the caller's to see, else its own. */
export function askedAccount(c: ApiContext): string | Response {
  const caller = signedIn(c);
  if (caller instanceof Response) return caller;
  const account = c.req.query("account") ?? caller.account;
  const allowed = ownerOf(c, account, "admin");
  return allowed instanceof Response ? allowed : account;
}

/** A whole number of a query, within bounds; the default where it is absent or is not one. */
export function wholeNumber(
  text: string | undefined,
  { min, max, otherwise }: { min: number; max: number; otherwise: number },
): number {
  if (text === undefined || !/^\d{1,12}$/.test(text)) return otherwise;
  return Math.min(max, Math.max(min, Number(text)));
}
