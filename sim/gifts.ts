/** What operators give accounts beyond their tiers, and Spaces' owners their visitors: at any time, of any kind, drawn. */
import { gpuMs } from "../src/core/amounts.ts";
import type { AllowanceTerms, CallId, Command, LiftablePolicy, WhenOut } from "../src/core/model.ts";
import { after, durationMs } from "../src/stdx/time.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import type { State } from "../src/core/state.ts";
import type { Instant } from "../src/stdx/time.ts";
import type { Prng } from "../src/stdx/prng.ts";
import type { Configuration } from "./configuration.ts";

/** Whose all Spaces are, and what its tier is. */
export const owner = { account: "alice", tier: "free" } as const;

export type Gift = Extract<Command, { type: "allow" | "revoke" | "set-budget" }>;

/** `id`: of an allowance, if one is given. */
export function drawGift(
  random: Prng,
  { accounts, spaces }: Pick<Configuration, "accounts" | "spaces">,
  id: string,
  state: State,
  now: Instant,
): Gift {
  const given = [...state.accounts.values()].flatMap(({ id: account, allowances }) =>
    allowances.map((allowance) => ({ account, allowance: allowance.id })),
  );
  // Also one that is over, or was taken back: that is refused, and changes nothing.
  if (given.length > 0 && random.chance(0.25))
    return { type: "revoke", ...random.pick(given), by: "admin", reason: random.pick(["drawn", "a mistake"]) };
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
  const ms = gpuMs(random.pick([1, 2_500, 20_000, 60_000]));
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

/** What of it has come to something in a life, each time by the name of its counter. */
export function* giftsIn(records: readonly LedgerRecord[]): Generator<(typeof giftCounters)[number]> {
  /** Credits that open calls hold, by call: account and id of each. */
  const held = new Map<CallId, readonly string[]>();
  for (const event of records.flatMap(({ events }) => events)) {
    switch (event.type) {
      case "allowance-given":
        yield "allowancesGiven";
        break;
      case "allowance-revoked": {
        yield "allowancesRevoked";
        const key = `${event.account} ${event.allowance}`;
        if ([...held.values()].some((keys) => keys.includes(key))) yield "heldCreditsRevoked";
        break;
      }
      case "budget-set":
        yield "budgetsSet";
        break;
      case "call-admitted": {
        const { terms: of, sponsor, credits = [], overrides } = event;
        if (sponsor !== undefined) yield "callsSponsored";
        if (credits.length > 0) yield "creditsHeld";
        if (credits.length > 0 && sponsor !== undefined) yield "sponsorsCreditsHeld";
        if (overrides) yield "overridesNamed";
        held.set(
          of.call,
          credits.map(({ allowance }) => `${sponsor ?? of.account} ${allowance}`),
        );
        break;
      }
      case "call-settled":
        if (event.credits) yield "creditsCharged";
        held.delete(event.call);
        break;
      case "call-voided":
        held.delete(event.call);
        break;
      default:
    }
  }
}

export const giftCounters = [
  "allowancesGiven",
  "allowancesRevoked",
  "heldCreditsRevoked",
  "budgetsSet",
  "callsSponsored",
  "creditsHeld",
  "sponsorsCreditsHeld",
  "creditsCharged",
  "overridesNamed",
] as const;
