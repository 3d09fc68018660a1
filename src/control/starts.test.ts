import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReplicaStatus } from "../contract/agent.ts";
import { startsKept } from "../contract/starts.ts";
import type { StartTimes } from "../contract/starts.ts";
import { platform } from "../core/spaces/model.ts";
import type { State } from "../core/spaces/model.ts";
import { instant } from "../stdx/time.ts";
import { Starts } from "./starts.ts";

const reason = { says: "", code: null };

function space(name: "waking" | "running" | "failing", since = 1_000) {
  const standing = { since: instant(since), reason, actor: platform, deadline: instant(since + 65_000), ends: "" };
  const state: State = name === "failing" ? { ...standing, name, build: null } : { ...standing, name };
  return { id: "alice/demo", state };
}

function status(told: Partial<ReplicaStatus> = {}): ReplicaStatus {
  const of = { space: "alice/demo", release: "r_1", socket: null, startedAt: 0 };
  return { replica: "p_1", phase: "starting", ...of, ...told };
}

function starts(earlier: readonly StartTimes[] = []): Starts {
  return new Starts(
    async () => earlier,
    (_what, error) => assert.fail(String(error)),
  );
}

/** A start that reaches each stage after that many milliseconds. */
function start(of: Starts, since: number, [placed, started, healthy]: readonly [number, number, number]): void {
  of.waking(space("waking", since));
  const hear = (after: number, told: Partial<ReplicaStatus>): void =>
    of.heard(space("waking", since), status({ replica: `p_${since}`, ...told }), instant(since + after));
  hear(placed, {});
  hear(started, { came: "started" });
  hear(healthy, { phase: "ready" });
  of.moved(space("running", since), instant(since + healthy));
}

describe("a start's stages", () => {
  test("are those that its replica told of, each with when that was first heard", () => {
    const of = starts();
    assert.deepEqual(of.waking(space("waking")), { reached: {}, usual: {}, ended: 0, withinMs: 65_000 });
    of.heard(space("waking"), status(), instant(1_040));
    of.heard(space("waking"), status(), instant(1_090));
    of.heard(space("waking"), status({ came: "started" }), instant(1_700));
    assert.deepEqual(of.waking(space("waking"))?.reached, { placed: 40, started: 700 });
  });

  test("that were not told one by one came with the next: a shim of an earlier version says only that it is ready", () => {
    const of = starts();
    of.heard(space("waking"), status(), instant(1_040));
    of.heard(space("waking"), status({ phase: "ready" }), instant(3_000));
    const reached = { placed: 40, started: 2_000, listening: 2_000, healthy: 2_000 };
    assert.deepEqual(of.waking(space("waking"))?.reached, reached);
    assert.equal(of.moved(space("running"), instant(3_001)), 2_001);
    assert.equal(of.waking(space("running")), undefined);
  });

  test("of several replicas are those of the one that is farthest", () => {
    const of = starts();
    of.heard(space("waking"), status(), instant(1_040));
    of.heard(space("waking"), status({ replica: "p_2", came: "listening" }), instant(1_500));
    assert.deepEqual(Object.keys(of.waking(space("waking"))?.reached ?? {}), ["placed", "started", "listening"]);
  });

  test("begin anew with the replica after one that ended, which is counted; one that was told to end is not", () => {
    const of = starts();
    of.heard(space("waking"), status({ came: "listening" }), instant(1_500));
    of.heard(space("waking"), status({ phase: "exited" }), instant(1_600));
    of.heard(space("waking"), status({ replica: "p_0", phase: "stopped" }), instant(1_610));
    of.heard(space("waking"), status({ replica: "p_2" }), instant(1_700));
    const { reached, ended } = of.waking(space("waking")) ?? {};
    assert.deepEqual([reached, ended], [{ placed: 700 }, 1]);
  });
});

describe("what a start usually takes", () => {
  test("is not known before the first one, and then the middle of the last ones", async () => {
    const of = starts();
    assert.deepEqual(of.waking(space("waking", 0))?.usual, {});
    for (const [n, times] of (
      [
        [10, 100, 900],
        [30, 300, 5_000],
        [20, 200, 1_000],
      ] as const
    ).entries())
      start(of, n * 10_000, times);
    const usual = { placed: 20, started: 200, listening: 1_000, healthy: 1_000 };
    assert.deepEqual(of.waking(space("waking", 90_000))?.usual, usual);
  });

  test("is had of the record for starts before this server's, which the later ones push out", async () => {
    const of = starts([{ started: 70 }, { started: 80, healthy: 500 }]);
    of.waking(space("waking", 0));
    await Promise.resolve();
    assert.deepEqual(of.waking(space("waking", 0))?.usual, { started: 70, healthy: 500 });
    for (let n = 0; n < startsKept; n += 1) start(of, (n + 1) * 10_000, [1, 2, 3]);
    assert.deepEqual(of.waking(space("waking", 990_000))?.usual, { placed: 1, started: 2, listening: 3, healthy: 3 });
  });

  test("has no part in it of a start that failed", () => {
    const of = starts();
    of.heard(space("waking"), status({ came: "started" }), instant(1_500));
    assert.equal(of.moved(space("failing"), instant(61_000)), undefined);
    assert.deepEqual(of.waking(space("waking", 90_000))?.usual, {});
  });
});
