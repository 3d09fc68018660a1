/**
 * The ledger's state. One owner holds it and lets `evolve` change it in place: a call's whole life costs a few
 * microseconds, whatever else is kept. Nobody else writes to it, and `decide` only reads.
 *
 * Order never depends on how a map came to be: nodes and pools are kept sorted by name, queues and ended calls are lists,
 * functions are kept by last use. So a state that was read back from a snapshot decides as the one that was written.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { ordered, orderedAccount, orderedCall, orderedSpent, orderedToken } from "./canonical.ts";
import type { WrittenAccount } from "./canonical.ts";
import type { KeptRuns } from "./history.ts";
import { fillBays, keptBay } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { Line, shareKey } from "./line.ts";
import type { Share, ShareKey } from "./line.ts";
import type { Drained } from "./drained.ts";
import type {
  CallTerms,
  Account,
  AccountId,
  Admitted,
  Budget,
  Call,
  CallId,
  CardTrouble,
  DeviceSpec,
  NodeName,
  PoolName,
  PoolSettings,
  QueuedCall,
  Slot,
  SlotId,
  TierName,
  TierSettings,
} from "./model.ts";
import type { CardPool, RouteRule } from "./routes.ts";
import { tierDefaults } from "./policy.ts";
import { poolOfCall } from "./routing.ts";
import { nothingSpent } from "./share.ts";
import type { DecayClock, Spent } from "./share.ts";
import { cardsOf } from "./slots.ts";
import type { Card } from "./slots.ts";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface NodeState {
  readonly name: NodeName;
  /** That of its cards which are not put into another. */
  pool: PoolName;
  devices: readonly DeviceSpec[];
  /** What an operator has set of its cards, all of them first, then by index. */
  cardPools: readonly CardPool[];
  /** By index of the card; what a node said of its cards holds until it says otherwise. */
  trouble: readonly CardTrouble[];
  stage: "up" | "lost";
  heardAt: Instant;
  /** The writer's epoch in which it was last heard (L17). */
  heardEpoch: number;
  /** When it last said hello: its shims then report what they kept. */
  joinedAt: Instant;
  /** Grants sent to it so far: the channel's number. */
  grants: number;
  /** Its cards by pool, with the calls of its replicas: a GPU is used on its own node. */
  readonly bays: Map<PoolName, Bay>;
  /** Derived from `devices` and `cardPools`. */
  cards: readonly Card[];
}

/** What one visitor's token has admitted. */
export interface TokenUse {
  calls: number;
  /** Held by its open calls, charged by its ended ones. */
  gpuMs: number;
  /** Calls under it that are still kept; with the last of them it is forgotten. */
  kept: number;
}

export interface State {
  /** Index and time of the last record (L14). */
  index: number;
  at: Instant;
  writer: { readonly epoch: number; readonly startedAt: Instant };
  /** Each fence that is given is higher (L18): what a restore raised, else 0. */
  fencesAbove: number;
  readonly accounts: Map<AccountId, Mutable<Account>>;
  readonly pools: Map<PoolName, PoolSettings>;
  /** Those that an operator has set; the others are as shipped. */
  readonly tiers: Map<TierName, TierSettings>;
  /** By Space: what its owner pays for its visitors. One that was set is kept, so that its sponsor's account is. */
  readonly budgets: Map<string, Mutable<Budget>>;
  readonly nodes: Map<NodeName, NodeState>;
  /** What is out of use, by `drainKey`, sorted. */
  readonly drains: Map<string, Drained>;
  /** Also those of cards that are gone: their fences must never return (L18). */
  readonly slots: Map<SlotId, Slot>;
  /** Rules by which pools calls are served, by {@link routeKey}, sorted. */
  readonly routes: Map<string, RouteRule>;
  readonly calls: Map<CallId, Call>;
  /** How many calls of a Space are open; a Space without one is not in it. Derived from `calls`. */
  readonly openBySpace: Map<string, number>;
  /** How many calls wait in a pool; one in which none ever did may not be in it. Derived from `calls`. */
  readonly waitingIn: Map<PoolName, number>;
  /** What accounts have spent of pools lately; one that has spent nothing and waits nowhere is not in it. */
  readonly shares: Map<ShareKey, Share>;
  /** Decay clocks of pools whose half-life was changed; the others' run from the first instant on. */
  readonly clocks: Map<PoolName, DecayClock>;
  readonly tokens: Map<string, TokenUse>;
  /** By function, least recently used first. */
  readonly functions: Map<string, KeptRuns>;
  /** `account space` → when kills without evidence were forgiven, oldest first. */
  readonly kills: Map<string, readonly Instant[]>;
  /** Ended calls, oldest first, from `endedHead` on. */
  readonly ended: CallId[];
  endedHead: number;
}

/** The request under which a call counts against the caps of a visitor's token; null where no token came. */
export function cappedBy({ request, root }: Pick<CallTerms, "request" | "root">): string | null {
  return root ?? request;
}

export function emptyState(): State {
  return {
    index: 0,
    at: 0 as Instant,
    writer: { epoch: 0, startedAt: 0 as Instant },
    fencesAbove: 0,
    accounts: new Map(),
    pools: new Map(),
    tiers: new Map(),
    budgets: new Map(),
    nodes: new Map(),
    drains: new Map(),
    slots: new Map(),
    routes: new Map(),
    calls: new Map(),
    openBySpace: new Map(),
    waitingIn: new Map(),
    shares: new Map(),
    clocks: new Map(),
    tokens: new Map(),
    functions: new Map(),
    kills: new Map(),
    ended: [],
    endedHead: 0,
  };
}

/** Puts an entry into a map that is iterated by name; new names are rare, so the map is built anew for one. */
export function setSorted<K extends string, T>(map: Map<K, T>, key: K, value: T): void {
  const isNew = !map.has(key);
  map.set(key, value);
  if (!isNew) return;
  const entries = sorted(map, (entry) => entry);
  map.clear();
  for (const [name, entry] of entries) map.set(name, entry);
}

/** The state as canonical text: two states with equal text decide alike. What the state's hash is taken of (L25). */
export function stateHashInput(state: State): string {
  return encodeState(state);
}

/** The state as JSON for a snapshot: keys in order (canonical.ts), so that equal states give equal bytes. */
export function encodeState(state: State): string {
  return JSON.stringify({
    accounts: sorted(state.accounts, orderedAccount),
    at: state.at,
    ...(state.budgets.size > 0 && { budgets: sorted(state.budgets, ordered) }),
    calls: sorted(state.calls, orderedCall),
    ...(state.clocks.size > 0 && { clocks: sorted(state.clocks, ordered) }),
    // Left out while there is none, as before there were any: an older snapshot keeps its hash (L25).
    ...(state.drains.size > 0 && { drains: sorted(state.drains, ordered) }),
    ended: state.ended.slice(state.endedHead),
    // As drains.
    ...(state.fencesAbove > 0 && { fencesAbove: state.fencesAbove }),
    functions: [...state.functions].map(([name, runs]) => [name, runs.inOrder]),
    index: state.index,
    kills: sorted(state.kills, ordered),
    nodes: sorted(state.nodes, orderedNode),
    pools: sorted(state.pools, ordered),
    // As drains.
    ...(state.routes.size > 0 && { routes: sorted(state.routes, ordered) }),
    ...sharesOf(state),
    slots: sorted(state.slots, ordered),
    // As drains.
    ...(state.tiers.size > 0 && { tiers: sorted(state.tiers, ordered) }),
    tokens: sorted(state.tokens, orderedToken),
    v: 1,
    writer: ordered(state.writer),
  });
}

/** Reads what {@link encodeState} wrote. Throws `SyntaxError` on text that is not JSON of a version it knows. */
export function decodeState(text: string): State {
  const plain = JSON.parse(text) as Snapshot;
  if (plain.v !== 1) throw new SyntaxError(`snapshot of version ${String(plain.v)}, this program reads 1`);
  const state: State = {
    index: plain.index,
    at: plain.at,
    writer: plain.writer,
    fencesAbove: plain.fencesAbove ?? 0,
    accounts: new Map(plain.accounts.map(([id, account]) => [id, { runs: 0, allowances: [], ...account }])),
    pools: new Map(plain.pools),
    tiers: new Map(plain.tiers),
    budgets: new Map(plain.budgets),
    nodes: new Map(plain.nodes.map(([name, node]) => [name, nodeFrom(node)])),
    drains: new Map(plain.drains),
    slots: new Map(plain.slots),
    routes: new Map(plain.routes),
    calls: new Map(plain.calls),
    openBySpace: openBySpace(plain.calls),
    waitingIn: new Map(),
    shares: new Map((plain.shares ?? []).map(([key, spent]) => [key, { key, spent, groups: new Set() }])),
    clocks: new Map(plain.clocks),
    tokens: new Map(plain.tokens),
    functions: new Map(
      plain.functions.map(([name, inOrder]) => [name, { inOrder, sorted: inOrder.toSorted((a, b) => a - b) }]),
    ),
    kills: new Map(plain.kills),
    ended: plain.ended,
    endedHead: 0,
  };
  for (const call of state.calls.values())
    if (call.stage === "granted" || call.stage === "attached") bayOfCall(state, call).leases.put(call);
  for (const [, { queue, bays = [] }] of plain.nodes)
    for (const id of [queue, ...bays.map(([, bay]) => bay.queue)].flat())
      standInLine(state, state.calls.get(id) as QueuedCall);
  return state;
}

/** Puts a call that waits into the line of its pool on its node, last by age. */
export function standInLine(state: State, call: QueuedCall): void {
  const pool = poolOfCall(call);
  const key = shareKey(pool, call.terms.account);
  const share: Share = state.shares.get(key) ?? { key, spent: nothingSpent, groups: new Set() };
  state.shares.set(key, share);
  bayOfCall(state, call).queue.add(call, share);
  countWaiting(state, pool, 1);
}

/** Takes it out again. */
export function leaveLine(state: State, call: QueuedCall): void {
  const pool = poolOfCall(call);
  bayOfCall(state, call).queue.remove(call.terms.call);
  tidyShare(state, shareKey(pool, call.terms.account));
  countWaiting(state, pool, -1);
}

/** The account has spent in the pool, or got back. */
export function setSpent(state: State, key: ShareKey, spent: Spent): void {
  const known = state.shares.get(key);
  if (known) Line.spent(known, spent);
  else state.shares.set(key, { key, spent, groups: new Set() });
  tidyShare(state, key);
}

/** Forgets a share that says nothing: nothing spent, nobody waits. */
function tidyShare(state: State, key: ShareKey): void {
  const share = state.shares.get(key);
  if (share?.spent.amount === 0 && share.groups.size === 0) state.shares.delete(key);
}

function sharesOf({ shares }: State): { shares?: [ShareKey, Spent][] } {
  const spent = [...shares].filter(([, share]) => share.spent.amount > 0);
  return spent.length === 0 ? {} : { shares: sorted(new Map(spent), ({ spent: of }) => orderedSpent(of)) };
}

function openBySpace(calls: Snapshot["calls"]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, call] of calls) if (!("endedAt" in call)) countOpen(counts, call.terms.space, 1);
  return counts;
}

function countWaiting({ waitingIn }: State, pool: PoolName, by: 1 | -1): void {
  waitingIn.set(pool, (waitingIn.get(pool) ?? 0) + by);
}

/** One call of the Space more or less is open. */
export function countOpen(counts: Map<string, number>, of: string, by: 1 | -1): void {
  const count = (counts.get(of) ?? 0) + by;
  if (count === 0) counts.delete(of);
  else counts.set(of, count);
}

/** A state of its own, equal to the given one. */
export function cloneState(state: State): State {
  return decodeState(encodeState(state));
}

export function nodeOf(state: State, name: NodeName): NodeState {
  const node = state.nodes.get(name);
  assert(node, "a call's node is known", name);
  return node;
}

/** Where the call waits, or holds slots. */
export function bayOfCall(state: State, call: Pick<Admitted, "terms" | "routed">): Bay {
  return keptBay(nodeOf(state, call.terms.node), poolOfCall(call));
}

export function settingsOf(state: State, pool: PoolName): PoolSettings {
  const settings = state.pools.get(pool);
  assert(settings, "a node's pool is known", pool);
  return settings;
}

/** What holds for accounts of a tier now. */
export function tierOf(state: State, tier: TierName): TierSettings {
  return state.tiers.get(tier) ?? tierDefaults[tier];
}

interface WrittenBay {
  readonly queue: readonly CallId[];
  readonly sinceOldest?: number;
}
/** Of the bays that of its own pool stands with the node, as before there were others. */
type WrittenNode = Omit<NodeState, "cards" | "trouble" | "bays" | "cardPools"> &
  Partial<Pick<NodeState, "trouble" | "cardPools">> &
  WrittenBay & { readonly bays?: readonly [PoolName, WrittenBay][] };

/** What is not there is left out, as before there was any: an older snapshot keeps its hash (L25). */
function orderedNode({ cards: _cards, trouble, bays, cardPools, ...node }: NodeState): WrittenNode {
  const written = ({ queue, sinceOldest }: Bay): WrittenBay => ({
    queue: [...queue],
    ...(sinceOldest > 0 && { sinceOldest }),
  });
  const others = [...bays.values()].filter(
    ({ pool, queue, sinceOldest }) => pool !== node.pool && (queue.length > 0 || sinceOldest > 0),
  );
  const own = bays.get(node.pool);
  return ordered({
    ...node,
    ...(own ? written(own) : { queue: [] }),
    ...(trouble.length > 0 && { trouble }),
    ...(cardPools.length > 0 && { cardPools }),
    ...(others.length > 0 && { bays: others.map((bay): [PoolName, WrittenBay] => [bay.pool, written(bay)]) }),
  });
}

function nodeFrom({ queue: _waiting, bays = [], sinceOldest = 0, ...written }: WrittenNode): NodeState {
  const { cardPools = [], trouble = [], ...plain } = written;
  const cards = cardsOf(plain, plain.devices, cardPools);
  const node: NodeState = { ...plain, trouble, cardPools, cards, bays: new Map() };
  fillBays(node);
  keptBay(node, node.pool).sinceOldest = sinceOldest;
  for (const [pool, bay] of bays) keptBay(node, pool).sinceOldest = bay.sinceOldest ?? 0;
  return node;
}

type Entries<T> = T extends Map<infer K, infer V> ? [K, V][] : never;
interface Snapshot extends Pick<State, "index" | "at" | "writer" | "ended"> {
  readonly v: number;
  readonly fencesAbove?: number;
  readonly accounts: [AccountId, WrittenAccount][];
  readonly pools: Entries<State["pools"]>;
  readonly tiers?: Entries<State["tiers"]>;
  readonly budgets?: Entries<State["budgets"]>;
  readonly nodes: [NodeName, WrittenNode][];
  readonly clocks?: Entries<State["clocks"]>;
  readonly shares?: [ShareKey, Spent][];
  readonly drains?: Entries<State["drains"]>;
  readonly slots: Entries<State["slots"]>;
  readonly routes?: Entries<State["routes"]>;
  readonly calls: Entries<State["calls"]>;
  readonly tokens: Entries<State["tokens"]>;
  readonly functions: [string, number[]][];
  readonly kills: Entries<State["kills"]>;
}

function sorted<K extends string, T, Written>(map: ReadonlyMap<K, T>, written: (value: T) => Written): [K, Written][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, written(value)]);
}
