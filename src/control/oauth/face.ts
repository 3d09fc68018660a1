/**
 * The OpenID provider on the console's host. It is loaded with the first request for it: a platform whose apps do without it pays nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Provider } from "oidc-provider";
import { visitorOf } from "../../http/visitor.ts";
import type { Instant } from "../../stdx/time.ts";
import { returnPathMaxLength } from "../return-path.ts";
import { accountPicture } from "./claims.ts";
import type { Consent } from "./consent.ts";
import { SigningKeys } from "./keys.ts";
import type { SignInParts } from "./parts.ts";
import { beginningOf } from "./beginning.ts";
import { isForBrowsers, isProviderPath, providerPaths } from "./paths.ts";

interface Opened {
  readonly provider: Provider;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly consent: Consent;
  /** Then its keys are others. */
  readonly until: Instant;
  readonly url: string;
}

export interface AskedBy {
  /** An app of this platform asks. */
  readonly isInside: boolean;
  /** Answers what is no client's of the provider. */
  otherwise(): void;
}

/** RFC 8628 §3.4. */
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
/** What a client says for its token has some hundred bytes. */
const formMaxBytes = 16_384;
const pictureName = /^[a-z0-9._-]{1,64}$/;

export class OpenIdFace {
  readonly #parts: SignInParts;
  readonly #keys: SigningKeys;
  #opened: Promise<Opened> | undefined;

  constructor(parts: SignInParts) {
    this.#parts = parts;
    this.#keys = new SigningKeys(parts);
  }

  /** False where the path is another's. */
  serve(request: IncomingMessage, response: ServerResponse, by: AskedBy): boolean {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    if (!isProviderPath(path)) return false;
    this.#serve(path, request, response, by).catch((error: unknown) => {
      this.#parts.onFailure(`the OpenID provider, ${request.method} ${path}`, error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { "content-type": "application/json" }).end('{"error":"server_error"}');
    });
    return true;
  }

  async #serve(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    { isInside, otherwise }: AskedBy,
  ): Promise<void> {
    if (path === providerPaths.token && request.method === "POST") {
      // Programs fetch theirs at the same address, as at the Hub's.
      const form = new URLSearchParams(await beginningOf(request, formMaxBytes));
      if (form.get("grant_type") === deviceGrant) return otherwise();
    }
    const console = this.#parts.consoleUrl();
    const isBrowsers = isForBrowsers(path);
    // Where their session is: its cookie is this host's alone.
    if (isBrowsers && request.method === "GET" && visitorOf(request).origin !== console) {
      response.writeHead(307, { location: `${console}${request.url}`, "content-length": "0" }).end();
      return;
    }
    if (path.startsWith(`${providerPaths.picture}/`)) return servePicture(path, response);
    if (path === providerPaths.authorization && (await this.#signsInFirst(request))) {
      const location = this.#parts.signInPath(request.url ?? "");
      response.writeHead(303, { location, "cache-control": "no-store", "content-length": "0" }).end();
      return;
    }
    const opened = await this.#open();
    // What the provider says of its own address is not for whoever writes a `Host`.
    const { host, protocol } = new URL(isBrowsers || !isInside ? console : this.#parts.providerUrl());
    request.headers.host = host;
    request.headers["x-forwarded-host"] = host;
    request.headers["x-forwarded-proto"] = protocol.slice(0, -1);
    if (path.startsWith(`${providerPaths.interaction}/`))
      return opened.consent.serve(opened.provider, request, response);
    return opened.answer(request, response);
  }

  /**
   * Whoever is signed in nowhere signs in before the provider hears of it, and comes back with the same question: of strangers, who may be
   * as many as they like, nothing is kept. Where the question says how somebody is to sign in, or is none of an app's, it is the provider's.
   */
  async #signsInFirst(request: IncomingMessage): Promise<boolean> {
    const { method, url = "" } = request;
    if (method !== "GET" || url.length > returnPathMaxLength) return false;
    const asked = new URL(url, this.#parts.consoleUrl()).searchParams;
    const isApps = this.#parts.clients.spaceOf(asked.get("client_id") ?? "") !== undefined;
    if (!isApps || /\b(none|login)\b/.test(asked.get("prompt") ?? "") || asked.has("max_age")) return false;
    return (await this.#parts.currentSession(request)) === undefined;
  }

  async #open(): Promise<Opened> {
    const url = this.#parts.providerUrl();
    for (;;) {
      const opening = (this.#opened ??= this.#make(url));
      const forget = (): void => {
        if (this.#opened === opening) this.#opened = undefined;
      };
      opening.catch(forget); // Told to whoever asked; the next one tries again.
      const opened = await opening;
      if (opened.until > this.#parts.clock.wall() && opened.url === url) return opened;
      forget();
    }
  }

  async #make(url: string): Promise<Opened> {
    const [{ openProvider }, { Consent: Asking }] = await withoutAdvice(() =>
      Promise.all([import("./provider.ts"), import("./consent.ts")]),
    );
    const { keys, until } = await this.#keys.current();
    const provider = openProvider(this.#parts, keys);
    return { provider, answer: provider.callback(), consent: new Asking(this.#parts), until, url };
  }
}

/** The library advises against every Node that is no long-term release. Ours is chosen, and its operator cannot change it. */
async function withoutAdvice<T>(load: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = (...said: unknown[]) => {
    if (!String(said[0]).startsWith("oidc-provider WARNING: Unsupported runtime")) warn.apply(console, said);
  };
  try {
    return await load();
  } finally {
    console.warn = warn;
  }
}

function servePicture(path: string, response: ServerResponse): void {
  const name = path.slice(providerPaths.picture.length + 1).replace(/\.svg$/, "");
  if (!pictureName.test(name)) return void response.writeHead(404, { "content-length": "0" }).end();
  response
    .writeHead(200, {
      "content-type": "image/svg+xml",
      "cache-control": "public, max-age=86400",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      "cross-origin-resource-policy": "cross-origin",
      "x-content-type-options": "nosniff",
    })
    .end(accountPicture(name));
}
