import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Credentials, IdentityRefusal, Visitor } from "../edge/ports.ts";
import { accessTokenHash, newAccessToken } from "../identity/access-token.ts";
import { signVisit } from "../identity/visits.ts";
import { TokenResolver } from "../identity/token-resolver.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { mintVisitorToken, verifyVisitorToken } from "../identity/visitor-token.ts";
import { after, instant, seconds } from "../stdx/time.ts";
import { payerOfApp, visitorIdentity } from "./visitors.ts";

const now = instant(Date.UTC(2026, 10, 28, 12));
const key = new Uint8Array(32).fill(7);
const current = { kid: "v_now", key };
const all = new Map([[current.kid, key]]);
const visitKey = new Uint8Array(32).fill(9);
const bobsToken = newAccessToken((count) => new Uint8Array(count).fill(1));
const bobsReader = newAccessToken((count) => new Uint8Array(count).fill(2));
const scopesOf = new Map<string, readonly Scope[]>([
  [accessTokenHash(bobsToken), ["read", "gpu"]],
  [accessTokenHash(bobsReader), ["read"]],
]);
const held = { spaces: [], name: "t", createdAt: now, expiresAt: null, revokedAt: null };
const clock = { wall: () => now, monotonic: () => 0 };

function world({ plainProcesses = false } = {}) {
  const resolver = new TokenResolver({
    directory: {
      find: async (hash) => {
        const scopes = scopesOf.get(hash);
        return scopes && { token: { id: "t_1", account: "bob", scopes, ...held }, tier: "pro", role: "user" };
      },
      touch: async () => undefined,
    },
    clock,
    onTouchFailed: (error) => assert.fail(String(error)),
  });
  return visitorIdentity({
    ...{ resolver, keys: { current, all }, clock, ownerTier: () => "free", plainProcesses },
    sessions: {
      byId: async (id) => {
        const session = {
          id,
          how: "password",
          createdAt: now,
          usedAt: now,
          expiresAt: after(now, seconds(60)),
          endedAt: null,
        };
        if (id === "s_bob") return { ok: true, session: { ...session, account: "bob" }, tier: "pro", role: "user" };
        if (id === "s_root") return { ok: true, session: { ...session, account: "root" }, tier: "free", role: "admin" };
        return { ok: false, code: "identity/session-ended" };
      },
    },
    visitKey,
    reads: (account, owner) => account === owner || (owner === "acme" && ["bob", "alice"].includes(account)),
  });
}

/** The token that the edge gave to `alice/caller` with a request of bob's. */
function tokenOf(over: Partial<Parameters<typeof mintVisitorToken>[0]> = {}): string {
  return mintVisitorToken({
    ...current,
    space: "alice/caller",
    user: "bob",
    account: "bob",
    tier: "pro",
    billedBy: "token",
    request: "q_first",
    issuedAt: now,
    expiresAt: after(now, seconds(60)),
    ...over,
  });
}

const inside = { replica: "p_1", space: "alice/caller" };
const from: Credentials = {
  authorization: undefined,
  xHfAuthorization: undefined,
  ipToken: undefined,
  address: "unknown",
  visit: undefined,
  inside,
  to: undefined,
};
const resolve = async (credentials: Partial<Credentials>, how = {}): Promise<Visitor | IdentityRefusal> =>
  world(how).resolve({ ...from, ...credentials });
const refusalOf = async (credentials: Partial<Credentials>, how = {}): Promise<string | undefined> => {
  const resolved = await resolve(credentials, how);
  return "refused" in resolved ? resolved.refused : undefined;
};

describe("a session that was handed over to an app's address", () => {
  const place = "acme-closed.localhost";
  const visit = (session: string, over: object = {}) => ({
    value: signVisit(visitKey, { session, place }),
    ...{ place, foreign: undefined, ...over },
  });
  const outside = { inside: undefined, address: "203.0.113.9" };
  const to = { space: "acme/closed", owner: "acme", private: true };

  test("is its account, and goes where that may", async () => {
    const bob = { account: "bob", tier: "pro", billedBy: "session", user: "bob" };
    assert.deepEqual(await resolve({ ...outside, visit: visit("s_bob") }), bob);
    assert.deepEqual(await resolve({ ...outside, visit: visit("s_bob"), to }), bob);
    assert.equal(
      await refusalOf({ ...outside, visit: visit("s_bob"), to: { ...to, owner: "carol" } }),
      "identity/private",
    );
    assert.equal(await refusalOf({ ...outside, visit: visit("s_root"), to: { ...to, owner: "carol" } }), undefined);
  });

  test("is refused where it has ended, is another address's, is forged, or another site's page sends it: never a stranger", async () => {
    const refused = [
      visit("s_ended"),
      visit("s_bob", { place: "other.localhost" }),
      visit("s_bob", { value: `${visit("s_bob").value}x` }),
      visit("s_bob", { value: visit("s_root").value.split(".")[0] + "." + visit("s_bob").value.split(".")[1] }),
      visit("s_bob", { value: "" }),
    ];
    for (const one of refused) assert.equal(await refusalOf({ ...outside, visit: one }), "identity/session-ended");
    assert.equal(
      await refusalOf({ visit: visit("s_bob") }),
      "identity/session-ended",
      "an app has no business with it",
    );
    assert.equal(
      await refusalOf({ ...outside, visit: visit("s_bob", { foreign: "elsewhere" }) }),
      "identity/cross-site",
    );
  });

  test("gives way to an access token", async () => {
    const authorization = `Bearer ${bobsToken}`;
    const visitor = await resolve({ ...outside, visit: visit("s_root"), authorization });
    assert.equal("billedBy" in visitor && visitor.billedBy, "token");
    assert.equal(
      await refusalOf({ ...outside, visit: visit("s_bob"), authorization: "Bearer hf_wbwrong" }),
      "identity/bad-token",
    );
  });
});

describe("a private Space", () => {
  const to = (owner: string) => ({ space: `${owner}/closed`, owner, private: true });
  const seen = async (credentials: Partial<Credentials>, how = {}): Promise<string> => {
    const visitor = await resolve(credentials, how);
    return "refused" in visitor
      ? `${visitor.refused} ${visitor.hidden === true ? visitor.who : "told"}`
      : visitor.account;
  };
  const authorization = `Bearer ${bobsToken}`;

  test("is its owner's and the organisation's members', by a token that may read", async () => {
    assert.equal(await seen({ authorization, inside: undefined, to: to("bob") }), "bob");
    assert.equal(await seen({ authorization, inside: undefined, to: to("acme") }), "bob");
    assert.equal(await seen({ authorization, inside: undefined, to: to("carol") }), "identity/private bob");
    const address = "203.0.113.9";
    assert.equal(await seen({ address, inside: undefined, to: to("bob") }), `identity/private address:${address}`);
    assert.equal(await seen({ authorization: "Bearer hf_wbwrong", to: to("bob") }), "identity/bad-token told");
  });

  test("is not told from an address without a Space by a token that spends no GPU time", async () => {
    const reader = { authorization: `Bearer ${bobsReader}`, inside: undefined };
    for (const where of [undefined, to("carol"), to("bob"), { ...to("carol"), private: false }])
      assert.equal(await seen({ ...reader, to: where }), "identity/forbidden told");
  });

  test("takes its visitor's token straight from a Space whose owner may read it too, and from no other", async () => {
    assert.equal(await seen({ ipToken: tokenOf(), to: to("acme") }), "bob");
    assert.equal(await seen({ ipToken: tokenOf(), to: to("bob") }), "identity/private bob");
    assert.equal(
      await seen({ ipToken: tokenOf({ user: "dora", account: "dora" }), to: to("acme") }),
      "identity/private dora",
    );
    const again = tokenOf({ forwarded: { root: "q_root", hops: 1 } });
    assert.equal(await seen({ ipToken: again, to: to("acme") }), "identity/private bob");
    const plain = { plainProcesses: true };
    assert.equal(
      await seen({ ipToken: tokenOf(), inside: undefined, address: "127.0.0.1", to: to("acme") }, plain),
      "bob",
    );
  });

  test("is opened to a Space by an access token of its own, with any visitor, and not by being one of the platform's", async () => {
    const carols = tokenOf({ user: "carol", account: "carol" });
    assert.equal(await seen({ ipToken: carols, xHfAuthorization: authorization, to: to("bob") }), "carol");
    assert.equal(await seen({ to: to("alice") }), "identity/private address:unknown");
    assert.equal(await seen({ to: { ...to("alice"), private: false } }), "alice");
  });
});

describe("a Space that calls a Space", () => {
  test("passes on its visitor's token: the same account pays, and the chain is kept", async () => {
    assert.deepEqual(await resolve({ ipToken: tokenOf() }), {
      account: "bob",
      tier: "pro",
      billedBy: "token",
      user: "bob",
      forwarded: { by: "q_first", root: "q_first", hops: 1 },
    });
  });

  test("the callee's own token is for the callee, and remembers the first request", async () => {
    const identity = world();
    const visitor = await identity.resolve({ ...from, ipToken: tokenOf({ forwarded: { root: "q_root", hops: 2 } }) });
    assert.ok("account" in visitor);
    const token = identity.mint({ space: "carol/callee", request: "q_own", visitor, asksFor: "/render", now });
    const verified = verifyVisitorToken(token, { keys: all, space: "carol/callee", now });
    assert.ok(verified.ok);
    const { account, request, forwarded, asksFor } = verified.claims;
    assert.deepEqual([account, request, forwarded, asksFor], ["bob", "q_own", { root: "q_root", hops: 3 }, "/render"]);
  });

  test("its own access token lets it in, and its visitor is billed", async () => {
    const visitor = await resolve({
      ipToken: tokenOf({ account: "carol", user: "carol" }),
      xHfAuthorization: `Bearer ${bobsToken}`,
    });
    assert.equal("account" in visitor && visitor.account, "carol");
    assert.equal(await refusalOf({ ipToken: tokenOf(), xHfAuthorization: "Bearer hf_wbwrong" }), "identity/bad-token");
  });

  test("without a visitor it pays itself: its owner does", async () => {
    assert.deepEqual(await resolve({}), { account: "alice", tier: "free", billedBy: "owner", user: null });
  });

  test("with its own access token and no visitor, whoever that names pays", async () => {
    const visitor = await resolve({ authorization: `Bearer ${bobsToken}` });
    assert.equal("account" in visitor && visitor.account, "bob");
  });

  const refused: Record<string, [Partial<Credentials>, string]> = {
    "a token of another Space": [{ ipToken: tokenOf({ space: "alice/other" }) }, "identity/wrong-audience"],
    "a token that has expired": [{ ipToken: tokenOf({ expiresAt: now }) }, "identity/expired"],
    "a token that was changed": [{ ipToken: `${tokenOf()}x` }, "identity/bad-signature"],
    "an empty one": [{ ipToken: "" }, "identity/bad-signature"],
    "one that comes from outside": [
      { ipToken: tokenOf(), inside: undefined, address: "127.0.0.1" },
      "identity/forwarded",
    ],
    "one that has passed through eight Spaces": [
      { ipToken: tokenOf({ forwarded: { root: "q_root", hops: 8 } }) },
      "route/loop",
    ],
  };
  for (const [what, [credentials, code]] of Object.entries(refused))
    test(`${what} is refused, never taken for a stranger's`, async () =>
      assert.equal(await refusalOf(credentials), code));
});

describe("apps that are plain processes", () => {
  const plain = { plainProcesses: true };
  const loopback = { inside: undefined, address: "127.0.0.1" };

  test("the token's own Space stands for the caller, over loopback only", async () => {
    const visitor = await resolve({ ...loopback, ipToken: tokenOf() }, plain);
    assert.equal("account" in visitor && visitor.forwarded?.by, "q_first");
    assert.equal(
      await refusalOf({ inside: undefined, address: "192.0.2.7", ipToken: tokenOf() }, plain),
      "identity/forwarded",
    );
  });

  test("a token that does not verify is refused all the same", async () => {
    assert.equal(await refusalOf({ ...loopback, ipToken: "a.b.c" }, plain), "identity/bad-signature");
  });
});

test("an app that asks about its visitor is told of the caps of that visitor's request, and of the first of its chain", () => {
  const parts = { keys: { current, all }, clock, ownerTier: () => "free" as const, plainProcesses: false };
  const told = payerOfApp(tokenOf(), inside, parts);
  assert.deepEqual(told, { ok: true, space: "alice/caller", account: "bob", tier: "pro", request: "q_first" });
  const passedOn = payerOfApp(tokenOf({ forwarded: { root: "q_root", hops: 1 } }), inside, parts);
  assert.deepEqual(passedOn, {
    ok: true,
    space: "alice/caller",
    account: "bob",
    tier: "pro",
    request: "q_first",
    root: "q_root",
  });
});
