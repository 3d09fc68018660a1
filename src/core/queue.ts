/**
 * Who gets a slot, and what the others wait for. Each bay (bays.ts) has its queue, whose calls have their turns in the order of
 * turns.ts: a GPU is used on its own node and by one pool, so queues of two bays never compete. A call whose slot holds somebody else's
 * idle worker waits until that worker's process tree is gone (L22).
 */
import { after, durationMs } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { functionOf, median } from "./history.ts";
import type { Blocker, CallId, CallTerms, Slot, SlotId } from "./model.ts";
import type { Bay } from "./bays.ts";
import { baysAt, cardsAt, countWaiting, nextGrant, push, troubleAt, wellCardsAt } from "./plan.ts";
import type { Plan, Waiting } from "./plan.ts";
import { clearGuessMs, equalWithinMs, estimateDepth, estimateDepthLong, passDepth, placesMax } from "./policy.ts";
import { poolOfCall } from "./routing.ts";
import { compareSpent, minus, spend } from "./share.ts";
import { shareKeyOf, ticksIn } from "./sharing.ts";
import type { Card, Pick } from "./slots.ts";
import { drainOf, drainSays, isOwnWorker, pickSlots, troubleOf, workerOn } from "./slots.ts";
import { settingsOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";
import { soleTurn, turnsOn } from "./turns.ts";
import type { Turn } from "./turns.ts";

/** A call's place: how many stand before it, all that keeps it, and when its turn is expected. */
export interface Place {
  /** 1 is next. */
  readonly position: number;
  readonly of: number;
  readonly blockers: readonly Blocker[];
  /** From now; null where nothing can be said. */
  readonly estimateMs: DurationMs | null;
  /** What the estimate rests on, in words. */
  readonly basis: string;
}

/** {@link grantWaiting}, in each of the node's bays. */
export function grantOn(plan: Plan, node: NodeState): void {
  for (const bay of baysAt(plan, node)) grantWaiting(plan, bay);
}

/** Grants to the bay's waiting calls as far as its slots reach, and orders idle workers away for those still waiting. */
export function grantWaiting(plan: Plan, bay: Bay): void {
  if (bay.queue.length === 0 && plan.coming === undefined) return;
  const cards = wellCardsAt(plan, bay);
  if (!areSomeIdle(plan, cards)) return;
  // One that passed the head has had a turn, or spent: another call may be the head now.
  let waits = grantTurns(plan, bay, cards);
  while (waits === "passed") waits = grantTurns(plan, bay, cards);
  if (waits === "waits") clearForWaiting(plan, bay, cards);
}

/** Grants turn by turn, up to the head that has to wait and the first that may pass it. */
function grantTurns(plan: Plan, bay: Bay, cards: readonly Card[]): "none" | "waits" | "passed" {
  const sole = soleTurn(plan, bay);
  if (sole) {
    const pick = pickSlots(cards, plan.slotAt, sole.terms, plan.state.fencesAbove);
    if (pick) grant(plan, bay, sole, pick);
    return pick ? "none" : "waits";
  }
  const turns = turnsOn(plan, bay);
  for (let turn = turns.next().value; turn !== undefined; turn = turns.next().value) {
    const pick = pickSlots(cards, plan.slotAt, turn.terms, plan.state.fencesAbove);
    if (pick === undefined) return passHead(plan, bay, cards, turn, turns) ? "passed" : "waits";
    grant(plan, bay, turn, pick);
    if (!areSomeIdle(plan, cards)) return "none";
  }
  return "none";
}

/**
 * While the head has to wait, one behind it may go before it: into a gap, where all that they hold is over before the
 * head could start if everyone used what they hold; or to their own warm worker, where they are the head's equals.
 *
 *   L46. A gap that is filled delays nobody ahead: before the head starts none of them could, and by then it is over.
 */
function passHead(plan: Plan, bay: Bay, cards: readonly Card[], head: Turn, behind: Iterable<Turn>): boolean {
  if (!areSomeIdle(plan, cards)) return false;
  const { attachWithinMs } = settingsOf(plan.state, bay.pool);
  for (const turn of firstOf(behind, passDepth)) {
    const pick = pickSlots(cards, plan.slotAt, turn.terms, plan.state.fencesAbove);
    if (pick === undefined) continue;
    const overAt = after(after(plan.now, attachWithinMs), turn.leaseMs);
    const isGap = overAt <= startsNotBefore(plan, cards, head.terms);
    if (!isGap && !(pick.warm && isEqual(plan, head, turn))) continue;
    grant(plan, bay, { ...turn, rule: isGap ? "gap" : "warm" }, pick);
    return true;
  }
  return false;
}

/** The instant before which a waiting call cannot start, if those that have its slots use all that they hold. */
function startsNotBefore(plan: Plan, cards: readonly Card[], { size }: CallTerms): Instant {
  const ends = (card: Card): number[] => card.slots.map((slot) => leaseEndsAt(plan, slot));
  const starts =
    size === "xlarge"
      ? cards.filter((card) => card.slots.length > 1).map((card) => Math.max(...ends(card)))
      : cards.flatMap(ends);
  return Math.min(...starts) as Instant;
}

/** At the earliest, if it is used to its end; now where the slot has no lease. */
function leaseEndsAt(plan: Plan, id: SlotId): Instant {
  const slot = plan.slotAt(id);
  const call = slot.stage === "leased" ? plan.state.calls.get(slot.call) : undefined;
  // Of one that this decision grants the head's start is not counted on: its slot is as good as free.
  if (call?.stage !== "granted" && call?.stage !== "attached") return plan.now;
  const startedAt = call.stage === "attached" ? call.attachedAt : call.grantedAt;
  return Math.max(plan.now, after(startedAt, call.leaseMs)) as Instant;
}

/** Whether their accounts (or of one account, the two calls) are as near as a cold start is worth. */
function isEqual({ state, now }: Plan, head: Turn, turn: Turn): boolean {
  if (head.rule !== "share") return false;
  const isOwn = shareKeyOf(turn) === shareKeyOf(head);
  const [less, more] = isOwn ? [head.entry, turn.entry] : [head.key, turn.key];
  if (less === undefined || more === undefined) return false;
  return compareSpent(minus(more, less), spend(equalWithinMs, 1, ticksIn(state, poolOfCall(turn), now))) <= 0;
}

function grant(plan: Plan, bay: Bay, { terms, leaseMs, rule }: Turn, { slots, fence, warm }: Pick): void {
  const isAlone = countWaiting(plan, bay) === 1;
  push(plan, {
    v: 1,
    type: "call-granted",
    call: terms.call,
    lease: { slots, fence, leaseMs, warm },
    number: nextGrant(plan, bay.node.name),
    attachBy: after(plan.now, settingsOf(plan.state, bay.pool).attachWithinMs),
    ...(!isAlone && { turn: rule }),
  });
}

/** The places of the bay's waiting calls, by call, in the order of their turns; the first {@link placesMax} of them. */
export function placesOn(plan: Plan, bay: Bay): ReadonlyMap<CallId, Place> {
  const turns = firstOf(turnsOn(plan, bay), placesMax);
  const { starts, basis } = startsOn(plan, bay, turns);
  const of = countWaiting(plan, bay);
  return new Map(
    turns.map(({ terms }, index) => [
      terms.call,
      placeOf(plan, bay, terms, { index, of, startMs: starts[index], basis }),
    ]),
  );
}

/** Of a call that is further back than {@link placesOn} tells: it is told that it is the last, and no time. */
export function lastPlaceOn(plan: Plan, bay: Bay, terms: CallTerms): Place {
  const of = countWaiting(plan, bay);
  const basis = `more than ${placesMax} calls are ahead`;
  return placeOf(plan, bay, terms, { index: of - 1, of, startMs: undefined, basis });
}

/** What a call that comes is told; one further back than is looked at is told that it is the last. */
export function arrivingPlaceOn(plan: Plan, bay: Bay, terms: CallTerms): Place {
  const of = countWaiting(plan, bay);
  const depth = of > estimateDepth ? estimateDepthLong : estimateDepth;
  const near = firstOf(turnsOn(plan, bay), depth, (turn) => turn.terms.call === terms.call);
  const { starts, basis, meanMs } = startsOn(plan, bay, near);
  const isNear = near.at(-1)?.terms.call === terms.call;
  const index = isNear ? near.length - 1 : of - 1;
  const startMs = starts.at(-1);
  const beyond = startMs === undefined ? undefined : Math.round(startMs + (index + 1 - near.length) * meanMs);
  return placeOf(plan, bay, terms, { index, of, startMs: beyond, basis });
}

/** At most `max` of the values, up to the first that is the `last`. */
function firstOf<T>(values: Iterable<T>, max: number, isLast: (value: T) => boolean = () => false): T[] {
  const first: T[] = [];
  for (const value of values) {
    first.push(value);
    if (first.length >= max || isLast(value)) break;
  }
  return first;
}

function placeOf(
  plan: Plan,
  bay: Bay,
  terms: CallTerms,
  at: { index: number; of: number; startMs: number | undefined; basis: string },
): Place {
  return {
    position: at.index + 1,
    of: at.of,
    blockers: blockersFor(plan, bay, terms, at.index),
    estimateMs: at.startMs === undefined ? null : durationMs(at.startMs),
    basis: at.basis,
  };
}

/** All that keeps a call waiting, not only the first of it. */
function blockersFor(plan: Plan, bay: Bay, terms: CallTerms, ahead: number): Blocker[] {
  let leased = 0;
  let clearing = 0;
  let total = 0;
  for (const card of cardsAt(plan, bay)) {
    for (const slot of card.slots) {
      const { stage } = plan.slotAt(slot);
      total++;
      if (stage === "leased") leased++;
      if (stage === "clearing") clearing++;
    }
  }
  const blockers: Blocker[] = [];
  if (pickSlots(wellCardsAt(plan, bay), plan.slotAt, terms, plan.state.fencesAbove) !== undefined)
    blockers.push({ kind: "kept" });
  else {
    blockers.push({ kind: "slots", leased, clearing, total });
    if (terms.size === "xlarge") blockers.push({ kind: "whole-card", size: terms.size });
    const trouble = cardsAt(plan, bay).flatMap((card) => troubleOf(troubleAt(plan, bay.node), card) ?? []);
    if (trouble[0]) {
      const of = cardsAt(plan, bay).length;
      blockers.push({ kind: "cards", cards: trouble.length, of, says: trouble[0].says });
    }
    const drained = cardsAt(plan, bay).flatMap((card) => drainOf(plan.drains, card) ?? []);
    if (drained[0]) {
      const of = cardsAt(plan, bay).length;
      blockers.push({ kind: "draining", cards: drained.length, of, says: drainSays(drained[0]) });
    }
  }
  if (ahead > 0) blockers.push({ kind: "ahead", calls: ahead });
  return blockers;
}

/**
 * Orders idle workers of others away, for as many waiting calls as there are such workers. A waiting call's own idle
 * worker is left to it, unless the head needs it.
 */
function clearForWaiting(plan: Plan, bay: Bay, cards: readonly Card[]): void {
  const idle = idleWorkers(plan, cards);
  if (idle.length === 0) return;
  let promised = countStage(plan, cards, "clearing");
  const slots = cards.reduce((sum, card) => sum + card.slots.length, 0);
  for (const [index, { terms }] of firstOf(turnsOn(plan, bay), slots).entries()) {
    if (terms.size === "xlarge") {
      if (index === 0) clearCard(plan, cards);
      return;
    }
    const own = idle.findIndex(({ card, slots: [slot] }) => isOwnWorker(card, plan.slotAt, slot as SlotId, terms));
    if (own >= 0 && index > 0) {
      idle.splice(own, 1);
      continue;
    }
    if (promised > 0) {
      promised--;
      continue;
    }
    const oldest = idle.shift();
    if (oldest === undefined) return;
    clear(plan, oldest.slots);
    promised += oldest.slots.length - 1;
  }
}

/** Idle workers, the one that idles longest first. */
function idleWorkers(plan: Plan, cards: readonly Card[]): { card: Card; slots: SlotId[]; since: number }[] {
  const workers: { card: Card; slots: SlotId[]; since: number }[] = [];
  for (const card of cards) {
    for (const slot of card.slots) {
      const state = plan.slotAt(slot);
      if (state.stage !== "warm" || workers.some((worker) => worker.slots.includes(slot))) continue;
      workers.push({ card, slots: workerOn(card, plan.slotAt, slot), since: state.since });
    }
  }
  return workers.sort((a, b) => a.since - b.since);
}

/** For a whole card: only where nothing runs, so that no worker is ended long before its slot is of use. */
function clearCard(plan: Plan, cards: readonly Card[]): void {
  const quiet = cards.filter(
    (card) => card.slots.length > 1 && card.slots.every((slot) => plan.slotAt(slot).stage !== "leased"),
  );
  const warm = (card: Card): number => countStage(plan, [card], "warm");
  const [card] = quiet.sort((a, b) => warm(a) - warm(b));
  if (card === undefined) return;
  for (const slot of card.slots) {
    if (plan.slotAt(slot).stage === "warm") clear(plan, workerOn(card, plan.slotAt, slot));
  }
}

/** Orders the idle workers of these slots away. */
export function clear(plan: Plan, slots: readonly SlotId[]): void {
  for (const slot of slots) {
    const state = plan.slotAt(slot);
    if (state.stage !== "warm") continue;
    push(plan, { v: 1, type: "slot-clearing", slot, fence: state.fence, replica: state.replica });
  }
}

/** Whether a slot is free or has an idle worker: without one nobody is granted anything, and nobody's worker can be ordered away. */
function areSomeIdle(plan: Plan, cards: readonly Card[]): boolean {
  for (const { slots } of cards) {
    for (const slot of slots) {
      const { stage } = plan.slotAt(slot);
      if (stage === "free" || stage === "warm") return true;
    }
  }
  return false;
}

function countStage(plan: Plan, cards: readonly Card[], stage: Slot["stage"]): number {
  let count = 0;
  for (const card of cards) for (const slot of card.slots) if (plan.slotAt(slot).stage === stage) count++;
  return count;
}

/**
 * When the waiting calls would start if every run took its function's usual time: walks the queue once over the slots.
 * `meanMs` is the time by which one further call moves the end.
 */
function startsOn(
  plan: Plan,
  bay: Bay,
  calls: readonly Waiting[],
): { starts: number[]; basis: string; meanMs: number } {
  const cards = wellCardsAt(plan, bay).map((card) => card.slots.map((slot) => freeIn(plan, slot)));
  const slots = cards.flat();
  let usual = slots.filter((slot) => slot.usual).length;
  let declared = slots.filter((slot) => slot.declared).length;
  const starts: number[] = [];
  const times = cards.map((card) => card.map((slot) => slot.inMs));
  let earliest = 0;
  let sum = 0;
  for (const { terms, leaseMs } of calls) {
    const run = usualLength(plan.state, terms, leaseMs);
    const start = take(times, terms, run.ms, earliest);
    if (start === undefined) break;
    starts.push(start);
    earliest = start;
    sum += run.ms;
    if (starts.length === calls.length) break;
    if (run.known) usual++;
    else declared++;
  }
  const basis =
    usual === 0
      ? "declared lengths"
      : declared === 0
        ? "usual lengths"
        : `usual lengths of ${usual}, declared of ${declared}`;
  return { starts, basis, meanMs: calls.length === 0 || slots.length === 0 ? 0 : sum / calls.length / slots.length };
}

/** Takes the slots that are free first, from `earliest` on, for `lengthMs`; when that is, or undefined where none fits. */
function take(times: number[][], terms: CallTerms, lengthMs: number, earliest: number): number | undefined {
  let best: { card: number[]; from: number; slot: number } | undefined;
  for (const card of times) {
    if (terms.size === "xlarge") {
      const from = Math.max(...card);
      if (card.length > 1 && (best === undefined || from < best.from)) best = { card, from, slot: -1 };
      continue;
    }
    card.forEach((from, slot) => {
      if (best === undefined || from < best.from) best = { card, from, slot };
    });
  }
  if (best === undefined) return undefined;
  const start = Math.max(earliest, best.from);
  if (best.slot < 0) best.card.fill(start + lengthMs);
  else best.card[best.slot] = start + lengthMs;
  return start;
}

function freeIn(plan: Plan, id: SlotId): { inMs: number; usual: boolean; declared: boolean } {
  const slot = plan.slotAt(id);
  if (slot.stage === "clearing") return { inMs: clearGuessMs, usual: false, declared: false };
  const call = slot.stage === "leased" ? plan.state.calls.get(slot.call) : undefined;
  if (call === undefined || (call.stage !== "granted" && call.stage !== "attached")) {
    return { inMs: 0, usual: false, declared: false };
  }
  const run = usualLength(plan.state, call.terms, call.leaseMs);
  const elapsed = plan.now - slot.since;
  const left = run.ms > elapsed ? run.ms - elapsed : Math.max(0, call.leaseMs - elapsed);
  return { inMs: left, usual: run.known, declared: !run.known };
}

function usualLength(state: State, terms: CallTerms, leaseMs: DurationMs): { ms: number; known: boolean } {
  const runs = state.functions.get(functionOf(terms));
  return runs === undefined ? { ms: leaseMs, known: false } : { ms: Math.min(median(runs), leaseMs), known: true };
}
