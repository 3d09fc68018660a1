/**
 * The OpenID provider for apps, over HTTP, as its clients and as those who attack them speak to it. Each claim's first words are its row
 * of the list in docs/sign-in-to-apps.md.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { Browser, openSignInWorld } from "./support/sign-in-world.ts";
import type { AppMade, SignInWorld } from "./support/sign-in-world.ts";

type Fields = Readonly<Record<string, string | undefined>>;

let world: SignInWorld;
let demo: AppMade;
let pages: AppMade;

before(async () => {
  world = await openSignInWorld();
  await world.account("bob");
  demo = await world.app({ scopes: ["read-repos", "inference-api"] });
  pages = await world.app({ sdk: "static", space: "alice/pages" });
});
after(async () => {
  assert.deepEqual(world.failures, [], "the platform failed at something of its own");
  await world[Symbol.asyncDispose]();
});

function signedIn(account = "alice"): Browser {
  const browser = new Browser();
  world.signIn(browser, account);
  return browser;
}

function asked(app: AppMade, fields: Fields = {}): string {
  const all: Fields = {
    response_type: "code",
    client_id: app.client,
    redirect_uri: app.returnTo,
    scope: "openid profile",
    state: "st",
    nonce: "no",
    ...fields,
  };
  const given = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${world.console}/oauth/authorize?${new URLSearchParams(given).toString()}`;
}

/** Where the browser is sent at last, with what the answer's query says. */
async function answered(app: AppMade, fields: Fields = {}, browser = signedIn()): Promise<URL> {
  const page = await browser.open(asked(app, fields));
  if (page.response.status !== 200) return new URL(page.url);
  return new URL((await browser.decide(page, "allow")).url);
}

async function codeOf(app: AppMade, fields: Fields = {}, browser = signedIn()): Promise<string> {
  const url = await answered(app, fields, browser);
  return url.searchParams.get("code") ?? assert.fail(`no code in ${url.href}`);
}

async function exchange(app: AppMade, fields: Fields, { secret = app.secret, inBody = false } = {}) {
  const all: Fields = { grant_type: "authorization_code", redirect_uri: app.returnTo, ...fields };
  const given = Object.entries({ ...all, ...(inBody && { client_id: app.client, client_secret: secret }) });
  const body = new URLSearchParams(given.filter((pair): pair is [string, string] => pair[1] !== undefined));
  const basic = `Basic ${Buffer.from(`${app.client}:${secret}`).toString("base64")}`;
  const headers: Record<string, string> = inBody ? {} : { authorization: basic };
  const response = await fetch(`${world.inside}/oauth/token`, { method: "POST", body, headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, string>,
  };
}

async function tokens(app: AppMade, fields: Fields = {}, browser = signedIn()) {
  const { status, body } = await exchange(app, { code: await codeOf(app, fields, browser) });
  assert.equal(status, 200, JSON.stringify(body));
  return body as {
    readonly access_token: string;
    readonly id_token: string;
    readonly scope: string;
    readonly expires_in: unknown;
  };
}

async function userinfo(token: string) {
  const response = await fetch(`${world.inside}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

async function discovered(base = world.inside): Promise<Record<string, unknown>> {
  const response = await fetch(`${base}/.well-known/openid-configuration`);
  assert.equal(response.status, 200);
  return (await response.json()) as Record<string, unknown>;
}

const challenge = (verifier: string): string => createHash("sha256").update(verifier).digest("base64url");

describe("OpenID Connect Discovery 1.0", () => {
  it("Discovery §4.3: the issuer is the address that apps are given, and all of the document's are the provider's", async () => {
    const document = await discovered();
    assert.equal(document["issuer"], world.inside);
    assert.equal(document["token_endpoint"], `${world.inside}/oauth/token`);
    assert.equal(document["userinfo_endpoint"], `${world.inside}/oauth/userinfo`);
    assert.equal(document["jwks_uri"], `${world.inside}/oauth/jwks`);
    assert.equal(
      document["authorization_endpoint"],
      `${world.console}/oauth/authorize`,
      "a browser goes to the console",
    );
  });

  it("Discovery §4.3: whoever asks by the console's address gets the same issuer, and endpoints that browsers reach", async () => {
    const document = await discovered(world.console);
    assert.equal(document["issuer"], world.inside);
    assert.equal(document["token_endpoint"], `${world.console}/oauth/token`);
  });

  it("Discovery §3: it says what it takes: codes, in queries, by S256, signed by EdDSA or RS256", async () => {
    const document = await discovered();
    assert.deepEqual(document["response_types_supported"], ["code"]);
    assert.deepEqual(document["response_modes_supported"], ["query"]);
    assert.deepEqual(document["grant_types_supported"], ["authorization_code"]);
    assert.deepEqual(document["code_challenge_methods_supported"], ["S256"]);
    assert.deepEqual(document["id_token_signing_alg_values_supported"], ["EdDSA", "RS256"]);
    assert.deepEqual(document["subject_types_supported"], ["public"]);
    assert.equal(document["authorization_response_iss_parameter_supported"], true);
    assert.equal(document["registration_endpoint"], undefined);
  });

  it("Discovery §4: a Host that is made up changes nothing of it", async () => {
    const response = await fetch(`${world.console}/.well-known/openid-configuration`, {
      headers: { "x-forwarded-host": "evil.test", "x-forwarded-proto": "https" },
    });
    assert.equal(JSON.stringify(await response.json()).includes("evil.test"), false);
  });

  it("RFC 8414 §3: the same stands under oauth-authorization-server", async () => {
    const response = await fetch(`${world.inside}/.well-known/oauth-authorization-server`);
    assert.deepEqual(await response.json(), await discovered());
  });
});

describe("OpenID Connect Core 1.0", () => {
  it("Core §3.1.2.1: who is not signed in is sent to the console's page, and back to the question", async () => {
    const browser = new Browser();
    const page = await browser.open(asked(demo));
    const url = new URL(page.url);
    assert.equal(url.pathname, "/login");
    world.signIn(browser, "alice");
    const back = await browser.open(`${world.console}${url.searchParams.get("next")}`);
    assert.equal(back.response.status, 200);
    const end = await browser.decide(back, "allow");
    assert.ok(new URL(end.url).searchParams.get("code"));
  });

  it("Core §3.1.2.1: of who is not signed in nothing is kept, however many there are; what asks for a new sign-in ends before others", async () => {
    const kept = async (): Promise<number> =>
      (await world.kept()).split("\n").filter((value) => value === "Interaction").length;
    const before = await kept();
    for (let n = 0; n < 20; n += 1) await new Browser().open(asked(demo, { state: `s${n}` }));
    assert.equal(await kept(), before);
    assert.equal((await new Browser().open(asked(demo, { prompt: "login" }))).url.includes("/login?next="), true);
    assert.equal(await kept(), before + 1);
  });

  it("Core §3.1.2.4: the page says who asks, for whom, for what and for how long, and is shown in no frame", async () => {
    const fresh = await world.app({ space: "alice/asks", scopes: ["write-repos"], expiresInMinutes: 60 });
    const { response } = await signedIn("bob").open(asked(fresh, { scope: "openid profile write-repos" }));
    const html = await response.text();
    for (const words of ["alice/asks", "bob", "make Spaces and change those that you may change", "an hour"])
      assert.ok(html.includes(words), words);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /form-action 'self'(;|$)/);
    assert.equal(response.headers.get("cache-control"), "no-store");
  });

  it("Core §3.1.2.4: the form's answer is a page that goes on: a redirect to the app's address would be held to the form's policy", async () => {
    for (const decision of ["allow", "deny"]) {
      const browser = signedIn();
      const page = await browser.open(asked(demo, { prompt: "consent" }));
      const secret = /name="secret" value="([^"]+)"/.exec(await page.response.text())?.[1] ?? "";
      const sent = { method: "POST", body: new URLSearchParams({ secret, decision }) };
      const { status, headers } = await browser.get(page.url, sent);
      assert.deepEqual([status, headers.get("location")], [200, null]);
      const [, next = ""] = /^0; url=(.*)$/.exec(headers.get("refresh") ?? "") ?? [];
      const onward = await browser.get(next);
      assert.equal(new URL(onward.headers.get("location") ?? "").host, "alice-demo.apps.test:7777");
    }
  });

  it("Core §3.1.2.4: what was allowed is not asked again, more than that is", async () => {
    const fresh = await world.app({ space: "alice/again", scopes: ["read-repos"] });
    const browser = signedIn("bob");
    await codeOf(fresh, {}, browser);
    assert.equal((await browser.open(asked(fresh))).response.status, 303);
    assert.equal((await browser.open(asked(fresh, { scope: "openid profile read-repos" }))).response.status, 200);
  });

  it("Core §3.1.2.1 prompt=consent: it is asked again", async () => {
    const browser = signedIn();
    await codeOf(demo, {}, browser);
    assert.equal((await browser.open(asked(demo, { prompt: "consent" }))).response.status, 200);
  });

  it("Core §3.1.2.1 prompt=none: an error and no page, where nobody is signed in or nothing was allowed", async () => {
    const fresh = await world.app({ space: "alice/silent" });
    const out = await answered(fresh, { prompt: "none" }, new Browser());
    assert.equal(out.searchParams.get("error"), "login_required");
    const asks = await answered(fresh, { prompt: "none" });
    assert.equal(asks.searchParams.get("error"), "consent_required");
    const browser = signedIn();
    await codeOf(fresh, {}, browser);
    assert.ok((await answered(fresh, { prompt: "none" }, browser)).searchParams.get("code"));
  });

  it("Core §3.1.2.1 prompt=login, max_age: who is signed in for longer proves it again, and the ID token says when", async () => {
    for (const fields of [{ prompt: "login" }, { max_age: "5" }]) {
      const browser = new Browser();
      world.signIn(browser, "alice", { agoMs: 60_000 });
      const page = await browser.open(asked(demo, fields));
      assert.equal(page.response.status, 200, "nobody is signed out by an app's wish alone");
      const at = page.url;
      const out = new URL((await browser.decide(page, "again")).url);
      assert.equal(out.pathname, "/login");
      assert.equal(`${world.console}${out.searchParams.get("next")}`, at);
      assert.equal(new URL((await browser.open(at)).url).pathname, "/login", "the old session is over");
      world.signIn(browser, "alice", { agoMs: -2_000 });
      const back = await browser.open(at);
      const end = back.response.status === 200 ? (await browser.decide(back, "allow")).url : back.url;
      const { body } = await exchange(demo, { code: new URL(end).searchParams.get("code") ?? "" });
      const { auth_time: signedInAt } = decodeJwt(body["id_token"] ?? "");
      if (fields.max_age !== undefined) assert.ok(Number(signedInAt) > Date.now() / 1_000 - 30, String(signedInAt));
    }
  });

  it("Core §3.1.2.6: a person who says no is an access_denied, with the state", async () => {
    const browser = signedIn();
    const page = await browser.open(asked(demo, { prompt: "consent" }));
    const url = new URL((await browser.decide(page, "deny")).url);
    assert.equal(url.searchParams.get("error"), "access_denied");
    assert.equal(url.searchParams.get("state"), "st");
    assert.equal(url.searchParams.get("code"), null);
  });

  it("Core §3.1.3.3: tokens are Bearer, kept by nobody on the way, and hold as long as the app's front matter says", async () => {
    const { status, headers, body } = await exchange(demo, { code: await codeOf(demo) });
    assert.equal(status, 200);
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(body["token_type"], "Bearer");
    assert.equal(body["expires_in"], 480 * 60);
    assert.equal(body["refresh_token"], undefined);
  });

  it("Core §3.1.3.7: the ID token is this issuer's, for this client, with the nonce, and verifies by the JWKS", async () => {
    const keys = createRemoteJWKSet(new URL(`${world.inside}/oauth/jwks`));
    const { id_token: token } = await tokens(demo, { nonce: "n-0S6" });
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: world.inside,
      audience: demo.client,
    });
    assert.equal(protectedHeader.alg, "EdDSA");
    assert.equal(payload["nonce"], "n-0S6");
    assert.equal(payload.sub, "alice");
    assert.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 3_600);
  });

  it("Core §3.1.3.7: clients that expect RS256 get it", async () => {
    const docker = await world.app({ sdk: "docker", space: "alice/docker" });
    const { id_token: token } = await tokens(docker);
    assert.equal(decodeProtectedHeader(token).alg, "RS256");
    const keys = createRemoteJWKSet(new URL(`${world.inside}/oauth/jwks`));
    await jwtVerify(token, keys, {
      issuer: world.inside,
      audience: docker.client,
    });
  });

  it("Core §5.1: the ID token and userinfo name the person as the Hub's do, and the subject is the same", async () => {
    world.organisation("acme", ["alice"]);
    const got = await tokens(demo);
    const claims = decodeJwt(got.id_token);
    const { status, body } = await userinfo(got.access_token);
    assert.equal(status, 200);
    for (const about of [claims, body]) {
      assert.equal(about["sub"], "alice");
      assert.equal(about["name"], "alice");
      assert.equal(about["preferred_username"], "alice");
      assert.equal(about["profile"], `${world.console}/alice`);
      assert.equal(about["picture"], `${world.console}/oauth/picture/alice.svg`);
      assert.equal(about["isPro"], false);
    }
    assert.equal((body["orgs"] as { name: string }[])[0]?.name, "acme");
    assert.equal(claims["orgs"], undefined, "a cookie would have to carry them");
    const picture = await fetch(String(body["picture"]));
    assert.equal(picture.headers.get("content-type"), "image/svg+xml");
  });

  it("Core §5.4: without profile an app learns the subject and no more", async () => {
    const { access_token: token } = await tokens(demo, { scope: "openid" });
    const { body } = await userinfo(token);
    assert.deepEqual(Object.keys(body), ["sub"]);
  });

  it("Core §5.3.3: userinfo refuses a token that is none, and says so in WWW-Authenticate", async () => {
    const { status, headers } = await userinfo("hf_wb00000000000000000000000000000000");
    assert.equal(status, 401);
    assert.match(headers.get("www-authenticate") ?? "", /Bearer .*error="invalid_token"/);
  });

  it("Core §8: the subject is public: the same for all apps", async () => {
    const other = await world.app({ space: "alice/other" });
    assert.equal(decodeJwt((await tokens(other)).id_token).sub, decodeJwt((await tokens(demo)).id_token).sub);
  });

  it("Core §10.1.1: a key set has no private part, and each key an id and an algorithm", async () => {
    const { keys } = (await (await fetch(`${world.inside}/oauth/jwks`)).json()) as { keys: Record<string, string>[] };
    assert.deepEqual(new Set(keys.map(({ alg }) => alg)), new Set(["EdDSA", "RS256"]));
    for (const key of keys) {
      assert.ok(key["kid"]);
      for (const secret of ["d", "p", "q", "dp", "dq", "qi"]) assert.equal(key[secret], undefined);
    }
  });
});

describe("OAuth 2.0 Security Best Current Practice (RFC 9700)", () => {
  it("RFC 9700 §2.1: an address of return that is not the Space's own is shown, never followed", async () => {
    const own = demo.returnTo.split("?")[0] ?? "";
    for (const uri of [
      "https://evil.test/login/callback",
      own.replace("apps.test", "apps.test.evil.test"),
      own.replace("https://", "https://evil.test@"),
      own.replace("/login/callback", "/login/callback/"),
      own.replace("/login/callback", "/login/../login/callback"),
      own.replace("/login/callback", "/elsewhere"),
      own.replace("https:", "HTTPS:"),
      `${own}?next=https://evil.test`,
      `${own}#fragment`,
      own.replace("alice-demo", "alice-pages"),
      own.replace("apps.test", "apps.test:8443"),
    ]) {
      const { response, url } = await signedIn().open(asked(demo, { redirect_uri: uri }));
      assert.equal(response.status, 400, `${uri} led to ${url}`);
      assert.equal(response.headers.get("location"), null);
      assert.match(await response.text(), /invalid_redirect_uri|redirect_uri/);
    }
  });

  it("RFC 9700 §2.1: what Gradio puts behind its address of return may stand there, and leads to the Space's reachable address", async () => {
    const url = await answered(demo, { redirect_uri: `${demo.returnTo}&_nb_redirects=1` });
    assert.equal(url.origin, "http://alice-demo.apps.test:7777");
    assert.equal(url.pathname, "/login/callback");
    assert.equal(url.searchParams.get("_target_url"), "/");
  });

  it("RFC 9700 §2.1.1: who keeps no secret must use PKCE", async () => {
    const without = await answered(pages);
    assert.equal(without.searchParams.get("error"), "invalid_request");
    const verifier = randomBytes(32).toString("base64url");
    const fields = { code_challenge: challenge(verifier), code_challenge_method: "S256" };
    const code = await codeOf(pages, fields);
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: pages.returnTo,
      client_id: pages.client,
      code_verifier: verifier,
    });
    const response = await fetch(`${world.console}/oauth/token`, { method: "POST", body });
    assert.equal(response.status, 200);
  });

  it("RFC 9700 §2.1.1: who keeps one uses PKCE or a nonce", async () => {
    const neither = await answered(demo, { nonce: undefined });
    assert.equal(neither.searchParams.get("error"), "invalid_request");
  });

  it("RFC 9700 §2.1.1: only S256, and a verifier that does not fit gets nothing", async () => {
    const plain = await answered(demo, { code_challenge: "a".repeat(43), code_challenge_method: "plain" });
    assert.equal(plain.searchParams.get("error"), "invalid_request");
    const code = await codeOf(demo, { code_challenge: challenge("a".repeat(43)), code_challenge_method: "S256" });
    for (const code_verifier of ["b".repeat(43), undefined]) {
      const { status, body } = await exchange(demo, { code, code_verifier });
      assert.deepEqual([status, body["error"]], [400, "invalid_grant"]);
    }
  });

  it("RFC 9700 §2.1.1: a verifier for a code without a challenge is refused: nobody took the challenge out of the question", async () => {
    const { status, body } = await exchange(demo, { code: await codeOf(demo), code_verifier: "a".repeat(43) });
    assert.deepEqual([status, body["error"]], [400, "invalid_grant"]);
  });

  it("RFC 9700 §2.1.2: no implicit and no hybrid flow", async () => {
    for (const type of ["token", "id_token", "id_token token", "code id_token", "none"]) {
      const { response, url } = await signedIn().open(asked(demo, { response_type: type }));
      const where = new URL(url);
      const said = where.searchParams.get("error") ?? new URLSearchParams(where.hash.slice(1)).get("error");
      assert.ok(said !== null || response.status === 400, `${type}: ${url}`);
      assert.equal(where.searchParams.get("code"), null);
      assert.equal(/access_token|id_token=/.test(where.hash), false);
    }
  });

  it("RFC 9700 §2.4: no grant by a person's password", async () => {
    const { status, body } = await exchange(demo, {
      grant_type: "password",
      username: "alice",
      password: "x",
      redirect_uri: undefined,
    });
    assert.deepEqual([status, body["error"]], [400, "unsupported_grant_type"]);
  });

  it("RFC 9700 §4.2.4: a code is good once, and the second use ends what the first one got", async () => {
    const code = await codeOf(demo);
    const first = await exchange(demo, { code });
    assert.equal(first.status, 200);
    const second = await exchange(demo, { code });
    assert.deepEqual([second.status, second.body["error"]], [400, "invalid_grant"]);
    assert.equal((await userinfo(first.body["access_token"] ?? "")).status, 401);
    const found = await world.resolver.resolve({
      authorization: `Bearer ${first.body["access_token"]}`,
      hfAuthorization: undefined,
      address: "::1",
    });
    assert.equal(found.ok, false);
  });

  it("RFC 9700 §4.2.4: of many who use a code at the same moment one gets a token", async () => {
    const code = await codeOf(demo);
    const all = await Promise.all(Array.from({ length: 8 }, () => exchange(demo, { code })));
    assert.equal(all.filter(({ status }) => status === 200).length, 1);
    for (const { status, body } of all.filter(({ status: one }) => one !== 200))
      assert.deepEqual([status, body["error"]], [400, "invalid_grant"]);
  });

  it("RFC 6749 §4.1.2: a code holds a minute", async () => {
    const code = await codeOf(demo);
    world.later(61_000);
    const { status, body } = await exchange(demo, { code });
    assert.deepEqual([status, body["error"]], [400, "invalid_grant"]);
  });

  it("RFC 9700 §4.5: a code is its client's, at its address of return", async () => {
    const other = await world.app({ space: "alice/thief" });
    const stolen = await exchange(other, { code: await codeOf(demo) });
    assert.deepEqual([stolen.status, stolen.body["error"]], [400, "invalid_grant"]);
    const elsewhere = await exchange(demo, {
      code: await codeOf(demo),
      redirect_uri: "http://alice-demo.apps.test:7777/login/callback",
    });
    assert.deepEqual([elsewhere.status, elsewhere.body["error"]], [400, "invalid_grant"]);
  });

  it("RFC 9207 §2: each answer says whose it is, errors too", async () => {
    assert.equal((await answered(demo)).searchParams.get("iss"), world.inside);
    assert.equal((await answered(demo, { prompt: "none" }, new Browser())).searchParams.get("iss"), world.inside);
  });

  it("RFC 9700 §4.7.1: a form that was not sent from the page allows nothing", async () => {
    const browser = signedIn("bob");
    const fresh = await world.app({ space: "alice/forged" });
    const page = await browser.open(asked(fresh));
    const secret = /name="secret" value="([^"]+)"/.exec(await page.response.text())?.[1] ?? "";
    const send = (fields: Record<string, string>, site = "same-origin") =>
      browser.get(page.url, { method: "POST", body: new URLSearchParams(fields), headers: { "sec-fetch-site": site } });
    assert.equal((await send({ decision: "allow" })).status, 403);
    assert.equal((await send({ decision: "allow", secret: `${secret.slice(0, -1)}!` })).status, 403);
    assert.equal((await send({ decision: "allow", secret }, "cross-site")).status, 403);
    const other = signedIn("alice");
    const theirs = await other.get(page.url, {
      method: "POST",
      body: new URLSearchParams({ decision: "allow", secret }),
    });
    assert.equal(theirs.status, 400, "another browser's question");
    assert.equal((await send({ decision: "allow", secret })).status, 200);
  });

  it("RFC 9700 §4.11: a person is sent nowhere by an address in the question's query", async () => {
    const { response } = await new Browser().open(`${asked(demo)}&next=https://evil.test`);
    assert.equal(new URL(response.headers.get("location") ?? "", world.console).origin, world.console);
  });

  it("RFC 6749 §2.3.1: a secret in the header or in the body, and a wrong one is a 401", async () => {
    assert.equal((await exchange(demo, { code: await codeOf(demo) }, { inBody: true })).status, 200);
    for (const inBody of [true, false]) {
      const { status, body } = await exchange(demo, { code: await codeOf(demo) }, { secret: "wrong", inBody });
      assert.deepEqual([status, body["error"]], [401, "invalid_client"]);
    }
  });

  it("RFC 6749 §3.1.2.4: a client that is none is shown an error, never a redirect", async () => {
    const { response } = await signedIn().open(asked(demo, { client_id: "app_0000000000000000" }));
    assert.equal(response.status, 400);
    assert.match(await response.text(), /invalid_client/);
  });

  it("RFC 6749 §3.3: a scope that the front matter does not name is refused, one that nobody knows is left out", async () => {
    const more = await answered(demo, { scope: "openid profile write-repos" });
    assert.equal(more.searchParams.get("error"), "invalid_scope");
    const got = await tokens(demo, { scope: "openid profile nonsense" });
    assert.equal(got.scope, "openid profile");
  });

  it("RFC 8628 §3.4: what a program fetches at the same address is answered by who gave it its code, with its body whole", async () => {
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: "x".repeat(9_000),
    });
    const response = await fetch(`${world.console}/oauth/token`, { method: "POST", body });
    assert.deepEqual([response.status, await response.text()], [404, body.toString()]);
  });

  it("RFC 7009 §2: an app gives a token of its own back, and no other app does", async () => {
    const { access_token: token } = await tokens(demo);
    const other = await world.app({ space: "alice/revoker" });
    const revoke = async ({ client, secret }: AppMade) =>
      fetch(`${world.inside}/oauth/revoke`, {
        method: "POST",
        body: new URLSearchParams({ token }),
        headers: { authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString("base64")}` },
      });
    await revoke(other);
    assert.equal((await userinfo(token)).status, 200);
    assert.equal((await revoke(demo)).status, 200);
    assert.equal((await userinfo(token)).status, 401);
  });

  it("RFC 9700 §2.6: a page of another site reads nothing of the token's address, a static Space's own does", async () => {
    const preflight = async (origin: string, app: AppMade) => {
      const response = await fetch(`${world.console}/oauth/token`, {
        method: "POST",
        headers: { origin },
        body: new URLSearchParams({ grant_type: "authorization_code", client_id: app.client, code: "x" }),
      });
      return response.headers.get("access-control-allow-origin");
    };
    assert.equal(await preflight("http://alice-demo.apps.test:7777", pages), "http://alice-demo.apps.test:7777");
    assert.equal(await preflight("https://evil.test", pages), null);
  });
});

describe("an app's token", () => {
  it("is an access token of the account, with what was granted and no more", async () => {
    const scopesOf = async (scope: string) => {
      const { access_token: token } = await tokens(demo, { scope });
      assert.match(token, /^hf_wb[0-9a-hjkmnp-tv-z]{32}$/);
      const found = await world.resolver.resolve({
        authorization: `Bearer ${token}`,
        hfAuthorization: undefined,
        address: "::1",
      });
      assert.ok(found.ok && found.by === "token");
      assert.equal(found.account, "alice");
      return found.scopes;
    };
    assert.deepEqual(await scopesOf("openid profile"), []);
    assert.deepEqual(await scopesOf("openid profile read-repos"), ["read"]);
    assert.deepEqual(await scopesOf("openid inference-api read-repos"), ["read", "gpu"]);
  });

  it("is listed with its Space, and ends for the app when its owner revokes it", async () => {
    const fresh = await world.app({ space: "alice/listed" });
    const { access_token: token } = await tokens(fresh);
    const row = (await world.catalog.tokens.list("alice")).find(({ app }) => app === "alice/listed");
    assert.ok(row);
    await world.catalog.tokens.revoke(row.id, row.createdAt);
    assert.equal((await userinfo(token)).status, 401);
  });

  it("ends by itself", async () => {
    const fresh = await world.app({ space: "alice/short", expiresInMinutes: 1 });
    const { access_token: token } = await tokens(fresh);
    assert.equal((await userinfo(token)).status, 200);
    world.later(61_000);
    assert.equal((await userinfo(token)).status, 401);
  });

  it("is one of 25 at most of one app and account: the oldest end", async () => {
    const fresh = await world.app({ space: "alice/many" });
    const browser = signedIn();
    const first = await tokens(fresh, {}, browser);
    for (let n = 0; n < 25; n += 1) {
      world.later(1_000);
      await tokens(fresh, {}, browser);
    }
    const held = (await world.catalog.tokens.list("alice")).filter(
      ({ app, revokedAt }) => app === "alice/many" && revokedAt === null,
    );
    assert.equal(held.length, 25);
    assert.equal((await userinfo(first.access_token)).status, 401);
  });

  it("is given only to members, where the front matter names organisations", async () => {
    world.organisation("acme", ["alice"]);
    const fresh = await world.app({ space: "alice/members", organisations: ["acme"] });
    assert.ok(await codeOf(fresh));
    const { response } = await signedIn("bob").open(asked(fresh));
    assert.equal(response.status, 403);
    assert.match(await response.text(), /Only members of acme may sign in/);
  });

  it("is given to nobody who is no member any more, whatever they allowed when they were", async () => {
    world.organisation("left", ["alice", "bob"]);
    const fresh = await world.app({ space: "alice/left", organisations: ["left"] });
    const browser = signedIn("bob");
    assert.ok(await codeOf(fresh, {}, browser));
    world.organisation("left", ["alice"]);
    const { response } = await browser.open(asked(fresh));
    assert.equal(response.status, 403);
    const silent = await answered(fresh, { prompt: "none" }, browser);
    assert.deepEqual([silent.searchParams.get("error"), silent.searchParams.get("code")], ["consent_required", null]);
  });
});

describe("what is kept", () => {
  it("an allowance is in the audit log, with the session that gave it", async () => {
    const fresh = await world.app({ space: "alice/audited" });
    await codeOf(fresh);
    const page = await world.catalog.audit.list({ target: "space/alice/audited" }, { page: undefined, limit: 10 });
    const [entry] = page?.items ?? [];
    assert.equal(entry?.action, "app.allow");
    assert.equal(entry?.outcome, "done");
    assert.match(entry?.session ?? "", /^s_/);
    assert.match(entry?.became ?? "", /"scopes":\["openid","profile"\]/);
  });

  it("the database holds neither code, token, secret nor private key in the clear", async () => {
    const code = await codeOf(demo);
    const { body } = await exchange(demo, { code });
    const text = await world.kept();
    assert.ok(text.includes(demo.client), "it is the database");
    for (const secret of [code, body["access_token"] ?? "?", demo.secret, '"d"'])
      assert.equal(text.includes(secret), false);
  });
});
