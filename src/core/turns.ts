/**
 * In what order a bay's waiting calls get their turns. The account that has spent least of the pool is next, its next
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
import type { Bay } from "./bays.ts";
import type { CallId, TurnRule } from "./model.ts";
import { comingInto } from "./plan.ts";
import type { Plan, Waiting } from "./plan.ts";
import { poolDefaults } from "./policy.ts";
import { nothingSpent, compareSpent, plus } from "./share.ts";
import type { Spent } from "./share.ts";
import { shareKeyOf, spentBy } from "./sharing.ts";
import { settingsOf } from "./state.ts";

export interface Turn extends Waiting {
  readonly rule: TurnRule;
  /** What the call brings its account to. */
  readonly key: Spent;
}

/** The turn of the one call that comes into a bay in which nobody waits; undefined where it is not so. */
export function soleTurn(plan: Plan, bay: Bay): Turn | undefined {
  if (bay.queue.length > 0 || plan.coming?.size !== 1) return undefined;
  const [call] = comingInto(plan, bay);
  if (call === undefined || plan.gone?.has(call.terms.call)) return undefined;
  return { ...call, rule: "share", key: call.entry ?? nothingSpent };
}

/**
 * The bay's waiting calls, in the order in which they would be granted if each that is due were granted in turn. Each
 * costs O(log n) from the first on. Events that take calls out of the queue may be pushed meanwhile.
 */
export function* turnsOn(plan: Plan, bay: Bay): Generator<Turn, undefined> {
  const coming = comingInto(plan, bay).filter(({ terms }) => !plan.gone?.has(terms.call));
  if (bay.queue.length === 0 && coming.length < 2) {
    for (const call of coming) yield { ...call, rule: "share", key: call.entry ?? nothingSpent };
    return;
  }
  const { oldestEvery = poolDefaults.oldestEvery } = settingsOf(plan.state, bay.pool);
  const order = new Order(plan, bay, coming);
  let since = plan.since?.get(bay.key) ?? bay.sinceOldest;
  for (;;) {
    const rule = since + 1 >= oldestEvery ? "oldest" : "share";
    const call = rule === "oldest" ? order.oldest() : order.next();
    if (call === undefined) return;
    since = call === order.oldest() ? 0 : since + 1;
    const key = order.take(call);
    yield { ...waitingCall(plan, call.call), rule, key };
  }
}

function waitingCall({ state, coming }: Plan, id: CallId): Waiting {
  const comes = coming?.get(id);
  if (comes) return comes;
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
  readonly #bay: Bay;
  /** Those that come, as they will stand in the line, by account and first come first. */
  readonly #coming: readonly Stand[];
  readonly #comingOf = new Map<ShareKey, Stand[]>();
  readonly #taken = new Set<CallId>();
  readonly #cursors = new Map<ShareKey, Held<Cursor>>();
  readonly #moved = new Heap<Cursor>(isBefore);
  /** Accounts as the line orders them, from here on. */
  readonly #groups: Iterator<Group, undefined>;
  #group: Group | undefined;
  readonly #ages: Iterator<Stand, undefined>;
  #oldest: Stand | undefined;

  constructor(plan: Plan, bay: Bay, coming: readonly Waiting[]) {
    this.#plan = plan;
    this.#bay = bay;
    const { queue } = bay;
    this.#coming = coming.map((call, at) => this.#standOf(call, queue.nextNumber + at));
    for (const [key, spent] of plan.spent ?? [])
      if (queue.group(key) || this.#comingOf.has(key)) this.#open(key, spent);
    for (const key of this.#comingOf.keys()) if (!this.#cursors.has(key)) this.#open(key, spentBy(plan.state, key));
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
    return this.#oldest ?? this.#coming.find((each) => this.#isLeft(each));
  }

  /** It had its turn, and its account has spent that; gives what the account has spent then. */
  take({ call, entry }: Stand): Spent {
    this.#taken.add(call);
    const key = shareKeyOf(waitingCall(this.#plan, call));
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
    const coming = this.#comingOf.get(key)?.toSorted((a, b) => (isEarlier(a, b) ? -1 : 1)) ?? [];
    let next = 0;
    for (const call of this.#bay.queue.group(key)?.calls.inOrder() ?? []) {
      for (; next < coming.length && isEarlier(coming[next] as Stand, call); next++) yield coming[next] as Stand;
      yield call;
    }
    yield* coming.slice(next);
  }

  #standOf(call: Waiting, number: number): Stand {
    const { entry = nothingSpent, terms } = call;
    const stand = { call: terms.call, entry, deadline: 0 as Stand["deadline"], moveAt: null, number };
    const key = shareKeyOf(call);
    const known = this.#comingOf.get(key);
    if (known) known.push(stand);
    else this.#comingOf.set(key, [stand]);
    return stand;
  }

  /** A call that moved on is left where it comes, and not in the line that it left. */
  #isLeft({ call }: Stand): boolean {
    const { gone, moved } = this.#plan;
    if (this.#taken.has(call) || gone?.has(call)) return false;
    return !moved?.has(call) || !this.#bay.queue.has(call);
  }
}

/** An account that has no call left comes last. */
function isBefore(a: Pick<Cursor, "key" | "next">, b: Pick<Cursor, "key" | "next">): boolean {
  if (a.next === undefined || b.next === undefined) return a.next !== undefined;
  const order = compareSpent(a.key, b.key);
  return order === 0 ? a.next.number < b.next.number : order < 0;
}
