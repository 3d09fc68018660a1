/**
 * The audit log's side of the API: before a request that may change something is answered there is an entry that says so. The change's
 * own commit calls the entry done where the catalog has the change; for all others that is written before the answer is sent. A
 * refused request changed nothing, and leaves none.
 */
import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { AuditEnding, AuditRow } from "../catalog/audit.ts";
import type { AuditEntryView } from "../contract/identity.ts";
import { iso } from "../stdx/time.ts";
import { addressOf } from "./api.ts";
import type { ApiContext, ApiEnv } from "./api.ts";
import { audited, changeless, ownEntries, part } from "./audited.ts";
import type { AskedBody, Audited, PathParts } from "./audited.ts";
import type { Server } from "./server.ts";

/** Of one field of an entry: settings fit, a long text is cut. */
const saidMaxBytes = 4_096;
const shownChars = 1_000;
const changing: readonly string[] = ["POST", "PUT", "PATCH", "DELETE"];

export function auditing(server: Server): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const caller = c.get("caller");
    const of = changing.includes(c.req.method) ? routeOf(c) : undefined;
    // A stranger changes nothing; and what an earlier try of this request has done has its entry from then.
    if (of === undefined || caller === null || server.effects.made !== undefined) return next();
    const path = { ...of.path, ...(await of.audited.known?.(server, of.path)) };
    const was: unknown = await of.audited.was?.(server, path);
    const said = (): Pick<AuditEnding, "target" | "owner" | "was" | "became"> =>
      told(of.audited, path, was, c.get("asked"));
    const id = await server.catalog.audit.add({
      ...said(),
      at: server.clock.wall(),
      account: caller.account,
      token: caller.via.kind === "token" ? caller.via.id : null,
      session: caller.via.kind === "session" ? caller.via.id : null,
      address: addressOf(c),
      action: typeof of.audited.action === "string" ? of.audited.action : of.audited.action(path),
      request: c.get("requestId"),
      outcome: "begun",
    });
    const kept = { done: "", isAnswered: false };
    const done = (): AuditEnding => ({ id, ...said(), outcome: "done" });
    const entry = (): AuditEnding | null => {
      // Work that a request leaves behind it is not the request's any more.
      if (kept.isAnswered) return null;
      const ending = done();
      kept.done = JSON.stringify(ending);
      return ending;
    };
    try {
      await server.effects.audited(entry, next);
    } finally {
      kept.isAnswered = true;
    }
    const { status } = c.res;
    if (status < 400 && JSON.stringify(done()) !== kept.done) await server.catalog.audit.end(done());
    else if (status >= 500) await server.catalog.audit.end({ ...done(), outcome: "failed" });
    else if (status >= 400) await server.catalog.audit.forget(id);
    return undefined;
  };
}

/** Tells the entry what of the request is worth keeping beside its body. */
export function noteChange(c: ApiContext, facts: AskedBody): void {
  c.set("asked", { ...c.get("asked"), ...facts });
}

export function auditEntryView(row: AuditRow, { mayTrace }: { readonly mayTrace: boolean }): AuditEntryView {
  const { id, at, account, token, session, address, was, became, ...rest } = row;
  const parse = (text: string | null): unknown => (text === null ? null : (JSON.parse(text) as unknown));
  const by = mayTrace ? { token, session, address } : { token: null, session: null, address: null };
  return { id, at: iso(at), account, ...by, ...rest, before: parse(was), after: parse(became) };
}

/** What an entry says is so; the body is empty until it was read and found to be right. */
function told(
  { target, owner, pick, secret = [] }: Audited,
  path: PathParts,
  was: unknown,
  asked: AskedBody | undefined,
): Pick<AuditEnding, "target" | "owner" | "was" | "became"> {
  const body = Object.fromEntries(Object.entries(asked ?? {}).filter(([name]) => !secret.includes(name)));
  const before = pick ? pick(was, body) : besideBody(was, Object.keys(body));
  return {
    target: target(path, body),
    owner: owner(path, body),
    was: bounded(before),
    became: bounded(Object.keys(body).length === 0 ? undefined : body),
  };
}

function besideBody(was: unknown, names: readonly string[]): unknown {
  const same = part(was, names);
  return same !== undefined && Object.keys(same as object).length > 0 ? same : was;
}

function bounded(value: unknown): string | null {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return null;
  const bytes = Buffer.byteLength(text);
  return bytes <= saidMaxBytes ? text : JSON.stringify({ cut: text.slice(0, shownChars), bytes });
}

/** The route that will answer, with the parts of its path; undefined where none will, or it changes nothing. */
function routeOf(c: ApiContext): { readonly audited: Audited; readonly path: PathParts } | undefined {
  const route = matchedRoutes(c).find(({ path }) => path !== "/*");
  if (route === undefined) return undefined;
  const name = `${c.req.method} ${route.path}`;
  const found = audited[name];
  if (found) return { audited: found, path: partsOf(route.path, c.req.path) };
  if (changeless.includes(name) || ownEntries.includes(name)) return undefined;
  throw new Error(`${name} changes something and is not in the audit log's table`);
}

function partsOf(pattern: string, path: string): PathParts {
  const written = path.split("/");
  return Object.fromEntries(
    pattern
      .split("/")
      .flatMap((part, at) =>
        part.startsWith(":") ? [[part.slice(1).replace(/\{.*$/, ""), decoded(written[at] ?? "")] as const] : [],
      ),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // What is no encoding names nothing that is there: the route says so.
  }
}
