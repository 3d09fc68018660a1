/**
 * Checks the ledger from outside: an audit keeps its own books from the log alone, and compares them with the state. It
 * shares no arithmetic with `evolve`, finds instead of throwing, and names each finding by its invariant.
 */
import type { CallId, CallTerms, Event, Lease, SlotId, TierName, TierSettings } from "./model.ts";
import { tierDefaults } from "./policy.ts";
import type { LedgerRecord } from "./record.ts";
import type { State } from "./state.ts";

export interface Finding {
  readonly invariant: string;
  readonly index: number;
  readonly says: string;
}

interface Hold {
  readonly terms: CallTerms;
  readonly heldMs: number;
  readonly leaseMs: number;
  readonly period: number;
  readonly counted: boolean;
  lease: Lease | null;
  chargedMs: number | null; // null while it is open
  releasedMs: number;
}

interface Book {
  tier: CallTerms["tier"];
  period: number;
  resetsAt: number | null;
}

/** Books rebuilt from the log, and what was found wrong on the way. */
export interface Audit {
  readonly findings: Finding[];
  readonly books: Map<string, Book>;
  /** Settings of tiers that the log has set. */
  readonly tiers: Map<TierName, TierSettings>;
  /** By pool; null: no limit. */
  readonly spaceCallsMax: Map<string, number | null>;
  readonly holds: Map<CallId, Hold>;
  readonly fences: Map<SlotId, number>;
  /** Who has the slot: a call by its lease, an old worker, or nobody. */
  readonly holders: Map<
    SlotId,
    { readonly call: CallId } | { readonly replica: string; readonly task: string | null } | null
  >;
  /** Cards in trouble by node, each as what the names of its slots begin with. */
  readonly trouble: Map<string, readonly string[]>;
  index: number;
  at: number;
}

/** Balances as the log alone gives them: what the state must show (L1). */
export interface Balance {
  readonly usedMs: number;
  readonly heldMs: number;
  /** Counted calls of the period that are open or were charged. */
  readonly runs: number;
}

export function newAudit(): Audit {
  const maps = { books: new Map(), holds: new Map(), fences: new Map(), holders: new Map(), trouble: new Map() };
  return { findings: [], ...maps, tiers: new Map(), spaceCallsMax: new Map(), index: 0, at: 0 };
}

/** Adds a record to the books. */
export function take(audit: Audit, record: LedgerRecord): void {
  if (record.index !== audit.index + 1 || record.at < audit.at) {
    find(audit, "L14", `record ${record.index} at ${record.at} follows ${audit.index} at ${audit.at}`);
  }
  audit.index = record.index;
  audit.at = record.at;
  for (const event of record.events) takeEvent(audit, event);
}

/** An account's balance by the log: what its current period settled, and what that period's open calls hold. */
export function balanceOf(audit: Audit, account: string): Balance {
  const period = audit.books.get(account)?.period ?? 0;
  let usedMs = 0;
  let heldMs = 0;
  let runs = 0;
  for (const hold of audit.holds.values()) {
    if (hold.terms.account !== account || hold.period !== period) continue;
    if (hold.counted && hold.chargedMs !== 0) runs++;
    if (hold.chargedMs === null) heldMs += hold.heldMs;
    else usedMs += hold.chargedMs;
  }
  return { usedMs, heldMs, runs };
}

/** Everything that is wrong with the state, and with the log where its books are given; empty when all holds. */
export function checkInvariants(state: State, audit?: Audit): Finding[] {
  const found = { findings: [] as Finding[], index: state.index };
  checkAmounts(found, state);
  checkSlots(found, state);
  checkQueues(found, state);
  if (audit) {
    found.findings.push(...audit.findings);
    checkBalances(found, state, audit);
    checkAgainstLog(found, state, audit);
  }
  return found.findings;
}

/* ── the log ────────────────────────────────────────────────────────────── */

function takeEvent(audit: Audit, event: Event): void {
  switch (event.type) {
    case "account-opened":
      return openBook(audit, event);
    case "tier-set":
      audit.tiers.set(event.tier, event.settings);
      return;
    case "pool-set":
      audit.spaceCallsMax.set(event.pool, event.settings.spaceCallsMax ?? null);
      return;
    case "window-opened":
      return openWindow(audit, event.account, event.resetsAt);
    case "window-reset":
      return resetWindow(audit, event.account);
    case "calls-forgotten":
      for (const account of event.accounts ?? []) forgetBook(audit, account);
      return;
    case "call-admitted":
      return admitted(audit, event);
    case "call-granted":
      return granted(audit, event);
    case "call-voided":
      return ended(audit, event.call, 0, event.releasedMs);
    case "call-settled":
      return ended(audit, event.call, event.chargedMs, event.releasedMs);
    case "cards-changed":
      audit.trouble.set(
        event.node,
        event.trouble.map(({ device }) => `${event.node}/${device}/`),
      );
      return;
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
  else audit.books.set(account, { tier, period: 0, resetsAt: null });
}

/** What a forgotten account did stays in the log and counts for nobody: it begins in a period of its own. */
function forgetBook(audit: Audit, account: string): void {
  const book = audit.books.get(account);
  if (!book) return find(audit, "L8", `${account} is forgotten and was never open`);
  if (book.resetsAt !== null && audit.at < book.resetsAt)
    find(audit, "L15", `${account} is forgotten within its window`);
  book.period++;
  book.resetsAt = null;
}

function openWindow(audit: Audit, account: string, resetsAt: number): void {
  const book = audit.books.get(account);
  if (!book || book.resetsAt !== null) return find(audit, "L35", `a window of ${account} opens within another`);
  book.resetsAt = resetsAt;
}

function resetWindow(audit: Audit, account: string): void {
  const book = audit.books.get(account);
  if (!book || book.resetsAt === null || audit.at < book.resetsAt)
    return find(audit, "L15", `early reset of ${account}`);
  book.resetsAt = null;
  book.period++;
}

function admitted(audit: Audit, { terms, heldMs, leaseMs, counted }: Extract<Event, { type: "call-admitted" }>): void {
  if (audit.holds.get(terms.call)?.chargedMs === null) find(audit, "L12", `${terms.call} is held twice`);
  const book = audit.books.get(terms.account);
  if (!book) return find(audit, "L8", `${terms.call} is held on an account that is not open`);
  const { windowLimitMs: limit, runsMax, callsMax } = audit.tiers.get(book.tier) ?? tierDefaults[book.tier];
  if (book.resetsAt === null || audit.at >= book.resetsAt)
    find(audit, "L35", `${terms.call} was admitted outside a window`);
  // The same id again, after it was forgotten: its first life still counts.
  const earlier = audit.holds.get(terms.call);
  if (earlier) audit.holds.set(`${terms.call}@${audit.index}`, earlier);
  audit.holds.set(terms.call, {
    terms,
    heldMs,
    leaseMs,
    period: book.period,
    counted: counted === true,
    lease: null,
    chargedMs: null,
    releasedMs: 0,
  });
  const { usedMs, heldMs: allHeld, runs } = balanceOf(audit, terms.account);
  if (limit !== null && usedMs + allHeld > limit)
    find(audit, "L3", `${terms.account}: ${usedMs} + ${allHeld} > ${limit}`);
  const over = (what: string, has: number, max: number | null | undefined): void => {
    if (typeof max === "number" && has > max) find(audit, "L40", `${what}: ${has} > ${max}`);
  };
  const open = [...audit.holds.values()].filter(({ chargedMs }) => chargedMs === null);
  over(`runs of ${terms.account}`, runs, runsMax);
  over(`calls of ${terms.account}`, open.filter((hold) => hold.terms.account === terms.account).length, callsMax);
  const ofSpace = open.filter((hold) => hold.terms.space === terms.space).length;
  over(`calls of ${terms.space}`, ofSpace, audit.spaceCallsMax.get(terms.pool));
}

function granted(audit: Audit, { call, lease }: Extract<Event, { type: "call-granted" }>): void {
  const hold = audit.holds.get(call);
  if (!hold || hold.chargedMs !== null) return find(audit, "L8", `a lease for ${call}, which has no open hold`);
  if (hold.lease) find(audit, "L20", `${call} was granted twice`);
  hold.lease = lease;
  for (const slot of lease.slots) {
    const holder = audit.holders.get(slot) ?? null;
    if (holder && "call" in holder) find(audit, "L20", `${slot} is leased to ${holder.call} and to ${call}`);
    else if (holder && (holder.replica !== hold.terms.replica || holder.task !== hold.terms.task || !lease.warm)) {
      find(audit, "L22", `${slot} still has a worker of ${holder.replica}`);
    }
    if ([...audit.trouble.values()].flat().some((card) => slot.startsWith(card)))
      find(audit, "L39", `${slot} is on a card in trouble`);
    if (lease.fence <= (audit.fences.get(slot) ?? 0)) find(audit, "L18", `fence ${lease.fence} of ${slot} is not new`);
    audit.fences.set(slot, lease.fence);
    audit.holders.set(slot, { call });
  }
}

function ended(audit: Audit, call: CallId, chargedMs: number, releasedMs: number): void {
  const hold = audit.holds.get(call);
  if (!hold) return find(audit, "L8", `${call} ended without a hold`);
  if (hold.chargedMs !== null) return find(audit, "L5", `${call} ended twice`);
  if (chargedMs + releasedMs !== hold.heldMs)
    find(audit, "L2", `${call}: ${chargedMs} + ${releasedMs} is not ${hold.heldMs}`);
  if (chargedMs > hold.heldMs) find(audit, "L6", `${call} is charged more than its hold`);
  if (chargedMs > 0 && !hold.lease) find(audit, "L8", `${call} is charged without a lease`);
  const factor = hold.terms.size === "xlarge" ? 2 : 1;
  if (chargedMs > hold.leaseMs * factor) find(audit, "L31", `${call} is charged for more than its lease`);
  hold.chargedMs = chargedMs;
  hold.releasedMs = releasedMs;
}

/* ── the state ──────────────────────────────────────────────────────────── */

type Found = Pick<Audit, "findings" | "index">;

function checkAmounts(found: Found, state: State): void {
  for (const { id, usedMs, heldMs } of state.accounts.values()) {
    for (const amount of [usedMs, heldMs]) {
      if (!Number.isSafeInteger(amount) || amount < 0) find(found, "L4", `${id} has the amount ${amount}`);
    }
  }
}

function checkSlots(found: Found, state: State): void {
  for (const [id, slot] of state.slots) {
    if (slot.stage !== "leased") continue;
    const call = state.calls.get(slot.call);
    const isHolder =
      (call?.stage === "granted" || call?.stage === "attached") &&
      call.lease.slots.includes(id) &&
      call.lease.fence === slot.fence;
    if (!isHolder) find(found, "L20", `${id} is leased to ${slot.call}, which does not have it`);
  }
  for (const call of state.calls.values()) {
    if (call.stage !== "granted" && call.stage !== "attached") continue;
    for (const id of call.lease.slots) {
      const slot = state.slots.get(id);
      if (slot?.stage !== "leased" || slot.call !== call.terms.call)
        find(found, "L20", `${call.terms.call} lacks ${id}`);
    }
  }
}

/** L9: what is queued stands in its node's queue, once, so that a tick finds it; and no queue holds anything else. */
function checkQueues(found: Found, state: State): void {
  const queued = [...state.nodes.values()].flatMap((node) => node.queue);
  if (new Set(queued).size !== queued.length) find(found, "L9", "a call is queued twice");
  for (const id of queued)
    if (state.calls.get(id)?.stage !== "queued") find(found, "L9", `${id} is in a queue and does not wait`);
  let waiting = 0;
  for (const call of state.calls.values()) if (call.stage === "queued") waiting++;
  if (waiting !== queued.length) find(found, "L9", `${waiting} calls wait, ${queued.length} are in queues`);
}

function checkBalances(found: Found, state: State, audit: Audit): void {
  for (const { id, usedMs, heldMs, runs } of state.accounts.values()) {
    const balance = balanceOf(audit, id);
    if (balance.usedMs !== usedMs || balance.heldMs !== heldMs || balance.runs !== runs) {
      find(
        found,
        "L1",
        `${id} shows ${usedMs} used, ${heldMs} held, ${runs} runs; the log gives ${balance.usedMs}, ${balance.heldMs}, ${balance.runs}`,
      );
    }
  }
}

function checkAgainstLog(found: Found, state: State, audit: Audit): void {
  const open = new Map<string, number>();
  for (const { chargedMs, terms } of audit.holds.values())
    if (chargedMs === null) open.set(terms.space, (open.get(terms.space) ?? 0) + 1);
  for (const space of new Set([...open.keys(), ...state.openBySpace.keys()])) {
    if (open.get(space) !== state.openBySpace.get(space))
      find(found, "L40", `${space} counts ${state.openBySpace.get(space)} open calls, the log ${open.get(space)}`);
  }
  for (const [id, fence] of audit.fences) {
    if (state.slots.get(id)?.fence !== fence) find(found, "L18", `${id} forgot its fence ${fence}`);
  }
  for (const [id, hold] of audit.holds) {
    const stage = state.calls.get(id)?.stage;
    const isOpen = stage === "queued" || stage === "granted" || stage === "attached";
    if (isOpen !== (hold.chargedMs === null))
      find(found, "L5", `${id} is ${stage ?? "forgotten"}, the log says otherwise`);
  }
}

function find(found: Found, invariant: string, says: string): void {
  found.findings.push({ invariant, index: found.index, says });
}
