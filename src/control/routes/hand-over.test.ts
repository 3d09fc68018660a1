import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readVisit } from "../../identity/visits.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld } from "../control.suite.ts";

const app = "http://alice-demo.localhost";
const key = new Uint8Array(32).fill(3);

async function open() {
  const world = await ControlWorld.open();
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  const api = createChecked(world.server);
  const ask = async (url: string, cookie?: string, more: Readonly<Record<string, string>> = {}) => {
    const headers = { ...more, ...(cookie !== undefined && { cookie }) };
    // The edge tells the server what the visitor wrote.
    const response = await api.fetch(new Request(url, { headers }), {
      origin: new URL(url).origin,
      inside: null,
      address: "",
    });
    const set = response.headers.getSetCookie().map((one) => one.split(";")[0] ?? "");
    return {
      status: response.status,
      to: response.headers.get("location") ?? "",
      set,
      headers: response.headers,
      text: await response.text(),
    };
  };
  const begin = (to = "/page?x=1", at = app) => ask(`${at}/.waybill/sign-in?to=${encodeURIComponent(to)}`);
  return { world, ask, begin, bob: await world.cookie("bob") };
}

describe("the hand-over of a session", () => {
  test("leaves a cookie at the app's address, good there alone, and goes on to the page that was asked for", async () => {
    const { world, ask, begin, bob } = await open();
    await using _ = world;
    const begun = await begin();
    assert.match(begun.to, /^http:\/\/localhost\/hand-over\?at=http%3A%2F%2Falice-demo\.localhost&state=[0-9a-f]{64}$/);
    assert.match(
      begun.headers.getSetCookie()[0] ?? "",
      /^__Host-waybill-state=.*; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
    );
    const given = await ask(begun.to, bob);
    assert.match(given.to, /^http:\/\/alice-demo\.localhost\/\.waybill\/enter\?ticket=\w+$/);
    const entered = await ask(given.to, begun.set[0]);
    assert.deepEqual([entered.status, entered.to], [303, "/page?x=1"]);
    const [state, visit = ""] = entered.set;
    assert.equal(state, "__Host-waybill-state=");
    const value = visit.replace("__Host-waybill-visit=", "");
    const session = readVisit(key, value, "alice-demo.localhost");
    const found = await world.sessions.byId(session ?? "");
    assert.equal(found.ok && found.session.account, "bob");
    assert.equal(readVisit(key, value, "alice-other.localhost"), undefined);
    for (const answer of [begun, given, entered])
      assert.deepEqual(
        [answer.headers.get("cache-control"), answer.headers.get("referrer-policy")],
        ["no-store", "no-referrer"],
      );
    const out = await ask(`${app}/.waybill/sign-out`, visit);
    assert.match(out.headers.getSetCookie()[0] ?? "", /^__Host-waybill-visit=; Max-Age=0;/);
  });

  test("a ticket is good once, for a minute, at its address, in the browser that began", async () => {
    const { world, ask, begin, bob } = await open();
    await using _ = world;
    const ticket = async () => {
      const { to, set } = await begin();
      return { enter: (await ask(to, bob)).to, state: set[0] };
    };
    const code = async (url: string, cookie?: string) => {
      const { status, text } = await ask(url, cookie);
      return status === 303 ? "entered" : `${status} ${/"code":"([^"]*)"/.exec(text)?.[1]}`;
    };
    const refused = "401 bad-ticket";
    const once = await ticket();
    assert.deepEqual([await code(once.enter, once.state), await code(once.enter, once.state)], ["entered", refused]);
    // Of a stranger's browser, which was sent a ticket to be signed in as somebody else; and one that began something else.
    const strangers = await ticket();
    assert.equal(await code(strangers.enter), refused);
    assert.equal(await code(strangers.enter, strangers.state), refused, "it was shown, and is used up");
    const others = await ticket();
    assert.equal(await code(others.enter, (await begin()).set[0]), refused);
    const elsewhere = await ticket();
    assert.equal(await code(elsewhere.enter.replace("alice-demo", "alice-other"), elsewhere.state), refused);
    const late = await ticket();
    world.clock.advance(60_000);
    assert.equal(await code(late.enter, late.state), refused);
    const twice = await ticket();
    assert.equal(await code(twice.enter, `${twice.state}; ${twice.state}`), refused);
    assert.equal(await code(`${app}/.waybill/enter?ticket=made-up`, twice.state), refused);
  });

  test("leads nowhere but to addresses of Spaces, and there to paths of the same address", async () => {
    const { world, ask, begin, bob } = await open();
    await using _ = world;
    const state = "0".repeat(64);
    for (const at of [
      ...["http://evil.example", "https://alice-demo.localhost", "http://alice-demo.localhost:81", "http://localhost"],
      ...[
        "http://localhost.evil.example",
        "http://evil.example/.localhost",
        "javascript:alert(1)",
        "//evil.example",
        "",
      ],
      ...["http://console.localhost@evil.example", "http://localhost:7070"],
    ]) {
      const answer = await ask(`http://localhost/hand-over?${new URLSearchParams({ at, state }).toString()}`, bob);
      assert.deepEqual([answer.status, answer.to], [404, ""], at);
    }
    const path = "http://localhost/hand-over?at=http%3A%2F%2Falice-demo.localhost";
    assert.equal((await ask(`${path}&state=<script>`, bob)).status, 400);
    for (const to of [
      "//evil.example",
      "/\\evil.example",
      "https://evil.example",
      "evil",
      "/a b",
      `/${"x".repeat(2_000)}`,
      "",
    ]) {
      const begun = await begin(to);
      assert.equal((await ask((await ask(begun.to, bob)).to, begun.set[0])).to, "/", to);
    }
  });

  test("is for a window of its own alone: no page gives its visitor's session to itself unseen", async () => {
    const { world, ask, begin, bob } = await open();
    await using _ = world;
    const { to } = await begin();
    const from = (dest: string) => ({
      ...{ "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": dest },
    });
    for (const dest of ["iframe", "frame", "object", "embed", "empty"]) {
      const { status, text } = await ask(to, bob, from(dest));
      assert.deepEqual([status, /"code":"([^"]*)"/.exec(text)?.[1]], [403, "cross-site"], dest);
    }
    assert.equal((await ask(to, bob, from("document"))).status, 303);
  });

  test("who is not signed in does so at the console first, and comes back", async () => {
    const { world, ask, begin, bob } = await open();
    await using _ = world;
    const begun = await begin();
    const login = new URL((await ask(begun.to)).to, "http://localhost");
    assert.equal(login.pathname, "/login");
    const back = new URL(login.searchParams.get("next") ?? "", "http://localhost");
    assert.equal(back.origin, "http://localhost");
    assert.match((await ask(back.href, bob)).to, /\/\.waybill\/enter\?ticket=/);
    const token = await world.token("bob", ["read", "gpu"]);
    const answer = await createChecked(world.server).request(begun.to, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.match(answer.headers.get("location") ?? "", /^\/login/, "a token is no browser's session");
  });
});
