/**
 * What a whole log sums up to (L38): the state that it gives, beside books that are kept from its events alone and share no
 * arithmetic with it. Memory stays at what the state holds, however long the log is.
 */
import { assert } from "../stdx/assert.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { apply } from "./evolve.ts";
import { balanceOf, newAudit, take } from "./audit.ts";
import { servedKey } from "./audit-pools.ts";
import type { Audit } from "./audit.ts";
import type { CallTerms, Event } from "./model.ts";
import { poolOfCall } from "./routing.ts";
import type { LedgerRecord } from "./record.ts";
import { emptyState } from "./state.ts";
import type { Mutable, State } from "./state.ts";

/** Sums over all accounts; GPU time in milliseconds times the size's factor. */
export interface Totals {
  readonly records: number;
  /** Calls that ended with a settlement, free of charge or not. */
  readonly settled: number;
  /** Calls that ended before they used a GPU. */
  readonly voided: number;
  /** All that was ever charged. */
  readonly chargedMs: number;
  readonly accounts: number;
  /** Of what was charged, that which counts in the accounts' running windows. */
  readonly usedMs: number;
  readonly heldMs: number;
}

/**
 * What the calls that one account paid for, or was refused, on one Space came to within one period of its window. Visitors' addresses
 * come without end and are forgotten: those of all of them on one Space in one month are one count.
 */
export interface Count {
  /** `address:*` for all addresses. */
  readonly account: string;
  readonly space: string;
  /** Of the account's window; a call counts in the one that admitted or refused it. 0 for addresses. */
  readonly period: number;
  /** Of addresses: the month in UTC in which the calls ended, such as 2026-11; absent for accounts. */
  readonly month?: string;
  readonly settled: number;
  readonly voided: number;
  readonly refused: number;
  /** GPU milliseconds times the size's factor. */
  readonly chargedMs: number;
}

/** Where a log begins whose first records were removed: the state after the last of them, and what they came to. */
export interface Beginning {
  readonly state: State;
  readonly counts: readonly Count[];
}

/** An account whose balance by the log is not the ledger's (L1). */
export interface Difference {
  readonly account: string;
  readonly ledger: { readonly usedMs: number; readonly heldMs: number };
  readonly log: { readonly usedMs: number; readonly heldMs: number };
}

/** Replays records in their order, from the first on, or from where the log begins. */
export class Replay {
  readonly state: State;
  readonly #audit: Audit;
  readonly #counts = new Map<string, Mutable<Count>>();

  /** The state is this replay's own from now on. */
  constructor({ state, counts }: Beginning = { state: emptyState(), counts: [] }) {
    this.state = state;
    this.#audit = auditAt(state);
    for (const count of counts) this.#add(count, state.at);
  }

  take(record: LedgerRecord): void {
    apply(this.state, record);
    take(this.#audit, record);
    this.#audit.findings.length = 0; // Policies of the day are the simulator's business; here amounts are compared.
    for (const event of record.events) {
      this.#count(event, record.at);
      if (event.type === "calls-forgotten") this.#forget(event);
    }
  }

  /** How much its books keep beside the state: calls, accounts, and pools that served one. */
  get size(): number {
    const { holds, books, served } = this.#audit;
    return holds.size + books.size + served.size;
  }

  /** What its calls came to, records that were removed among them; in the order of account, Space and period. */
  counts(): readonly Count[] {
    return [...this.#counts.values()].sort(
      (a, b) =>
        byText(a.account, b.account) ||
        byText(a.space, b.space) ||
        a.period - b.period ||
        byText(a.month ?? "", b.month ?? ""),
    );
  }

  /** Sums of the log's own books. */
  totals(): Totals {
    let [usedMs, heldMs] = [0, 0];
    for (const book of this.#audit.books.values()) {
      usedMs += book.usedMs;
      heldMs += book.heldMs;
    }
    const { size: accounts } = this.state.accounts;
    const calls = { settled: 0, voided: 0, chargedMs: 0 };
    for (const { settled, voided, chargedMs } of this.#counts.values()) {
      calls.settled += settled;
      calls.voided += voided;
      calls.chargedMs += chargedMs;
    }
    return { records: this.state.index, ...calls, accounts, usedMs, heldMs };
  }

  /** Accounts whose balance in the state is another than the log's. */
  differences(): readonly Difference[] {
    return [...this.state.accounts.values()].flatMap(({ id, usedMs, heldMs }) => {
      const log = balanceOf(this.#audit, id);
      if (log.usedMs === usedMs && log.heldMs === heldMs) return [];
      return [{ account: id, ledger: { usedMs, heldMs }, log: { usedMs: log.usedMs, heldMs: log.heldMs } }];
    });
  }

  /** What the state forgets, the books do: addresses come without end, and one that comes again is opened anew. */
  #forget({ calls, accounts = [] }: Extract<Event, { type: "calls-forgotten" }>): void {
    const { holds, books, served } = this.#audit;
    for (const call of calls) holds.delete(call);
    for (const account of accounts) {
      books.delete(account);
      for (const pool of this.state.pools.keys()) served.delete(servedKey(pool, account));
    }
  }

  /** By the ledger's periods: an account that was forgotten begins with the first one again, wherever a log begins. */
  #count(event: Event, at: Instant): void {
    if (event.type === "call-refused") {
      const { period = 0 } = this.state.accounts.get(event.terms.account) ?? {};
      this.#countOf(event.terms, period, at).refused++;
    }
    if (event.type !== "call-settled" && event.type !== "call-voided") return;
    const [hold, call] = [this.#audit.holds.get(event.call), this.state.calls.get(event.call)];
    assert(hold && call && call.stage !== "refused", "L5: what ends was held, and is not forgotten in the same record");
    const count = this.#countOf({ account: hold.payer, space: hold.terms.space }, call.period, at);
    if (event.type === "call-voided") count.voided++;
    else {
      count.settled++;
      count.chargedMs += event.chargedMs;
    }
  }

  #countOf({ account, space }: Pick<CallTerms, "account" | "space">, period: number, at: Instant): Mutable<Count> {
    const whose = isAddress(account)
      ? { account: allAddresses, space, period: 0, month: monthOf(at) }
      : { account, space, period };
    const key = keyOf(whose);
    const count = this.#counts.get(key) ?? { ...whose, settled: 0, voided: 0, refused: 0, chargedMs: 0 };
    this.#counts.set(key, count);
    return count;
  }

  /** A count of before; one that has a single address, as they once were written, joins those of the log's beginning. */
  #add(count: Count, at: Instant): void {
    if (count.month !== undefined) return void this.#counts.set(keyOf(count), { ...count });
    const sum = this.#countOf(count, count.period, at);
    sum.settled += count.settled;
    sum.voided += count.voided;
    sum.refused += count.refused;
    sum.chargedMs += count.chargedMs;
  }
}

/** The books as a state has them: a log whose first records are gone goes on from there. */
function auditAt(state: State): Audit {
  const audit = newAudit();
  for (const { id, tier, period, resetsAt, usedMs, heldMs, runs, open } of state.accounts.values())
    audit.books.set(id, { tier, period, resetsAt, usedMs, heldMs, runs, open });
  for (const [id, call] of state.calls) {
    if (call.stage === "refused" || "endedAt" in call) continue;
    const { terms, heldMs, leaseMs, period, credits = [], sponsor: payer = terms.account, routed: route = null } = call;
    const place = { pool: poolOfCall(call), route, left: new Set<string>(), movesAt: null };
    const open = { lease: null, deadline: 0, attachBy: 0, giveUpAt: null };
    const unsettled = { chargedMs: null, chargedCreditsMs: 0, releasedMs: 0 };
    const counted = call.counted === true;
    audit.holds.set(id, { terms, heldMs, leaseMs, payer, period, credits, counted, ...place, ...open, ...unsettled });
  }
  return Object.assign(audit, { index: state.index, at: state.at });
}

const allAddresses = "address:*";

/** No account has such a name: whoever calls without one is counted by address. */
function isAddress(account: string): boolean {
  return account.startsWith("address:");
}

function monthOf(at: Instant): string {
  return iso(at).slice(0, 7);
}

function keyOf({ account, space, period, month }: Omit<Count, "settled" | "voided" | "refused" | "chargedMs">): string {
  return JSON.stringify([account, space, period, month]);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
