/** The shipped policy: tiers, sizes, a pool's defaults, and the bounds of what the ledger keeps. Numbers only, no behaviour. */
import { durationMs, seconds } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";
import { gpuMs, maxGpuMs, permille } from "./amounts.ts";
import type { Permille } from "./amounts.ts";
import type { PoolSettings, Size, TierName, TierSettings } from "./model.ts";

const day = seconds(24 * 3600);
const tier = (limitSeconds: number | null, weight: number): Required<TierSettings> => ({
  windowLimitMs: limitSeconds === null ? null : gpuMs(limitSeconds * 1000),
  windowMs: day,
  durationMaxMs: null,
  runsMax: null,
  callsMax: null,
  weight,
});

/** What a tier has until an operator sets it: the hosted service's published table (August 2026). */
export const tierDefaults: Readonly<Record<TierName, Required<TierSettings>>> = {
  anonymous: tier(120, 1),
  free: tier(300, 2),
  pro: tier(2400, 8),
  enterprise: tier(3600, 12),
  unlimited: tier(null, 12),
};
export const tierNames = Object.keys(tierDefaults) as readonly TierName[];
/** No window is longer, and nothing that an operator gives ends later: a typing mistake does not bind, or free, an account for ever. */
export const windowMaxMs: DurationMs = durationMs(366 * day);

/** Allowances of one account that are not over: every admission walks them. */
export const allowancesMax = 64;

export const sizeFactors: Readonly<Record<Size, Permille>> = { large: permille(1000), xlarge: permille(2000) };

export const poolDefaults = {
  queueLimitMs: seconds(60),
  queueMax: 1000,
  durationMaxMs: seconds(600),
  attachWithinMs: seconds(30),
  admission: "clip",
  tokenMaxCalls: 64,
  // Beside it stands the account's own window, so that the cap of a token is the window's rest.
  tokenMaxGpuMs: gpuMs(maxGpuMs),
  // Of the order of the windows' use: who used much an hour ago is on a par with others after a few.
  shareHalfLifeMs: seconds(3600),
  // Bounds every wait, and disturbs the shares by a sixteenth at most.
  oldestEvery: 16,
} as const satisfies PoolSettings;
/** Pools at most, and names of theirs: whoever looks for one reads them all. */
export const poolsMax = 64;
export const poolNameMax = 64;
/** Pools of one route: each may be asked whether it can take a call. */
export const routePoolsMax = 8;
/** Rules of Spaces and accounts; an operator sets each. */
export const routesMax = 10_000;
/** A waiting call moves on after so long at least. */
export const moveAfterMinMs: DurationMs = seconds(1);
/** One that no later pool could take is looked at again after so long at least: a record each time. */
export const lookAgainMs: DurationMs = seconds(10);
/** Calls of one node that move on by time in one record. */
export const movesMax = 500;
/** A tier's weight at most: an account of one that is far above would leave nothing to the others. */
export const weightMax = 1_000;
/** A half-life at least and at most: below a second nothing is remembered, above a month nothing forgotten. */
export const halfLifeMinMs: DurationMs = seconds(1);
export const halfLifeMaxMs: DurationMs = durationMs(31 * day);

/** No duration in a pool's settings is longer: keeps every product with a size factor exact (L4). */
export const settingMaxMs: DurationMs = day;
/** No count in settings is larger: so many waiting calls are a gigabyte of memory. */
export const settingMaxCount = 1_000_000;

/** A node that was not heard for so long is lost: three missed heartbeats of 15 s. */
export const nodeTtlMs: DurationMs = seconds(45);
/** Heartbeats are recorded at most so often; added to the time to live, so that nothing expires early (L15). */
export const hearEveryMs: DurationMs = seconds(5);
/** After a lease's end its shim has so long to report; then the call ends without evidence of use, charge 0 (L9). */
export const settleWithinMs: DurationMs = seconds(60);

/** No text in a command is longer; the longest is what a misfit, or a card, has to say. */
export const textMax = 10_000;
/** Cards of one node; the largest machines have some tens. */
export const nodeCardsMax = 256;

/** Ended calls are kept for so long, so that a repeat gets the same answer (L10). */
export const retainMs: DurationMs = day;
/** And at most so many: about 20 MB of state. */
export const retainMax = 20_000;
/** Forgetting waits for company: one record a minute, not one a call. */
export const forgetEveryMs: DurationMs = seconds(60);
/** One record forgets at most so many. */
export const forgetBatch = 1_000;

/** Killed without evidence by whom: free so often for an account and Space within {@link killWindowMs}. */
export const freeKills = 3;
export const killWindowMs: DurationMs = day;

/** Runs that a function's history keeps: enough for a p90 that moves within a day's use. */
export const runsKept = 32;
/** Functions with a history; the one unused for longest goes first. A declared duration may be part of a function's name. */
export const functionsMax = 10_000;

/** Calls ahead that an estimate walks one by one; further ones count by their mean. */
export const estimateDepth = 16;
/** In a queue that is longer than that so many: coming into it costs then what coming into a short one does. */
export const estimateDepthLong = 4;
/** Places that are worked out for one look at a node's queue: some tens of milliseconds' worth. */
export const placesMax = 2_000;
/** Calls behind a head that waits of which each is asked whether it may pass. */
export const passDepth = 16;
/** Shares are equal within this: about what the start of a worker on a card takes, by which a warm one is ahead. */
export const equalWithinMs = gpuMs(1_000);
/** What an estimate takes for the end of an idle worker: TERM, then KILL within a second. */
export const clearGuessMs: DurationMs = durationMs(500);
