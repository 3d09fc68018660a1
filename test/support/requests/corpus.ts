/** The corpus: each case one connection's first bytes and what is to come of them, by families of ideas. */
import { bodyCases } from "./corpus-bodies.ts";
import { chunkCases } from "./corpus-chunks.ts";
import { framingCases } from "./corpus-framing.ts";
import { headCases } from "./corpus-head.ts";
import { hostCases } from "./corpus-host.ts";
import { mannerCases } from "./corpus-manners.ts";
import type { RawCase } from "./judge.ts";

export function corpus(host: string): Readonly<Record<string, readonly RawCase[]>> {
  return {
    framing: once(framingCases(host)),
    bodies: once(bodyCases(host)),
    chunks: once(chunkCases(host)),
    "hosts and targets": once(hostCases(host)),
    heads: once(headCases(host)),
    manners: once(mannerCases(host)),
  };
}

export function everyNth(cases: readonly RawCase[], n: number): RawCase[] {
  return cases.filter((_, i) => i % n === 0);
}

/** Two tables may come upon the same bytes. */
function once(cases: readonly RawCase[]): RawCase[] {
  return cases.filter(({ bytes }, i) => cases.findIndex((other) => other.bytes === bytes) === i);
}
