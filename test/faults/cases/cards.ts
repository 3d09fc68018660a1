/** Cards in trouble. The cards are a stand-in `nvidia-smi`'s, so that what it says can be changed; all else is real. */
import { endedCall, running } from "../../support/calls.ts";
import { killProcess, visit } from "../../support/platform.ts";
import { cards, pidOf, pool, proved, type FaultCase, type Injected, type Stage } from "../case.ts";

const mismatch = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95";

export const cardCases: readonly FaultCase[] = [
  {
    code: "gpu/device-fault",
    how: "the worker dies on a card that is lost",
    on: "cards",
    certainty: proved,
    charge: 0,
    twice: true,
    inject: (stage) =>
      diesWhile(stage, { cards: stage.smi.state.cards.map((card) => ({ ...card, says: "[GPU is lost]" })) }),
  },
  {
    code: "gpu/device-fault",
    how: "the function raises an error on a card that counts memory errors",
    on: "cards",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const { app, alice, smi } = stage;
      await using run = await running(alice, app, "seconds=3", "/gpu/breaks");
      await using _lost = await cards(stage, { cards: smi.state.cards.map((card) => ({ ...card, memoryErrors: 2 })) });
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
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
    code: "runtime/nvml-lost",
    how: "the driver is another than its library until the wait is over",
    on: "cards",
    certainty: proved,
    charge: 0,
    twice: true,
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
];

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

async function waitsWhile(stage: Stage, change: Parameters<typeof cards>[1]): Promise<Injected> {
  await using _lost = await cards(stage, change);
  await using _limit = await pool(stage, { queueLimitMs: 1_200 });
  const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=1`, stage.alice);
  await endedCall(stage.alice.client, call);
  return { id: call, also: () => (status === 503 ? undefined : `the visitor saw ${status}`) };
}
