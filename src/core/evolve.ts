/**
 * Applies what did happen. Total: a recorded event is never refused, since history already happened; what it asserts are
 * our own rules. Changes the state that it is given (see state.ts).
 *
 *   L1. Stored balances equal the recomputation from the log.   L5. A hold ends once.   L6. Charge + released = hold.
 *   L14. (time, index) strictly increases.
 */
import { assert, unreachable } from "../stdx/assert.ts";
import { after, between, durationMs } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { sumOf, withGiven, withRevoked } from "./allowances.ts";
import { gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { functionOf, lengthOf, addRun } from "./history.ts";
import type {
  Account,
  AttachedCall,
  Budget,
  Call,
  CallId,
  CallTerms,
  CreditPart,
  Credits,
  Event,
  FinalCall,
  GrantedCall,
  OpenCall,
  PoolSettings,
  QueuedCall,
} from "./model.ts";
import { fillBays, keptBay } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { shareKey } from "./line.ts";
import { functionsMax, killWindowMs, poolDefaults } from "./policy.ts";
import type { LedgerRecord } from "./record.ts";
import { killKey, recentKills } from "./settlement.ts";
import { nothingSpent } from "./share.ts";
import { sinceAfter } from "./plan.ts";
import { admittedCall, attachedCall, grantedCall, refusedCall, settledCall, voidedCall } from "./stages.ts";
import { moveTime, poolOfCall, routeKey, withCardPool } from "./routing.ts";
import {
  costIn,
  movedCall,
  shareKeyOf,
  spentAfterEnd,
  spentAfterGrant,
  spentBy,
  spentLeft,
  ticksIn,
} from "./sharing.ts";
import {
  bayOfCall,
  cappedBy,
  countOpen,
  leaveLine,
  nodeOf,
  setSorted,
  setSpent,
  settingsOf,
  standInLine,
} from "./state.ts";
import { cardsOf, drainKey, slotAfter } from "./slots.ts";
import type { Mutable, NodeState, State } from "./state.ts";

type Of<Type extends Event["type"]> = Extract<Event, { type: Type }>;

/** Where in the journal the event stands. */
export interface Position {
  readonly index: number;
  readonly at: Instant;
}

/** Applies a whole record. */
export function apply(state: State, record: LedgerRecord): void {
  assert(record.index === state.index + 1 && record.at >= state.at, "L14: (time, index) strictly increases");
  const { events } = record;
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as Event;
    const next = events[i + 1];
    if (event.type === "call-admitted" && next?.type === "call-granted" && next.call === event.terms.call) {
      callServed(state, event, next, record.at);
      i++;
    } else evolve(state, event, record);
  }
  state.index = record.index;
  state.at = record.at;
}

/** Applies one event of the record at `position`. Use {@link apply} for whole records: it also moves the state's index. */
export function evolve(state: State, event: Event, position: Position): void {
  const { at } = position;
  switch (event.type) {
    case "writer-started":
      state.writer = { epoch: event.epoch, startedAt: at };
      return;
    case "fences-raised":
      state.fencesAbove = event.above;
      return;
    case "account-opened":
      return accountOpened(state, event);
    case "pool-set":
      return poolSet(state, event, at);
    case "tier-set":
      return setSorted(state.tiers, event.tier, event.settings);
    case "allowance-given":
      return allowanceGiven(state, event, at);
    case "allowance-revoked":
      return allowanceRevoked(state, event, at);
    case "budget-set": {
      const { usedMs = gpuMs(0), heldMs = gpuMs(0) } = state.budgets.get(event.space) ?? {};
      return setSorted(state.budgets, event.space, { ...event.settings, sponsor: event.sponsor, usedMs, heldMs });
    }
    case "node-joined":
      return nodeJoined(state, event, at);
    case "node-heard":
      return nodeHeard(state, event, at);
    case "node-lost":
      nodeOf(state, event.node).stage = "lost";
      return;
    case "cards-changed":
      nodeOf(state, event.node).trouble = event.trouble;
      return;
    case "drain-set":
      return drainSet(state, event);
    case "drain-due":
      return drainDue(state, event);
    case "card-pool-set":
      return cardPoolSet(state, event);
    case "route-set":
      return routeSet(state, event);
    case "window-opened":
      accountOf(state, event.account).resetsAt = event.resetsAt;
      return;
    case "window-reset":
      return windowReset(state, event);
    case "call-refused":
      return callRefused(state, event, position);
    case "call-admitted":
      return callAdmitted(state, event, at);
    case "call-queued":
      return callQueued(state, event, at);
    case "call-moved":
      return callMoved(state, event, at);
    case "call-stayed":
      return callStayed(state, event);
    case "call-granted":
      return callGranted(state, event, at);
    case "call-attached":
      return callAttached(state, event, at);
    case "visitor-left": {
      const call = leasedCall(state, event.call);
      state.calls.set(event.call, { ...call, visitorLeft: true });
      return;
    }
    case "call-voided":
      return callVoided(state, event, position);
    case "call-settled":
      return callSettled(state, event, position);
    case "slot-clearing":
    case "slot-warm":
    case "slot-free":
      return slotChanged(state, event, at);
    case "calls-forgotten":
      return callsForgotten(state, event, at);
    default:
      return unreachable(event);
  }
}

/* ── accounts, nodes ────────────────────────────────────────────────────── */

function accountOpened(state: State, { account: id, tier }: Of<"account-opened">): void {
  const known = state.accounts.get(id);
  if (known) known.tier = tier;
  else
    state.accounts.set(id, {
      id,
      tier,
      usedMs: gpuMs(0),
      heldMs: gpuMs(0),
      resetsAt: null,
      period: 0,
      open: 0,
      runs: 0,
      allowances: [],
    });
}

/** A changed half-life holds from here on: what was spent before has decayed by the old one. */
function poolSet(state: State, { pool, settings }: Of<"pool-set">, at: Instant): void {
  const before = state.pools.get(pool);
  const halfLifeOf = ({ shareHalfLifeMs = poolDefaults.shareHalfLifeMs }: PoolSettings): DurationMs => shareHalfLifeMs;
  // The clock goes on from where it stands.
  if (before && halfLifeOf(before) !== halfLifeOf(settings))
    setSorted(state.clocks, pool, { from: at, ticks: ticksIn(state, pool, at) });
  setSorted(state.pools, pool, settings);
}

/** L35: what the old period still holds is settled there, and no longer counts. */
function windowReset(state: State, { account: id }: Of<"window-reset">): void {
  const account = accountOf(state, id);
  account.usedMs = gpuMs(0);
  account.heldMs = gpuMs(0);
  account.runs = 0;
  account.resetsAt = null;
  account.period++;
  for (const budget of state.budgets.values()) {
    if (budget.sponsor === id) Object.assign(budget, { usedMs: gpuMs(0), heldMs: gpuMs(0) });
  }
}

function allowanceGiven(state: State, { account: id, allowance }: Of<"allowance-given">, at: Instant): void {
  const account = accountOf(state, id);
  account.allowances = withGiven(account, allowance, at);
}

function allowanceRevoked(state: State, event: Of<"allowance-revoked">, at: Instant): void {
  const account = accountOf(state, event.account);
  const { allowance, by, reason } = event;
  account.allowances = withRevoked(account, allowance, { by, reason, at });
}

function nodeJoined(state: State, { node: name, pool, devices }: Of<"node-joined">, at: Instant): void {
  const known = state.nodes.get(name);
  const { grants = 0, bays = new Map(), trouble = [], cardPools = [] } = known ?? {};
  const cards = cardsOf({ name, pool }, devices, cardPools);
  const heard = { heardAt: at, heardEpoch: state.writer.epoch, joinedAt: at };
  const told = { pool, devices, stage: "up" as const, ...heard, cards };
  const node: NodeState = Object.assign(known ?? { name, trouble, cardPools, grants, bays, ...told }, told);
  if (!known) setSorted(state.nodes, name, node);
  keptBay(node, pool);
  fillBays(node);
  for (const id of cards.flatMap((card) => card.slots)) {
    if (!state.slots.has(id)) state.slots.set(id, { stage: "free", fence: 0, since: at });
  }
}

function nodeHeard(state: State, { node: name }: Of<"node-heard">, at: Instant): void {
  const node = nodeOf(state, name);
  node.heardAt = at;
  node.heardEpoch = state.writer.epoch;
}

function drainSet(state: State, { of, drain }: Of<"drain-set">): void {
  if (drain === null) state.drains.delete(drainKey(of));
  else setSorted(state.drains, drainKey(of), { of, drain });
}

function drainDue(state: State, { of }: Of<"drain-due">): void {
  const found = state.drains.get(drainKey(of));
  assert(found?.drain.endAt !== undefined && found.drain.endAt !== null, "a drain that is due has a time");
  state.drains.set(drainKey(of), { of, drain: { ...found.drain, isDue: true } });
}

/** Calls that have a lease on a card that is put into another pool keep it. */
function cardPoolSet(state: State, { node: name, device, pool }: Of<"card-pool-set">): void {
  const node = nodeOf(state, name);
  node.cardPools = withCardPool(node.cardPools, device, pool);
  node.cards = cardsOf(node, node.devices, node.cardPools);
  fillBays(node);
}

function routeSet(state: State, { of, route }: Of<"route-set">): void {
  if (route === null) state.routes.delete(routeKey(of));
  else setSorted(state.routes, routeKey(of), { of, route });
}

/* ── a call's life ──────────────────────────────────────────────────────── */

function callRefused(state: State, event: Of<"call-refused">, position: Position): void {
  finish(state, refusedCall(event, position));
  const capped = cappedBy(event.terms);
  if (capped !== null) tokenOf(state, capped).kept++;
}

function callAdmitted(state: State, event: Of<"call-admitted">, at: Instant): void {
  const call = hold(state, event, at);
  state.calls.set(call.terms.call, call);
  standInLine(state, call);
}

/** What its admission and its grant make of the state one after the other, without the way into its line and out again. */
function callServed(state: State, admission: Of<"call-admitted">, grant: Of<"call-granted">, at: Instant): void {
  const call = hold(state, admission, at);
  const bay = bayOfCall(state, call);
  lease(state, { call, bay, isOldest: bay.queue.length === 0 }, grant, at);
}

/** Sets aside what the call may use at most. */
function hold(state: State, event: Of<"call-admitted">, at: Instant): QueuedCall {
  const { terms, heldMs } = event;
  assert(!state.calls.has(terms.call), "L12: one call, one hold");
  const account = accountOf(state, terms.account);
  const payer = event.sponsor === undefined ? account : accountOf(state, event.sponsor);
  payer.heldMs = gpuMs(payer.heldMs + heldMs - sumOf(event.credits));
  moveCredits(payer, event.credits, ({ heldMs: held }, ms) => ({ heldMs: gpuMs(held + ms) }));
  const budget = event.sponsor === undefined ? undefined : budgetOf(state, terms.space);
  if (budget) budget.heldMs = gpuMs(budget.heldMs + heldMs);
  account.open++;
  if (event.counted) account.runs++;
  countOpen(state.openBySpace, terms.space, 1);
  const capped = cappedBy(terms);
  if (capped !== null) {
    const token = tokenOf(state, capped);
    token.calls++;
    token.kept++;
    token.gpuMs += heldMs;
  }
  const pool = poolOfCall(event);
  const entry = costIn(state, { pool, tier: terms.tier }, heldMs, at);
  const deadline = after(at, settingsOf(state, pool).queueLimitMs);
  const waits = { deadline, moveAt: moveTime(event.routed, at) };
  return admittedCall(event, { admittedAt: at, period: payer.period, entry }, waits);
}

function callQueued(state: State, { call: id, deadline, estimateMs: told }: Of<"call-queued">, at: Instant): void {
  const call = queuedCall(state, id);
  // One that moved on is told anew; what it waited until then is part of what it was told.
  const estimateMs = told === null ? null : durationMs(between(call.admittedAt, at) + told);
  state.calls.set(id, { ...call, estimateMs });
  assert(call.deadline === deadline, "L15: a call's deadline is what its admission made it");
}

function callMoved(state: State, event: Of<"call-moved">, at: Instant): void {
  const call = queuedCall(state, event.call);
  leaveLine(state, call);
  const moved = movedCall(state, call, event, at);
  state.calls.set(event.call, moved);
  standInLine(state, moved);
}

function callStayed(state: State, { call: id, until }: Of<"call-stayed">): void {
  const call = queuedCall(state, id);
  state.calls.set(id, { ...call, moveAt: until });
  bayOfCall(state, call).queue.movesLater(id, until);
}

function callGranted(state: State, event: Of<"call-granted">, at: Instant): void {
  const call = queuedCall(state, event.call);
  const bay = bayOfCall(state, call);
  const isOldest = bay.queue.isOldest(event.call);
  leaveLine(state, call);
  lease(state, { call, bay, isOldest }, event, at);
}

/** The call, out of its line, has its slots. `isOldest`: nobody who came before it waits. */
function lease(
  state: State,
  { call, bay, isOldest }: { readonly call: QueuedCall; readonly bay: Bay; readonly isOldest: boolean },
  event: Of<"call-granted">,
  at: Instant,
): void {
  bay.node.grants = event.number;
  bay.sinceOldest = sinceAfter(bay.sinceOldest, event.turn, isOldest);
  const key = shareKeyOf(call);
  setSpent(state, key, spentAfterGrant(spentBy(state, key), call.entry));
  for (const id of event.lease.slots) {
    const slot = state.slots.get(id);
    assert(slot, "L8: a lease is of slots that exist");
    state.slots.set(id, slotAfter(event, slot, at));
  }
  putLeased(state, grantedCall(call, event, at));
}

function callAttached(state: State, event: Of<"call-attached">, at: Instant): void {
  const call = leasedCall(state, event.call);
  assert(call.stage === "granted", "L30: a call attaches once");
  putLeased(state, attachedCall(call, event, at));
}

function callVoided(state: State, event: Of<"call-voided">, position: Position): void {
  const call = openCall(state, event.call);
  assert(event.releasedMs === call.heldMs, "L6: the whole hold of a voided call is released");
  if (call.stage === "queued") leaveLine(state, call);
  else endLease(state, call, gpuMs(0), position.at);
  release(state, call, gpuMs(0), []);
  finish(state, voidedCall(call, event, position));
}

function callSettled(state: State, event: Of<"call-settled">, position: Position): void {
  const call = leasedCall(state, event.call);
  const { chargedMs, releasedMs, credits } = event;
  assert(chargedMs + releasedMs === call.heldMs, "L2, L6: charge and release make up the hold");
  release(state, call, chargedMs, credits ?? []);
  endLease(state, call, chargedMs, position.at);
  remember(state, call.terms, event, position.at);
  finish(state, settledCall(call, event, position));
}

function putLeased(state: State, call: GrantedCall | AttachedCall): void {
  state.calls.set(call.terms.call, call);
  bayOfCall(state, call).leases.put(call);
}

/** Its lease is over, and in its account's share what was charged takes the hold's place. */
function endLease(state: State, call: GrantedCall | AttachedCall, chargedMs: GpuMs, at: Instant): void {
  const key = shareKeyOf(call);
  bayOfCall(state, call).leases.remove(call.terms.call);
  setSpent(state, key, spentAfterEnd(state, spentBy(state, key), call, chargedMs, at));
}

/** Ends the hold in the period that admitted it, and in no other (L35); credits know no period. */
function release(state: State, call: OpenCall, chargedMs: GpuMs, chargedCredits: readonly CreditPart[]): void {
  const { terms, heldMs, credits, sponsor } = call;
  const account = accountOf(state, terms.account);
  const payer = accountOf(state, sponsor ?? terms.account);
  const budget = sponsor === undefined ? undefined : budgetOf(state, terms.space);
  if (call.period === payer.period) {
    payer.heldMs = gpuMs(payer.heldMs - (heldMs - sumOf(credits)));
    payer.usedMs = gpuMs(payer.usedMs + chargedMs - sumOf(chargedCredits));
    if (call.counted && chargedMs === 0) account.runs--;
    if (budget) budget.heldMs = gpuMs(budget.heldMs - heldMs);
    if (budget) budget.usedMs = gpuMs(budget.usedMs + chargedMs);
  }
  moveCredits(payer, credits, ({ heldMs: held }, ms) => ({ heldMs: gpuMs(held - ms) }));
  moveCredits(payer, chargedCredits, ({ usedMs: used }, ms) => ({ usedMs: gpuMs(used + ms) }));
  account.open--;
  countOpen(state.openBySpace, terms.space, -1);
  const capped = cappedBy(terms);
  if (capped !== null) tokenOf(state, capped).gpuMs -= heldMs - chargedMs;
}

/** Changes the credits that the parts name by what each has; a part of credits that are not there is our bug. */
function moveCredits(
  payer: Mutable<Account>,
  parts: readonly CreditPart[] = [],
  move: (credits: Credits, ms: GpuMs) => Partial<Credits>,
): void {
  for (const { allowance, ms } of parts) {
    const at = payer.allowances.findIndex(({ id }) => id === allowance);
    const credits = payer.allowances[at];
    assert(credits?.kind === "credits", `L8: credits of an open hold are kept: ${allowance}`);
    const moved = { ...credits, ...move(credits, ms) };
    assert(
      moved.usedMs + moved.heldMs <= moved.ms,
      `L3: no more credits are used and held than were given: ${allowance}`,
    );
    payer.allowances = payer.allowances.with(at, moved);
  }
}

function budgetOf(state: State, space: string): Mutable<Budget> {
  const budget = state.budgets.get(space);
  assert(budget, `L8: what a sponsor pays is in a budget: ${space}`);
  return budget;
}

/** What a settled run tells about its function, and about its account's luck. */
function remember(state: State, terms: CallTerms, { cause, usedMs, rule }: Of<"call-settled">, at: Instant): void {
  if (rule === "killed-free") state.kills.set(killKey(terms), [...recentKills(state, terms, at), at]);
  const lengthMs = rule === "unused" ? undefined : lengthOf(cause, usedMs, terms);
  if (lengthMs === undefined) return;
  const name = functionOf(terms);
  const runs = state.functions.get(name) ?? { inOrder: [], sorted: [] };
  addRun(runs, lengthMs);
  state.functions.delete(name);
  state.functions.set(name, runs);
  const [oldest] = state.functions.size > functionsMax ? state.functions.keys() : [];
  if (oldest !== undefined) state.functions.delete(oldest);
}

function finish(state: State, call: FinalCall): void {
  state.calls.set(call.terms.call, call);
  state.ended.push(call.terms.call);
}

/* ── slots, forgetting ──────────────────────────────────────────────────── */

function slotChanged(state: State, event: Of<"slot-clearing" | "slot-warm" | "slot-free">, at: Instant): void {
  const slot = state.slots.get(event.slot);
  assert(slot, "a slot that changes exists", event.slot);
  state.slots.set(event.slot, slotAfter(event, slot, at));
}

function callsForgotten(state: State, { calls, accounts = [] }: Of<"calls-forgotten">, at: Instant): void {
  for (const id of calls) {
    const call = state.calls.get(id);
    assert(call && state.ended[state.endedHead] === id, "L5: only ended calls are forgotten, oldest first");
    state.calls.delete(id);
    state.endedHead++;
    forgetToken(state, call);
    const { account } = call.terms;
    if (spentLeft(state, { pool: poolOfCall(call), account }, at) === 0)
      setSpent(state, shareKeyOf(call), nothingSpent);
  }
  for (const id of accounts) {
    assert(accountOf(state, id).open === 0, "L5: an account with an open hold is not forgotten");
    state.accounts.delete(id);
    for (const pool of state.pools.keys()) setSpent(state, shareKey(pool, id), nothingSpent);
  }
  state.ended.splice(0, state.endedHead);
  state.endedHead = 0;
  for (const [key, kills] of state.kills) {
    if (kills.every((kill) => at >= kill + killWindowMs)) state.kills.delete(key);
  }
}

function forgetToken(state: State, { terms }: Call): void {
  const request = cappedBy(terms);
  const token = request === null ? undefined : state.tokens.get(request);
  if (request !== null && token && --token.kept === 0) state.tokens.delete(request);
}

function accountOf(state: State, id: string): Mutable<Account> {
  const account = state.accounts.get(id);
  assert(account, "L8: a hold has an account", id);
  return account;
}

function tokenOf(state: State, request: string): { calls: number; gpuMs: number; kept: number } {
  const known = state.tokens.get(request);
  if (known) return known;
  const token = { calls: 0, gpuMs: 0, kept: 0 };
  state.tokens.set(request, token);
  return token;
}

function openCall(state: State, id: CallId): OpenCall {
  const call = state.calls.get(id);
  assert(
    call && call.stage !== "refused" && call.stage !== "voided" && call.stage !== "settled",
    "L5: a hold ends once",
  );
  return call;
}

function queuedCall(state: State, id: CallId): QueuedCall {
  const call = openCall(state, id);
  assert(call.stage === "queued", "L8: only a waiting call is granted");
  return call;
}

function leasedCall(state: State, id: CallId): GrantedCall | AttachedCall {
  const call = openCall(state, id);
  assert(call.stage !== "queued", "L8: no settlement without a lease");
  return call;
}
