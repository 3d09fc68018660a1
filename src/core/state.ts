/**
 * The ledger's state. One owner holds it and lets `evolve` change it in place: a call's whole life costs a few
 * microseconds, whatever else is kept. Nobody else writes to it, and `decide` only reads.
 *
 * Order never depends on how a map came to be: nodes and pools are kept sorted by name, queues and ended calls are lists,
 * functions are kept by last use. So a state that was read back from a snapshot decides as the one that was written.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { ordered, orderedAccount, orderedCall, orderedToken } from "./canonical.ts";
import type { WrittenAccount } from "./canonical.ts";
import type { Runs } from "./history.ts";
import type {
  CallTerms,
  Account,
  AccountId,
  Call,
  CallId,
  CardTrouble,
  DeviceSpec,
  NodeName,
  PoolName,
  PoolSettings,
  Slot,
  SlotId,
  TierName,
  TierSettings,
} from "./model.ts";
import { tierDefaults } from "./policy.ts";
import { cardsOf } from "./slots.ts";
import type { Card } from "./slots.ts";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface NodeState {
  readonly name: NodeName;
  pool: PoolName;
  devices: readonly DeviceSpec[];
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
  /** Waiting calls of its replicas, first come first: a GPU is used on its own node. */
  readonly queue: CallId[];
  /** Derived from `devices`. */
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
  readonly accounts: Map<AccountId, Mutable<Account>>;
  readonly pools: Map<PoolName, PoolSettings>;
  /** Those that an operator has set; the others are as shipped. */
  readonly tiers: Map<TierName, TierSettings>;
  readonly nodes: Map<NodeName, NodeState>;
  /** Also those of cards that are gone: their fences must never return (L18). */
  readonly slots: Map<SlotId, Slot>;
  readonly calls: Map<CallId, Call>;
  /** How many calls of a Space are open; a Space without one is not in it. Derived from `calls`. */
  readonly openBySpace: Map<string, number>;
  readonly tokens: Map<string, TokenUse>;
  /** By function, least recently used first. */
  readonly functions: Map<string, Runs>;
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
    accounts: new Map(),
    pools: new Map(),
    tiers: new Map(),
    nodes: new Map(),
    slots: new Map(),
    calls: new Map(),
    openBySpace: new Map(),
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
    calls: sorted(state.calls, orderedCall),
    ended: state.ended.slice(state.endedHead),
    functions: [...state.functions].map(([name, runs]) => [name, runs.inOrder]),
    index: state.index,
    kills: sorted(state.kills, ordered),
    nodes: sorted(state.nodes, orderedNode),
    pools: sorted(state.pools, ordered),
    slots: sorted(state.slots, ordered),
    // Left out while none is set, as before there were any: an older snapshot keeps its hash (L25).
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
  return {
    index: plain.index,
    at: plain.at,
    writer: plain.writer,
    accounts: new Map(plain.accounts.map(([id, account]) => [id, { runs: 0, ...account }])),
    pools: new Map(plain.pools),
    tiers: new Map(plain.tiers),
    nodes: new Map(
      plain.nodes.map(([name, node]) => [name, { trouble: [], ...node, cards: cardsOf(name, node.devices) }]),
    ),
    slots: new Map(plain.slots),
    calls: new Map(plain.calls),
    openBySpace: openBySpace(plain.calls),
    tokens: new Map(plain.tokens),
    functions: new Map(
      plain.functions.map(([name, inOrder]) => [name, { inOrder, sorted: inOrder.toSorted((a, b) => a - b) }]),
    ),
    kills: new Map(plain.kills),
    ended: plain.ended,
    endedHead: 0,
  };
}

function openBySpace(calls: Snapshot["calls"]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, call] of calls) if (!("endedAt" in call)) countOpen(counts, call.terms.space, 1);
  return counts;
}

/** One call of the Space more or less is open. */
export function countOpen(counts: Map<string, number>, space: string, by: 1 | -1): void {
  const open = (counts.get(space) ?? 0) + by;
  if (open === 0) counts.delete(space);
  else counts.set(space, open);
}

/** A state of its own, equal to the given one. */
export function cloneState(state: State): State {
  return decodeState(encodeState(state));
}

export function nodeOf(state: State, name: NodeName): NodeState {
  const node = state.nodes.get(name);
  assert(node, `a call's node is known: ${name}`);
  return node;
}

export function settingsOf(state: State, pool: PoolName): PoolSettings {
  const settings = state.pools.get(pool);
  assert(settings, `a node's pool is known: ${pool}`);
  return settings;
}

/** What holds for accounts of a tier now. */
export function tierOf(state: State, tier: TierName): TierSettings {
  return state.tiers.get(tier) ?? tierDefaults[tier];
}

type WrittenNode = Omit<NodeState, "cards" | "trouble"> & Partial<Pick<NodeState, "trouble">>;

/** A node without trouble is written as nodes were before there was any: an older snapshot keeps its hash (L25). */
function orderedNode({ cards: _derived, trouble, ...node }: NodeState): WrittenNode {
  return ordered(trouble.length === 0 ? node : { ...node, trouble });
}

type Entries<T> = T extends Map<infer K, infer V> ? [K, V][] : never;
interface Snapshot extends Pick<State, "index" | "at" | "writer" | "ended"> {
  readonly v: number;
  readonly accounts: [AccountId, WrittenAccount][];
  readonly pools: Entries<State["pools"]>;
  readonly tiers?: Entries<State["tiers"]>;
  readonly nodes: [NodeName, WrittenNode][];
  readonly slots: Entries<State["slots"]>;
  readonly calls: Entries<State["calls"]>;
  readonly tokens: Entries<State["tokens"]>;
  readonly functions: [string, number[]][];
  readonly kills: Entries<State["kills"]>;
}

function sorted<K extends string, T, Written>(map: ReadonlyMap<K, T>, written: (value: T) => Written): [K, Written][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, written(value)]);
}
