/** The document of `npm run demo -- --json`: read by others, so fields are added and never renamed. */
import type { Verdict } from "../../src/evidence/verdict.ts";

export interface CallReport {
  readonly id: string;
  readonly request: string | null;
  readonly account: string;
  readonly outcome: string | null;
  readonly declaredMs: number;
  readonly heldMs: number;
  readonly queuedMs: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  readonly receipt: string | null;
}

export interface SpaceReport {
  readonly id: string;
  readonly sdk: string;
  readonly status: "ok" | "skipped" | "failed";
  readonly why: string | null;
  readonly url: string;
  readonly build: {
    readonly id: string;
    readonly outcome: string;
    readonly queuedMs: number;
    readonly tookMs: number;
    readonly logLines: number;
  } | null;
  readonly calls: readonly CallReport[];
}

export interface QuotaReport {
  readonly usedMs: number;
  readonly heldMs: number;
  readonly limitMs: number | null;
}

export interface SaturationReport {
  readonly space: string;
  readonly parallel: number;
  readonly granted: number;
  readonly queueLimitMs: number;
  readonly refused: { readonly id: string; readonly chargedMs: number; readonly verdict: Verdict | null };
  readonly quotaBefore: QuotaReport;
  readonly quotaAfter: QuotaReport;
}

export interface DemoDocument {
  readonly node: string;
  readonly bootMs: number;
  readonly pool: {
    readonly name: string;
    readonly simulated: boolean;
    readonly devices: number;
    readonly slots: number;
  };
  readonly spaces: readonly SpaceReport[];
  readonly saturation: SaturationReport;
  readonly stages: Readonly<Record<string, number>>;
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}
