/** What people do with a Space, on the server's side alone: orders to a node that the test speaks for. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpaceRoute } from "../edge/ports.ts";
import type { ReplicaSpec, ReplicaStatus } from "../contract/agent.ts";
import { ControlWorld, replica } from "./control.suite.ts";
import type { TestNode } from "./control.suite.ts";

const owner = { kind: "owner", account: "alice" } as const;
const operator = { kind: "operator", account: "admin" } as const;
const id = "alice/demo";

/** rel_1 runs as p_1, rel_2 is published. */
async function running() {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.release("rel_2", 2);
  const node = await world.node([replica("p_1", "ready")]);
  const say = async (...statuses: ReturnType<typeof replica>[]): Promise<void> => {
    for (const status of statuses) node.say({ type: "replica", status });
    await world.settled();
  };
  const stopped = replica("p_1", "stopped", {
    end: { code: "app/exit", exitCode: null, signal: null, says: "stopped" },
  });
  const route = (): SpaceRoute["state"] | undefined => world.spaces.find("alice-demo.localhost")?.state;
  return { world, node, say, stopped, route };
}

describe("a pause", () => {
  test("is durable before it is answered, and refuses visitors before the app has ended", async () => {
    const { world, node, say, stopped, route } = await running();
    await using _ = world;
    assert.deepEqual(await world.spaces.pause(id, { actor: owner, by: "owner", why: "over the weekend" }), {
      ok: true,
    });
    const row = await world.catalog.spaces.get(id);
    assert.deepEqual([row?.state, row?.says], ["stopping", "over the weekend"]);
    assert.deepEqual(
      node.of("stop-replica").map(({ replica: stop }) => stop),
      ["p_1"],
    );
    assert.equal(route()?.kind, "down");
    await say(stopped);
    const { state, actor, deadline, ends } = (await world.spaces.view(id)) ?? {};
    assert.deepEqual([state, actor, deadline], ["paused", owner, null]);
    assert.match(ends ?? "", /Its owner or the operator can lift that/);
  });

  test("stops a replica that its node tells of later", async () => {
    const { world, node, say, stopped } = await running();
    await using _ = world;
    await world.spaces.pause(id, { actor: owner, by: "owner", why: null });
    await say(stopped, replica("p_2", "ready"));
    assert.deepEqual(
      node.of("stop-replica").map(({ replica: stop }) => stop),
      ["p_1", "p_2"],
    );
  });

  test("by the operator is said to a stranger without names, and to its owner with the reason", async () => {
    const { world, say, stopped, route } = await running();
    await using _ = world;
    await world.spaces.pause(id, { actor: operator, by: "operator", why: "too hot" });
    await say(stopped);
    const state = route();
    assert.ok(state?.kind === "down");
    assert.equal(state.says, "it is paused by the operator");
    const seen = await world.spaces.publicView(id);
    assert.doesNotMatch(JSON.stringify(seen), /too hot|admin/);
    const refused = await world.spaces.restart(id, owner);
    assert.ok(!refused.ok);
    assert.deepEqual([refused.code, /too hot.*Only the operator/.test(refused.says)], ["control/paused", true]);
  });

  test("of a Space that is being built ends its build as built, not started, with the reason", async () => {
    const { world, say, stopped } = await running();
    await using _ = world;
    await world.spaces.pause(id, { actor: owner, by: "owner", why: null });
    await say(stopped);
    const release = await world.catalog.releases.get("rel_2");
    assert.ok(release);
    assert.equal(await world.spaces.start(release, null), undefined);
    assert.match(
      world.spaces.held(release) ?? "",
      /^The Space is paused: its owner paused it\. Its owner or the operator/,
    );
    assert.equal((await world.spaces.view(id))?.release, "rel_2", "that one runs when it is resumed");
  });
});

describe("what an app is started with", () => {
  const set = (world: ControlWorld, name: string) =>
    world.environments.set({ kind: "secret", space: id, name }, { value: name, description: null, account: "alice" });
  /** What the node was told to start, as it would say it back. */
  const orders = (node: TestNode, from = 0) =>
    node
      .of("start-replica")
      .slice(from)
      .map(({ spec }) => spec);
  const as = ({ replica: one, setup }: ReplicaSpec, phase: ReplicaStatus["phase"], over: Partial<ReplicaStatus> = {}) =>
    replica(one, phase, { ...(setup && { setup }), ...over });

  test("is changed while it runs: started again once, with all of the changes, and not by a look after that", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await set(world, "A");
    await set(world, "B");
    await world.spaces.set(id, { hardware: "cpu-basic" }, owner);
    await world.settled();
    const [first, ...more] = orders(node);
    assert.ok(first && more.length === 0);
    await say(as(first, "ready"));
    const [last, ...none] = orders(node, 1);
    assert.ok(last && none.length === 0);
    assert.deepEqual([last.setup?.gpu, Object.keys(last.secrets ?? {})], [false, ["A", "B"]]);
    await say(as(last, "ready"));
    await world.spaces.refresh(id);
    assert.equal(orders(node).length, 2);
    assert.match(
      JSON.stringify(await world.spaces.events(id, undefined, 20)),
      /secret A was set by alice: started again with it/,
    );
  });

  test("is changed, and of the replica that has it no word comes: it is not started again when it has ended by our order", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await world.spaces.set(id, { "sleep-after": "" }, owner);
    await set(world, "A");
    await world.settled();
    const [first] = orders(node);
    assert.ok(first);
    await say(as(first, "starting"));
    world.clock.advance(70_000);
    await world.spaces.refresh(id);
    assert.deepEqual(
      node.of("stop-replica").map((stop) => stop.replica),
      [first.replica],
    );
    await say(as(first, "stopped"));
    await world.spaces.refresh(id);
    assert.equal(orders(node).length, 1);
  });

  test("is known of a replica that a platform before this one started", async () => {
    const { world, node } = await running();
    await using _ = world;
    const current = { gpu: true, environment: 0 };
    node.say({ type: "replica", status: replica("p_1", "ready", { setup: current }) });
    await world.settled();
    assert.equal(orders(node).length, 0);
    node.say({ type: "replica", status: replica("p_1", "ready", { setup: { ...current, gpu: false } }) });
    await world.settled();
    assert.equal(orders(node).length, 1);
  });

  test("is changed while it starts, or is tried again by its node: the replica that runs in the end has the change", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(replica("p_1", "ready", { setup: { gpu: true, environment: 0 } }));
    await world.spaces.restart(id, owner);
    await world.spaces.set(id, { hardware: "cpu-basic" }, owner);
    const [begun] = orders(node);
    assert.ok(begun);
    await say(as(begun, "ready"));
    const [next] = orders(node, 1);
    assert.equal(next?.setup?.gpu, false);
    await say(as(next, "ready"), replica("p_1", "stopped"), as(begun, "stopped"), as(next, "exited"));
    await say(as(next, "starting", { replica: "p_9", previous: next.replica }));
    await set(world, "KEY");
    await world.settled();
    assert.deepEqual(Object.keys(orders(node, 2)[0]?.secrets ?? {}), ["KEY"]);
    assert.ok(node.of("stop-replica").some((stop) => stop.replica === "p_9"));
  });

  test("is changed while it is frozen: that replica ends, and the next request waits for one with the change", async () => {
    const { world, node, say, route } = await running();
    await using _ = world;
    await world.spaces.set(id, { "sleep-after": "1s", "sleep-mode": "freeze" }, owner);
    world.clock.advance(2_000);
    await world.spaces.refresh(id);
    await say(replica("p_1", "ready", { frozen: true }));
    assert.equal(route()?.kind, "asleep");
    await set(world, "KEY");
    await world.settled();
    assert.deepEqual(
      node.of("stop-replica").map((stop) => stop.replica),
      ["p_1"],
    );
    const woken = world.spaces.wake(id, null);
    // It goes on for its TERM, and answers nobody meanwhile.
    await say(replica("p_1", "ready"));
    const [next] = orders(node);
    assert.ok(next);
    await say(as(next, "ready"));
    const { state } = (await woken) ?? {};
    assert.deepEqual(state?.kind === "running" && state.replicas.map((one) => one.id), [next.replica]);
  });

  test("is changed by its owner while it is in a crash loop: tried anew, by the word of who changed it", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    const end = { code: "app/crash-loop", exitCode: 1, signal: null, says: "no KEY" };
    await say(replica("p_1", "exited", { end }));
    assert.equal((await world.spaces.view(id))?.state, "crash-looping");
    await set(world, "KEY");
    await world.settled();
    const view = await world.spaces.view(id);
    assert.deepEqual([view?.state, view?.actor], ["starting", owner]);
    assert.equal(view?.reason.says, "secret KEY was set by alice: tried anew with it");
    const [next] = orders(node);
    assert.ok(next);
    await say(as(next, "exited", { end }));
    assert.deepEqual([(await world.spaces.view(id))?.state, orders(node).length], ["crash-looping", 1]);
  });
});

describe("a Space that is asleep", () => {
  test("wakes by one start however many ask, and all of them are told when it answers", async () => {
    const { world, node, say, stopped, route } = await running();
    await using _ = world;
    await world.spaces.set(id, { "sleep-after": "1s" }, owner);
    world.clock.advance(2_000);
    await world.spaces.refresh(id);
    await say(stopped);
    assert.equal(route()?.kind, "asleep");
    const asked = Promise.all([null, "alice", null].map((account) => world.spaces.wake(id, account)));
    await world.spaces.refresh(id);
    const [order, ...more] = node.of("start-replica");
    assert.equal(more.length, 0);
    await say(replica(order?.spec.replica ?? "", "ready"));
    assert.deepEqual(new Set((await asked).map((answer) => answer?.state.kind)), new Set(["running"]));
  });

  test("holds a request no longer than somebody waits for it", async () => {
    const { world, say, stopped } = await running();
    await using _ = world;
    await world.spaces.set(id, { "sleep-after": "1s" }, owner);
    world.clock.advance(2_000);
    await world.spaces.refresh(id);
    await say(stopped);
    const gone = new AbortController();
    for (let asked = 0; asked < 500; asked += 1) void world.spaces.wake(id, null, gone.signal);
    const full = await world.spaces.wake(id, null);
    assert.ok(full?.state.kind === "down" && full.state.code === "route/waking");
    gone.abort();
    const one = await Promise.race([world.spaces.wake(id, null), world.settled()]);
    assert.equal(one, undefined, "it is held");
  });

  test("frozen keeps its replica: it is told to freeze, and to go on", async () => {
    const { world, node, say, route } = await running();
    await using _ = world;
    await world.spaces.set(id, { "sleep-after": "1s", "sleep-mode": "freeze" }, owner);
    world.clock.advance(2_000);
    await world.spaces.refresh(id);
    await say(replica("p_1", "ready", { frozen: true }));
    assert.equal((await world.spaces.view(id))?.state, "sleeping");
    const woken = world.spaces.wake(id, null);
    await world.spaces.refresh(id);
    await say(replica("p_1", "ready"));
    assert.equal((await woken)?.state.kind, "running");
    // A repeat of an order is harmless.
    assert.deepEqual([...new Set(node.of("freeze-replica").map(({ frozen }) => frozen))], [true, false]);
    assert.deepEqual([node.of("stop-replica"), node.of("start-replica")], [[], []]);
    assert.equal(route()?.kind, "running");
  });
});

describe("what happened to a Space", () => {
  test("is listed newest first, by whom and why, and a repeat adds nothing", async () => {
    const { world, say, stopped } = await running();
    await using _ = world;
    const pause = () => world.spaces.pause(id, { actor: owner, by: "owner", why: "so" });
    await pause();
    await pause();
    await say(stopped);
    await pause();
    const { items = [] } = (await world.spaces.events(id, undefined, 2)) ?? {};
    assert.deepEqual(
      items.map(({ from, to, reason, actor }) => [from, to, reason.says, actor.account]),
      [
        ["stopping", "paused", "so", "alice"],
        ["running", "stopping", "so", "alice"],
      ],
    );
  });

  test("is what the next process begins with: paused stays paused, and nothing is started by its node's hello", async () => {
    const { world, say, stopped } = await running();
    await using _ = world;
    await world.spaces.pause(id, { actor: operator, by: "operator", why: "too hot" });
    await say(stopped);
    await using next = await ControlWorld.open({ catalog: world.catalog });
    await next.spaces.recover();
    const node = await next.node();
    assert.deepEqual([(await next.spaces.view(id))?.state, node.of("start-replica").length], ["paused", 0]);
  });
});
