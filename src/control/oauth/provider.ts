/**
 * The OpenID provider for apps: `oidc-provider` with what this platform allows of it, which is the code flow and no more. Who is signed in
 * is the console's session; what apps get is an access token of the account, within what was granted.
 */
import { createHmac } from "node:crypto";
import type { JWK } from "jose";
import { interactionPolicy, Provider } from "oidc-provider";
import type { AccountClaims, Client, Configuration, KoaContextWithOIDC } from "oidc-provider";
import { accountClaims } from "./claims.ts";
import { adapterOf, grantLookup, payloadOf } from "./adapter.ts";
import { mayReturnTo, reachable } from "./app.ts";
import type { SignInApp } from "./app.ts";
import { assert } from "../../stdx/assert.ts";
import { newAccessToken } from "../../identity/access-token.ts";
import { appScopes } from "../../contract/oauth.ts";
import { pageHeaders } from "../pages.ts";
import { mayNotSignIn } from "./may-sign-in.ts";
import { refusalPage } from "./pages.ts";
import type { ConsoleSession, SignInParts } from "./parts.ts";
import { providerPaths } from "./paths.ts";

/** RFC 6749 §4.1.2 recommends ten minutes at most; a browser needs no second. */
const codeSeconds = 60;
/** To read, to sign in, to decide. */
const interactionSeconds = 1_800;
/** Of somebody who is not signed in yet: of too many those that end first go, so these before one that a signed-in person has just begun. */
const strangersInteractionSeconds = 600;
/** What a person allowed is remembered for so long, and read for tokens that were given last. */
export const rememberedSeconds = 30 * 24 * 3_600;
const grantSeconds = 2 * rememberedSeconds;
const idTokenSeconds = 3_600;

export function openProvider(parts: SignInParts, keys: readonly JWK[]): Provider {
  const provider = new Provider(parts.providerUrl(), configurationOf(parts, keys));
  // What came before it has said which host and scheme this is.
  provider.proxy = true;
  // What fails is told below.
  provider.silent = true;
  provider.on("server_error", (_ctx, error) => parts.onFailure("the OpenID provider", error));
  provider.use((ctx, next) => answerOfOurs(parts, ctx as KoaContextWithOIDC, next));
  useConsoleSessions(provider, parts);
  giveTokensOfOurs(provider, parts);
  const { Client: clients } = provider;
  const apps = parts.app;
  clients.prototype.redirectUriAllowed = function (this: Client, uri: string): boolean {
    const app = this["waybillApp"] as SignInApp | undefined;
    return app === undefined ? false : mayReturnTo(app, uri);
  };
  const find = clients.find.bind(clients);
  clients.find = async (id: string) => {
    const client = await find(id);
    const space = parts.clients.spaceOf(id);
    if (client !== undefined && space !== undefined) client["waybillApp"] = await apps(space);
    return client;
  };
  return provider;
}

/** The library decides of what kind a token is while it names it; the name is an access token as all others here. */
function giveTokensOfOurs({ AccessToken }: Provider, { random }: Pick<SignInParts, "random">): void {
  const prototype = AccessToken.prototype as unknown as { generateTokenId: (this: object) => string };
  const decide = prototype.generateTokenId;
  prototype.generateTokenId = function (this: object): string {
    decide.call(this);
    return newAccessToken(random);
  };
}

function configurationOf(parts: SignInParts, keys: readonly JWK[]): Configuration {
  const policy = interactionPolicy.base();
  return {
    adapter: adapterOf(parts),
    jwks: { keys },
    routes: providerPaths,
    scopes: Object.keys(appScopes),
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username", "profile", "picture", "isPro", "orgs"],
      email: ["email", "email_verified"],
    },
    // Clients as Gradio's read a person's name from the ID token and ask no further.
    conformIdTokenClaims: false,
    subjectTypes: ["public"],
    responseTypes: ["code"],
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    enabledJWA: { idTokenSigningAlgValues: ["EdDSA", "RS256"] },
    clientBasedCORS: (_ctx, origin, client) => isBrowserClient(client, origin),
    // PKCE of all that keep no secret; others may do with a nonce instead (RFC 9700 §2.1.1).
    pkce: { required: (ctx, client) => client.clientAuthMethod === "none" || !ctx.oidc.params?.["nonce"] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: { enabled: false },
      dPoP: { enabled: false },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      userinfo: { enabled: true },
    },
    interactions: { policy, url: (_ctx, { uid }) => `${providerPaths.interaction}/${uid}` },
    loadExistingGrant: async (ctx) => {
      const given = ctx.oidc.result?.consent?.grantId;
      if (given !== undefined) return ctx.oidc.provider.Grant.find(given);
      const { session, client } = ctx.oidc;
      const app = client?.["waybillApp"] as SignInApp | undefined;
      if (!session?.accountId || client === undefined || app === undefined) return undefined;
      // What was allowed holds for who may still sign in there: others are told so where people are asked.
      if ((await mayNotSignIn(parts, session.accountId, app)) !== undefined) return undefined;
      return rememberedGrant(ctx.oidc.provider, parts, { account: session.accountId, client: client.clientId });
    },
    // An app's token holds for as long as it says; the console's session is another matter.
    expiresWithSession: async () => false,
    ttl: {
      AccessToken: (_ctx, _token, client) => secondsOf(client),
      AuthorizationCode: codeSeconds,
      Grant: grantSeconds,
      IdToken: idTokenSeconds,
      Interaction: (ctx) => (ctx.oidc.session?.accountId ? interactionSeconds : strangersInteractionSeconds),
      Session: interactionSeconds,
    },
    findAccount: async (_ctx, sub) => {
      const account = await parts.account(sub);
      if (account === undefined || account.kind !== "person") return undefined;
      return {
        accountId: sub,
        claims: async (use) => accountClaims(parts, account, use as "id_token" | "userinfo") as AccountClaims,
      };
    },
    cookies: {
      keys: [createHmac("sha256", parts.secret).update("cookies").digest("base64url")],
      names: { session: "waybill_app_session", interaction: "waybill_app_interaction", resume: "waybill_app_resume" },
      short: { httpOnly: true, sameSite: "lax", signed: true, overwrite: true },
      long: { httpOnly: true, sameSite: "lax", signed: true, overwrite: true },
    },
    // All of it is of one machine's clock.
    clockTolerance: 0,
    renderError: (ctx, { error, error_description: says }) => {
      ctx.set(pageHeaders);
      ctx.body = refusalPage(`${error}: ${says ?? "no more is known"}`);
    },
  };
}

/** What a person has allowed this client, within the time for which that is remembered. */
export async function rememberedGrant(
  provider: Provider,
  { rows, box, clock }: Pick<SignInParts, "rows" | "box" | "clock">,
  { account, client }: { readonly account: string; readonly client: string },
): Promise<InstanceType<Provider["Grant"]> | undefined> {
  const row = await rows.getBy({ model: "Grant", lookup: grantLookup(account, client) });
  const isRemembered = row !== undefined && row.expiresAt > clock.wall() + (grantSeconds - rememberedSeconds) * 1_000;
  const jti = isRemembered ? payloadOf(row, { box, clock })?.jti : undefined;
  return jti === undefined ? undefined : provider.Grant.find(jti);
}

/** From now on, in whole seconds of the epoch. */
export function grantEndsAt({ clock }: Pick<SignInParts, "clock">): number {
  return Math.floor(clock.wall() / 1_000) + grantSeconds;
}

/** What a form of this session carries to show that it was sent from a page of ours. */
export function formSecret({ secret }: Pick<SignInParts, "secret">, session: Pick<ConsoleSession, "id">): string {
  return createHmac("sha256", secret).update(`form ${session.id}`).digest("base64url");
}

/**
 * In place of a session of its own the provider has the console's: signed in there is signed in here, signed out there signed out. It is
 * told as one that is over already, so that the provider neither keeps it nor sends a cookie for it.
 */
function useConsoleSessions(provider: Provider, parts: SignInParts): void {
  const { Session } = provider;
  Session.get = async (ctx: KoaContextWithOIDC) => {
    const session = new Session();
    const current = await parts.currentSession(ctx.req);
    if (current !== undefined) {
      session.accountId = current.account;
      session.loginTs = Math.floor(current.signedInAt / 1_000);
      // Whether a later request is still this person's it would ask by this: that is asked of the console each time.
      session.uid = "";
      session.jti = current.id;
      const state = { secret: formSecret(parts, current) };
      Object.defineProperty(session, "state", { get: () => state, set: () => {}, configurable: true });
    }
    Object.defineProperty(session, "destroyed", { value: true, writable: true, configurable: true });
    if (ctx.oidc instanceof provider.OIDCContext) ctx.oidc.entity("Session", session);
    return session;
  };
}

/** Where browsers go they go by the console's address; and they are sent back to where the app is. */
async function answerOfOurs(parts: SignInParts, ctx: KoaContextWithOIDC, next: () => Promise<unknown>): Promise<void> {
  await next();
  const oidc = "oidc" in ctx ? ctx.oidc : undefined;
  if (oidc === undefined) return;
  const body = ctx.body as Record<string, unknown> | undefined;
  if (oidc.route === "discovery" && body !== undefined) {
    body["authorization_endpoint"] = `${parts.consoleUrl()}${providerPaths.authorization}`;
    body["response_modes_supported"] = ["query"];
    ctx.set("cache-control", "public, max-age=3600");
  } else if (oidc.route === "jwks") ctx.set("cache-control", "public, max-age=86400");
  const location = ctx.response.get("location");
  const app = oidc.client?.["waybillApp"] as SignInApp | undefined;
  const returnTo = oidc.params?.["redirect_uri"];
  if (app === undefined || typeof returnTo !== "string" || location === "" || !mayReturnTo(app, returnTo)) return;
  if (new URL(location, parts.consoleUrl()).origin === new URL(returnTo).origin)
    ctx.set("location", reachable(app, location));
}

function secondsOf(client: Client): number {
  const app = client["waybillApp"] as SignInApp | undefined;
  assert(app, "each client is an app");
  return app.signIn.expiresInMinutes * 60;
}

/** A page of the app itself may ask, where the app keeps no secret. */
function isBrowserClient(client: Client, origin: string): boolean {
  const app = client["waybillApp"] as SignInApp | undefined;
  return client.clientAuthMethod === "none" && app !== undefined && app.origins.includes(origin);
}
