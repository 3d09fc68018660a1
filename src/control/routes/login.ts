/**
 * `GET` and `POST /login`: a person's browser signs in, by password or by the code of a link, and goes back to the page that sent it here.
 * `POST /logout`: its session ends.
 */
import { codeRow } from "../../evidence/codes.ts";
import { prefersHtml } from "../../http/index.ts";
import { noSessionCookie, sessionCookie } from "../../identity/sessions.ts";
import { isLoopback } from "../../http/visitor.ts";
import { addressOf, originOf, refuse, refuseAs, signedIn } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { foreignSays } from "../console-caller.ts";
import { formFields } from "../form-body.ts";
import { loginHeaders, loginPage, noLoginPage, onwardPage } from "../login-page.ts";
import { pageHeaders } from "../pages.ts";
import { returnPath } from "../return-path.ts";
import type { Server } from "../server.ts";
import type { Browser, SignedIn } from "../sign-in.ts";

export const loginRoute: Route = (api, server) => {
  api.get("/login", (c) => {
    const next = returnPath(c.req.query("next"), originOf(c));
    if (isInsecure(c)) return insecure(c);
    if (c.get("caller") !== null) return to(next);
    const says = c.req.query("kept") === "no" ? notKept : undefined;
    return html(loginPage({ next, says, providers: providersOf(server) }), says === undefined ? 200 : 400);
  });
  // By the cookie that it has just been given, a browser goes on; without, it has not kept it.
  api.get("/login/kept", (c) => {
    const next = returnPath(c.req.query("next"), originOf(c));
    if (c.get("caller") === null) return to(`/login?${new URLSearchParams({ next, kept: "no" })}`);
    return html(onwardPage(next));
  });
  api.post("/login", (c) => signIn(c, server));
  api.post("/logout", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    if (caller.via.kind !== "session")
      return refuse(c, "control/conflict", { detail: "A token is not signed in: `DELETE /api/tokens/ID` ends it." });
    noteChange(c, { session: caller.via.id, account: caller.account });
    await server.sessions.end({ id: caller.via.id, account: caller.account }, { asked: true });
    return to("/login", noSessionCookie);
  });
};

async function signIn(c: ApiContext, server: Server): Promise<Response> {
  const fields = await formFields(c);
  if (fields instanceof Response) return fields;
  const { name = "", password = "", code } = fields;
  if (code === undefined && (name === "" || name.length > 64 || password === ""))
    return refuse(c, "control/invalid", { detail: "Send name and password, or the code of a link." });
  // Whoever signs a browser in from elsewhere has it act in their own name, unseen.
  const foreign = foreignSays(c);
  if (foreign !== undefined) return refuse(c, "identity/cross-site", { detail: foreign });
  if (isInsecure(c)) return insecure(c);
  const next = returnPath(fields["next"], originOf(c));
  const by = browserOf(c);
  const done = await (code === undefined
    ? server.signIn.byPassword({ name, password }, by)
    : server.signIn.byLink(code, by));
  if (done.ok) return enter(done, next);
  const { status, next: advice } = codeRow(done.code);
  const retry = done.waitMs === undefined ? {} : { "retry-after": String(Math.ceil(done.waitMs / 1_000)) };
  if (prefersHtml(c.req.header("accept")))
    return html(
      loginPage({ next, says: `${done.says} ${advice}`, name, providers: providersOf(server) }),
      status,
      retry,
    );
  const answer = refuseAs(c, done);
  for (const [field, value] of Object.entries(retry)) answer.headers.set(field, value);
  return answer;
}

/** The browser has its session, and goes where it came from. */
export function enter({ secret }: SignedIn & { readonly ok: true }, next: string): Response {
  return to(`/login/kept?${new URLSearchParams({ next })}`, sessionCookie(secret));
}

export function browserOf(c: ApiContext): Browser {
  return {
    ...{ address: addressOf(c), agent: c.req.header("user-agent") ?? null },
    ...{ cookie: c.req.header("cookie"), request: c.get("requestId") },
  };
}

function providersOf(server: Server): readonly { readonly name: string; readonly label: string }[] {
  return server.providers.all.map(({ settings }) => settings);
}

const notKept =
  "Your browser did not keep the session's cookie. It keeps it over `https` and, but for Safari, on this machine itself; one that refuses all cookies has to make an exception.";

/** Browsers keep the session's cookie where nobody on the way can read it: over TLS, or on the machine itself (W3C Secure Contexts §3.1). */
export function isInsecure(c: ApiContext): boolean {
  return isInsecureAt(originOf(c));
}

/** The same of another address. */
export function isInsecureAt(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  const isHere =
    hostname === "localhost" || hostname.endsWith(".localhost") || isLoopback(hostname.replace(/[[\]]/g, ""));
  return protocol === "http:" && !isHere;
}

export function insecure(c: ApiContext): Response {
  const { says, next, status } = codeRow("identity/insecure");
  return prefersHtml(c.req.header("accept"))
    ? new Response(noLoginPage(says, next), { status, headers: pageHeaders })
    : refuse(c, "identity/insecure");
}

function html(text: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { ...loginHeaders, ...headers } });
}

function to(path: string, cookie?: string): Response {
  const headers = new Headers({ location: path, "cache-control": "no-store" });
  if (cookie !== undefined) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
