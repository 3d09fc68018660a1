import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "./explain.ts";
import { poolTold, routeSays } from "./pool-route.ts";
import { read } from "./reading.ts";
import * as a from "./waybill.suite.ts";

const passed = [{ pool: "a", code: "capacity/pool-draining", says: "driver" }];

test("the sentence says whose rule, what could not take the call and why, and how it moved on", () => {
  const route = { by: "space", pools: ["a", "b", "c"], passed, moves: [] } as const;
  assert.equal(
    routeSays("b", route),
    "Served by pool b, by the rule of its Space (a, then b, then c): a is out of use (driver).",
  );
  const moves = [
    { from: "b", to: "c", why: "waited", waitedMs: 12_000 },
    { from: "c", to: "d", why: "no-capacity", waitedMs: 40 },
  ] as const;
  assert.match(
    routeSays("d", { ...route, moves }),
    /driver\)\. It moved on from b to c after 12 s\. It moved on from c to d, since c lost the cards that could hold it\.$/,
  );
  assert.equal(
    routeSays("x", { by: "node", pools: ["x"], passed: [], moves: [] }),
    "Served by pool x, by the rule of its node.",
  );
});

/** A call of a Space's rule that moved on to c, and how it went on. */
const routed = (...rest: Parameters<typeof a.record>[1]) =>
  a.record("call", [
    a.by("scheduler", "gpu.schedule", "took", { space: "alice/demo", pool: "main", size: "large", declaredMs: 60_000 }),
    a.by("scheduler", "gpu.admit", "done", {
      ...{ account: "alice", heldMs: 60_000, leaseMs: 60_000, clipped: false, leftMs: 240_000 },
      ...{ pool: "b", route: { by: "space", pools: ["a", "b", "c"], passed, moveAfterMs: 20_000 } },
    }),
    a.by("scheduler", "gpu.queue", "took", { position: 1, of: 1, limitMs: 60_000, blockers: [] }),
    a.by("scheduler", "gpu.queue", "done", { moved: true, from: "b", to: "c", why: "waited" }),
    ...rest,
  ]);
const queuedAgain = a.by("scheduler", "gpu.queue", "took", { position: 2, of: 2, limitMs: 40_000, blockers: [] });

test("an explanation names the pool where the call is, with the entries that say so", () => {
  const told = poolTold(read(routed(queuedAgain)));
  assert.equal(told.pool, "c");
  assert.match(
    told.says,
    /^It was for pool c, by the rule of its Space \(a, then b, then c\): a is out of use \(driver\)\. It moved on/,
  );
  assert.deepEqual(
    told.entries.map(({ hop, mark }) => `${hop} ${mark}`),
    ["gpu.admit done", "gpu.queue done"],
  );
});

test("a call whose wait ends after it moved on is one timeout, of the whole wait, in the pool where it was", () => {
  const { verdict } = explain(
    routed(
      queuedAgain,
      a.by("scheduler", "gpu.queue", "refused", { code: "gpu/queue-timeout", cause: "queue-timeout" }),
      a.by("scheduler", "gpu.settle", "done", {
        chargedMs: 0,
        releasedMs: 60_000,
        usedMs: 0,
        rule: "queue-timeout",
        cause: "queue-timeout",
      }),
    ),
  );
  assert.equal(verdict?.code, "queue-timeout");
  assert.equal(verdict?.certainty, "proved");
  assert.match(verdict?.sentence ?? "", /^No GPU became free within 60 s\. Nothing was charged\. It was for pool c, /);
});

test("facts of a shape that nobody knows say nothing, and throw nothing", () => {
  for (const route of [
    null,
    "x",
    [],
    { by: "moon", pools: [], passed: [] },
    { by: "space" },
    { by: "space", pools: ["b"], passed: [null] },
  ]) {
    const record = a.record("call", [a.by("scheduler", "gpu.admit", "done", { pool: "b", route })]);
    assert.deepEqual(poolTold(read(record)), { pool: "b", says: "", entries: [] });
  }
});
