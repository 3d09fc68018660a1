/**
 * Sign-in by another OpenID provider. `GET /login/with/NAME`: sends the browser there. `GET /login/from/NAME`: takes who comes back, and
 * makes the session. `GET`, `POST`, `DELETE /api/accounts/NAME/sign-in`: who may sign in as whom; for operators.
 */
import { z } from "zod";
import type { Page } from "../../contract/api.ts";
import type { IdentityView } from "../../contract/identity.ts";
import { ProviderFailure } from "../../identity/provider.ts";
import type { Provider } from "../../identity/provider.ts";
import { addressOf, administrator, originOf, refuse, refuseAs } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { leavingCookie, leavingOf, noLeavingCookie } from "../leaving.ts";
import { refusedPage } from "../refused-page.ts";
import { returnPath } from "../return-path.ts";
import type { Server } from "../server.ts";
import type { Refused } from "../spaces.ts";
import { browserOf, enter, insecure, isInsecure } from "./login.ts";

const subjectMaxLength = 255; // OpenID Connect Core, 2: `sub`.
export const linkBody = z.strictObject({
  provider: z.string().min(1).max(500),
  subject: z.string().min(1).max(subjectMaxLength),
});
export const unlinkBody = linkBody.pick({ provider: true });

export const providersRoute: Route = (api, server) => {
  api.get("/login/with/:provider", async (c) => {
    const provider = server.providers.find(c.req.param("provider"));
    return provider === undefined ? unknown(c) : leave(c, server, provider);
  });
  api.get("/login/from/:provider", async (c) => {
    const provider = server.providers.find(c.req.param("provider"));
    return provider === undefined ? unknown(c) : comeBack(c, server, provider);
  });

  const path = "/api/accounts/:name/sign-in" as const;
  const links = async (c: ApiContext, account: string): Promise<Response> =>
    c.json({ items: await server.providers.list(account), next: null } satisfies Page<IdentityView>);
  api.get(path, async (c) => {
    const caller = administrator(c);
    return caller instanceof Response ? caller : links(c, c.req.param("name"));
  });
  api.post(path, async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, linkBody);
    if (wish instanceof Response) return wish;
    const linked = await server.providers.link(c.req.param("name"), { ...wish, by: caller.account });
    return linked.ok ? links(c, c.req.param("name")) : refuseAs(c, linked);
  });
  api.delete(path, async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, unlinkBody);
    if (wish instanceof Response) return wish;
    const done = await server.providers.unlink(c.req.param("name"), wish.provider);
    return done.ok ? links(c, c.req.param("name")) : refuseAs(c, done);
  });
};

async function leave(c: ApiContext, server: Server, provider: Provider): Promise<Response> {
  if (isInsecure(c)) return insecure(c);
  const origin = originOf(c);
  const { name } = provider.settings;
  try {
    const { url, leaving } = await provider.leave(redirectUri(origin, name));
    const next = returnPath(c.req.query("next"), origin);
    const cookie = leavingCookie({ ...leaving, provider: name, next });
    const headers = { location: url.href, "set-cookie": cookie, "cache-control": "no-store" };
    return new Response(null, { status: 303, headers: { ...headers, "referrer-policy": "no-referrer" } });
  } catch (error) {
    return failed(c, server, error);
  }
}

async function comeBack(c: ApiContext, server: Server, provider: Provider): Promise<Response> {
  const origin = originOf(c);
  const { name } = provider.settings;
  const leaving = leavingOf(c.req.header("cookie"));
  // Each provider has an address of its own to come back to, and its own issuer in the answer: one is not taken for another (RFC 9700, 4.4).
  if (leaving === undefined || leaving.provider !== name)
    return refused(c, {
      ok: false,
      code: "identity/sign-in-ended",
      says: "No sign-in of this browser waits for that answer: it took longer than ten minutes, was answered before, or was begun elsewhere.",
    });
  // Whoever has left may come back with anything, and each time the provider is asked.
  const tried = server.signIn.tryFrom(addressOf(c), null);
  if (!tried.ok) return refused(c, tried);
  try {
    const url = new URL(redirectUri(origin, name));
    url.search = new URL(c.req.url).search;
    const person = await provider.comeBack(url, leaving);
    tried.wasRight();
    const address = addressOf(c);
    const arrived = await server.providers.arrive(provider, person, { request: c.get("requestId"), address });
    if (!arrived.ok) return refused(c, arrived);
    const begun = await server.signIn.begin({ account: arrived.account, how: `provider ${name}` }, browserOf(c));
    const answer = enter(begun, returnPath(leaving.next, origin));
    answer.headers.append("set-cookie", noLeavingCookie);
    return answer;
  } catch (error) {
    return failed(c, server, error);
  }
}

function redirectUri(origin: string, name: string): string {
  return `${origin}/login/from/${name}`;
}

/** What the provider did is in the log, whole; the person reads which boundary it was and what to do. */
function failed(c: ApiContext, server: Server, error: unknown): Response {
  if (!(error instanceof ProviderFailure)) throw error;
  if (error.code !== "identity/sign-in-ended")
    server.onFailure(`sign-in by a provider, ${error.code} (${c.get("requestId")})`, error);
  return refused(c, { ok: false, code: error.code, says: error.message });
}

/** The browser's question is answered, so its cookie goes. */
function refused(c: ApiContext, { code, says }: Refused): Response {
  const answer = refusedPage(c, code, says);
  answer.headers.append("set-cookie", noLeavingCookie);
  return answer;
}

function unknown(c: ApiContext): Response {
  return refuse(c, "control/not-found", { detail: "There is no such sign-in provider." });
}
