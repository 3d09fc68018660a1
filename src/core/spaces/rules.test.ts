/** The numbered rules of SPEC.md, one by one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instant, seconds } from "../../stdx/time.ts";
import { decide } from "./decide.ts";
import { deadlineOf } from "./seen.ts";
import { after, build, ended, inState, now, operator, owner, replica, stopped, told } from "./spaces.suite.ts";

const look = { type: "see" } as const;
const later = (ms: number) => instant(now + ms);

describe("a Space's deadlines", () => {
  test("S3: a state holds for [since, deadline): a millisecond before it nothing moves, at it something does", () => {
    const { space, seen } = inState("starting");
    const { deadline } = space.state;
    assert.ok(deadline !== null);
    assert.equal(told(space, look, seen, instant(deadline - 1)), "-");
    assert.equal(told(space, look, seen, deadline), "failing; retire p_1");
    const failed = after(space, look, seen, deadline).state;
    assert.deepEqual([failed.reason.code, failed.actor.kind], ["route/boot-timeout", "platform"]);
  });

  test("S3: a start that was given up stays so, also when what was silent has ended by our own order", () => {
    const { space, seen } = inState("starting");
    const failed = after(space, look, seen, later(70_000));
    assert.equal(told(failed, look, { ...seen, replicas: [stopped("p_1")] }, later(80_000)), "-");
  });

  test("S3: while the node's disk is low it starts, says so, and has a new deadline with each try, also where it was woken", () => {
    for (const row of ["starting", "waking"] as const) {
      const low = ended("p_1", "runtime/disk-low");
      const { space, seen } = inState(row);
      const again = replica("p_2", { phase: "starting", follows: "p_1", listenBy: later(200_000) });
      const first = after(space, look, { ...seen, replicas: [low, again] });
      const { name, reason, actor, deadline } = first.state;
      assert.deepEqual(
        [name, reason.code, actor.kind, deadline],
        ["starting", "runtime/disk-low", "platform", later(200_000)],
      );
      const third = replica("p_3", { phase: "starting", follows: "p_2", listenBy: later(300_000) });
      const tried = { ...seen, replicas: [low, ended("p_2", "runtime/disk-low"), third] };
      assert.equal(after(first, look, tried, later(199_999)).state.deadline, later(300_000));
    }
  });

  test("S3: replicas that do not end in time do not keep it: it is paused then, and the reason names them", () => {
    const { space, seen } = inState("stopping to pause");
    const { state } = after(space, look, seen, later(70_000));
    assert.deepEqual([state.name, state.reason.code], ["paused", "runtime/stop-timeout"]);
    assert.match(state.reason.says, /p_1 did not end in time/);
  });

  test("S3: a build of which no word comes is given up, and not waited for again", () => {
    const { space, seen } = inState("building");
    const failed = after(space, look, seen, later(90_000));
    assert.deepEqual([failed.state.name, failed.state.reason.code], ["failing", "build/builder-lost"]);
    assert.equal(told(failed, look, seen, later(90_001)), "-");
    assert.equal(
      told(failed, look, { ...seen, build: build({ id: "b_2", endsBy: later(200_000) }) }, later(90_002)),
      "building",
    );
  });

  test("an app that was given up is in a crash loop, although its build is said to have failed by the first of its ends", () => {
    const { space, seen } = inState("building");
    const failed = { says: "the app exited", code: "app/exit" } as const;
    const first = after(space, look, {
      ...seen,
      build: build({ endsBy: null, failed }),
      replicas: [ended("p_1", "app/exit")],
    });
    assert.equal(first.state.name, "failing");
    const given = [ended("p_1", "app/exit"), ended("p_2", "app/crash-loop")];
    const last = after(first, look, { ...seen, build: build({ endsBy: null, failed }), replicas: given });
    assert.deepEqual([last.state.name, last.state.reason.code], ["crash-looping", "app/crash-loop"]);
    const invalid = { says: "no README", code: "build/config-invalid" } as const;
    const next = { ...seen, build: build({ id: "b_2", endsBy: null, failed: invalid }), replicas: given };
    assert.equal(
      after(space, look, next).state.reason.code,
      "build/config-invalid",
      "a later build's own fault is the newer one",
    );
  });

  for (const wish of [
    { type: "pause", actor: owner, by: "owner", why: null },
    { type: "stop", actor: owner },
  ] as const) {
    test(`a release that starts when somebody says ${wish.type} is what runs when the Space goes on`, () => {
      const { space, seen } = inState("starting");
      for (const release of ["rel_0", null]) {
        const coming = { ...space, release, next: "rel_1" };
        const down = after(coming, wish, seen);
        assert.deepEqual([down.release, down.next], ["rel_1", null]);
        const ended = { ...seen, replicas: [stopped("p_1")] };
        const rested = after(down, look, ended);
        assert.equal(told(rested, { type: "resume", actor: owner }, ended), "starting; start 1");
      }
    });
  }

  test("S9: one that runs sleeps when nobody asked for it for that long, counted from the last request", () => {
    const { space, seen } = inState("running");
    const used = { ...seen, usedAt: later(30_000) };
    assert.equal(deadlineOf(space, used), later(90_000));
    assert.equal(told(space, look, used, later(89_999)), "-");
    assert.equal(told(space, look, used, later(90_000)), "stopping; retire p_1");
  });
});

describe("a new release", () => {
  const { space, seen } = inState("running");
  const coming = { ...space, next: "rel_2", horizon: 2 };
  const of2 = { release: "rel_2", publishedAt: 2 };

  test("S7: takes over when it is ready, and then the one before it is stopped", () => {
    const starts = { ...seen, replicas: [replica("p_1"), replica("p_2", { ...of2, phase: "starting" })] };
    assert.equal(told(coming, look, starts), "-");
    const ready = { ...seen, replicas: [replica("p_1"), replica("p_2", of2)] };
    assert.equal(told(coming, look, ready), "release=rel_2; retire p_1");
  });

  test("S7: with two replicas waits for both, unless the other never comes", () => {
    const two = { ...coming, settings: { ...coming.settings, replicas: 2 } };
    const old = [replica("p_1"), replica("p_1b")];
    const one = [...old, replica("p_2", of2), replica("p_2b", { ...of2, phase: "starting" })];
    assert.equal(told(two, look, { ...seen, replicas: one }), "-");
    const gone = [...old, replica("p_2", of2), ended("p_2b", "app/crash-loop", of2)];
    assert.equal(told(two, look, { ...seen, replicas: gone }), "release=rel_2; retire p_1,p_1b");
  });

  test("S7: that is given up on takes nothing down, and is not waited for", () => {
    const failed = { ...seen, replicas: [replica("p_1"), ended("p_2", "app/not-listening", of2)] };
    assert.equal(told(coming, look, failed), "next=null");
  });

  test("S3: of which no word comes in time is not waited for, and keeps the Space from no sleep", () => {
    const starts = { ...seen, replicas: [replica("p_1"), replica("p_2", { ...of2, phase: "starting" })] };
    assert.equal(deadlineOf(coming, starts), later(70_000));
    assert.equal(told(coming, look, starts, later(69_999)), "-");
    assert.equal(
      told({ ...coming, settings: { ...coming.settings, sleepAfterMs: null } }, look, starts, later(70_000)),
      "next=null; retire p_2",
    );
  });

  test("S7: is not waited for by one that was published before it: where nothing ran, that one runs, and is what is left if this never answers", () => {
    const both = [replica("p_1"), replica("p_2", { ...of2, phase: "starting" })];
    const first = after({ ...coming, release: null }, look, { ...seen, replicas: both });
    assert.deepEqual([first.state.name, first.release, first.next], ["running", "rel_1", "rel_2"]);
    const never = { ...seen, replicas: [replica("p_1"), ended("p_2", "app/not-listening", of2)] };
    assert.equal(told(first, look, never), "next=null");
  });

  test("S8: that was to take over while the Space was falling asleep is not what runs after a rollback to the one before", () => {
    const ends = {
      ...seen,
      replicas: [replica("p_1", { retiring: true }), replica("p_2", { ...of2, phase: "starting" })],
    };
    const starts = { ...coming, state: inState("starting").space.state };
    assert.equal(
      told(starts, { type: "roll-back", actor: owner, release: "rel_1", startWithinMs: seconds(60) }, ends),
      "starting; release=rel_1; retire p_2; start 1",
    );
  });

  test("S7: one that its node still tries may yet take over", () => {
    const tried = { ...seen, replicas: [replica("p_1"), ended("p_2", "app/exit", of2)] };
    assert.equal(told(coming, look, tried), "-");
  });

  test("S8: an earlier release does not come back by itself: its late replica is stopped", () => {
    const late = { ...seen, replicas: [replica("p_1"), replica("p_0", { release: "rel_0", publishedAt: 0 })] };
    assert.equal(told(space, look, late), "retire p_0");
  });

  test("S8: rolled back to, it takes over though later ones were published", () => {
    const back = after(space, { type: "roll-back", actor: owner, release: "rel_0", startWithinMs: seconds(60) }, seen);
    const both = { ...seen, replicas: [replica("p_1"), replica("p_0", { release: "rel_0", publishedAt: 0 })] };
    assert.equal(told(back, look, both), "release=rel_0; retire p_1");
  });
});

describe("replicas", () => {
  const { space, seen } = inState("running");

  test("that were frozen while others took their place are thawed where more are wanted, and stopped where not", () => {
    const two = { ...space, settings: { ...space.settings, replicas: 2 } };
    const both = { ...seen, replicas: [replica("p_1", { frozen: true }), replica("p_2")] };
    assert.equal(told(space, look, both), "retire p_1");
    assert.equal(told(two, look, both), "thaw p_1");
  });

  test("S7: of a restart take over one by one: as many of the oldest are stopped as are ready beyond what is wanted", () => {
    const two = { ...space, settings: { ...space.settings, replicas: 2 } };
    const ids = (...names: string[]) => ({ ...seen, replicas: names.map((name) => replica(name)) });
    assert.equal(told(two, { type: "restart", actor: owner }, ids("p_1", "p_2")), "start 2");
    assert.equal(told(two, look, ids("p_1", "p_2", "p_3")), "retire p_1");
    assert.equal(told(two, look, ids("p_2", "p_3", "p_4")), "retire p_2");
  });

  test("S6: a restart while one starts is that start; one that only follows an end is not waited for", () => {
    const restart = { type: "restart", actor: owner } as const;
    const starts = replica("p_2", { phase: "starting" });
    assert.equal(told(space, restart, { ...seen, replicas: [replica("p_1"), starts] }), "-");
    const follows = [ended("p_1", "app/exit"), { ...starts, follows: "p_1" }];
    assert.equal(told(inState("starting").space, restart, { ...seen, replicas: follows }), "starting; start 1");
  });

  test("S6: what was given up on is not started again by its node's hello", () => {
    const given = inState("crash-looping");
    assert.equal(told(given.space, { type: "node-came" }, given.seen), "-");
  });
});

describe("what was changed since a replica started", () => {
  const outdated = { says: "secret KEY was set by alice", actor: owner };
  const { space, seen } = inState("running");
  const old = (id: string, over = {}) => replica(id, { outdated, ...over });
  const of = (...replicas: ReturnType<typeof replica>[]) => ({ ...seen, replicas });

  test("S7: the one that lacks it serves until the one that has it answers, and then it is the one that is stopped", () => {
    assert.equal(told(space, look, of(old("p_1"))), "start 1");
    assert.equal(told(space, look, of(old("p_1"), replica("p_2", { phase: "starting" }))), "-");
    assert.equal(told(space, look, of(old("p_1"), replica("p_2"))), "retire p_1");
    const follower = old("p_3", { follows: "p_1" });
    assert.equal(told(space, look, of(ended("p_1", "app/exit", { outdated }), replica("p_2"), follower)), "retire p_3");
  });

  test("of all that run as many are started as lack it", () => {
    const two = { ...space, settings: { ...space.settings, replicas: 2 } };
    assert.equal(told(two, look, of(old("p_1"), old("p_2"))), "start 2");
    assert.equal(told(two, look, of(old("p_1"), replica("p_2"))), "start 1");
  });

  test("a start that is on its way is waited for, so that changes that follow each other need one more; a node's own try is not", () => {
    const starts = inState("starting").space;
    assert.equal(told(starts, look, of(old("p_1", { phase: "starting" }))), "-");
    assert.equal(told(starts, look, of(old("p_1"))), "running; start 1");
    const tried = of(ended("p_1", "app/exit", { outdated }), old("p_2", { phase: "starting", follows: "p_1" }));
    assert.equal(told(starts, look, tried), "starting; retire p_2; start 1");
    assert.match(after(starts, look, tried).state.reason.says, /^secret KEY was set by alice: started again with it$/);
  });

  test("what was tried with it and given up on is not tried again: the one before it serves on", () => {
    assert.equal(told(space, look, of(old("p_1"), ended("p_2", "app/crash-loop"))), "-");
  });

  test("of which no word came in time is not tried again either, also when it has ended by our own order", () => {
    const late = of(old("p_1"), replica("p_2", { phase: "starting", listenBy: now }));
    const awake = { ...space, settings: { ...space.settings, sleepAfterMs: null } };
    const decision = decide(awake, look, late, now);
    assert.ok(decision.ok);
    assert.deepEqual(
      decision.effects.map((effect) => effect.type === "retire" && [effect.replicas, effect.gaveUp]),
      [[["p_2"], true]],
    );
    const ends = replica("p_2", { phase: "starting", retiring: true, gaveUp: true });
    assert.equal(told(awake, look, of(old("p_1"), ends)), "-");
    assert.equal(told(awake, look, of(old("p_1"), { ...stopped("p_2"), gaveUp: true })), "-");
    assert.equal(
      told(awake, look, of(old("p_1"), { ...stopped("p_2"), gaveUp: true, outdated })),
      "start 1",
      "a later change is",
    );
  });

  test("is no reason to start a release again that another follows: that one is started with it when it has taken over", () => {
    const coming = { ...space, next: "rel_2", horizon: 2 };
    const next = replica("p_2", { release: "rel_2", publishedAt: 2, phase: "starting" });
    assert.equal(told(coming, look, of(old("p_1"), next)), "-");
  });

  test("S6: a crash loop is tried anew with it, once, also before any release has run", () => {
    const given = inState("crash-looping");
    for (const release of ["rel_1", null]) {
      const looping = { ...given.space, release, next: release === null ? "rel_1" : null };
      const lacks = of(ended("p_1", "app/crash-loop", { outdated }));
      assert.equal(told(looping, look, lacks), "starting; start 1");
      assert.match(after(looping, look, lacks).state.reason.says, /^secret KEY was set by alice: tried anew with it$/);
      assert.equal(told(looping, look, of(ended("p_1", "app/crash-loop"))), "-");
      assert.equal(told(looping, { type: "restart", actor: owner }, lacks), "starting; start 1");
    }
  });

  test("a frozen app that lacks it ends at once, so that whoever wakes the Space never meets it", () => {
    const frozen = inState("sleeping, frozen").space;
    assert.equal(told(frozen, look, of(old("p_1", { frozen: true }))), "retire p_1");
    const wake = { type: "wake", actor: owner } as const;
    assert.equal(told(frozen, wake, of(old("p_1", { frozen: true }))), "waking; retire p_1; start 1");
    const woken = after(frozen, wake, of(old("p_1", { frozen: true })));
    const ends = of(old("p_1", { retiring: true }), replica("p_2", { phase: "starting" }));
    assert.equal(told(woken, look, ends), "-", "it answers no more while it ends");
  });
});

describe("somebody's word that the Space is down", () => {
  const publish = (queuedAt: number) =>
    ({ type: "publish", release: "rel_2", queuedAt, publishedAt: 2, startWithinMs: seconds(60) }) as const;

  test("S6: a stop is not undone by the build that was under way, which runs when it goes on; a newer one undoes it", () => {
    const { space, seen } = inState("running");
    const stopped = after(space, { type: "stop", actor: owner }, { ...seen, build: build({ id: "b_1" }) });
    for (const down of [stopped, after(stopped, look, { ...seen, replicas: [] })]) {
      assert.equal(told(down, publish(1), { ...seen, replicas: [] }), "release=rel_2");
      assert.equal(told(down, publish(2), { ...seen, replicas: [] }), "starting; next=rel_2; start 1");
    }
    const kept = after(after(stopped, look, { ...seen, replicas: [] }), publish(1), { ...seen, replicas: [] });
    assert.equal(told(kept, { type: "resume", actor: owner }, { ...seen, replicas: [] }), "starting; start 1");
  });

  test("S6: a stop holds every build that was asked for before it, also an older one than the newest, and where that has ended", () => {
    const { space, seen } = inState("running");
    const newest = build({ id: "b_2", queuedAt: 2 });
    for (const endsBy of [newest.endsBy, null]) {
      const stopped = after(space, { type: "stop", actor: owner }, { ...seen, build: { ...newest, endsBy } });
      const rested = after(stopped, look, { ...seen, replicas: [] });
      for (const queuedAt of [1, 2])
        assert.equal(told(rested, publish(queuedAt), { ...seen, replicas: [] }), "release=rel_2");
      assert.equal(told(rested, publish(3), { ...seen, replicas: [] }), "starting; next=rel_2; start 1");
    }
  });

  test("S6: a stop of the first build under way holds too, and a second stop holds what was queued since", () => {
    const { space, seen } = inState("building");
    const stopped = after(space, { type: "stop", actor: owner }, seen);
    assert.equal(told(stopped, publish(1), seen), "release=rel_2");
    const again = after(stopped, { type: "stop", actor: owner }, { ...seen, build: build({ id: "b_2", queuedAt: 2 }) });
    assert.equal(told(again, publish(2), seen), "release=rel_2");
  });

  test("S6: replicas=0 holds also when it was said before there was anything to run", () => {
    for (const row of ["no-release", "building"] as const) {
      const { space, seen } = inState(row);
      const none = after(space, { type: "set", actor: owner, change: { replicas: 0 } }, seen);
      assert.equal(told(none, publish(1), seen), "stopped; release=rel_2");
      const rested = after(none, publish(1), seen);
      assert.equal(told(rested, { type: "set", actor: owner, change: { replicas: 2 } }, seen), "starting; start 2");
    }
  });

  test("replicas=1 starts it also where a rebuild of it failed while there were none", () => {
    const { space, seen } = inState("stopped, no replicas");
    const rebuild = build({ id: "b_2", queuedAt: 2 });
    const built = after(space, { type: "factory", actor: owner }, { ...seen, build: rebuild });
    const failed = { says: "no", code: "build/step-failed" } as const;
    const ended = { ...seen, build: { ...rebuild, endsBy: null, failed } };
    const failing = after(built, look, ended);
    assert.equal(failing.state.name, "failing");
    assert.equal(told(failing, { type: "set", actor: owner, change: { replicas: 1 } }, ended), "starting; start 1");
  });

  test("S6: replicas=0 ends the first release while it starts, and keeps it", () => {
    const { space, seen } = inState("starting");
    const first = { ...space, release: null, next: "rel_1" };
    assert.equal(
      told(first, { type: "set", actor: owner, change: { replicas: 0 } }, seen),
      "stopping; release=rel_1; retire p_1",
    );
  });

  test("a factory rebuild that is asked for while it stops lifts that as it does afterwards", () => {
    const { space, seen } = inState("stopping to pause");
    const rebuilt = { ...seen, build: build({ id: "b_2" }) };
    const built = after(space, { type: "factory", actor: owner }, rebuilt);
    assert.equal(told(built, look, rebuilt), "-", "what ends keeps it in no other state");
    assert.equal(told(built, publish(2), rebuilt), "starting; next=rel_2; start 1");
  });

  test("a release that waits for its turn to take over outlives a stop of the platform", () => {
    const { space, seen } = inState("running");
    const coming = { ...space, next: "rel_2", horizon: 2 };
    const end = { ...stopped("p_2"), release: "rel_2", publishedAt: 2 };
    assert.equal(told(coming, look, { ...seen, replicas: [replica("p_1"), end] }), "-");
    assert.equal(told(coming, { type: "node-came" }, { ...seen, replicas: [replica("p_1"), end] }), "start 1");
  });

  test("what ran when the platform stopped is started when it is back, also while something is built", () => {
    const { space, seen } = inState("running");
    const built = { ...seen, replicas: [stopped("p_1")], build: build({ id: "b_2" }) };
    const down = after(space, look, built);
    assert.deepEqual([down.state.name, down.state.reason.code], ["stopped", "route/control-down"]);
    assert.equal(told(down, { type: "node-came" }, built), "starting; start 1");
  });

  test("what was silent and was told to end shows what is built", () => {
    const { space, seen } = inState("starting");
    const failed = after(space, look, seen, later(70_000));
    const pushed = { ...seen, replicas: [stopped("p_1")], build: build({ id: "b_2", endsBy: later(200_000) }) };
    assert.equal(told(failed, look, pushed, later(80_000)), "building");
  });
});

describe("a pause", () => {
  test("S5: says who can lift it, to whoever may not", () => {
    const { space, seen } = inState("paused by operator");
    const decision = decide(space, { type: "restart", actor: owner }, seen, now);
    assert.ok(!decision.ok);
    assert.match(decision.says, /^alice\/demo is paused: so it is\. Only the operator can lift that/);
  });

  test("S5: of its owner is taken over by the operator's, and then the owner cannot lift it", () => {
    const { space, seen } = inState("paused by owner");
    const taken = after(space, { type: "pause", actor: operator, by: "operator", why: "too hot" }, seen);
    assert.deepEqual([taken.state.name, taken.state.reason.says], ["paused", "too hot"]);
    assert.equal(told(taken, { type: "resume", actor: owner }, seen), "no: paused");
    assert.equal(told(taken, { type: "pause", actor: owner, by: "owner", why: null }, seen), "-");
  });
});
