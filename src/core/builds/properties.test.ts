/** What holds whatever comes: losses, repeats, reconnections, words out of time. The audit of builds.suite.ts runs after each command. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { durationMs } from "../../stdx/time.ts";
import { builder, enqueue, limits, Play } from "./builds.suite.ts";
import { nextDeadline } from "./decide.ts";
import { isLeased } from "./model.ts";
import type { BuildCommand, BuildEvent } from "./model.ts";
import { instant } from "../../stdx/time.ts";

const ids = ["b1", "b2", "b3", "b4", "b5", "b6"];
const builders = ["n1", "n2"];
const build = fc.constantFrom(...ids);
const name = fc.constantFrom(...builders);
const fence = fc.integer({ min: 1, max: 4 });
const word = fc.record({ build, builder: name, fence });
/** Two Spaces of alice, one each of bob and carol. */
const spaces = ["alice/x", "alice/y", "bob/x", "carol/x"];
const failure = { says: "so it is", because: [] } as const;

const anyCommand: fc.Arbitrary<BuildCommand> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(build, fc.constantFrom(...spaces), fc.constantFrom("node", "static", null, "docker"))
      .map(([id, space, sdk]) => enqueue(id, { space, sdk })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(name, fc.integer({ min: 1, max: 3 }))
      .map(([of, epoch]): BuildCommand => ({ type: "join", builder: builder(of, epoch, of === "n1" ? 1 : 2) })),
  },
  name.map((of): BuildCommand => ({ type: "leave", builder: of })),
  fc
    .tuple(name, fc.array(fc.record({ build, fence }), { maxLength: 3 }))
    .map(([of, holds]): BuildCommand => ({ type: "hear", builder: of, holds })),
  { weight: 2, arbitrary: word.map((said): BuildCommand => ({ type: "claim", ...said })) },
  fc
    .tuple(word, fc.constantFrom("fetching", "building", "checking", "publishing"))
    .map(([said, stage]): BuildCommand => ({ type: "progress", ...said, stage })),
  word.map((said): BuildCommand => ({ type: "publish", ...said, release: "rel", startMs: durationMs(5_000) })),
  fc
    .tuple(word, fc.constantFrom("build/step-failed", "build/builder-lost", "build/fetch-failed"))
    .map(([said, code]): BuildCommand => ({ type: "fail", ...said, ...failure, code })),
  build.map((id): BuildCommand => ({ type: "listen", build: id })),
  build.map((id): BuildCommand => ({ type: "fail-start", build: id, code: "app/exit", ...failure })),
  build.map((id): BuildCommand => ({ type: "cancel", build: id, by: { kind: "owner", name: "alice" } })),
  fc.tuple(build, fc.integer({ min: -2, max: 2 })).map(([id, priority]): BuildCommand => ({
    type: "prioritize",
    build: id,
    priority,
    by: { kind: "operator", name: "admin" },
  })),
  fc.constant<BuildCommand>({ type: "tick" }),
);
const anyRun = fc.array(fc.tuple(fc.nat(1_500), anyCommand), { maxLength: 80 });

/** Plays a run, in which an id is asked for once at the most. */
function played(run: readonly (readonly [number, BuildCommand])[]): Play {
  const play = new Play();
  const asked = new Set<string>();
  for (const [waitMs, command] of run) {
    play.now += waitMs;
    if (command.type === "enqueue" && asked.has(command.terms.build)) continue;
    if (command.type === "enqueue") asked.add(command.terms.build);
    play.do(command);
  }
  return play;
}

const of = (play: Play, id: string): readonly BuildEvent[] =>
  play.events.filter((event) => "build" in event && event.build === id);
const count = (events: readonly BuildEvent[], type: BuildEvent["type"]): number =>
  events.filter((event) => event.type === type).length;

describe("builds, whatever comes", () => {
  test("B1, B2: each that was queued is open or has ended once, and nothing happens to it afterwards", () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const play = played(run);
        for (const id of ids) {
          const events = of(play, id);
          if (events.length === 0) continue;
          assert.equal(count(events, "queued"), 1);
          assert.equal(count(events, "ended") + (play.state.builds.has(id) ? 1 : 0), 1);
          if (!play.state.builds.has(id)) assert.equal(events.at(-1)?.type, "ended");
        }
      }),
    );
  });

  test("B3, B4: none runs twice: fences count up by one, each hand-over follows the end of the one before, and one release is published", () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const play = played(run);
        for (const id of ids) {
          let held = 0;
          let fences = 0;
          for (const event of of(play, id)) {
            if (event.type === "given") {
              assert.equal(held, 0, "it is with nobody when it is given");
              assert.equal(event.lease.fence, ++fences);
              held = event.lease.fence;
            }
            if (event.type === "requeued") assert.equal(event.lease.fence, held);
            if (event.type === "ended" && event.withdrawn) assert.equal(event.withdrawn.fence, held);
            if (event.type === "requeued" || event.type === "published") held = 0;
          }
          assert.ok(count(of(play, id), "published") <= 1);
        }
      }),
    );
  });

  test("B4: a word by another fence, or of another builder, changes nothing", () => {
    fc.assert(
      fc.property(anyRun, word, (run, said) => {
        const play = played(run);
        const held = play.state.builds.get(said.build);
        const isHolder =
          held && isLeased(held) && held.lease.fence === said.fence && held.lease.builder === said.builder;
        if (isHolder) return;
        const before = play.state;
        for (const command of [
          { type: "claim", ...said },
          { type: "progress", ...said, stage: "building" },
          { type: "publish", ...said, release: "rel", startMs: durationMs(1) },
          { type: "fail", ...said, ...failure, code: "build/step-failed" },
        ] as const) {
          assert.ok(["old-fence", "unknown-build"].includes(play.would(command)));
        }
        assert.equal(play.state, before);
      }),
    );
  });

  test("B2, B5: left alone with builders that say nothing, every build ends by its deadlines", () => {
    fc.assert(
      fc.property(anyRun, (run) => {
        const play = played(run);
        const attemptMs = limits.waitMs + limits.buildMs + limits.leaseMs;
        const until = play.now + (limits.attemptsMax + 1) * attemptMs * ids.length;
        for (;;) {
          const next = nextDeadline(play.state, instant(play.now), limits);
          if (next === undefined) break;
          assert.ok(next <= until, "the deadlines come to an end");
          play.at(next, { type: "tick" });
        }
        assert.equal(play.state.builds.size, 0);
      }),
    );
  });

  test("B10: no more wait than may, of all and of one owner, but for those that come back from a lost builder", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 }), (owners) => {
        const play = new Play();
        owners.forEach((owner, at) => play.do(enqueue(`b${at}`, { owner, space: `${owner}/${at}` })));
        const waiting = [...play.state.builds.values()];
        assert.ok(waiting.length <= limits.waitingMax);
        for (const owner of ["a", "b", "c"])
          assert.ok(waiting.filter(({ terms }) => terms.owner === owner).length <= limits.ownerWaitingMax);
      }),
    );
  });

  test("B9: an owner who has not built lately is passed by one build of each other owner at the most, however many they have", () => {
    const many = {
      waitingMax: 200,
      ownerWaitingMax: 50,
      waitMs: durationMs(3_600_000),
      buildMs: durationMs(600_000),
      leaseMs: durationMs(600_000),
    };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.nat(30_000), { minLength: 30, maxLength: 30 }),
        fc.nat(12),
        (seats, floods, lengths, comesAt) => {
          const play = new Play(many).at(0, { type: "join", builder: builder("n1", 1, seats) });
          for (let flood = 0; flood < floods; flood++)
            for (let at = 0; at < 15; at++)
              play.do(enqueue(`f${flood}-${at}`, { owner: `flood${flood}`, space: `flood${flood}/${at}` }));
          const passedBy: string[] = [];
          for (const [turn, length] of lengths.entries()) {
            if (turn === comesAt) {
              play.do(enqueue("one", { space: "bob/one" }));
            }
            const running = [...play.state.builds.values()].find(isLeased);
            if (!running) break;
            const before = play.events.length;
            play.now += length;
            const { lease, terms } = running;
            play.do({
              type: "fail",
              build: terms.build,
              builder: lease.builder,
              fence: lease.fence,
              ...failure,
              code: "build/step-failed",
            });
            const given = play.events.slice(before).flatMap((event) => (event.type === "given" ? [event.build] : []));
            if (turn >= comesAt) passedBy.push(...given.filter((id) => id !== "one"));
            if (given.includes("one") || play.stageOf("one") === "claimed") break;
          }
          const owners = passedBy.map((id) => id.split("-")[0]);
          assert.equal(new Set(owners).size, owners.length, `passed by ${owners.join(", ")}`);
        },
      ),
      { numRuns: 50 },
    );
  });
});
