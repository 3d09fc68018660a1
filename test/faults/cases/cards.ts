/** Cards in trouble. The cards are a stand-in `nvidia-smi`'s, so that what it says can be changed; all else is real. */
import { Client } from "@gradio/client";
import { callsOf, endedCall, newestCall, running } from "../../support/calls.ts";
import type { StandInCard } from "../../support/nvidia-smi.ts";
import { killProcess, until, visit } from "../../support/platform.ts";
import { gradioWithTorch } from "../../support/torch-wheel.ts";
import { cards, pidOf, pool, proved, type FaultCase, type Injected, type Stage } from "../case.ts";

const mismatch = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95";

export const cardCases: readonly FaultCase[] = [
  {
    code: "gpu/device-fault",
    how: "the card is lost while the function runs",
    on: "cards",
    certainty: proved,
    charge: 0,
    inject: (stage) =>
      endsWhile(stage, { cards: stage.smi.state.cards.map((card) => ({ ...card, says: "[GPU is lost]" })) }),
  },
  {
    code: "gpu/device-fault",
    how: "the card counts memory errors while the function runs",
    on: "cards",
    certainty: proved,
    charge: 0,
    inject: (stage) => endsWhile(stage, { cards: stage.smi.state.cards.map((card) => ({ ...card, memoryErrors: 2 })) }),
  },
  {
    code: "gpu/device-fault",
    how: "the driver writes Xid 95 of the card while the function runs",
    on: "cards",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const { app, alice, smi, up } = stage;
      await using run = await running(alice, app, "seconds=30");
      for (const card of smi.state.cards) smi.xid(card, 95, "Uncontained: LTC TAG (0x2,0x0)");
      await endedCall(alice.client, run.call.id);
      await up.admin.checkCards("n1");
      await until("the cards are well again", async () => (await up.admin.pool("main")).troubled === 0);
      return {
        id: run.call.id,
        also: ({ verdict }) =>
          verdict?.sentence.includes("Xid 95") ? undefined : `the verdict says ${verdict?.sentence}`,
      };
    },
  },
  {
    code: "gpu/device-fault",
    how: "no card is listed any more until the wait is over",
    on: "cards",
    certainty: proved,
    charge: 0,
    inject: (stage) => waitsWhile(stage, { cards: [] }),
  },
  {
    code: "gpu/without-lease",
    how: "the call's worker is on another card too",
    on: "cards",
    certainty: proved,
    charge: "metered",
    async inject(stage) {
      await using run = await running(stage.alice, stage.app, "seconds=30");
      const pid = await pidOf(stage, run.call.id);
      using _list = listed(stage, pid, stage.smi.state.cards);
      await endedCall(stage.alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/without-lease",
    how: "the app itself is on a card, and none of its calls is",
    on: "cards",
    certainty: proved,
    async inject(stage) {
      const { space } = await stage.fresh();
      const replica = await stage.up.replica(space);
      using _list = listed(stage, replica.app.pid, stage.smi.state.cards.slice(0, 1));
      const ended = async () =>
        (await stage.up.admin.explain(replica.id)).entries.some(({ hop }) => hop === "replica.exit");
      await until("its end is recorded", ended);
      return { id: replica.id };
    },
  },
  {
    code: "runtime/nvml-lost",
    how: "the driver is another than its library until the wait is over",
    on: "cards",
    certainty: proved,
    charge: 0,
    inject: (stage) => waitsWhile(stage, { fails: mismatch }),
  },
  {
    code: "runtime/nvml-lost",
    how: "the worker dies while nobody answers for the cards",
    on: "cards",
    certainty: proved,
    charge: 0,
    inject: (stage) => diesWhile(stage, { fails: "Failed to initialize NVML: Unknown Error" }),
  },
  {
    code: "capacity/pool-draining",
    how: "the node was drained before the call came",
    on: "cards",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _drain = await drained(stage, "driver");
      const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=1`, stage.alice);
      await endedCall(stage.alice.client, call);
      return {
        id: call,
        also: ({ verdict }) =>
          status === 503 && verdict?.sentence.includes("by admin: driver")
            ? undefined
            : `the visitor saw ${status}, the verdict says ${verdict?.sentence}`,
      };
    },
  },
  {
    code: "gpu/stopped",
    how: "its node is drained, and the drain's time is over",
    on: "cards",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using run = await running(stage.alice, stage.app, "seconds=30");
      await using _drain = await drained(stage, "driver", 0);
      await endedCall(stage.alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "runtime/arch-mismatch",
    how: "the wheel has no code for the pool's cards: the build",
    on: "cards",
    needs: "gradio",
    certainty: proved,
    async inject({ up, alice }) {
      const wheel = { version: "2.9.0", cuda: "12.8", archs: "sm_100 sm_120" };
      const { deployed } = await up.deploy(alice, "arch", gradioWithTorch(wheel));
      return { id: deployed.build?.id ?? "there was no build" };
    },
  },
  {
    code: "runtime/driver-too-old",
    how: "the node has an older driver than when the app was built: a call",
    on: "cards",
    needs: "gradio",
    certainty: proved,
    charge: 0,
    async inject({ up, alice, smi }) {
      const wheel = { version: "2.9.1", cuda: "13.0", archs: "sm_80 sm_90" };
      const { deployed, space, url } = await up.deploy(alice, "driver", gradioWithTorch(wheel));
      if (!deployed.ok) throw new Error(`it does not run: ${deployed.says}`);
      const before = smi.state;
      smi.set({ ...before, driver: "535.104.05" });
      await up.restart();
      smi.set(before);
      await until("the Space runs again", async () => (await up.admin.space(space)).state === "running");
      const known = await callsOf(alice);
      const client = await Client.connect(url, { token: alice.token as `hf_${string}` });
      await client.predict("/draw", ["a"]).catch(() => undefined); // Refused: that is the case.
      return { id: (await newestCall(alice, "ended", known)).id };
    },
  },
];

/** The driver lists a process on these cards. */
function listed({ smi }: Stage, pid: number, on: readonly StandInCard[]): Disposable {
  const before = smi.state;
  smi.set({ ...before, processes: on.map(({ uuid }) => ({ pid, uuid })) });
  return { [Symbol.dispose]: () => smi.set(before) };
}

async function endsWhile(stage: Stage, change: Parameters<typeof cards>[1]): Promise<Injected> {
  const { app, alice } = stage;
  await using run = await running(alice, app, "seconds=30");
  await using _lost = await cards(stage, change);
  await endedCall(alice.client, run.call.id);
  return { id: run.call.id };
}

async function diesWhile(stage: Stage, change: Parameters<typeof cards>[1]): Promise<Injected> {
  const { app, alice, up } = stage;
  await using run = await running(alice, app, "seconds=30");
  const pid = await pidOf(stage, run.call.id);
  await using _lost = await cards(stage, change);
  const worker = (await up.replica(app.space)).workers().find((one) => one.pid === pid);
  if (!worker) throw new Error(`no worker has pid ${pid}`);
  killProcess(worker);
  await endedCall(alice.client, run.call.id);
  return { id: run.call.id };
}

async function drained({ up }: Stage, reason: string, endAfterMs?: number): Promise<AsyncDisposable> {
  const node = { node: "n1" };
  await up.admin.drain(node, { reason, endAfterMs });
  return { [Symbol.asyncDispose]: async () => void (await up.admin.undrain(node)) };
}

async function waitsWhile(stage: Stage, change: Parameters<typeof cards>[1]): Promise<Injected> {
  await using _lost = await cards(stage, change);
  await using _limit = await pool(stage, { queueLimitMs: 1_200 });
  const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=1`, stage.alice);
  await endedCall(stage.alice.client, call);
  return { id: call, also: () => (status === 503 ? undefined : `the visitor saw ${status}`) };
}
