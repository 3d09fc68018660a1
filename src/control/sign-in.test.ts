/** Signing in at the console: who gets a session, how it ends, and what somebody who guesses, probes or lures is told. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import type { Page } from "../contract/api.ts";
import type { AuditEntryView, SessionView } from "../contract/identity.ts";
import type { Problem } from "../contract/problem.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import { argon2id } from "../identity/password.ts";
import type { Derive } from "../identity/password.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld } from "./control.suite.ts";
import { SignIn } from "./sign-in.ts";
import type { WrongPassword } from "./sign-in.ts";

const origin = "https://waybill.example.com";
const good = "correct horse battery staple";
const other = "a cart pulled by seven goats";

interface Sent {
  readonly cookie?: string | undefined;
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly at?: string;
}

async function asking() {
  const world = await ControlWorld.open();
  const app = createChecked(world.server);
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  const send = async (line: string, body: object | undefined, sent: Sent = {}) => {
    const { cookie, address = "192.0.2.7", headers = {}, at = origin } = sent;
    const [method = "", path = ""] = line.split(" ");
    const isForm = !path.startsWith("/api/");
    const type = isForm ? "application/x-www-form-urlencoded" : "application/json";
    const text = isForm ? new URLSearchParams({ ...body }).toString() : JSON.stringify(body);
    return app.request(
      `${at}${path}`,
      {
        method,
        headers: { origin: at, "content-type": type, ...(cookie !== undefined && { cookie }), ...headers },
        ...(method === "GET" ? {} : { body: body === undefined ? "" : text }),
      },
      { inside: null, origin: at, address },
    );
  };
  const cookieOf = (response: Response): string | undefined => response.headers.get("set-cookie")?.split(";")[0];
  const login = async (name: string, password: string, sent?: Sent) => send("POST /login", { name, password }, sent);
  const whois = async (cookie: string | undefined, sent: Sent = {}) => {
    const response = await send("GET /api/whoami-v2", undefined, { cookie, ...sent });
    return response.status === 200 ? ((await response.json()) as { name: string }).name : response.status;
  };
  const token = await world.token("admin", ["read", "write", "gpu", "admin"]);
  const asAdmin = { authorization: `Bearer ${token}` };
  const setPassword = async (account: string, password: string) => {
    const response = await send(`PUT /api/accounts/${account}/password`, { password }, { headers: asAdmin });
    assert.equal(response.status, 200, await response.text());
  };
  return { world, send, login, cookieOf, whois, setPassword, asAdmin };
}

const codeOf = async (response: Response): Promise<string> => {
  const { boundary, code } = (await response.json()) as Problem;
  return `${response.status} ${boundary}/${code}`;
};

describe("signing in", () => {
  test("with the right password gives a session that is the account's, and goes back where the browser came from", async () => {
    const { world, send, login, cookieOf, whois, setPassword } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const response = await send("POST /login", { name: "alice", password: good, next: "/w/q_1" });
    assert.deepEqual([response.status, response.headers.get("location")], [303, "/login/kept?next=%2Fw%2Fq_1"]);
    const cookie = cookieOf(response);
    assert.equal(await whois(cookie), "alice");
    const kept = await send("GET /login/kept?next=%2Fw%2Fq_1", undefined, { cookie });
    assert.match(await kept.text(), /http-equiv="refresh" content="0;url=\/w\/q_1"/);
    const page = await (await send("GET /", undefined, { cookie })).text();
    assert.match(page, /Signed in as <a href="\/settings">alice/);
    assert.equal((await login("alice", other)).status, 401);
  });

  test("that the browser did not keep says so, and loses no return path", async () => {
    const { world, send } = await asking();
    await using _ = world;
    const back = await send("GET /login/kept?next=%2Fw%2Fq_1", undefined);
    assert.equal(back.headers.get("location"), "/login?next=%2Fw%2Fq_1&kept=no");
    const page = await send("GET /login?next=%2Fw%2Fq_1&kept=no", undefined);
    assert.equal(page.status, 400);
    assert.match(await page.text(), /did not keep the session.*name="next" value="\/w\/q_1"/s);
  });

  test("goes on to a long address whole, on each page on the way", async () => {
    const { world, send, setPassword, cookieOf } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const next = `/hand-over?to=${"a".repeat(1_900)}`;
    const query = new URLSearchParams({ next });
    const page = await (await send(`GET /login?${query}`, undefined)).text();
    assert.ok(page.includes(`name="next" value="${next}"`));
    const entered = await send("POST /login", { name: "alice", password: good, next });
    const onward = await send(`GET ${entered.headers.get("location")}`, undefined, { cookie: cookieOf(entered) });
    const text = await onward.text();
    assert.ok(text.includes(`content="0;url=${next}"`) && text.includes(`href="${next}"`));
  });

  test("leads to no other site, whatever the link said that led to it", async () => {
    const { world, send, setPassword, cookieOf } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    for (const next of [
      "https://evil.example/",
      "//evil.example",
      "/\\evil.example",
      "/\t/evil.example",
      "javascript:x",
    ]) {
      const entered = await send("POST /login", { name: "alice", password: good, next });
      assert.equal(entered.headers.get("location"), "/login/kept?next=%2F", next);
      const query = new URLSearchParams({ next });
      const cookie = cookieOf(entered);
      assert.equal((await send(`GET /login?${query}`, undefined, { cookie })).headers.get("location"), "/");
      assert.match(await (await send(`GET /login/kept?${query}`, undefined, { cookie })).text(), /content="0;url=\/"/);
      const page = await (await send(`GET /login?${query}`, undefined)).text();
      assert.doesNotMatch(page, /evil|javascript:/);
    }
  });

  test("never takes a session that a browser brought: it gets another, and the one that it had ends", async () => {
    const { world, login, cookieOf, whois, setPassword } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const planted = `__Host-waybill-console=wbs_${"0".repeat(32)}`;
    const entered = await login("alice", good, { cookie: planted });
    assert.equal(entered.headers.getSetCookie().length, 1);
    const first = cookieOf(entered);
    assert.notEqual(first, planted);
    assert.equal(await whois(planted), 401);
    // An attacker's own session in the victim's browser: it is not the victim's afterwards, and holds no longer.
    const attackers = await world.cookie("bob");
    const second = cookieOf(await login("alice", good, { cookie: attackers }));
    assert.deepEqual([await whois(second), await whois(attackers), await whois(first)], ["alice", 401, "alice"]);
  });

  test("is for the console's own page alone: nobody signs a browser in from elsewhere", async () => {
    const { world, login, setPassword, send } = await asking();
    await using _ = world;
    await setPassword("bob", good);
    const foreign: readonly Readonly<Record<string, string>>[] = [
      { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
      { "sec-fetch-site": "same-site", origin: "https://alice-demo.example.com" },
      { origin: "https://evil.example" },
      { origin: "null" },
    ];
    for (const headers of foreign) {
      assert.equal(await codeOf(await login("bob", good, { headers })), "403 identity/cross-site");
      const code = world.server.signIn.link("admin");
      assert.equal(await codeOf(await send("POST /login", { code }, { headers })), "403 identity/cross-site");
    }
    assert.deepEqual(await world.catalog.sessions.list("bob"), []);
  });

  test("by the link that the platform prints works once", async () => {
    const { world, send, cookieOf, whois } = await asking();
    await using _ = world;
    const code = world.server.signIn.link("admin");
    const first = await send("POST /login", { code });
    assert.equal(await whois(cookieOf(first)), "admin");
    const again = await send("POST /login", { code });
    assert.deepEqual([await codeOf(again), cookieOf(again)], ["401 identity/bad-link", undefined]);
    const late = world.server.signIn.link("admin");
    world.clock.advance(15 * 60_000);
    assert.equal(await codeOf(await send("POST /login", { code: late })), "401 identity/bad-link");
    const many = await Promise.all(
      Array.from({ length: 5 }, () =>
        send("POST /login", { code: world.server.signIn.link("bob") }, { address: "192.0.2.8" }),
      ),
    );
    assert.deepEqual(
      many.map(({ status }) => status),
      Array(5).fill(303),
    );
  });

  test("over plain http is refused, out loud, but on this machine itself", async () => {
    const { world, login, setPassword, send } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    for (const at of [
      "http://waybill.lan",
      "http://192.168.1.5:7070",
      "http://localhost.evil.example",
      "http://[2001:db8::1]",
    ]) {
      assert.equal(await codeOf(await login("alice", good, { at })), "403 identity/insecure", at);
      const page = await send("GET /login", undefined, { at, headers: { accept: "text/html" } });
      assert.equal(page.status, 403);
      assert.doesNotMatch(await page.text(), /<form/);
    }
    for (const at of ["http://localhost:7070", "http://127.0.0.1:7070", "http://[::1]:7070", origin])
      assert.equal((await login("alice", good, { at })).status, 303, at);
  });

  test("tells an app's frame or script nothing: the page is not to be framed, and runs no script but its own", async () => {
    const { world, send } = await asking();
    await using _ = world;
    const page = await send("GET /login", undefined);
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(
      policy,
      /default-src 'none'.*frame-ancestors 'none'.*form-action 'self'; script-src 'sha256-[\w+/=]+'$/,
    );
    assert.equal(page.headers.get("cache-control"), "no-store");
    assert.equal(page.headers.get("referrer-policy"), "same-origin");
  });
});

describe("whoever guesses", () => {
  /** Signing in beside the API, with every question to the database and every key counted; alice has a password. */
  async function counting(derive: Derive = argon2id) {
    const counted = { sql: 0, derived: 0 };
    const wrong: WrongPassword[] = [];
    const memory = memorySql();
    const sql: SqlRunner = {
      ...memory,
      all: (text, params) => ((counted.sql += 1), memory.all(text, params)),
      run: (text, params) => ((counted.sql += 1), memory.run(text, params)),
    };
    const world = await ControlWorld.open({ sql });
    const signIn = new SignIn({
      ...{ catalog: world.catalog, sessions: world.sessions, effects: world.server.effects },
      ...{ clock: world.clock, random: (count: number) => crypto.getRandomValues(new Uint8Array(count)) },
      derive: (password, salt) => ((counted.derived += 1), derive(password, salt)),
      onWrongPassword: (of) => wrong.push(of),
    });
    const admin = (await world.server.callers.byToken(`Bearer ${await world.token("admin", ["admin"])}`)) as {
      caller: Parameters<SignIn["setPassword"]>[1];
    };
    assert.ok((await signIn.setPassword({ account: "alice", password: good, address: null }, admin.caller)).ok);
    await world.server.organisations.create({ name: "acme", tier: "pro", admin: "alice", by: "admin" });
    const login = (name: string, password: string, address = "192.0.2.7") =>
      signIn.byPassword({ name, password }, { address, agent: null, cookie: undefined, request: "q_1" });
    const cost = async (name: string, password: string) => {
      const before = { ...counted };
      const told = await login(name, password);
      assert.ok(!told.ok);
      return { sql: counted.sql - before.sql, derived: counted.derived - before.derived, told };
    };
    return { world, cost, login, wrong };
  }

  test("learns of no name whether it is there: every wrong try costs the same questions and keys, and is told the same", async () => {
    const { world, cost } = await counting();
    await using _ = world;
    const wrong = await cost("alice", other);
    assert.deepEqual([wrong.sql, wrong.derived], [2, 1]);
    // No such account, one without a password, an organisation, and what can be no name.
    for (const name of ["nobody", "admin", "acme", "../x", "x".repeat(64), "ALICE"])
      assert.deepEqual(await cost(name, other), wrong, name);
    assert.deepEqual(await cost("alice", "x".repeat(5_000)), wrong);
  });

  test("is told to who runs the platform, without a name that is nobody's: it may be a password in the wrong field", async () => {
    const { world, login, wrong } = await counting();
    await using _ = world;
    await login("alice", other);
    await login(good, other, "2001:db8::1");
    await login("alice", good);
    assert.deepEqual(wrong, [
      { account: "alice", address: "192.0.2.7" },
      { account: null, address: "2001:db8:0:0::/64" },
    ]);
  });

  test("is stopped at the same try at names that are there and at others", async () => {
    const { world, login, setPassword } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const told = async (name: string, address: string) => {
      const codes: string[] = [];
      for (let n = 0; n < 10; n += 1) codes.push(await codeOf(await login(name, other, { address })));
      return codes;
    };
    const there = await told("alice", "192.0.2.1");
    assert.deepEqual(there, [
      ...Array<string>(8).fill("401 identity/bad-password"),
      ...Array<string>(2).fill("429 identity/too-many-tries"),
    ]);
    assert.deepEqual(await told("nobody", "192.0.2.2"), there);
    // The right one too: otherwise it would be known by the answer.
    const late = await login("alice", good, { address: "192.0.2.1" });
    assert.deepEqual([late.headers.get("retry-after"), await codeOf(late)], ["900", "429 identity/too-many-tries"]);
    // One line's addresses are one; another line, and another account from here, are not held up.
    assert.equal((await login("alice", good, { address: "192.0.2.3" })).status, 303);
    await told("bob", "2001:db8:1:2::1");
    assert.match(await codeOf(await login("bob", other, { address: "2001:db8:1:2:ffff::9" })), /^429/);
    assert.match(await codeOf(await login("bob", other, { address: "2001:db8:1:3::1" })), /^401/);
    world.clock.advance(15 * 60_000);
    assert.equal((await login("alice", good, { address: "192.0.2.1" })).status, 303);
  });

  test("at one account from everywhere locks its person out of no place where they were before, and of others for an hour", async () => {
    // Two hundred keys at argon2's price are a minute's work.
    const { world, login } = await counting(async (password, salt) =>
      createHmac("sha256", salt).update(password).digest(),
    );
    await using _ = world;
    assert.ok((await login("alice", good, "203.0.113.5")).ok);
    for (let n = 0; n < 200; n += 1) assert.ok(!(await login("alice", other, `10.0.0.${n}`)).ok);
    const elsewhere = await login("alice", good, "198.51.100.1");
    assert.equal(!elsewhere.ok && elsewhere.code, "identity/too-many-tries");
    assert.ok((await login("alice", good, "203.0.113.5")).ok);
    world.clock.advance(60 * 60_000);
    assert.ok((await login("alice", good, "198.51.100.1")).ok);
  });

  test("by a password that is changed meanwhile is not signed in", async () => {
    let meanwhile = async () => {};
    const { world, login } = await counting(async (password, salt) => {
      await meanwhile();
      return createHmac("sha256", salt).update(password).digest();
    });
    await using _ = world;
    const { catalog, clock } = world;
    meanwhile = () =>
      catalog.passwords.set({ account: "alice", hash: "another", changedAt: clock.wall() }, { keep: null });
    const told = await login("alice", good);
    assert.equal(!told.ok && told.code, "identity/bad-password");
    assert.deepEqual(await catalog.sessions.list("alice"), []);
  });

  test("many at once is stopped as one after the other", async () => {
    const { world, login, setPassword } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const all = await Promise.all(Array.from({ length: 20 }, () => login("alice", other)));
    assert.equal(all.filter(({ status }) => status === 401).length, 8);
  });
});

describe("a password", () => {
  test("is set by operators for anybody, and by oneself with the one that holds", async () => {
    const { world, send, login, setPassword, cookieOf } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const cookie = cookieOf(await login("alice", good));
    const put = async (body: object, sent: Sent = { cookie }, account = "alice") =>
      codeOf(await send(`PUT /api/accounts/${account}/password`, body, sent));
    assert.equal(await put({ password: other }), "401 identity/bad-password");
    assert.equal(await put({ password: other, current: "wrong" }), "401 identity/bad-password");
    assert.equal(await put({ password: "short", current: good }), "400 control/invalid");
    assert.equal(await put({ password: other, current: good }, { cookie }, "bob"), "403 identity/forbidden");
    const done = await send("PUT /api/accounts/alice/password", { password: other, current: good }, { cookie });
    assert.equal(done.status, 200);
    assert.equal((await login("alice", other)).status, 303);
    assert.equal((await login("alice", good)).status, 401);
  });

  test("is set by no token that may less than it, or ends", async () => {
    const { world, send } = await asking();
    await using _ = world;
    const put = async (scopes: readonly ("read" | "write" | "gpu")[], account = "bob") =>
      (
        await send(
          `PUT /api/accounts/${account}/password`,
          { password: good },
          { headers: { authorization: `Bearer ${await world.token(account, scopes)}` } },
        )
      ).status;
    assert.deepEqual(
      [await put(["write"]), await put(["read", "gpu"]), await put(["read", "write", "gpu"])],
      [403, 403, 200],
    );
    // Whoever signs in as an operator is one, so what is not an operator's token makes nobody that.
    assert.equal(await put(["read", "write", "gpu"], "admin"), 403);
  });

  test("that is changed ends the account's other sessions at once, and nobody else's", async () => {
    const { world, send, login, setPassword, cookieOf, whois } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const [mine, stolen, bobs] = [
      cookieOf(await login("alice", good)),
      await world.cookie("alice"),
      await world.cookie("bob"),
    ];
    assert.deepEqual([await whois(mine), await whois(stolen)], ["alice", "alice"]);
    const changed = await send("POST /settings/password", { password: other, current: good }, { cookie: mine });
    assert.match(await changed.text(), /The password is changed/);
    assert.deepEqual([await whois(mine), await whois(stolen), await whois(bobs)], ["alice", 401, "bob"]);
    await setPassword("alice", good);
    assert.equal(await whois(mine), 401);
  });

  test("of an operator is not changed by a browser that was left alone, nor one of an organisation at all", async () => {
    const { world, send, setPassword, asAdmin } = await asking();
    await using _ = world;
    await setPassword("admin", good);
    const cookie = await world.cookie("admin");
    const left = await send("PUT /api/accounts/admin/password", { password: other }, { cookie });
    assert.equal(await codeOf(left), "401 identity/bad-password");
    await world.server.organisations.create({ name: "acme", tier: "pro", admin: "alice", by: "admin" });
    const acme = await send("PUT /api/accounts/acme/password", { password: other }, { headers: asAdmin });
    assert.equal(await codeOf(acme), "400 control/invalid");
  });

  test("is in no answer, no entry of the audit log and no row", async () => {
    const { world, send, login, setPassword, cookieOf, asAdmin } = await asking();
    await using _ = world;
    await setPassword("alice", good);
    const cookie = cookieOf(await login("alice", good));
    await send("POST /settings/password", { password: other, current: good }, { cookie });
    const log = await (await send("GET /api/audit", undefined, { headers: asAdmin })).text();
    const row = JSON.stringify([
      await world.catalog.passwords.get("alice"),
      await world.catalog.sessions.list("alice"),
    ]);
    for (const secret of [good, other, cookie!.split("=")[1]!]) assert.ok(!`${log}${row}`.includes(secret));
    const entries = (JSON.parse(log) as Page<AuditEntryView>).items.toReversed();
    const [session] = await world.catalog.sessions.list("alice");
    assert.deepEqual(
      entries.map(({ action, account, target, outcome }) => [action, account, target, outcome]),
      [
        ["password.set", "admin", "account/alice", "done"],
        ["session.begin", "alice", "account/alice", "done"],
        ["password.set", "alice", "account/alice", "done"],
      ],
    );
    assert.deepEqual(entries[1]?.after, { how: "password", session: session?.id });
    assert.deepEqual([entries[1]?.address, entries[2]?.session], ["192.0.2.7", session?.id]);
  });
});

describe("a session", () => {
  test("ends by signing out, and its cookie is taken away", async () => {
    const { world, send, whois } = await asking();
    await using _ = world;
    const cookie = await world.cookie("alice");
    const out = await send("POST /logout", {}, { cookie });
    assert.deepEqual([out.status, out.headers.get("location")], [303, "/login"]);
    assert.match(out.headers.get("set-cookie") ?? "", /^__Host-waybill-console=; Path=\/; Max-Age=0; Secure/);
    assert.equal(await whois(cookie), 401);
  });

  test("is listed and ended by its account and by operators, and by nobody else", async () => {
    const { world, send, whois, asAdmin } = await asking();
    await using _ = world;
    const [mine, theirs, bobs] = [await world.cookie("alice"), await world.cookie("alice"), await world.cookie("bob")];
    const list = async (sent: Sent, query = "") =>
      ((await (await send(`GET /api/sessions${query}`, undefined, sent)).json()) as Page<SessionView>).items;
    const all = await list({ cookie: mine });
    assert.deepEqual(all.filter(({ current }) => current).length, 1);
    assert.equal(all.length, 2);
    const id = all.find(({ current }) => !current)!.id;
    const end = async (sent: Sent, query = "") =>
      (await send(`DELETE /api/sessions/${id}${query}`, undefined, sent)).status;
    const headers = { "x-requested-with": "console" };
    assert.equal(await end({ cookie: bobs, headers }), 404);
    assert.equal(await end({ cookie: bobs, headers }, "?account=alice"), 403);
    assert.equal(await whois(theirs), "alice");
    assert.equal(await end({ cookie: mine, headers }), 200);
    assert.deepEqual([await whois(theirs), await end({ cookie: mine, headers })], [401, 404]);
    assert.deepEqual((await list({ headers: asAdmin }, "?account=alice")).length, 1);
    const others = await send("DELETE /api/sessions?account=alice", undefined, { headers: asAdmin });
    assert.deepEqual([await others.json(), await whois(mine), await whois(bobs)], [{ ended: 1 }, 401, "bob"]);
  });

  test("is shown on the account's page with the others, which it may end there", async () => {
    const { world, send, whois } = await asking();
    await using _ = world;
    assert.equal((await send("GET /settings", undefined)).headers.get("location"), "/login?next=%2Fsettings");
    const [mine, theirs] = [await world.cookie("alice"), await world.cookie("alice")];
    const page = await (await send("GET /settings", undefined, { cookie: mine })).text();
    const id = /name="session" value="(s_\w+)"/.exec(page)?.[1] ?? "";
    assert.match(await (await send("POST /settings/sessions", { session: id }, { cookie: mine })).text(), /has ended/);
    assert.deepEqual([await whois(mine), await whois(theirs)], ["alice", 401]);
    await world.cookie("alice");
    assert.match(
      await (await send("POST /settings/sessions", { session: "others" }, { cookie: mine })).text(),
      /1 sessions have/,
    );
  });
});
