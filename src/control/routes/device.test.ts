import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WhoAmI } from "../../contract/api.ts";
import type { TokenView } from "../../contract/identity.ts";
import { deviceCodeLivesMs, pollIntervalMs } from "../../identity/device-codes.ts";
import type { Scope } from "../../identity/token-resolver.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld } from "../control.suite.ts";
import { prng } from "../../stdx/prng.ts";
import { DeviceSignIn, deviceTokenLivesMs } from "../device-sign-in.ts";

const origin = "http://127.0.0.1:7070";
const hfClient = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";

interface Begun {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}
interface Told {
  readonly error?: string;
  readonly error_description?: string;
  readonly access_token?: string;
  readonly expires_in?: number;
}

const tokenOf = ({ auth }: WhoAmI) => (auth.type === "access_token" ? auth.accessToken : undefined);

async function open(scopes: readonly Scope[] = ["read", "write", "gpu"]) {
  const world = await ControlWorld.open();
  const api = createChecked(world.server);
  const alice = await world.token("alice", scopes);
  const env = { inside: null, origin, address: "192.0.2.7" };
  const form = (path: string, fields: Record<string, string>, token?: string): Promise<Response> =>
    Promise.resolve(
      api.request(
        origin + path,
        {
          method: "POST",
          body: new URLSearchParams(fields),
          ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
        },
        env,
      ),
    );
  const begin = async (fields: Record<string, string> = {}): Promise<Begun> => {
    const response = await form("/oauth/device", { client_id: "waybill", machine: "laptop", ...fields });
    assert.equal(response.status, 200);
    return (await response.json()) as Begun;
  };
  const poll = async (code: string, client = "waybill"): Promise<Told> => {
    world.clock.advance(pollIntervalMs);
    const fields = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code: code, client_id: client };
    return (await (await form("/oauth/token", fields)).json()) as Told;
  };
  const answer = (code: string, word: string, token = alice) => form("/login/device", { code, answer: word }, token);
  const look = async (path: string, token: string | null = alice, accept = "*/*"): Promise<Response> =>
    api.request(
      origin + path,
      { headers: { accept, ...(token !== null && { authorization: `Bearer ${token}` }) } },
      env,
    );
  const tokens = () => world.catalog.tokens.list("alice");
  return { world, form, begin, poll, answer, look, tokens, alice };
}

describe("a program that signs in by a device code", () => {
  test("gets a token of the person who approved, named after its machine, that says who it is and may what was shown", async () => {
    const { world, begin, poll, answer, look } = await open();
    await using _ = world;
    const begun = await begin();
    assert.deepEqual([begun.expires_in, begun.interval], [600, 5]);
    assert.equal(begun.verification_uri, `${origin}/login/device`);
    assert.equal(begun.verification_uri_complete, `${origin}/login/device?code=${begun.user_code}`);
    assert.deepEqual((await poll(begun.device_code)).error, "authorization_pending");
    const shown = await (await look(`/login/device?code=${begun.user_code.toLowerCase()}`)).text();
    for (const part of [
      "act as alice",
      begun.user_code,
      "laptop",
      "192.0.2.7",
      "<code>read</code>",
      "<code>gpu</code>",
    ])
      assert.ok(shown.includes(part), part);
    assert.equal((await answer(begun.user_code, "approve")).status, 200);
    const told = await poll(begun.device_code);
    assert.match(told.access_token ?? "", /^hf_wb/);
    assert.ok(Math.abs((told.expires_in ?? 0) - deviceTokenLivesMs / 1_000) <= 60);
    const who = (await (await look("/api/whoami-v2", told.access_token)).json()) as WhoAmI;
    assert.deepEqual([who.name, tokenOf(who)?.displayName], ["alice", "waybill on laptop"]);
    const { items } = (await (await look("/api/tokens", told.access_token)).json()) as { items: TokenView[] };
    assert.deepEqual(items.find(({ current }) => current)?.scopes, ["read", "write", "gpu"]);
  });

  test("is known in the audit log: who approved, what, from where, and which token that made", async () => {
    const { world, begin, answer, tokens } = await open();
    await using _ = world;
    await answer((await begin()).user_code, "approve");
    const made = (await tokens()).find(({ name }) => name === "waybill on laptop");
    const entry = (await world.catalog.audit.list({}, { page: undefined, limit: 10 }))?.items[0];
    assert.deepEqual(
      [entry?.action, entry?.account, entry?.target, entry?.outcome],
      ["login.answer", "alice", "account/alice", "done"],
    );
    assert.deepEqual(JSON.parse(entry?.became ?? "null"), {
      ...{ account: "alice", answer: "approve", name: "waybill on laptop", from: "192.0.2.7" },
      ...{ token: made?.id, scopes: ["read", "write", "gpu"] },
    });
  });

  test("as the Hub's client asks, without scopes or a machine, is named after where it asked from", async () => {
    const { world, begin, poll, answer, look } = await open();
    await using _ = world;
    const begun = await begin({ client_id: hfClient, machine: "" });
    await answer(begun.user_code, "approve");
    const told = await poll(begun.device_code, hfClient);
    const who = (await (await look("/api/whoami-v2", told.access_token)).json()) as WhoAmI;
    assert.equal(tokenOf(who)?.displayName, "hf on 192.0.2.7");
  });

  test("that was denied is told so, and there is no token", async () => {
    const { world, begin, poll, answer, tokens } = await open();
    await using _ = world;
    const before = (await tokens()).length;
    const begun = await begin();
    assert.equal((await answer(begun.user_code, "deny")).status, 200);
    assert.equal((await poll(begun.device_code)).error, "access_denied");
    assert.equal((await answer(begun.user_code, "approve")).status, 404);
    assert.equal((await tokens()).length, before);
  });

  test("whose answer comes late is told that its code has ended, and the token that nobody came for is revoked", async () => {
    const { world, begin, poll, answer, tokens } = await open();
    await using _ = world;
    const begun = await begin();
    await answer(begun.user_code, "approve");
    world.clock.advance(deviceCodeLivesMs);
    assert.equal((await poll(begun.device_code)).error, "expired_token");
    const made = (await tokens()).find(({ name }) => name === "waybill on laptop");
    assert.notEqual(made?.revokedAt, null);
    assert.equal((await answer(begun.user_code, "approve")).status, 404);
  });

  test("fetches its token once: a second one who has the code gets none, and ends the first one's", async () => {
    const { world, begin, poll, answer, look } = await open();
    await using _ = world;
    const begun = await begin();
    await answer(begun.user_code, "approve");
    const { access_token: token = "" } = await poll(begun.device_code);
    assert.equal((await look("/api/whoami-v2", token)).status, 200);
    assert.equal((await poll(begun.device_code)).error, "invalid_grant");
    assert.equal((await look("/api/whoami-v2", token)).status, 401);
  });

  test("gets nothing beyond what the person's own sign-in may, and nobody gives what they have not", async () => {
    const { world, begin, poll, answer, look, alice } = await open(["read", "write"]);
    await using _ = world;
    const begun = await begin({ scope: "read write gpu admin" });
    const shown = await (await look(`/login/device?code=${begun.user_code}`)).text();
    assert.match(shown, /<code>admin<\/code>: not given/);
    await answer(begun.user_code, "approve");
    const { access_token: token = "" } = await poll(begun.device_code);
    const { items } = (await (await look("/api/tokens", token)).json()) as { items: TokenView[] };
    assert.deepEqual(items.find(({ current }) => current)?.scopes, ["read", "write"]);
    const greedy = await begin({ scope: "admin" });
    assert.equal((await answer(greedy.user_code, "approve", alice)).status, 403);
    assert.equal((await poll(greedy.device_code)).error, "authorization_pending");
  });

  test("of an operator is one by its own wish alone", async () => {
    const { world, begin, poll, answer, look } = await open();
    await using _ = world;
    const admin = await world.token("admin", ["read", "write", "gpu", "admin"]);
    for (const [scope, role] of [
      ["", "write"],
      ["read write admin", "admin"],
    ] as const) {
      const begun = await begin({ scope });
      await answer(begun.user_code, "approve", admin);
      const { access_token: token = "" } = await poll(begun.device_code);
      const who = (await (await look("/api/whoami-v2", token)).json()) as WhoAmI;
      assert.equal(tokenOf(who)?.role, role);
    }
  });

  test("is told in OAuth's words what is wrong with what it asks", async () => {
    const { world, form } = await open();
    await using _ = world;
    const grant = "urn:ietf:params:oauth:grant-type:device_code";
    const cases: readonly (readonly [string, Record<string, string>, number, string])[] = [
      ["/oauth/device", {}, 401, "invalid_client"],
      ["/oauth/device", { client_id: "somebody" }, 401, "invalid_client"],
      ["/oauth/device", { client_id: "constructor" }, 401, "invalid_client"],
      ["/oauth/device", { client_id: "waybill", scope: "read node" }, 400, "invalid_scope"],
      ["/oauth/token", { client_id: "waybill" }, 400, "unsupported_grant_type"],
      ["/oauth/token", { client_id: "waybill", grant_type: "password" }, 400, "unsupported_grant_type"],
      ["/oauth/token", { client_id: "waybill", grant_type: grant }, 400, "invalid_request"],
      ["/oauth/token", { client_id: "waybill", grant_type: grant, device_code: "wbd_x" }, 400, "invalid_grant"],
    ];
    for (const [path, fields, status, error] of cases) {
      const response = await form(path, fields);
      assert.deepEqual([response.status, ((await response.json()) as Told).error], [status, error], path);
      assert.equal(response.headers.get("cache-control"), "no-store");
    }
  });

  test("names a machine of whatever characters in plain ones, and its page shows no markup of it", async () => {
    const { world, begin, look } = await open();
    await using _ = world;
    const begun = await begin({ machine: "<img src=x>\u001b[31m box\n2" });
    const shown = await (await look(`/login/device?code=${begun.user_code}`)).text();
    assert.ok(!shown.includes("<img"));
    assert.ok(shown.includes("img srcx31m box2"));
  });

  test("is answered by nobody who is not signed in, and by no token that only reads", async () => {
    const { world, begin, answer, look, form, poll } = await open();
    await using _ = world;
    const begun = await begin();
    const reader = await world.token("alice", ["read"]);
    assert.equal((await look(`/login/device?code=${begun.user_code}`, null)).status, 401);
    const browser = await look(`/login/device?code=${begun.user_code}`, null, "text/html");
    const there = new URLSearchParams({ next: `/login/device?code=${begun.user_code}` });
    assert.equal(browser.headers.get("location"), `/login?${there}`);
    assert.equal((await form("/login/device", { code: begun.user_code, answer: "approve" })).status, 401);
    assert.equal((await answer(begun.user_code, "approve", reader)).status, 403);
    assert.equal((await poll(begun.device_code)).error, "authorization_pending");
  });

  test("is not found by guessing: ten wrong codes and the account waits", async () => {
    const { world, begin, answer } = await open();
    await using _ = world;
    const begun = await begin();
    for (let tries = 0; tries < 10; tries++) assert.equal((await answer("ZZZZ-ZZZZ", "approve")).status, 404);
    assert.equal((await answer(begun.user_code, "approve")).status, 429);
  });

  test("is begun where somebody has signed in, while strangers of thousands of addresses ask", async () => {
    const { world } = await open();
    await using _ = world;
    const { catalog, clock } = world;
    const drawn = prng(7);
    const random = (count: number) => drawn.bytes(count);
    const devices = new DeviceSignIn({
      ...{ catalog, clock, random, tokens: world.server.tokens },
      onFailure: (_what, error) => assert.fail(String(error)),
    });
    const begin = (address: string) => devices.begin({ client: "waybill", machine: null, address, scopes: ["read"] });
    for (let n = 0; n < 2_000; n += 1) assert.ok(await begin(`2001:db8:${n.toString(16)}::1`));
    assert.equal(await begin("192.0.2.7"), undefined);
    await world.server.sessions.make({ account: "alice", how: "password", address: "192.0.2.7", agent: null });
    clock.advance(10_000);
    assert.ok(await begin("192.0.2.7"));
    assert.equal(await begin("192.0.2.8"), undefined);
  });
});
