/**
 * How long a function's runs usually take. A function is (Space, endpoint of the linked request), or without a link
 * (release, size, declared duration); never the task's memory address. Only runs that ended by themselves count, and one
 * that its lease ended counts as its whole declaration.
 */
import type { DurationMs } from "../stdx/time.ts";
import type { CallTerms, EndCause } from "./model.ts";
import { runsKept } from "./policy.ts";

export interface Runs {
  /** Oldest first, at most {@link runsKept}. */
  readonly inOrder: readonly number[];
  /** The same, shortest first. */
  readonly sorted: readonly number[];
}

/** As the state keeps them. */
export interface KeptRuns extends Runs {
  readonly inOrder: number[];
  readonly sorted: number[];
}

export function functionOf(terms: Pick<CallTerms, "space" | "endpoint" | "release" | "size" | "declaredMs">): string {
  return terms.endpoint === null
    ? `${terms.release} ${terms.size} ${terms.declaredMs}`
    : `${terms.space} ${terms.endpoint}`;
}

/** What an ended run says about its function's length; undefined where it says nothing. */
export function lengthOf(cause: EndCause, usedMs: DurationMs, terms: CallTerms): DurationMs | undefined {
  if (cause === "returned" || cause === "raised") return usedMs;
  return cause === "lease-end" ? terms.declaredMs : undefined;
}

/** One more; the oldest goes where there are too many. Changes what it is given, as all of `evolve` does. */
export function addRun({ inOrder, sorted }: KeptRuns, lengthMs: number): void {
  if (inOrder.length >= runsKept) sorted.splice(lowerBound(sorted, inOrder.shift() as number), 1);
  inOrder.push(lengthMs);
  sorted.splice(lowerBound(sorted, lengthMs), 0, lengthMs);
}

/** The smallest length that nine runs in ten did not pass. */
export function p90(runs: Runs): DurationMs {
  return runs.sorted[Math.ceil(runs.sorted.length * 0.9) - 1] as DurationMs;
}

export function median(runs: Runs): DurationMs {
  return runs.sorted[(runs.sorted.length - 1) >> 1] as DurationMs;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
