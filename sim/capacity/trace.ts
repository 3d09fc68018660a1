/**
 * A day of calls with the shape of a published trace. Of the Azure Functions of July 2019 (Shahrad et al., "Serverless in the Wild", USENIX
 * ATC 2020) it has the day's curve, whose trough is half its peak (figure 4), the few who call most of the time, a fifth for 99.6 % of all
 * calls (figure 5), and the times that calls take, a log-normal of log-mean -0.38 and log-deviation 2.36 in seconds (figure 7). A GPU call
 * takes longer than a function: the times are ten times theirs, between 50 ms and the ten minutes that a pool admits.
 */
import type { TierName } from "../../src/core/model.ts";
import { prng } from "../../src/stdx/prng.ts";

export interface Shape {
  readonly seed: number;
  readonly slots: number;
  readonly slotsPerNode: number;
  readonly users: number;
  /** What is asked for at the day's peak, as a share of what all slots can do. */
  readonly peak: number;
}

export interface Call {
  readonly number: number;
  readonly at: number;
  readonly user: number;
  readonly lengthMs: number;
  /** Its Space has replicas on these nodes; it goes to the one with less to do. */
  readonly nodes: readonly [number, number];
}

export const dayMs = 24 * 3_600_000;
export const tiers: readonly { readonly name: TierName; readonly users: number }[] = [
  { name: "anonymous", users: 0.3 },
  { name: "free", users: 0.6 },
  { name: "pro", users: 0.08 },
  { name: "enterprise", users: 0.02 },
];
const trough = 0.5;
const logMeanMs = Math.log(10_000) - 0.38;
const logDeviation = 2.36;
const shortestMs = 50;
export const longestMs = 600_000;
/** With it a fifth of the users make 99.6 % of the calls. */
const userDeviation = 3.5;

/** Indexes into {@link tiers}: who is who does not depend on how much they call. */
export function tierOf({ seed, users }: Shape): Uint8Array {
  const { uniform } = draws(seed ^ 0x7ea5);
  return Uint8Array.from({ length: users }, () => {
    let left = uniform();
    const found = tiers.findIndex((tier) => (left -= tier.users) < 0);
    return found < 0 ? tiers.length - 1 : found;
  });
}

/** The share of the peak that is asked for at this instant of the day. */
export function curveAt(ms: number): number {
  return trough + ((1 - trough) * (1 - Math.cos((2 * Math.PI * ms) / dayMs))) / 2;
}

/** When more is asked for than all slots can do. */
export function saturated({ peak }: Shape): readonly [from: number, to: number] {
  const angle = Math.acos(1 - (2 * (1 / peak - trough)) / (1 - trough));
  const from = Math.round((angle / (2 * Math.PI)) * dayMs);
  return [from, dayMs - from];
}

/** The day's calls in the order in which they come. */
export function* callsOf(shape: Shape): Generator<Call, undefined> {
  const { uniform, normal } = draws(shape.seed);
  const nodes = shape.slots / shape.slotsPerNode;
  const users = cumulative(shape.users, () => Math.exp(userDeviation * normal()));
  const everyMs = meanLengthMs() / (shape.slots * shape.peak);
  let at = 0;
  for (let number = 0; ;) {
    at -= Math.log(1 - uniform()) * everyMs;
    if (at >= dayMs) return;
    if (uniform() >= curveAt(at)) continue;
    const user = find(users, uniform());
    const lengthMs = lengthOf(normal());
    yield {
      number,
      at: Math.floor(at),
      user,
      lengthMs,
      nodes: [Math.floor(uniform() * nodes), Math.floor(uniform() * nodes)],
    };
    number += 1;
  }
}

function lengthOf(normal: number): number {
  return Math.round(Math.min(longestMs, Math.max(shortestMs, Math.exp(logMeanMs + logDeviation * normal))));
}

/** By the quantiles of the normal distribution's density, in steps of a thousandth. */
function meanLengthMs(): number {
  let sum = 0;
  let weight = 0;
  for (let x = -8; x <= 8; x += 0.001) {
    const density = Math.exp((-x * x) / 2);
    sum += density * lengthOf(x);
    weight += density;
  }
  return sum / weight;
}

function cumulative(length: number, of: () => number): Float64Array {
  let sum = 0;
  const sums = Float64Array.from({ length }, () => (sum += of()));
  return sums.map((value) => value / sum);
}

function find(sums: Float64Array, share: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) <= share) low = middle + 1;
    else high = middle;
  }
  return low;
}

function draws(seed: number): { uniform(): number; normal(): number } {
  const random = prng(seed);
  const uniform = (): number => random.int(2 ** 32) / 2 ** 32;
  // Box and Muller's.
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
