/**
 * Checks the ledger from outside: the state beside the books that an audit keeps from the log alone (audit.ts). Finds instead of
 * throwing, and names each finding by its invariant.
 *
 * A record costs what it touches ({@link checkRecord}); {@link checkInvariants} recounts everything.
 */
import { balanceOf, find, finder, look } from "./audit.ts";
import type { Audit, Balance, Finding, Hold } from "./audit.ts";
import { checkBudget, checkFunds, checkKept, sum } from "./audit-funds.ts";
import { servedKey } from "./audit-pools.ts";
import type { Call, CallId, SlotId } from "./model.ts";
import { shareKey } from "./line.ts";
import type { LedgerRecord } from "./record.ts";
import { poolOfCall } from "./routing.ts";
import type { State } from "./state.ts";

/** What is wrong with that part of the state that the last record taken has touched. */
export function checkRecord(state: State, audit: Audit, record: LedgerRecord): Finding[] {
  const found: Found = { findings: [...audit.findings], index: state.index, looked: audit.looked };
  const calls = new Set<CallId>();
  const accounts = new Set<string>();
  const slots = new Set<SlotId>();
  for (const event of record.events) {
    if ("terms" in event) calls.add(event.terms.call);
    if ("call" in event) calls.add(event.call);
    if ("account" in event) accounts.add(event.account);
    if ("slot" in event) slots.add(event.slot);
    if (event.type === "call-granted") for (const slot of event.lease.slots) slots.add(slot);
  }
  for (const id of calls) {
    const hold = audit.holds.get(id);
    if (!hold) continue;
    accounts.add(hold.terms.account).add(hold.payer);
    checkBudget(state, audit, hold.terms.space, finder(found));
    checkStage(found, state.calls.get(id), id, hold);
    checkOpen(found, state, audit, hold.terms.space);
    checkPlace(found, state, id, hold);
  }
  for (const id of accounts) {
    const account = state.accounts.get(id);
    if (!account) continue;
    checkAmounts(found, [account]);
    checkBalance(found, account, balanceOf(audit, id));
  }
  checkFunds(state, audit, accounts, finder(found));
  checkShares(found, state, audit, accounts);
  for (const id of slots) {
    checkSlot(found, state, id);
    checkFence(found, state, id, audit.fences.get(id) ?? 0);
  }
  return found.findings;
}

/** Everything that is wrong with the state, and with the log where its books are given; empty when all holds. */
export function checkInvariants(state: State, audit?: Audit): Finding[] {
  const found: Found = { findings: [], index: state.index, looked: audit?.looked ?? new Map() };
  checkAmounts(found, state.accounts.values());
  checkSlots(found, state);
  checkQueues(found, state);
  if (audit) {
    found.findings.push(...audit.findings);
    checkBalances(found, state, audit);
    checkAgainstLog(found, state, audit);
    checkFunds(state, audit, state.accounts.keys(), finder(found));
    for (const space of audit.budgets.keys()) checkBudget(state, audit, space, finder(found));
    checkKept(state, audit, finder(found));
    checkShares(found, state, audit, state.accounts.keys());
  }
  return found.findings;
}

type Found = Pick<Audit, "findings" | "index" | "looked">;
type Balances = Balance & { readonly id: string };

function checkAmounts(found: Found, accounts: Iterable<Balances>): void {
  for (const { id, usedMs, heldMs, runs } of accounts) {
    look(found, "L4");
    for (const amount of [usedMs, heldMs, runs]) {
      if (!Number.isSafeInteger(amount) || amount < 0) find(found, "L4", `${id} has the amount ${amount}`);
    }
  }
}

function checkSlots(found: Found, state: State): void {
  for (const id of state.slots.keys()) checkSlot(found, state, id);
  for (const call of state.calls.values()) {
    if (call.stage !== "granted" && call.stage !== "attached") continue;
    for (const id of call.lease.slots) {
      const slot = state.slots.get(id);
      if (slot?.stage !== "leased" || slot.call !== call.terms.call)
        find(found, "L20", `${call.terms.call} lacks ${id}`);
    }
  }
}

function checkSlot(found: Found, state: State, id: SlotId): void {
  const slot = state.slots.get(id);
  if (slot?.stage !== "leased") return;
  look(found, "L20");
  const call = state.calls.get(slot.call);
  const isHolder =
    (call?.stage === "granted" || call?.stage === "attached") &&
    call.lease.slots.includes(id) &&
    call.lease.fence === slot.fence;
  if (!isHolder) find(found, "L20", `${id} is leased to ${slot.call}, which does not have it`);
}

/** L9, L49: what is queued stands in its pool's line on its node, once, so that a tick finds it; and no line holds anything else. */
function checkQueues(found: Found, state: State): void {
  for (const id of ["L9", "L49"]) look(found, id);
  const bays = [...state.nodes.values()].flatMap((node) => [...node.bays.values()]);
  const queued = bays.flatMap(({ queue }) => [...queue]);
  const counts = new Map<string, number>();
  for (const { node, pool, queue } of bays) {
    counts.set(pool, (counts.get(pool) ?? 0) + queue.length);
    for (const id of queue) {
      const call = state.calls.get(id);
      if (call && (poolOfCall(call) !== pool || call.terms.node !== node.name))
        find(found, "L49", `${id} of ${poolOfCall(call)} stands in the line of ${pool} on ${node.name}`);
    }
  }
  for (const pool of state.pools.keys()) {
    const [shown = 0, waiting = 0] = [state.waitingIn.get(pool), counts.get(pool)];
    if (shown !== waiting) find(found, "L49", `${pool} counts ${shown} that wait, its lines ${waiting}`);
  }
  if (new Set(queued).size !== queued.length) find(found, "L9", "a call is queued twice");
  for (const id of queued)
    if (state.calls.get(id)?.stage !== "queued") find(found, "L9", `${id} is in a queue and does not wait`);
  let waiting = 0;
  for (const call of state.calls.values()) if (call.stage === "queued") waiting++;
  if (waiting !== queued.length) find(found, "L9", `${waiting} calls wait, ${queued.length} are in queues`);
}

function checkPlace(found: Found, state: State, id: CallId, { terms, pool }: Hold): void {
  for (const invariant of ["L9", "L49"]) look(found, invariant);
  const bays = [...(state.nodes.get(terms.node)?.bays.values() ?? [])].filter(({ queue }) => queue.has(id));
  const isQueued = bays.length > 0;
  if (isQueued !== (state.calls.get(id)?.stage === "queued"))
    find(found, "L9", `${id} ${isQueued ? "is in a queue and does not wait" : "waits in no queue"}`);
  if (bays.length > 1 || (isQueued && bays[0]?.pool !== pool))
    find(found, "L49", `${id} stands in the lines of ${bays.map((bay) => bay.pool)}, by the log it waits in ${pool}`);
}

/** L47: nobody has spent of a pool that never served it. */
function checkShares(found: Found, { shares, pools }: State, { served }: Audit, accounts: Iterable<string>): void {
  for (const account of accounts) {
    for (const pool of pools.keys()) {
      look(found, "L47");
      const { amount = 0 } = shares.get(shareKey(pool, account))?.spent ?? {};
      if (amount > 0 && !served.has(servedKey(pool, account)))
        find(found, "L47", `${account} has spent of ${pool}, which never served it`);
    }
  }
}

function checkBalance(found: Found, { id, usedMs, heldMs, runs, open }: Balances, log: Balance): void {
  look(found, "L1");
  if (log.usedMs === usedMs && log.heldMs === heldMs && log.runs === runs && log.open === open) return;
  const gives = `${log.usedMs}, ${log.heldMs}, ${log.runs}, ${log.open}`;
  find(found, "L1", `${id} shows ${usedMs} used, ${heldMs} held, ${runs} runs, ${open} open; the log gives ${gives}`);
}

/** All holds are counted anew: neither the state's sums nor the audit's own are believed. */
function checkBalances(found: Found, state: State, audit: Audit): void {
  const none = { usedMs: 0, heldMs: 0, runs: 0, open: 0 };
  const sums = new Map<string, { usedMs: number; heldMs: number; runs: number; open: number }>();
  const sumsOf = (account: string): typeof none => {
    const known = sums.get(account) ?? { ...none };
    sums.set(account, known);
    return known;
  };
  for (const hold of audit.holds.values()) {
    const { payer, period, counted, chargedMs, chargedCreditsMs, heldMs, credits } = hold;
    if (chargedMs === null) sumsOf(hold.terms.account).open++;
    if (period !== audit.books.get(payer)?.period) continue;
    const all = sumsOf(payer);
    if (counted && chargedMs !== 0) all.runs++;
    if (chargedMs === null) all.heldMs += heldMs - sum(credits);
    else all.usedMs += chargedMs - chargedCreditsMs;
  }
  for (const account of state.accounts.values()) checkBalance(found, account, sums.get(account.id) ?? none);
}

function checkOpen(found: Found, state: State, audit: Audit, space: string): void {
  look(found, "L40");
  const [shown, open] = [state.openBySpace.get(space), audit.openBySpace.get(space)];
  if (open !== shown) find(found, "L40", `${space} counts ${shown} open calls, the log ${open}`);
}

function checkAgainstLog(found: Found, state: State, audit: Audit): void {
  for (const space of new Set([...audit.openBySpace.keys(), ...state.openBySpace.keys()]))
    checkOpen(found, state, audit, space);
  for (const [id, fence] of audit.fences) checkFence(found, state, id, fence);
  for (const [id, hold] of audit.holds) checkStage(found, state.calls.get(id), id, hold);
}

function checkFence(found: Found, state: State, id: SlotId, fence: number): void {
  look(found, "L18");
  if (state.slots.get(id)?.fence !== fence) find(found, "L18", `${id} forgot its fence ${fence}`);
}

function checkStage(found: Found, call: Call | undefined, id: CallId, hold: Hold): void {
  look(found, "L5");
  const stage = call?.stage;
  const isOpen = stage === "queued" || stage === "granted" || stage === "attached";
  if (isOpen !== (hold.chargedMs === null))
    find(found, "L5", `${id} is ${stage ?? "forgotten"}, the log says otherwise`);
}
