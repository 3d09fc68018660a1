/**
 * What would happen, if this were asked now. Reads no clock and changes nothing; may refuse. The host records the events
 * with the same `now`, then lets `evolve` apply them.
 *
 *   L21. Who does not hold the lease changes nothing.   L30. A call ends once, in whatever order its ends are heard.
 */
import { assert, unreachable } from "../stdx/assert.ts";
import { durationMs } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { maxGpuMs } from "./amounts.ts";
import { schedule } from "./arrival.ts";
import type { Bay } from "./bays.ts";
import { allow, revoke, setBudget } from "./allow.ts";
import { isStanding } from "./allowances.ts";
import { attachEndsAt, dueAt, forgetAt, isHeard, leasedOn, lostAt, settleEndsAt } from "./deadlines.ts";
import type {
  AccountId,
  Call,
  CallId,
  Command,
  CommandRefusal,
  Decision,
  FinalCall,
  PoolSettings,
  QueuedCall,
  TierSettings,
} from "./model.ts";
import { drainFor, passDrains, setDrain, troubleFor } from "./drains.ts";
import { moveDue, settleLines } from "./moves.ts";
import { hearNode, joinNode, loseNode, loseReplica, reportCards } from "./nodes.ts";
import { decided, planOn, push, wellCardsAt } from "./plan.ts";
import type { Plan } from "./plan.ts";
import {
  forgetBatch,
  halfLifeMaxMs,
  halfLifeMinMs,
  poolDefaults,
  poolsMax,
  retainMax,
  retainMs,
  settingMaxCount,
  settingMaxMs,
  weightMax,
  windowMaxMs,
} from "./policy.ts";
import { setCardPool, setRoute } from "./pools.ts";
import { grantOn } from "./queue.ts";
import { weightOf } from "./sharing.ts";
import { blameFor, settle, voidBlameFor, voidCall } from "./settlement.ts";
import { canHold, drainSays, nodeOfSlot, workerOn } from "./slots.ts";
import { nodeOf, tierOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";
import { isWellFormed } from "./wellformed.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

const nothing: Decision = { ok: true, events: [] };
const no = (why: CommandRefusal): Decision => ({ ok: false, why });

export function decide(state: State, command: Command, now: Instant): Decision {
  assert(now >= state.at, "L14: time never decreases");
  if (!isWellFormed(command)) return no("malformed");
  switch (command.type) {
    case "start-writer":
      return startWriter(state, command, now);
    case "raise-fences":
      return raiseFences(state, command, now);
    case "open-account":
      return openAccount(state, command, now);
    case "set-tier":
      return setTier(state, command, now);
    case "set-pool":
      return setPool(state, command, now);
    case "allow":
      return allow(state, command, now);
    case "revoke":
      return revoke(state, command, now);
    case "set-budget":
      return setBudget(state, command, now);
    case "join-node":
      return joinNode(state, command, now);
    case "hear-node":
      return hearNode(state, command, now);
    case "report-cards":
      return reportCards(state, command, now);
    case "set-drain":
      return setDrain(state, command, now);
    case "set-card-pool":
      return setCardPool(state, command, now);
    case "set-route":
      return setRoute(state, command, now);
    case "schedule":
      return schedule(state, command, now);
    case "leave":
      return leave(state, command, now);
    case "attach":
      return attach(state, command);
    case "end":
      return end(state, command, now);
    case "clear-slot":
      return clearSlot(state, command, now);
    case "lose-replica":
      return loseReplica(state, command, now);
    case "tick":
      return tick(state, now);
    default:
      return unreachable(command);
  }
}

function startWriter(state: State, { epoch }: Of<"start-writer">, now: Instant): Decision {
  assert(epoch >= state.writer.epoch, "L29: a later writer has a higher epoch");
  if (epoch === state.writer.epoch) return nothing;
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "writer-started", epoch });
  return decided(plan);
}

function raiseFences(state: State, { above }: Of<"raise-fences">, now: Instant): Decision {
  assert(Number.isSafeInteger(above) && above >= 0, "L4: a fence is a whole number");
  if (above <= state.fencesAbove) return nothing;
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "fences-raised", above });
  return decided(plan);
}

function openAccount(state: State, { account, tier }: Of<"open-account">, now: Instant): Decision {
  const known = state.accounts.get(account);
  if (known) return known.tier === tier ? nothing : no("account-exists-otherwise");
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "account-opened", account, tier });
  return decided(plan);
}

function setTier(state: State, { tier, settings: wished }: Of<"set-tier">, now: Instant): Decision {
  const before = tierOf(state, tier);
  const weight = wished.weight ?? weightOf(state, tier);
  const { windowLimitMs, windowMs, durationMaxMs, runsMax, callsMax }: TierSettings = { ...before, ...wished };
  const isPossibleTier =
    isWithin(windowLimitMs ?? 0, 0, maxGpuMs) &&
    isWithin(windowMs, 1, windowMaxMs) &&
    isWithin(weight, 1, weightMax) &&
    isWithin(durationMaxMs ?? 1, 1, settingMaxMs) &&
    [runsMax ?? 0, callsMax ?? 0].every((value) => isWithin(value, 0, settingMaxCount));
  if (!isPossibleTier) return no("amount-overflow");
  const settings: TierSettings = { windowLimitMs, windowMs, durationMaxMs, runsMax, callsMax, weight };
  const keys = Object.keys(settings) as (keyof TierSettings)[];
  const known = { weight: weightOf(state, tier), ...before };
  if (keys.every((key) => settings[key] === known[key])) return nothing;
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "tier-set", tier, settings });
  return decided(plan);
}

function setPool(state: State, { pool, settings: wished }: Of<"set-pool">, now: Instant): Decision {
  const before = state.pools.get(pool);
  if (before === undefined && state.pools.size >= poolsMax) return no("too-many");
  const settings: PoolSettings = { ...(before ?? poolDefaults), ...wished };
  if (!isPossible(settings)) return no("amount-overflow");
  const keys = Object.keys(settings) as (keyof PoolSettings)[];
  if (before && keys.every((key) => settings[key] === before[key])) return nothing;
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "pool-set", pool, settings });
  return decided(plan);
}

function isPossible(settings: PoolSettings): boolean {
  const { queueLimitMs, durationMaxMs, attachWithinMs, queueMax, tokenMaxCalls, tokenMaxGpuMs } = settings;
  const spaceCallsMax = settings.spaceCallsMax ?? 0;
  const { shareHalfLifeMs, oldestEvery } = { ...poolDefaults, ...settings };
  return (
    isWithin(shareHalfLifeMs, halfLifeMinMs, halfLifeMaxMs) &&
    isWithin(oldestEvery, 1, settingMaxCount) &&
    [queueLimitMs, durationMaxMs, attachWithinMs].every((value) => isWithin(value, 0, settingMaxMs)) &&
    [queueMax, tokenMaxCalls, spaceCallsMax].every((value) => isWithin(value, 0, settingMaxCount)) &&
    isWithin(tokenMaxGpuMs, 0, maxGpuMs)
  );
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}

/* ── a call's life ──────────────────────────────────────────────────────── */

function leave(state: State, { call: id }: Of<"leave">, now: Instant): Decision {
  const call = state.calls.get(id);
  if (call === undefined) return no("unknown-call");
  if (isFinal(call)) return no("already-final");
  if (call.stage !== "queued" && call.visitorLeft) return nothing;
  const plan = planOn(state, now);
  if (call.stage !== "queued") {
    push(plan, { v: 1, type: "visitor-left", call: id });
    return decided(plan);
  }
  voidCall(plan, call, { cause: "visitor-left" });
  grantOn(plan, nodeOf(state, call.terms.node));
  return decided(plan);
}

function attach(state: State, { call: id, fence, pid }: Of<"attach">): Decision {
  const call = leased(state, id, fence);
  if ("ok" in call) return call;
  if (call.stage === "attached") return nothing;
  return { ok: true, events: [{ v: 1, type: "call-attached", call: id, pid }] };
}

function end(state: State, command: Of<"end">, now: Instant): Decision {
  const { usedMs, cause, workerAlive, unused = false } = command;
  const call = leased(state, command.call, command.fence);
  if ("ok" in call) return call;
  if (!Number.isSafeInteger(usedMs) || usedMs < 0) return no("amount-overflow");
  const plan = planOn(state, now);
  const fate = workerAlive ? "warm" : "free";
  const blame = blameFor(state, call, cause);
  // An end may overtake its attach: measured use is settled either way (L30).
  if (call.stage === "granted" && (unused || usedMs === 0)) voidCall(plan, call, voidBlameFor(blame), fate);
  else settle(plan, call, { ...blame, usedMs, unused, reported: true }, fate);
  grantOn(plan, nodeOf(state, call.terms.node));
  return decided(plan);
}

/** The call, where it has a lease and this is its fence; else why not. */
function leased(state: State, id: CallId, fence: number): Exclude<Call, QueuedCall | FinalCall> | Decision {
  const call = state.calls.get(id);
  if (call === undefined) return no("unknown-call");
  if (isFinal(call)) return no("already-final");
  if (call.stage === "queued") return no("not-granted");
  return call.lease.fence === fence ? call : no("not-holder");
}

export function isFinal(call: Call): call is FinalCall {
  return call.stage === "refused" || call.stage === "voided" || call.stage === "settled";
}

/* ── slots and time ─────────────────────────────────────────────────────── */

function clearSlot(state: State, { slot: id, fence }: Of<"clear-slot">, now: Instant): Decision {
  const slot = state.slots.get(id);
  if (slot === undefined) return no("unknown-slot");
  if (slot.fence !== fence || slot.stage === "leased") return no("not-holder");
  if (slot.stage === "free") return nothing;
  const plan = planOn(state, now);
  const node = state.nodes.get(nodeOfSlot(id));
  const card = node?.cards.find(({ slots }) => slots.includes(id));
  const worker = card ? workerOn(card, plan.slotAt, id) : [id];
  for (const each of worker) push(plan, { v: 1, type: "slot-free", slot: each });
  if (node?.stage === "up") grantOn(plan, node);
  return decided(plan);
}

function tick(state: State, now: Instant): Decision {
  const plan = planOn(state, now);
  for (const node of state.nodes.values()) {
    if (node.stage === "up" && now >= lostAt(state, node)) loseNode(plan, node);
    else if (isHeard(state, node)) expire(plan, node);
  }
  passDrains(plan);
  const calls = forgettable(state, now);
  if (calls.length > 0) push(plan, { v: 1, type: "calls-forgotten", calls, accounts: forgottenWith(plan, calls) });
  return decided(plan);
}

function expire(plan: Plan, node: NodeState): void {
  const { state, now } = plan;
  const due = dueAt(state, node);
  if (due === null || now < due) return;
  const count = plan.events.length;
  for (const bay of node.bays.values())
    for (const id of bay.queue.due(now)) timeOut(plan, bay, state.calls.get(id) as QueuedCall);
  moveDue(plan, node);
  for (const call of leasedOn(state, node)) {
    // Its worker may be about to attach, so the slot waits for the shim's word (L22).
    if (call.stage === "granted" && now >= attachEndsAt(state, node, call))
      voidCall(plan, call, { cause: "grant-unused" }, "clearing");
    if (call.stage === "attached" && now >= settleEndsAt(node, call)) {
      settle(plan, call, { cause: "shim-lost", usedMs: durationMs(0), unused: false, reported: false }, "clearing");
    }
  }
  if (plan.events.length > count) settleLines(plan, node);
}

/** Its wait is over; where only cards in trouble, or drained ones, could have held it, that is why. */
function timeOut(plan: Plan, bay: Bay, call: QueuedCall): void {
  const { size } = call.terms;
  if (canHold(wellCardsAt(plan, bay), size)) return voidCall(plan, call, { cause: "queue-timeout" });
  const trouble = troubleFor(plan, bay, size);
  const drain = drainFor(plan, bay, size);
  if (trouble !== undefined) voidCall(plan, call, trouble);
  else voidCall(plan, call, drain ? { cause: "pool-draining", says: drainSays(drain) } : { cause: "queue-timeout" });
}

/** Ended calls that are over their time, or over the bound on how many are kept; oldest first. */
function forgettable(state: State, now: Instant): CallId[] {
  const due = forgetAt(state);
  if (due === null || now < due) return [];
  const surplus = state.ended.length - state.endedHead - retainMax;
  const calls: CallId[] = [];
  // Down to a batch below the bound, so that not every further call is a reason to forget.
  const toDrop = surplus > 0 ? Math.min(retainMax, surplus + forgetBatch) : 0;
  for (let head = state.endedHead; head < state.ended.length && calls.length < forgetBatch; head++) {
    const id = state.ended[head] as CallId;
    const isOld = now >= (state.calls.get(id) as FinalCall).endedAt + retainMs;
    if (!isOld && calls.length >= toDrop) break;
    calls.push(id);
  }
  return calls;
}

/** Addresses come and go: one without open calls and without a running window leaves nothing to remember. */
function forgottenWith({ state, now }: Plan, calls: readonly CallId[]): AccountId[] {
  const ids = new Set(calls.map((id) => state.calls.get(id)?.terms.account));
  return [...ids].filter((id): id is AccountId => {
    const account = id === undefined ? undefined : state.accounts.get(id);
    if (account?.tier !== "anonymous" || account.open > 0) return false;
    if (account.allowances.some((each) => isStanding(each, account, now)) || sponsors(state, account.id)) return false;
    return account.resetsAt === null || now >= account.resetsAt;
  });
}

function sponsors(state: State, account: AccountId): boolean {
  for (const { sponsor } of state.budgets.values()) if (sponsor === account) return true;
  return false;
}
