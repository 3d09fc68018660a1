/**
 * The audit's books of what pays for calls beside an account's tier: allowances, credits among them, and Spaces' budgets.
 * From the log alone, as all of the audit (audit.ts).
 *
 *   L41. Credits pay what the window can't; what a hold took of them is charged or given back in its end's record.
 *   L42. A sponsored call is within its Space's budget, and touches no window but its sponsor's.
 */
import type {
  Allowance,
  AllowanceTerms,
  BudgetSettings,
  CallTerms,
  CreditPart,
  Event,
  LiftablePolicy,
  TierName,
  TierSettings,
} from "./model.ts";
import { tierDefaults } from "./policy.ts";
import type { State } from "./state.ts";

export interface FundBook {
  tier: TierName;
  period: number;
  resetsAt: number | null;
  usedMs: number;
  heldMs: number;
}

export interface BookedAllowance {
  readonly account: string;
  readonly terms: AllowanceTerms;
  readonly period: number;
  usedMs: number;
  heldMs: number;
  isRevoked: boolean;
}

export interface BookedBudget {
  sponsor: string;
  settings: BudgetSettings;
  usedMs: number;
  heldMs: number;
}

/** What of the audit these books are kept in. */
export interface Funds {
  readonly books: ReadonlyMap<string, FundBook>;
  readonly tiers: ReadonlyMap<TierName, TierSettings>;
  /** By account and id: an id is the account's own. */
  readonly allowances: Map<string, BookedAllowance>;
  readonly budgets: Map<string, BookedBudget>;
  readonly at: number;
}

/** A hold as far as its payment goes. */
export interface PaidHold {
  readonly terms: CallTerms;
  readonly heldMs: number;
  readonly payer: string;
  /** The payer's. */
  readonly period: number;
  readonly credits: readonly CreditPart[];
}

type Find = (invariant: string, says: string) => void;
type Admission = Extract<Event, { type: "call-admitted" }>;

export const sum = (parts: readonly CreditPart[]): number => parts.reduce((all, { ms }) => all + ms, 0);

export const newFunds = (): Pick<Funds, "allowances" | "budgets"> => ({ allowances: new Map(), budgets: new Map() });

export function give(funds: Funds, { account, allowance }: Extract<Event, { type: "allowance-given" }>): void {
  const period = funds.books.get(account)?.period ?? 0;
  const book = { account, terms: allowance.terms, period, usedMs: 0, heldMs: 0, isRevoked: false };
  funds.allowances.set(keyOf(account, allowance), book);
}

/** L41: it allows nothing from here on. */
export function takeBack(
  funds: Funds,
  { account, allowance }: Extract<Event, { type: "allowance-revoked" }>,
  find: Find,
): void {
  const booked = funds.allowances.get(keyOf(account, { id: allowance }));
  if (!booked || booked.isRevoked) return find("L41", `${allowance} of ${account} is taken back, and is not there`);
  booked.isRevoked = true;
}

export function setBudgetBook(
  funds: Funds,
  { space, sponsor, settings }: Extract<Event, { type: "budget-set" }>,
): void {
  const { usedMs, heldMs } = funds.budgets.get(space) ?? { usedMs: 0, heldMs: 0 };
  funds.budgets.set(space, { sponsor, settings, usedMs, heldMs });
}

/** L35: the sponsor's period is the budget's. */
export function nextBudgets(funds: Funds, account: string): void {
  for (const budget of funds.budgets.values())
    if (budget.sponsor === account) Object.assign(budget, { usedMs: 0, heldMs: 0 });
}

/** The limit of the account's window that is in force: the tier's, with what stands beside it. */
export function limitInForce(funds: Funds, account: string, tier: TierName): number | null {
  const limit = (funds.tiers.get(tier) ?? tierDefaults[tier]).windowLimitMs;
  if (limit === null || isLifted(funds, account, "window")) return null;
  const book = funds.books.get(account);
  if (!book || book.resetsAt === null || funds.at >= book.resetsAt) return limit;
  let added = 0;
  for (const each of funds.allowances.values()) {
    if (each.account !== account || each.isRevoked || each.terms.kind !== "window") continue;
    if (each.period === book.period) added += each.terms.ms;
  }
  return Math.min(Number.MAX_SAFE_INTEGER, limit + added);
}

/** All that the account could set aside; null: no bound. */
export function couldPay(funds: Funds, account: string, tier: TierName): number | null {
  const limit = limitInForce(funds, account, tier);
  if (limit === null) return null;
  const { usedMs, heldMs } = funds.books.get(account) ?? { usedMs: 0, heldMs: 0 };
  let credits = 0;
  for (const each of funds.allowances.values()) if (each.account === account) credits += leftOf(each, funds.at);
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, limit - usedMs - heldMs) + credits);
}

/** What the Space's owner could pay for this call; undefined where it pays for no visitor, or is the caller. */
export function couldSponsor(funds: Funds, { space, account }: CallTerms): number | undefined {
  const budget = funds.budgets.get(space);
  if (!budget || budget.settings.limitMs === null || budget.sponsor === account) return undefined;
  const tier = funds.books.get(budget.sponsor)?.tier ?? "free";
  const own = couldPay(funds, budget.sponsor, tier);
  const left = Math.max(0, budget.settings.limitMs - budget.usedMs - budget.heldMs);
  return own === null ? left : Math.min(left, own);
}

/** A new hold, against the payer's books as they were before it. */
export function checkFunding(funds: Funds, event: Admission, find: Find): void {
  const { terms, sponsor, credits = [] } = event;
  const could = couldSponsor(funds, terms);
  const need = terms.declaredMs * (terms.size === "xlarge" ? 2 : 1);
  if (sponsor === undefined && could !== undefined && need <= could)
    find("L42", `${terms.call} is its visitor's, and a budget would hold it`);
  if (sponsor !== undefined && sponsor !== funds.budgets.get(terms.space)?.sponsor)
    find("L42", `${sponsor} pays for ${terms.call} and sponsors nothing there`);
  if (sponsor !== undefined && event.heldMs > (could ?? -1))
    find("L42", `${terms.call} holds ${event.heldMs}, its sponsor could pay ${could}`);
  const payer = sponsor ?? terms.account;
  const limit = limitInForce(funds, payer, tierOfPayer(funds, event));
  const { usedMs, heldMs } = funds.books.get(payer) ?? { usedMs: 0, heldMs: 0 };
  const left = limit === null ? Infinity : Math.max(0, limit - usedMs - heldMs);
  if (sum(credits) !== Math.max(0, event.heldMs - left))
    find("L41", `${terms.call} holds ${sum(credits)} of credits with ${left} of its window left`);
}

/** The tier by which the payer's window is bounded. */
export function tierOfPayer(funds: Funds, { terms, sponsor }: Pick<Admission, "terms" | "sponsor">): TierName {
  return sponsor === undefined ? terms.tier : (funds.books.get(sponsor)?.tier ?? "free");
}

/** L3, L40: what passes the tier's own limit names what allows it. */
export function namesOverride(funds: Funds, event: Admission, policy: LiftablePolicy, beyondMs = 0): boolean {
  const payer = event.sponsor ?? event.terms.account;
  const account = policy === "window" ? payer : event.terms.account;
  let added = 0;
  for (const id of event.overrides ?? []) {
    const named = funds.allowances.get(keyOf(account, { id }));
    if (!named || named.isRevoked) continue;
    const { terms } = named;
    if (terms.kind === "lift" && terms.policy === policy && funds.at < terms.until) return true;
    if (terms.kind === "window" && named.period === funds.books.get(account)?.period) added += terms.ms;
  }
  return policy === "window" && added >= beyondMs;
}

export function bookHold(funds: Funds, { terms, heldMs, payer, credits }: PaidHold): void {
  for (const { allowance, ms } of credits) {
    const lot = funds.allowances.get(keyOf(payer, { id: allowance }));
    if (lot) lot.heldMs += ms;
  }
  const budget = payer === terms.account ? undefined : funds.budgets.get(terms.space);
  if (budget) budget.heldMs += heldMs;
}

/** The hold's end: each part of it is charged or given back. */
export function bookEnd(
  funds: Funds,
  hold: PaidHold,
  { chargedMs, credits = [] }: { readonly chargedMs: number; readonly credits?: readonly CreditPart[] | undefined },
  find: Find,
): void {
  const { terms, payer, period, heldMs } = hold;
  checkCreditsCharged(funds, hold, chargedMs, credits, find);
  for (const { allowance, ms } of hold.credits) {
    const lot = funds.allowances.get(keyOf(payer, { id: allowance }));
    if (lot) lot.heldMs -= ms;
  }
  for (const { allowance, ms } of credits) {
    const lot = funds.allowances.get(keyOf(payer, { id: allowance }));
    const of = hold.credits.find((part) => part.allowance === allowance);
    if (!lot || !of || ms > of.ms) find("L41", `${terms.call} is charged ${ms} of ${allowance}, and held ${of?.ms}`);
    if (lot) lot.usedMs += ms;
  }
  const budget = payer === terms.account ? undefined : funds.budgets.get(terms.space);
  if (!budget || funds.books.get(payer)?.period !== period) return;
  budget.heldMs -= heldMs;
  budget.usedMs += chargedMs;
}

function checkCreditsCharged(
  funds: Funds,
  { terms, heldMs, payer, period, credits }: PaidHold,
  chargedMs: number,
  charged: readonly CreditPart[],
  find: Find,
): void {
  if (credits.length === 0 && charged.length === 0) return;
  const book = funds.books.get(payer);
  const limit = book && limitInForce(funds, payer, book.tier);
  const most = limit ?? Number.MAX_SAFE_INTEGER;
  const room = book?.period === period ? Math.max(0, most - book.usedMs - book.heldMs) : 0;
  const should = Math.max(0, chargedMs - (heldMs - sum(credits)) - room);
  if (sum(charged) !== should) find("L41", `${terms.call} is charged ${sum(charged)} of credits, not ${should}`);
}

/** L1: credits and budgets of the state are those of the log. */
export function checkFunds(state: State, funds: Funds, accounts: Iterable<string>, find: Find): void {
  for (const account of accounts) {
    for (const each of state.accounts.get(account)?.allowances ?? []) {
      const booked = funds.allowances.get(keyOf(account, each));
      if (!booked) find("L1", `${each.id} was never given to ${account}`);
      if (booked?.isRevoked !== (each.revoked !== undefined))
        find("L1", `${each.id} is shown otherwise than the log has it: taken back ${booked?.isRevoked}`);
      if (each.kind !== "credits") continue;
      if (each.usedMs !== booked?.usedMs || each.heldMs !== booked.heldMs)
        find("L1", `${each.id} shows ${each.usedMs} used, ${each.heldMs} held; the log ${JSON.stringify(booked)}`);
      if (each.usedMs + each.heldMs > each.ms || each.heldMs < 0) find("L3", `${each.id} is used beyond ${each.ms}`);
    }
  }
}

export function checkBudget(state: State, funds: Funds, space: string, find: Find): void {
  const [shown, booked] = [state.budgets.get(space), funds.budgets.get(space)];
  if (shown?.usedMs === booked?.usedMs && shown?.heldMs === booked?.heldMs) return;
  find("L1", `the budget of ${space} shows ${JSON.stringify(shown)}; the log gives ${JSON.stringify(booked)}`);
}

/** L5: an open hold's credits are never dropped, nor are any that could still be used. */
export function checkKept(state: State, funds: Funds, find: Find): void {
  for (const [key, booked] of funds.allowances) {
    const { account, terms, heldMs } = booked;
    if (terms.kind !== "credits" || (heldMs === 0 && leftOf(booked, funds.at) === 0)) continue;
    if (!state.accounts.get(account)?.allowances.some((each) => keyOf(account, each) === key))
      find("L5", `${key} is forgotten`);
  }
}

const keyOf = (account: string, { id }: Pick<Allowance, "id">): string => `${account} ${id}`;

function isLifted(funds: Funds, account: string, policy: LiftablePolicy): boolean {
  for (const { account: of, terms, isRevoked } of funds.allowances.values()) {
    if (of === account && !isRevoked && terms.kind === "lift" && terms.policy === policy && funds.at < terms.until)
      return true;
  }
  return false;
}

function leftOf({ terms, usedMs, heldMs, isRevoked }: BookedAllowance, at: number): number {
  if (isRevoked || terms.kind !== "credits" || (terms.expiresAt !== null && at >= terms.expiresAt)) return 0;
  return terms.ms - usedMs - heldMs;
}
