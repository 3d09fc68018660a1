/** What a trial plays on: the pools, cards, rules and policies of a state, without what its accounts have used. Plain, so that it crosses to a thread. */
import type { Instant } from "../../stdx/time.ts";
import type {
  AccountId,
  BudgetSettings,
  CallTerms,
  Command,
  DeviceSpec,
  NodeName,
  PoolName,
  PoolSettings,
  TierName,
  TierSettings,
} from "../model.ts";
import { tierNames } from "../policy.ts";
import type { CardPool, RouteRule } from "../routes.ts";
import { settingsOf, tierOf } from "../state.ts";
import type { NodeState, State } from "../state.ts";

export interface TrialWorld {
  readonly tiers: Readonly<Record<TierName, TierSettings>>;
  readonly pools: Readonly<Record<PoolName, PoolSettings>>;
  readonly nodes: readonly TrialNode[];
  readonly routes: readonly RouteRule[];
  readonly budgets: readonly TrialBudget[];
}

interface TrialNode {
  readonly name: NodeName;
  readonly pool: PoolName;
  readonly devices: readonly DeviceSpec[];
  readonly cardPools: readonly CardPool[];
}

interface TrialBudget extends BudgetSettings {
  readonly space: string;
  readonly sponsor: AccountId;
  readonly tier: TierName;
}

/** Policies as they would be: what is named is other than it is. */
export interface TrialEdits {
  readonly tiers: Readonly<Partial<Record<TierName, Partial<TierSettings>>>>;
  readonly pools: Readonly<Record<PoolName, Partial<PoolSettings>>>;
}

/** A call as the record has it. */
export interface PastCall
  extends
    Pick<CallTerms, "call" | "account" | "tier" | "billedBy" | "request" | "space" | "release">,
    Pick<CallTerms, "replica" | "node" | "declaredMs" | "size"> {
  readonly at: Instant;
  /** How long it had its slots; null: it never had. */
  readonly usedMs: number | null;
  /** Its visitor left so long after it came, while it waited; null: nobody did. */
  readonly leftAfterMs: number | null;
}

export function trialWorldOf(state: State): TrialWorld {
  const budgets = [...state.budgets].map(([space, { sponsor, limitMs, whenOut }]) => {
    const tier = state.accounts.get(sponsor)?.tier ?? "free";
    return { space, sponsor, tier, limitMs, whenOut };
  });
  return {
    tiers: Object.fromEntries(tierNames.map((name) => [name, tierOf(state, name)])) as TrialWorld["tiers"],
    pools: Object.fromEntries([...state.pools.keys()].map((name) => [name, settingsOf(state, name)])),
    nodes: [...state.nodes.values()].map(trialNode),
    routes: [...state.routes.values()],
    budgets,
  };
}

/** What is set of cards that are gone waits for them to come back: only what it says of those that are there is played. */
function trialNode({ name, pool, devices, cardPools }: NodeState): TrialNode {
  const isThere = ({ device }: CardPool): boolean => device === null || devices.some(({ index }) => index === device);
  return { name, pool, devices, cardPools: cardPools.filter(isThere) };
}

/** What makes an empty ledger that world, with the edits. */
export function commandsOf(world: TrialWorld, edits: TrialEdits): readonly Command[] {
  return [
    { type: "start-writer", epoch: 1 },
    ...tierNames.map((tier): Command => {
      return { type: "set-tier", tier, settings: { ...world.tiers[tier], ...edits.tiers[tier] } };
    }),
    ...Object.entries(world.pools).map(([pool, settings]): Command => {
      return { type: "set-pool", pool, settings: { ...settings, ...edits.pools[pool] } };
    }),
    ...world.nodes.flatMap(({ name: node, pool, devices, cardPools }): Command[] => [
      { type: "join-node", node, pool, devices, replicas: [] },
      ...cardPools.map((put): Command => ({ type: "set-card-pool", node, device: put.device, pool: put.pool })),
    ]),
    ...world.routes.map(({ of, route }): Command => ({ type: "set-route", of, route })),
    ...world.budgets.map(({ space, sponsor, tier, limitMs, whenOut }): Command => {
      return { type: "set-budget", space, sponsor, tier, settings: { limitMs, whenOut } };
    }),
  ];
}
