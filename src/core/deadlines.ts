/**
 * When time alone moves something on. Every deadline is `now >= deadline`, and a tick is the only command that enforces one.
 *
 *   L15. Nothing expires early.
 *   L17. After a start or a take-over nothing expires until its node was heard by this writer; one that stays silent is
 *        lost a full time to live after the start, on the new writer's clock.
 */
import { after } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { lostIn } from "./bays.ts";
import type { Bay } from "./bays.ts";
import type { AttachedCall, FinalCall, GrantedCall, QueuedCall } from "./model.ts";
import { forgetEveryMs, hearEveryMs, nodeTtlMs, retainMax, retainMs, settleWithinMs } from "./policy.ts";
import { poolOfCall } from "./routing.ts";
import { settingsOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

const later = (a: Instant, b: Instant): Instant => (a > b ? a : b);

/** Whether this writer heard the node: before that only the node itself may be given up. */
export function isHeard(state: State, node: NodeState): boolean {
  return node.stage === "up" && node.heardEpoch === state.writer.epoch;
}

/** From here on a silent node is lost. Recorded heartbeats may lag by `hearEveryMs`, so that is added (L15). */
export function lostAt(state: State, node: NodeState): Instant {
  return after(after(later(node.heardAt, state.writer.startedAt), nodeTtlMs), hearEveryMs);
}

/** From here on a call that is not attached loses its grant. A node that joined since has its shims' reports still to send. */
export function attachEndsAt(state: State, node: NodeState, call: GrantedCall): Instant {
  return later(call.attachBy, after(node.joinedAt, settingsOf(state, poolOfCall(call)).attachWithinMs));
}

/** From here on an attached call whose end nobody reported ends without evidence of its use. */
export function settleEndsAt(node: NodeState, call: AttachedCall): Instant {
  return after(later(after(call.attachedAt, call.leaseMs), node.joinedAt), settleWithinMs);
}

/** When the oldest ended call may be forgotten; null where none is kept. */
export function forgetAt(state: State): Instant | null {
  const oldest = state.ended[state.endedHead];
  if (oldest === undefined) return null;
  if (state.ended.length - state.endedHead > retainMax) return state.at;
  return after(after((state.calls.get(oldest) as FinalCall).endedAt, retainMs), forgetEveryMs);
}

/** The open calls that hold the node's slots, each once. */
export function leasedOn(state: State, node: NodeState): (GrantedCall | AttachedCall)[] {
  const calls: (GrantedCall | AttachedCall)[] = [];
  for (const { slots } of node.cards) {
    for (const id of slots) {
      const slot = state.slots.get(id);
      const call = slot?.stage === "leased" ? state.calls.get(slot.call) : undefined;
      if (call && (call.stage === "granted" || call.stage === "attached") && call.lease.slots[0] === id)
        calls.push(call);
    }
  }
  return calls;
}

/** The node's waiting calls, by pool and first come first. */
export function queuedOn(state: State, node: NodeState): QueuedCall[] {
  return [...node.bays.values()].flatMap((bay) => queuedIn(state, bay));
}

/** Those of a bay. */
export function queuedIn(state: State, { queue }: Bay): QueuedCall[] {
  return Array.from(queue, (id) => state.calls.get(id) as QueuedCall);
}

/** When the next tick has something to do; null when nothing waits for time. May lie in the past. */
export function nextDeadline(state: State): Instant | null {
  let next = forgetAt(state);
  const consider = (at: Instant): void => {
    if (next === null || at < next) next = at;
  };
  for (const { drain } of state.drains.values()) if (drain.endAt !== null && !drain.isDue) consider(drain.endAt);
  for (const node of state.nodes.values()) {
    if (node.stage === "up") consider(lostAt(state, node));
    const due = isHeard(state, node) ? dueAt(state, node) : null;
    if (due !== null) consider(due);
  }
  return next;
}

/** When the first of the node's calls is over its deadline, or moves on to another pool; null where none does. May lie in the past. */
export function dueAt(state: State, node: NodeState): Instant | null {
  let due: Instant | null = null;
  for (const bay of node.bays.values()) {
    const { queue, leases, cards } = bay;
    // Of one pool both ends only grow with what the leases are ordered by, so the first's is the earliest.
    const { nextToAttach, nextToEnd } = leases;
    if (queue.dueAt !== null) due = sooner(due, queue.dueAt);
    // Those that one record could not take out of a pool that lost its cards.
    if (lostIn(bay, cards)) due = sooner(due, state.at);
    if (queue.movesAt !== null) due = sooner(due, queue.movesAt);
    if (nextToAttach) due = sooner(due, attachEndsAt(state, node, nextToAttach));
    if (nextToEnd) due = sooner(due, settleEndsAt(node, nextToEnd));
  }
  return due;
}

function sooner(a: Instant | null, b: Instant): Instant {
  return a === null || b < a ? b : a;
}
