/** An app's GPU functions, as test/sdk.test.ts runs them in worker processes. */
import { setTimeout as delay } from "node:timers/promises";
import { gpu } from "../../src/client/sdk/index.ts";

export const whoRuns = gpu(
  async function whoRuns(input: { values: number[] }, { progress }) {
    for (const value of input.values) progress({ seen: value });
    return {
      pid: process.pid,
      cuda: process.env["CUDA_VISIBLE_DEVICES"],
      sum: input.values.reduce((a, b) => a + b, 0),
      when: new Date(0),
    };
  },
  { duration: 1.2, size: "xlarge" },
);

export const breaks = gpu(async function breaks(input: string) {
  throw Object.assign(new RangeError(`no: ${input}`), { code: "E_NO" });
});

export const exits = gpu(async function exits(code: number) {
  process.exit(code);
});

export const uncloneable = gpu(async function uncloneable() {
  return () => 1;
});

/** Runs until it is told that its caller has gone, then says so. */
export const listens = gpu(async function listens(_: null, { progress, signal }) {
  progress("running");
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return `stopped: ${(signal.reason as Error).message}`;
});

/** Fails as soon as it is told that its caller has gone. */
export const givesUp = gpu(async function givesUp(_: null, { progress, signal }) {
  progress("running");
  await delay(60_000, undefined, { signal });
});

export const never = gpu(async function never(_: null, { progress }) {
  progress("running");
  await delay(60_000);
});

export const outer = gpu(async function outer(values: number[]) {
  const { result, call } = await whoRuns.run({ values });
  return { same: result.pid === process.pid, call };
});
