/** Sign-in by other OpenID providers: the real `oidc-provider`, and one that lies in every way that a test wants, against a real platform. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import type { WhoAmI } from "../src/contract/api.ts";
import type { Problem } from "../src/contract/problem.ts";
import { sessionCookie } from "../src/identity/sessions.ts";
import { RealProvider, ScriptedProvider } from "./support/openid-providers.ts";
import { Platform, until } from "./support/platform.ts";

let up: Platform;
let real: RealProvider;
let scripted: ScriptedProvider;
/** A second one, with other rules. */
let strict: ScriptedProvider;
let folder: string;

before(async () => {
  [real, scripted, strict] = await Promise.all([
    RealProvider.listen(),
    ScriptedProvider.listen(),
    ScriptedProvider.listen(),
  ]);
  folder = mkdtempSync(join(tmpdir(), "wb-sign-in-"));
  writeFileSync(join(folder, "scripted.secret"), "s3cret/of:ours\n", { mode: 0o600 });
  const providers = [
    { name: "real", label: "The real one", issuer: real.issuer, "client-id": "waybill", "new-accounts": true },
    { name: "scripted", issuer: scripted.issuer, "client-id": "wb", "secret-file": "scripted.secret" },
    {
      ...{ name: "strict", issuer: strict.issuer, "client-id": "wb", "new-accounts": true },
      ...{ "email-domains": ["example.org"], groups: ["staff"] },
    },
  ];
  writeFileSync(join(folder, "sign-in.json"), JSON.stringify({ providers }));
  const env = { WAYBILL_SIGN_IN: join(folder, "sign-in.json"), WAYBILL_SIGN_IN_SECRET_REAL: "real secret" };
  up = await Platform.start({ env });
  real.serve({ id: "waybill", secret: "real secret", redirectUri: `${up.url}/login/from/real` });
  await up.account("alice");
});
after(async () => {
  await up[Symbol.asyncDispose]();
  await Promise.all([real, scripted, strict].map((one) => one[Symbol.asyncDispose]()));
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  scripted.says = {};
  strict.says = {};
});

/** What a browser keeps: cookies by host and port, which is stricter than browsers are. */
class Browser {
  readonly cookies = new Map<string, Map<string, string>>();

  async go(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url);
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    const headers = new Headers(init.headers);
    headers.set("accept", "text/html");
    if (jar.size > 0) headers.set("cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "" || /max-age=0|1970/i.test(set)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Follows redirects until one leads to an address that `ends` accepts, or to an answer that is none. */
  async follow(
    from: string | URL,
    ends: (url: URL) => boolean = () => false,
  ): Promise<{ url: URL; response: Response }> {
    let url = new URL(from);
    for (let hops = 0; hops < 20; hops++) {
      const response = await this.go(url);
      const location = response.headers.get("location");
      if (location === null) return { url, response };
      url = new URL(location, url);
      await response.body?.cancel();
      if (ends(url)) return { url, response };
    }
    throw new Error("no end of redirects");
  }

  async who(): Promise<string | null> {
    const response = await this.go(`${up.url}/api/whoami-v2`);
    return response.status === 200 ? ((await response.json()) as WhoAmI).name : null;
  }
}

/** Where the sign-in leads, past the page that sees whether the browser has kept its cookie. */
const onTo = (response: Response, at?: URL): string | null =>
  (at ?? new URL(response.headers.get("location") ?? "", up.url)).searchParams.get("next");
const isBack = (url: URL): boolean => url.pathname.startsWith("/login/from/");
/** Signs in by a scripted provider up to the address at which it sends the browser back. */
const comeBack = async (browser: Browser, name: string, query = ""): Promise<URL> =>
  (await browser.follow(`${up.url}/login/with/${name}${query}`, isBack)).url;
const signIn = async (browser: Browser, name: string): Promise<Response> => browser.go(await comeBack(browser, name));
const problemOf = async (url: URL, browser: Browser): Promise<Problem> => {
  const jar = browser.cookies.get(url.host) ?? new Map<string, string>();
  const cookie = [...jar].map(([key, value]) => `${key}=${value}`).join("; ");
  const response = await fetch(url, { headers: { cookie }, redirect: "manual" });
  assert.notEqual(response.status, 303, "it was let in");
  return (await response.json()) as Problem;
};
const coded = ({ boundary, code }: Problem): string => `${boundary}/${code}`;

describe("sign-in by the real oidc-provider", () => {
  test("makes an account by the name that it gives, with a session that is that account; the second time it is there", async () => {
    const browser = new Browser();
    const sign = async (): Promise<void> => {
      let { url, response } = await browser.follow(`${up.url}/login/with/real?next=/spaces`);
      // Its pages for development: who are you, and may that be told.
      for (let pages = 0; url.origin === real.issuer && pages < 3; pages++) {
        const text = await response.text();
        const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1] ?? "";
        const body = new URLSearchParams({ prompt, ...(prompt === "login" ? { login: "dora", password: "any" } : {}) });
        const action = /action="([^"]+)"/.exec(text)?.[1] ?? "";
        const sent = await browser.go(new URL(action, url), { method: "POST", body });
        ({ url, response } = await browser.follow(new URL(sent.headers.get("location") ?? "", url)));
      }
      assert.equal(onTo(response, url), "/spaces");
    };
    await sign();
    assert.equal(await browser.who(), "dora");
    const { items } = await up.admin.identities("dora");
    assert.deepEqual(
      items.map(({ provider, issuer, subject, linkedBy }) => [provider, issuer, subject, linkedBy]),
      [["real", real.issuer, "dora", "dora"]],
    );
    const [entry] = (await up.admin.audit({ action: "account.create", account: "dora" })).items;
    assert.deepEqual([entry?.target, entry?.outcome, entry?.address], ["account/dora", "done", "127.0.0.1"]);
    await sign();
    assert.equal(await browser.who(), "dora");
    assert.equal((await up.admin.accounts()).items.filter(({ name }) => name.startsWith("dora")).length, 1);
  });
});

describe("the console", () => {
  test("offers each provider where people sign in, and goes on with what they came for", async () => {
    const next = "/login/device?code=BCDF-GHJK";
    const { url, response } = await new Browser().follow(up.url + next);
    assert.deepEqual([url.pathname, url.searchParams.get("next")], ["/login", next]);
    const text = await response.text();
    assert.match(text, /Sign in with The real one/);
    assert.match(text, /href="\/login\/with\/scripted\?next=%2Flogin%2Fdevice%3Fcode%3DBCDF-GHJK"/);
  });
});

describe("who comes back", () => {
  test("is nobody here until an operator links them, by what the refusal says; unlinked they are nobody again", async () => {
    const browser = new Browser();
    const refused = await signIn(browser, "scripted");
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /waybill account link ACCOUNT --provider scripted --subject s-1/);
    assert.equal(await browser.who(), null);
    await up.admin.linkIdentity("alice", { provider: "scripted", subject: "s-1" });
    assert.equal((await signIn(browser, "scripted")).status, 303);
    assert.equal(await browser.who(), "alice");
    // With a secret that has to be encoded as RFC 6749 §2.3.1 has it.
    const basic = Buffer.from((scripted.asked?.authorization ?? "").replace("Basic ", ""), "base64").toString();
    assert.equal(decodeURIComponent(basic), "wb:s3cret/of:ours");
    await up.admin.unlinkIdentity("alice", "scripted");
    assert.equal(coded(await problemOf(await comeBack(browser, "scripted"), browser)), "identity/no-account");
  });

  test("is linked to one account, by subject and issuer: the same subject elsewhere is somebody else", async () => {
    await up.admin.linkIdentity("alice", { provider: "scripted", subject: "s-1" });
    await up.account("bob");
    await assert.rejects(up.admin.linkIdentity("bob", { provider: "scripted", subject: "s-1" }), /is alice already/);
    strict.says = {
      userinfo: {
        sub: "s-1",
        preferred_username: "alice",
        email: "a@example.org",
        email_verified: true,
        groups: ["staff"],
      },
    };
    const browser = new Browser();
    const problem = await problemOf(await comeBack(browser, "strict"), browser);
    assert.equal(coded(problem), "identity/no-account");
    assert.match(problem.detail, /an account of that name is here already/);
    await up.admin.unlinkIdentity("alice", "scripted");
  });

  test("has to be whom the operator lets in: a verified address of the domain, and one of the groups", async () => {
    const right = {
      sub: "s-1",
      preferred_username: "Erin",
      email: "erin@Example.org",
      email_verified: true,
      groups: ["staff"],
    };
    for (const [wrong, says] of [
      [{ email: "erin@example.org.evil.test" }, /e-mail address at example\.org/],
      [{ email: "erin@evil.test, x@example.org@evil.test" }, /e-mail address at example\.org/],
      [{ email_verified: false }, /not verified/],
      [{ email_verified: "true" }, /not verified/],
      [{ groups: ["guests"] }, /members of staff/],
      [{ groups: "staff" }, /members of staff/],
      [{ groups: undefined }, /members of staff/],
      [{ preferred_username: "api" }, /which no account may be called/],
      [{ preferred_username: "../erin" }, /which no account may be called/],
      [{ preferred_username: undefined }, /does not say preferred_username/],
    ] as const) {
      strict.says = { userinfo: { ...right, ...wrong } };
      const browser = new Browser();
      const problem = await problemOf(await comeBack(browser, "strict"), browser);
      assert.equal(coded(problem), "identity/no-account", JSON.stringify(wrong));
      assert.match(problem.detail, says);
    }
    strict.says = { userinfo: right };
    const browser = new Browser();
    assert.equal((await signIn(browser, "strict")).status, 303);
    assert.equal(await browser.who(), "erin");
  });
});

describe("an answer that is not what was asked for", () => {
  before(() => up.admin.linkIdentity("alice", { provider: "scripted", subject: "s-1" }));

  const now = Math.floor(Date.now() / 1_000);
  const lies: Readonly<Record<string, ScriptedProvider["says"]>> = {
    "another's issuer": { claims: { iss: "https://other.example" } },
    "another client's audience": { claims: { aud: "somebody" } },
    "two audiences, and the other's is the authorised party": { claims: { aud: ["wb", "other"], azp: "other" } },
    "another nonce": { claims: { nonce: "another" } },
    "no nonce": { claims: { nonce: undefined } },
    "no subject": { claims: { sub: undefined } },
    "an end that is past": { claims: { iat: now - 600, exp: now - 60 } },
    "no end": { claims: { exp: undefined } },
    "a beginning that is to come": { claims: { nbf: now + 600 } },
    "a key that nobody published": { forged: true },
    "a key's name that nobody published": { header: { kid: "k2" } },
    "no signature": { header: { alg: "none" } },
    "another one's name in the answer's address (RFC 9207)": { callback: { iss: "https://other.example" } },
    "no name in the answer's address, though it says that it gives one": { callback: { iss: "" } },
  };
  for (const [name, says] of Object.entries(lies)) {
    test(`is refused with the provider's code: ${name}`, async () => {
      scripted.says = says;
      const browser = new Browser();
      assert.equal(coded(await problemOf(await comeBack(browser, "scripted"), browser)), "identity/provider-answer");
      assert.equal(await browser.who(), null);
    });
  }

  test("is refused where userinfo is of somebody else", async () => {
    strict.says = {
      userinfo: {
        sub: "s-2",
        preferred_username: "x",
        email: "x@example.org",
        email_verified: true,
        groups: ["staff"],
      },
    };
    const browser = new Browser();
    assert.equal(coded(await problemOf(await comeBack(browser, "strict"), browser)), "identity/provider-answer");
  });

  test("lets a clock be some seconds off", async () => {
    scripted.says = { claims: { iat: now - 600, exp: Math.floor(Date.now() / 1_000) - 2 } };
    assert.equal((await signIn(new Browser(), "scripted")).status, 303);
  });

  test("is taken once: neither its address nor its code is good again", async () => {
    const browser = new Browser();
    const url = await comeBack(browser, "scripted");
    const kept = new Map(browser.cookies.get(url.host));
    assert.equal((await browser.go(url)).status, 303);
    assert.equal(coded(await problemOf(url, new Browser())), "identity/sign-in-ended");
    // With the cookie that the browser had then: the provider knows that code no more.
    const thief = new Browser();
    thief.cookies.set(url.host, kept);
    assert.equal(coded(await problemOf(url, thief)), "identity/provider-answer");
  });

  test("is nobody's but the browser's that asked: another one is not signed in as who began it", async () => {
    const attacker = new Browser();
    const url = await comeBack(attacker, "scripted");
    const victim = new Browser();
    assert.equal(coded(await problemOf(url, victim)), "identity/sign-in-ended");
    // Also one that has begun a sign-in of its own: the state is another.
    await comeBack(victim, "scripted");
    assert.equal(coded(await problemOf(url, victim)), "identity/provider-answer");
    assert.equal(await victim.who(), null);
  });

  test("of one provider is not taken at another's address", async () => {
    const browser = new Browser();
    const url = await comeBack(browser, "scripted");
    url.pathname = "/login/from/strict";
    assert.equal(coded(await problemOf(url, browser)), "identity/sign-in-ended");
  });

  test("that says no is told as a no", async () => {
    scripted.says = { callback: { code: "", error: "access_denied" } };
    const browser = new Browser();
    const problem = await problemOf(await comeBack(browser, "scripted"), browser);
    assert.equal(coded(problem), "identity/sign-in-ended");
    assert.match(problem.detail, /denied there/);
  });

  test("goes on to a page of the console's own, and to no other", async () => {
    for (const [next, to] of [
      ["/login/device?code=BCDF-GHJK", "/login/device?code=BCDF-GHJK"],
      ["//evil.test/", "/"],
      ["/\\evil.test/", "/"],
      ["https://evil.test/", "/"],
      ["/\t/evil.test", "/"],
      ["javascript:alert(1)", "/"],
      ["/.//evil.test", "/"],
    ] as const) {
      const browser = new Browser();
      const url = await comeBack(browser, "scripted", `?next=${encodeURIComponent(next)}`);
      assert.equal(onTo(await browser.go(url)), to, next);
    }
  });

  test("gives a session of its own each time, that no one could have set before", async () => {
    const browser = new Browser();
    const { host } = new URL(up.url);
    await browser.go(`${up.url}/`);
    const [name = ""] = sessionCookie("").split("=");
    browser.cookies.get(host)?.set(name, "wbs_00000000000000000000000000000000");
    const answer = await signIn(browser, "scripted");
    assert.equal(answer.status, 303, await answer.text());
    const secret = browser.cookies.get(host)?.get(name);
    assert.match(secret ?? "", /^wbs_/);
    assert.notEqual(secret, "wbs_00000000000000000000000000000000");
  });
});

describe("a provider that fails", () => {
  test("is said to be down, by its name, while the console goes on; and is asked again", async () => {
    for (const says of [{ token: 503 }, { token: 500 }] as const) {
      scripted.says = says;
      const browser = new Browser();
      const problem = await problemOf(await comeBack(browser, "scripted"), browser);
      assert.deepEqual([coded(problem), problem.owner, problem.status], ["identity/provider-down", "outside", 503]);
      assert.match(problem.detail, /scripted/);
    }
    assert.equal((await fetch(`${up.url}/api/status`)).status, 200);
    assert.ok(up.log.some((line) => line.includes("identity/provider-down")));
    scripted.says = {};
    assert.equal((await signIn(new Browser(), "scripted")).status, 303);
  });

  test("and does not answer is waited for for ten seconds", async () => {
    scripted.says = { token: "silence" };
    const browser = new Browser();
    const problem = await problemOf(await comeBack(browser, "scripted"), browser);
    assert.equal(coded(problem), "identity/provider-down");
    assert.match(problem.detail, /\/token does not answer/);
  });

  test("at its discovery, or without an end, is the same", async () => {
    for (const discovery of [503, "endless"] as const) {
      strict.says = { discovery };
      await up.restart();
      const response = await fetch(`${up.url}/login/with/strict`, { redirect: "manual" });
      assert.equal(coded((await response.json()) as Problem), "identity/provider-down");
    }
  });

  test("is asked what it is once in a second, however many come", async () => {
    strict.says = { discovery: 503 };
    await up.restart();
    const [before_, since] = [strict.count.discovery, performance.now()];
    const all = Array.from({ length: 40 }, () => fetch(`${up.url}/login/with/strict`, { redirect: "manual" }));
    for (const answer of await Promise.all(all)) assert.equal(answer.status, 503);
    const most = 1 + Math.ceil((performance.now() - since) / 1_000);
    assert.ok(strict.count.discovery - before_ <= most, `${strict.count.discovery - before_} of ${most}`);
    strict.says = {};
    const isBackAgain = async (): Promise<boolean> =>
      (await fetch(`${up.url}/login/with/strict`, { redirect: "manual" })).status === 303;
    await until("it is asked again", isBackAgain);
  });

  test("is asked of no more codes than an address may bring", async () => {
    await up.restart();
    const browser = new Browser();
    await comeBack(browser, "scripted");
    const [{ state = "" } = {}] = [...browser.cookies.values()].map((jar) =>
      JSON.parse(Buffer.from(jar.get("__Host-waybill-leaving") ?? "", "base64url").toString() || "{}"),
    );
    const url = new URL(`${up.url}/login/from/scripted`);
    url.search = new URLSearchParams({ code: "made up", state, iss: scripted.issuer }).toString();
    const cookie = [...(browser.cookies.get(url.host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
    const before_ = scripted.count.token;
    const statuses: number[] = [];
    for (let n = 0; n < 70; n += 1)
      statuses.push((await fetch(url, { headers: { cookie }, redirect: "manual" })).status);
    assert.equal(scripted.count.token - before_, 60);
    assert.deepEqual([...new Set(statuses.slice(60))], [429]);
    assert.notEqual(statuses[59], 429);
  });
});
