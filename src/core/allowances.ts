/**
 * What operators gave an account beyond its tier: more for its window, credits, a policy lifted. Each has an id, a giver and
 * a reason in the log, and whatever an admission owes to one names it.
 *
 *   L3. No admission makes used + held exceed the limit then in force, unless an entry names an override.
 */
import type { Instant } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import type {
  Account,
  AccountId,
  AllowanceId,
  CreditPart,
  Credits,
  LiftablePolicy,
  StandingAllowance,
  WindowAllowance,
} from "./model.ts";
import type { State } from "./state.ts";

type Owner = Pick<Account, "allowances" | "period" | "resetsAt">;

/** Whether it can still do anything, or has credits in an open hold. */
export function isStanding(allowance: StandingAllowance, { period, resetsAt }: Owner, now: Instant): boolean {
  switch (allowance.kind) {
    case "window":
      return allowance.period === period && resetsAt !== null && now < resetsAt;
    case "lift":
      return now < allowance.until;
    case "credits":
      return allowance.heldMs > 0 || leftOf(allowance, now) > 0;
  }
}

/** The account's allowances that are not over. */
export function standingOf(state: State, account: AccountId, now: Instant): readonly StandingAllowance[] {
  const book = state.accounts.get(account);
  return book && book.allowances.length > 0 ? book.allowances.filter((each) => isStanding(each, book, now)) : [];
}

/** What was added to the period that runs. */
export function addedTo(standing: readonly StandingAllowance[]): readonly WindowAllowance[] {
  return standing.filter((each) => each.kind === "window");
}

/** The allowance that lifts the policy now: the one that does so for longest. */
export function liftOf(standing: readonly StandingAllowance[], policy: LiftablePolicy): AllowanceId | undefined {
  if (standing.length === 0) return undefined; // nearly always: this is on the path of every call
  const lifts = standing.flatMap((each) => (each.kind === "lift" && each.policy === policy ? [each] : []));
  return lifts.toSorted((a, b) => b.until - a.until)[0]?.id;
}

/** Credits with something left, in the order in which they are used: those that expire first, then those given first. */
export function creditsOf(standing: readonly StandingAllowance[], now: Instant): readonly Credits[] {
  const usable = standing.filter((each): each is Credits => each.kind === "credits" && leftOf(each, now) > 0);
  return usable.toSorted((a, b) => (a.expiresAt ?? Infinity) - (b.expiresAt ?? Infinity) || 0);
}

export function creditsLeft(standing: readonly StandingAllowance[], now: Instant): GpuMs {
  return gpuMs(creditsOf(standing, now).reduce((sum, each) => sum + leftOf(each, now), 0));
}

/** `amount` out of what each part offers, in their order; less where they offer less. */
export function draw(amount: number, offers: readonly CreditPart[]): CreditPart[] {
  const parts: CreditPart[] = [];
  let open = amount;
  for (const { allowance, ms } of offers) {
    if (open <= 0) break;
    const part = gpuMs(Math.min(open, ms));
    parts.push({ allowance, ms: part });
    open -= part;
  }
  return parts;
}

/** What a hold may take from each of the credits. */
export function offersOf(standing: readonly StandingAllowance[], now: Instant): CreditPart[] {
  return creditsOf(standing, now).map((each) => ({ allowance: each.id, ms: leftOf(each, now) }));
}

export const sumOf = (parts: readonly CreditPart[] | undefined): number =>
  (parts ?? []).reduce((sum, { ms }) => sum + ms, 0);

/** Neither used nor held; nothing once they have expired. */
function leftOf({ ms, usedMs, heldMs, expiresAt }: Credits, now: Instant): GpuMs {
  return gpuMs(expiresAt !== null && now >= expiresAt ? 0 : ms - usedMs - heldMs);
}
