/** A slot is free when its old worker's memory is too (L22). The cards are a stand-in `nvidia-smi`'s; the processes on them are real. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { CardWatch, type Trouble } from "../../src/gpu/card-watch.ts";
import { discover } from "../../src/gpu/discovery.ts";
import { endedCall, newestCall, running } from "../support/calls.ts";
import { StandInSmi, h100, type StandInProcess } from "../support/nvidia-smi.ts";
import { Platform, lives, until, visit, type Account, type App } from "../support/platform.ts";

const { uuid } = h100(0);
const driver = "580.95.05";

/** A card that is watched, and a process that has had 40 GB of it. */
async function watched(ours: (pid: number) => boolean = () => true) {
  const smi = new StandInSmi({ driver, cards: [h100(0)] });
  const told: Trouble[] = [];
  const clock = { now: 0 };
  const watch = new CardWatch({
    ...(await discover(smi.command)),
    command: smi.command,
    everyMs: 3_600_000,
    kernelLog: null,
    now: () => clock.now,
    onChange: (trouble) => told.push(trouble),
    onProcesses: ({ processes }) => new Set((processes ?? []).map(({ pid }) => pid).filter(ours)),
  });
  await until("the first look is over", () => smi.lists > 0);
  await watch.check();
  // It lives until its input ends, which nobody does.
  const worker = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
  const one: StandInProcess = { pid: worker.pid ?? 0, uuid, memoryMiB: 40_960, sticks: true };
  return {
    smi,
    watch,
    told,
    clock,
    one,
    list: (...processes: readonly StandInProcess[]) => smi.set({ ...smi.state, processes }),
    end: async () => {
      worker.kill("SIGKILL");
      await once(worker, "exit");
    },
    [Symbol.asyncDispose]: async () => {
      watch[Symbol.dispose]();
      worker.kill("SIGKILL");
      smi[Symbol.dispose]();
    },
  };
}

/** Whether it has resolved when `smi` was asked so many times more. */
async function isWaiting(smi: StandInSmi, done: Promise<unknown>, looks = 3): Promise<boolean> {
  let isDone = false;
  void done.then(() => (isDone = true));
  const before = smi.lists;
  await until("it has looked again", () => isDone || smi.lists >= before + looks);
  return !isDone;
}

describe("the memory of a card", () => {
  test("is waited for while nobody has what a worker had, and no longer", async () => {
    await using it = await watched();
    it.list(it.one);
    await it.end();
    const back = it.watch.returned([uuid]);
    assert.ok(await isWaiting(it.smi, back));
    it.list();
    await back;
    assert.deepEqual(it.told, [{}]);
  });

  test("that a living process has is that one's: nobody waits for it", async () => {
    await using it = await watched();
    it.list(it.one);
    await it.watch.returned([uuid]);
    assert.deepEqual(it.told, [{}]);
  });

  test("is not waited for where the driver does not say what each process has", async () => {
    await using it = await watched();
    it.list({ ...it.one, memoryMiB: 40_960 }, { pid: process.pid, uuid, memoryMiB: null });
    await it.end();
    await it.watch.returned([uuid]);
    assert.deepEqual(it.told, [{}]);
  });

  test("that does not come back in ten seconds is its card's trouble, until it does", async () => {
    await using it = await watched();
    it.list(it.one);
    await it.end();
    const given = it.watch.returned([uuid]);
    assert.ok(await isWaiting(it.smi, given));
    it.clock.now = 10_000;
    await given;
    const [, trouble] = it.told;
    assert.equal(trouble?.[uuid]?.code, "gpu/device-fault");
    assert.match(
      trouble?.[uuid]?.says ?? "",
      /^10 s after a worker had ended no process has 40964 MiB of the card's memory, and it was 4 MiB before$/,
    );
    // Whoever ends there next is not kept waiting for the same.
    await it.watch.returned([uuid]);
    it.list();
    await it.watch.check();
    assert.deepEqual(it.told.slice(2), [{}]);
  });

  test("is as it should be when an operator has seen to the card", async () => {
    await using it = await watched();
    it.list(it.one);
    await it.end();
    it.clock.now = -10_000;
    const given = it.watch.returned([uuid]);
    assert.ok(await isWaiting(it.smi, given));
    it.clock.now = 0;
    await given;
    await it.watch.check();
    assert.deepEqual(it.told.at(-1), {});
    await it.watch.returned([uuid]);
    assert.equal(it.told.length, 3);
  });
});

describe("a slot whose worker left memory behind", () => {
  const smi = new StandInSmi({ driver, cards: [h100(0)] });
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let first: App;
  let second: App;
  before(async () => {
    up = await Platform.start({ gpus: null, env: { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_CARDS_SECONDS: "1" } });
    [alice, bob] = [await up.account("alice", "unlimited"), await up.account("bob", "unlimited")];
    [first, second] = [await up.deploy(alice, "first"), await up.deploy(bob, "second")];
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    smi[Symbol.dispose]();
  });

  const list = (...processes: readonly StandInProcess[]): void => smi.set({ ...smi.state, processes });
  /** The only worker of alice's app has 40 GB, and the card keeps them. */
  async function fill(): Promise<{ readonly pid: number; readonly start: string }> {
    const replica = await up.replica(first.space);
    const worker = await until("it has one worker", () => replica.workers()[0]);
    list({ pid: worker.pid, uuid, memoryMiB: 40_960, sticks: true });
    return worker;
  }
  async function stillWaits(call: string): Promise<void> {
    const before = smi.lists;
    await until("the card was looked at again and again", () => smi.lists >= before + 4);
    assert.equal((await bob.client.call(call)).stage, "queued");
  }

  test("is not granted before it is back, after a lease's end", async () => {
    const run = await running(alice, first, "seconds=30&declare=3");
    const worker = await fill();
    const next = visit(`${second.url}/gpu/hold?seconds=0.1`, bob);
    const { id } = await newestCall(bob, "queued");
    await until("the worker is gone", () => !lives(worker));
    await stillWaits(id);
    list();
    assert.equal((await next).status, 200);
    assert.equal((await endedCall(alice.client, run.call.id)).code, "gpu/lease-expired");
    await run[Symbol.asyncDispose]();
  });

  test("nor where its idle worker was cleared for somebody else", async () => {
    assert.equal((await visit(`${first.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    const worker = await fill();
    const next = visit(`${second.url}/gpu/hold?seconds=0.1`, bob);
    await until("the worker is gone", () => !lives(worker));
    const { id } = await newestCall(bob, "queued");
    await stillWaits(id);
    list();
    assert.equal((await next).status, 200);
  });

  test("nor where its shim was killed with all below it", async () => {
    assert.equal((await visit(`${first.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    const worker = await fill();
    const { shim } = await up.replica(first.space);
    process.kill(shim.pid, "SIGKILL");
    await until("the worker is gone", () => !lives(worker));
    const next = visit(`${second.url}/gpu/hold?seconds=0.1`, bob);
    const { id } = await newestCall(bob, "queued");
    await stillWaits(id);
    list();
    assert.equal((await next).status, 200);
  });

  test("takes its card out of use where it never comes back, and an operator gives it back", async () => {
    await until("the first app runs again", async () => (await up.admin.space(first.space)).state === "running");
    assert.equal((await visit(`${first.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    const worker = await fill();
    const next = visit(`${second.url}/gpu/hold?seconds=0.1`, bob);
    await until("the worker is gone", () => !lives(worker));
    const { id } = await newestCall(bob, "queued");
    const trouble = async () => (await up.admin.nodes()).nodes[0]?.cards[0]?.trouble ?? undefined;
    assert.match(
      (await until("the card is in trouble", trouble)).says,
      /no process has 40964 MiB of the card's memory/,
    );
    assert.equal((await bob.client.call(id)).stage, "queued");
    await up.admin.checkCards("n1");
    assert.equal((await next).status, 200);
  });
});
