/** Rules of SPEC.md that hold whatever happens, in whatever order: a Space with replicas that come, answer, end and are lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { instant, seconds } from "../../stdx/time.ts";
import { decide } from "./decide.ts";
import type { Command } from "./decide.ts";
import type { Effect } from "./draft.ts";
import { evolve, freshSpace, mayLift } from "./model.ts";
import type { Actor, PauseKind, Space, SpaceEvent } from "./model.ts";
import type { ReplicaSeen, Seen } from "./seen.ts";
import { now, operator, owner, seen, settings, visitor } from "./spaces.suite.ts";

/** What a node, a build and time do between commands. */
type Move =
  | { readonly does: "command"; readonly command: Command }
  | { readonly does: "ready" | "exit" | "give-up" | "restart-by-node" | "freeze" | "lose"; readonly at: number }
  | { readonly does: "wait"; readonly ms: number }
  | { readonly does: "node"; readonly is: Seen["node"] };

/** Carries out what is ordered, as control and a node would. */
class World {
  space: Space = freshSpace("alice/demo", settings, now);
  readonly events: SpaceEvent[] = [];
  replicas: ReplicaSeen[] = [];
  /** Of the last decision. */
  orders: readonly Effect[] = [];
  node: Seen["node"] = "here";
  at = Number(now);
  #ids = 0;
  #published = 0;

  get seen(): Seen {
    return seen({ node: this.node, replicas: this.replicas, usedAt: now });
  }

  decide(command: Command): ReturnType<typeof decide> {
    const decision = decide(this.space, command, this.seen, instant(this.at));
    if (!decision.ok) return decision;
    this.events.push(...decision.events);
    this.orders = decision.effects;
    this.space = decision.events.reduce(evolve, this.space);
    for (const effect of decision.effects) {
      if (effect.type === "start" && this.node === "here")
        for (let n = 0; n < effect.count; n += 1) this.#begin(effect.release, null);
      if (effect.type === "start") continue;
      const change: Partial<ReplicaSeen> =
        effect.type === "retire" ? { retiring: true } : { frozen: effect.type === "freeze" };
      this.replicas = this.replicas.map((one) => (effect.replicas.includes(one.id) ? { ...one, ...change } : one));
    }
    return decision;
  }

  do(move: Move): void {
    if (move.does === "command") return void this.decide(this.#named(move.command));
    if (move.does === "wait") this.at += move.ms;
    if (move.does === "node") this.node = move.is;
    if ("at" in move) this.#move(move.does, move.at);
    this.decide({ type: move.does === "node" && move.is === "here" ? "node-came" : "see" });
  }

  /** Releases are published in order. */
  #named(command: Command): Command {
    if (command.type !== "publish") return command;
    this.#published += 1;
    return { ...command, release: `rel_${this.#published}`, publishedAt: this.#published };
  }

  #begin(release: string, follows: string | null): void {
    this.#ids += 1;
    const listenBy = instant(this.at + 70_000);
    const publishedAt = Number(release.slice(4));
    const one = { id: `p_${this.#ids}`, release, publishedAt, follows, outdated: null, listenBy };
    this.replicas.push({ ...one, phase: "starting", frozen: false, retiring: false, end: null });
  }

  #move(does: string, at: number): void {
    const alive = this.replicas.filter(({ phase }) => phase !== "ended");
    const one = alive[at % Math.max(1, alive.length)];
    if (!one) return;
    const code = does === "give-up" ? "app/crash-loop" : does === "lose" ? "runtime/shim-lost" : "app/exit";
    const end = { code, says: "it ended", stopped: one.retiring };
    const change: Partial<ReplicaSeen> =
      does === "ready"
        ? { phase: "ready" }
        : does === "freeze"
          ? { frozen: one.phase === "ready" && !one.frozen }
          : { phase: "ended", frozen: false, end };
    this.replicas = this.replicas.map((other) => (other === one ? { ...one, ...change } : other));
    if (does === "restart-by-node" && !one.retiring) this.#begin(one.release, one.id);
  }
}

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
    change: fc.record({ replicas: fc.nat(3), sleepMode: fc.constantFrom("stop" as const, "freeze" as const) }),
  }),
  fc.record({
    type: fc.constant("publish" as const),
    release: fc.constant(""),
    build: fc.constant(null),
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
    command: { type: "publish", release: "", build: null, publishedAt: 0, startWithinMs: seconds(60) },
  },
  { does: "ready", at: 0 },
];

function always(check: (world: World, move: Move, before: Space) => void): void {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), fc.boolean(), (moves, running) => {
      const world = new World();
      for (const one of [...(running ? begun : []), ...moves]) {
        const before = world.space;
        world.do(one);
        check(world, one, before);
      }
    }),
    { numRuns: 300 },
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
      if (state.deadline === null || world.node === "untold") return;
      world.at = Math.max(world.at, Number(state.deadline));
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
      assert.ok(one.does === "command" && "actor" in one.command, `${JSON.stringify(one)} ended a pause`);
      assert.ok(mayLift(one.command.actor, state.by), `${one.command.actor.kind} lifted a pause by ${state.by}`);
      assert.equal(events.at(-1)?.from, "paused");
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
});
