/**
 * The calls that wait in a bay, in the orders in which they are asked for: by turn, by age, by deadline, by when they move on. Derived from the
 * calls and from what their accounts have spent; a change costs O(log n) at most, and nearly always the same however many wait.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { Heap } from "./heap.ts";
import type { Held } from "./heap.ts";
import type { AccountId, CallId, PoolName, QueuedCall, Size } from "./model.ts";
import { Ordered } from "./ordered.ts";
import type { Place } from "./ordered.ts";
import { compareSpent, nothingSpent, plus } from "./share.ts";
import type { Spent } from "./share.ts";

/** A call that waits. */
export interface Stand {
  readonly call: CallId;
  /** What its account spends when it is granted. */
  readonly entry: Spent;
  readonly deadline: Instant;
  /** When it moves on to another pool; null: never. */
  moveAt: Instant | null;
  /** Counts the calls of this line: the order of their admission. */
  readonly number: number;
}

/** An account's calls that wait in one line. */
export interface Group {
  readonly share: Share;
  readonly line: Line;
  /** By {@link isEarlier}. */
  readonly calls: Ordered<Standing>;
  /** What its next call would bring it to. */
  key: Spent;
  held: Held<Group> | null;
  /** What its account has spent is another since {@link key} was worked out. */
  isLate: boolean;
}

/** What an account has spent in a pool, and where it waits. */
export interface Share {
  readonly key: ShareKey;
  spent: Spent;
  readonly groups: Set<Group>;
}
export type ShareKey = string;
export const shareKey = (pool: PoolName, account: AccountId): ShareKey => `${pool} ${account}`;

interface Standing extends Stand {
  readonly size: Size;
  readonly group: Group;
  before: Standing | null;
  behind: Standing | null;
  byTurn: Place<Standing> | null;
  byDeadline: Place<Standing> | null;
  byMove: Place<Standing> | null;
}

/** Within an account: the shorter first, and what was written down earlier counts as shorter; else first come. */
export function isEarlier(a: Stand, b: Stand): boolean {
  const order = compareSpent(a.entry, b.entry);
  return order === 0 ? a.number < b.number : order < 0;
}

export class Line implements Iterable<CallId> {
  readonly #calls = new Map<CallId, Standing>();
  readonly #groups = new Map<ShareKey, Group>();
  readonly #turns = new Heap<Group>(isNext);
  /**
   * Groups whose account has spent, or got back, since. An account may wait in a thousand lines, each of which is asked seldom beside how
   * often the account spends in the others: what it spent is looked up when somebody asks.
   */
  readonly #late = new Set<Group>();
  readonly #deadlines = new Ordered<Standing>(
    (a, b) => a.deadline < b.deadline || (a.deadline === b.deadline && a.number < b.number),
  );
  /** Those that have a time at which they move on. */
  readonly #moves = new Ordered<Standing>((a, b) => {
    const order = (a.moveAt ?? Infinity) - (b.moveAt ?? Infinity);
    return order === 0 ? a.number < b.number : order < 0;
  });
  readonly #sizes: Readonly<Record<Size, Set<CallId>>> = { large: new Set(), xlarge: new Set() };
  #oldest: Standing | null = null;
  #newest: Standing | null = null;
  #count = 0;

  /** How many wait. */
  get length(): number {
    return this.#calls.size;
  }

  /** The deadline that passes first; null where none waits. */
  get dueAt(): Instant | null {
    return this.#deadlines.first?.deadline ?? null;
  }

  /** The time at which the first of them moves on; null where none ever does. */
  get movesAt(): Instant | null {
    return this.#moves.first?.moveAt ?? null;
  }

  /** What the next call that comes would be numbered. */
  get nextNumber(): number {
    return this.#count;
  }

  has(call: CallId): boolean {
    return this.#calls.has(call);
  }

  /** First come first. */
  *[Symbol.iterator](): Iterator<CallId> {
    for (const { call } of this.byAge()) yield call;
  }

  /** Those of a size, first come first. */
  ofSize(size: Size): ReadonlySet<CallId> {
    return this.#sizes[size];
  }

  /** First come first. The line must not change meanwhile; nor for the others below. */
  *byAge(): Generator<Stand, undefined> {
    for (let each = this.#oldest; each !== null; each = each.behind) yield each;
  }

  /** Those whose deadline has come: `now >= deadline`. */
  *due(now: Instant): Generator<CallId> {
    for (const { call, deadline } of this.#deadlines.inOrder()) {
      if (now < deadline) return;
      yield call;
    }
  }

  /** Those whose time to move on has come: `now >= moveAt`. */
  *dueToMove(now: Instant): Generator<CallId> {
    for (const { call, moveAt } of this.#moves.inOrder()) {
      if (moveAt === null || now < moveAt) return;
      yield call;
    }
  }

  /** The account whose next call is next comes first. */
  groups(): Generator<Group, undefined> {
    for (const group of this.#late) this.#place(group);
    return this.#turns.inOrder();
  }

  group(key: ShareKey): Group | undefined {
    return this.#groups.get(key);
  }

  groupOf(call: CallId): Group | undefined {
    return this.#calls.get(call)?.group;
  }

  isOldest(call: CallId): boolean {
    return this.#oldest?.call === call;
  }

  /** A call comes, last by age. */
  add(call: Pick<QueuedCall, "terms" | "entry" | "deadline" | "moveAt">, share: Share): void {
    const { terms, entry = nothingSpent, deadline, moveAt = null } = call;
    assert(!this.has(terms.call), "L9: a call stands in a line once");
    const group = this.#groups.get(share.key) ?? this.#open(share);
    const number = this.#count++;
    const before = this.#newest;
    const { call: id, size } = terms;
    const places = { byTurn: null, byDeadline: null, byMove: null };
    const it: Standing = { call: id, size, entry, deadline, moveAt, number, group, before, behind: null, ...places };
    if (before === null) this.#oldest = it;
    else before.behind = it;
    this.#newest = it;
    it.byTurn = group.calls.add(it);
    it.byDeadline = this.#deadlines.add(it);
    if (moveAt !== null) it.byMove = this.#moves.add(it);
    this.#calls.set(it.call, it);
    this.#sizes[size].add(id);
    this.#place(group);
  }

  remove(call: CallId): void {
    const it = this.#calls.get(call);
    assert(it?.byTurn && it.byDeadline, "L9: a waiting call stands in its pool's line", call);
    const { group, before, behind } = it;
    if (before === null) this.#oldest = behind;
    else before.behind = behind;
    if (behind === null) this.#newest = before;
    else behind.before = before;
    group.calls.remove(it.byTurn);
    this.#deadlines.remove(it.byDeadline);
    if (it.byMove) this.#moves.remove(it.byMove);
    this.#calls.delete(call);
    this.#sizes[it.size].delete(call);
    this.#place(group);
  }

  /** It moves on at another time than was said. */
  movesLater(call: CallId, moveAt: Instant): void {
    const it = this.#calls.get(call);
    assert(it?.byMove, `L50: a call that stays in its pool had a time to move on: ${call}`);
    it.moveAt = moveAt;
    this.#moves.moved(it.byMove);
  }

  /** Puts an account's group where it belongs after its calls, or what the account has spent, changed. */
  #place(group: Group): void {
    const next = group.calls.first;
    if (group.isLate) this.#late.delete(group);
    group.isLate = false;
    if (next === undefined) {
      if (group.held) this.#turns.remove(group.held);
      this.#groups.delete(group.share.key);
      group.share.groups.delete(group);
      return;
    }
    group.key = plus(group.share.spent, next.entry);
    if (group.held) this.#turns.moved(group.held);
    else group.held = this.#turns.add(group);
  }

  #open(share: Share): Group {
    const calls = new Ordered<Standing>(isEarlier);
    const group: Group = { share, line: this, calls, key: nothingSpent, held: null, isLate: false };
    this.#groups.set(share.key, group);
    share.groups.add(group);
    return group;
  }

  /** Says that the account has spent, or got back. */
  static spent(share: Share, spent: Spent): void {
    share.spent = spent;
    for (const group of share.groups) {
      if (group.isLate) continue;
      group.isLate = true;
      group.line.#late.add(group);
    }
  }
}

/** The account that has spent less, its next call counted, is next; of two equals the one whose call came first. */
function isNext(a: Group, b: Group): boolean {
  const order = compareSpent(a.key, b.key);
  return order === 0 ? (a.calls.first as Stand).number < (b.calls.first as Stand).number : order < 0;
}
