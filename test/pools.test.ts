/** Two pools of one node's cards, and a Space's rule through them, on a real platform with simulated cards. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { WaybillClient } from "../src/client/api.ts";
import { ApiError } from "../src/client/errors.ts";
import { borrowed, endedCall, newestCall, running } from "./support/calls.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

describe("two pools of one node", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let app: App;

  before(async () => {
    up = await Platform.start({ gpus: "2x1" });
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
    app = await up.deploy(alice, "app");
    await up.admin.makePool("fast", {});
    await up.admin.givePool({ node: "n1", card: 0 }, "fast");
    await up.admin.changeRoute({ space: app.space }, { pools: ["fast", "main"] });
  });
  after(() => up[Symbol.asyncDispose]());

  const receiptOf = async (call: string) => (await alice.client.receipt(call)).receipt;
  const fast = { pool: "fast" } as const;

  test("a call goes to the first pool of its Space's rule, and its receipt says by which rule", async () => {
    const { nodes } = await alice.client.nodes();
    assert.deepEqual(
      nodes[0]?.cards.map(({ pool }) => pool),
      ["fast", "main"],
    );
    const { id } = await borrowed(alice, app);
    const { pool, route, gpu } = await receiptOf(id);
    assert.deepEqual([pool, route], ["fast", { by: "space", pools: ["fast", "main"], passed: [], moves: [] }]);
    assert.match(gpu ?? "", /sim.*0\)$/i);
  });

  test("one whose first pool is out of use is served by the second: quote, receipt and explanation say what was passed over", async () => {
    await up.admin.drain(fast, { reason: "new driver" });
    const quote = await alice.client.quote({ space: app.space, declaredMs: 1_000 });
    assert.deepEqual(
      [quote.pool, quote.admitted, quote.passed.map(({ pool, code }) => [pool, code])],
      ["main", true, [["fast", "capacity/pool-draining"]]],
    );
    const { id } = await borrowed(alice, app);
    await up.admin.undrain(fast);
    const { pool, route } = await receiptOf(id);
    assert.equal(pool, "main");
    assert.deepEqual(
      route?.passed.map(({ pool: of, code }) => [of, code]),
      [["fast", "capacity/pool-draining"]],
    );
    assert.match(route?.passed[0]?.says ?? "", /new driver/);
    const { sentence } = await alice.client.explain(id);
    assert.match(
      sentence,
      /Served by pool main, by the rule of its Space \(fast, then main\): fast is out of use \(.*new driver\)\.$/,
    );
  });

  test("one that comes while the first is full is served by the second, and where both are full it is refused with both", async () => {
    await up.admin.changePool("fast", { queueMax: 0 });
    await using first = await running(alice, app);
    assert.equal((await receiptSoFar(first.call.id)).pool, "fast");
    const { id } = await borrowed(alice, app);
    const { pool, route } = await receiptOf(id);
    assert.deepEqual([pool, route?.passed], ["main", [{ pool: "fast", code: "gpu/queue-full" }]]);
    await up.admin.changePool("main", { queueMax: 0 });
    await using second = await running(alice, app);
    assert.ok(second.call);
    const { refused } = await alice.client.quote({ space: app.space, declaredMs: 1_000 });
    assert.deepEqual(
      [refused?.code, refused?.says.endsWith("Passed over: fast lets no more calls wait.")],
      ["gpu/queue-full", true],
    );
    await up.admin.changePool("main", { queueMax: 1_000 });
    await up.admin.changePool("fast", { queueMax: 1_000 });
  });

  test("one that has waited its time moves on to the next pool, which its receipt says with how long it waited", async () => {
    await up.admin.changeRoute({ space: app.space }, { pools: ["fast", "main"], moveAfterMs: 1_000 });
    await using first = await running(alice, app);
    assert.equal((await receiptSoFar(first.call.id)).pool, "fast");
    const answer = visit(`${app.url}/gpu/hold?seconds=0.1`, bob);
    const waiting = await newestCall(bob, "queued");
    const queue = await up.admin.gpuQueue();
    assert.deepEqual(
      queue.pools.map(({ name }) => name),
      ["fast", "main"],
    );
    assert.ok(queue.calls.every(({ pool }) => pool === "fast" || pool === "main"));
    assert.equal((await answer).status, 200);
    const call = await endedCall(bob.client, waiting.id);
    const { receipt } = await bob.client.receipt(call.id);
    const [move] = receipt.route?.moves ?? [];
    assert.deepEqual([receipt.pool, move?.from, move?.to, move?.why], ["main", "fast", "main", "waited"]);
    assert.ok((move?.waitedMs ?? 0) >= 1_000, `${move?.waitedMs} ms`);
    const { sentence, entries } = await bob.client.explain(call.id);
    assert.match(sentence, /It moved on from fast to main after \d/);
    assert.ok(entries.some(({ hop, facts }) => hop === "gpu.queue" && facts["moved"] === true));
  });

  test("pools, cards and rules are there after a restart, and can be taken back", async () => {
    await up.kill();
    await up.up();
    await until("the node is there again", async () => (await up.admin.nodes()).nodes[0]?.state === "up");
    assert.deepEqual(
      (await up.admin.nodes()).nodes[0]?.cards.map(({ pool }) => pool),
      ["fast", "main"],
    );
    assert.deepEqual(await alice.client.route({ space: app.space }), { pools: ["fast", "main"], moveAfterMs: 1_000 });
    assert.deepEqual((await up.admin.changeRoute({ space: app.space }, null)).pools, []);
    await up.admin.changeRoute({ account: "bob" }, { pools: ["fast"] });
    const { id } = await borrowed(bob, app);
    assert.deepEqual((await bob.client.receipt(id)).receipt.route?.by, "account");
    assert.equal((await bob.client.receipt(id)).receipt.pool, "fast");
    const { nodes } = await up.admin.givePool({ node: "n1", card: 0 }, null);
    assert.deepEqual(
      nodes[0]?.cards.map(({ pool }) => pool),
      ["main", "main"],
    );
    const { route } = await receiptOf((await borrowed(alice, app)).id);
    assert.equal(route, undefined);
  });

  test("pools and rules are an operator's to change; a rule is seen by whose it is; what is not there is not found", async () => {
    const forbidden: readonly (() => Promise<unknown>)[] = [
      () => alice.client.makePool("mine", {}),
      () => alice.client.givePool({ node: "n1", card: 0 }, "fast"),
      () => alice.client.changeRoute({ space: app.space }, { pools: ["fast"] }),
      () => alice.client.changeRoute({ account: "alice" }, { pools: ["fast"] }),
      () => bob.client.route({ space: app.space }),
      () => bob.client.route({ account: "alice" }),
    ];
    for (const ask of forbidden) assert.equal(await refusal(ask), 403, String(ask));
    const missing: readonly ((client: WaybillClient) => Promise<unknown>)[] = [
      (client) => client.givePool({ node: "n9" }, "fast"),
      (client) => client.givePool({ node: "n1", card: 9 }, "fast"),
      (client) => client.givePool({ node: "n1", card: 0 }, "none"),
      (client) => client.changeRoute({ space: app.space }, { pools: ["none"] }),
      (client) => client.changeRoute({ space: "alice/none" }, { pools: ["fast"] }),
      (client) => client.changeRoute({ account: "nobody" }, { pools: ["fast"] }),
    ];
    for (const ask of missing) assert.equal(await refusal(() => ask(up.admin)), 404, String(ask));
    for (const pools of [[], ["fast", "fast"], ["a b"]])
      assert.equal(await refusal(() => up.admin.changeRoute({ space: app.space }, { pools })), 400);
    assert.equal(await refusal(() => up.admin.makePool("a b", {})), 400);
  });

  /** A call that has not ended has no receipt: its slot says where it is. */
  async function receiptSoFar(call: string): Promise<{ readonly pool: string | undefined }> {
    const { slots } = await up.admin.gpuBoard();
    const slot = slots.find((one) => one.call === call)?.slot;
    return { pool: slot === "n1/0/0" ? "fast" : slot === "n1/1/0" ? "main" : undefined };
  }

  async function refusal(ask: () => Promise<unknown>): Promise<number> {
    try {
      await ask();
    } catch (error) {
      if (error instanceof ApiError) return error.problem.status;
      throw error;
    }
    return 200;
  }
});
