/** What a case of the fault matrix is: a fault that is really caused, and what the platform has to say of it when asked. */
import type { WaybillClient } from "../../src/client/api.ts";
import type { DeployEvent } from "../../src/client/deploy.ts";
import type { Problem } from "../../src/contract/problem.ts";
import type { Code, Owner } from "../../src/evidence/codes.ts";
import type { Certainty, Explanation } from "../../src/evidence/verdict.ts";
import type { StandInSmi, StandInState } from "../support/nvidia-smi.ts";
import type { Need } from "../support/needs.ts";
import type { Recorder } from "./recording.ts";
import type { Doors } from "./cases/sign-in.ts";
import { until, visit, type Account, type App, type Platform } from "../support/platform.ts";

/** Platforms that the cases run on: each in a folder of its own, with other limits. */
export type StageName = "main" | "kills" | "tight" | "bare" | "cards" | "sleepy" | "boxed" | "doors";

export interface Stage {
  readonly up: Platform;
  /** What the stage `cards` has for cards; a case that changes it puts it back. */
  readonly smi: StandInSmi;
  /** What the stage `doors` has people sign in by. */
  readonly doors: Doors;
  /** Owns `app`, and visits it; free tier. */
  readonly alice: Account;
  /** Fills the pool: no window limit. */
  readonly crowd: Account;
  /** The fixture app, running and never broken by a case. */
  readonly app: App;
  /** The fixture app in a Space of its own, to be broken; `files` replace some of its own. */
  readonly fresh: (files?: Readonly<Record<string, string>>, onEvent?: (event: DeployEvent) => void) => Promise<App>;
}

/** Whose id is asked for, and what more is known of the truth; or what was told of that which is no work with a waybill. */
export type Injected = Work | Answered;

export interface Answered extends Pick<Work, "done"> {
  readonly told: Problem;
  readonly also?: () => string | undefined;
}

export interface Work {
  readonly id: string;
  /** Who asks; the Space's owner where it is not said. */
  readonly asks?: WaybillClient;
  /** Says what is wrong beside the verdict; undefined where all is as it should be. */
  readonly also?: (explanation: Explanation) => string | undefined;
  /** Ends what the case started beside its stage, once it is scored. */
  readonly done?: () => Promise<void>;
  /** Whose folder has its record, where that is not the stage's platform. */
  readonly of?: Recorder;
}

export interface FaultCase {
  readonly code: Code;
  /** Skipped, and said so, where the machine lacks it. */
  readonly needs?: Extract<Need, "gradio" | "images" | "volumes" | "own-disk" | "cc">;
  /** What tells it from other cases of its code. */
  readonly how: string;
  readonly on: StageName;
  readonly certainty: readonly Certainty[];
  /** Where it is not the code's own. */
  readonly owner?: Owner;
  /** GPU milliseconds; `metered`: what was used, and more than nothing. Only for calls. */
  readonly charge?: number | "metered";
  /** Its platform is its own, so it is without other work as it is. */
  readonly apart?: boolean;
  inject(stage: Stage): Promise<Injected>;
}

/** A run without a fault of ours: no verdict, or one that blames the app or its visitor. */
export interface Control {
  readonly name: string;
  readonly on: StageName;
  run(stage: Stage): Promise<Work>;
}

export const proved: readonly Certainty[] = ["proved"];
export const provedOrLikely: readonly Certainty[] = ["proved", "likely"];

/** Takes every slot of the pool with calls of `crowd`, and gives them back at the end. */
export async function saturated({ up, crowd, app }: Stage): Promise<AsyncDisposable> {
  const { slots } = await up.admin.pool("main");
  const leave = new AbortController();
  const one = (): Promise<unknown> =>
    visit(`${app.url}/gpu/hold?seconds=60&stop=1`, crowd, { signal: leave.signal }).catch(() => undefined); // We leave ourselves.
  const calls: Promise<unknown>[] = [];
  // The noise's own short calls come and go: what counts is that ours have every slot.
  const ours = async (): Promise<number> =>
    (await up.admin.gpuBoard()).slots.filter(({ account }) => account === crowd.name).length;
  for (let taken = await ours(); taken < slots; taken = await ours()) {
    calls.push(one());
    await until("the crowd has one slot more", async () => (await ours()) > taken);
  }
  return {
    [Symbol.asyncDispose]: async () => {
      leave.abort();
      await Promise.all(calls);
      await until("the crowd's slots are free", async () => (await ours()) === 0);
    },
  };
}

/** Changes settings of the pool for as long as the case takes. */
export async function pool(
  { up }: Stage,
  change: Parameters<WaybillClient["changePool"]>[1],
): Promise<AsyncDisposable> {
  const { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission, ...more } = await up.admin.pool("main");
  const { spaceCallsMax, tokenMaxCalls, tokenMaxGpuMs } = more;
  const before = { queueLimitMs, queueMax, durationMaxMs, attachWithinMs, admission };
  const caps = { spaceCallsMax, tokenMaxCalls, tokenMaxGpuMs };
  await up.admin.changePool("main", change);
  return { [Symbol.asyncDispose]: async () => void (await up.admin.changePool("main", { ...before, ...caps })) };
}

/** Changes limits of a tier for as long as the case takes. */
export async function tier(
  { up }: Stage,
  name: string,
  change: Parameters<WaybillClient["changeTier"]>[1],
): Promise<AsyncDisposable> {
  const { tiers } = await up.admin.tiers();
  const { name: _, ...before } = tiers.find((each) => each.name === name) ?? { name };
  await up.admin.changeTier(name, change);
  return { [Symbol.asyncDispose]: async () => void (await up.admin.changeTier(name, before)) };
}

/** Lets the stand-in say this of the cards until the case is over; resolves when the platform has heard it. */
export async function cards({ up, smi }: Stage, change: Partial<StandInState>): Promise<AsyncDisposable> {
  const before = smi.state;
  const heard = async (state: StandInState, troubled: boolean): Promise<void> => {
    smi.set(state);
    await until(
      "the platform has looked at its cards",
      async () => (await up.admin.pool("main")).troubled > 0 === troubled,
    );
  };
  await heard({ ...before, ...change }, true);
  return { [Symbol.asyncDispose]: () => heard(before, false) };
}

export async function pidOf({ up }: Stage, call: string): Promise<number> {
  const { entries } = await up.admin.explain(call);
  const pid = entries.find(({ hop }) => hop === "gpu.attach")?.facts["pid"];
  if (typeof pid !== "number") throw new Error(`call ${call} has no attach entry with a pid`);
  return pid;
}
