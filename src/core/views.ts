/** Answers to questions about the state. They change nothing, and hold at the state's index, which they name (L34). */
import { between } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { liftOf, standingOf } from "./allowances.ts";
import { gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { budgetAt, tierOfSponsor, windowOf } from "./funding.ts";
import type { Window } from "./funding.ts";
import { bayOf } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { leasedOn, queuedIn, queuedOn } from "./deadlines.ts";
import type { Drained } from "./drained.ts";
import type {
  AccountId,
  AttachedCall,
  BudgetSettings,
  Call,
  CallId,
  CardTrouble,
  DeviceSpec,
  GrantedCall,
  LiftablePolicy,
  NodeName,
  OpenCall,
  PoolName,
  PoolSettings,
  QueuedCall,
  ReplicaId,
  Slot,
  SlotId,
  StandingAllowance,
  TierName,
  TierSettings,
} from "./model.ts";
import { planOn } from "./plan.ts";
import { tierNames } from "./policy.ts";
import { lastPlaceOn, placesOn } from "./queue.ts";
import type { Place as PlaceNow } from "./queue.ts";
import { poolOfCall } from "./routing.ts";
import { weightOf } from "./sharing.ts";
import { drainOf, troubleOf, wellCards } from "./slots.ts";
import type { Card } from "./slots.ts";
import { nodeOf, tierOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

/** Where a waiting call stands, and how good the first estimate was. */
export interface Place extends PlaceNow {
  /** By how much its turn is expected later than when it came (negative: earlier); null where nothing was, or is, known. */
  readonly errorMs: number | null;
}

/** `resetsAt` is null while no period runs: the next call opens one. */
export interface Quota extends Omit<Window, "isOver"> {
  readonly account: AccountId;
  readonly tier: TierName;
  /** How long the next period will be. */
  readonly windowMs: DurationMs;
  /** How many runs the period may have; null: no limit. */
  readonly runsMax: number | null;
  /** Calls that are open now, and how many may be at once; null: no limit. */
  readonly calls: number;
  readonly callsMax: number | null;
  /** The longest duration that a call may declare by the tier; null: the pool's bound alone holds. */
  readonly durationMaxMs: DurationMs | null;
  /** What operators gave it that is not over. */
  readonly allowances: readonly StandingAllowance[];
  readonly index: number;
}

/** What a Space's owner pays for its visitors, in the owner's window that runs. */
export interface BudgetSummary extends BudgetSettings {
  readonly space: string;
  /** Null while nothing was ever set. */
  readonly sponsor: AccountId | null;
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
  /** limit − used − held, never below 0; null without a budget. The owner's own window may have less. */
  readonly leftMs: GpuMs | null;
  readonly resetsAt: Instant | null;
  /** How long the owner's next window will be. */
  readonly windowMs: DurationMs;
  readonly index: number;
}

export interface TierSummary extends Required<TierSettings> {
  readonly name: TierName;
}

export interface PoolSummary {
  readonly name: PoolName;
  readonly settings: PoolSettings;
  /** At least one of its cards is simulated. */
  readonly simulated: boolean;
  /** Cards and slots of the nodes that are there. */
  readonly devices: number;
  /** Cards of these that are in trouble. */
  readonly troubled: number;
  /** Cards of these that are drained. */
  readonly drained: number;
  readonly slots: number;
  readonly leased: number;
  readonly clearing: number;
  readonly waiting: number;
}

export interface WaitingCall {
  readonly call: QueuedCall;
  readonly waitedMs: DurationMs;
  readonly place: Place;
}

export interface BoardSlot {
  readonly slot: SlotId;
  readonly node: NodeName;
  readonly pool: PoolName;
  readonly isNodeLost: boolean;
  readonly device: DeviceSpec;
  /** What is wrong with its card. */
  readonly trouble: CardTrouble | null;
  /** The widest drain that it is under. */
  readonly drain: Drained | null;
  readonly state: Slot;
  /** The call that has it. */
  readonly call: GrantedCall | AttachedCall | null;
  /** Since when it is so. */
  readonly forMs: DurationMs;
}

/** A slot whose old worker has to be ended: the order to repeat to a node that came back. */
export interface Clearing {
  readonly slot: SlotId;
  readonly fence: number;
  readonly replica: ReplicaId;
}

export function callOf(state: State, id: CallId): Call | undefined {
  return state.calls.get(id);
}

/** What the account used, holds and has left at `now`; undefined for one that the ledger does not know. */
export function quotaOf(state: State, account: AccountId, now: Instant): Quota | undefined {
  const tier = state.accounts.get(account)?.tier;
  return tier && quotaIn(state, account, tier, now);
}

/** The same for an account that may never have called: then nothing is used. */
export function quotaIn(state: State, account: AccountId, tier: TierName, now: Instant): Quota {
  const { isOver: _, ...window } = windowOf(state, account, tier, now);
  const { windowMs, ...limits } = tierOf(state, tier);
  const calls = state.accounts.get(account)?.open ?? 0;
  const allowances = standingOf(state, account, now);
  const unlessLifted = <T>(policy: LiftablePolicy, limit: T): T | null =>
    liftOf(allowances, policy) === undefined ? limit : null;
  const runsMax = unlessLifted("runs", limits.runsMax);
  const callsMax = unlessLifted("calls", limits.callsMax);
  const durationMaxMs = unlessLifted("duration", limits.durationMaxMs);
  const counts = { runsMax, calls, callsMax, durationMaxMs };
  return { account, tier, ...window, windowMs, ...counts, allowances, index: state.index };
}

/** The Space's budget at `now`; without one, that each visitor pays. */
export function budgetOf(state: State, space: string, now: Instant): BudgetSummary {
  const budget = state.budgets.get(space);
  const none = { usedMs: gpuMs(0), heldMs: gpuMs(0), leftMs: null, resetsAt: null, index: state.index };
  if (budget === undefined) {
    const { windowMs } = tierOf(state, "free");
    return { space, sponsor: null, limitMs: null, whenOut: "visitor", ...none, windowMs };
  }
  const { sponsor, limitMs, whenOut } = budget;
  const tier = tierOfSponsor(state, budget);
  const { windowMs } = tierOf(state, tier);
  const window = windowOf(state, sponsor, tier, now);
  const { usedMs, heldMs, leftMs } = budgetAt(budget, window);
  const sums = { usedMs, heldMs, leftMs: limitMs === null ? null : leftMs };
  return { space, sponsor, limitMs, whenOut, ...sums, resetsAt: window.resetsAt, windowMs, index: state.index };
}

/** What each tier allows now, from the least on. */
export function tiersOf(state: State): TierSummary[] {
  return tierNames.map((name) => ({ name, ...tierOf(state, name), weight: weightOf(state, name) }));
}

export function poolOf(state: State, name: PoolName): PoolSummary | undefined {
  const settings = state.pools.get(name);
  if (settings === undefined) return undefined;
  const up = [...state.nodes.values()].filter(({ stage }) => stage === "up");
  const own = up.map(({ trouble, cards: all }) => ({ trouble, cards: all.filter(({ pool }) => pool === name) }));
  const cards = own.flatMap((node) => node.cards);
  const slots = cards.flatMap((card) => card.slots.map((slot) => state.slots.get(slot) as Slot));
  return {
    name,
    settings,
    simulated: cards.some((card) => card.device.simulated),
    devices: cards.length,
    troubled: own.reduce((sum, node) => sum + node.cards.length - wellCards(node, node.cards).length, 0),
    drained: cards.filter((card) => drainOf(state.drains, card)).length,
    slots: slots.length,
    leased: slots.filter(({ stage }) => stage === "leased").length,
    clearing: slots.filter(({ stage }) => stage === "clearing").length,
    waiting: state.waitingIn.get(name) ?? 0,
  };
}

export function poolsOf(state: State): PoolSummary[] {
  return [...state.pools.keys()].map((name) => poolOf(state, name) as PoolSummary);
}

/** The pool's waiting calls in the order of their admission, each with its place in the pool's queue on its node. */
export function queueOf(state: State, pool: PoolName, now: Instant): WaitingCall[] {
  return [...state.nodes.values()]
    .flatMap(({ bays }) => bays.get(pool) ?? [])
    .flatMap((bay) => waitingIn(state, bay, now))
    .sort((a, b) => a.call.admittedAt - b.call.admittedAt);
}

/** Where a waiting call stands; undefined when it does not wait. */
export function placeOf(state: State, id: CallId, now: Instant): Place | undefined {
  const call = state.calls.get(id);
  if (call?.stage !== "queued") return undefined;
  return waitingIn(state, bayOf(nodeOf(state, call.terms.node), poolOfCall(call)), now, [call])[0]?.place;
}

/** All slots, by node, card and number. */
export function boardOf(state: State, now: Instant): BoardSlot[] {
  return [...state.nodes.values()].flatMap((node) =>
    node.cards.flatMap((card) => card.slots.map((slot) => boardSlot(state, node, card, slot, now))),
  );
}

/** Open calls of a node's replicas: what its agent is told again when it comes back. Leases first, then the queue. */
export function openCallsOn(state: State, name: NodeName): OpenCall[] {
  const node = state.nodes.get(name);
  return node ? [...leasedOn(state, node), ...queuedOn(state, node)] : [];
}

/** Nodes on which these replicas have open calls, or a worker on a slot; in one walk, however many are asked for. */
export function nodesOfReplicas(state: State, replicas: ReadonlySet<ReplicaId>): Map<ReplicaId, Set<NodeName>> {
  const found = new Map<ReplicaId, Set<NodeName>>();
  const add = (replica: ReplicaId, node: NodeName): void => {
    if (!replicas.has(replica)) return;
    const nodes = found.get(replica) ?? new Set();
    found.set(replica, nodes.add(node));
  };
  for (const { name, cards } of replicas.size === 0 ? [] : state.nodes.values()) {
    for (const { terms } of openCallsOn(state, name)) add(terms.replica, name);
    for (const id of cards.flatMap(({ slots }) => slots)) {
      const slot = state.slots.get(id);
      if (slot?.stage === "warm" || slot?.stage === "clearing") add(slot.replica, name);
    }
  }
  return found;
}

/** Slots of a node that wait for their old worker's end. */
export function clearingOn(state: State, name: NodeName): Clearing[] {
  const slots = state.nodes.get(name)?.cards.flatMap((card) => card.slots) ?? [];
  return slots.flatMap((id) => {
    const slot = state.slots.get(id);
    return slot?.stage === "clearing" ? [{ slot: id, fence: slot.fence, replica: slot.replica }] : [];
  });
}

function waitingIn(state: State, bay: Bay, now: Instant, calls = queuedIn(state, bay)): WaitingCall[] {
  const plan = planOn(state, now);
  const places = placesOn(plan, bay);
  return calls.map((call) => {
    const place = places.get(call.terms.call) ?? lastPlaceOn(plan, bay, call.terms);
    return { call, waitedMs: between(call.admittedAt, now), place: withError(call, place, now) };
  });
}

function withError({ admittedAt, estimateMs: told }: QueuedCall, place: PlaceNow, now: Instant): Place {
  const isKnown = typeof told === "number" && place.estimateMs !== null;
  return { ...place, errorMs: isKnown ? between(admittedAt, now) + place.estimateMs - told : null };
}

function boardSlot(state: State, node: NodeState, card: Card, id: SlotId, now: Instant): BoardSlot {
  const slot = state.slots.get(id) as Slot;
  const call = slot.stage === "leased" ? (state.calls.get(slot.call) as GrantedCall | AttachedCall) : null;
  const since = call?.stage === "attached" ? call.attachedAt : slot.since;
  return {
    slot: id,
    node: node.name,
    pool: card.pool,
    isNodeLost: node.stage === "lost",
    device: card.device,
    trouble: troubleOf(node.trouble, card) ?? null,
    drain: drainOf(state.drains, card) ?? null,
    state: slot,
    call,
    forMs: between(since, now),
  };
}
