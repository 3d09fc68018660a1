/** `POST /api/trials`: what a past span's calls would have become under other settings of tiers and pools. For operators; changes nothing. */
import { z } from "zod";
import type { TrialView } from "../../contract/trials.ts";
import { tierNames } from "../../core/policy.ts";
import type { TrialEdits } from "../../core/trial/world.ts";
import type { Route } from "../api.ts";
import { administrator, refuse, refuseAs } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { poolBody, poolSettings } from "../pool-orders.ts";
import { Trials, trialSpanMaxMs } from "../trials/trials.ts";
import { moment } from "./audit.ts";
import { tierBody } from "./tiers.ts";

/** More pools than a platform has. */
const poolsMost = 64;

export const trialBody = z
  .strictObject({
    from: moment,
    to: moment,
    tiers: z.partialRecord(z.enum(tierNames as [string, ...string[]]), tierBody).exactOptional(),
    pools: z.record(z.string().max(64), poolBody).exactOptional(),
  })
  .refine(({ pools = {} }) => Object.keys(pools).length <= poolsMost, `name at most ${poolsMost} pools`)
  .refine(
    ({ tiers = {}, pools = {} }) =>
      [...Object.values(tiers), ...Object.values(pools)].some((change) => Object.keys(change ?? {}).length > 0),
    "name at least one setting of a tier or a pool that would be otherwise",
  );

export const trialsRoute: Route = (api, server) => {
  const { catalog, clock, calls } = server;
  const world = () => server.ledger.trialWorld();
  const trials = new Trials({ catalog, clock, caughtUp: () => calls.caughtUp(), world });
  api.post("/api/trials", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wish = await jsonBody(c, trialBody);
    if (wish instanceof Response) return wish;
    const { from, to, tiers = {}, pools = {} } = wish;
    const invalid = (detail: string): Response => refuse(c, "control/invalid", { detail });
    if (from >= to) return invalid("The span ends before it begins: from is before to.");
    if (to - from > trialSpanMaxMs) return invalid(`A span is at most ${trialSpanMaxMs / 86_400_000} days long.`);
    if (to > clock.wall()) return invalid("The span is not over yet: to is an instant that was.");
    const there = new Set((await server.ledger.pools()).map(({ name }) => name));
    const unknown = Object.keys(pools).find((name) => !there.has(name));
    if (unknown !== undefined) return refuse(c, "control/not-found", { detail: `There is no pool ${unknown}.` });
    const edits: TrialEdits = {
      tiers,
      pools: Object.fromEntries(Object.entries(pools).map(([name, change]) => [name, poolSettings(change)])),
    };
    const tried = await trials.run({ from, to, edits });
    return tried.ok ? c.json(tried.value satisfies TrialView) : refuseAs(c, tried);
  });
};
