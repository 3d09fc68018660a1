/** The ledger as the API's routes see it: quotas and what calls cost, queue and board, and what operators and owners set in it. */
import type { Catalog } from "../catalog/catalog.ts";
import type { BoardView, FunctionView, Page, QueueView, TierView } from "../contract/api.ts";
import type { DrainRequest, NodeView } from "../contract/nodes.ts";
import type { PoolView, RouteView, RuleView } from "../contract/pools.ts";
import { spaceOwner } from "../contract/space.ts";
import type { DrainScope } from "../core/drained.ts";
import type { Command, TierName, TierSettings } from "../core/model.ts";
import type { RouteOf } from "../core/routes.ts";
import { poolOfCall, routeKey } from "../core/routing.ts";
import { trialWorldOf, type TrialWorld } from "../core/trial/world.ts";
import { boardOf, budgetOf, poolOf, poolsOf, queueOf, quotaIn, tiersOf } from "../core/views.ts";
import type { BudgetSummary, Quota } from "../core/views.ts";
import { assert } from "../stdx/assert.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { durationMs } from "../stdx/time.ts";
import { changeBudget, giveAllowance, takeAllowance } from "./allowances.ts";
import type { AllowanceWish, BudgetWish, Revocation } from "./allowances.ts";
import { DeclaredFunctions, type Declared } from "./declared.ts";
import type { Answer, Engine } from "./engine.ts";
import { nodeViews } from "./node-views.ts";
import type { Nodes } from "./nodes.ts";
import { givePool, giveRoute, putCards, type Cards, type PoolWish, type RouteWish } from "./pool-orders.ts";
import { poolView, slotView } from "./pool-views.ts";
import { functionViews, quoteView, type Payer, type PricedRequest, type Quoted } from "./quotes.ts";
import type { Replicas } from "./replicas.ts";
import type { RequestEffects } from "./request-effects.ts";
import type { Done, Refused, Spaces } from "./spaces.ts";
import type { StandingDesk } from "./standing.ts";
import { waitingView } from "./waiting.ts";

export interface LedgerDeskParts {
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly spaces: Spaces;
  readonly replicas: Replicas;
  readonly nodes: Nodes;
  readonly effects: RequestEffects;
  readonly random: RandomBytes;
  readonly standing?: Pick<StandingDesk, "lookSoon">;
}

export class LedgerDesk {
  readonly #parts: LedgerDeskParts;
  readonly #declared = new DeclaredFunctions();

  constructor(parts: LedgerDeskParts) {
    this.#parts = parts;
    parts.engine.subscribe((record) => this.#declared.onRecord(record));
  }

  async quota(account: string): Promise<Quota | undefined> {
    const row = await this.#parts.catalog.accounts.get(account);
    return this.#parts.engine.read((state, now) => {
      const tier = row?.tier ?? state.accounts.get(account)?.tier;
      return tier && quotaIn(state, account, tier, now);
    });
  }

  /** What the function declared when it was called last; undefined where it was not since the start. */
  declaredBy(space: string, endpoint: string): Declared | undefined {
    return this.#declared.of(space, endpoint);
  }

  /** What calls of a Space's functions cost, of those that were called since the start. */
  async functionsOf(space: string): Promise<readonly FunctionView[]> {
    return this.#parts.engine.read((state) => functionViews(state, space, this.#declared.ofSpace(space)));
  }

  /** What a call of the payer's would meet now, where the Space's replicas are; undefined where no node is there. */
  async quote(payer: Payer, request: PricedRequest): Promise<Quoted | undefined> {
    const { engine, replicas } = this.#parts;
    const releases = new Map(replicas.livingOf(request.space).map(({ node, status }) => [node, status.release]));
    return engine.read((state, now) => quoteView(state, releases, payer, request, now));
  }

  /** Gives an account that is known something beyond its tier; its quota then. `by`: the operator. */
  async allow(wish: AllowanceWish, by: string): Promise<Quota | Refused> {
    const { account } = wish;
    const known = await this.quota(account);
    const none = noAccount(account);
    if (known === undefined) return none;
    const giving = { id: newId("al", this.#parts.random), by, tier: known.tier };
    const given = await giveAllowance((command) => this.#order(command), wish, giving);
    return given.ok ? ((await this.quota(account)) ?? none) : given;
  }

  /** Takes the allowance back; the account's quota then. `by`: the operator. */
  async revoke(id: string, wish: Revocation, by: string): Promise<Quota | Refused> {
    const { account } = wish;
    const none = noAccount(account);
    if ((await this.quota(account)) === undefined) return none;
    const taken = await takeAllowance((command) => this.#order(command), wish, { id, by });
    return taken.ok ? ((await this.quota(account)) ?? none) : taken;
  }

  /** What the Space's owner pays for its visitors. */
  async budget(space: string): Promise<BudgetSummary | Refused> {
    if (!this.#parts.spaces.get(space)) return noSpace(space);
    return this.#parts.engine.read((state, now) => budgetOf(state, space, now));
  }

  async setBudget(space: string, wish: BudgetWish): Promise<BudgetSummary | Refused> {
    const sponsor = spaceOwner(space);
    const owner = await this.#parts.catalog.accounts.get(sponsor);
    if (!this.#parts.spaces.get(space) || !owner) return noSpace(space);
    const order = (command: Command): Promise<Answer> => this.#order(command);
    const changed = await changeBudget(order, { space, sponsor, tier: owner.tier }, wish);
    return changed.ok ? this.budget(space) : changed;
  }

  /** Of one pool, or of all of them, in the order of admission; undefined where there is none. */
  async queue(name?: string): Promise<QueueView | undefined> {
    return this.#parts.engine.read((state, now) => {
      const pools = poolsOf(state).filter((pool) => name === undefined || pool.name === name);
      const [pool] = pools;
      if (!pool) return undefined;
      const waiting = pools.flatMap((each) => queueOf(state, each.name, now));
      waiting.sort((a, b) => a.call.admittedAt - b.call.admittedAt);
      const calls = waiting.map(({ call, waitedMs, place }) => ({
        call: call.terms.call,
        pool: poolOfCall(call),
        account: call.terms.account,
        space: call.terms.space,
        size: call.terms.size,
        holdsMs: call.heldMs,
        waitedMs,
        waiting: waitingView(place),
      }));
      return { pool: poolView(pool), pools: pools.map(poolView), calls };
    });
  }

  async board(): Promise<BoardView> {
    return this.#parts.engine.read((state, now) => ({ slots: boardOf(state, now).map(slotView) }));
  }

  async pool(name: string): Promise<PoolView | undefined> {
    return this.#parts.engine.read((state) => {
      const summary = poolOf(state, name);
      return summary && poolView(summary);
    });
  }

  async nodeViews(): Promise<NodeView[]> {
    return this.#parts.engine.read((state) =>
      nodeViews(state, (node) => ({ devices: this.#parts.nodes.cards(node), use: this.#parts.nodes.cardUse(node) })),
    );
  }

  /** An operator has seen to a node's cards; false where no such node is there. */
  checkCards(node: string): boolean {
    return this.#parts.nodes.send(node, { type: "check-cards" });
  }

  /** Takes out of use, or gives back; false where there is no such pool, node or card. */
  async setDrain(of: DrainScope, drain: (DrainRequest & { readonly by: string }) | null): Promise<boolean> {
    const endInMs = drain?.endAfterMs === undefined ? null : durationMs(drain.endAfterMs);
    const wished = drain && { reason: drain.reason, by: drain.by, endInMs };
    const answer = await this.#order({ type: "set-drain", of, drain: wished });
    assert(answer.ok || answer.why.startsWith("unknown-"), "the ledger takes a drain that the route took");
    this.#parts.standing?.lookSoon();
    return answer.ok;
  }

  /** What a trial plays on. */
  async trialWorld(): Promise<TrialWorld> {
    return this.#parts.engine.read(trialWorldOf);
  }

  async tiers(): Promise<TierView[]> {
    return this.#parts.engine.read(tiersOf);
  }

  async setTier(tier: TierName, settings: Partial<TierSettings>): Promise<TierView> {
    const answer = await this.#order({ type: "set-tier", tier, settings });
    assert(answer.ok, `the ledger takes a tier's settings that the route took: ${JSON.stringify(settings)}`);
    return this.#parts.engine.read((state) => tiersOf(state).find(({ name }) => name === tier) as TierView);
  }

  /** Changes a pool that is there; undefined where it is not. */
  async setPool(name: string, settings: PoolWish): Promise<PoolView | Refused | undefined> {
    return (await this.pool(name)) && this.makePool(name, settings);
  }

  async pools(): Promise<PoolView[]> {
    return this.#parts.engine.read((state) => poolsOf(state).map(poolView));
  }

  /** Makes the pool where it is not there, and changes it where it is. */
  async makePool(name: string, settings: PoolWish): Promise<PoolView | Refused> {
    const made = await givePool((command) => this.#order(command), name, settings);
    return made.ok ? ((await this.pool(name)) as PoolView) : made;
  }

  /** Puts a card, or all of a node that are put nowhere themselves, into a pool; null takes that back. */
  setCardPool(cards: Cards, pool: string | null): Promise<Done> {
    return putCards((command) => this.#order(command), cards, pool);
  }

  setRoute(of: RouteOf, route: RouteWish | null): Promise<Done> {
    return giveRoute((command) => this.#order(command), of, route);
  }

  /** By which pools calls of the Space, or of the account, are served by a rule of its own; none where it has no rule. */
  async route(of: RouteOf): Promise<RouteView> {
    return this.#parts.engine.read(({ routes }) => {
      const { pools = [], moveAfterMs = null } = routes.get(routeKey(of))?.route ?? {};
      return { pools, moveAfterMs };
    });
  }

  /** The rules that are set, of accounts and then of Spaces, each by name. */
  async rules({ page = "", limit }: { page: string | undefined; limit: number }): Promise<Page<RuleView>> {
    return this.#parts.engine.read(({ routes }) => {
      const after = page.replace("/", " ");
      const rest = [...routes].filter(([key]) => key > after);
      const items = rest.slice(0, limit).map(([, { of, route }]): RuleView => {
        return { kind: of.kind, name: of.kind === "space" ? of.space : of.account, ...route };
      });
      const last = items.at(-1);
      return { items, next: last && rest.length > limit ? `${last.kind}/${last.name}` : null };
    });
  }

  /** What people have the ledger do: where their request has a key, the record carries its mark. Nothing is done twice. */
  async #order(command: Command): Promise<Answer> {
    const { engine, effects } = this.#parts;
    if (effects.made === undefined) return engine.submit(command, effects.take() ?? undefined);
    return engine.read((state) => ({ ok: true, events: [], index: state.index, at: state.at }));
  }
}

const noAccount = (account: string): Refused => ({
  ok: false,
  code: "control/not-found",
  says: `There is no account ${account}.`,
  next: `Check its name; \`waybill token create --account ${account} --create\` makes one.`,
});

const noSpace = (space: string): Refused => ({
  ok: false,
  code: "control/not-found",
  says: `There is no Space ${space}.`,
});
