/** What an operator gives an account beyond its tier, and what a Space's owner pays for its visitors. */
import { after } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { isStanding } from "./allowances.ts";
import { maxGpuMs } from "./amounts.ts";
import type {
  Account,
  AllowanceTerms,
  Command,
  CommandRefusal,
  Decision,
  StandingAllowance,
  TierName,
} from "./model.ts";
import { decided, planOn, push } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { allowancesMax, windowMaxMs } from "./policy.ts";
import type { State } from "./state.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

const nothing: Decision = { ok: true, events: [] };
const no = (why: CommandRefusal): Decision => ({ ok: false, why });

export function allow(state: State, { account, tier, allowance }: Of<"allow">, now: Instant): Decision {
  const book = state.accounts.get(account);
  const known = book?.allowances.find(({ id }) => id === allowance.id);
  if (known) return isSame(known, allowance) ? nothing : no("other-content");
  const standing = book?.allowances.filter((each) => isStanding(each, book, now)) ?? [];
  const why = refuse(book, standing, allowance.terms, now);
  if (why !== undefined) return no(why);
  const plan = planOn(state, now);
  open(plan, account, tier);
  push(plan, { v: 1, type: "allowance-given", account, allowance });
  return decided(plan);
}

/** What is over already cannot be taken back; by another, or for another reason, it is once. */
export function revoke(state: State, { account, allowance, by, reason }: Of<"revoke">, now: Instant): Decision {
  const book = state.accounts.get(account);
  const known = book?.allowances.find(({ id }) => id === allowance);
  if (book === undefined || known === undefined) return no("unknown-allowance");
  if (known.revoked)
    return known.revoked.by === by && known.revoked.reason === reason ? nothing : no("already-revoked");
  if (!isStanding(known, book, now)) return no("unknown-allowance");
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "allowance-revoked", account, allowance, by, reason });
  return decided(plan);
}

/** A Space keeps its sponsor: its budget's sums are in the periods of that account's window. */
export function setBudget(state: State, command: Of<"set-budget">, now: Instant): Decision {
  const { space, sponsor, tier, settings } = command;
  const known = state.budgets.get(space);
  if (known && known.sponsor !== sponsor) return no("other-content");
  const { limitMs, whenOut } = { limitMs: known?.limitMs ?? null, whenOut: known?.whenOut ?? "visitor", ...settings };
  if (limitMs !== null && !isAmount(limitMs)) return no("amount-overflow");
  if (known?.limitMs === limitMs && known.whenOut === whenOut) return nothing;
  const plan = planOn(state, now);
  open(plan, sponsor, tier);
  push(plan, { v: 1, type: "budget-set", space, sponsor, settings: { limitMs, whenOut } });
  return decided(plan);
}

function open(plan: Plan, account: string, tier: TierName): void {
  if (plan.state.accounts.get(account)?.tier !== tier) push(plan, { v: 1, type: "account-opened", account, tier });
}

function refuse(
  book: Account | undefined,
  standing: readonly StandingAllowance[],
  terms: AllowanceTerms,
  now: Instant,
): CommandRefusal | undefined {
  if (standing.length >= allowancesMax) return "too-many";
  if (terms.kind !== "lift") {
    const given = standing.reduce((sum, each) => sum + (each.kind === terms.kind ? each.ms : 0), 0);
    if (!isAmount(terms.ms) || terms.ms === 0 || terms.ms > maxGpuMs - given) return "amount-overflow";
  }
  if (terms.kind === "window" && !isOpen(book, now)) return "no-window";
  const until = terms.kind === "lift" ? terms.until : terms.kind === "credits" ? terms.expiresAt : null;
  return until === null || isAhead(until, now) ? undefined : "not-ahead";
}

function isOpen(book: Account | undefined, now: Instant): boolean {
  return book !== undefined && book.resetsAt !== null && now < book.resetsAt;
}

function isAhead(until: Instant, now: Instant): boolean {
  return Number.isSafeInteger(until) && until > now && until <= after(now, windowMaxMs);
}

function isAmount(amount: number): boolean {
  return Number.isSafeInteger(amount) && amount >= 0;
}

function isSame(known: StandingAllowance, { by, reason, terms }: Of<"allow">["allowance"]): boolean {
  if (known.by !== by || known.reason !== reason || known.kind !== terms.kind) return false;
  const fields = Object.entries(terms) as [keyof StandingAllowance, unknown][];
  return fields.every(([name, value]) => known[name] === value);
}
