/** A Space as its OpenID client: what it is called, what it may ask for, and where browsers are sent back to. */
import { defaultRedirectPath, scopesOf } from "../../contract/oauth.ts";
import type { AppSignIn } from "../../contract/oauth.ts";
import type { SpaceSdk } from "../../contract/release.ts";
import type { SigningAlg } from "./keys.ts";

export interface SignInApp {
  readonly space: string;
  readonly title: string;
  readonly sdk: SpaceSdk;
  readonly signIn: AppSignIn;
  /** What the app knows as its own host. */
  readonly host: string;
  /** `scheme://host[:port]` of each of its addresses, the first one for people. */
  readonly origins: readonly string[];
}

/** What Gradio puts behind its address of return, to find its way from there: nothing else may stand there. */
const ownParameters: readonly string[] = ["_target_url", "_nb_redirects"];

/**
 * Whether a browser may be sent there: an address of this very Space and one of its paths of return, character by character; behind `?`
 * only what Gradio puts there, which is none of the address that a client registers (RFC 9700 §2.1 asks for exact comparison).
 */
export function mayReturnTo(app: SignInApp, uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null || uri.includes("#")) return false;
  const [address = ""] = uri.split("?", 1);
  const isOwn = returnUris(app).includes(address);
  return isOwn && [...url.searchParams.keys()].every((name) => ownParameters.includes(name));
}

/** The addresses that are registered. */
export function returnUris(app: SignInApp): readonly string[] {
  const paths = [...new Set([defaultRedirectPath, app.signIn.redirectPath])];
  const origins = [...new Set([`https://${app.host}`, ...app.origins])];
  return origins.flatMap((origin) => paths.map((path) => `${origin}${path}`));
}

/**
 * Where the browser is sent in truth. Apps written for the Hub say `https://` and their host, whatever this platform's scheme and port
 * are: that is the same Space's, so the browser is sent to its first address.
 */
export function reachable(app: SignInApp, uri: string): string {
  const url = new URL(uri);
  const [first] = app.origins;
  if (app.origins.includes(url.origin) || first === undefined) return uri;
  return `${first}${uri.slice(url.origin.length)}`;
}

/**
 * Clients of Python (authlib, as in Gradio and Streamlit) verify with what the provider's document names. What others expect, unless they
 * registered for more, is RS256 (OpenID Connect Core §3.1.3.7).
 */
export function algOf({ sdk }: Pick<SignInApp, "sdk">): SigningAlg {
  return sdk === "gradio" || sdk === "streamlit" ? "EdDSA" : "RS256";
}

/** What the provider asks the Space's secret for. A static Space's pages have no secret that is one. */
export function clientMetadata(
  app: SignInApp,
  { client, secret }: { readonly client: string; readonly secret: string },
): Record<string, unknown> {
  const isPublic = app.sdk === "static";
  return {
    client_id: client,
    client_name: app.title || app.space,
    ...(isPublic ? {} : { client_secret: secret }),
    token_endpoint_auth_method: isPublic ? "none" : "client_secret_basic",
    redirect_uris: [...returnUris(app)],
    response_types: ["code"],
    response_modes: ["query"],
    grant_types: ["authorization_code"],
    id_token_signed_response_alg: algOf(app),
    scope: scopesOf(app.signIn).join(" "),
  };
}
