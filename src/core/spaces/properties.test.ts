/** Rules of SPEC.md that hold whatever happens, in whatever order: a Space with replicas that come, answer, end and are lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seconds } from "../../stdx/time.ts";
import type { Command } from "./decide.ts";
import { evolve, freshSpace, mayLift } from "./model.ts";
import type { Actor, PauseKind, Space, SpaceEvent } from "./model.ts";
import { deadlineOf, livingOf } from "./seen.ts";
import { now, operator, owner, settings, visitor } from "./spaces.suite.ts";
import { World } from "./world.suite.ts";
import type { Move } from "./world.suite.ts";

const actor: fc.Arbitrary<Actor> = fc.constantFrom(owner, operator);
const by: fc.Arbitrary<PauseKind> = fc.constantFrom("owner", "operator", "inactivity", "budget", "abuse-rule");
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: fc.constant("pause" as const), actor, by, why: fc.constant(null) }),
  fc.record({
    type: fc.constantFrom("resume" as const, "restart" as const, "factory" as const, "stop" as const),
    actor,
  }),
  fc.record({ type: fc.constant("wake" as const), actor: fc.constant(visitor) }),
  fc.record({
    type: fc.constant("set" as const),
    actor,
    change: fc.record({
      replicas: fc.nat(3),
      sleepMode: fc.constantFrom("stop" as const, "freeze" as const),
      sleepAfterMs: fc.constantFrom(null, seconds(60)),
    }),
  }),
  fc.record({
    type: fc.constant("publish" as const),
    release: fc.constant(""),
    queuedAt: fc.constant(null),
    publishedAt: fc.constant(0),
    startWithinMs: fc.constant(seconds(60)),
  }),
  fc.record({
    type: fc.constant("roll-back" as const),
    actor,
    release: fc.constantFrom("rel_1", "rel_2"),
    startWithinMs: fc.constant(seconds(60)),
  }),
);
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant("command" as const), command }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom(
        "ready" as const,
        "ready" as const,
        "exit" as const,
        "give-up" as const,
        "restart-by-node" as const,
        "freeze" as const,
        "lose" as const,
      ),
      at: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("wait" as const), ms: fc.nat(120_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom(
        "change" as const,
        "push" as const,
        "push" as const,
        "cancel" as const,
        "platform-stops" as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("factory" as const), actor }) },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant("build" as const),
      word: fc.constantFrom(
        "claim" as const,
        "building" as const,
        "checking" as const,
        "publish" as const,
        "publish" as const,
        "fail" as const,
        "fetch-fails" as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant("node" as const),
      is: fc.constantFrom("here" as const, "away" as const, "untold" as const),
    }),
  },
);

/** Begins with a release that runs, since most of what can go wrong comes after that. */
const begun: readonly Move[] = [
  {
    does: "command",
    command: { type: "publish", release: "", queuedAt: null, publishedAt: 0, startWithinMs: seconds(60) },
  },
  { does: "ready", at: 0 },
];

/** Each of what people ask for, by who may and who may not. */
const wishes: readonly Command[] = [owner, operator].flatMap((who): Command[] => [
  ...(["owner", "operator", "budget", "abuse-rule"] as const).map((kind): Command => ({
    type: "pause",
    actor: who,
    by: kind,
    why: null,
  })),
  { type: "resume", actor: who },
  { type: "restart", actor: who },
  { type: "stop", actor: who },
  { type: "roll-back", actor: who, release: "rel_1", startWithinMs: seconds(60) },
  { type: "wake", actor: visitor },
  { type: "set", actor: who, change: { replicas: 0 } },
  { type: "set", actor: who, change: { replicas: 2 } },
  { type: "set", actor: who, change: { hardware: "cpu-basic" } },
  { type: "set", actor: who, change: { sleepAfterMs: null, sleepMode: "freeze" } },
]);

function always(
  check: (world: World, move: Move, before: Space) => void,
  { numRuns = 400 }: { readonly numRuns?: number } = {},
): void {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), fc.boolean(), (moves, running) => {
      const world = new World();
      for (const one of [...(running ? begun : []), ...moves]) {
        const before = world.space;
        world.do(one);
        check(world, one, before);
      }
    }),
    { numRuns },
  );
}

describe("whatever happens to a Space", () => {
  test("S1: each state has a reason and what ends it; one without a deadline says who can", () => {
    always(({ space: { state } }) => {
      assert.ok(state.reason.says !== "" && state.ends !== "", state.name);
      if (state.deadline === null) assert.match(state.ends, /owner|operator|build/, state.name);
    });
  });

  test("S2: what is read back from its events, as JSON, is the same Space", () => {
    always(({ space, events }) => {
      const read = JSON.parse(JSON.stringify(events)) as SpaceEvent[];
      assert.deepEqual(read.reduce(evolve, freshSpace("alice/demo", settings, now)), space);
    });
  });

  test("S2: events follow each other: each begins where the one before it led", () => {
    always(({ events }) => {
      for (const [n, event] of events.entries()) assert.equal(event.from, events[n - 1]?.to ?? "no-release");
    });
  });

  test("S3: a state that is over has moved on as soon as anybody looks", () => {
    always((world) => {
      const { state } = world.space;
      // A build's deadline moves with the build.
      const over = state.name === "building" ? deadlineOf(world.space, world.seen) : state.deadline;
      if (over === null || world.node === "untold") return;
      world.at = Math.max(world.at, over);
      world.decide({ type: "see" });
      assert.notDeepEqual(world.space.state, state, `${state.name} stayed beyond its deadline`);
    });
  });

  test("S4: looking again, and asking again, change nothing more", () => {
    always((world, one) => {
      if (one.does === "command" && ["publish", "factory"].includes(one.command.type)) return;
      for (const again of [{ type: "see" } as const, ...(one.does === "command" ? [one.command] : [])]) {
        world.decide(again); // What follows from the first at once.
        world.decide({ type: "see" });
        const before = world.space.state;
        const decision = world.decide(again);
        if (again.type === "restart" || again.type === "wake") continue; // The world may be without its node: nothing came of the first.
        assert.ok(!decision.ok || !decision.effects.some(({ type }) => type === "start"), `${again.type} starts again`);
        assert.deepEqual(world.space.state, before, again.type);
      }
    });
  });

  test("S5: a pause ends by the word of somebody who may lift it, and by nothing else", () => {
    always(({ space, events }, one, before) => {
      const { state } = before;
      if (state.name !== "paused" || space.state.name === "paused") return;
      const wish = one.does === "command" ? one.command : one;
      assert.ok("actor" in wish, `${JSON.stringify(one)} ended a pause`);
      assert.ok(mayLift(wish.actor, state.by), `${wish.actor.kind} lifted a pause by ${state.by}`);
      assert.ok(events.some(({ from, to }) => from === "paused" && to !== "paused"));
    });
  });

  test("S6: nothing is started for a Space that is paused, stopped or asleep", () => {
    always((world) => {
      const { name } = world.space.state;
      if (name !== "paused" && name !== "sleeping" && name !== "stopping") return;
      const decision = world.decide({ type: "see" });
      assert.ok(decision.ok && decision.effects.every(({ type }) => type !== "start" && type !== "thaw"));
    });
  });

  test("S7: while it runs, the last replica that answers is never told to end", () => {
    always(({ space, orders, replicas }) => {
      if (space.state.name !== "running" || !orders.some(({ type }) => type === "retire")) return;
      const answers = replicas.some(({ phase, frozen, retiring }) => phase === "ready" && !frozen && !retiring);
      assert.ok(answers, JSON.stringify(replicas));
    });
  });

  test("S3, B5: left alone, it comes to a state that only somebody ends, and no build stays open", () => {
    always(
      (world) => {
        // No app listens any more, and what is told to end does, or does not.
        for (const ends of [true, false]) {
          const alone = world.copy();
          if (alone.node === "untold") alone.do({ does: "node", is: "here" });
          for (let turn = 0; alone.due !== undefined; turn += 1) {
            assert.ok(turn < 60, `it goes on by itself for ever: ${JSON.stringify([alone.space, alone.seen])}`);
            alone.do({ does: "wait", ms: alone.due - alone.at });
            if (ends) alone.endRetiring();
          }
          assert.equal(alone.builds.builds.size, 0);
          assert.equal(alone.space.state.deadline, null);
        }
      },
      { numRuns: 60 },
    );
  });

  test("B1: where it is said to be built, its newest build is under way", () => {
    always((world) => {
      const { state } = world.space;
      if (state.name === "building") assert.equal(world.seen.build?.endsBy === null, false, JSON.stringify(state));
    });
  });

  test("S6: nothing lives of what somebody wants down, whatever its builds and its node do", () => {
    always((world) => {
      const { state, settings: wants } = world.space;
      const goal = state.name === "stopping" ? state.goal : state;
      const isDown =
        goal.name === "paused" || (goal.name === "stopped" && ["asked", "no-replicas"].includes(goal.cause));
      if (world.node === "untold" || !(isDown || wants.replicas === 0)) return;
      assert.deepEqual(livingOf(world.seen), [], JSON.stringify(state));
    });
  });

  test("S4, S6, S7: where apps listen it comes to rest, and what runs then is the release that is wanted, as often, with all that was changed", () => {
    always(
      (world) => {
        if (world.isOwed) return;
        const end = world.copy();
        end.cooperate();
        const { state, release, next, settings: wants } = end.space;
        const living = livingOf(end.seen);
        if (state.name !== "running" || end.node !== "here") return;
        assert.ok(living.length >= 1 && living.length <= Math.max(1, wants.replicas), JSON.stringify(living));
        assert.equal(next, null);
        assert.ok(living.every((one) => one.release === release));
        // What was tried and given up on is not tried again: what runs goes on as it is.
        const gaveUp = end.replicas.some((one) => one.gaveUp || one.end?.code === "app/crash-loop");
        if (!gaveUp)
          assert.deepEqual(
            living.filter(({ outdated }) => outdated !== null),
            [],
          );
      },
      { numRuns: 150 },
    );
  });

  test("S4: every wish sent twice: the second changes nothing, or says why not", () => {
    always(
      (world) => {
        if (world.node !== "here") return;
        for (const wish of wishes) {
          const twice = world.copy();
          twice.decide(wish);
          const before = [twice.space, twice.replicas];
          const second = twice.decide(wish);
          if (!second.ok) assert.notEqual(second.says, "");
          assert.deepEqual([twice.space, twice.replicas], before, `${wish.type} when ${world.space.state.name}`);
        }
      },
      { numRuns: 80 },
    );
  });
});
