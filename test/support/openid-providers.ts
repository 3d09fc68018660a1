/** OpenID providers for tests: the real `oidc-provider`, and one that says what a test tells it to, true or not. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Provider } from "oidc-provider";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on a port of its own, so that its issuer is known before it is what it will be. */
class Listening implements AsyncDisposable {
  readonly #server: Server;
  handler: Handler = (_request, response) => void response.writeHead(503).end();

  constructor() {
    this.#server = createServer((request, response) => this.handler(request, response));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/** `oidc-provider` with its own pages for development: whoever types a name there is that one. */
export class RealProvider extends Listening {
  static async listen(): Promise<RealProvider> {
    const provider = new RealProvider();
    await provider.listen();
    return provider;
  }

  serve(client: { readonly id: string; readonly secret: string; readonly redirectUri: string }): void {
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [client.redirectUri] }],
      claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"] },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.org`, email_verified: true }),
      }),
    });
    this.handler = (request, response) => void provider.callback()(request, response);
  }
}

/** What the next answers are; each test says what of it is wrong. */
export interface Says {
  /** In the place of, or beside, the claims of a right ID token. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signed with a key that nobody published. */
  readonly forged?: boolean;
  /** In the answer's address, beside or in the place of what is due. */
  readonly callback?: Readonly<Record<string, string>>;
  /** What becomes of the token request: a status, or no answer at all. */
  readonly token?: number | "silence";
  readonly discovery?: number | "silence" | "endless";
  readonly userinfo?: Readonly<Record<string, unknown>>;
}

const keys = await generateKeyPair("ES256");
const otherKeys = await generateKeyPair("ES256");
const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256", use: "sig" };

export class ScriptedProvider extends Listening {
  says: Says = {};
  /** The last token request, as it was sent. */
  asked: { readonly authorization: string | undefined; readonly body: URLSearchParams } | undefined;
  /** Token requests, and questions what it is. */
  readonly count = { token: 0, discovery: 0 };
  readonly #codes = new Map<string, URLSearchParams>();

  static async listen(): Promise<ScriptedProvider> {
    const provider = new ScriptedProvider();
    await provider.listen();
    provider.handler = (request, response) => void provider.#take(request, response);
    return provider;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.issuer);
    const json = (value: unknown, status = 200): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const fails = (how: Says["discovery"] | undefined): boolean => {
      if (how === undefined) return false;
      if (typeof how === "number") response.writeHead(how).end("no");
      else if (how === "endless") {
        response.writeHead(200, { "content-type": "application/json" });
        const more = (): void => void (response.destroyed || (response.write(" ".repeat(65_536)), setImmediate(more)));
        more();
      }
      return true;
    };
    if (pathname === "/.well-known/openid-configuration") this.count.discovery += 1;
    if (pathname === "/token") this.count.token += 1;
    if (pathname === "/.well-known/openid-configuration")
      return fails(this.says.discovery) ? undefined : json(this.#metadata());
    if (pathname === "/jwks") return json({ keys: [jwk] });
    if (pathname === "/me") return json(this.says.userinfo ?? {});
    if (pathname === "/auth") return this.#authorize(searchParams, response);
    if (pathname !== "/token") return json({}, 404);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = new URLSearchParams(Buffer.concat(chunks).toString());
    this.asked = { authorization: request.headers.authorization, body };
    if (fails(this.says.token)) return;
    const begun = this.#codes.get(body.get("code") ?? "");
    this.#codes.delete(body.get("code") ?? "");
    if (!begun) return json({ error: "invalid_grant" }, 400);
    json({ access_token: "at", token_type: "Bearer", id_token: await this.#idToken(begun) });
  }

  #metadata(): Readonly<Record<string, unknown>> {
    const { issuer } = this;
    return {
      ...{ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
      ...{ jwks_uri: `${issuer}/jwks`, userinfo_endpoint: `${issuer}/me`, response_types_supported: ["code"] },
      ...{ subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["ES256"] },
      authorization_response_iss_parameter_supported: true,
    };
  }

  #authorize(query: URLSearchParams, response: ServerResponse): void {
    const code = crypto.randomUUID();
    this.#codes.set(code, query);
    const back = new URL(query.get("redirect_uri") ?? "");
    const answer = { code, state: query.get("state") ?? "", iss: this.issuer, ...this.says.callback };
    for (const [name, value] of Object.entries(answer)) if (value !== "") back.searchParams.set(name, value);
    response.writeHead(303, { location: back.href }).end();
  }

  async #idToken(begun: URLSearchParams): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      ...{ iss: this.issuer, aud: begun.get("client_id") ?? "", sub: "s-1", iat: now, exp: now + 300 },
      ...{ nonce: begun.get("nonce"), ...this.says.claims },
    };
    const header = { alg: "ES256", kid: "k1", ...this.says.header };
    if (header.alg === "none") {
      const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      return `${part(header)}.${part(claims)}.`;
    }
    return new SignJWT(claims).setProtectedHeader(header).sign((this.says.forged ? otherKeys : keys).privateKey);
  }
}
