/** Quotes: what a call would cost and meet, answered from the ledger's state. */
import type { FunctionView, QuoteRequest, QuoteView } from "../contract/api.ts";
import type { CallTerms, TierName } from "../core/model.ts";
import { waitingOn } from "../core/bays.ts";
import { functionOf } from "../core/history.ts";
import { limitsOf } from "../core/limits.ts";
import type { CallLimits } from "../core/limits.ts";
import { costOfFunction, quoteOf } from "../core/quote.ts";
import type { NodeState, State } from "../core/state.ts";
import type { Code } from "../evidence/codes.ts";
import { passedPool } from "../evidence/pool-route.ts";
import { durationMs } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { ledgerRefusal, refusalSays } from "./call-messages.ts";
import type { DeclaredFunctions } from "./declared.ts";
import { waitingView } from "./waiting.ts";

/** With the length that it would declare. */
export type PricedRequest = QuoteRequest & { readonly declaredMs: number };

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
 * On the node of `releases`, those of the Space's replicas by their nodes, where fewest wait; where none of them is there, on any.
 * Undefined where no node is there.
 */
export function quoteView(
  state: State,
  releases: ReadonlyMap<string, string>,
  payer: Payer,
  request: PricedRequest,
  now: Instant,
): Quoted | undefined {
  const node = shortestQueue(state, releases) ?? shortestQueue(state);
  if (node === undefined) return undefined;
  const release = releases.get(node.name) ?? "";
  const named = termsOn(node, release, payer, request);
  // What has run is known by its endpoint only where calls were told apart by that.
  const terms = state.functions.has(functionOf(named)) ? named : { ...named, endpoint: null };
  const view = quoteOn(state, terms, now);
  return { view, limits: limitsOf(state, view.pool, terms, now) };
}

/** What calls of these functions of a Space cost, whoever makes them. */
export function functionViews(
  state: State,
  space: string,
  declared: ReturnType<DeclaredFunctions["ofSpace"]>,
): readonly FunctionView[] {
  return declared.map(({ endpoint, declaredMs, size }) => ({
    ...{ endpoint, size, declaredMs },
    ...costOfFunction(state, { space, endpoint, declaredMs, size }),
  }));
}

function termsOn(
  { name: node, pool }: NodeState,
  release: string,
  { account, tier, request = null, root }: Payer,
  { space, declaredMs, size = "large", endpoint }: PricedRequest,
): CallTerms {
  return {
    ...{ call: "", release, replica: "", task: "", request, billedBy: "token" },
    ...(root !== undefined && { root }),
    ...{ account, tier, space, node, pool, endpoint: endpoint ?? null, size },
    declaredMs: durationMs(declaredMs),
  };
}

function quoteOn(state: State, terms: CallTerms, now: Instant): QuoteView {
  const quote = quoteOf(state, terms, now);
  const cost = { heldMs: 0, leaseMs: 0, clipped: false, usual: null, paidBy: null, creditsMs: 0 };
  const none = { ...cost, waiting: null, index: state.index };
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
      const { heldMs, leaseMs, clipped, usual, paidBy, creditsMs, place, pool, routed } = quote;
      const waiting = place && waitingView(place);
      const told = { heldMs, leaseMs, clipped, usual, paidBy, creditsMs };
      const passed = (routed?.passed ?? []).map(passedPool);
      return { admitted: true, pool, ...told, waiting, passed, refused: null, index: state.index };
    }
  }
}

/** The node where fewest wait, of those that are named, or of all. */
function shortestQueue(state: State, named?: ReadonlyMap<string, string>): NodeState | undefined {
  const nodes = [...state.nodes.values()].filter(({ name, stage }) => stage === "up" && (named?.has(name) ?? true));
  return nodes.toSorted((a, b) => waitingOn(a) - waitingOn(b))[0];
}
