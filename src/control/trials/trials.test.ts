import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TrialView } from "../../contract/trials.ts";
import { card, terms } from "../../core/ledger.suite.ts";
import { durationMs, iso } from "../../stdx/time.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld } from "../control.suite.ts";

/** Calls of alice's, one after the other, each of ten seconds; the clock is behind the last one's end. */
async function open(count = 3) {
  const world = await ControlWorld.open();
  const { engine, clock } = world;
  const from = iso(clock.wall());
  const devices = [card()];
  await engine.submit({ type: "join-node", node: "n1", pool: "main", devices, replicas: ["p_1"] });
  for (let at = 0; at < count; at += 1) {
    const call = `c_${at}`;
    const scheduled = await engine.submit({ type: "schedule", terms: terms(call, { declaredMs: durationMs(10_000) }) });
    const granted = scheduled.ok ? scheduled.events.find((event) => event.type === "call-granted") : undefined;
    assert.ok(granted, "a slot is free");
    const { fence } = granted.lease;
    await engine.submit({ type: "attach", call, fence, pid: 1 });
    clock.advance(10_000);
    const end = { cause: "returned", usedMs: durationMs(10_000), workerAlive: false } as const;
    await engine.submit({ type: "end", call, fence, ...end });
  }
  clock.advance(1_000);
  const api = createChecked(world.server);
  const tokens = {
    admin: await world.token("admin", ["read", "write", "admin"]),
    alice: await world.token("alice", ["read", "write"]),
  };
  const ask = async (body: object, who: keyof typeof tokens = "admin") => {
    const headers = { authorization: `Bearer ${tokens[who]}`, "content-type": "application/json" };
    const answer = await api.request("/api/trials", { method: "POST", headers, body: JSON.stringify(body) });
    return {
      status: answer.status,
      body: (await answer.json()) as TrialView & { readonly detail: string; readonly code: string },
    };
  };
  return { world, ask, span: { from, to: iso(clock.wall()) } };
}

const smaller = { tiers: { free: { windowLimitMs: 20_000 } } };

describe("a trial by the API", () => {
  test("says what the record's calls would have become, and changes nothing", async () => {
    const { world, ask, span } = await open();
    await using _ = world;
    const { status, body } = await ask({ ...span, ...smaller });
    assert.equal(status, 200, body.detail);
    assert.deepEqual(body.recorded, { calls: 3, served: 3, gpuMs: 30_000 });
    assert.deepEqual([body.before.served, body.before.gpuMs], [3, 30_000], "it is replayed as it was");
    assert.deepEqual(body.newlyRefused, [{ code: "quota-exceeded", calls: 1 }]);
    assert.deepEqual(
      body.accounts.map(({ account, after }) => [account, after.gpuMs]),
      [["alice", 20_000]],
    );
    assert.equal((await world.server.ledger.tiers()).find(({ name }) => name === "free")?.windowLimitMs, 300_000);
    const later = await ask({ from: iso(world.clock.wall()), to: iso(world.clock.wall()), ...smaller });
    assert.equal(later.status, 400);
    const pool = await ask({ ...span, pools: { main: { durationMaxMs: 5_000 } } });
    assert.deepEqual(pool.body.newlyRefused, [{ code: "duration-not-allowed", calls: 3 }]);
  });

  test("counts the calls of its span alone, and fills the windows with those before", async () => {
    const { world, ask, span } = await open();
    await using _ = world;
    const from = iso((Date.parse(span.from) + 15_000) as Parameters<typeof iso>[0]);
    const { body } = await ask({ ...span, from, ...smaller });
    assert.deepEqual([body.recorded.calls, body.before.calls, body.after.served], [1, 1, 0]);
  });

  test("is one at a time, for operators, of a span that was, of settings and pools that are", async () => {
    const { world, ask, span } = await open(0);
    await using _ = world;
    const both = await Promise.all([ask({ ...span, ...smaller }), ask({ ...span, ...smaller })]);
    assert.deepEqual(
      both.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    );
    assert.equal((await ask({ ...span, ...smaller }, "alice")).status, 403);
    const refused: readonly (readonly [object, number, RegExp])[] = [
      [{ ...span }, 400, /name at least one setting/],
      [{ ...span, tiers: { free: {} } }, 400, /at least one setting/],
      [{ ...span, tiers: { gold: { weight: 1 } } }, 400, /gold|Invalid/],
      [{ ...span, tiers: { free: { weight: 0 } } }, 400, /weight/],
      [{ ...span, pools: { none: { queueMax: 1 } } }, 404, /no pool none/],
      [{ ...span, to: "2999-01-01T00:00:00Z", from: "2998-12-31T00:00:00Z", ...smaller }, 400, /not over yet/],
      [{ from: span.to, to: span.from, ...smaller }, 400, /from is before to|ends before/],
      [{ ...span, from: "2020-01-01T00:00:00Z", ...smaller }, 400, /at most 7 days/],
    ];
    for (const [body, status, says] of refused) {
      const answer = await ask(body);
      assert.equal(answer.status, status, answer.body.detail);
      assert.match(answer.body.detail, says);
    }
  });
});
