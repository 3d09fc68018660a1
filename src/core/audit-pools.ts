/**
 * The audit's books of pools: which card is in which, by which rule a call has its pool, and how it moved on. From the log alone, as
 * all of the audit (audit.ts).
 *
 *   L51. A call is granted on cards of its pool only, and its pool is one of its rule, the Space's before the account's.
 *   L50. It never returns to a pool that it left, and moves no earlier than its rule says.
 *   L39. No slot that is drained is granted. L15. No drain is over early.
 */
import type { DrainScope } from "./drained.ts";
import type { CallTerms, DeviceSpec, Event, NodeName, PoolName, SlotId } from "./model.ts";
import type { Route, Routed } from "./routes.ts";
import { routeKey } from "./routing.ts";

/** A node as the log tells of its cards. */
interface BookedNode {
  readonly pool: PoolName;
  readonly devices: readonly DeviceSpec[];
  /** By index of the card; null: all others. */
  readonly cardPools: ReadonlyMap<number | null, PoolName>;
}

export interface PoolBooks {
  readonly nodes: Map<NodeName, BookedNode>;
  /** By {@link routeKey}. */
  readonly routes: Map<string, Route>;
  /** Which account was ever granted something by which pool, by {@link servedKey}. */
  readonly served: Set<string>;
  /** When what still runs there is ended, by {@link drainedKey}; null: it may finish. */
  readonly drains: Map<string, number | null>;
  readonly at: number;
}

/** A hold as far as its pool goes. */
export interface PlacedHold {
  readonly terms: CallTerms;
  pool: PoolName;
  readonly route: Route | null;
  readonly left: Set<PoolName>;
  /** Before this it does not move by time; null: never. */
  movesAt: number | null;
}

type Find = (invariant: string, says: string) => void;
type Of<Type extends Event["type"]> = Extract<Event, { type: Type }>;

export const newPoolBooks = (): Omit<PoolBooks, "at"> => ({
  ...{ nodes: new Map(), routes: new Map(), served: new Set(), drains: new Map() },
});

export const servedKey = (pool: PoolName, account: string): string => `${pool} ${account}`;

export function bookJoined(books: PoolBooks, { node, pool, devices }: Of<"node-joined">): void {
  const { cardPools = new Map() } = books.nodes.get(node) ?? {};
  books.nodes.set(node, { pool, devices, cardPools });
}

export function bookCardPool(books: PoolBooks, { node, device, pool }: Of<"card-pool-set">, find: Find): void {
  const known = books.nodes.get(node);
  if (!known) return find("L51", `a card of ${node}, which never joined, is put into ${pool}`);
  const cardPools = new Map(known.cardPools);
  if (pool === null) cardPools.delete(device);
  else cardPools.set(device, pool);
  books.nodes.set(node, { ...known, cardPools });
}

export function bookDrain({ drains }: PoolBooks, { of, drain }: Of<"drain-set">): void {
  if (drain === null) drains.delete(drainedKey(of));
  else drains.set(drainedKey(of), drain.endAt);
}

/** L15: what runs where an operator drained is not ended before its time. */
export function checkDrainDue({ drains, at }: PoolBooks, { of }: Of<"drain-due">, find: Find): void {
  const endAt = drains.get(drainedKey(of)) ?? null;
  if (endAt === null) find("L15", `the drain of ${drainedKey(of)} ends what runs there, and has no end`);
  else if (at < endAt) find("L15", `the drain of ${drainedKey(of)} is due ${endAt - at} ms early`);
}

/** L39. */
export function isDrained(books: PoolBooks, slot: SlotId): boolean {
  const [node = "", device = ""] = slot.split("/");
  const scopes = [`pool ${poolOfSlot(books, slot)}`, `node ${node}`, `card ${node}/${device}`];
  return scopes.some((scope) => books.drains.has(scope));
}

function drainedKey(of: DrainScope): string {
  return `${of.kind} ${of.kind === "pool" ? of.pool : of.kind === "node" ? of.node : `${of.node}/${of.device}`}`;
}

export function bookRoute({ routes }: PoolBooks, { of, route }: Of<"route-set">): void {
  const key = routeKey(of);
  if (route === null) routes.delete(key);
  else routes.set(key, route);
}

/** The pool of the card on which the slot is. */
export function poolOfSlot({ nodes }: PoolBooks, slot: SlotId): PoolName | undefined {
  const [device = "", node = ""] = slot.split("/").toReversed().slice(1);
  const known = nodes.get(node);
  return known?.cardPools.get(Number(device)) ?? known?.cardPools.get(null) ?? known?.pool;
}

export function placed(books: PoolBooks, event: Of<"call-admitted">, find: Find): PlacedHold {
  const { terms, routed } = event;
  checkRule(books, terms, routed, find);
  const route = routed ?? null;
  const pool = routed?.pool ?? terms.pool;
  return { terms, pool, route, left: new Set(), movesAt: route && movesAt(route, pool, books.at) };
}

/** The rule in force, and no pool of it left out on the way to the one that has the call, or refuses it. */
export function checkRule(books: PoolBooks, terms: CallTerms, routed: Routed | undefined, find: Find): void {
  const rule =
    books.routes.get(routeKey({ kind: "space", space: terms.space })) ??
    books.routes.get(routeKey({ kind: "account", account: terms.account }));
  const node = books.nodes.get(terms.node);
  const home = node?.cardPools.get(null) ?? node?.pool ?? terms.pool;
  const expected = rule ?? (home === terms.pool ? undefined : { pools: [home], moveAfterMs: null });
  if (String(expected?.pools) !== String(routed?.pools) || expected?.moveAfterMs !== routed?.moveAfterMs)
    find("L51", `${terms.call} goes by ${JSON.stringify(routed)}, its rule is ${JSON.stringify(expected)}`);
  if (routed === undefined) return;
  const asked = new Set([...routed.passed.map(({ pool }) => pool), routed.pool]);
  const before = routed.pools.slice(0, routed.pools.indexOf(routed.pool) + 1);
  if (before.length === 0 || before.some((pool) => !asked.has(pool)) || asked.size !== routed.passed.length + 1)
    find(
      "L51",
      `${terms.call} came into ${routed.pool} of ${routed.pools}, and passed ${JSON.stringify(routed.passed)}`,
    );
}

export function checkGrantedPool(books: PoolBooks, { terms, pool }: PlacedHold, slot: SlotId, find: Find): void {
  const of = poolOfSlot(books, slot);
  if (of !== pool) find("L51", `${terms.call} of pool ${pool} is granted ${slot}, which is in ${of}`);
  books.served.add(servedKey(pool, terms.account));
}

export function bookMoved(books: PoolBooks, hold: PlacedHold, event: Of<"call-moved">, find: Find): void {
  const { terms, route, left } = hold;
  const { from, to, why } = event;
  if (from !== hold.pool) find("L49", `${terms.call} leaves ${from}, and waits in ${hold.pool}`);
  if (left.has(to) || to === from) find("L50", `${terms.call} returns to ${to}`);
  if ((route?.pools.indexOf(to) ?? -1) <= (route?.pools.indexOf(from) ?? -1))
    find("L50", `${terms.call} moves from ${from} to ${to}, its route is ${route?.pools}`);
  if (why === "waited" && (hold.movesAt === null || books.at < hold.movesAt))
    find("L50", `${terms.call} moves at ${books.at}, its time is ${hold.movesAt}`);
  if (why === "no-capacity" && canHold(books, from, terms))
    find("L50", `${terms.call} leaves ${from} for want of cards, which it has`);
  left.add(from);
  hold.pool = to;
  hold.movesAt = route && movesAt(route, to, books.at);
}

export function bookStayed(books: PoolBooks, hold: PlacedHold, { until }: Of<"call-stayed">, find: Find): void {
  if (hold.movesAt === null || books.at < hold.movesAt)
    find("L50", `${hold.terms.call} is to move at ${books.at}, its time is ${hold.movesAt}`);
  hold.movesAt = until;
}

function movesAt({ pools, moveAfterMs }: Route, pool: PoolName, at: number): number | null {
  return moveAfterMs === null || pools.at(-1) === pool ? null : at + moveAfterMs;
}

function canHold(books: PoolBooks, pool: PoolName, { node, size }: CallTerms): boolean {
  const devices = books.nodes.get(node)?.devices ?? [];
  return devices.some(
    ({ index, slots }) => slots >= (size === "xlarge" ? 2 : 1) && poolOfSlot(books, `${node}/${index}/0`) === pool,
  );
}
