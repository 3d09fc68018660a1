import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ToServer } from "../contract/agent.ts";
import { ControlWorld, replica } from "./control.suite.ts";
import type { TestNode } from "./control.suite.ts";

const done = (build: string, release: string): ToServer => ({
  type: "build-done",
  build,
  outcome: { ok: true, release, sdk: "node", settings: {} },
});
const failed = (build: string): ToServer => ({
  type: "build-done",
  build,
  outcome: { ok: false, code: "build/step-failed", step: "install", says: "install ended", because: [] },
});

async function building(): Promise<{
  world: ControlWorld;
  node: TestNode;
  build: string;
  say: (message: ToServer) => Promise<void>;
}> {
  const world = await ControlWorld.open();
  const space = await world.space();
  const node = await world.node();
  const { id } = await world.builds.request({ space, commit: "1", account: "alice" });
  const say = async (message: ToServer): Promise<void> => {
    node.say(message);
    await world.settled();
  };
  await say({ type: "build-claimed", build: id, number: 1, builder: "n1" });
  return { world, node, build: id, say };
}

const last = async (world: ControlWorld, build: string): Promise<string | undefined> =>
  (await world.builds.log(build)).read(-1, 1).lines.at(-1)?.text;

describe("Builds", () => {
  test("a build is done when a replica of its release listens, and says so last", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(done(build, "rel_1"));
    const [start] = node.of("start-replica");
    await say({ type: "replica", status: replica(start?.spec.replica ?? "", "ready") });
    const row = await world.catalog.builds.get(build);
    assert.deepEqual([row?.stage, row?.release], ["done", "rel_1"]);
    assert.match((await last(world, build)) ?? "", /^running; \d+ lines, complete$/);
  });

  test("a build that is published starts one replica and ends once, whatever its builder tells again", async () => {
    const { world, node, build, say } = await building();
    await using _ = world;
    await say(done(build, "rel_1"));
    const [start] = node.of("start-replica");
    node.say({ type: "replica", status: replica(start?.spec.replica ?? "", "exited") });
    node.say({ type: "build-step", build, step: "install", state: "done", tookMs: 1 });
    node.say(done(build, "rel_2"));
    await world.settled();
    const row = await world.catalog.builds.get(build);
    assert.deepEqual([row?.stage, row?.code, row?.release], ["failed", "app/exit", "rel_1"]);
    assert.equal(world.builds.view(row as never).stage, "failed");
    assert.equal(node.of("start-replica").length, 1);
  });

  test("a wall clock that steps ends no build", async () => {
    const { world, build, say } = await building();
    await using _ = world;
    world.clock.wallMs += 24 * 3600_000;
    const other = await world.builds.request({ space: "alice/demo", commit: "2", account: "alice" });
    world.clock.wallMs -= 48 * 3600_000;
    await say({ type: "build-step", build, step: "fetch", state: "started", tookMs: 0 });
    assert.deepEqual(
      [(await world.catalog.builds.get(build))?.stage, (await world.catalog.builds.get(other.id))?.stage],
      ["fetching", "queued"],
    );
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
      await say({ type: "build-log", build, lines: [{ at: "", stream: "out", text }] });
    await say(failed(build));
    assert.equal((await world.catalog.builds.get(build))?.stage, "failed");
    assert.match(world.failures.join(), /could not be written/);
  });

  test("a build that a crash cut off is told lost by the next start", async () => {
    const { world, build } = await building();
    await using _ = world;
    await world.catalog.builds.update(build, { stage: "building" });
    await using next = await ControlWorld.open({ catalog: world.catalog });
    await next.builds.recover();
    const row = await next.catalog.builds.get(build);
    assert.deepEqual([row?.stage, row?.code], ["failed", "build/builder-lost"]);
  });

  /** A server that starts on the records of one that was killed while a published app was starting; its node says hello with these. */
  const restarted = async (
    phases: readonly Parameters<typeof replica>[1][],
  ): Promise<{ world: ControlWorld; before: ControlWorld; node: TestNode; build: string }> => {
    const { world: before, node: old, build, say } = await building();
    await say(done(build, "rel_1"));
    const started = old.of("start-replica")[0]?.spec.replica ?? "";
    const world = await ControlWorld.open({ catalog: before.catalog });
    await world.builds.recover();
    await world.spaces.recover();
    const node = await world.node(phases.map((phase) => replica(started, phase)));
    return { world, before, node, build };
  };

  for (const [phase, stage, code] of [
    ["ready", "done", null],
    ["exited", "failed", "app/exit"],
  ] as const) {
    test(`a published build whose app is ${phase} when the killed platform is back ends ${stage}`, async () => {
      const { world, before, node, build } = await restarted([phase]);
      await using _before = before;
      await using _world = world;
      const row = await world.catalog.builds.get(build);
      assert.deepEqual([row?.stage, row?.code], [stage, code]);
      assert.equal(node.of("start-replica").length, 0);
    });
  }

  test("a published build goes on where its app still starts, and is started where the node has not heard of it", async () => {
    for (const phases of [["starting"], []] as const) {
      const { world, before, node, build } = await restarted(phases);
      await using _before = before;
      await using _world = world;
      assert.equal((await world.catalog.builds.get(build))?.stage, "starting");
      const started = node.of("start-replica")[0]?.spec;
      assert.equal(started === undefined, phases.length === 1);
      const id = started?.replica ?? before.replicas.of("alice/demo").at(-1)?.status.replica ?? "";
      node.say({ type: "replica", status: replica(id, "ready") });
      await world.settled();
      assert.equal((await world.catalog.builds.get(build))?.stage, "done");
    }
  });
});
