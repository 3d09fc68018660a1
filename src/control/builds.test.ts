import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ReplicaStatus, ToServer } from "../contract/agent.ts";
import type { Actor } from "../core/builds/model.ts";
import { card, ControlWorld, replica } from "./control.suite.ts";
import type { TestNode } from "./control.suite.ts";

type Done = Extract<ToServer, { type: "build-done" }>;

const alice: Actor = { kind: "owner", name: "alice" };
const claimed = (build: string, fence = 1): ToServer => ({
  type: "build-claimed",
  build,
  fence,
  number: 1,
  builder: "n1",
});
const step = (build: string, name: string, fence = 1): ToServer => ({
  type: "build-step",
  build,
  fence,
  step: name,
  state: "started",
  tookMs: 0,
});
const done = (build: string, release: string, fence = 1): Done => ({
  type: "build-done",
  build,
  fence,
  outcome: { ok: true, release, sdk: "node", settings: {} },
});
const failed = (build: string, code = "build/step-failed", fence = 1): Done => ({
  type: "build-done",
  build,
  fence,
  outcome: { ok: false, code, step: "install", says: "install ended", because: [] },
});

async function building(): Promise<{
  world: ControlWorld;
  node: TestNode;
  build: string;
  say: (...messages: readonly ToServer[]) => Promise<void>;
}> {
  const world = await ControlWorld.open();
  const space = await world.space();
  const node = await world.node();
  const { id } = await world.builds.request({ space, commit: "1", account: "alice" });
  const say = async (...messages: readonly ToServer[]): Promise<void> => {
    for (const message of messages) node.say(message);
    await world.settled();
  };
  await say(claimed(id));
  return { world, node, build: id, say };
}

const linesOf = async (world: ControlWorld, build: string): Promise<readonly string[]> =>
  (await world.builds.log(build)).read(1, 1000).lines.map(({ text }) => text);
const last = async (world: ControlWorld, build: string): Promise<string> => (await linesOf(world, build)).at(-1) ?? "";
const rowOf = async (world: ControlWorld, build: string) => {
  const row = await world.catalog.builds.get(build);
  assert.ok(row);
  return row;
};
const stageOf = async (world: ControlWorld, build: string) => (await rowOf(world, build)).stage;

test("what is in force on a build is shown as its builder said last, and what one says that has lost it is not", async () => {
  const { world, build, say } = await building();
  await using _ = world;
  const limits = { wholeMs: 1_000, writtenBytes: 2_000 };
  await say({ type: "build-limits", build, fence: 1, limits });
  const shown = async (): Promise<unknown> =>
    world.builds.views.of((await world.catalog.builds.get(build)) ?? assert.fail()).limits;
  assert.deepEqual(await shown(), limits);
  await say({ type: "build-limits", build, fence: 0, limits: { ...limits, wholeMs: 5 } });
  assert.deepEqual(await shown(), limits);
  await say(failed(build));
  assert.deepEqual(await shown(), limits, "also when it has ended");
});

describe("Builds", () => {
  test("a build is done when a replica of its release listens, and says so last", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(done(build, "rel_1"));
    const [start] = node.of("start-replica");
    await say({ type: "replica", status: replica(start?.spec.replica ?? "", "ready") });
    const row = await rowOf(world, build);
    assert.deepEqual([row.stage, row.release, row.code], ["done", "rel_1", null]);
    assert.match(await last(world, build), /^built and running; \d+ lines, complete$/);
  });

  test("a stop holds both builds that were asked for before it, and the newer one stays the newest while the older moves", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(step(build, "check"));
    world.clock.advance(1);
    const { id: later } = await world.builds.request({ space: "alice/demo", commit: "2", account: "alice" });
    await say(done(build, "rel_1"));
    const [start] = node.of("start-replica");
    const first = start?.spec.replica ?? "";
    await say({ type: "replica", status: replica(first, "ready") });
    assert.equal(await stageOf(world, build), "done");
    assert.equal((await world.spaces.view("alice/demo"))?.build?.id, later);
    await world.spaces.stop("alice/demo", { kind: "owner", account: "alice" });
    await say({ type: "replica", status: replica(first, "stopped") }, claimed(later), done(later, "rel_2"));
    const { state, release } = (await world.spaces.view("alice/demo")) ?? {};
    assert.deepEqual([state, release, await stageOf(world, later)], ["stopped", "rel_2", "done"]);
    assert.equal(node.of("start-replica").length, 1);
  });

  test("each transition is a row, with who caused it, why, and when it ends by itself", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(
      step(build, "fetch"),
      step(build, "install"),
      step(build, "check"),
      step(build, "publish"),
      done(build, "rel_1"),
    );
    await say({ type: "replica", status: replica(node.of("start-replica")[0]?.spec.replica ?? "", "ready") });
    const events = await world.catalog.builds.events(build);
    assert.deepEqual(
      events.map(({ event, stage, by, deadline }) => [event, stage, by, deadline !== null]),
      [
        ["queued", "queued", "alice", true],
        ["given", "claimed", "the platform", true],
        ["taken", "claimed", "builder n1", true],
        ["moved", "fetching", "builder n1", true],
        ["moved", "building", "builder n1", true],
        ["moved", "checking", "builder n1", true],
        ["moved", "publishing", "builder n1", true],
        ["published", "starting", "builder n1", true],
        ["ended", "done", "builder n1", false],
      ],
    );
    assert.ok(events.every(({ says }) => says !== ""));
  });

  test("a build that is published starts one replica and ends once, whatever its builder tells again", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(done(build, "rel_1"));
    const [start] = node.of("start-replica");
    await say(
      { type: "replica", status: replica(start?.spec.replica ?? "", "exited") },
      step(build, "install"),
      done(build, "rel_2"),
    );
    const row = await rowOf(world, build);
    assert.deepEqual([row.stage, row.code, row.release], ["failed", "app/exit", "rel_1"]);
    assert.equal(world.builds.views.of(row).stage, "failed");
    assert.equal(node.of("start-replica").length, 1);
    assert.equal(await world.catalog.releases.get("rel_2"), undefined);
  });

  test("a wall clock that steps ends no build", async () => {
    const { world, build, say } = await building();
    await using _ = world;
    world.clock.wallMs += 24 * 3600_000;
    const other = await world.builds.request({ space: await world.space("other"), commit: "2", account: "alice" });
    world.clock.wallMs -= 48 * 3600_000;
    await say(step(build, "fetch"));
    assert.deepEqual([await stageOf(world, build), await stageOf(world, other.id)], ["fetching", "queued"]);
  });

  test("a release is later than the one before it also where the wall clock stepped back", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(done(build, "rel_1"));
    await say({ type: "replica", status: replica(node.of("start-replica")[0]?.spec.replica ?? "", "ready") });
    world.clock.wallMs -= 3600_000;
    const second = await world.builds.request({ space: "alice/demo", commit: "2", account: "alice" });
    await say(done(second.id, "rel_2"));
    await say({
      type: "replica",
      status: replica(node.of("start-replica")[1]?.spec.replica ?? "", "ready", { release: "rel_2" }),
    });
    assert.equal((await world.spaces.view("alice/demo"))?.release, "rel_2");
  });

  test("a log that the disk refuses does not keep a build open", async () => {
    const { world, build, say } = await building();
    await using _ = world;
    await (await world.builds.log(build)).more(0);
    rmSync(join(world.folder, "builds"), { recursive: true });
    // The segment that is open can still be written; there is no place for the next.
    for (const text of ["x".repeat(1 << 20), "nowhere to go"])
      await say({ type: "build-log", build, fence: 1, lines: [{ at: "", stream: "out", text }] });
    await say(failed(build));
    assert.equal(await stageOf(world, build), "failed");
    assert.match(world.failures.join(), /could not be written/);
  });
});

describe("a build's log", () => {
  test("begins when it is queued, with its place, all that keeps it and its deadline, and tells when that changes", async () => {
    const { world, build, say } = await building();
    await using _ = world;
    const other = await world.builds.request({ space: await world.space("other"), commit: "2", account: "alice" });
    const [first] = await linesOf(world, other.id);
    assert.match(
      first ?? "",
      /^queued 1st of 1, builder n1 is busy; build b_\w+ of alice is claimed, and builds of one owner run one at a time, since they share caches; gives up at 2026-/,
    );
    assert.deepEqual(
      world.builds.views.of(other).waiting?.reasons.map(({ kind }) => kind),
      ["builders-busy", "same-owner"],
    );
    await say(failed(build));
    assert.deepEqual((await linesOf(world, other.id)).slice(1), ["builder n1, after 0 s"]);
    assert.match(await last(world, build), /^build\/step-failed: .*lines, complete$/);
  });

  test("of one that is cancelled says by whom, in its last lines, whether it waits or runs", async () => {
    const { world, node, build } = await building();
    await using _ = world;
    const waiting = await world.builds.request({ space: await world.space("other"), commit: "2", account: "alice" });
    await world.builds.cancel(waiting.id, { kind: "operator", name: "admin" });
    await world.builds.cancel(build, alice);
    for (const [id, says] of [
      [waiting.id, "cancelled by the operator admin"],
      [build, "cancelled by alice"],
    ] as const) {
      const lines = await linesOf(world, id);
      assert.equal(lines.at(-2), says);
      assert.match(lines.at(-1) ?? "", /^build\/cancelled: .* lines, complete$/);
      const { stage, actor } = await rowOf(world, id);
      assert.equal(`${stage} by ${actor}`, says.replace(" operator", " operator"));
    }
    assert.deepEqual(
      node.of("cancel-build").map(({ fence, code }) => [fence, code]),
      [[1, "build/cancelled"]],
    );
  });

  test("of one that a newer commit replaces names the newer build, and the newer one names it", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(step(build, "install"));
    const newer = await world.builds.request({ space: "alice/demo", commit: "2", account: "alice" });
    const lines = await linesOf(world, build);
    assert.equal(lines.at(-2), `superseded by build ${newer.id} of commit 2`);
    assert.equal((await linesOf(world, newer.id))[0], `takes the place of build ${build}, which was building`);
    assert.deepEqual(
      [(await rowOf(world, build)).replacedBy, world.builds.views.of(newer).stage],
      [newer.id, "claimed"],
    );
    assert.equal(node.of("cancel-build")[0]?.why, lines.at(-2));
  });
});

describe("a builder's word", () => {
  test("by an old fence changes nothing, and the build's log says once that it came", async () => {
    const { world, build } = await building();
    await using _ = world;
    const node = await world.node([], [card], 2);
    assert.deepEqual(
      node.of("build").map(({ fence }) => fence),
      [2],
    );
    const say = async (...messages: readonly ToServer[]): Promise<void> => {
      for (const message of messages) node.say(message);
      await world.settled();
    };
    await say(
      { type: "build-log", build, fence: 1, lines: [{ at: "", stream: "out", text: "too late" }] },
      done(build, "rel_old"),
      claimed(build, 2),
    );
    const lines = await linesOf(world, build);
    assert.equal(lines.filter((text) => text.startsWith("refused: ")).length, 1);
    assert.ok(!lines.includes("too late"));
    assert.deepEqual(
      [await stageOf(world, build), await world.catalog.releases.get("rel_old")],
      ["claimed", undefined],
    );
    await say(done(build, "rel_new", 2));
    assert.equal((await rowOf(world, build)).release, "rel_new");
  });

  test("is asked for again where its connection was lost before it said that it took the build", async () => {
    const world = await ControlWorld.open();
    await using _ = world;
    const node = await world.node();
    const { id } = await world.builds.request({ space: await world.space(), commit: "1", account: "alice" });
    node.link.close();
    const again = await world.node();
    assert.deepEqual(
      again.of("build").map(({ spec, fence }) => [spec.build, fence]),
      [[id, 1]],
    );
  });

  test("that it goes on with a build that ended while it was away has it ended there too, under the build's own code", async () => {
    const { world, node, build } = await building();
    await using _ = world;
    node.link.close();
    await world.builds.cancel(build, alice);
    const back = await world.node();
    back.say(claimed(build));
    await world.settled();
    assert.deepEqual(
      back.of("cancel-build").map(({ fence, code, why }) => [fence, code, why]),
      [[1, "build/cancelled", "cancelled by alice"]],
    );
  });

  test("that its commit could not be read has it read once more, and fails the second time", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(failed(build, "build/fetch-failed"));
    assert.equal(node.of("build").length, 2);
    await say(failed(build, "build/fetch-failed", 2));
    assert.deepEqual(
      [(await rowOf(world, build)).code, (await rowOf(world, build)).attempts],
      ["build/fetch-failed", 2],
    );
  });
});

describe("a start of the platform", () => {
  /** A server on the records of one that was killed. */
  const again = async (before: ControlWorld): Promise<ControlWorld> => {
    const world = await ControlWorld.open({ catalog: before.catalog, folder: before.folder });
    world.clock.advance(before.clock.wallMs - world.clock.wallMs + 120_000);
    await world.builds.recover();
    await world.spaces.recover();
    return world;
  };

  test("leaves waiting builds waiting, with their place and their log, also where their time was over meanwhile", async () => {
    const { world: before, say: _say } = await building();
    await using _before = before;
    const ids: string[] = [];
    for (const name of ["a", "b"])
      ids.push((await before.builds.request({ space: await before.space(name), commit: "1", account: "alice" })).id);
    before.clock.advance(3_600_000);
    const world = await again(before);
    await using _ = world;
    const places = await Promise.all(
      ids.map(async (id) => world.builds.views.of(await rowOf(world, id)).waiting?.position),
    );
    assert.deepEqual(places, [1, 2]);
    const lines = await linesOf(world, ids[0] ?? "");
    assert.match(lines[0] ?? "", /^queued 1st of 1/);
    assert.match(lines.at(-1) ?? "", /the build goes on waiting with its place$/);
  });

  test("gives a build again that its builder lost with it, and the third such loss fails it", async () => {
    const { world: first, build } = await building();
    await using _first = first;
    const second = await again(first);
    await using _second = second;
    const node = await second.node([], [card], 2);
    assert.deepEqual(
      node.of("build").map(({ spec, fence }) => [spec.build, fence]),
      [[build, 2]],
    );
    const third = await again(second);
    await using _third = third;
    await third.node([], [card], 3);
    const fourth = await again(third);
    await using _fourth = fourth;
    await fourth.node([], [card], 4);
    const row = await rowOf(fourth, build);
    assert.deepEqual([row.stage, row.code, row.attempts], ["failed", "build/builder-lost", 3]);
    assert.match(await last(fourth, build), /^build\/builder-lost: .* lines, complete$/);
    assert.match(row.says, /it was given to a builder 3 times$/);
  });

  test("leaves a build to a builder that lived on and still has it", async () => {
    const { world: before, build } = await building();
    await using _before = before;
    const world = await again(before);
    await using _ = world;
    const node = await world.node();
    node.say(claimed(build));
    node.say(done(build, "rel_1"));
    await world.settled();
    assert.deepEqual([node.of("build"), (await rowOf(world, build)).release], [[], "rel_1"]);
  });

  /** A server that starts on the records of one that was killed while a published app was starting; its node says hello with these. */
  const restarted = async (
    phases: readonly ReplicaStatus["phase"][],
  ): Promise<{ world: ControlWorld; before: ControlWorld; node: TestNode; build: string }> => {
    const { world: before, node: old, build, say } = await building();
    await say(done(build, "rel_1"));
    const started = old.of("start-replica")[0]?.spec.replica ?? "";
    const world = await again(before);
    const node = await world.node(phases.map((phase) => replica(started, phase)));
    return { world, before, node, build };
  };

  for (const [phase, stage, code, starts] of [
    ["ready", "done", null, 0],
    ["exited", "failed", "app/exit", 0],
  ] as const) {
    test(`ends a published build whose app is ${phase} as ${stage}`, async () => {
      const { world, before, node, build } = await restarted([phase]);
      await using _before = before;
      await using _world = world;
      const row = await rowOf(world, build);
      assert.deepEqual([row.stage, row.code], [stage, code]);
      assert.equal(node.of("start-replica").length, starts);
    });
  }

  test("goes on with a published build where its app still starts, and starts it where the node has not heard of it or it was stopped with the platform", async () => {
    for (const phases of [["starting"], [], ["stopped"]] as const) {
      const { world, before, node, build } = await restarted(phases);
      await using _before = before;
      await using _world = world;
      assert.equal(await stageOf(world, build), "starting");
      const started = node.of("start-replica")[0]?.spec;
      assert.equal(started === undefined, phases[0] === "starting");
      const id = started?.replica ?? before.replicas.of("alice/demo").at(-1)?.status.replica ?? "";
      node.say({ type: "replica", status: replica(id, "ready") });
      await world.settled();
      assert.equal(await stageOf(world, build), "done");
    }
  });

  test("fails a build of version 0.1, which kept nothing by which it could go on, with a last line", async () => {
    await using before = await ControlWorld.open();
    const space = await before.space();
    const at = before.clock.wall();
    await before.catalog.builds.create({ id: "b_old", space, commit: "1", says: "", queuedAt: at });
    const world = await again(before);
    await using _ = world;
    assert.deepEqual(
      [await stageOf(world, "b_old"), (await rowOf(world, "b_old")).code],
      ["failed", "build/builder-lost"],
    );
    assert.match(await last(world, "b_old"), /lines, complete$/);
  });
});
