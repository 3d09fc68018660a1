/**
 * One OpenID provider by which people sign in: sends them there with PKCE, state and nonce, and reads who came back. What it answers is
 * verified whole (`openid-client`): issuer, audience, signature, times, nonce, and the issuer in the answer's address (RFC 9207).
 */
import type * as openid from "openid-client";
import { assert } from "../stdx/assert.ts";
import type { Clock } from "../stdx/time.ts";
import { isLoopbackHttp } from "./provider-settings.ts";
import type { ProviderSettings } from "./provider-settings.ts";

/** What a browser keeps of a sign-in that is under way. */
export interface Leaving {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Who came back. */
export interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export type ProviderCode =
  | "identity/provider-down"
  | "identity/provider-answer"
  | "identity/sign-in-ended"
  | "identity/too-many-tries";

export class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly code: ProviderCode;

  constructor(code: ProviderCode, says: string, cause?: unknown) {
    super(says, { cause });
    this.code = code;
  }
}

/** A person waits for each of its answers. */
const answerWithinMs = 10_000;
/** Discovery, keys and claims are some kilobytes; groups may be many. */
const answerMaxBytes = 512 * 1_024;
/** Of one provider: whoever opens an address here makes it be asked, and may be anybody. */
const askedAtOnceMax = 32;
/** One that could not be asked what it is, is asked again no sooner. */
const failedForMs = 1_000;
/** A provider that changes its addresses or keys is heard of after so long; keys sooner, when one is not known. */
const knownForMs = 3_600_000;
/** RFC 8725bis and common sense: clocks of two machines differ by seconds. */
const clockToleranceSeconds = 5;

export class Provider {
  readonly settings: ProviderSettings;
  readonly #clock: Clock;
  readonly #withinMs: number;
  #known: { readonly found: Promise<openid.Configuration>; until: number } | undefined;
  #asked = 0;

  constructor(settings: ProviderSettings, { clock, withinMs = answerWithinMs }: { clock: Clock; withinMs?: number }) {
    this.settings = settings;
    this.#clock = clock;
    this.#withinMs = withinMs;
  }

  /** Where to send the browser, and what it has to bring back. Rejects with `ProviderFailure`. */
  async leave(redirectUri: string): Promise<{ readonly url: URL; readonly leaving: Leaving }> {
    const library = await import("openid-client");
    const known = await this.#configuration(library);
    const leaving = {
      state: library.randomState(),
      nonce: library.randomNonce(),
      verifier: library.randomPKCECodeVerifier(),
    };
    const url = library.buildAuthorizationUrl(known, {
      ...{ redirect_uri: redirectUri, scope: this.settings.scopes.join(" "), response_type: "code" },
      ...{ state: leaving.state, nonce: leaving.nonce, code_challenge_method: "S256" },
      code_challenge: await library.calculatePKCECodeChallenge(leaving.verifier),
    });
    return { url, leaving };
  }

  /** Who the browser that came back to `url` is. Rejects with `ProviderFailure`. */
  async comeBack(url: URL, { state, nonce, verifier }: Leaving): Promise<Person> {
    const library = await import("openid-client");
    const known = await this.#configuration(library);
    if (this.#asked >= askedAtOnceMax)
      throw new ProviderFailure(
        "identity/too-many-tries",
        `${askedAtOnceMax} sign-ins wait for ${this.settings.label} already.`,
      );
    this.#asked += 1;
    try {
      const answer = await library.authorizationCodeGrant(known, url, {
        ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true },
      });
      const claims = answer.claims();
      assert(claims, "an ID token was expected");
      const more = this.#wanted().some((name) => !(name in claims)) && known.serverMetadata().userinfo_endpoint;
      const told = more ? await library.fetchUserInfo(known, answer.access_token, claims.sub) : {};
      return { issuer: claims.iss, subject: claims.sub, claims: { ...told, ...claims } };
    } catch (error) {
      throw this.#failure(error, library);
    } finally {
      this.#asked -= 1;
    }
  }

  /** Claims that are asked for by settings; where the ID token lacks one, the provider's userinfo may have it. */
  #wanted(): readonly string[] {
    const { newAccounts, accountClaim, emailDomains, groups, groupsClaim } = this.settings;
    return [
      ...(newAccounts ? [accountClaim] : []),
      ...(emailDomains.length > 0 ? ["email", "email_verified"] : []),
      ...(groups.length > 0 ? [groupsClaim] : []),
    ];
  }

  async #configuration(library: typeof openid): Promise<openid.Configuration> {
    const now = this.#clock.monotonic();
    if (!this.#known || now >= this.#known.until)
      this.#known = { found: this.#discover(library), until: now + knownForMs };
    const known = this.#known;
    try {
      return await known.found;
    } catch (error) {
      known.until = Math.min(known.until, this.#clock.monotonic() + failedForMs);
      throw this.#failure(error, library);
    }
  }

  async #discover(library: typeof openid): Promise<openid.Configuration> {
    const { issuer, clientId, secret } = this.settings;
    const execute = [
      library.enableNonRepudiationChecks,
      ...(isLoopbackHttp(issuer) ? [library.allowInsecureRequests] : []),
    ];
    const [timeout, fetch] = [this.#withinMs / 1_000, boundedFetch(this.#withinMs)] as const;
    const found = await library.discovery(new URL(issuer), clientId, {}, library.None(), {
      ...{ execute, timeout, [library.customFetch]: fetch },
    });
    const metadata = found.serverMetadata();
    const tolerant = { [library.clockTolerance]: clockToleranceSeconds };
    const own = new library.Configuration(metadata, clientId, tolerant, authenticationOf(metadata, secret, library));
    own.timeout = timeout;
    own[library.customFetch] = fetch;
    for (const extension of execute) extension(own);
    return own;
  }

  /** Three ways to fail: it was not reached, the person or the provider said no, or what it said is not to be believed. */
  #failure(error: unknown, library: typeof openid): ProviderFailure {
    if (error instanceof ProviderFailure) return error;
    const { label } = this.settings;
    const down = causes(error).find((one) => one instanceof Unanswered);
    if (down) return new ProviderFailure("identity/provider-down", `${label}: ${down.message}.`, error);
    if (error instanceof library.AuthorizationResponseError)
      return new ProviderFailure(
        "identity/sign-in-ended",
        `${label} says ${error.error}${error.error === "access_denied" ? ": the sign-in was denied there" : ""}.`,
        error,
      );
    if (error instanceof library.ResponseBodyError && error.status < 500)
      return new ProviderFailure("identity/provider-answer", `${label} refused the code: ${error.error}.`, error);
    const status = statusIn(error);
    if (status !== undefined && status >= 500)
      return new ProviderFailure("identity/provider-down", `${label}: it answers ${status}.`, error);
    const says = error instanceof Error ? error.message : String(error);
    return new ProviderFailure("identity/provider-answer", `${label}: ${says}.`, error);
  }
}

/** Where it says nothing of what it takes, that is Basic (OpenID Connect Discovery, 3). */
function authenticationOf(
  { token_endpoint_auth_methods_supported: methods }: openid.ServerMetadata,
  secret: string | null,
  library: typeof openid,
): openid.ClientAuth {
  if (secret === null) return library.None();
  const isPost = methods?.includes("client_secret_post") && !methods.includes("client_secret_basic");
  return isPost ? library.ClientSecretPost(secret) : library.ClientSecretBasic(secret);
}

/** No whole answer came. */
class Unanswered extends Error {}

type Fetch = NonNullable<openid.DiscoveryRequestOptions[typeof openid.customFetch]>;

/** Answers within a time and a size, and none that leads elsewhere. */
function boundedFetch(withinMs: number): Fetch {
  return async (url, { body, ...options }) => {
    const { host, pathname } = new URL(url);
    try {
      const signal = AbortSignal.timeout(withinMs);
      const init = { ...options, ...(body === undefined ? {} : { body }), redirect: "manual", signal } as RequestInit;
      const answer = await fetch(url, init);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of answer.body ?? []) {
        size += chunk.length;
        if (size > answerMaxBytes) throw new Error(`it sends more than ${answerMaxBytes} bytes`);
        chunks.push(chunk);
      }
      const { status, headers } = answer;
      return new Response(size === 0 ? null : Buffer.concat(chunks, size), { status, headers });
    } catch (error) {
      const [{ message }] = causes(error).slice(-1) as [Error];
      throw new Unanswered(`${host}${pathname} does not answer (${message})`, { cause: error });
    }
  };
}

/** The error and what it came from, the last of all last. */
function causes(error: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let one = error; one instanceof Error && found.length < 10; one = one.cause) found.push(one);
  return found.length > 0 ? found : [new Error(String(error))];
}

/** The status of an answer that was not of the form that is due. */
function statusIn(error: unknown): number | undefined {
  return causes(error)
    .map(({ cause }) => cause)
    .find((cause) => cause instanceof Response)?.status;
}
