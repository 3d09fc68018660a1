import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { durationMs, instant } from "../stdx/time.ts";
import {
  advance,
  emptyQueue,
  nextDeadline,
  positionOf,
  type BuildQueue,
  type QueueCommand,
  type QueueEffect,
  type QueueLimits,
} from "./queue.ts";

const limits: QueueLimits = {
  waitMs: durationMs(10_000),
  noBuilderMs: durationMs(2_000),
  claimMs: durationMs(1_000),
  buildMs: durationMs(5_000),
};
const seat = { builder: "n1", sdks: ["node", "static"], parallel: 1 };
const ask = (build: string, space = `alice/${build}`, sdk: string | null = "node"): QueueCommand => ({
  type: "enqueue",
  build,
  space,
  sdk,
});

/** Runs commands at their instants; effects are told as short words. */
function play(...commands: readonly (readonly [at: number, command: QueueCommand])[]): {
  queue: BuildQueue;
  told: readonly string[];
} {
  let queue = emptyQueue;
  const told: string[] = [];
  for (const [at, command] of commands) {
    const step = advance(queue, command, instant(at), limits);
    queue = step.queue;
    told.push(...step.effects.map(words));
  }
  return { queue, told };
}

function words(effect: QueueEffect): string {
  switch (effect.type) {
    case "log":
      return `${effect.build} log: ${effect.text}`;
    case "hand":
      return `${effect.build} to ${effect.builder} as ${effect.number}`;
    case "withdraw":
      return `${effect.build} from ${effect.builder}`;
    case "fail":
      return `${effect.build} ${effect.code}: ${effect.says}`;
  }
}

describe("advance", () => {
  test("a build's first line is its place; a free builder gets it at once", () => {
    assert.deepEqual(play([0, { type: "join", seat }], [5, ask("b1")]).told, [
      "b1 log: queued 1st of 1, builder n1 is free; gives up after 10 s",
      "b1 log: builder n1, after 0 s",
      "b1 to n1 as 1",
    ]);
  });

  test("a second build waits for the first, and is told when it moves", () => {
    const { told, queue } = play(
      [0, { type: "join", seat }],
      [0, ask("b1")],
      [1, ask("b2")],
      [2, ask("b3")],
      [3, { type: "claim", build: "b1" }],
      [2_000, { type: "end", build: "b1" }],
    );
    assert.deepEqual(told.slice(3), [
      "b2 log: queued 1st of 1, builder n1 is busy; gives up after 10 s",
      "b3 log: queued 2nd of 2, builder n1 is busy; gives up after 10 s",
      "b2 log: builder n1, after 1.999 s",
      "b2 to n1 as 2",
      "b3 log: now 1st of 1",
    ]);
    assert.equal(positionOf(queue, "b3"), 1);
  });

  test("a Space builds one commit at a time; others go past it", () => {
    const two = { ...seat, parallel: 2 };
    const { queue } = play(
      [0, { type: "join", seat: two }],
      [0, ask("b1", "alice/a")],
      [0, ask("b2", "alice/a")],
      [0, ask("b3", "alice/b")],
    );
    assert.deepEqual(
      queue.running.map(({ build }) => build),
      ["b1", "b3"],
    );
  });

  test("an sdk that no builder serves fails at once, and names those that are served", () => {
    assert.deepEqual(play([0, { type: "join", seat }], [5, ask("b1", "a/b", "gradio")]).told, [
      "b1 log: queued 1st of 1, no builder serves sdk gradio; here are node, static; gives up after 10 s",
      "b1 log: no builder serves sdk gradio; here are node, static",
      "b1 build/no-builder: no builder serves sdk gradio; here are node, static",
    ]);
  });

  test("without any builder it waits [0 s, 2 s): one that restarts is back by then", () => {
    const asked = play([0, ask("b1")]);
    assert.deepEqual(asked.told, ["b1 log: queued 1st of 1, no builder is connected; gives up after 10 s"]);
    assert.equal(nextDeadline(asked.queue, limits), 2_000);
    assert.equal(play([0, ask("b1")], [1_999, { type: "tick" }]).told.length, 1);
    assert.equal(
      play([0, ask("b1")], [2_000, { type: "tick" }]).told.at(-1),
      "b1 build/no-builder: no builder is connected",
    );
    assert.equal(play([0, ask("b1")], [1_999, { type: "join", seat }]).told.at(-1), "b1 to n1 as 1");
  });

  test("gives up at the instant of its deadline, not before", () => {
    const busy = [
      [0, { type: "join", seat }],
      [0, ask("b1")],
      [0, { type: "claim", build: "b1" }],
      [100, ask("b2")],
    ] as const;
    const patient: QueueLimits = { ...limits, buildMs: durationMs(60_000) };
    let queue = emptyQueue;
    for (const [at, command] of busy) queue = advance(queue, command, instant(at), patient).queue;
    assert.deepEqual(advance(queue, { type: "tick" }, instant(10_099), patient).effects, []);
    assert.deepEqual(advance(queue, { type: "tick" }, instant(10_100), patient).effects.map(words), [
      "b2 log: no builder became free within 10 s",
      "b2 build/queue-timeout: no builder became free within 10 s",
    ]);
  });

  for (const [name, command, at] of [
    ["that does not claim", { type: "tick" }, 1_000],
    ["that went away", { type: "lose-builder", builder: "n1" }, 10],
  ] as const) {
    test(`a builder ${name} loses its build`, () => {
      const { told, queue } = play([0, { type: "join", seat }], [0, ask("b1")], [at, command]);
      assert.match(told.at(-1) as string, /^b1 build\/builder-lost: /);
      assert.equal(told.at(-3), "b1 from n1");
      assert.deepEqual(queue.running, []);
    });
  }

  test("a claimed build that does not end in time is lost", () => {
    const { told } = play(
      [0, { type: "join", seat }],
      [0, ask("b1")],
      [10, { type: "claim", build: "b1" }],
      [5_009, { type: "tick" }],
      [5_010, { type: "tick" }],
    );
    assert.equal(told.at(-1), "b1 build/builder-lost: the builder did not answer in time");
    assert.equal(told.length, 6);
  });

  test("cancelling says why in the log of a build that waits, and withdraws one that runs", () => {
    const begun = [
      [0, { type: "join", seat }],
      [0, ask("b1")],
      [0, ask("b2")],
    ] as const;
    assert.equal(
      play(...begun, [1, { type: "cancel", build: "b2", why: "superseded" }]).told.at(-1),
      "b2 log: superseded",
    );
    assert.deepEqual(play(...begun, [1, { type: "cancel", build: "b1", why: "superseded" }]).told.slice(4, 6), [
      "b1 log: superseded",
      "b1 from n1",
    ]);
  });

  test("repeats and commands about builds that have ended change nothing", () => {
    const { queue } = play([0, { type: "join", seat }], [0, ask("b1")]);
    for (const command of [
      ask("b1"),
      { type: "end", build: "b9" },
      { type: "claim", build: "b9" },
      { type: "cancel", build: "b9", why: "" },
    ] as const) {
      assert.deepEqual(advance(queue, command, instant(1), limits), { queue, effects: [] });
    }
  });

  test("whatever comes: no seat is taken twice, nobody waits past the deadline, numbers count up, each build ends once", () => {
    const builds = ["b1", "b2", "b3", "b4"];
    const command = fc.oneof(
      fc
        .constantFrom(...builds)
        .chain((build) =>
          fc.constantFrom<QueueCommand>(
            ask(build),
            { type: "claim", build },
            { type: "end", build },
            { type: "cancel", build, why: "x" },
          ),
        ),
      fc.constantFrom<QueueCommand>(
        { type: "join", seat },
        { type: "join", seat: { ...seat, builder: "n2", sdks: ["static"] } },
        { type: "lose-builder", builder: "n1" },
        { type: "tick" },
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3_000), command), { maxLength: 60 }), (commands) => {
        let queue = emptyQueue;
        let now = 0;
        const last: Record<string, number> = {};
        for (const [wait, one] of commands) {
          now += wait;
          const step = advance(queue, one, instant(now), limits);
          queue = step.queue;
          for (const effect of step.effects) {
            if (effect.type !== "hand") continue;
            assert.equal(effect.number, (last[effect.builder] ?? 0) + 1);
            last[effect.builder] = effect.number;
          }
          for (const { builder, parallel } of queue.builders)
            assert.ok(queue.running.filter((run) => run.builder === builder).length <= parallel);
          const all = [...queue.waiting, ...queue.running].map(({ build }) => build);
          assert.equal(new Set(all).size, all.length);
          assert.ok(all.length === 0 || (nextDeadline(queue, limits) as number) > now);
        }
      }),
      { numRuns: 300 },
    );
  });
});
