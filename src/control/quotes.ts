/** Quotes: what a call would cost and meet, answered from the ledger's state. */
import type { QuoteRequest, QuoteView } from "../contract/api.ts";
import type { CallTerms, TierName } from "../core/model.ts";
import { waitingOn } from "../core/bays.ts";
import { limitsOf } from "../core/limits.ts";
import type { CallLimits } from "../core/limits.ts";
import { quoteOf } from "../core/quote.ts";
import type { NodeState, State } from "../core/state.ts";
import type { Code } from "../evidence/codes.ts";
import { passedPool } from "../evidence/pool-route.ts";
import { durationMs } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { ledgerRefusal, refusalSays } from "./call-messages.ts";
import { waitingView } from "./waiting.ts";

/** Who would pay. */
export interface Payer {
  readonly account: string;
  readonly tier: TierName;
  /** The request that the visitor's token names, and the first of its chain: the token's caps count. */
  readonly request?: string | null;
  readonly root?: string;
}

/** A quote, and all that limits such a call. */
export interface Quoted {
  readonly view: QuoteView;
  readonly limits: CallLimits;
}

/** Who pays for what an app asks about; null where it is no app that asks. */
export type AppsPayer =
  | ({ readonly ok: true; readonly space: string } & Payer)
  | { readonly ok: false; readonly code: Code }
  | null;

/**
 * On the node of `nodes`, those of the Space's replicas, where fewest wait; where none of them is there, on any. Undefined
 * where no node is there.
 */
export function quoteView(
  state: State,
  nodes: ReadonlySet<string>,
  payer: Payer,
  request: QuoteRequest,
  now: Instant,
): Quoted | undefined {
  const node = shortestQueue(state, nodes) ?? shortestQueue(state);
  if (node === undefined) return undefined;
  const terms = termsOn(node, payer, request);
  const view = quoteOn(state, terms, now);
  return { view, limits: limitsOf(state, view.pool, terms, now) };
}

function termsOn(
  { name: node, pool }: NodeState,
  { account, tier, request = null, root }: Payer,
  { space, declaredMs, size = "large", endpoint }: QuoteRequest,
): CallTerms {
  return {
    ...{ call: "", release: "", replica: "", task: "", request, billedBy: "token" },
    ...(root !== undefined && { root }),
    ...{ account, tier, space, node, pool, endpoint: endpoint ?? null, size },
    declaredMs: durationMs(declaredMs),
  };
}

function quoteOn(state: State, terms: CallTerms, now: Instant): QuoteView {
  const quote = quoteOf(state, terms, now);
  const none = { heldMs: 0, leaseMs: 0, clipped: false, paidBy: null, creditsMs: 0, waiting: null, index: state.index };
  switch (quote.kind) {
    case "refused": {
      const { pool, routed, refusal } = quote;
      const passed = (routed?.passed ?? []).map(passedPool);
      return { admitted: false, pool, ...none, passed, refused: refusalSays(refusal, now, passed) };
    }
    case "impossible": {
      const { code, says } = ledgerRefusal(quote.why);
      return { admitted: false, pool: terms.pool, ...none, passed: [], refused: { code, says } };
    }
    case "admitted": {
      const { heldMs, leaseMs, clipped, paidBy, creditsMs, place, pool, routed } = quote;
      const waiting = place && waitingView(place);
      const cost = { heldMs, leaseMs, clipped, paidBy, creditsMs };
      const passed = (routed?.passed ?? []).map(passedPool);
      return { admitted: true, pool, ...cost, waiting, passed, refused: null, index: state.index };
    }
  }
}

/** The node where fewest wait, of those that are named, or of all. */
function shortestQueue(state: State, named?: ReadonlySet<string>): NodeState | undefined {
  const nodes = [...state.nodes.values()].filter(({ name, stage }) => stage === "up" && (named?.has(name) ?? true));
  return nodes.toSorted((a, b) => waitingOn(a) - waitingOn(b))[0];
}
