/** Between an app's question and its answer: the person signs in at the console, reads who asks for what, and decides. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { errors } from "oidc-provider";
import type { Interaction, InteractionResults, Provider } from "oidc-provider";
import { isAppScope, scopesOf } from "../../contract/oauth.ts";
import type { AppScope } from "../../contract/oauth.ts";
import { newId } from "../../stdx/ids.ts";
import { readBody } from "../../http/index.ts";
import { sameSecret } from "../../identity/secret-text.ts";
import { visitorOf } from "../../http/visitor.ts";
import { pageHeaders } from "../pages.ts";
import { reachable } from "./app.ts";
import type { SignInApp } from "./app.ts";
import { againPage, consentPage, goingOnPage, refusalPage } from "./pages.ts";
import type { ConsoleSession, SignInParts } from "./parts.ts";
import { mayNotSignIn } from "./may-sign-in.ts";
import { providerPaths } from "./paths.ts";
import { formSecret, grantEndsAt, rememberedGrant } from "./provider.ts";

/** A decision and a secret: some 80 bytes. */
const formMaxBytes = 4_096;

interface Asked {
  readonly provider: Provider;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly details: Interaction;
  readonly session: ConsoleSession;
  readonly app: SignInApp;
  readonly client: string;
  readonly scopes: readonly AppScope[];
}

export class Consent {
  readonly #parts: SignInParts;

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  async serve(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const details = await interactionOf(provider, request, response);
    if (details === undefined) return refuse(response, 400, "This sign-in is over, or was begun in another browser.");
    const session = await this.#parts.currentSession(request);
    const proves = details.prompt.reasons.some((reason) => reason === "login_prompt" || reason === "max_age");
    // Its whole second may have begun before the question.
    const isFresh = session !== undefined && session.signedInAt >= (details.iat + 1) * 1_000;
    if (session === undefined) return this.#signIn(response, details);
    if (proves && !isFresh) return this.#signInAgain({ request, response, details, session });
    const client = String(details.params["client_id"]);
    const space = this.#parts.clients.spaceOf(client);
    const app = space === undefined ? undefined : await this.#parts.app(space);
    if (app === undefined) return refuse(response, 400, "The app that asks is not there any more.");
    const wrong = await mayNotSignIn(this.#parts, session.account, app);
    if (wrong !== undefined)
      return refuse(response, 403, wrong, "Sign out of the console to come with another account.");
    const { scope: words } = details.params;
    const asked = new Set(typeof words === "string" ? words.split(" ") : []);
    const scopes = scopesOf(app.signIn).filter((scope) => asked.has(scope));
    const all: Asked = { provider, request, response, details, session, app, client, scopes };
    if (request.method === "POST") return this.#decide(all);
    if (request.method !== "GET") return refuse(response, 405, "This page is read, and its form sent.");
    const known = details.prompt.reasons.includes("consent_prompt") ? undefined : await this.#remembered(all);
    if (known === undefined) return this.#ask(all);
    return this.#goOn(all, allowed(session, known));
  }

  #signIn(response: ServerResponse, { uid }: Interaction, cookie?: string): void {
    const location = this.#parts.signInPath(`${providerPaths.interaction}/${uid}`);
    const headers = { location, "cache-control": "no-store", "content-length": "0" };
    response.writeHead(303, { ...headers, ...(cookie !== undefined && { "set-cookie": cookie }) }).end();
  }

  /** Nobody is signed out by an app's wish alone: the person says so, and then signs in. */
  async #signInAgain({
    request,
    response,
    details,
    session,
  }: Pick<Asked, "request" | "response" | "details" | "session">): Promise<void> {
    if (request.method === "POST") {
      if (!isOurs(request, await formOf(request), formSecret(this.#parts, session))) return notOurs(response);
      return this.#signIn(response, details, await this.#parts.endSession(session));
    }
    const action = `${providerPaths.interaction}/${details.uid}`;
    const body = againPage({ account: session.account, action, secret: formSecret(this.#parts, session) });
    response.writeHead(200, { ...pageHeaders }).end(body);
  }

  #ask({ response, details, session, app, scopes }: Asked): void {
    const { origin } = new URL(reachable(app, String(details.params["redirect_uri"])));
    const body = consentPage({
      ...{ app, origin, account: session.account, scopes, minutes: app.signIn.expiresInMinutes },
      ...{ action: `${providerPaths.interaction}/${details.uid}`, secret: formSecret(this.#parts, session) },
    });
    response.writeHead(200, { ...pageHeaders }).end(body);
  }

  async #decide(asked: Asked): Promise<void> {
    const { request, response, session } = asked;
    const form = await formOf(request);
    if (!isOurs(request, form, formSecret(this.#parts, session))) return notOurs(response);
    const decision = form?.get("decision");
    if (decision === "deny")
      return this.#goOn(asked, { error: "access_denied", error_description: "the person said no" });
    if (decision !== "allow") return refuse(response, 400, "The form says neither allow nor deny.");
    return this.#goOn(asked, allowed(session, await this.#grant(asked)));
  }

  /**
   * A form led here: this one, or the one that signed in. Browsers hold every redirect that a form's answer is to what its page may lead to
   * (Content Security Policy Level 3 §6.4.1), and where the app sends them is the app's to say. So a page goes on, as a step of its own.
   */
  async #goOn({ provider, request, response }: Asked, result: InteractionResults): Promise<void> {
    const url = await provider.interactionResult(request, response, result, { mergeWithLastSubmission: false });
    response.writeHead(200, { ...pageHeaders, refresh: `0; url=${url}` }).end(goingOnPage(url));
  }

  /** Keeps what the person allows, with its entry in the audit log before it. */
  async #grant({ provider, request, session, app, client, scopes }: Asked): Promise<string> {
    const { audit, clock, random } = this.#parts;
    const [owner = ""] = app.space.split("/");
    const entry = {
      ...{ account: session.account, token: null, session: session.id, address: visitorOf(request).address || null },
      ...{ action: "app.allow", target: `space/${app.space}`, owner, request: newId("q", random), was: null },
      became: JSON.stringify({ app: app.space, scopes }),
    };
    const id = await audit.add({ ...entry, at: clock.wall(), outcome: "begun" });
    const who = { account: session.account, client };
    const grant =
      (await rememberedGrant(provider, this.#parts, who)) ??
      new provider.Grant({ accountId: session.account, clientId: client });
    grant.addOIDCScope(scopes.join(" "));
    grant.exp = grantEndsAt(this.#parts);
    const grantId = await grant.save();
    await audit.end({ ...entry, id, outcome: "done" });
    return grantId;
  }

  /** What was allowed before, where that is all that is asked for now. */
  async #remembered({ provider, session, client, scopes }: Asked): Promise<string | undefined> {
    const grant = await rememberedGrant(provider, this.#parts, { account: session.account, client });
    const granted = new Set(grant?.getOIDCScope().split(" ").filter(isAppScope));
    return scopes.every((scope) => granted.has(scope)) ? grant?.jti : undefined;
  }
}

/** Undefined where its time is over, or the browser is not the one that it was begun in. */
async function interactionOf(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Interaction | undefined> {
  try {
    const details = await provider.interactionDetails(request, response);
    const isNamed = (request.url ?? "").split("?", 1)[0] === `${providerPaths.interaction}/${details.uid}`;
    return isNamed ? details : undefined;
  } catch (error) {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  }
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const body = await readBody(request, formMaxBytes);
  return body.ok ? new URLSearchParams(body.bytes.toString()) : undefined;
}

function allowed({ account, signedInAt }: ConsoleSession, grantId: string): InteractionResults {
  return { login: { accountId: account, ts: Math.floor(signedInAt / 1_000) }, consent: { grantId } };
}

/** Whether a page of ours sent it, to this session. */
function isOurs({ headers }: IncomingMessage, form: URLSearchParams | undefined, secret: string): boolean {
  return (
    (headers["sec-fetch-site"] ?? "same-origin") === "same-origin" && sameSecret(form?.get("secret") ?? "", secret)
  );
}

function notOurs(response: ServerResponse): void {
  refuse(response, 403, "This form was not sent from the page that asks.");
}

function refuse(response: ServerResponse, status: number, says: string, next?: string): void {
  response.writeHead(status, { ...pageHeaders }).end(refusalPage(says, next));
}
