/** What a session's cookie may do and what no other page may do with it: each route of the API, from its own table. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page, WhoAmI } from "../contract/api.ts";
import type { AuditEntryView } from "../contract/identity.ts";
import type { Problem } from "../contract/problem.ts";
import { noSessionCookie } from "../identity/sessions.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld, replica } from "./control.suite.ts";

const origin = "https://waybill.example.com";
const own = { origin, "sec-fetch-site": "same-origin", "content-type": "application/json" };

async function asking() {
  const world = await ControlWorld.open();
  await world.space();
  const { build } = await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  const app = createChecked(world.server);
  const routes = app.routes
    .filter(({ path }) => path !== "/*")
    .map(({ method, path }) => ({
      method,
      // Names that are there, so that nothing but the refusal keeps a write from happening.
      path: path
        .replace(":owner", "alice")
        .replace(":name", path.includes(":owner") ? "demo" : path.includes("/accounts/") ? "alice" : "main")
        .replace(":account", "alice")
        .replace(":branch", "main")
        .replace(":index", "0")
        .replace(":domain", "app.example.org")
        .replace(":id", path.includes("/builds/") ? build : "c_00"),
    }));
  const cookie = await world.cookie("admin");
  const ask = (
    line: string,
    headers: Readonly<Record<string, string>> = own,
    { body = "{}", inside = null }: { readonly body?: string; readonly inside?: unknown } = {},
  ) => {
    const [method = "", path = ""] = line.split(" ");
    const isRead = method === "GET";
    return app.request(
      `${origin}${path}`,
      { method, headers: { cookie, ...headers }, ...(isRead ? {} : { body }) },
      { inside, origin, address: "192.0.2.7" },
    );
  };
  const log = async () => ((await (await ask("GET /api/audit")).json()) as Page<AuditEntryView>).items;
  return { world, app, routes, ask, log, cookie };
}

const json = { "content-type": "application/json" };
/** How a page that is not the console comes to send the console's cookie. */
const foreign: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "another site's script": { ...json, "sec-fetch-site": "cross-site", origin: "https://evil.example" },
  "another site's form": {
    ...{ "content-type": "application/x-www-form-urlencoded", "sec-fetch-mode": "navigate" },
    ...{ "sec-fetch-site": "cross-site", origin: "https://evil.example" },
  },
  "a Space's page, under a name of the same domain": {
    ...{ ...json, "sec-fetch-site": "same-site", origin: "https://alice-demo.example.com" },
  },
  "a Space's page, on another port of the host": { ...json, "sec-fetch-site": "same-site", origin: `${origin}:7101` },
  "an address that somebody was made to type": { ...json, "sec-fetch-site": "none" },
  "an old browser, from another site": { ...json, origin: "https://evil.example" },
  "an old browser, from the console's name without TLS": { ...json, origin: "http://waybill.example.com" },
  "a page that says no origin": { ...json, origin: "null" },
  "something that says nothing of where it comes from": json,
};

describe("a request that bears the console's cookie", () => {
  for (const [what, headers] of Object.entries(foreign))
    test(`from ${what} is refused on every writing route, changes nothing and leaves nothing`, async () => {
      const { world, routes, ask, log } = await asking();
      await using _ = world;
      const writing = routes.filter(({ method }) => method !== "GET");
      assert.ok(writing.length > 40);
      const wrong: string[] = [];
      for (const { method, path } of writing) {
        const response = await ask(`${method} ${path}`, { ...headers, "idempotency-key": '"k"' });
        const { boundary, code } = (await response.json()) as Problem;
        if (response.status !== 403 || `${boundary}/${code}` !== "identity/cross-site")
          wrong.push(`${method} ${path}: ${response.status}`);
      }
      assert.deepEqual(wrong, []);
      assert.deepEqual(await log(), []);
      assert.equal(await world.catalog.requestKeys.get("admin", "k"), undefined);
    });

  for (const type of [undefined, "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "Text/Plain"])
    test(`and is a form's (${type}) is refused on every POST of the API, wherever it seems to come from`, async () => {
      const { world, routes, ask, log } = await asking();
      await using _ = world;
      const posts = routes.filter(({ method, path }) => method === "POST" && path.startsWith("/api/"));
      const { "content-type": _json, ...headers } = own;
      for (const { path } of posts) {
        // An empty body, so that nothing names its type by itself.
        const sent = { ...headers, ...(type !== undefined && { "content-type": type }) };
        const response = await ask(`POST ${path}`, sent, { body: "" });
        assert.equal(((await response.json()) as Problem).code, "cross-site", path);
      }
      assert.deepEqual(await log(), []);
    });

  test("from the console itself goes on at every route, also from a browser that says only its origin", async () => {
    for (const headers of [own, { ...json, origin }, { origin, "x-requested-with": "console" }]) {
      const { world, routes, ask } = await asking();
      await using _ = world;
      for (const { method, path } of routes) {
        // A body that is never right: nothing is done, and whoever may is told so.
        const response = await ask(`${method} ${path}`, headers, { body: '{"nothing":"of sense"}' });
        if (response.status === 403) assert.fail(`${method} ${path}: ${await response.text()}`);
        await response.body?.cancel();
      }
    }
  });

  test("is its account's on every route as its token's is, and the audit log names the session", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    const { name, auth } = (await (await ask("GET /api/whoami-v2")).json()) as WhoAmI;
    assert.deepEqual([name, auth.type], ["admin", "session"]);
    const paused = await ask("POST /api/spaces/alice/demo/pause", own, { body: '{"reason":"r"}' });
    assert.equal(paused.status, 200);
    const [session] = await world.catalog.sessions.list("admin");
    assert.deepEqual(
      (await log()).map(({ action, account, token, session: by }) => [action, account, token, by]),
      [["space.pause", "admin", null, session?.id]],
    );
  });

  test("reads for a link that leads here, and for no page that would look at the answer", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const read = async (headers: Readonly<Record<string, string>>) => (await ask("GET /api/whoami-v2", headers)).status;
    assert.equal(await read({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }), 200);
    assert.equal(await read({ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }), 200);
    assert.equal(await read({}), 200);
    assert.equal(await read({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }), 403);
    assert.equal(await read({ "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }), 403);
  });

  test("goes by its token where it has one, which needs no proof of where it comes from", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const authorization = `Bearer ${await world.token("alice", ["read", "write"])}`;
    const cross = { ...foreign["another site's script"]!, authorization };
    assert.equal(((await (await ask("GET /api/whoami-v2", cross)).json()) as WhoAmI).name, "alice");
    // A proxy in front that asks for a password of its own passes it on.
    const basic = `Basic ${Buffer.from("team:proxy").toString("base64")}`;
    assert.equal(
      (await ask("POST /api/tokens", { ...foreign["another site's script"]!, authorization: basic })).status,
      403,
    );
    const through = await ask("GET /api/whoami-v2", { ...own, authorization: basic });
    assert.equal(((await through.json()) as WhoAmI).name, "admin");
    const unknown = await ask("GET /api/whoami-v2", { authorization: `Bearer hf_wb${"0".repeat(32)}` });
    assert.equal(((await unknown.json()) as Problem).code, "bad-token");
  });
});

describe("a session that has ended", () => {
  test("is refused by the API with its cookie taken away, within the same instant; pages are what everybody sees", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    assert.equal((await ask("GET /api/whoami-v2")).status, 200);
    const [session] = await world.catalog.sessions.list("admin");
    await world.sessions.end(session!);
    for (const line of ["GET /api/whoami-v2", "GET /api/status", "POST /api/tokens"]) {
      const response = await ask(line);
      assert.equal(((await response.json()) as Problem).code, "session-ended", line);
      assert.equal(response.headers.get("set-cookie"), noSessionCookie);
    }
    const page = await ask("GET /");
    assert.deepEqual([page.status, page.headers.get("set-cookie")], [200, noSessionCookie]);
  });

  test("is as one that nobody made, or that an app brings from its sandbox", async () => {
    const { world, app, ask } = await asking();
    await using _ = world;
    const code = async (response: Response) => ((await response.json()) as Problem).code;
    assert.equal(
      await code(await ask("GET /api/whoami-v2", { cookie: "__Host-waybill-console=mine" })),
      "session-ended",
    );
    assert.equal(
      await code(await ask("GET /api/whoami-v2", own, { inside: { space: "alice/demo" } })),
      "session-ended",
    );
    assert.equal((await app.request("/api/whoami-v2", { headers: { cookie: "other=1" } })).status, 401);
  });
});
