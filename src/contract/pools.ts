/** Pools of GPUs, and the rules by which calls come into them, as the API has them. */

export interface PoolView {
  readonly name: string;
  readonly simulated: boolean;
  readonly devices: number;
  /** Cards of these that are in trouble: their slots are not granted. */
  readonly troubled: number;
  /** Cards of these that an operator has taken out of use. */
  readonly drained: number;
  readonly slots: number;
  readonly leased: number;
  readonly waiting: number;
  readonly queueLimitMs: number;
  readonly queueMax: number;
  readonly durationMaxMs: number;
  readonly attachWithinMs: number;
  readonly admission: "clip" | "strict";
  /** Calls of one Space that may be open at once; null: no limit. */
  readonly spaceCallsMax: number | null;
  /** Calls that one visitor's request may have in all. */
  readonly tokenMaxCalls: number;
  /** GPU milliseconds of them together; null: as much as its payer's window and credits have. */
  readonly tokenMaxGpuMs: number | null;
  /** After so long an account's use counts half for its share. */
  readonly shareHalfLifeMs: number;
  /** One turn in so many is that of the call which waits longest. */
  readonly oldestEvery: number;
}

/** A pool that could not take a call, and why. */
export interface PassedPoolView {
  readonly pool: string;
  readonly code: string;
  /** Of a drain, or of its cards' trouble. */
  readonly says?: string;
}

export interface PoolsView {
  readonly pools: readonly PoolView[];
}

/** The pools by which calls of a Space, or of an account, are served, the wished one first; empty: it has no rule. */
export interface RouteView {
  readonly pools: readonly string[];
  /** A call that has waited so long in one pool moves on to the next that can take it; null: it stays. */
  readonly moveAfterMs: number | null;
}

/** A rule that is set: whose, and what it says. */
export interface RuleView extends RouteView {
  readonly kind: "space" | "account";
  /** `OWNER/NAME`, or the account's. */
  readonly name: string;
}

export interface RouteRequest {
  readonly pools: readonly string[];
  readonly moveAfterMs?: number | null | undefined;
}

/** By whose rule a pool served a call, what could not take it when it came, and how it moved on. */
export interface PoolRouteView {
  readonly by: "space" | "account" | "node";
  readonly pools: readonly string[];
  readonly passed: readonly PassedPoolView[];
  readonly moves: readonly {
    readonly from: string;
    readonly to: string;
    readonly why: "waited" | "no-capacity";
    readonly waitedMs: number;
  }[];
}
