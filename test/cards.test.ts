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
      slots: 2,
      simulated: false,
      computeCapability: "9.0",
      driver: "580.95.05",
      memoryMiB: 81_559,
    });
    assert.match(says, /shows 2 cards$/);
  });

  test("asks again without what an old driver does not know", async () => {
    using smi = new StandInSmi({ driver: "470.182.03", cards: [h100()], unknown: ["compute_cap"] });
    const [card] = (await discover(smi.command)).devices;
    assert.deepEqual([card?.driver, card?.computeCapability], ["470.182.03", undefined]);
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
      onChange: (trouble) => told.push(trouble),
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

  test("are real cards for the pool, with nothing wrong", async () => {
    const { simulated, devices, slots, troubled: count } = await up.admin.pool("main");
    assert.deepEqual([simulated, devices, slots, count], [false, 2, 4, 0]);
  });

  test("one is lost: its slots are not granted, who waits hears why, and they come back with it", async () => {
    await say({ cards: [{ ...h100(0), says: lost }, h100(1)] }, 1);
    const { slots } = await up.admin.gpuBoard();
    assert.deepEqual(
      slots.map(({ slot, trouble }) => [slot, trouble]),
      ["n1/0/0", "n1/0/1", "n1/1/0", "n1/1/1"].map((slot) => [
        slot,
        slot.startsWith("n1/0") ? `the driver says ${lost} of the card` : null,
      ]),
    );
    const full = [await running(alice, app), await running(alice, app)];
    const leased = (await up.admin.gpuBoard()).slots.filter(({ call }) => call !== null).map(({ slot }) => slot);
    assert.deepEqual(leased, ["n1/1/0", "n1/1/1"]);
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
    const { gpu, simulated } = (await alice.client.receipt(id)).receipt;
    assert.deepEqual([gpu, simulated], ["NVIDIA H100 (stand-in) (GPU-stand-in-0)", false]);
    for (const run of full) await run[Symbol.asyncDispose]();
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
    const [dies, finishes] = [await running(bob, own, "seconds=30"), await running(bob, own, "seconds=1")];
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
    const well = await endedCall(bob.client, finishes.call.id);
    assert.deepEqual([well.outcome, well.chargedMs], ["ok", well.usedMs]);
    smi.set(healthy);
  });
});
