/**
 * In what order a node's waiting calls get their turns. The account that has spent least of the pool is next, its next
 * call counted; within an account the shorter call. So that nobody waits for ever, one turn in so many (`oldestEvery`) is
 * that of the call which waits longest.
 *
 *   L45. A call before which n others came is granted within (n + 1) × `oldestEvery` turns.
 */
import { assert } from "../stdx/assert.ts";
import { Heap } from "./heap.ts";
import type { Held } from "./heap.ts";
import { isEarlier } from "./line.ts";
import type { Group, ShareKey, Stand } from "./line.ts";
import type { CallId, TurnRule } from "./model.ts";
import type { Plan, Waiting } from "./plan.ts";
import { poolDefaults } from "./policy.ts";
import { nothingSpent, compareSpent, plus } from "./share.ts";
import type { Spent } from "./share.ts";
import { shareKeyOf, spentBy } from "./sharing.ts";
import { settingsOf } from "./state.ts";
import type { NodeState } from "./state.ts";

export interface Turn extends Waiting {
  readonly rule: TurnRule;
  /** What the call brings its account to. */
  readonly key: Spent;
}

/**
 * The node's waiting calls, in the order in which they would be granted if each that is due were granted in turn. Each
 * costs O(log n) from the first on. Events that take calls out of the queue may be pushed meanwhile.
 */
export function* turnsOn(plan: Plan, node: NodeState): Generator<Turn, undefined> {
  const { arriving } = plan;
  const comes = arriving !== undefined && isComing(plan, node) ? standOf(arriving, node) : undefined;
  if (node.queue.length === 0) {
    if (comes && arriving) yield { ...arriving, rule: "share", key: comes.entry };
    return;
  }
  const { oldestEvery = poolDefaults.oldestEvery } = settingsOf(plan.state, node.pool);
  const order = new Order(plan, node, comes);
  let since = plan.since.get(node.name) ?? node.sinceOldest;
  for (;;) {
    const rule = since + 1 >= oldestEvery ? "oldest" : "share";
    const call = rule === "oldest" ? order.oldest() : order.next();
    if (call === undefined) return;
    since = call === order.oldest() ? 0 : since + 1;
    const key = order.take(call);
    yield { ...waitingCall(plan, call.call), rule, key };
  }
}

/** Whether the call that is being scheduled waits on this node. */
export function isComing({ arriving, gone }: Plan, node: NodeState): boolean {
  return arriving !== undefined && arriving.terms.node === node.name && !gone.has(arriving.terms.call);
}

/** How many of the node's calls wait after the plan's events. */
export function countWaiting(plan: Plan, node: NodeState): number {
  let count = node.queue.length;
  for (const id of plan.gone) if (node.queue.has(id)) count--;
  return isComing(plan, node) ? count + 1 : count;
}

function standOf({ terms, entry = nothingSpent }: Waiting, { queue }: NodeState): Stand {
  return { call: terms.call, entry, deadline: 0 as Stand["deadline"], number: queue.nextNumber };
}

function waitingCall({ state, arriving }: Plan, id: CallId): Waiting {
  if (arriving?.terms.call === id) return arriving;
  const call = state.calls.get(id);
  assert(call?.stage === "queued", "L5: only a queued call is in a queue");
  return call;
}

/** An account whose calls the line alone does not order: it was granted to, or spent, or its call is coming. */
interface Cursor {
  readonly calls: Iterator<Stand, undefined>;
  spent: Spent;
  next: Stand | undefined;
  key: Spent;
}

/** The line as it is after the plan's events, and after those calls that were taken from it here. */
class Order {
  readonly #plan: Plan;
  readonly #node: NodeState;
  readonly #comes: Stand | undefined;
  readonly #taken = new Set<CallId>();
  readonly #cursors = new Map<ShareKey, Held<Cursor>>();
  readonly #moved = new Heap<Cursor>(isBefore);
  /** Accounts as the line orders them, from here on. */
  readonly #groups: Iterator<Group, undefined>;
  #group: Group | undefined;
  readonly #ages: Iterator<Stand, undefined>;
  #oldest: Stand | undefined;

  constructor(plan: Plan, node: NodeState, comes: Stand | undefined) {
    this.#plan = plan;
    this.#node = node;
    this.#comes = comes;
    const { queue } = node;
    for (const [key, spent] of plan.spent) if (queue.group(key) || this.#isComing(key)) this.#open(key, spent);
    const key = comes && plan.arriving && shareKeyOf(plan.arriving.terms);
    if (key !== undefined && !this.#cursors.has(key)) this.#open(key, spentBy(plan.state, key));
    this.#groups = queue.groups();
    this.#group = this.#groups.next().value;
    this.#ages = queue.byAge();
    this.#oldest = this.#ages.next().value;
  }

  /** Whose turn it is by share. */
  next(): Stand | undefined {
    while (this.#group && this.#cursors.has(this.#group.share.key)) this.#group = this.#groups.next().value;
    const group = this.#group;
    const moved = this.#moved.first;
    if (group && (moved === undefined || isBefore({ key: group.key, next: group.calls.first }, moved))) {
      return group.calls.first;
    }
    return moved?.next;
  }

  /** Who waits longest. */
  oldest(): Stand | undefined {
    while (this.#oldest && !this.#isLeft(this.#oldest)) this.#oldest = this.#ages.next().value;
    return this.#oldest ?? (this.#comes && this.#isLeft(this.#comes) ? this.#comes : undefined);
  }

  /** It had its turn, and its account has spent that; gives what the account has spent then. */
  take({ call, entry }: Stand): Spent {
    this.#taken.add(call);
    const key = shareKeyOf(waitingCall(this.#plan, call).terms);
    const held = this.#cursors.get(key) ?? this.#open(key, spentBy(this.#plan.state, key));
    held.value.spent = plus(held.value.spent, entry);
    this.#place(held);
    return held.value.spent;
  }

  #open(key: ShareKey, spent: Spent): Held<Cursor> {
    const calls = this.#callsOf(key);
    const held = this.#moved.add({ calls, spent, next: calls.next().value, key: nothingSpent });
    this.#cursors.set(key, held);
    this.#place(held);
    return held;
  }

  #place(held: Held<Cursor>): void {
    const cursor = held.value;
    while (cursor.next && !this.#isLeft(cursor.next)) cursor.next = cursor.calls.next().value;
    if (cursor.next) cursor.key = plus(cursor.spent, cursor.next.entry);
    this.#moved.moved(held);
  }

  *#callsOf(key: ShareKey): Generator<Stand, undefined> {
    let comes = this.#isComing(key) ? this.#comes : undefined;
    for (const call of this.#node.queue.group(key)?.calls.inOrder() ?? []) {
      if (comes && isEarlier(comes, call)) {
        yield comes;
        comes = undefined;
      }
      yield call;
    }
    if (comes) yield comes;
  }

  #isComing(key: ShareKey): boolean {
    const { arriving } = this.#plan;
    return this.#comes !== undefined && arriving !== undefined && shareKeyOf(arriving.terms) === key;
  }

  #isLeft({ call }: Stand): boolean {
    return !this.#taken.has(call) && !this.#plan.gone.has(call);
  }
}

/** An account that has no call left comes last. */
function isBefore(a: Pick<Cursor, "key" | "next">, b: Pick<Cursor, "key" | "next">): boolean {
  if (a.next === undefined || b.next === undefined) return a.next !== undefined;
  const order = compareSpent(a.key, b.key);
  return order === 0 ? a.next.number < b.next.number : order < 0;
}
