import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { framePlace } from "../../contract/hand-over.ts";
import { readVisit } from "../../identity/visits.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld } from "../control.suite.ts";

const console = "http://localhost";
const app = "http://alice-demo.localhost";
const key = new Uint8Array(32).fill(3);
const ofFrame = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" };
const fromConsole = { ...ofFrame, referer: `${console}/` };

async function open() {
  const world = await ControlWorld.open();
  for (const name of ["bob", "carol"])
    await world.catalog.accounts.create({ name, tier: "free", role: "user", createdAt: world.clock.wall() });
  for (const name of ["demo", "other"]) await world.space(name);
  const api = createChecked(world.server);
  const fetch = async (url: string, init: RequestInit = {}) => {
    const response = await api.fetch(new Request(url, init), {
      origin: new URL(url).origin,
      inside: null,
      address: "",
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      headers: response.headers,
      set: response.headers.getSetCookie(),
      to: response.headers.get("location"),
      code: /"code":"([^"]*)"/.exec(text)?.[1] ?? /<code>\w+\/([\w-]+)<\/code>/.exec(text)?.[1],
    };
  };
  const bob = await world.cookie("bob");
  const wish = (headers: Readonly<Record<string, string>>, address = app, space = "alice/demo", site = "same-origin") =>
    fetch(`${console}/api/spaces/${space}/frame`, {
      method: "POST",
      headers: { "content-type": "application/json", "sec-fetch-site": site, ...headers },
      body: JSON.stringify({ address }),
    });
  const ticket = async (cookie = bob): Promise<string> => {
    const { text } = await wish({ cookie });
    return (JSON.parse(text) as { readonly url: string }).url;
  };
  return { world, fetch, wish, ticket, bob };
}

describe("a ticket for a frame", () => {
  test("becomes a cookie of that frame alone, and the page goes on as the address's own", async () => {
    const { world, fetch, ticket } = await open();
    await using _ = world;
    const url = await ticket();
    assert.match(url, /^http:\/\/alice-demo\.localhost\/\.waybill\/frame\?ticket=\w+&console=http%3A%2F%2Flocalhost$/);
    const swapped = await fetch(url, { headers: fromConsole });
    assert.equal(swapped.status, 200);
    const [cookie = ""] = swapped.set;
    const [, value = ""] =
      /^__Host-waybill-frame=([^;]+); Path=\/; Secure; HttpOnly; SameSite=None; Partitioned$/.exec(cookie) ?? [];
    const found = await world.sessions.byId(readVisit(key, value, framePlace("alice-demo.localhost")) ?? "");
    assert.equal(found.ok && found.session.account, "bob");
    assert.equal(readVisit(key, value, "alice-demo.localhost"), undefined, "it opens no window");
    assert.equal(readVisit(key, value, framePlace("alice-other.localhost")), undefined);
    const [, onward = ""] = /content="0;url=([^"]*)"/.exec(swapped.text) ?? [];
    assert.equal(onward, "/.waybill/frame?console=http%3A%2F%2Flocalhost");
    const own = { ...ofFrame, "sec-fetch-site": "same-origin" };
    const on = await fetch(app + onward, { headers: { ...own, cookie: cookie.split(";")[0] ?? "" } });
    assert.deepEqual([on.status, on.to, on.set], [303, "/", []]);
    const lost = await fetch(app + onward, { headers: own });
    assert.match(lost.text, /This browser keeps no cookies of frames/);
    for (const { headers } of [swapped, lost])
      assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors http:\/\/localhost;/);
    assert.equal(swapped.headers.get("referrer-policy"), "no-referrer");
  });

  test("is good once, for a minute, at its Space, in the console that asked for it", async () => {
    const { world, fetch, ticket } = await open();
    await using _ = world;
    const code = async (url: string, headers: Readonly<Record<string, string>> = fromConsole): Promise<string> => {
      const answer = await fetch(url, { headers });
      if (answer.status !== 200) assert.deepEqual(answer.set, []);
      return answer.status === 200 ? "entered" : `${answer.status} ${answer.code}`;
    };
    const once = await ticket();
    assert.deepEqual([await code(once), await code(once)], ["entered", "401 bad-ticket"]);
    assert.equal(await code((await ticket()).replace("alice-demo", "alice-other")), "401 bad-ticket");
    const late = await ticket();
    world.clock.advance(60_000);
    assert.equal(await code(late), "401 bad-ticket");
    // A ticket of the attacker's own, on another page: whoever opens it would visit as the attacker.
    const elsewhere = { ...ofFrame, referer: "http://bob-evil.localhost/" };
    assert.equal(await code(await ticket(), elsewhere), "401 bad-ticket");
    const untold = await ticket();
    assert.deepEqual([await code(untold, ofFrame), await code(untold)], ["401 bad-ticket", "401 bad-ticket"]);
    for (const dest of ["document", "embed", "object", "empty"])
      assert.equal(await code(await ticket(), { ...fromConsole, "sec-fetch-dest": dest }), "403 cross-site", dest);
    assert.equal(await code(await ticket(), { referer: `${console}/` }), "403 cross-site", "an old browser");
    for (const other of ["http://evil.example", "http://localhost:81", "https://localhost", app, "javascript:0", ""]) {
      const url = new URL(await ticket());
      url.searchParams.set("console", other);
      assert.equal(await code(url.href, { ...fromConsole, referer: `${other}/` }), "404 not-found", other);
    }
  });

  test("of a window is none of a frame, nor the other way round", async () => {
    const { world, fetch, ticket, bob } = await open();
    await using _ = world;
    const begun = await fetch(`${app}/.waybill/sign-in`);
    const state = begun.set[0]?.split(";")[0] ?? "";
    const given = await fetch(begun.to ?? "", { headers: { cookie: bob } });
    const name = new URL(given.to ?? "").searchParams.get("ticket") ?? "";
    const asFrame = `${app}/.waybill/frame?ticket=${name}&console=${encodeURIComponent(console)}`;
    assert.equal((await fetch(asFrame, { headers: fromConsole })).code, "bad-ticket");
    const frames = new URL(await ticket()).searchParams.get("ticket") ?? "";
    const asWindow = await fetch(`${app}/.waybill/enter?ticket=${frames}`, { headers: { cookie: state } });
    assert.equal(asWindow.code, "bad-ticket");
  });

  test("is for a session, of whoever may know of the Space, at one of its own names that keeps cookies", async () => {
    const { world, wish, bob } = await open();
    await using _ = world;
    const code = async (...wished: Parameters<typeof wish>): Promise<string> => {
      const { status, code: said } = await wish(...wished);
      return `${status} ${said}`;
    };
    assert.equal(await code({}), "401 missing");
    const token = await world.token("bob", ["read", "write", "gpu"]);
    assert.equal(await code({ authorization: `Bearer ${token}` }), "409 conflict");
    assert.equal(await code({ cookie: bob }, app, "alice/demo", "same-site"), "403 cross-site");
    assert.equal(await code({ cookie: bob }, app, "alice/none"), "404 not-found");
    for (const address of ["http://alice-other.localhost", "http://evil.example", "http://localhost", "x"])
      assert.equal(await code({ cookie: bob }, address), "400 invalid", address);
    await world.server.spaces.set("alice/demo", { private: true });
    assert.equal(await code({ cookie: bob }), "404 not-found");
  });

  test("a sign-out at the app, and a sign-in in a window, take the frame's cookie away", async () => {
    const { world, fetch, bob } = await open();
    await using _ = world;
    const none = "__Host-waybill-frame=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned";
    assert.ok((await fetch(`${app}/.waybill/sign-out`)).set.includes(none));
    const begun = await fetch(`${app}/.waybill/sign-in`);
    const given = await fetch(begun.to ?? "", { headers: { cookie: bob } });
    const entered = await fetch(given.to ?? "", { headers: { cookie: begun.set[0]?.split(";")[0] ?? "" } });
    assert.ok(entered.set.includes(none));
  });
});
