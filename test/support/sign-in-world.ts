/** The OpenID provider for apps behind two listeners of its own: one for browsers, one for apps; the catalog is in memory. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mock } from "node:test";
import { Catalog } from "../../src/catalog/catalog.ts";
import { memorySql } from "../../src/catalog/memory-sql.ts";
import type { AppSignIn } from "../../src/contract/oauth.ts";
import type { SpaceSdk } from "../../src/contract/release.ts";
import type { SignInApp } from "../../src/control/oauth/app.ts";
import { AppClients } from "../../src/control/oauth/clients.ts";
import { OpenIdFace } from "../../src/control/oauth/face.ts";
import type { SignInParts } from "../../src/control/oauth/parts.ts";
import { SecretBox } from "../../src/identity/secret-box.ts";
import { TokenResolver } from "../../src/identity/token-resolver.ts";
import type { RandomBytes } from "../../src/stdx/ids.ts";
import { instant } from "../../src/stdx/time.ts";
import type { Clock } from "../../src/stdx/time.ts";

export interface AppMade {
  readonly space: string;
  readonly client: string;
  readonly secret: string;
  /** What an unmodified app names as its address of return. */
  readonly returnTo: string;
}

export interface SignInWorld extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly resolver: TokenResolver;
  /** For browsers, and for apps. */
  readonly console: string;
  readonly inside: string;
  /** The time from now on is so much later. */
  later(ms: number): void;
  /** What the platform noted as its own failures. */
  readonly failures: unknown[];
  /** All that is in the database, as it lies there. */
  kept(): Promise<string>;
  app(of?: Partial<AppSignIn> & { readonly sdk?: SpaceSdk; readonly space?: string }): Promise<AppMade>;
  account(name: string): Promise<void>;
  /** An organisation with these members. */
  organisation(name: string, members: readonly string[]): void;
  /** Signs a browser in or out at the console. */
  signIn(browser: Browser, account: string, when?: { readonly agoMs: number }): void;
}

const appHost = "alice-demo.apps.test";

export async function openSignInWorld(): Promise<SignInWorld> {
  // The library reads the machine's own clock.
  mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const shift = { ms: 0 };
  const clock: Clock = {
    wall: () => instant(Date.now()),
    monotonic: () => performance.now() + shift.ms,
  };
  const random: RandomBytes = (count) => new Uint8Array(randomBytes(count));
  const sql = memorySql();
  const catalog = await Catalog.open(sql, clock);
  const box = new SecretBox(new Map([["k_test", randomBytes(32)]]), random);
  const failures: unknown[] = [];
  const urls = { console: "", inside: "" };
  const providerUrl = (): string => urls.inside;
  const clients = await AppClients.open({ rows: catalog.apps, box, clock, random, providerUrl });
  const apps = new Map<string, SignInApp>();
  const organisations = new Map<string, readonly string[]>();
  const signedIn = new Map<string, { account: string; signedInAt: number }>();
  const parts: SignInParts = {
    ...{ rows: catalog.apps, audit: catalog.audit, clients, box, clock, random, providerUrl },
    secret: random(32),
    app: async (space) => apps.get(space),
    account: (name) => catalog.accounts.get(name),
    organisationsOf: (account) =>
      [...organisations].flatMap(([organisation, members]) =>
        members.includes(account)
          ? [{ organisation, account, role: "read" as const, since: clock.wall(), addedBy: account }]
          : [],
      ),
    currentSession: async (request) => {
      const id = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
      const found = id === undefined ? undefined : signedIn.get(id);
      return id === undefined || found === undefined
        ? undefined
        : { id, account: found.account, signedInAt: instant(found.signedInAt) };
    },
    endSession: async ({ id }) => {
      signedIn.delete(id);
      return "session=; Path=/";
    },
    signInPath: (next) => `/login?next=${encodeURIComponent(next)}`,
    consoleUrl: () => urls.console,
    onFailure: (_what, error) => void failures.push(error),
  };
  const face = new OpenIdFace(parts);
  const listen = async (isInside: boolean) => {
    const server = createServer((request, response) => {
      const otherwise = (): void => {
        response.writeHead(404);
        request.pipe(response);
      };
      if (!face.serve(request, response, { isInside, otherwise })) otherwise();
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const [forBrowsers, forApps] = [await listen(false), await listen(true)];
  urls.console = forBrowsers.url;
  urls.inside = forApps.url;
  await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: clock.wall() });
  const resolver = new TokenResolver({
    directory: catalog.tokens,
    clock,
    onTouchFailed: (error) => void failures.push(error),
  });
  return {
    catalog,
    resolver,
    failures,
    ...urls,
    async kept() {
      const tables = await sql.all("SELECT name FROM sqlite_master WHERE type = 'table'");
      const rows = await Promise.all(tables.map(({ name }) => sql.all(`SELECT * FROM "${String(name)}"`)));
      return rows.flat().flatMap(Object.values).join("\n");
    },
    later: (ms) => {
      shift.ms += ms;
      mock.timers.tick(ms);
    },
    account: async (name) =>
      void (await catalog.accounts.create({ name, tier: "free", role: "user", createdAt: clock.wall() })),
    organisation: (name, members) => void organisations.set(name, members),
    signIn: (browser, account, { agoMs } = { agoMs: 0 }) => {
      const id = `s_${randomBytes(8).toString("hex")}`;
      signedIn.set(id, { account, signedInAt: clock.wall() - agoMs });
      browser.setCookie(`session=${id}; Path=/`);
    },
    async app({ sdk = "gradio", space = "alice/demo", ...signIn } = {}) {
      const host = appHost;
      const full = { scopes: [], expiresInMinutes: 480, organisations: [], redirectPath: "/login/callback", ...signIn };
      apps.set(space, { space, title: "Demo", sdk, signIn: full, host, origins: [`http://${host}:7777`] });
      await clients.make(space);
      const client = clients.environment(space, full, () => false)["OAUTH_CLIENT_ID"] ?? "";
      const { secret = "" } = clients.find(client) ?? {};
      return { space, client, secret, returnTo: `https://${host}/login/callback?_target_url=%2F` };
    },
    async [Symbol.asyncDispose]() {
      mock.timers.reset();
      for (const { server } of [forBrowsers, forApps]) {
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    },
  };
}

/** A browser as far as this needs one: it keeps cookies by path and is shown each answer before it follows. */
export class Browser {
  readonly #cookies = new Map<string, { readonly path: string; readonly value: string }>();

  setCookie(line: string): void {
    const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
    const at = pair.indexOf("=");
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? "/";
    const key = `${pair.slice(0, at)} ${path}`;
    const isGone = attributes.some((one) => /^expires=Thu, 01 Jan 1970/i.test(one)) || pair.endsWith("=");
    if (isGone) this.#cookies.delete(key);
    else this.#cookies.set(key, { path, value: pair });
  }

  async get(url: string, init: RequestInit = {}): Promise<Response> {
    const { pathname } = new URL(url);
    const cookie = [...this.#cookies.values()]
      .filter(({ path }) => path === "/" || pathname === path || pathname.startsWith(`${path}/`))
      .map(({ value }) => value)
      .join("; ");
    const headers = { accept: "text/html", ...(init.headers as Record<string, string>), cookie };
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) this.setCookie(line);
    return response;
  }

  /** Follows redirects on the provider's own host; the first answer that is none, or leads elsewhere. */
  async open(url: string, init: RequestInit = {}): Promise<{ readonly response: Response; readonly url: string }> {
    let at = url;
    let response = await this.get(at, init);
    for (let hops = 0; hops < 10; hops += 1) {
      const to = response.headers.get("location") ?? /^0; url=(.*)$/.exec(response.headers.get("refresh") ?? "")?.[1];
      if (to === undefined) break;
      const next = new URL(to, at).href;
      if (new URL(next).origin !== new URL(url).origin || new URL(next).pathname === "/login")
        return { response, url: next };
      at = next;
      response = await this.get(at);
    }
    return { response, url: at };
  }

  /** Sends the form of a consent page. */
  async decide(page: { readonly response: Response; readonly url: string }, decision: "allow" | "deny" | "again") {
    const html = await page.response.text();
    const secret = /name="secret" value="([^"]+)"/.exec(html)?.[1] ?? "";
    const body = new URLSearchParams({ secret, decision });
    return this.open(page.url, { method: "POST", body, headers: { "sec-fetch-site": "same-origin" } });
  }
}
