/** What operators say of pools: which there are, which cards are in which, by which calls are served. From the API to the ledger. */
import { z } from "zod";
import { gpuMs, maxGpuMs } from "../core/amounts.ts";
import type { CommandRefusal, Command, PoolSettings } from "../core/model.ts";
import {
  halfLifeMaxMs,
  halfLifeMinMs,
  moveAfterMinMs,
  routePoolsMax,
  settingMaxCount,
  settingMaxMs,
} from "../core/policy.ts";
import type { RouteOf } from "../core/routes.ts";
import { durationMs } from "../stdx/time.ts";
import type { Answer } from "./engine.ts";
import type { Done, Refused } from "./spaces.ts";

const nameBody = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "letters, digits, . _ and -, at most 64, a letter or digit first");

/** Settings of a pool, each of them absent or changed. */
export const poolBody = z
  .strictObject({
    queueLimitMs: z.int().min(1).max(settingMaxMs),
    queueMax: z.int().min(0).max(settingMaxCount),
    durationMaxMs: z.int().min(1000).max(settingMaxMs),
    attachWithinMs: z.int().min(1000).max(600_000),
    admission: z.enum(["clip", "strict"]),
    spaceCallsMax: z.int().min(0).max(settingMaxCount).nullable(),
    tokenMaxCalls: z.int().min(0).max(settingMaxCount),
    tokenMaxGpuMs: z.int().min(0).max(maxGpuMs).nullable(),
    shareHalfLifeMs: z.int().min(halfLifeMinMs).max(halfLifeMaxMs),
    oldestEvery: z.int().min(1).max(settingMaxCount),
  })
  .partial();
export type PoolWish = z.infer<typeof poolBody>;

/** The body of `PUT …/pool`. */
export const cardPoolBody = z.strictObject({ pool: nameBody });

/** The body of `PUT …/pools`. */
export const routeBody = z.strictObject({
  pools: z
    .array(nameBody)
    .min(1, "name a pool; DELETE takes the rule back")
    .max(routePoolsMax)
    .refine((pools) => new Set(pools).size === pools.length, "name each pool once"),
  moveAfterMs: z.int().min(moveAfterMinMs).max(settingMaxMs).nullish(),
});
export type RouteWish = z.infer<typeof routeBody>;

/** `device`: null for all of the node's that are put nowhere themselves. */
export interface Cards {
  readonly node: string;
  readonly device: number | null;
}

type Order = (command: Command) => Promise<Answer>;

export async function givePool(order: Order, pool: string, wish: PoolWish): Promise<Done> {
  const answer = await order({ type: "set-pool", pool, settings: poolSettings(wish) });
  return answer.ok ? answer : refusedAs(answer.why, `pool ${pool}`);
}

/** As the ledger has them. Where it keeps no "none" the largest amount is it: no window has more. */
export function poolSettings({ tokenMaxGpuMs, ...same }: PoolWish): Partial<PoolSettings> {
  const cap = tokenMaxGpuMs === undefined ? {} : { tokenMaxGpuMs: gpuMs(tokenMaxGpuMs ?? maxGpuMs) };
  return { ...(same as Partial<PoolSettings>), ...cap };
}

export async function putCards(order: Order, { node, device }: Cards, pool: string | null): Promise<Done> {
  const answer = await order({ type: "set-card-pool", node, device, pool });
  return answer.ok
    ? answer
    : refusedAs(answer.why, device === null ? `node ${node}` : `card ${device} of node ${node}`);
}

export async function giveRoute(order: Order, of: RouteOf, wish: RouteWish | null): Promise<Done> {
  const { pools, moveAfterMs = null } = wish ?? { pools: [] };
  const route = wish && { pools, moveAfterMs: moveAfterMs === null ? null : durationMs(moveAfterMs) };
  const answer = await order({ type: "set-route", of, route });
  return answer.ok ? answer : refusedAs(answer.why, of.kind === "space" ? of.space : of.account);
}

/** Each with advice of its own, as allowances have. */
function refusedAs(why: CommandRefusal, what: string): Refused {
  const conflict = { ok: false, code: "control/conflict" } as const;
  const missing = { ok: false, code: "control/not-found" } as const;
  switch (why) {
    case "unknown-node":
    case "unknown-card":
      return { ...missing, says: `There is no ${what}.`, next: "`waybill node list` shows nodes and their cards." };
    case "unknown-pool":
      return {
        ...missing,
        says: `A pool that is named for ${what} is not there.`,
        next: "`waybill pool list` shows those that are; `waybill pool add NAME` makes one.",
      };
    case "too-many":
      return {
        ...conflict,
        says: `No more is kept: ${what} would be one too many.`,
        next: "Use what is there: pools are never removed, a rule or a card's pool goes with `--back`; `waybill pool rules` lists all rules.",
      };
    case "amount-overflow":
      return {
        ok: false,
        code: "control/invalid",
        says: `A setting of ${what} is beyond what the ledger takes.`,
        next: `A length is at most ${settingMaxMs} ms, a count at most ${settingMaxCount}.`,
      };
    case "malformed":
      return {
        ok: false,
        code: "control/invalid",
        says: `The ledger does not take that name: ${what}.`,
        next: "A pool's name has letters, digits, . _ and -, at most 64, a letter or digit first.",
      };
    default:
      return { ...conflict, says: `The ledger refused it: ${why}.` };
  }
}
