/** What every benchmark prints, and how each figure is measured beside what it is compared with. */
import { availableParallelism } from "node:os";

export interface BenchDocument {
  readonly bench: string;
  readonly machine: { readonly cores: number; readonly node: string };
  readonly tookMs: number;
  readonly figures: readonly Figure[];
  readonly skipped: readonly Skipped[];
  /** What the figures stand on: sizes, the file system, the disk. */
  readonly conditions?: Readonly<Record<string, string | number>>;
}

export interface Figure {
  readonly name: string;
  /** The median of `runs`. */
  readonly ours: number;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly peers: readonly Peer[];
}

export interface Peer {
  readonly name: string;
  /** The median of `runs`. */
  readonly value: number;
  /** Ours divided by the peer's: the median of the ratios of neighbouring runs, since the machine's other work moves both. */
  readonly ratio: number;
  readonly runs: readonly number[];
}

export interface Skipped {
  readonly what: string;
  readonly why: string;
}

/** Says on standard error what is being measured; standard output is for the document. */
export type Report = (line: string) => void;

/** `full`: also what takes minutes. `quick`: smaller sizes, to see that it works; what is promised holds of the whole ones. */
export interface BenchOptions {
  readonly full: boolean;
  readonly quick: boolean;
  /** Those of its parts that are to run, by name; empty: all. */
  readonly parts: readonly string[];
}

/** What each benchmark's module exports as `run`. */
export type Bench = (report: Report, options: BenchOptions) => Promise<BenchDocument>;

export const machine = (): BenchDocument["machine"] => ({
  cores: availableParallelism(),
  node: process.versions.node,
});

export interface Measured {
  readonly name: string;
  /** One short run; gives its figure. */
  readonly run: () => Promise<number>;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly ours: () => Promise<number>;
  readonly peers: readonly Measured[];
  readonly rounds: number;
}

/** Runs ours and the peers in turn, `rounds` times, so that all of them meet the same machine. */
export async function compare(comparison: Comparison, report: Report): Promise<Figure> {
  const { name, unit, peers, rounds } = comparison;
  const ourRuns: number[] = [];
  const peerRuns = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    const value = await comparison.ours();
    ourRuns.push(value);
    report(`${name}: ${show(value)} ${unit}`);
    for (const [i, peer] of peers.entries()) {
      const other = await peer.run();
      peerRuns[i]?.push(other);
      report(`  ${peer.name}: ${show(other)} ${unit}`);
    }
  }
  return {
    ...figure(name, unit, ourRuns),
    peers: peers.map((peer, i) => peerOf(peer.name, peerRuns[i] ?? [], ourRuns)),
  };
}

/** A figure without a peer, from its runs. */
export function figure(name: string, unit: string, runs: readonly number[]): Figure {
  return { name, ours: shown(median(runs)), unit, runs: runs.map(shown), peers: [] };
}

/** A peer from runs that were taken in turn with ours. */
export function peerOf(name: string, runs: readonly number[], ours: readonly number[]): Peer {
  const ratios = runs.map((value, i) => (ours[i] ?? Number.NaN) / value);
  return { name, value: shown(median(runs)), ratio: Number(median(ratios).toFixed(3)), runs: runs.map(shown) };
}

/** The middle one of the values, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The value below which the given share of them lies: `quantile(values, 0.99)`. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Three digits are what a shared machine can hold; large ones are whole. */
function shown(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

function show(value: number): string {
  return shown(value).toLocaleString("en");
}
