/** Who uses a card without a lease. The cards and their lists of processes are a stand-in `nvidia-smi`'s; the processes on them are real. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { endedCall, running } from "../support/calls.ts";
import { needs } from "../support/needs.ts";
import { StandInSmi, h100, type StandInProcess } from "../support/nvidia-smi.ts";
import {
  Platform,
  fixtureFiles,
  lives,
  until,
  visit,
  type Account,
  type App,
  type Replica,
} from "../support/platform.ts";

const { skip } = await needs("sandbox");
/** It starts a process of its own. */
const withHelper = {
  "helper.js": 'process.on("message", () => undefined);',
  "server.js": `import { fork } from "node:child_process";
fork(new URL("./helper.js", import.meta.url));
${fixtureFiles()["server.js"]}`,
};
const processes = linuxProcesses();

/** The app's first process, as the machine numbers it; in a sandbox the child of its pid 1. */
function firstOf({ app: { pid, sandboxed } }: Replica): number {
  return (sandboxed ? processes.children(pid)[0] : undefined) ?? pid;
}

for (const [sandbox, why] of [
  ["none", false],
  ["best", skip],
] as const)
  describe(`cards that are used without a lease, with sandbox ${sandbox}`, { skip: why }, () => {
    const smi = new StandInSmi();
    let up: Platform;
    let alice: Account;
    let app: App;
    before(async () => {
      const env = { WAYBILL_NVIDIA_SMI: smi.command, WAYBILL_CARDS_SECONDS: "1" };
      up = await Platform.start({ gpus: null, sandbox, env });
      alice = await up.account("alice", "unlimited");
      app = await up.deploy(alice, "app");
    });
    after(async () => {
      await up[Symbol.asyncDispose]();
      smi[Symbol.dispose]();
    });

    const list = (...processes: readonly StandInProcess[]): void => smi.set({ ...smi.state, processes });
    /** Lists that the platform has asked for since: each finds what the one before it found, and acts on it. */
    const looks = async (count: number): Promise<void> => {
      const before = smi.lists;
      await until(`the processes are listed ${count} times`, () => smi.lists >= before + count);
    };
    const cardOf = async (call: string): Promise<number> =>
      Number((await up.admin.gpuBoard()).slots.find((slot) => slot.call === call)?.slot.split("/")[1]);
    const workerOf = async (replica: Replica): Promise<number> =>
      until("it has one worker", () => (replica.workers().length === 1 ? replica.workers()[0]?.pid : undefined));

    test("a worker may be on the card of its call, and stay there while its slot keeps it warm", async () => {
      const run = await running(alice, app, "seconds=4");
      const replica = await up.replica(app.space);
      const pid = await workerOf(replica);
      list({ pid, uuid: h100(await cardOf(run.call.id)).uuid });
      await looks(3);
      const ended = await endedCall(alice.client, run.call.id);
      assert.equal(ended.code, null);
      await looks(4);
      assert.deepEqual(
        replica.workers().map((one) => one.pid),
        [pid],
      );
      list();
    });

    test("one that is on another card too is ended with its call, which is charged and says so; a second call goes on", async () => {
      const own = await up.deploy(alice, "both");
      const run = await running(alice, own, "seconds=30");
      const replica = await up.replica(own.space);
      const pid = await workerOf(replica);
      const card = await cardOf(run.call.id);
      list({ pid, uuid: h100(card).uuid });
      await looks(2);
      assert.equal((await alice.client.call(run.call.id)).stage, "running");
      list({ pid, uuid: h100(card).uuid }, { pid, uuid: h100(1 - card).uuid });
      const ended = await endedCall(alice.client, run.call.id);
      assert.equal(ended.code, "gpu/without-lease");
      assert.ok(ended.usedMs !== null && ended.usedMs > 0 && ended.chargedMs === ended.usedMs);
      assert.equal((await alice.client.receipt(run.call.id)).receipt.rule, "without-lease");
      const { verdict } = await alice.client.explain(run.call.id);
      assert.deepEqual([verdict?.owner, verdict?.certainty], ["app", "proved"]);
      assert.match(verdict?.sentence ?? "", /^The worker used a GPU that it had no lease on, and was ended after/);
      list();
      assert.equal((await visit(`${own.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    });

    test("what an app started beside its calls is ended, and the app goes on", async () => {
      const own = await up.deploy(alice, "helper", withHelper);
      const replica = await up.replica(own.space);
      const helper = replica
        .forks()
        .find(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("helper.js"));
      assert.ok(helper);
      list({ pid: helper.pid, uuid: h100(0).uuid });
      await until("the helper is gone", () => !lives(helper));
      const { verdict, outcome } = await until("its record is there", async () => {
        const told = await alice.client.explain(replica.id);
        return told.verdict === null ? undefined : told;
      });
      assert.deepEqual([`${verdict?.boundary}/${verdict?.code}`, outcome], ["gpu/without-lease", "open"]);
      assert.match(
        verdict?.sentence ?? "",
        new RegExp(`process ${helper.pid} was on card GPU-stand-in-0 at two looks`, "i"),
      );
      assert.equal((await up.replica(own.space)).id, replica.id);
      list();
      assert.equal((await visit(`${own.url}/gpu/hold?seconds=0.1`, alice)).status, 200);
    });

    test("an app that uses a card itself is ended, and started again", async () => {
      const own = await up.deploy(alice, "itself");
      const replica = await up.replica(own.space);
      list({ pid: firstOf(replica), uuid: h100(1).uuid });
      const next = await until("another replica is there", async () => {
        const { replicas } = await up.admin.space(own.space);
        return replicas.find(({ id, phase }) => id !== replica.id && phase === "ready");
      });
      assert.notEqual(next.id, replica.id);
      const { verdict } = await alice.client.explain(replica.id);
      assert.deepEqual([verdict?.code, verdict?.owner, verdict?.certainty], ["without-lease", "app", "proved"]);
      list();
    });

    test("another program of the operator's is named, and left alone", async () => {
      const stranger: ChildProcess = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
      const pid = stranger.pid ?? 0;
      list({ pid, uuid: h100(1).uuid, memoryMiB: 1_024 });
      const named = async () => (await up.admin.nodes()).nodes[0]?.cards.map(({ strangers }) => strangers);
      await until("it is named", async () => (await named())?.[1]?.length === 1);
      assert.deepEqual(await named(), [[], [{ pid, program: "stand-in", memoryMiB: 1_024 }]]);
      assert.equal((await up.admin.status()).strangers, 1);
      await looks(4);
      assert.equal(stranger.exitCode ?? stranger.signalCode, null);
      stranger.kill();
      await until("it is named no more", async () => (await up.admin.status()).strangers === 0);
      list();
    });

    test("where the driver does not list processes, the node says so, and nobody is ended", async () => {
      const replica = await up.replica(app.space);
      smi.set({
        ...smi.state,
        processes: [{ pid: firstOf(replica), uuid: h100(0).uuid }],
        listFails: "Insufficient Permissions",
      });
      const unseen = async () => (await up.admin.nodes()).nodes[0]?.cards.map((card) => card.unseen);
      await until("it says so", async () => (await unseen())?.[0] !== null);
      assert.deepEqual(await unseen(), ["Insufficient Permissions", "Insufficient Permissions"]);
      await looks(3);
      assert.equal((await up.replica(app.space)).id, replica.id);
      const { listFails: _, ...listing } = { ...smi.state, processes: [] };
      smi.set(listing);
      await until("they are seen again", async () => (await unseen())?.[0] === null);
    });
  });
