import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryStore } from "../journal/index.ts";
import type { MemoryJournal } from "../journal/index.ts";
import { durationMs } from "../stdx/time.ts";
import { card, ControlWorld, replica, request, TestNode } from "./control.suite.ts";
import { inFlightMax } from "./engine.ts";
import { foreignMax } from "./nodes.ts";

const attached = (call: string, seq: number, fence = 1) =>
  ({ type: "meter", replica: "p_1", report: { kind: "attached", seq, call, fence, pid: 7, at: "" } }) as const;
const ended = (call: string, seq: number, fence = 1) =>
  ({
    type: "meter",
    replica: "p_1",
    report: {
      kind: "ended",
      seq,
      call,
      fence,
      cause: "returned",
      usedMs: 5,
      workerAlive: false,
      unused: false,
      at: "",
      says: "",
    },
  }) as const;

const acked = (node: TestNode): number[] => node.of("ack-meter").map(({ seq }) => seq);

/** A gate before each commit, open at first. */
function gate(): { pass: () => Promise<void>; shut(): void; open(): void } {
  let door = Promise.withResolvers<void>();
  door.resolve();
  return { pass: () => door.promise, shut: () => void (door = Promise.withResolvers()), open: () => door.resolve() };
}

describe("Nodes", () => {
  test("L13, L28: a meter's report is acknowledged when its settlement is durable, not before", async () => {
    const disk = gate();
    await using world = await ControlWorld.open({ beforeCommit: disk.pass });
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    assert.equal(node.of("grant").length, 1);
    disk.shut();
    node.say(attached("c_1", 1));
    node.say(ended("c_1", 2));
    await new Promise(setImmediate);
    assert.deepEqual(acked(node), []);
    disk.open();
    await world.settled();
    assert.deepEqual(acked(node), [1, 2]);
  });

  test("whoever waits for a request hears of its calls: a place, a grant, an end, and why one was refused", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    node.say({ type: "schedule", request: request("c_2") });
    await world.settled();
    assert.deepEqual(world.told, ["q_1 granted", "q_1 waiting 1 of 1"]);
    node.say(ended("c_1", 1));
    await world.settled();
    node.say({ type: "cleared", replica: "p_1", slot: "n1/0/0", fence: 1 });
    await world.settled();
    await world.engine.submit({ type: "set-pool", pool: "main", settings: { queueMax: 1 } });
    for (const call of ["c_3", "c_4"]) node.say({ type: "schedule", request: request(call) });
    await world.settled();
    const [, , ...then] = world.told;
    assert.deepEqual(then.slice(0, -1), ["q_1 ended", "q_1 granted", "q_1 waiting 1 of 1"]);
    assert.match(then.at(-1) ?? "", /^q_1 refused \S.*\.$/);
  });

  test("a full engine delays a report and loses none: what is acknowledged is in the ledger", async () => {
    const disk = gate();
    await using world = await ControlWorld.open({ beforeCommit: disk.pass });
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    disk.shut();
    const flood = Array.from({ length: inFlightMax }, (_, n) =>
      world.engine.submit({ type: "set-pool", pool: "main", settings: { queueMax: n + 1 } }),
    );
    node.say(attached("c_1", 1));
    node.say(ended("c_1", 2));
    await new Promise(setImmediate);
    disk.open();
    await Promise.all(flood);
    await world.settled();
    assert.deepEqual(acked(node), [1, 2]);
    assert.equal(await world.engine.read((state) => state.calls.get("c_1")?.stage), "settled");
    assert.deepEqual(world.failures, []);
  });

  test("L9: an end that a node has settled frees its worker's slot, also where the word of it was lost", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    const { report, ...meter } = ended("c_1", 1);
    node.say({ ...meter, report: { ...report, workerAlive: true } });
    await world.settled();
    const stages = () => world.engine.read((state) => [...state.slots.values()].map(({ stage }) => stage));
    assert.ok((await stages()).includes("warm"));
    await world.node([replica("p_1", "lost")]);
    await world.node([]);
    await world.settled();
    assert.ok(!(await stages()).includes("warm"));
  });

  test("what arrives just before a connection closes is dealt with before the drain ends", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    setImmediate(() => {
      node.say(ended("c_1", 1));
      node.link.close();
    });
    await world.settled();
    assert.equal(await world.engine.read((state) => state.calls.get("c_1")?.stage), "settled");
  });

  test("what a replica says right behind its node's hello is heard as its own", async () => {
    await using world = await ControlWorld.open();
    const node = new TestNode();
    world.nodes.connect(node.link);
    node.hello([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    assert.deepEqual(node.of("refuse"), []);
    assert.equal(node.of("grant")[0]?.call, "c_1");
  });

  test("a replica that its own node does not know any more is lost here too", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    const node = await world.node([replica("p_1", "ready")]);
    const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says: "this node has no replica p_1" };
    node.say({ type: "replica", status: replica("p_1", "lost", { space: "", release: "", end }) });
    await world.settled();
    assert.equal(world.replicas.get("p_1")?.status.phase, "lost");
    assert.equal(world.spaces.find("alice-demo.localhost")?.state.kind, "down");
  });
});

describe("a node that speaks of another's", () => {
  const stage = (world: ControlWorld, slot = "n1/0/0") => world.engine.read((state) => state.slots.get(slot)?.stage);
  /** n1 has p_1 with a call that runs, n2 has nothing. */
  const world = async () => {
    const opened = await ControlWorld.open();
    await opened.space();
    const honest = await opened.node([replica("p_1", "ready")]);
    honest.say({ type: "schedule", request: request("c_1") });
    honest.say(attached("c_1", 1));
    await opened.settled();
    const liar = await opened.node([], [card], 1, "n2");
    return { world: opened, honest, liar };
  };

  test("changes nothing by it, whatever it says, and each word is counted with what it was of", async () => {
    const { world: all, honest, liar } = await world();
    await using _ = all;
    const before = all.engine.durable;
    liar.say({ type: "left", call: "c_1", replica: "p_1" });
    liar.say({ type: "schedule", request: request("c_1") });
    liar.say(ended("c_1", 2));
    liar.say({ type: "cleared", replica: "p_1", slot: "n1/0/0", fence: 1 });
    liar.say({ type: "replica", status: replica("p_1", "lost") });
    liar.say({ type: "cards", node: "n1", trouble: { "*": { code: "runtime/nvml-lost", says: "" } } });
    liar.say({
      type: "evidence",
      batch: {
        ...{ emitter: "shim.p_1", epoch: 9 },
        records: [
          { kind: "entry", body: { seq: 4 } },
          { kind: "entry", body: null },
        ],
      },
    });
    await all.settled();
    assert.equal(all.engine.durable, before, "no record");
    assert.equal(await stage(all), "leased");
    assert.equal(all.replicas.get("p_1")?.status.phase, "ready");
    assert.deepEqual(acked(liar), []);
    assert.deepEqual(all.counted.toSorted(), [
      "n2: cards of node n1",
      "n2: cleared of replica p_1 of node n1",
      "n2: evidence of replica p_1 of node n1",
      "n2: left of call c_1 of node n1",
      "n2: meter of call c_1 of node n1",
      "n2: replica of replica p_1 of node n1",
      "n2: schedule of call c_1 of node n1",
    ]);
    assert.deepEqual(liar.of("ack-evidence"), [{ type: "ack-evidence", emitter: "shim.p_1", epoch: 9, seq: 4 }]);
    honest.say(ended("c_1", 2));
    await all.settled();
    assert.equal(await stage(all), "free", "the one whose it is goes on");
  });

  test("is heard of its own in the same hello; a replica that the server knows nothing of is stopped", async () => {
    await using all = await ControlWorld.open();
    await all.space();
    await all.release("rel_2", 1, "alice/demo");
    const node = await all.node([replica("p_1", "ready"), replica("p_9", "ready", { space: "bob/never" })]);
    assert.equal(all.replicas.get("p_1")?.node, "n1");
    assert.equal(all.replicas.get("p_9"), undefined);
    assert.deepEqual(
      node.of("stop-replica").map((order) => order.replica),
      ["p_9"],
    );
    assert.equal(all.counted.length, 1);
  });

  test("is not kept out for what it may have after a restore: any number of replicas in a hello that nobody knows", async () => {
    await using all = await ControlWorld.open();
    await all.space();
    const unknown = Array.from({ length: foreignMax }, (_, n) => replica(`p_x${n}`, "ready", { space: "bob/never" }));
    const node = await all.node([...unknown, replica("p_1", "ready")]);
    assert.equal(node.of("welcome").length, 1);
    assert.equal(all.nodes.isConnected("n1"), true);
    assert.deepEqual([node.of("stop-replica").length, all.counted.length], [foreignMax, foreignMax]);
  });

  test("loses its connection when it goes on, and its log names the counter once", async () => {
    const { world: all, liar } = await world();
    await using _ = all;
    let closed = false;
    liar.link.onClose(() => (closed = true));
    for (let n = 0; n < foreignMax; n++) {
      assert.equal(closed, false);
      liar.say({ type: "left", call: "c_1", replica: "p_1" });
      await all.settled();
    }
    assert.equal(closed, true);
    assert.equal(all.counted.length, foreignMax);
  });
});

describe("a visitor who leaves while the function runs", () => {
  const left = async (world: ControlWorld): Promise<TestNode> => {
    await world.space();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    node.say(attached("c_1", 1));
    await world.settled();
    await world.calls.visitorGone("q_1");
    return node;
  };
  const orders = (node: TestNode): unknown[] =>
    node.of("withdraw").map(({ call, fence, cause }) => [call, fence, cause]);

  test("lets it finish, where the Space says nothing else", async () => {
    await using world = await ControlWorld.open();
    assert.deepEqual(orders(await left(world)), []);
  });

  test("ends it once, where the Space says stop", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    await world.spaces.set("alice/demo", { "on-leave": "stop" });
    const node = await left(world);
    await world.calls.visitorGone("q_1");
    assert.deepEqual(orders(node), [["c_1", 1, "visitor-stop"]]);
  });

  test("ends it also where the server died before the order arrived: a node that comes back is told again, after its grant", async () => {
    const store = new MemoryStore();
    const first = await ControlWorld.open({ store });
    await left(first);
    await first[Symbol.asyncDispose]();
    (first.journal as MemoryJournal).crash();

    await using world = await ControlWorld.open({ store });
    await world.space();
    await world.spaces.set("alice/demo", { "on-leave": "stop" });
    const node = await world.node([replica("p_1", "ready")]);
    assert.deepEqual(
      node.heard.flatMap(({ type }) => (type === "grant" || type === "withdraw" ? [type] : [])),
      ["grant", "withdraw"],
    );
    assert.deepEqual(orders(node), [["c_1", 1, "visitor-stop"]]);
  });
});

describe("a node that comes back", () => {
  test("L22: a slot of a node that is away stays with its old worker until the node tells who is left", async () => {
    const store = new MemoryStore();
    const first = await ControlWorld.open({ store });
    const before = await first.node([replica("p_1", "ready")]);
    before.say({ type: "schedule", request: request("c_1") });
    await first.settled();
    before.say(attached("c_1", 1));
    await first.settled();
    await first[Symbol.asyncDispose]();
    (first.journal as MemoryJournal).crash();

    await using world = await ControlWorld.open({ store });
    world.clock.advance(60_000);
    await world.engine.submit({ type: "tick" });
    await world.settled();
    const stage = (): Promise<string | undefined> => world.engine.read((state) => state.slots.get("n1/0/0")?.stage);
    assert.equal(await stage(), "clearing");
    const node = await world.node([replica("p_1", "ready")]);
    assert.deepEqual(
      node.of("clear").map(({ slot, fence }) => [slot, fence]),
      [["n1/0/0", 1]],
    );
    world.clock.advance(5_000);
    await world.calls.clearAgain();
    await world.settled();
    assert.equal(node.of("clear").length, 2, "an order whose answer does not come is given again");
    node.say({ type: "cleared", replica: "p_1", slot: "n1/0/0", fence: 1 });
    await world.settled();
    assert.equal(await stage(), "free");
  });

  test("what it says of its cards is not lost where the ledger had given it up meanwhile, as after a machine's sleep", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_1", "ready")]);
    world.clock.advance(24 * 3_600_000);
    await world.engine.submit({ type: "tick" });
    assert.equal(await world.engine.read((state) => state.nodes.get("n1")?.stage), "lost");
    node.say({ type: "cards", node: "n1", trouble: { "*": { code: "runtime/nvml-lost", says: "no driver" } } });
    await world.settled();
    assert.deepEqual(await world.engine.read((state) => state.nodes.get("n1")?.trouble), [
      { device: 0, cause: "nvml-lost", says: "no driver" },
    ]);
  });

  test("a call that waited through a restart goes on being told of its place", async () => {
    const store = new MemoryStore();
    const first = await ControlWorld.open({ store });
    const before = await first.node([replica("p_1", "ready")]);
    for (const call of ["c_1", "c_2", "c_3"]) before.say({ type: "schedule", request: request(call) });
    await first.settled();
    assert.deepEqual(
      before.of("queued").map(({ call, position }) => [call, position]),
      [
        ["c_2", 1],
        ["c_3", 2],
      ],
    );
    await first[Symbol.asyncDispose]();
    (first.journal as MemoryJournal).crash();

    await using world = await ControlWorld.open({ store });
    const node = await world.node([replica("p_1", "ready")]);
    assert.deepEqual(
      node.of("queued").map(({ call, position }) => [call, position]),
      [
        ["c_2", 1],
        ["c_3", 2],
      ],
    );
    await world.engine.submit({ type: "leave", call: "c_2" });
    await world.calls.retell();
    assert.deepEqual(
      node
        .of("queued")
        .map(({ call, position }) => [call, position])
        .at(-1),
      ["c_3", 1],
    );
  });

  test("a call of a replica that has ended is refused, and holds no slot", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "replica", status: replica("p_1", "exited") });
    await world.settled();
    node.say({ type: "schedule", request: request("c_1", { declaredMs: durationMs(1000) }) });
    await world.settled();
    assert.deepEqual(
      node.of("refuse").map(({ code }) => code),
      ["gpu/replica-lost"],
    );
    const entry = world.drafts.find(({ work, mark }) => work === "c_1" && mark === "refused");
    assert.deepEqual([entry?.hop, entry?.facts["code"]], ["gpu.schedule", "gpu/replica-lost"], "it leaves evidence");
    assert.equal(await world.engine.read((state) => state.slots.get("n1/0/0")?.stage), "free");
  });
});
