/** A trial: a past span's calls, replayed by the ledger as policies are and as they would be. What the API takes and says of it. */
import type { TierView } from "./api.ts";
import type { PoolView } from "./pools.ts";

export interface TrialRequest {
  /** The span's beginning, which is in it. */
  readonly from: string;
  /** Its end, which is not. */
  readonly to: string;
  /** By the tier's name: settings that would be otherwise, as of `PATCH /api/tiers/NAME`. */
  readonly tiers?: Readonly<Record<string, Partial<Omit<TierView, "name">>>> | undefined;
  /** The same of pools, as of `PATCH /api/pools/NAME`. */
  readonly pools?: Readonly<Record<string, PoolEdit>> | undefined;
}

type PoolEdit = Partial<
  Omit<PoolView, "name" | "simulated" | "devices" | "troubled" | "drained" | "slots" | "leased" | "waiting">
>;

/** Calls, by what kept them from a GPU. */
export interface CodeCountView {
  /** Of a refusal, or of the end of a wait. */
  readonly code: string;
  readonly calls: number;
}

/** What calls come to under policies. */
export interface TrialSumsView {
  readonly calls: number;
  /** They had a GPU. */
  readonly served: number;
  /** The others, most first. */
  readonly refused: readonly CodeCountView[];
  /** Of those served: less was left than they declared, and they had that. */
  readonly clipped: number;
  /** Of those served: ended with their lease, where they had gone on in the record. */
  readonly cut: number;
  /** What is charged. */
  readonly gpuMs: number;
  /** Of those served, from when they came. */
  readonly waitMs: { readonly median: number; readonly p95: number; readonly most: number };
}

export interface BeforeAfterView {
  /** Replayed as policies are. */
  readonly before: TrialSumsView;
  /** Replayed with what would be otherwise. */
  readonly after: TrialSumsView;
}

export interface TrialView extends BeforeAfterView {
  readonly from: string;
  readonly to: string;
  /** Calls from then on fill the windows, and are not counted. */
  readonly warmFrom: string;
  /** What the record has of the span: how far `before` is from it is how far the replay is from what was. */
  readonly recorded: { readonly calls: number; readonly served: number; readonly gpuMs: number };
  readonly tiers: readonly (BeforeAfterView & { readonly tier: string })[];
  /** The ten that change most. */
  readonly accounts: readonly (BeforeAfterView & { readonly account: string; readonly tier: string })[];
  /** Served before and not after, by what would keep them from it. */
  readonly newlyRefused: readonly CodeCountView[];
  /** Served after and not before, by what keeps them from it now. */
  readonly newlyServed: readonly CodeCountView[];
  /** Calls of nodes that are there no more: not replayed. */
  readonly leftOut: number;
  /** What the replay does not know. */
  readonly limits: readonly string[];
  readonly tookMs: number;
}
