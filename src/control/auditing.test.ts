/** Who changed what: each writing route has its entry, a change and its entry are there together, and nobody reads of what is not theirs. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "../contract/api.ts";
import type { AuditEntryView } from "../contract/identity.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { createChecked } from "./described/checked.suite.ts";
import { audited, changeless, ownEntries } from "./audited.ts";
import { commitBytes, ControlWorld, replica } from "./control.suite.ts";

interface Sent {
  readonly body?: unknown;
  readonly who?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function asking() {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  const app = createChecked(world.server);
  const scopes: readonly Scope[] = ["read", "write", "gpu", "admin"];
  const tokens = new Map<string, string>();
  for (const who of ["alice", "admin", "bob"]) tokens.set(who, await world.token(who, scopes));
  const ask = async (line: string, { body, who = "alice", headers = {} }: Sent = {}): Promise<Response> => {
    const [method = "", path = ""] = line.split(" ");
    return app.request(
      `http://127.0.0.1:7070${path}`,
      {
        method,
        headers: { authorization: `Bearer ${tokens.get(who)}`, ...headers },
        ...(body === undefined ? {} : { body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body) }),
      },
      { inside: null, origin: "http://127.0.0.1:7070", address: "192.0.2.7" },
    );
  };
  const log = async (who = "admin", query = ""): Promise<readonly AuditEntryView[]> => {
    const response = await ask(`GET /api/audit${query}`, { who });
    assert.equal(response.status, 200);
    return ((await response.json()) as Page<AuditEntryView>).items;
  };
  return { world, app, ask, log };
}

/** A request of each entry that does something in this world, and what the entry then says. */
const changes: readonly (readonly [line: string, body: unknown, action: string, target: string, owner: string | null])[] = [
  ["PATCH /api/spaces/alice/demo/settings", { "on-leave": "stop" }, "space.set", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/sleeptime", { seconds: 90 }, "space.set", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/variables", { key: "A", value: "1" }, "variable.set", "space/alice/demo", "alice"],
  ["DELETE /api/spaces/alice/demo/variables", { key: "A" }, "variable.unset", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/secrets", { key: "K", value: "hush" }, "secret.set", "space/alice/demo", "alice"],
  ["DELETE /api/spaces/alice/demo/secrets", { key: "K" }, "secret.unset", "space/alice/demo", "alice"],
  ["PUT /api/spaces/alice/demo/budget", { limitMs: 50_000 }, "space.budget", "space/alice/demo", "alice"],
  ["PUT /api/spaces/alice/demo/pools", { pools: ["main"] }, "space.pools", "space/alice/demo", "alice"],
  ["DELETE /api/spaces/alice/demo/pools", undefined, "space.pools", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/restart", {}, "space.restart", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/pause", { reason: "r" }, "space.pause", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/resume", {}, "space.resume", "space/alice/demo", "alice"],
  ["POST /api/spaces/alice/demo/stop", {}, "space.stop", "space/alice/demo", "alice"],
  ["PUT /api/accounts/alice/pools", { pools: ["main"] }, "account.pools", "account/alice", "alice"],
  ["PATCH /api/pools/main", { queueMax: 9 }, "pool.set", "pool/main", null],
  ["PUT /api/pools/other", {}, "pool.set", "pool/other", null],
  ["PUT /api/pools/main/drain", { reason: "r" }, "pool.drain", "pool/main", null],
  ["DELETE /api/pools/main/drain", undefined, "pool.undrain", "pool/main", null],
  ["PUT /api/nodes/n1/cards/0/pool", { pool: "main" }, "node.pool", "node/n1/card/0", null],
  ["POST /api/nodes/n1/check", undefined, "node.check", "node/n1", null],
  ["POST /api/nodes/n2/token", undefined, "node.token", "node/n2", null],
  ["PATCH /api/tiers/free", { runsMax: 9 }, "tier.set", "tier/free", null],
  ["POST /api/quota/allowances", { account: "alice", kind: "credits", ms: 1_000, expiresAt: null, reason: "why" }, "quota.allow", "account/alice", "alice"],
  ["POST /api/keys/visitors/rotate", {}, "key.rotate", "platform", null],
  ["POST /api/tokens", { account: "alice", name: "ci" }, "token.create", "account/alice", "alice"],
]; // prettier-ignore

describe("the audit log", () => {
  test("every writing route has an entry or changes nothing, and every entry has a route", async () => {
    const { world, app } = await asking();
    await using _ = world;
    const writing = app.routes
      .filter(({ method, path }) => path !== "/*" && ["POST", "PUT", "PATCH", "DELETE", "ALL"].includes(method))
      .map(({ method, path }) => `${method} ${path}`);
    assert.ok(writing.length > 30);
    assert.deepEqual(
      [...new Set(writing)].toSorted(),
      [...Object.keys(audited), ...changeless, ...ownEntries].toSorted(),
    );
  });

  test("what was changed is told with who, by which token, from where, and when; in the order in which it was done", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    for (const [line, body] of changes) {
      const response = await ask(line, { body, who: "admin" });
      assert.ok(response.status < 300, `${line}: ${response.status} ${await response.text()}`);
    }
    const entries = (await log("admin", "?limit=200")).toReversed();
    assert.deepEqual(
      entries.map(({ action, target, owner, outcome }) => [action, target, owner, outcome]),
      changes.map(([, , action, target, owner]) => [action, target, owner, "done"]),
    );
    const [token] = await world.catalog.tokens.list("admin");
    for (const { account, address, token: by, session, at, request } of entries)
      assert.deepEqual(
        [account, address, by, session, at, request.startsWith("q_")],
        ["admin", "192.0.2.7", token?.id, null, "2026-11-22T12:00:00.000Z", true],
      );
  });

  test("before and after are told of what the request named; a secret's value is nowhere", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    await ask("PATCH /api/tiers/free", { who: "admin", body: { runsMax: 9 } });
    await ask("POST /api/spaces/alice/demo/variables", { body: { key: "A", value: "1" } });
    await ask("POST /api/spaces/alice/demo/variables", { body: { key: "A", value: "2" } });
    await ask("POST /api/spaces/alice/demo/secrets", { body: { key: "K", value: "hush" } });
    await ask("PATCH /api/spaces/alice/demo/settings", { body: { "on-leave": "stop" } });
    assert.deepEqual(
      (await log()).map(({ before, after }) => [before, after]),
      [
        [{ "on-leave": "finish" }, { "on-leave": "stop" }],
        [null, { key: "K" }],
        [
          { key: "A", value: "1" },
          { key: "A", value: "2" },
        ],
        [null, { key: "A", value: "1" }],
        [{ runsMax: null }, { runsMax: 9 }],
      ],
    );
    assert.ok(!JSON.stringify(await log()).includes("hush"));
  });

  test("a refused request leaves no entry, nor does a stranger's or one that only asks", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    assert.equal((await ask("PATCH /api/tiers/free", { body: { runsMax: 9 } })).status, 403);
    assert.equal((await ask("PATCH /api/spaces/alice/demo/settings", { body: { "on-leave": 1 } })).status, 400);
    assert.equal((await ask("PATCH /api/spaces/alice/demo/settings", { headers: { authorization: "" } })).status, 401);
    await ask("POST /api/gpu/quote", { body: { space: "alice/demo", declaredMs: 1_000, size: "large" } });
    assert.deepEqual(await log(), []);
  });

  test("a commit is told with its build; a repeated request with a key has one entry", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    const body = commitBytes({ "README.md": "---\nsdk: static\n---\n", "index.html": "x" });
    const headers = { "idempotency-key": '"k1"' };
    const answers = [];
    for (const _try of [1, 2]) answers.push(await ask("POST /api/spaces/alice/demo/commit/main", { body, headers }));
    const { commitOid, build } = (await answers[0]!.json()) as { commitOid: string; build: string };
    assert.deepEqual(
      (await log()).map(({ action, after }) => [action, after]),
      [["space.commit", { commit: commitOid, build }]],
    );
  });

  test("an owner reads what was done to what is theirs, without the operator's token and address; others read nothing of it", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    await ask("PATCH /api/spaces/alice/demo/settings", { body: { "on-leave": "stop" } });
    await ask("POST /api/spaces/alice/demo/pause", { who: "admin", body: { reason: "r" } });
    await ask("PATCH /api/pools/main", { who: "admin", body: { queueMax: 9 } });
    const seen = async (who: string) =>
      (await log(who)).map(({ account, action, token, address }) => [account, action, token !== null, address]);
    assert.deepEqual(await seen("alice"), [
      ["admin", "space.pause", false, null],
      ["alice", "space.set", true, "192.0.2.7"],
    ]);
    assert.deepEqual(await seen("bob"), []);
    assert.equal((await seen("admin")).length, 3);
    assert.deepEqual(await log("bob", "?account=alice"), []);
    assert.deepEqual((await log("alice", "?action=space.pause")).length, 1);
  });

  test("a wrong filter is refused by its name", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    for (const query of ["since=yesterday", "limit=0", "limit=1e9", "who=alice", "action=Space%20*", "page=%00"])
      assert.equal((await ask(`GET /api/audit?${query}`)).status, 400, query);
    assert.equal((await ask("GET /api/audit", { headers: { authorization: "" } })).status, 401);
  });

  test("our own fault leaves an entry that says so", async () => {
    const { world, ask, log } = await asking();
    await using _ = world;
    world.server.ledger.makePool = () => Promise.reject(new Error("the disk is gone"));
    assert.equal((await ask("PUT /api/pools/other", { who: "admin", body: {} })).status, 500);
    assert.deepEqual(
      (await log()).map(({ action, outcome }) => [action, outcome]),
      [["pool.set", "failed"]],
    );
  });
});
