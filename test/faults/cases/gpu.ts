/** GPU calls that end in every way but well. */
import { setTimeout as delay } from "node:timers/promises";
import { callsOf, endedCall, newestCall, running } from "../../support/calls.ts";
import { killProcess, lives, until, visit, type Account } from "../../support/platform.ts";
import { pidOf, pool, proved, saturated, tier, type FaultCase, type Stage } from "../case.ts";

/** An ended worker is gone this long after its lease's end; the rest is what a poll of ours may take. */
const goneWithinMs = 1_000 + 9_000;

/** A call of the account's runs on the stage's app until the end. */
async function busy({ up, app }: Stage, account: Account): Promise<AsyncDisposable> {
  const leave = new AbortController();
  const one = visit(`${app.url}/gpu/hold?seconds=60&stop=1`, account, { signal: leave.signal }).catch(() => undefined); // We leave ourselves.
  const isOn = async (): Promise<boolean> =>
    (await up.admin.gpuBoard()).slots.some((slot) => slot.account === account.name);
  await until("the account has a slot", isOn);
  return {
    [Symbol.asyncDispose]: async () => {
      leave.abort();
      await one;
      await until("its slot is free", async () => !(await isOn()));
    },
  };
}

export const gpuCases: readonly FaultCase[] = [
  {
    code: "gpu/queue-timeout",
    how: "every slot is leased",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _full = await saturated(stage);
      await using _limit = await pool(stage, { queueLimitMs: 1_200 });
      const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=1`, stage.alice);
      const quota = await stage.alice.client.quota();
      return {
        id: call,
        also: () =>
          status !== 503
            ? `the visitor saw ${status}`
            : quota.heldMs !== 0
              ? `${quota.heldMs} ms are still held`
              : undefined,
      };
    },
  },
  {
    code: "gpu/queue-full",
    how: "one waits and no more may",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const { up, app, alice, crowd } = stage;
      await using _full = await saturated(stage);
      const leave = new AbortController();
      const waiting = visit(`${app.url}/gpu/hold?seconds=1&stop=1`, crowd, { signal: leave.signal }).catch(
        () => undefined,
      ); // We leave ourselves.
      const { calls } = await until("somebody waits", async () => {
        const queue = await up.admin.gpuQueue();
        return queue.calls.length > 0 ? queue : undefined;
      });
      await using _limit = await pool(stage, { queueMax: calls.length });
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1`, alice);
      leave.abort();
      await waiting;
      return { id: call };
    },
  },
  {
    code: "gpu/quota-exceeded",
    how: "a whole card for ten minutes, on a free account",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1&declare=600&size=xlarge`, alice);
      return { id: call };
    },
  },
  {
    code: "gpu/quota-exceeded",
    how: "a visitor without an account",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ app }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1&declare=500`);
      return { id: call };
    },
  },
  {
    code: "gpu/duration-not-allowed",
    how: "two hours are declared",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1&declare=7200`, alice);
      return { id: call };
    },
  },
  {
    code: "gpu/budget-exceeded",
    how: "the owner pays for visitors, up to five seconds, and nobody else does",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ up, app, crowd }) {
      await up.admin.changeBudget(app.space, { limitMs: 5_000, whenOut: "refuse" });
      await using _budget = {
        [Symbol.asyncDispose]: async () => void (await up.admin.changeBudget(app.space, { limitMs: null })),
      };
      const { call, status } = await visit(`${app.url}/gpu/hold?seconds=1&declare=60`, crowd);
      return { id: call, also: () => (status === 429 ? undefined : `the visitor saw ${status}`) };
    },
  },
  {
    code: "gpu/token-cap",
    how: "one request makes more calls than its token admits",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _limit = await pool(stage, { tokenMaxCalls: 2 });
      const { call, text } = await visit(`${stage.app.url}/gpu/many?calls=3`, stage.alice);
      const { calls } = JSON.parse(text) as { calls: number };
      return { id: call, also: () => (calls === 2 ? undefined : `${calls} calls were admitted`) };
    },
  },
  {
    code: "gpu/token-cap",
    how: "a call declares more GPU time than its request's token admits",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _limit = await pool(stage, { tokenMaxGpuMs: 30_000 });
      const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=0.1&declare=60`, stage.alice);
      return { id: call, also: () => (status === 429 ? undefined : `the visitor saw ${status}`) };
    },
  },
  {
    code: "gpu/runs-exceeded",
    how: "one run more than the tier's window allows",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const often = await stage.up.account("often", "pro");
      await using _limit = await tier(stage, "pro", { runsMax: 1 });
      await visit(`${stage.app.url}/gpu/hold?seconds=0.1`, often);
      const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=0.1`, often);
      return { id: call, also: () => (status === 429 ? undefined : `the visitor saw ${status}`) };
    },
  },
  {
    code: "gpu/account-busy",
    how: "a second call where the tier allows one at once",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const hasty = await stage.up.account("hasty", "pro");
      await using _limit = await tier(stage, "pro", { callsMax: 1 });
      await using _one = await busy(stage, hasty);
      const { call, status } = await visit(`${stage.app.url}/gpu/hold?seconds=0.1`, hasty);
      return { id: call, also: () => (status === 429 ? undefined : `the visitor saw ${status}`) };
    },
  },
  {
    code: "gpu/space-busy",
    how: "a second visitor's call where the pool allows a Space one at once",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _one = await busy(stage, stage.crowd);
      await using _limit = await pool(stage, { spaceCallsMax: 1 });
      const { call } = await visit(`${stage.app.url}/gpu/hold?seconds=0.1`, stage.alice);
      return { id: call };
    },
  },
  {
    code: "gpu/size-not-available",
    how: "a whole card of a pool that is cut into one slot each",
    on: "tight",
    certainty: proved,
    charge: 0,
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1&size=xlarge`, alice);
      return { id: call };
    },
  },
  {
    code: "gpu/no-capacity",
    how: "the pool was never given a card",
    on: "bare",
    certainty: proved,
    charge: 0,
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=1`, alice);
      return { id: call };
    },
  },
  {
    code: "gpu/visitor-left",
    how: "while queued",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const { app, alice } = stage;
      await using _full = await saturated(stage);
      const before = await callsOf(alice);
      const leave = new AbortController();
      const answer = visit(`${app.url}/gpu/hold?seconds=1`, alice, { signal: leave.signal }).catch(() => undefined); // We leave ourselves.
      const { id } = await newestCall(alice, "queued", before);
      leave.abort();
      await answer;
      await endedCall(alice.client, id);
      return { id };
    },
  },
  {
    code: "gpu/visitor-left",
    how: "while running, and the app ends it then",
    on: "main",
    certainty: proved,
    charge: "metered",
    async inject({ app, alice }) {
      await using run = await running(alice, app, "seconds=20&stop=1");
      await delay(100);
      run.leave();
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/visitor-left",
    how: "while running, and the Space's setting ends it then",
    on: "main",
    certainty: proved,
    charge: "metered",
    async inject({ fresh, alice }) {
      const app = await fresh();
      await alice.client.changeSpace(app.space, { "on-leave": "stop" });
      await using run = await running(alice, app, "seconds=20");
      await delay(100);
      run.leave();
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/visitor-left",
    how: "granted, not attached, and the Space's setting takes it back",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ fresh, alice }) {
      const app = await fresh();
      await alice.client.changeSpace(app.space, { "on-leave": "stop" });
      const before = await callsOf(alice);
      const leave = new AbortController();
      const answer = visit(`${app.url}/raw/schedule?seconds=5&wait=1`, alice, { signal: leave.signal }).catch(
        () => undefined, // We leave ourselves.
      );
      const { id } = await newestCall(alice, "granted", before);
      leave.abort();
      await answer;
      await endedCall(alice.client, id);
      return { id };
    },
  },
  {
    code: "gpu/lease-expired",
    how: "the function runs past what it declared",
    on: "main",
    certainty: proved,
    charge: 3_000,
    async inject(stage) {
      const { app, alice, up } = stage;
      await using run = await running(alice, app, "seconds=20&declare=3");
      const attachedAt = performance.now();
      const pid = await pidOf(stage, run.call.id);
      const worker = (await up.replica(app.space)).workers().find((one) => one.pid === pid);
      if (!worker) throw new Error(`no worker has pid ${pid}`);
      await until("the worker is gone", () => !lives(worker));
      const tookMs = Math.round(performance.now() - attachedAt);
      await endedCall(alice.client, run.call.id);
      const answer = await run.answer;
      return {
        id: run.call.id,
        also: () =>
          tookMs > 3_000 + goneWithinMs
            ? `its worker lived for ${tookMs} ms`
            : answer?.status !== 502
              ? `the visitor saw ${answer?.status}`
              : undefined,
      };
    },
  },
  {
    code: "gpu/worker-lost",
    how: "kill -9 of the worker",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      const app = await stage.fresh();
      await using run = await running(stage.alice, app);
      const pid = await pidOf(stage, run.call.id);
      const worker = (await stage.up.replica(app.space)).workers().find((one) => one.pid === pid);
      if (!worker) throw new Error(`no worker has pid ${pid}`);
      killProcess(worker);
      await endedCall(stage.alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/worker-lost",
    how: "the worker exits by itself",
    on: "main",
    certainty: proved,
    charge: "metered",
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/exits?code=3`, alice);
      await endedCall(alice.client, call);
      return { id: call };
    },
  },
  {
    code: "gpu/grant-unused",
    how: "the app schedules and never attaches",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject(stage) {
      await using _limit = await pool(stage, { attachWithinMs: 1_000 });
      const { call } = await visit(`${stage.app.url}/raw/schedule?seconds=5`, stage.alice);
      await endedCall(stage.alice.client, call);
      return { id: call };
    },
  },
  {
    code: "gpu/replica-lost",
    how: "kill -9 of the app while it runs",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      await using run = await running(alice, app);
      killProcess((await up.replica(app.space)).app);
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/replica-lost",
    how: "kill -9 of the shim while it runs",
    on: "main",
    certainty: proved,
    charge: 0,
    owner: "platform",
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      await using run = await running(alice, app);
      killProcess((await up.replica(app.space)).shim);
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "gpu/stopped",
    how: "a new release takes over while it runs",
    on: "main",
    certainty: proved,
    charge: 0,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      await using run = await running(alice, app);
      await up.deploy(alice, app.space.split("/")[1] ?? "", { "version.txt": "2" });
      await endedCall(alice.client, run.call.id);
      return { id: run.call.id };
    },
  },
  {
    code: "app/exception",
    how: "the function throws",
    on: "main",
    certainty: proved,
    charge: "metered",
    async inject({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/breaks`, alice);
      await endedCall(alice.client, call);
      return { id: call };
    },
  },
];
