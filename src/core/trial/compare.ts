/** Two plays of the same calls beside each other: what each comes to, by tier and by account, and what became otherwise. Pure. */
import type { AccountId, TierName } from "../model.ts";
import { tierNames } from "../policy.ts";
import { play } from "./play.ts";
import type { Fate } from "./play.ts";
import type { PastCall, TrialEdits, TrialWorld } from "./world.ts";

/** What calls come to under policies. */
export interface TrialSums {
  readonly calls: number;
  /** They had a GPU. */
  readonly served: number;
  /** Of the others, by what kept them from it. */
  readonly refused: readonly CodeCount[];
  /** Held less than declared. */
  readonly clipped: number;
  /** Ended with their lease, where they had gone on in the record. */
  readonly cut: number;
  readonly gpuMs: number;
  /** Of those that were served. */
  readonly waitMs: { readonly median: number; readonly p95: number; readonly most: number };
}

export interface CodeCount {
  readonly code: string;
  readonly calls: number;
}

export interface BeforeAfter {
  readonly before: TrialSums;
  readonly after: TrialSums;
}

export interface TrialOutcome extends BeforeAfter {
  readonly tiers: readonly (BeforeAfter & { readonly tier: TierName })[];
  /** Those that change most, most first; none that does not change. */
  readonly accounts: readonly (BeforeAfter & { readonly account: AccountId; readonly tier: TierName })[];
  /** Served as policies are, and not with the edits: by what would keep them from it. */
  readonly newlyRefused: readonly CodeCount[];
  /** The other way round: by what keeps them from it as policies are. */
  readonly newlyServed: readonly CodeCount[];
  /** Of nodes that are there no more: not played. */
  readonly leftOut: number;
}

const accountsMost = 10;

/** `calls`: in order of their times. Those before `from` fill the windows and are not counted. */
export function tryOn(
  world: TrialWorld,
  edits: TrialEdits,
  { calls, from }: { readonly calls: readonly PastCall[]; readonly from: number },
): TrialOutcome {
  const lengthOf = lengths(calls);
  const before = play(world, { tiers: {}, pools: {} }, calls, lengthOf);
  const after = play(world, edits, calls, lengthOf);
  const pairs = calls.flatMap((past, at): Pair[] => {
    const [one, other] = [before[at], after[at]];
    return past.at >= from && one && other ? [{ past, before: one, after: other }] : [];
  });
  const counted = calls.reduce((count, { at }) => count + Number(at >= from), 0);
  return {
    ...bothOf(pairs),
    tiers: tierNames.flatMap((tier) => {
      const own = pairs.filter(({ past }) => past.tier === tier);
      return own.length === 0 ? [] : [{ tier, ...bothOf(own) }];
    }),
    accounts: changedMost(pairs),
    newlyRefused: counts(pairs.filter((pair) => pair.before.code === null).map((pair) => pair.after.code)),
    newlyServed: counts(pairs.filter((pair) => pair.after.code === null).map((pair) => pair.before.code)),
    leftOut: counted - pairs.length,
  };
}

interface Pair {
  readonly past: PastCall;
  readonly before: Fate;
  readonly after: Fate;
}

/** By GPU time first, then by calls that were served. */
function changedMost(pairs: readonly Pair[]): TrialOutcome["accounts"] {
  const byAccount = Map.groupBy(pairs, ({ past }) => past.account);
  const changes = [...byAccount].flatMap(([account, own]) => {
    const gpuMs = Math.abs(own.reduce((sum, pair) => sum + pair.after.gpuMs - pair.before.gpuMs, 0));
    const served = own.filter((pair) => (pair.before.code === null) !== (pair.after.code === null)).length;
    return gpuMs + served === 0 ? [] : [{ account, own, gpuMs, served }];
  });
  const order = changes.toSorted(
    (a, b) => b.gpuMs - a.gpuMs || b.served - a.served || (a.account < b.account ? -1 : 1),
  );
  return order.slice(0, accountsMost).map(({ account, own }) => {
    return { account, tier: (own.at(-1) as Pair).past.tier, ...bothOf(own) };
  });
}

function bothOf(pairs: readonly Pair[]): BeforeAfter {
  return { before: sumsOf(pairs.map((pair) => pair.before)), after: sumsOf(pairs.map((pair) => pair.after)) };
}

function sumsOf(fates: readonly Fate[]): TrialSums {
  const served = fates.filter(({ code }) => code === null);
  const waits = Float64Array.from(served, ({ waitMs }) => waitMs).sort();
  return {
    calls: fates.length,
    served: served.length,
    refused: counts(fates.map(({ code }) => code)),
    clipped: served.filter(({ clipped }) => clipped).length,
    cut: served.filter(({ cut }) => cut).length,
    gpuMs: fates.reduce((sum, { gpuMs }) => sum + gpuMs, 0),
    waitMs: { median: quantile(waits, 0.5), p95: quantile(waits, 0.95), most: waits.at(-1) ?? 0 },
  };
}

/** Most first. */
function counts(codes: readonly (string | null)[]): readonly CodeCount[] {
  const counted = new Map<string, number>();
  for (const code of codes) if (code !== null) counted.set(code, (counted.get(code) ?? 0) + 1);
  return [...counted]
    .map(([code, calls]) => ({ code, calls }))
    .toSorted((a, b) => b.calls - a.calls || (a.code < b.code ? -1 : 1));
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/**
 * How long a call has its slots: as the record has it. One that never had them in the record: as half of the calls of the same Space did
 * that declared as much, else as half of all of its Space, else all that it declared.
 */
function lengths(calls: readonly PastCall[]): (call: PastCall) => number {
  const bySpace = new Map<string, number[]>();
  const named = ({ space, declaredMs }: PastCall): readonly string[] => [`${space} ${declaredMs}`, space];
  for (const call of calls) {
    const { usedMs } = call;
    if (usedMs === null) continue;
    for (const name of named(call)) {
      const known = bySpace.get(name);
      if (known) known.push(usedMs);
      else bySpace.set(name, [usedMs]);
    }
  }
  const medians = new Map([...bySpace].map(([name, all]) => [name, quantile(Float64Array.from(all).sort(), 0.5)]));
  return (call) => {
    if (call.usedMs !== null) return call.usedMs;
    return named(call).flatMap((name) => medians.get(name) ?? [])[0] ?? call.declaredMs;
  };
}
