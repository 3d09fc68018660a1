import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { accessTokenHash, newAccessToken } from "./access-token.ts";
import { knownForMs } from "./remembered.ts";
import { TokenResolver } from "./token-resolver.ts";
import type { Credentials, FoundToken, TokenDirectory } from "./token-resolver.ts";

const t0 = Date.UTC(2026, 10, 22, 12);
const random = prng(7);
const alices = newAccessToken((count) => random.bytes(count));
const strangers = newAccessToken((count) => random.bytes(count));

const held = { spaces: [], name: "t", createdAt: instant(t0), expiresAt: null, revokedAt: null };
type Held = { -readonly [K in keyof FoundToken["token"]]: FoundToken["token"][K] };

/** A world with alice's token in it, whose clock the test moves. */
function world() {
  const token: Held = { id: "t_1", account: "alice", scopes: ["read", "gpu"], ...held };
  const state = { token, now: 0, finds: 0, touches: [] as Instant[], failed: [] as unknown[], broken: false };
  const directory: TokenDirectory = {
    find: async (hash) => {
      state.finds += 1;
      if (state.broken) throw new Error("disk full");
      return hash === accessTokenHash(alices) ? { token: { ...state.token }, tier: "pro", role: "user" } : undefined;
    },
    touch: async (_id, at) => {
      state.touches.push(at);
      if (state.touches.length > 1) throw new Error("read only");
    },
  };
  const resolver = new TokenResolver({
    directory,
    clock: { wall: () => instant(t0 + state.now), monotonic: () => state.now },
    onTouchFailed: (error) => state.failed.push(error),
  });
  const resolve = (over: Partial<Credentials>) =>
    resolver.resolve({ authorization: undefined, hfAuthorization: undefined, address: "192.0.2.7", ...over });
  return { state, resolver, resolve };
}

const alice = {
  ok: true,
  by: "token",
  account: "alice",
  tier: "pro",
  role: "user",
  scopes: ["read", "gpu"],
  token: { id: "t_1", account: "alice", scopes: ["read", "gpu"], ...held },
};
const badToken = (says: string) => ({ ok: false, code: "identity/bad-token", says });
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

describe("TokenResolver", () => {
  test("without a token the caller is their address", async () => {
    const { resolve } = world();
    assert.deepEqual(await resolve({}), { ok: true, by: "address", account: "address:192.0.2.7", tier: "anonymous" });
  });

  for (const [how, over] of [
    ["Authorization: Bearer", { authorization: `Bearer ${alices}` }],
    ["authorization: bearer, with spaces", { authorization: ` bearer   ${alices} ` }],
    [
      "x-hf-authorization, beside the app's own",
      { hfAuthorization: `Bearer ${alices}`, authorization: "Bearer app-key" },
    ],
    ["Basic, as git sends it", { authorization: basic(`alice:${alices}`) }],
    ["Basic, where it is the name in an address", { authorization: basic(`${alices}:`) }],
    ["a field with a tab", { authorization: `Bearer\t${alices}` }],
  ] as const) {
    test(`a token is taken from ${how}`, async () => assert.deepEqual(await world().resolve(over), alice));
  }

  const unknown = "This access token is not known here.";
  const foreign = "This is no access token of this platform: those begin with hf_wb.";
  const astray = (field: string) => `${field} is not as \`Bearer hf_wb…\`, so nobody is known by it.`;
  for (const [what, over, says] of [
    ["an unknown token", { authorization: `Bearer ${strangers}` }, unknown],
    ["a token of another platform", { authorization: `Bearer hf_${"a".repeat(34)}` }, foreign],
    ["a bearer of nothing", { authorization: "Bearer" }, foreign],
    ["a wrong password that looks like a token", { authorization: basic(`alice:${strangers}`) }, unknown],
    [
      "a bad token beside a good one of the app's field",
      { hfAuthorization: `Bearer ${strangers}`, authorization: `Bearer ${alices}` },
      unknown,
    ],
    ["a good token without its scheme", { authorization: alices }, astray("Authorization")],
    ["a good token of another scheme", { authorization: `Token ${alices}` }, astray("Authorization")],
    ["a good token alone in x-hf-authorization", { hfAuthorization: alices }, astray("X-HF-Authorization")],
  ] as const) {
    test(`${what} is refused, not taken for a stranger`, async () =>
      assert.deepEqual(await world().resolve(over), badToken(says)));
  }

  test("what is no token of ours in Basic is the app's own", async () => {
    const identity = await world().resolve({ authorization: basic("user:secret") });
    assert.ok(identity.ok && identity.by === "address");
  });

  test("a token is valid before its expiry and refused at it, though it was just known", async () => {
    const { state, resolve } = world();
    state.token.expiresAt = instant(t0 + 500);
    state.now = 499;
    assert.equal((await resolve({ authorization: `Bearer ${alices}` })).ok, true);
    state.now = 500;
    assert.deepEqual(await resolve({ authorization: `Bearer ${alices}` }), {
      ok: false,
      code: "identity/token-expired",
      says: `This access token expired at ${iso(instant(t0 + 500))}.`,
    });
    assert.equal(state.finds, 1);
  });

  test("a revoked token stops working within a second, or at once where it was revoked here", async () => {
    const { state, resolver, resolve } = world();
    const asked = () => resolve({ authorization: `Bearer ${alices}` });
    await asked();
    state.token.revokedAt = instant(t0);
    state.now = knownForMs - 1;
    assert.deepEqual(await asked(), alice);
    state.now = knownForMs;
    assert.deepEqual(await asked(), badToken(`This access token was revoked at ${iso(instant(t0))}.`));
    state.token.revokedAt = null;
    resolver.forget();
    assert.deepEqual(await asked(), alice);
    assert.ok(knownForMs <= 1000);
  });

  test("many requests at once ask the directory once", async () => {
    const { state, resolve } = world();
    await Promise.all(Array.from({ length: 20 }, () => resolve({ authorization: `Bearer ${alices}` })));
    assert.equal(state.finds, 1);
    assert.deepEqual(state.touches, [t0]);
  });

  test("a directory that fails is no refusal, and is asked again", async () => {
    const { state, resolve } = world();
    state.broken = true;
    await assert.rejects(resolve({ authorization: `Bearer ${alices}` }), /disk full/);
    state.broken = false;
    assert.deepEqual(await resolve({ authorization: `Bearer ${alices}` }), alice);
  });

  test("a use that cannot be noted is told, and the request goes on", async () => {
    const { state, resolve } = world();
    await resolve({ authorization: `Bearer ${alices}` });
    state.now = knownForMs;
    assert.deepEqual(await resolve({ authorization: `Bearer ${alices}` }), alice);
    await Promise.resolve();
    assert.match(String(state.failed[0]), /read only/);
  });
});
