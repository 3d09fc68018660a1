/**
 * What becomes of a call when it comes: the first pool of its route that can take it has it (routing.ts), now or in its queue; where
 * none can, it is refused. Each pool is asked as if it were the only one.
 *
 *   L10. Same id and content → the same answer.   L11. Other content → refused, no change.   L12. So two at once → one effect.
 */
import { after } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { admit } from "./admission.ts";
import type { Admission } from "./admission.ts";
import { bayOf } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { drainFor, troubleFor } from "./drains.ts";
import type { CallTerms, Command, CommandRefusal, Decision, PoolName, Refusal } from "./model.ts";
import type { Passed, PassCode, Routed } from "./routes.ts";
import { comesInto, decided, planOn, push } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { arrivingPlaceOn, grantWaiting } from "./queue.ts";
import { ruleFor } from "./routing.ts";
import { costIn } from "./sharing.ts";
import { canHold, drainSays } from "./slots.ts";
import { settingsOf, tierOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

type Schedule = Extract<Command, { type: "schedule" }>;

const nothing: Decision = { ok: true, events: [] };
const no = (why: CommandRefusal): Decision => ({ ok: false, why });

export function schedule(state: State, { terms, misfit }: Schedule, now: Instant): Decision {
  const known = state.calls.get(terms.call);
  if (known) return isSameTerms(known.terms, terms) ? nothing : no("other-content");
  const node = state.nodes.get(terms.node);
  if (node === undefined || node.stage === "lost") return no("unknown-node");
  if (node.pool !== terms.pool) return no("unknown-pool");
  if (misfit !== undefined) return refuse({ state, terms, now }, misfit);
  const rule = ruleFor(state, node, terms);
  if (rule === undefined) return offer({ state, terms, now }, bayOf(node, terms.pool));
  return offerInTurn({ state, terms, now }, node, rule);
}

/** A call that comes. */
interface Ask {
  readonly state: State;
  readonly terms: CallTerms;
  readonly now: Instant;
}

type Rule = Pick<Routed, "by" | "pools" | "moveAfterMs">;

/**
 * Asks the pools of the rule in their order. One whose cards are all in trouble has the call only where no other can take it. What
 * refuses it in the end is the last pool whose cards could hold it.
 */
function offerInTurn(ask: Ask, node: NodeState, rule: Rule): Decision {
  const passed: Passed[] = [];
  let waitsFor: PoolName | undefined;
  const inPool = (pool: PoolName): Decision => {
    const others = passed.filter((each) => each.pool !== pool);
    return offer(ask, bayOf(node, pool), { ...rule, pool, passed: others, moves: [] });
  };
  if (rule.pools.length > 1) {
    for (const pool of rule.pools) {
      const decision = inPool(pool);
      const reason = passes(decision, pool);
      const trouble = troubleFor(planOn(ask.state, ask.now), bayOf(node, pool), ask.terms.size);
      if (reason) passed.push(reason);
      else if (trouble === undefined) return decision;
      else {
        waitsFor ??= pool;
        passed.push({ pool, code: trouble.cause, says: trouble.says });
      }
    }
  }
  const last = rule.pools.findLast((pool) => canHold(bayOf(node, pool).cards, ask.terms.size));
  return inPool(waitsFor ?? last ?? (rule.pools.at(-1) as PoolName));
}

/** Why another pool is asked in this one's place; undefined where what it decided is the call's own affair. */
function passes(decision: Decision, pool: PoolName): Passed | undefined {
  const refused = decision.ok ? decision.events.find((event) => event.type === "call-refused") : undefined;
  const code = refused && passCode(refused.refusal);
  if (refused === undefined || code === undefined) return undefined;
  return { pool, code, ...(refused.refusal.code === "pool-draining" && { says: refused.refusal.says }) };
}

function passCode(refusal: Refusal): PassCode | undefined {
  switch (refusal.code) {
    case "no-capacity":
    case "size-not-available":
    case "pool-draining":
    case "space-busy":
    case "queue-full":
      return refusal.code;
    case "duration-not-allowed":
      return refusal.tier === undefined ? refusal.code : undefined;
    default:
      return undefined;
  }
}

/** What one pool makes of the call. */
function offer(ask: Ask, bay: Bay, routed?: Routed): Decision {
  const { state, terms, now } = ask;
  const plan = planOn(state, now);
  const drain = drainFor(plan, bay, terms.size);
  if (drain !== undefined)
    return refuse(ask, { code: "pool-draining", pool: bay.pool, says: drainSays(drain) }, routed);
  const admission = admit(state, bay, terms, now);
  if (admission.kind === "overflow") return no("amount-overflow");
  const { payer } = admission;
  if (payer?.window.isOver) push(plan, { v: 1, type: "window-reset", account: payer.account });
  if (admission.kind === "refused") return refuse(ask, admission.refusal, routed, plan);
  hold(plan, terms, admission, routed);
  const entry = costIn(state, { pool: bay.pool, tier: terms.tier }, admission.heldMs, now);
  comesInto(plan, { terms, leaseMs: admission.leaseMs, entry, ...(routed && { routed }) });
  grantWaiting(plan, bay);
  return plan.gone?.has(terms.call) ? decided(plan) : enqueue(ask, plan, bay, routed);
}

function refuse({ state, terms, now }: Ask, refusal: Refusal, routed?: Routed, plan = planOn(state, now)): Decision {
  push(plan, { v: 1, type: "call-refused", terms, refusal, ...(routed && { routed }) });
  return decided(plan);
}

/** The account, and the payer's window, are opened by the first use, in the record of that use. */
function hold(
  plan: Plan,
  terms: CallTerms,
  admission: Extract<Admission, { kind: "admitted" }>,
  routed: Routed | undefined,
): void {
  const { state } = plan;
  const { account, tier } = terms;
  const { payer, funding, heldMs, leaseMs, clipped } = admission;
  const { leftMs, resetsAt } = payer.window;
  if (state.accounts.get(account)?.tier !== tier) push(plan, { v: 1, type: "account-opened", account, tier });
  if (resetsAt === null) {
    const ends = after(plan.now, tierOf(state, payer.tier).windowMs);
    push(plan, { v: 1, type: "window-opened", account: payer.account, resetsAt: ends });
  }
  const counted = funding.sponsor === undefined && ({ counted: true } as const);
  const more = { ...counted, ...funding, ...(routed && { routed }) };
  push(plan, { v: 1, type: "call-admitted", terms, heldMs, leaseMs, clipped, leftMs, ...more });
}

/** A call that cannot be granted at once waits, or is refused where too many do already. */
function enqueue(ask: Ask, plan: Plan, bay: Bay, routed: Routed | undefined): Decision {
  const { terms } = ask;
  const settings = settingsOf(plan.state, bay.pool);
  const waiting = plan.state.waitingIn.get(bay.pool) ?? 0;
  if (waiting >= settings.queueMax) return refuse(ask, { code: "queue-full", waiting, max: settings.queueMax }, routed);
  push(plan, {
    v: 1,
    type: "call-queued",
    call: terms.call,
    ...arrivingPlaceOn(plan, bay, terms),
    deadline: after(plan.now, settings.queueLimitMs),
  });
  return decided(plan);
}

function isSameTerms(a: CallTerms, b: CallTerms): boolean {
  return (
    a.account === b.account &&
    a.tier === b.tier &&
    a.billedBy === b.billedBy &&
    a.request === b.request &&
    a.root === b.root &&
    a.space === b.space &&
    a.release === b.release &&
    a.replica === b.replica &&
    a.node === b.node &&
    a.pool === b.pool &&
    a.task === b.task &&
    a.endpoint === b.endpoint &&
    a.declaredMs === b.declaredMs &&
    a.size === b.size
  );
}
