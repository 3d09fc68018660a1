/** The fields of the API that set limits and ask about them, with anything in any of them: a refusal with its code, and no record. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { NodesView } from "../contract/nodes.ts";
import { isCode } from "../evidence/codes.ts";
import { tierDefaults } from "../core/policy.ts";
import { createChecked } from "./described/checked.suite.ts";
import { audited } from "./audited.ts";
import { ControlWorld, replica } from "./control.suite.ts";
import { poolBody } from "./pool-orders.ts";

interface Field {
  readonly method: "POST" | "PATCH" | "PUT";
  readonly path: string;
  /** One that would do something. */
  readonly body: Readonly<Record<string, unknown>>;
}

const year = "2099-01-01T00:00:00Z";
const requests: readonly Field[] = [
  {
    ...{ method: "POST", path: "/api/gpu/quote" },
    body: { space: "alice/demo", declaredMs: 40_000, size: "xlarge", endpoint: "/run" },
  },
  {
    ...{ method: "PATCH", path: "/api/tiers/free" },
    body: { windowLimitMs: 5_000, windowMs: 60_000, durationMaxMs: 4_000, runsMax: 9, callsMax: 2, weight: 3 },
  },
  {
    ...{ method: "PATCH", path: "/api/pools/main" },
    body: {
      ...{ queueLimitMs: 30_000, queueMax: 9, durationMaxMs: 90_000, attachWithinMs: 9_000, admission: "strict" },
      ...{ spaceCallsMax: 3, tokenMaxCalls: 5, tokenMaxGpuMs: 60_000, shareHalfLifeMs: 60_000, oldestEvery: 4 },
    },
  },
  { method: "PUT", path: "/api/pools/spare", body: { queueMax: 9 } },
  { method: "PUT", path: "/api/pools/main/drain", body: { reason: "why", endAfterMs: 5_000 } },
  { method: "PUT", path: "/api/nodes/n1/drain", body: { reason: "why", endAfterMs: 5_000 } },
  { method: "PUT", path: "/api/nodes/n1/cards/0/drain", body: { reason: "why", endAfterMs: 5_000 } },
  {
    ...{ method: "POST", path: "/api/quota/allowances" },
    body: { account: "alice", kind: "window", ms: 1_000, reason: "why" },
  },
  {
    ...{ method: "POST", path: "/api/quota/allowances" },
    body: { account: "alice", kind: "credits", ms: 1_000, expiresAt: null, reason: "why" },
  },
  {
    ...{ method: "POST", path: "/api/quota/allowances" },
    body: { account: "alice", kind: "lift", policy: "runs", until: year, reason: "why" },
  },
  { method: "POST", path: "/api/quota/allowances/al_1/revoke", body: { account: "alice", reason: "why" } },
  { method: "PUT", path: "/api/nodes/n1/pool", body: { pool: "main" } },
  { method: "PUT", path: "/api/nodes/n1/cards/0/pool", body: { pool: "main" } },
  { method: "PUT", path: "/api/spaces/alice/demo/pools", body: { pools: ["main"], moveAfterMs: 20_000 } },
  { method: "PUT", path: "/api/accounts/alice/pools", body: { pools: ["main"], moveAfterMs: null } },
  { method: "PUT", path: "/api/spaces/alice/demo/budget", body: { limitMs: 50_000, whenOut: "refuse" } },
];

/** What the audit log calls that which the ledger is told, or asked. */
const ofLedger = /^(pool\.|node\.(?!token|check)|quota\.|tier\.|space\.(budget|pools)|account\.pools)/;

/** As JSON, since not all that can be written there has a value here. */
const written = fc.oneof(
  fc.constantFrom(
    "0",
    "-0",
    "-1",
    "1",
    "0.5",
    "1e400",
    "-1e400",
    "1e-400",
    "2147483648",
    "4294967296",
    "9007199254740991",
  ),
  fc.constantFrom("9007199254740992", "9007199254740993", "18446744073709551616", "null", "true", "[]", "{}", "[[]]"),
  fc.constantFrom('""', '" "', '"\\u0000"', '"\\ud800"', '"free"', '"__proto__"', '"1000"', '"large"', '"e\\u0301"'),
  fc.constantFrom('"2001-01-01T00:00:00Z"', '"2099-13-01T00:00:00Z"', '"now"', `"${"x".repeat(600)}"`),
  fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
  fc.jsonValue().map((value) => JSON.stringify(value)),
);
const names = fc.constantFrom("__proto__", "constructor", "weight ", "", "MS", "limitMs", "ms", "\ud800");

const spoilt = fc
  .record({
    which: fc.nat(requests.length - 1),
    field: fc.nat(),
    how: fc.oneof(
      { weight: 4, arbitrary: fc.record({ put: written }) },
      { weight: 1, arbitrary: fc.record({ more: fc.tuple(names, written) }) },
      { weight: 1, arbitrary: fc.constant({ leave: true }) },
    ),
  })
  .map(({ which, field, how }) => {
    const request = requests[which] as Field;
    const fields = Object.entries(request.body).map(([name, value]) => [name, JSON.stringify(value)] as const);
    const at = field % fields.length;
    const changed = fields.flatMap(([name, value], n) =>
      n !== at ? [[name, value]] : "put" in how ? [[name, how.put]] : "leave" in how ? [] : [[name, value]],
    );
    if ("more" in how) changed.push(how.more);
    const body = `{${changed.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
    return { ...request, body };
  });

describe("bad input", () => {
  let world: ControlWorld;
  let ask: (method: string, path: string, body?: string | Uint8Array<ArrayBuffer>) => Promise<Response>;

  before(async () => {
    world = await ControlWorld.open();
    await world.space();
    await world.release("rel_1", 1);
    await world.node([replica("p_1", "ready")]);
    const [app, token] = [createChecked(world.server), await world.token("admin", ["read", "write", "gpu", "admin"])];
    ask = async (method, path, body) =>
      app.request(`http://127.0.0.1:7070${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
      });
  });
  after(async () => world[Symbol.asyncDispose]());

  /** Answered, or refused with a code of the list and without a record. */
  async function isAnswered(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<number> {
    const index = world.engine.durable;
    const answer = await ask(method, path, body);
    const told = (await answer.json()) as { readonly boundary?: string; readonly code?: string };
    if (answer.ok) return answer.status;
    assert.ok([400, 404, 409, 413].includes(answer.status), `${answer.status} for ${String(body).slice(0, 200)}`);
    assert.ok(isCode(`${told.boundary}/${told.code}`), JSON.stringify(told));
    assert.equal(world.engine.durable, index);
    return answer.status;
  }

  test("is tried on each route that tells the ledger something, and on each setting of pools and tiers", () => {
    const routes = Object.entries(audited).filter(
      ([route, { action }]) => typeof action === "string" && ofLedger.test(action) && !route.startsWith("DELETE "),
    );
    const isTried = (route: string): boolean => {
      const pattern = new RegExp(`^${route.replace(/:\w+/g, "[^/]+")}$`);
      return requests.some(({ method, path }) => pattern.test(`${method} ${path}`));
    };
    assert.deepEqual(
      routes.map(([route]) => route).filter((route) => !isTried(route)),
      [],
    );
    const settings = (path: string): string[] =>
      Object.keys(requests.find(({ method, path: its }) => method === "PATCH" && its === path)?.body ?? {}).sort();
    assert.deepEqual(settings("/api/pools/main"), Object.keys(poolBody.shape).sort());
    assert.deepEqual(settings("/api/tiers/free"), Object.keys(tierDefaults.free).sort());
  });

  test("in a field of a body is refused with its code and changes nothing, or is a value that the field takes", async () => {
    const check = async ({ method, path, body }: { method: string; path: string; body: string }): Promise<void> => {
      const status = await isAnswered(method, path, body);
      if (status !== 200 || method === "POST" || path.endsWith("/drain")) return;
      // What was taken is what is shown: nothing is rounded, and nothing is passed over.
      const asked = JSON.parse(body) as Record<string, unknown>;
      const view = await shown(path);
      for (const [name, value] of Object.entries(asked))
        assert.ok(isDeepStrictEqual(view?.[name], value) || value === 0, name);
    };
    await fc.assert(fc.asyncProperty(spoilt, check), { numRuns: 600 });
  });

  /** What the API shows of what that path changes. */
  async function shown(path: string): Promise<Record<string, unknown> | undefined> {
    const list = path === "/api/tiers/free" ? "/api/tiers" : path.startsWith("/api/nodes/") ? "/api/nodes" : path;
    const answer = (await (await ask("GET", list)).json()) as Record<string, unknown>;
    if (list === path) return answer;
    if (list === "/api/nodes") return (answer as unknown as NodesView).nodes[0]?.cards[0] as never;
    return (answer["tiers"] as Record<string, unknown>[]).find((each) => each["name"] === "free");
  }

  for (const { method, path } of requests.filter(({ path: first }, n) => requests[n - 1]?.path !== first)) {
    test(`as the body of ${method} ${path}: no JSON, no UTF-8, no object, nested without end, too long`, async () => {
      const bytes = new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]);
      for (const body of ["", "{", "null", "[]", "1", '"x"', "{}x", "[".repeat(100_000), bytes])
        assert.equal(await isAnswered(method, path, body), 400, String(body).slice(0, 20));
      assert.equal(await isAnswered(method, path, `{"reason":"${"x".repeat(2_000_000)}"}`), 413);
    });
  }

  test("in a text: bytes that are no UTF-8 are refused, not replaced", async () => {
    const [head, tail] = ['{"account":"alice","kind":"credits","ms":1,"reason":"a', 'b"}'];
    const body = (...bytes: number[]) => Uint8Array.from([...Buffer.from(head), ...bytes, ...Buffer.from(tail)]);
    assert.equal(await isAnswered("POST", "/api/quota/allowances", body(0xc3, 0xa9)), 201);
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80]])
      assert.equal(await isAnswered("POST", "/api/quota/allowances", body(...bytes)), 400);
  });

  test("in a reason: what would move a terminal, or is no character, is refused", async () => {
    const asked = [
      ["PUT", "/api/pools/main/drain", {}],
      ["POST", "/api/spaces/alice/demo/pause", {}],
      ["POST", "/api/quota/allowances", { account: "alice", kind: "credits", ms: 1 }],
    ] as const;
    for (const [method, path, more] of asked)
      for (const reason of ["\u001b[2J", "a\nb", "\u0000", "\u0085", "\ud800", " \t "])
        assert.equal(await isAnswered(method, path, JSON.stringify({ ...more, reason })), 400, path);
  });

  test("in a path or a query finds nothing, and is no exception", async () => {
    const check = async (name: string): Promise<void> => {
      const text = encodeURIComponent(name);
      for (const path of [`/api/quota?account=${text}`, `/api/gpu/queue?pool=${text}`, `/api/pools/${text}/x`])
        await isAnswered("GET", path);
      if (name !== "free") assert.notEqual(await isAnswered("PATCH", `/api/tiers/x${text}`, '{"runsMax":1}'), 200);
      await isAnswered("PATCH", `/api/pools/x${text}`, '{"queueMax":1}');
      for (const path of [`/api/nodes/${text}/pool`, `/api/nodes/n1/cards/${text}/pool`])
        await isAnswered("PUT", path, '{"pool":"main"}');
      for (const path of [`/api/spaces/alice/${text}/pools`, `/api/accounts/${text}/pools`])
        await isAnswered("PUT", path, '{"pools":["main"]}');
      await isAnswered("PUT", `/api/pools/%20${text}`, "{}");
      await isAnswered("POST", `/api/quota/allowances/${text}/revoke`, '{"account":"alice","reason":"why"}');
    };
    const texts = fc.oneof(
      fc.constantFrom("", "__proto__", "constructor", "\u0000", "../..", "é", "x".repeat(2_000)),
      fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    );
    await fc.assert(fc.asyncProperty(texts, check), { numRuns: 60 });
    for (const path of ["/api/quota?account=%ff", "/api/pools/%ff", "/api/tiers/%00"]) await isAnswered("GET", path);
  });
});
