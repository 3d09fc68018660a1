/** What operators give accounts beyond their tiers, and Spaces' owners their visitors: at any time, of any kind, drawn. */
import { gpuMs } from "../src/core/amounts.ts";
import type { AllowanceTerms, Command, Event, LiftablePolicy, WhenOut } from "../src/core/model.ts";
import { after, durationMs } from "../src/stdx/time.ts";
import type { Instant } from "../src/stdx/time.ts";
import type { Prng } from "../src/stdx/prng.ts";
import type { Configuration } from "./configuration.ts";

/** Whose all Spaces are, and what its tier is. */
export const owner = { account: "alice", tier: "free" } as const;

export type Gift = Extract<Command, { type: "allow" | "set-budget" }>;

/** `id`: of an allowance, if it is one. */
export function drawGift(
  random: Prng,
  { accounts, spaces }: Pick<Configuration, "accounts" | "spaces">,
  id: string,
  now: Instant,
): Gift {
  if (random.chance(0.3)) {
    const limitMs = random.pick([null, 0, 4_000, 20_000, 300_000]);
    const settings = { limitMs: limitMs === null ? null : gpuMs(limitMs), whenOut: random.pick<WhenOut>(whenOut) };
    const { account: sponsor, tier } = owner;
    return { type: "set-budget", space: random.pick(spaces).name, sponsor, tier, settings };
  }
  const whose = [...accounts.map(({ name, tier }) => ({ account: name, tier })), owner];
  return {
    type: "allow",
    ...random.pick(whose),
    allowance: { id, by: "admin", reason: "drawn", terms: terms(random, now) },
  };
}

const whenOut: readonly WhenOut[] = ["visitor", "refuse"];
const policies: readonly LiftablePolicy[] = ["window", "runs", "calls", "duration"];

function terms(random: Prng, now: Instant): AllowanceTerms {
  const ms = gpuMs(random.pick([1, 2_500, 20_000]));
  const until = after(now, durationMs(random.pick([1, 3_000, 20_000])));
  switch (random.int(4)) {
    case 0:
      return { kind: "window", ms };
    case 1:
      return { kind: "lift", policy: random.pick(policies), until };
    default:
      return { kind: "credits", ms, expiresAt: random.chance(0.4) ? until : null };
  }
}

/** What of it has come to something, by the names of its counters. */
export function countersOf(event: Event): readonly string[] {
  if (event.type === "allowance-given") return ["allowancesGiven"];
  if (event.type === "budget-set") return ["budgetsSet"];
  if (event.type === "call-settled") return event.credits ? ["creditsCharged"] : [];
  if (event.type !== "call-admitted") return [];
  const { sponsor, credits, overrides } = event;
  return [
    ...(sponsor === undefined ? [] : ["callsSponsored"]),
    ...(credits ? ["creditsHeld"] : []),
    ...(overrides ? ["overridesNamed"] : []),
  ];
}

export const giftCounters = [
  "allowancesGiven",
  "budgetsSet",
  "callsSponsored",
  "creditsHeld",
  "creditsCharged",
  "overridesNamed",
] as const;
