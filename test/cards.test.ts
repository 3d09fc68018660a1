/** Cards that fall ill while the platform runs. They are a stand-in `nvidia-smi`'s; the platform, its workers and its books are real. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CardWatch, type Trouble } from "../src/gpu/card-watch.ts";
import { discover } from "../src/gpu/discovery.ts";
import { endedCall, newestCall, running } from "./support/calls.ts";
import { StandInSmi, h100, type StandInState } from "./support/nvidia-smi.ts";
import { Platform, killProcess, until, visit, type Account, type App } from "./support/platform.ts";

const lost = "[GPU is lost]";
const mismatch = "Failed to initialize NVML: Driver/library version mismatch";

describe("asking nvidia-smi", () => {
  test("tells model, driver, compute capability and memory of each card", async () => {
    using smi = new StandInSmi();
    const { devices, says } = await discover(smi.command);
    assert.deepEqual(devices[1], {
      index: 1,
      uuid: "GPU-stand-in-1",
      name: "NVIDIA H100 (stand-in)",
      slots: 1,
      simulated: false,
      computeCapability: "9.0",
      driver: "580.95.05",
      memoryMiB: 81_559,
      ecc: true,
    });
    assert.match(says, /shows 2 cards$/);
  });

  test("asks again without what an old driver does not know", async () => {
    using smi = new StandInSmi({ driver: "470.182.03", cards: [h100()], unknown: ["compute_cap"] });
    const [card] = (await discover(smi.command)).devices;
    assert.deepEqual([card?.driver, card?.computeCapability], ["470.182.03", undefined]);
  });

  test("an instance of a divided card is a card of its own, with one slot; a divided card without one is not used", async () => {
    using smi = new StandInSmi({
      driver: "580.95.05",
      cards: [h100(0), { ...h100(1), instances: ["3g.40gb", "4g.40gb"] }, { ...h100(2), instances: [] }],
    });
    const { devices, buses, says } = await discover(smi.command, 2);
    assert.deepEqual(
      devices.map(({ index, uuid, name, slots, memoryMiB, instanceOf }) => [
        index,
        uuid,
        name,
        slots,
        memoryMiB,
        instanceOf,
      ]),
      [
        [0, "GPU-stand-in-0", "NVIDIA H100 (stand-in)", 2, 81_559, undefined],
        [200, "MIG-stand-in-1-0", "NVIDIA H100 (stand-in) MIG 3g.40gb", 1, 40_960, "GPU-stand-in-1"],
        [201, "MIG-stand-in-1-1", "NVIDIA H100 (stand-in) MIG 4g.40gb", 1, 40_960, "GPU-stand-in-1"],
      ],
    );
    assert.equal(buses["MIG-stand-in-1-0"], buses["GPU-stand-in-1"]);
    assert.match(says, /card 2 is in MIG mode and has no instance/);
  });

  test("what an old driver does not know is left out, and nothing else", async () => {
    using smi = new StandInSmi({ driver: "535.54.03", cards: [h100()], unknown: ["gpu_recovery_action"] });
    const told: Trouble[] = [];
    const known = await discover(smi.command);
    const more = {
      command: smi.command,
      everyMs: 3_600_000,
      kernelLog: null,
      now: () => performance.now(),
      onProcesses: () => new Set<number>(),
    };
    using watch = new CardWatch({ ...known, ...more, onChange: (trouble) => told.push(trouble) });
    await watch.look();
    smi.set({ ...smi.state, cards: [{ ...h100(), memoryErrors: 1 }] });
    await watch.look();
    assert.deepEqual(
      told.map((trouble) => Object.keys(trouble)),
      [[], ["GPU-stand-in-0"]],
    );
  });

  test("a driver that does not answer for its cards is told in its own words", async () => {
    using smi = new StandInSmi({ driver: "", cards: [], fails: mismatch });
    const { devices, absent, says } = await discover(smi.command);
    assert.deepEqual([devices, absent, says], [[], false, mismatch]);
  });

  test("a look that hangs is given up, and followed by another only when its process is gone", async () => {
    using smi = new StandInSmi();
    const told: Trouble[] = [];
    using watch = new CardWatch({
      ...(await discover(smi.command)),
      command: smi.command,
      everyMs: 20,
      answerWithinMs: 500,
      kernelLog: null,
      now: () => performance.now(),
      onChange: (trouble) => told.push(trouble),
      onProcesses: () => new Set<number>(),
    });
    await watch.look();
    assert.deepEqual(told, [{}]);
    smi.set({ ...smi.state, hangs: true });
    await until("the hang is told", () => told.length === 2);
    assert.match(told[1]?.["*"]?.says ?? "", /did not answer within 0\.5 s/);
    smi.set({ ...smi.state, hangs: false });
    await until("it answers again", () => told.length === 3);
    assert.deepEqual(told[2], {});
  });
});

describe("cards in trouble", () => {
  const smi = new StandInSmi();
  const healthy = smi.state;
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: null, env: { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_CARDS_SECONDS: "1" } });
    alice = await up.account("alice", "unlimited");
    app = await up.deploy(alice, "app");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    smi[Symbol.dispose]();
  });

  const troubled = (count: number) =>
    until(`${count} cards are in trouble`, async () => (await up.admin.pool("main")).troubled === count);
  const say = async (change: Partial<StandInState>, count: number): Promise<void> => {
    smi.set({ ...healthy, ...change });
    await troubled(count);
  };

  const cardOf = async (call: string): Promise<number> =>
    Number((await up.admin.gpuBoard()).slots.find((slot) => slot.call === call)?.slot.split("/")[1]);

  test("are real cards for the pool, with nothing wrong", async () => {
    const { simulated, devices, slots, troubled: count } = await up.admin.pool("main");
    assert.deepEqual([simulated, devices, slots, count], [false, 2, 2, 0]);
  });

  test("one is lost: its slots are not granted, who waits hears why, and they come back with it", async () => {
    await say({ cards: [{ ...h100(0), says: lost }, h100(1)] }, 1);
    const { slots } = await up.admin.gpuBoard();
    assert.deepEqual(
      slots.map(({ slot, trouble }) => [slot, trouble]),
      [
        ["n1/0/0", `the driver says ${lost} of the card`],
        ["n1/1/0", null],
      ],
    );
    const full = await running(alice, app);
    const leased = (await up.admin.gpuBoard()).slots.filter(({ call }) => call !== null).map(({ slot }) => slot);
    assert.deepEqual(leased, ["n1/1/0"]);
    const waits = visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    const { id } = await newestCall(alice, "queued");
    const { waiting } = await alice.client.call(id);
    assert.match(waiting?.says ?? "", /1 of 2 cards is in trouble \(the driver says \[GPU is lost\] of the card\)/);
    assert.deepEqual(
      waiting?.blockers.map(({ kind }) => kind),
      ["slots", "cards"],
    );
    await say({}, 0);
    assert.equal((await waits).status, 200);
    await endedCall(alice.client, id);
    const { gpu, simulated } = (await alice.client.receipt(id)).receipt;
    assert.deepEqual([gpu, simulated], ["NVIDIA H100 (stand-in) (GPU-stand-in-0)", false]);
    await full[Symbol.asyncDispose]();
  });

  test("one falls ill while a call runs on it: the call is ended for nothing, its receipt names the fault, the other's goes on", async () => {
    const [ill, well] = [await running(alice, app), await running(alice, app, "seconds=2")];
    const bad = await cardOf(ill.call.id);
    await say({ cards: [0, 1].map((index) => ({ ...h100(index), memoryErrors: index === bad ? 3 : 0 })) }, 1);
    const ended = await endedCall(alice.client, ill.call.id);
    assert.deepEqual([ended.code, ended.chargedMs], ["gpu/device-fault", 0]);
    const { receipt } = await alice.client.receipt(ill.call.id);
    assert.deepEqual([receipt.rule, receipt.code], ["device-fault", "gpu/device-fault"]);
    const { verdict } = await alice.client.explain(ill.call.id);
    assert.match(verdict?.sentence ?? "", /counts 3 uncorrected memory errors/);
    const done = await endedCall(alice.client, well.call.id);
    assert.deepEqual([done.outcome, done.chargedMs], ["ok", done.usedMs]);
    await say({}, 0);
  });

  test("one is drained: its call finishes, new ones go to the other; drained both, they are refused with the reason", async () => {
    const runs = await running(alice, app);
    const card = await cardOf(runs.call.id);
    await up.admin.drain({ node: "n1", card }, { reason: "fan" });
    await using next = await running(alice, app);
    assert.notEqual(await cardOf(next.call.id), card);
    const { nodes } = await up.admin.drain({ node: "n1" }, { reason: "driver", endAfterMs: 0 });
    assert.match(nodes[0]?.drain?.says ?? "", /^draining since \d\d:\d\d UTC, by admin: driver; calls end at/);
    for (const { call } of [runs, next]) {
      const { code, chargedMs } = await endedCall(alice.client, call.id);
      assert.deepEqual([code, chargedMs], ["gpu/stopped", 0]);
    }
    assert.equal((await alice.client.receipt(runs.call.id)).receipt.rule, "operator-stop");
    const { status, call } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    assert.equal(status, 503);
    const { verdict } = await alice.client.explain(call);
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["capacity", "pool-draining", "proved"]);
    await up.restart();
    await until("nothing runs or idles there any more", async () => {
      const [node] = (await up.admin.nodes()).nodes;
      return node?.drain?.reason === "driver" && node.cards.every(({ free, slots }) => free === slots);
    });
    await up.admin.undrain({ node: "n1" });
    await up.admin.undrain({ node: "n1", card });
    assert.equal((await visit(`${app.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
  });

  test("what is known of them outlives a SIGKILL of the platform, also before the first look after it", async () => {
    await say({ fails: mismatch }, 2);
    smi.set({ ...healthy, cards: [h100(0), { ...h100(1), says: lost }] });
    await up.restart();
    assert.ok((await up.admin.pool("main")).troubled > 0);
    await troubled(1);
    await say({}, 0);
  });

  test("a function that ends badly before the platform has looked is excused too: it looks before it settles", async () => {
    await using slow = await Platform.start({
      gpus: null,
      env: { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_CARDS_SECONDS: "3600" },
    });
    const bob = await slow.account("bob");
    const own = await slow.deploy(bob, "app");
    const [dies, other] = [await running(bob, own, "seconds=30"), await running(bob, own, "seconds=30")];
    smi.set({ ...healthy, cards: healthy.cards.map((card) => ({ ...card, says: lost })) });
    const { entries } = await slow.admin.explain(dies.call.id);
    const pid = entries.find(({ hop }) => hop === "gpu.attach")?.facts["pid"];
    const worker = (await slow.replica(own.space)).workers().find((one) => one.pid === pid);
    assert.ok(worker);
    killProcess(worker);
    const dead = await endedCall(bob.client, dies.call.id);
    assert.deepEqual([dead.code, dead.chargedMs], ["gpu/device-fault", 0]);
    const { verdict } = await bob.client.explain(dead.id);
    assert.deepEqual([verdict?.owner, verdict?.certainty], ["platform", "proved"]);
    // The other one runs on a lost card too, and is ended for it.
    const ended = await endedCall(bob.client, other.call.id);
    assert.deepEqual([ended.code, ended.chargedMs], ["gpu/device-fault", 0]);
    smi.set(healthy);
  });

  test("with more slots than one a card, the API says what that means", async () => {
    await using cut = await Platform.start({
      gpus: null,
      env: { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_CARD_SLOTS: "2" },
    });
    const [node] = (await cut.admin.nodes()).nodes;
    assert.deepEqual(
      node?.cards.map(({ slots, driver }) => [slots, driver]),
      [
        [2, "580.95.05"],
        [2, "580.95.05"],
      ],
    );
    assert.match(node?.cards[0]?.warning ?? "", /^2 calls share its memory and nothing bounds the share of one/);
  });
});
