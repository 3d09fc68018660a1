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
  Allowance,
  AllowanceId,
  AllowanceTerms,
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
  if (allowance.kind === "credits") return allowance.heldMs > 0 || leftOf(allowance, now) > 0;
  if (allowance.revoked) return false;
  switch (allowance.kind) {
    case "window":
      return allowance.period === period && resetsAt !== null && now < resetsAt;
    case "lift":
      return now < allowance.until;
  }
}

/** The account's allowances with this one more; those that are over go. */
export function withGiven(account: Account, { terms, ...given }: Allowance, at: Instant): readonly StandingAllowance[] {
  const standing = account.allowances.filter((each) => isStanding(each, account, at));
  return [...standing, begun(terms, { ...given, at }, account.period)];
}

/** The same without this one, marked with who took it back: it can do nothing more, and its credits that are held stay held. */
export function withRevoked(account: Account, id: AllowanceId, by: TakenBack): readonly StandingAllowance[] {
  return account.allowances.map((each) => (each.id === id ? { ...each, revoked: by } : each));
}

type TakenBack = NonNullable<StandingAllowance["revoked"]>;
type Given = Pick<StandingAllowance, "id" | "by" | "reason" | "at">;

function begun(terms: AllowanceTerms, given: Given, period: number): StandingAllowance {
  switch (terms.kind) {
    case "window":
      return { ...given, ...terms, period };
    case "credits":
      return { ...given, ...terms, usedMs: gpuMs(0), heldMs: gpuMs(0) };
    case "lift":
      return { ...given, ...terms };
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

/** Neither used nor held; nothing once they have expired, or were taken back. */
function leftOf({ ms, usedMs, heldMs, expiresAt, revoked }: Credits, now: Instant): GpuMs {
  if (revoked) return gpuMs(0);
  return gpuMs(expiresAt !== null && now >= expiresAt ? 0 : ms - usedMs - heldMs);
}
