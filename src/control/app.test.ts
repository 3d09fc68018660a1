import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodesView } from "../contract/nodes.ts";
import type { PoolView, RuleView } from "../contract/pools.ts";
import type { BudgetView } from "../contract/allowances.ts";
import type { CallView, Page, QuotaView, QuoteView, SpaceView, TierView, TiersView } from "../contract/api.ts";
import type { Problem } from "../contract/problem.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { createChecked } from "./described/checked.suite.ts";
import { settingDefaults } from "../catalog/spaces.ts";
import { terms } from "../core/ledger.suite.ts";
import { seconds } from "../stdx/time.ts";
import { ControlWorld, replica } from "./control.suite.ts";

interface Asker {
  readonly world: ControlWorld;
  ask(method: string, path: string, token?: string, body?: string): Promise<Response>;
}

async function api(): Promise<Asker> {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  const app = createChecked(world.server);
  const ask: Asker["ask"] = async (method, path, token, body) =>
    app.request(`http://127.0.0.1:7070${path}`, {
      method,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      ...(body === undefined ? {} : { body }),
    });
  return { world, ask };
}

const scopeCases: readonly { readonly scopes: readonly Scope[]; readonly reads: number; readonly writes: number }[] = [
  { scopes: ["read", "write", "gpu"], reads: 200, writes: 400 },
  { scopes: ["read"], reads: 200, writes: 403 },
  { scopes: ["gpu"], reads: 403, writes: 403 },
  { scopes: [], reads: 403, writes: 403 },
];

describe("the API", () => {
  for (const { scopes, reads, writes } of scopeCases) {
    test(`a token with the scopes [${scopes.join(", ")}] is answered ${reads} where it reads and ${writes} where it deploys nothing of sense`, async () => {
      const { world, ask } = await api();
      await using _ = world;
      const token = await world.token("alice", scopes);
      assert.equal((await ask("GET", "/api/quota", token)).status, reads);
      assert.equal((await ask("POST", "/api/spaces/alice/demo/commit/main", token, "{")).status, writes);
    });
  }

  test("an administrator's account without the scope admin makes no tokens and owns only its own", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [plain, admin] = [
      await world.token("admin", ["read", "write", "gpu"]),
      await world.token("admin", ["admin"]),
    ];
    const body = JSON.stringify({ account: "alice" });
    assert.equal((await ask("POST", "/api/tokens", plain, body)).status, 403);
    assert.equal((await ask("GET", "/api/quota?account=alice", plain)).status, 403);
    assert.equal((await ask("POST", "/api/tokens", admin, body)).status, 201);
  });

  test("an operator reads all rules by which calls come into pools, page by page, and takes back also one whose Space is gone", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    const route = { pools: ["main"], moveAfterMs: null };
    const spaces = Array.from({ length: 51 }, (_none, n) => `alice/gone-${n + 100}`);
    for (const space of spaces) await world.engine.submit({ type: "set-route", of: { kind: "space", space }, route });
    await world.engine.submit({ type: "set-route", of: { kind: "account", account: "bob" }, route });
    assert.equal((await ask("GET", "/api/rules", alice)).status, 403);
    const read = async (page = ""): Promise<Page<RuleView>> =>
      (await ask("GET", `/api/rules?page=${encodeURIComponent(page)}`, admin)).json() as Promise<Page<RuleView>>;
    const first = await read();
    const second = await read(first.next ?? "none");
    assert.deepEqual([first.items.length, second.items.length, second.next], [50, 2, null]);
    assert.deepEqual(first.items[0], { kind: "account", name: "bob", ...route });
    assert.deepEqual(
      [...first.items, ...second.items].slice(1).map(({ name }) => name),
      spaces,
    );
    const path = `/api/spaces/${spaces[0]}/pools`;
    assert.deepEqual(
      [(await ask("DELETE", path, admin)).status, (await ask("DELETE", path, admin)).status],
      [200, 404],
    );
    assert.equal((await read()).items[1]?.name, spaces[1]);
  });

  test("an operator says what one visitor's request may have of a pool, and takes the bound of its GPU time back", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read"]), await world.token("admin", ["read", "admin"])];
    const caps = async (token: string, wish?: object): Promise<unknown> => {
      const answer = await ask(wish ? "PATCH" : "GET", "/api/pools/main", token, wish && JSON.stringify(wish));
      if (!answer.ok) return answer.status;
      const { tokenMaxCalls, tokenMaxGpuMs } = (await answer.json()) as PoolView;
      return [tokenMaxCalls, tokenMaxGpuMs];
    };
    assert.deepEqual(await caps(alice), [64, null]);
    assert.equal(await caps(alice, { tokenMaxCalls: 2 }), 403);
    assert.deepEqual(await caps(admin, { tokenMaxCalls: 2, tokenMaxGpuMs: 90_000 }), [2, 90_000]);
    assert.deepEqual(await caps(alice), [2, 90_000]);
    assert.deepEqual(await caps(admin, { tokenMaxGpuMs: null }), [2, null]);
    for (const wish of [{ tokenMaxCalls: null }, { tokenMaxCalls: -1 }, { tokenMaxGpuMs: 0.5 }, { tokenMaxGpuMs: -1 }])
      assert.equal(await caps(admin, wish), 400);
    assert.deepEqual(await caps(alice), [2, null]);
  });

  test("an operator takes a pool, a node or a card out of use and gives it back; who, why and until when is shown", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    const drain = (path: string, token: string, body: object): Promise<Response> =>
      ask("PUT", `/api/${path}/drain`, token, JSON.stringify(body));
    assert.equal((await drain("nodes/n1", alice, { reason: "driver" })).status, 403);
    assert.equal((await ask("DELETE", "/api/pools/main/drain", alice)).status, 403);
    for (const wrong of [{}, { reason: " " }, { reason: "a\nb" }, { reason: "x", endAfterMs: -1 }, { reason: 7 }])
      assert.equal((await drain("pools/main", admin, wrong)).status, 400, JSON.stringify(wrong));
    for (const path of ["nodes/n9", "pools/none", "nodes/n1/cards/9", "nodes/n1/cards/x"])
      assert.equal((await drain(path, admin, { reason: "driver" })).status, 404, path);
    const answer = await drain("nodes/n1/cards/0", admin, { reason: "fan", endAfterMs: 90_000 });
    const [view] = ((await answer.json()) as NodesView).nodes;
    assert.deepEqual(
      [view?.name, view?.state, view?.drain, view?.cards[0]?.drain],
      [
        "n1",
        "up",
        null,
        {
          of: "card",
          reason: "fan",
          by: "admin",
          since: "2026-11-22T12:00:00.000Z",
          endsAt: "2026-11-22T12:01:30.000Z",
          says: "draining since 12:00 UTC, by admin: fan; calls end at 12:01 UTC",
        },
      ],
    );
    assert.equal((await drain("pools/main", admin, { reason: "move" })).status, 200);
    const { nodes } = (await (await ask("GET", "/api/nodes", alice)).json()) as NodesView;
    assert.deepEqual([nodes[0]?.drain?.reason, nodes[0]?.cards[0]?.drain?.of], ["move", "pool"]);
    for (const path of ["pools/main", "nodes/n1/cards/0"])
      assert.equal((await ask("DELETE", `/api/${path}/drain`, admin)).status, 200);
    const [after] = ((await (await ask("GET", "/api/nodes", alice)).json()) as NodesView).nodes;
    assert.deepEqual([after?.drain, after?.cards[0]?.drain], [null, null]);
  });

  test("an operator who has seen to a node's cards has the node look at them", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const node = await world.node([replica("p_1", "ready")]);
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    assert.equal((await ask("POST", "/api/nodes/n1/check", alice, "{}")).status, 403);
    assert.equal((await ask("POST", "/api/nodes/n9/check", admin, "{}")).status, 404);
    assert.equal(node.of("check-cards").length, 0);
    assert.equal((await ask("POST", "/api/nodes/n1/check", admin, "{}")).status, 202);
    assert.equal(node.of("check-cards").length, 1);
  });

  test("what a tier allows is the operator's to set, and the next quota shows it", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    const set = (tier: string, token: string, body: object): Promise<Response> =>
      ask("PATCH", `/api/tiers/${tier}`, token, JSON.stringify(body));
    const limits = { windowLimitMs: 7_000, durationMaxMs: 5_000, runsMax: 9, callsMax: 1 };
    assert.equal((await set("free", alice, limits)).status, 403);
    assert.equal((await set("gold", admin, limits)).status, 404);
    for (const wrong of [
      {},
      { windowLimitMs: -1 },
      { windowMs: 0 },
      { durationMaxMs: 1.5 },
      { windowLimitMs: 2 ** 53 },
      { weight: 0 },
      { colour: 2 },
    ])
      assert.equal((await set("free", admin, wrong)).status, 400, JSON.stringify(wrong));
    const answer = (await (await set("free", admin, limits)).json()) as TierView;
    assert.deepEqual(answer, {
      name: "free",
      windowLimitMs: 7_000,
      windowMs: 24 * 3600 * 1000,
      durationMaxMs: 5_000,
      runsMax: 9,
      callsMax: 1,
      weight: 2,
    });
    const { tiers } = (await (await ask("GET", "/api/tiers", alice)).json()) as TiersView;
    assert.deepEqual(
      tiers.find(({ name }) => name === "free"),
      answer,
    );
    assert.equal(((await (await ask("GET", "/api/quota", alice)).json()) as QuotaView).limitMs, 7_000);
  });

  test("the quota is told as named limits with what is left of them, and in the Hub's form", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read"]), await world.token("admin", ["read", "admin"])];
    const hub = async (token: string | undefined): Promise<[number, unknown]> => {
      const answer = await ask("GET", "/api/spaces/zero-gpu/quota", token);
      return [answer.status, answer.ok ? await answer.json() : null];
    };
    assert.deepEqual(await hub(alice), [200, { base: 300, current: 300, held: 0, credits: 0, resetsAt: null }]);
    assert.equal((await hub(undefined))[0], 401);
    const before = await ask("GET", "/api/quota", alice);
    assert.equal(before.headers.get("ratelimit-policy"), '"window";q=300;qu="gpu-seconds";w=86400');
    assert.equal(before.headers.get("ratelimit"), '"window";r=300');
    const limits = JSON.stringify({ windowLimitMs: 7_900, runsMax: 9, callsMax: 2 });
    await ask("PATCH", "/api/tiers/free", admin, limits);
    const after = await ask("GET", "/api/spaces/zero-gpu/quota", alice);
    assert.equal(
      after.headers.get("ratelimit-policy"),
      '"window";q=7;qu="gpu-seconds";w=86400, "runs";q=9;qu="requests";w=86400, "calls";q=2;qu="concurrent-requests"',
    );
    assert.equal(after.headers.get("ratelimit"), '"window";r=7, "runs";r=9, "calls";r=2');
    const runs = { used: 0, limit: 9, remaining: 9, resetsAt: null };
    assert.deepEqual(await after.json(), { base: 7, current: 7, held: 0, credits: 0, resetsAt: null, runs });
    await ask(
      "POST",
      "/api/quota/allowances",
      admin,
      JSON.stringify({ account: "alice", kind: "credits", ms: 5_200, reason: "why" }),
    );
    const more = await ask("GET", "/api/spaces/zero-gpu/quota", alice);
    assert.deepEqual(await more.json(), {
      ...{ base: 13, current: 13, held: 0, credits: 5, overquotaUsed: 0 },
      ...{ resetsAt: null, runs },
    });
    assert.match(more.headers.get("ratelimit") ?? "", /"window";r=7, "credits";r=5, /);
    await ask(
      "PATCH",
      "/api/tiers/free",
      admin,
      JSON.stringify({ windowLimitMs: null, runsMax: null, callsMax: null, durationMaxMs: 90_000 }),
    );
    const free = await ask("GET", "/api/quota", alice);
    assert.equal(free.headers.get("ratelimit"), '"credits";r=5, "duration";r=90');
    await ask("PATCH", "/api/tiers/free", admin, JSON.stringify({ durationMaxMs: null }));
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const bob = await world.token("bob", ["read"]);
    const none = await ask("GET", "/api/quota", bob);
    assert.deepEqual([none.headers.get("ratelimit"), none.headers.get("ratelimit-policy")], [null, null]);
  });

  test("what an account gets beyond its tier is the operator's to give, with a reason, and its quota shows it", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    const give = (token: string, body: object): Promise<Response> =>
      ask("POST", "/api/quota/allowances", token, JSON.stringify(body));
    const until = new Date(world.clock.wall() + 3_600_000).toISOString();
    const credits = { account: "alice", kind: "credits", ms: 60_000, reason: "won the contest" };
    assert.equal((await give(alice, credits)).status, 403);
    assert.equal((await give(admin, { ...credits, account: "nobody" })).status, 404);
    assert.equal((await give(admin, { ...credits, kind: "window" })).status, 409); // none runs
    assert.equal((await give(admin, { ...credits, expiresAt: "2001-01-01T00:00:00Z" })).status, 400);
    assert.equal((await give(admin, credits)).status, 201);
    const lift = { account: "alice", kind: "lift", policy: "runs", until, reason: "load test" };
    assert.equal((await give(admin, lift)).status, 201);
    const quota = (await (await ask("GET", "/api/quota", alice)).json()) as QuotaView;
    assert.deepEqual([quota.leftMs, quota.creditsMs], [300_000, 60_000]);
    assert.deepEqual(
      quota.allowances.map(({ kind, ms, policy, by, reason, until: ends }) => [kind, ms, policy, by, reason, ends]),
      [
        ["credits", 60_000, null, "admin", "won the contest", null],
        ["lift", null, "runs", "admin", "load test", until],
      ],
    );
  });

  test("an allowance is the operator's to take back, with a reason, and its refusals say what to do about it", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "write"]), await world.token("admin", ["admin"])];
    const send = async (token: string, path: string, body: object): Promise<[number, QuotaView & Problem]> => {
      const answer = await ask("POST", `/api/quota/allowances${path}`, token, JSON.stringify(body));
      return [answer.status, (await answer.json()) as QuotaView & Problem];
    };
    const credits = { account: "alice", kind: "credits", ms: 60_000, reason: "won the contest" };
    const [, given] = await send(admin, "", credits);
    const [id = ""] = given.allowances.map((each) => each.id);
    const back = { account: "alice", reason: "another won" };
    assert.equal((await send(alice, `/${id}/revoke`, back))[0], 403);
    assert.equal((await send(admin, `/${id}/revoke`, { account: "alice" }))[0], 400);
    const [status, quota] = await send(admin, `/${id}/revoke`, back);
    assert.deepEqual([status, quota.creditsMs, quota.allowances], [200, 0, []]);
    const again = await send(admin, `/${id}/revoke`, back);
    assert.deepEqual([again[0], again[1].index], [200, quota.index]);

    const advice: readonly [string, object, number, RegExp][] = [
      [`/${id}/revoke`, { ...back, reason: "no" }, 409, /Nothing needs to be done/],
      ["/al_none/revoke", back, 404, /`waybill quota --account alice` shows/],
      ["/al_none/revoke", { ...back, account: "nobody" }, 404, /`waybill token create --account nobody --create`/],
      ["", { ...credits, account: "nobody" }, 404, /`waybill token create --account nobody --create`/],
      ["", { ...credits, kind: "window" }, 409, /Give credits/],
      ["", { ...credits, expiresAt: "2001-01-01T00:00:00Z" }, 400, /between now and 366 days/],
    ];
    for (const [path, body, refusal, next] of advice) {
      const [is, problem] = await send(admin, path, body);
      assert.equal(is, refusal, JSON.stringify(body));
      assert.match(problem.next, next);
    }
    for (let n = 0; n < 64; n++) assert.equal((await send(admin, "", credits))[0], 201);
    const [full, problem] = await send(admin, "", credits);
    assert.deepEqual([full, /`waybill quota revoke alice ID`/.test(problem.next)], [409, true]);
  });

  test("a Space's budget is its owner's to set, and a visitor's quote says who would pay", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const [alice, bob] = [
      await world.token("alice", ["read", "write"]),
      await world.token("bob", ["read", "write", "gpu"]),
    ];
    const set = (token: string, body: object): Promise<Response> =>
      ask("PUT", "/api/spaces/alice/demo/budget", token, JSON.stringify(body));
    assert.equal((await set(bob, { limitMs: 1 })).status, 403);
    assert.equal((await set(alice, {})).status, 400);
    const budget = (await (await set(alice, { limitMs: 50_000, whenOut: "refuse" })).json()) as BudgetView;
    assert.deepEqual(
      [budget.sponsor, budget.limitMs, budget.leftMs, budget.whenOut],
      ["alice", 50_000, 50_000, "refuse"],
    );
    const quote = async (token: string): Promise<QuoteView> => {
      const asked = JSON.stringify({ space: "alice/demo", declaredMs: 40_000 });
      return (await (await ask("POST", "/api/gpu/quote", token, asked)).json()) as QuoteView;
    };
    assert.deepEqual([(await quote(bob)).paidBy, (await quote(alice)).paidBy], ["alice", "alice"]);
    const shown = await ask("GET", "/api/spaces/alice/demo/budget", alice);
    assert.equal(shown.headers.get("ratelimit-policy"), '"budget";q=50;qu="gpu-seconds";w=86400');
    assert.equal(shown.headers.get("ratelimit"), '"budget";r=50');
    await set(alice, { limitMs: 10_000 });
    assert.equal((await quote(bob)).refused?.code, "gpu/budget-exceeded");
    await set(alice, { limitMs: null });
    assert.equal((await quote(bob)).paidBy, "bob");
    assert.equal((await ask("GET", "/api/spaces/alice/none/budget", alice)).status, 404);
  });

  test("a quote is what the caller's call would meet, and changes nothing", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const [alice, admin] = [await world.token("alice", ["read", "gpu"]), await world.token("admin", ["read", "admin"])];
    const quote = async (token: string | undefined, body: object): Promise<Response> =>
      ask("POST", "/api/gpu/quote", token, JSON.stringify(body));
    const asked = { space: "alice/demo", declaredMs: 40_000 };
    assert.equal((await quote(undefined, asked)).status, 401);
    for (const wrong of [
      { declaredMs: 1 },
      { ...asked, declaredMs: -1 },
      { ...asked, declaredMs: 2 ** 53 },
      { ...asked, size: "small" },
    ])
      assert.equal((await quote(alice, wrong)).status, 400, JSON.stringify(wrong));
    assert.equal((await quote(alice, { ...asked, space: "alice/none" })).status, 404);
    const before = await (await ask("GET", "/api/quota", alice)).json();
    const said = (await (await quote(alice, asked)).json()) as QuoteView;
    assert.deepEqual([said.admitted, said.heldMs, said.leaseMs, said.waiting], [true, 40_000, 40_000, null]);
    assert.equal(said.pool, "main");
    await ask("PATCH", "/api/tiers/free", admin, JSON.stringify({ windowLimitMs: 19_999 }));
    const refused = (await (await quote(alice, asked)).json()) as QuoteView;
    assert.deepEqual([refused.admitted, refused.refused?.code], [false, "gpu/quota-exceeded"]);
    await ask("PATCH", "/api/tiers/free", admin, JSON.stringify({ windowLimitMs: 300_000 }));
    const after = await (await ask("GET", "/api/quota", alice)).json();
    const { index: _before, ...was } = before as QuotaView;
    const { index: _after, ...is } = after as QuotaView;
    assert.deepEqual(is, was);
  });

  for (const [by, where] of [
    ["budget", "in May it may use 10 GPU hours"],
    ["abuse-rule", "it sends mail"],
  ] as const)
    test(`a pause by ${by} is the operator's, with a reason: a restart and a factory rebuild say it, and who can lift it`, async () => {
      const { world, ask } = await api();
      await using _ = world;
      const [alice, admin] = [
        await world.token("alice", ["read", "write"]),
        await world.token("admin", ["admin", "write"]),
      ];
      const post = (what: string, token: string, body: object = {}): Promise<Response> =>
        ask("POST", `/api/spaces/alice/demo/${what}`, token, JSON.stringify(body));
      assert.equal((await post("pause", alice, { by, reason: where })).status, 403);
      const silent = await post("pause", admin, { by });
      assert.equal(silent.status, 400);
      assert.match(await silent.text(), /reason: a pause by a rule says what it is about/);
      assert.equal((await post("pause", admin, { by, reason: where })).status, 200);
      const events = (await world.spaces.events("alice/demo", undefined, 1))?.items;
      assert.equal((await post("pause", admin, { by, reason: where })).status, 200);
      assert.deepEqual((await world.spaces.events("alice/demo", undefined, 1))?.items, events, "a repeat is none");
      const commit = await world.builds.request({ space: "alice/demo", commit: "1", account: "alice" });
      await world.builds.cancel(commit.id, { kind: "owner", name: "alice" });
      for (const what of ["restart", "restart?factory=true", "resume"]) {
        const refused = await post(what, alice);
        const { code, detail } = (await refused.json()) as Problem;
        assert.deepEqual([refused.status, code], [403, "paused"], what);
        assert.equal(detail, `alice/demo is paused: ${where}. Only the operator can lift that: \`waybill resume\`.`);
      }
      assert.equal((await post("resume", admin)).status, 200);
    });

  test("a Space's settings are its owner's and the operator's to change, and all that is wrong with a change is told at once", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const [alice, bob, admin] = await Promise.all([
      world.token("alice", ["read", "write"]),
      world.token("bob", ["read", "write"]),
      world.token("admin", ["admin", "write"]),
    ]);
    const path = "/api/spaces/alice/demo/settings";
    const set = (token: string | undefined, body: object): Promise<Response> =>
      ask("PATCH", path, token, JSON.stringify(body));
    assert.deepEqual(
      [(await set(undefined, { "on-leave": "stop" })).status, (await set(bob, { "on-leave": "stop" })).status],
      [401, 403],
    );
    assert.equal(world.spaces.get("alice/demo")?.settings["on-leave"], "finish");
    assert.deepEqual(await (await set(alice, { "on-leave": "stop" })).json(), {
      ...settingDefaults,
      "on-leave": "stop",
    });
    assert.equal((await set(alice, { "health-path": "/health?deep=1" })).status, 200);
    assert.equal((await set(alice, { "health-path": "health" })).status, 400);
    assert.equal((await world.catalog.spaces.get("alice/demo"))?.settings["on-leave"], "stop");
    assert.equal((await set(admin, { "on-leave": "finish" })).status, 200);
    const wrong = await set(alice, { "on-leave": "perhaps", colour: "red" });
    const { errors, detail } = (await wrong.json()) as Problem & { errors: { where: string }[] };
    assert.deepEqual([wrong.status, errors.map(({ where }) => where).sort()], [400, ["body", "on-leave"]]);
    assert.match(detail, /"finish"\|"stop".*colour|colour.*"finish"\|"stop"/);
    assert.equal((await set(alice, {})).status, 400);
    assert.equal((await ask("PATCH", "/api/spaces/alice/other/settings", alice, '{"on-leave":"stop"}')).status, 404);
  });

  test("variables and secrets are their owner's and the operator's, in the Hub's form; a secret's value is in no answer", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const [alice, bob, reader] = await Promise.all([
      world.token("alice", ["read", "write"]),
      world.token("bob", ["read", "write"]),
      world.token("alice", ["read"]),
    ]);
    const path = "/api/spaces/alice/demo";
    const post = (kind: string, token: string | undefined, body: object): Promise<Response> =>
      ask("POST", `${path}/${kind}`, token, JSON.stringify(body));
    for (const kind of ["variables", "secrets"]) {
      const all = await Promise.all(
        [undefined, bob, reader].map((token) => post(kind, token, { key: "A", value: "1" })),
      );
      assert.deepEqual(
        all.map(({ status }) => status),
        [401, 403, 403],
        kind,
      );
      assert.equal((await ask("GET", `${path}/${kind}`, bob)).status, 403);
      assert.equal((await ask("GET", `/api/spaces/alice/other/${kind}`, alice)).status, 404);
    }
    const updatedAt = new Date(world.clock.wall()).toISOString();
    // `huggingface_hub` sends the description that was not given as null.
    assert.deepEqual(await (await post("variables", alice, { key: "A", value: "1", description: null })).json(), {
      A: { value: "1", updatedAt },
    });
    assert.deepEqual(
      await (await post("secrets", alice, { key: "HF_TOKEN", value: "hf_very", description: "d" })).json(),
      {
        name: "HF_TOKEN",
        updatedAt,
      },
    );
    const shown = await (await ask("GET", `${path}/secrets`, alice)).text();
    assert.deepEqual(JSON.parse(shown), { HF_TOKEN: { description: "d", updatedAt } });
    const refused = await post("variables", alice, { key: "PORT", value: "1" });
    assert.deepEqual(
      [refused.status, ((await refused.json()) as Problem).detail],
      [400, "PORT is set by the platform; choose another name."],
    );
    assert.equal((await post("variables", alice, { key: "HF_TOKEN", value: "1" })).status, 409);
    const remove = (kind: string, key: string): Promise<Response> =>
      ask("DELETE", `${path}/${kind}`, alice, JSON.stringify({ key }));
    assert.deepEqual(await (await remove("secrets", "HF_TOKEN")).json(), {});
    assert.equal((await remove("secrets", "HF_TOKEN")).status, 404);
    const changes = (await (await ask("GET", `${path}/environment/changes`, alice)).json()) as {
      items: { name: string; action: string }[];
    };
    assert.deepEqual(
      changes.items.map(({ name, action }) => `${name} ${action}`),
      ["HF_TOKEN unset", "HF_TOKEN set", "A set"],
    );
  });

  test("a restart starts one more replica of the release that runs, once, for the owner and the operator", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const app = createChecked(world.server);
    const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => world.token(name, ["read", "write"])));
    const restart = async (token: string | undefined, query = "", space = "alice/demo"): Promise<[number, string]> => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await app.request(`/api/spaces/${space}/restart${query}`, { method: "POST", headers });
      const body = (await answer.json()) as { detail?: string; stage?: string };
      return [answer.status, body.stage ?? body.detail ?? ""];
    };
    assert.match((await restart(alice)).join(" "), /^409 There is nothing to restart/);
    await world.release("rel_1", 1);
    const node = await world.node([replica("p_1", "ready")]);
    assert.deepEqual([(await restart(undefined))[0], (await restart(bob))[0]], [401, 403]);
    assert.equal((await restart(alice, "?factory=perhaps"))[0], 400);
    assert.equal((await restart(alice, "", "alice/other"))[0], 404);
    const both = await Promise.all([restart(alice), restart(alice)]);
    assert.deepEqual(both, [
      [200, "RUNNING"],
      [200, "RUNNING"],
    ]);
    const [order] = node.of("start-replica");
    assert.deepEqual([order?.spec.release, node.of("start-replica").length], ["rel_1", 1]);
    const started = order?.spec.replica ?? "";
    node.say({ type: "replica", status: replica(started, "ready") });
    await world.settled();
    assert.deepEqual(
      node.of("stop-replica").map((stop) => stop.replica),
      ["p_1"],
    );
    const runtime = await app.request("/api/spaces/alice/demo/runtime");
    assert.equal(((await runtime.json()) as { stage: string }).stage, "RUNNING");
  });

  test("a factory rebuild builds the last commit again, says so to the builder, and is refused while a build goes on", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    const token = await world.token("alice", ["read", "write"]);
    const app = createChecked(world.server);
    const rebuild = () =>
      app.request("/api/spaces/alice/demo/restart?factory=true", {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
      });
    const refused = await rebuild();
    assert.equal(refused.status, 409);
    assert.match(((await refused.json()) as Problem).detail, /nothing was ever deployed/);
    const node = await world.node();
    const first = await world.builds.request({ space: "alice/demo", commit: "c0ffee", account: "alice" });
    world.spaces.onBuild(first);
    const busy = await rebuild();
    assert.equal(busy.status, 409);
    assert.match(
      ((await busy.json()) as Problem).detail,
      new RegExp(`Build ${first.id} .*; restart it when that has ended`),
    );
    node.say({ type: "build-claimed", build: first.id, fence: 1, number: 1, builder: "n1" });
    const outcome = { ok: false, code: "build/step-failed", step: "install", says: "no", because: [] } as const;
    node.say({ type: "build-done", build: first.id, fence: 1, outcome });
    await world.settled();
    assert.equal((await rebuild()).status, 200);
    assert.deepEqual(
      node.of("build").map(({ spec }) => [spec.commit, spec.factory]),
      [
        ["c0ffee", undefined],
        ["c0ffee", true],
      ],
    );
  });

  test("a stranger, and another account, see nothing of a Space's builds and replicas; its owner does", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const see = async (token?: string): Promise<SpaceView> =>
      (await (await ask("GET", "/api/spaces/alice/demo", token)).json()) as SpaceView;
    const scopes = ["read"] as const;
    const seen = [
      await see(),
      await see(await world.token("bob", scopes)),
      await see(await world.token("alice", scopes)),
    ];
    assert.deepEqual(
      seen.map(({ replicas }) => replicas.length),
      [0, 0, 1],
    );
    assert.deepEqual(
      seen.map(({ release }) => release),
      [null, null, "rel_1"],
    );
    for (const path of ["/", "/api/spaces"]) assert.doesNotMatch(await (await ask("GET", path)).text(), /p_1|rel_1/);
  });

  test("the story of a Space is for its owner: its name is no secret as an id is", async () => {
    const { world, ask } = await api();
    await using _ = world;
    for (const path of ["/w/alice%2Fdemo", "/api/explain/alice%2Fdemo", "/api/explain/alice/demo"]) {
      const answer = await ask("GET", path);
      assert.doesNotMatch(await answer.text(), /p_1|rel_1/);
      assert.ok([401, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
    }
  });

  test("the calls and the quota of an account that does not exist are not found, rather than empty", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const admin = await world.token("admin", ["read", "admin"]);
    assert.equal((await ask("GET", "/api/calls?account=alice", admin)).status, 200);
    for (const path of ["/api/calls?account=alcie", "/api/quota?account=alcie"])
      assert.equal((await ask("GET", path, admin)).status, 404, path);
  });

  test("a waiting call is cancelled by its account, and by nobody who has no part in it", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    for (const call of ["c_1", "c_2"]) await world.engine.submit({ type: "schedule", terms: terms(call) });
    const [alice, bob] = [await world.token("alice", ["write"]), await world.token("bob", ["write"])];
    assert.equal((await ask("POST", "/api/calls/c_2/cancel", bob, "{}")).status, 404);
    assert.equal((await ask("POST", "/api/calls/c_9/cancel", alice, "{}")).status, 404);
    const answer = await ask("POST", "/api/calls/c_2/cancel", alice, "{}");
    const { stage, chargedMs } = (await answer.json()) as CallView;
    assert.deepEqual([answer.status, stage, chargedMs], [200, "ended", 0]);
    assert.equal(await world.engine.read((state) => state.calls.get("c_1")?.stage), "granted");
  });

  test("a quote goes by what its endpoint declared last, and says where that is not known", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.engine.submit({ type: "schedule", terms: terms("c_1", { declaredMs: seconds(20) }) });
    const token = await world.token("alice", ["read"]);
    const quote = async (endpoint: string): Promise<Response> =>
      ask("POST", "/api/gpu/quote", token, JSON.stringify({ space: "alice/demo", endpoint }));
    assert.equal(((await (await quote("/run")).json()) as QuoteView).heldMs, 20_000);
    const unknown = await quote("/other");
    assert.deepEqual(
      [unknown.status, ((await unknown.json()) as Problem).next],
      [404, "Name its length as declaredMs, or call it once."],
    );
  });

  test("another's call, quota, logs and requests are refused", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    const token = await world.token("bob", ["read", "write", "gpu"]);
    for (const path of [
      "/api/quota?account=alice",
      "/api/calls?account=alice",
      "/api/spaces/alice/demo/logs",
      "/api/spaces/alice/demo/requests",
    ]) {
      const answer = await ask("GET", path, token);
      assert.equal(answer.status, 403, path);
      assert.equal(((await answer.json()) as Problem).code, "forbidden", path);
    }
  });
});
