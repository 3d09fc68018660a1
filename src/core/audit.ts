/**
 * The audit's books: what the log alone says of balances, holds, leases and times, and what in it breaks an invariant. It shares no
 * arithmetic with `evolve`, and finds instead of throwing. What the state must show beside them is in invariants.ts.
 */
import {
  bookEnd,
  bookHold,
  checkFunding,
  couldPay,
  couldSponsor,
  give,
  limitInForce,
  namesOverride,
  newFunds,
  nextBudgets,
  setBudgetBook,
  sum,
  takeBack,
} from "./audit-funds.ts";
import type { BookedAllowance, BookedBudget, FundBook, PaidHold } from "./audit-funds.ts";
import {
  bookCardPool,
  bookDrain,
  bookJoined,
  bookMoved,
  bookRoute,
  bookStayed,
  checkDrainDue,
  checkGrantedPool,
  checkRule,
  isDrained,
  newPoolBooks,
  placed,
} from "./audit-pools.ts";
import type { PlacedHold, PoolBooks } from "./audit-pools.ts";
import type { CallId, CallTerms, CreditPart, Event, Lease, NodeName, SlotId, TierName, TierSettings } from "./model.ts";
import { nodeTtlMs, settleWithinMs, tierDefaults } from "./policy.ts";
import type { LedgerRecord } from "./record.ts";

export interface Finding {
  readonly invariant: string;
  readonly index: number;
  readonly says: string;
}

export interface Hold extends PaidHold, PlacedHold {
  readonly leaseMs: number;
  readonly counted: boolean;
  lease: Lease | null;
  /** From here on its wait may be over, its grant taken back, its end given up. */
  deadline: number;
  attachBy: number;
  giveUpAt: number | null; // null until it attached
  chargedMs: number | null; // null while it is open
  /** Of the charge, by credits. */
  chargedCreditsMs: number;
  releasedMs: number;
}

interface Book extends FundBook {
  runs: number;
  /** Open calls of any period. */
  open: number;
}

interface Heard {
  at: number;
  epoch: number;
}

/** Books rebuilt from the log, and what was found wrong on the way. */
export interface Audit extends PoolBooks {
  readonly findings: Finding[];
  /** How often each invariant was looked at. */
  readonly looked: Map<string, number>;
  readonly books: Map<string, Book>;
  /** Settings of tiers that the log has set. */
  readonly tiers: Map<TierName, TierSettings>;
  readonly allowances: Map<string, BookedAllowance>;
  readonly budgets: Map<string, BookedBudget>;
  /** By pool; null: no limit. */
  readonly spaceCallsMax: Map<string, number | null>;
  readonly holds: Map<CallId, Hold>;
  /** Open calls by Space; one without is not in it. */
  readonly openBySpace: Map<string, number>;
  readonly fences: Map<SlotId, number>;
  /** What a restore raised them above. */
  fencesAbove: number;
  /** Who has the slot: a call by its lease, an old worker, or nobody. */
  readonly holders: Map<
    SlotId,
    { readonly call: CallId } | { readonly replica: string; readonly task: string | null } | null
  >;
  /** Cards in trouble by node, each as what the names of its slots begin with. */
  readonly trouble: Map<string, readonly string[]>;
  readonly heard: Map<NodeName, Heard>;
  writer: { readonly epoch: number; readonly startedAt: number };
  index: number;
  at: number;
}

/** Balances as the log alone gives them: what the state must show (L1). */
export interface Balance {
  readonly usedMs: number;
  readonly heldMs: number;
  /** Counted calls of the period that are open or were charged. */
  readonly runs: number;
  /** Open calls of any period. */
  readonly open: number;
}

export function newAudit(): Audit {
  const maps = { books: new Map(), holds: new Map(), fences: new Map(), holders: new Map(), trouble: new Map() };
  const policies = { tiers: new Map(), spaceCallsMax: new Map() };
  const counts = { looked: new Map(), openBySpace: new Map(), heard: new Map() };
  return {
    findings: [],
    ...maps,
    ...policies,
    ...newFunds(),
    ...counts,
    ...newPoolBooks(),
    writer: { epoch: 0, startedAt: 0 },
    fencesAbove: 0,
    index: 0,
    at: 0,
  };
}

/** Adds a record to the books. */
export function take(audit: Audit, record: LedgerRecord): void {
  look(audit, "L14");
  if (record.index !== audit.index + 1 || record.at < audit.at) {
    find(audit, "L14", `record ${record.index} at ${record.at} follows ${audit.index} at ${audit.at}`);
  }
  audit.index = record.index;
  audit.at = record.at;
  for (const event of record.events) takeEvent(audit, event, record);
}

/** An account's balance by the log: what its current period settled, and what that period's open calls hold. */
export function balanceOf(audit: Audit, account: string): Balance {
  const { usedMs = 0, heldMs = 0, runs = 0, open = 0 } = audit.books.get(account) ?? {};
  return { usedMs, heldMs, runs, open };
}

function takeEvent(audit: Audit, event: Event, record: LedgerRecord): void {
  switch (event.type) {
    case "writer-started":
      audit.writer = { epoch: event.epoch, startedAt: audit.at };
      return;
    case "fences-raised":
      audit.fencesAbove = Math.max(audit.fencesAbove, event.above);
      return;
    case "node-joined":
      bookJoined(audit, event);
      audit.heard.set(event.node, { at: audit.at, epoch: audit.writer.epoch });
      return;
    case "node-heard":
      audit.heard.set(event.node, { at: audit.at, epoch: audit.writer.epoch });
      return;
    case "node-lost":
      return nodeLost(audit, event.node);
    case "account-opened":
      return openBook(audit, event);
    case "tier-set":
      audit.tiers.set(event.tier, event.settings);
      return;
    case "pool-set":
      audit.spaceCallsMax.set(event.pool, event.settings.spaceCallsMax ?? null);
      return;
    case "allowance-given":
      return give(audit, event);
    case "allowance-revoked":
      return takeBack(audit, event, finder(audit));
    case "budget-set":
      return setBudgetBook(audit, event);
    case "window-opened":
      return openWindow(audit, event.account, event.resetsAt);
    case "window-reset":
      return resetWindow(audit, event.account);
    case "calls-forgotten":
      for (const account of event.accounts ?? []) forgetBook(audit, account);
      return;
    case "call-refused":
      return refused(audit, event);
    case "call-admitted":
      admitted(audit, event);
      return answeredAtOnce(audit, event.terms.call, record);
    case "call-moved":
    case "call-stayed":
      return movedOn(audit, event);
    case "card-pool-set":
      return bookCardPool(audit, event, finder(audit));
    case "route-set":
      return bookRoute(audit, event);
    case "call-queued": {
      const hold = audit.holds.get(event.call);
      if (hold) hold.deadline = event.deadline;
      return;
    }
    case "call-granted":
      return granted(audit, event);
    case "call-attached":
      return attached(audit, event.call);
    case "call-voided":
      voidedInTime(audit, event, record);
      return ended(audit, { ...event, chargedMs: 0 }, record);
    case "call-settled":
      settledInTime(audit, event, record);
      return ended(audit, event, record);
    case "cards-changed":
      audit.trouble.set(
        event.node,
        event.trouble.map(({ device }) => `${event.node}/${device}/`),
      );
      return;
    case "drain-set":
      return bookDrain(audit, event);
    case "drain-due":
      look(audit, "L15");
      return checkDrainDue(audit, event, finder(audit));
    case "slot-free":
      audit.holders.set(event.slot, null);
      return;
    case "slot-warm":
      audit.holders.set(event.slot, { replica: event.replica, task: event.task });
      return;
    case "slot-clearing":
      audit.holders.set(event.slot, { replica: event.replica, task: null });
      return;
    default:
  }
}

function openBook(audit: Audit, { account, tier }: Extract<Event, { type: "account-opened" }>): void {
  const known = audit.books.get(account);
  if (known) known.tier = tier;
  else audit.books.set(account, { tier, period: 0, resetsAt: null, usedMs: 0, heldMs: 0, runs: 0, open: 0 });
}

/** What a forgotten account did stays in the log and counts for nobody: it begins in a period of its own. */
function forgetBook(audit: Audit, account: string): void {
  const book = audit.books.get(account);
  if (!book) return find(audit, "L8", `${account} is forgotten and was never open`);
  if (book.resetsAt !== null && audit.at < book.resetsAt)
    find(audit, "L15", `${account} is forgotten within its window`);
  nextPeriod(audit, account, book);
}

/** L35: what the old period holds and has used counts no more. */
function nextPeriod(audit: Audit, account: string, book: Book): void {
  nextBudgets(audit, account);
  Object.assign(book, { period: book.period + 1, resetsAt: null, usedMs: 0, heldMs: 0, runs: 0 });
}

function openWindow(audit: Audit, account: string, resetsAt: number): void {
  look(audit, "L35");
  const book = audit.books.get(account);
  if (!book || book.resetsAt !== null) return find(audit, "L35", `a window of ${account} opens within another`);
  book.resetsAt = resetsAt;
}

function resetWindow(audit: Audit, account: string): void {
  look(audit, "L15");
  const book = audit.books.get(account);
  if (!book || book.resetsAt === null || audit.at < book.resetsAt)
    return find(audit, "L15", `early reset of ${account}`);
  nextPeriod(audit, account, book);
}

/** L33: nobody is refused for a quota, or a budget, that would have held the call. */
function refused(audit: Audit, { terms, refusal, routed }: Extract<Event, { type: "call-refused" }>): void {
  // What its node's cards can't run is refused before any pool is asked.
  if (refusal.code !== "arch-mismatch" && refusal.code !== "driver-too-old")
    checkRule(audit, terms, routed, finder(audit));
  if (refusal.code !== "quota-exceeded" && refusal.code !== "budget-exceeded") return;
  look(audit, "L33");
  const isBudget = refusal.code === "budget-exceeded";
  const could = isBudget ? (couldSponsor(audit, terms) ?? null) : couldPay(audit, terms.account, terms.tier);
  const need = Math.floor(terms.declaredMs * factorOf(terms));
  if (could === null || need <= could)
    find(audit, "L33", `${terms.call} was refused ${need} by ${refusal.code} with ${could} left`);
}

function admitted(audit: Audit, event: Extract<Event, { type: "call-admitted" }>): void {
  const { terms, heldMs, leaseMs, counted, sponsor, credits = [] } = event;
  for (const id of ["L3", "L8", "L12", "L33", "L35", "L40", "L41", "L42"]) look(audit, id);
  const earlier = audit.holds.get(terms.call);
  if (earlier?.chargedMs === null) find(audit, "L12", `${terms.call} is held twice`);
  const book = audit.books.get(terms.account);
  const payer = sponsor ?? terms.account;
  const paying = audit.books.get(payer);
  if (!book || !paying) return find(audit, "L8", `${terms.call} is held on an account that is not open`);
  const { runsMax, callsMax } = audit.tiers.get(book.tier) ?? tierDefaults[book.tier];
  if (paying.resetsAt === null || audit.at >= paying.resetsAt)
    find(audit, "L35", `${terms.call} was admitted outside a window`);
  fits(audit, event, sponsor === undefined ? couldPay(audit, payer, book.tier) : (couldSponsor(audit, terms) ?? 0));
  checkFunding(audit, event, finder(audit));
  // The same id again, after it was forgotten: its first life still counts.
  if (earlier) audit.holds.set(`${terms.call}@${audit.index}`, earlier);
  const hold: Hold = {
    heldMs,
    leaseMs,
    ...placed(audit, event, finder(audit)),
    payer,
    period: paying.period,
    credits,
    counted: counted === true,
    lease: null,
    deadline: 0,
    attachBy: 0,
    giveUpAt: null,
    chargedMs: null,
    chargedCreditsMs: 0,
    releasedMs: 0,
  };
  audit.holds.set(terms.call, hold);
  bookHold(audit, hold);
  paying.heldMs += heldMs - sum(credits);
  book.open++;
  if (counted) book.runs++;
  const ofSpace = (audit.openBySpace.get(terms.space) ?? 0) + 1;
  audit.openBySpace.set(terms.space, ofSpace);
  withinLimit(audit, event, paying, payer);
  const over = (what: string, has: number, max: number | null | undefined, isNamed = false): void => {
    if (typeof max === "number" && has > max && !isNamed) find(audit, "L40", `${what}: ${has} > ${max}`);
  };
  if (counted) over(`runs of ${terms.account}`, book.runs, runsMax, namesOverride(audit, event, "runs"));
  over(`calls of ${terms.account}`, book.open, callsMax, namesOverride(audit, event, "calls"));
  over(`calls of ${terms.space}`, ofSpace, audit.spaceCallsMax.get(hold.pool));
}

/** L3: within the limit in force, and beyond the tier's own only where an override is named. */
function withinLimit(
  audit: Audit,
  event: Extract<Event, { type: "call-admitted" }>,
  { usedMs, heldMs, tier }: Book,
  payer: string,
): void {
  const [all, inForce] = [usedMs + heldMs, limitInForce(audit, payer, tier)];
  const ofTier = (audit.tiers.get(tier) ?? tierDefaults[tier]).windowLimitMs;
  const takesNone = event.heldMs === sum(event.credits ?? []);
  if (takesNone) return; // all of it is credits: the window is as it was
  if (inForce !== null && all > inForce) find(audit, "L3", `${payer}: ${usedMs} + ${heldMs} > ${inForce}`);
  if (ofTier !== null && all > ofTier && !namesOverride(audit, event, "window", all - ofTier))
    find(audit, "L3", `${payer}: ${usedMs} + ${heldMs} > ${ofTier}, and no override is named`);
}

/** L33: the whole declaration is held where that fits into what is `left`; else a clipped lease that does. */
function fits(
  audit: Audit,
  { terms, heldMs, leaseMs, clipped }: Extract<Event, { type: "call-admitted" }>,
  left: number | null,
): void {
  const need = Math.floor(terms.declaredMs * factorOf(terms));
  const fitsWhole = left === null || need <= left;
  const isRight = fitsWhole
    ? !clipped && heldMs === need && leaseMs === terms.declaredMs
    : clipped && heldMs <= left && heldMs === Math.floor(leaseMs * factorOf(terms)) && leaseMs < terms.declaredMs;
  if (!isRight) find(audit, "L33", `${terms.call} needs ${need} of ${left} and holds ${heldMs} for ${leaseMs}`);
}

/** L13: what a call is told stands in the record that holds it. */
function answeredAtOnce(audit: Audit, call: CallId, { events }: LedgerRecord): void {
  look(audit, "L13");
  const isAnswer = (event: Event): boolean =>
    (event.type === "call-granted" || event.type === "call-queued") && event.call === call;
  if (!events.some(isAnswer)) find(audit, "L13", `${call} is held, and the record holds no answer`);
}

function granted(audit: Audit, { call, lease, attachBy }: Extract<Event, { type: "call-granted" }>): void {
  for (const id of ["L8", "L18", "L20", "L22", "L39", "L51"]) look(audit, id);
  const hold = audit.holds.get(call);
  if (!hold || hold.chargedMs !== null) return find(audit, "L8", `a lease for ${call}, which has no open hold`);
  if (hold.lease) find(audit, "L20", `${call} was granted twice`);
  hold.lease = lease;
  hold.attachBy = attachBy;
  for (const slot of lease.slots) {
    const holder = audit.holders.get(slot) ?? null;
    if (holder && "call" in holder) find(audit, "L20", `${slot} is leased to ${holder.call} and to ${call}`);
    else if (holder && (holder.replica !== hold.terms.replica || holder.task !== hold.terms.task || !lease.warm)) {
      find(audit, "L22", `${slot} still has a worker of ${holder.replica}`);
    }
    if ([...audit.trouble.values()].flat().some((card) => slot.startsWith(card)))
      find(audit, "L39", `${slot} is on a card in trouble`);
    checkGrantedPool(audit, hold, slot, finder(audit));
    if (isDrained(audit, slot)) find(audit, "L39", `${slot} is drained`);
    if (lease.fence <= Math.max(audit.fences.get(slot) ?? 0, audit.fencesAbove))
      find(audit, "L18", `fence ${lease.fence} of ${slot} is not new`);
    audit.fences.set(slot, lease.fence);
    audit.holders.set(slot, { call });
  }
}

/** A waiting call moves on, or is to and stays: by time not before its node was heard (L17). */
function movedOn(audit: Audit, event: Extract<Event, { type: "call-moved" | "call-stayed" }>): void {
  for (const id of ["L17", "L50"]) look(audit, id);
  const hold = audit.holds.get(event.call);
  if (!hold || hold.chargedMs !== null || hold.lease)
    return find(audit, "L49", `${event.call} moves, and does not wait`);
  const isByTime = event.type === "call-stayed" || event.why === "waited";
  if (isByTime && audit.heard.get(hold.terms.node)?.epoch !== audit.writer.epoch)
    find(audit, "L17", `${event.call} moves, and this writer has not heard ${hold.terms.node}`);
  if (event.type === "call-moved") bookMoved(audit, hold, event, finder(audit));
  else bookStayed(audit, hold, event, finder(audit));
}

/** L23: nothing revives a lease that ended. */
function attached(audit: Audit, call: CallId): void {
  look(audit, "L23");
  const hold = audit.holds.get(call);
  if (!hold?.lease || hold.chargedMs !== null) return find(audit, "L23", `${call} attaches without a lease`);
  if (hold.giveUpAt !== null) find(audit, "L30", `${call} attaches twice`);
  hold.giveUpAt = audit.at + hold.leaseMs + settleWithinMs;
}

/* Time moves a call on by itself: not before its deadline (L15), and not before this writer heard its node (L17). */

const waitIsOver: readonly string[] = ["queue-timeout", "pool-draining", "device-fault", "nvml-lost"];

function voidedInTime(audit: Audit, event: Extract<Event, { type: "call-voided" }>, record: LedgerRecord): void {
  const hold = audit.holds.get(event.call);
  if (hold && !hold.lease && waitIsOver.includes(event.cause)) expired(audit, hold, hold.deadline);
  else if (hold?.lease && event.cause === "grant-unused" && isClearedAfter(event, record, hold.lease))
    expired(audit, hold, hold.attachBy);
}

function settledInTime(audit: Audit, event: Extract<Event, { type: "call-settled" }>, record: LedgerRecord): void {
  const hold = audit.holds.get(event.call);
  if (hold?.lease && event.cause === "shim-lost" && hold.giveUpAt !== null && isClearedAfter(event, record, hold.lease))
    expired(audit, hold, hold.giveUpAt);
}

/** Nobody said that its worker is gone: time alone ended it. */
function isClearedAfter(end: Event, { events }: LedgerRecord, { slots }: Lease): boolean {
  const rest = events.slice(events.indexOf(end) + 1);
  return rest.find((event) => "slot" in event && slots.includes(event.slot))?.type === "slot-clearing";
}

function expired(audit: Audit, { terms }: Hold, due: number): void {
  look(audit, "L15");
  look(audit, "L17");
  if (audit.at < due) find(audit, "L15", `${terms.call} expired ${due - audit.at} ms early`);
  if (audit.heard.get(terms.node)?.epoch !== audit.writer.epoch)
    find(audit, "L17", `${terms.call} expired, and this writer has not heard ${terms.node}`);
}

function nodeLost(audit: Audit, node: NodeName): void {
  look(audit, "L15");
  look(audit, "L17");
  const heardAt = audit.heard.get(node)?.at ?? 0;
  if (audit.at < heardAt + nodeTtlMs)
    find(audit, "L15", `${node} was given up ${audit.at - heardAt} ms after its word`);
  if (audit.at < audit.writer.startedAt + nodeTtlMs)
    find(audit, "L17", `${node} was given up ${audit.at - audit.writer.startedAt} ms after a start`);
}

/** Ends that are never the payer's doing. */
const platformFaults: readonly string[] = ["operator-stop", "shim-lost", "node-lost", "device-fault", "nvml-lost"];

interface HoldEnd {
  readonly call: CallId;
  readonly credits?: readonly CreditPart[] | undefined;
  readonly cause: string;
  readonly chargedMs: number;
  readonly releasedMs: number;
}

function ended(audit: Audit, end: HoldEnd, record: LedgerRecord): void {
  const { call, cause, chargedMs, releasedMs } = end;
  for (const id of ["L2", "L5", "L6", "L8", "L13", "L30", "L31", "L32", "L41"]) look(audit, id);
  const hold = audit.holds.get(call);
  if (!hold) return find(audit, "L8", `${call} ended without a hold`);
  if (hold.chargedMs !== null) return find(audit, "L5", `${call} ended twice`);
  if (chargedMs + releasedMs !== hold.heldMs)
    find(audit, "L2", `${call}: ${chargedMs} + ${releasedMs} is not ${hold.heldMs}`);
  if (chargedMs > hold.heldMs) find(audit, "L6", `${call} is charged more than its hold`);
  if (chargedMs > 0 && !hold.lease) find(audit, "L8", `${call} is charged without a lease`);
  if (chargedMs > hold.leaseMs * factorOf(hold.terms)) find(audit, "L31", `${call} is charged for more than its lease`);
  if (chargedMs > 0 && platformFaults.includes(cause)) find(audit, "L32", `${call} is charged for ${cause}`);
  for (const slot of hold.lease?.slots ?? []) {
    if (!record.events.some((event) => "slot" in event && event.slot === slot))
      find(audit, "L13", `${call} ended, and the record says nothing of ${slot}`);
  }
  hold.chargedMs = chargedMs;
  hold.releasedMs = releasedMs;
  closeHold(audit, hold, end);
}

function closeHold(audit: Audit, hold: Hold, end: HoldEnd): void {
  const { terms, heldMs, period, counted, payer, credits } = hold;
  const { chargedMs } = end;
  const book = audit.books.get(terms.account) as Book;
  book.open--;
  bookEnd(audit, hold, end, finder(audit));
  hold.chargedCreditsMs = sum(end.credits ?? []);
  const ofSpace = (audit.openBySpace.get(terms.space) ?? 0) - 1;
  if (ofSpace === 0) audit.openBySpace.delete(terms.space);
  else audit.openBySpace.set(terms.space, ofSpace);
  const paying = audit.books.get(payer) as Book;
  if (paying.period !== period) return;
  paying.heldMs -= heldMs - sum(credits);
  paying.usedMs += chargedMs - hold.chargedCreditsMs;
  if (counted && chargedMs === 0) book.runs--;
}

function factorOf({ size }: CallTerms): number {
  return size === "xlarge" ? 2 : 1;
}

/** Notes what breaks the invariant. */
export function find(found: Pick<Audit, "findings" | "index">, invariant: string, says: string): void {
  found.findings.push({ invariant, index: found.index, says });
}

/** {@link find}, of these findings. */
export const finder =
  (found: Pick<Audit, "findings" | "index">) =>
  (invariant: string, says: string): void =>
    find(found, invariant, says);

/** Counts a look at the invariant. */
export function look({ looked }: Pick<Audit, "looked">, invariant: string): void {
  looked.set(invariant, (looked.get(invariant) ?? 0) + 1);
}
