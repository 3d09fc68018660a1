/**
 * How each boundary does, from counts of works that ended: how many, how many of them failed there and whose that was, how long things
 * waited, and up to when that is known. Pure. A boundary whose evidence is behind is unknown, whatever its last numbers were.
 */
import { codeRow, isCode } from "./codes.ts";
import type { Boundary, Owner } from "./codes.ts";
import { answered5xx } from "./endings.ts";
import type { CountedKind, EndCode, Waited } from "./endings.ts";
import { percentilesOf } from "./waits.ts";
import type { Percentiles } from "./waits.ts";

/** The boundaries at which work stops, in the order in which they are told. `control` is the API's own, which no work passes. */
export const boundaries = [
  "build",
  "route",
  "app",
  "gpu",
  "identity",
  "transfer",
  "egress",
  "runtime",
  "capacity",
] as const satisfies readonly Boundary[];
export type CountedBoundary = (typeof boundaries)[number];

export type BoundaryStateName = "ok" | "slow" | "failing" | "unknown";

/** Who is the source of what is told about a boundary. */
export type SourceKind = "edge" | "server" | "node" | "journal";

export interface Source {
  readonly kind: SourceKind;
  /** `edge`, `server`, a node's name, `journal`. */
  readonly name: string;
  /** All that it wrote before is in the record; null: nothing is known of it yet. */
  readonly completeTo: number | null;
}

/** Works that ended since `from`, by kind and code, and waits by boundary and bucket. */
export interface Counts {
  readonly from: number;
  readonly works: readonly { readonly kind: CountedKind; readonly code: EndCode; readonly count: number }[];
  readonly waits: readonly { readonly boundary: Waited; readonly bucket: number; readonly count: number }[];
}

export interface Sums {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** All works that passed here and have ended. */
  readonly works: number;
  readonly failed: number;
  readonly failedBy: Readonly<Record<Owner, number>>;
  readonly codes: Readonly<Record<string, number>>;
  /** Null where nothing waits for this boundary. */
  readonly waits: Percentiles | null;
}

/** Works of these kinds pass a boundary; one of another kind that failed there is counted beside them. */
const passing: Readonly<Record<CountedBoundary, readonly CountedKind[]>> = {
  build: ["build"],
  route: ["request"],
  app: ["request"],
  gpu: ["call"],
  identity: ["request", "call"],
  transfer: ["transfer"],
  egress: ["connection"],
  runtime: ["replica"],
  capacity: ["request", "call"],
};

const sourcesOf: Readonly<Record<CountedBoundary, readonly SourceKind[]>> = {
  build: ["server", "node"],
  route: ["edge"],
  app: ["edge"],
  gpu: ["journal"],
  identity: ["edge", "journal"],
  transfer: ["server"],
  egress: ["node"],
  runtime: ["node"],
  capacity: ["edge", "journal"],
};

/** A boundary is slow where the wait of one in twenty is longer than this, milliseconds. What apps take is theirs. */
const slowMs: Partial<Readonly<Record<CountedBoundary, number>>> = {
  build: 60_000,
  route: 1_000,
  gpu: 30_000,
  transfer: 5_000,
  egress: 3_000,
  runtime: 60_000,
};
/** And so many waited at least: one long wait is not a slow boundary. */
const slowCountMin = 5;
/** Evidence that is so much older is behind: emitters are heard several times a second. */
export const behindAfterMs = 60_000;

export function sumsOf(boundary: CountedBoundary, { from, works, waits }: Counts): Sums {
  const failedBy: Record<Owner, number> = { platform: 0, app: 0, visitor: 0, outside: 0 };
  const codes: Record<string, number> = {};
  let all = 0;
  let failed = 0;
  for (const { kind, code, count } of works) {
    const isHere = boundaryOfEnd(code) === boundary;
    if (isHere || passing[boundary].includes(kind)) all += count;
    if (!isHere) continue;
    failed += count;
    failedBy[ownerOfEnd(code)] += count;
    codes[code] = (codes[code] ?? 0) + count;
  }
  const own = waits.filter((wait) => wait.boundary === boundary);
  const hasWaits = boundary !== "identity" && boundary !== "capacity";
  return {
    ...{ from, works: all, failed, failedBy, codes },
    waits: hasWaits ? percentilesOf(new Map(own.map(({ bucket, count }) => [bucket, count]))) : null,
  };
}

/** Up to when all is known that the boundary's state rests on; null: of one of its sources nothing is known. */
export function completeTo(boundary: CountedBoundary, sources: readonly Source[]): number | null {
  const told = sources.filter(({ kind }) => sourcesOf[boundary].includes(kind)).map((source) => source.completeTo);
  return told.includes(null) ? null : Math.min(...told.flatMap((at) => at ?? []), Number.MAX_SAFE_INTEGER);
}

/** Those of its sources that are behind. */
export function behindOf(boundary: CountedBoundary, sources: readonly Source[], now: number): readonly Source[] {
  return sources.filter((source) => sourcesOf[boundary].includes(source.kind) && isBehind(source, now));
}

export function isBehind({ completeTo: at }: Source, now: number): boolean {
  return at === null || now - at >= behindAfterMs;
}

/** `recent`: its sums of the last minutes. `isFailing`: an incident of it is open that nobody planned. */
export function stateOf(
  boundary: CountedBoundary,
  { recent, isFailing, isKnown }: { recent: Sums; isFailing: boolean; isKnown: boolean },
): BoundaryStateName {
  if (!isKnown) return "unknown";
  if (isFailing) return "failing";
  const limit = slowMs[boundary];
  const { waits } = recent;
  return limit !== undefined && waits !== null && waits.count >= slowCountMin && (waits.p95Ms ?? 0) > limit
    ? "slow"
    : "ok";
}

/** The boundary at which a work ended; null where it went well, or at the API. */
export function boundaryOfEnd(code: EndCode): CountedBoundary | null {
  const name = code.slice(0, Math.max(0, code.indexOf("/")));
  return boundaries.find((boundary) => boundary === name) ?? null;
}

/** Whose the end was, as its code says. */
export function ownerOfEnd(code: EndCode): Owner {
  return code !== answered5xx && isCode(code) ? codeRow(code).owner : "app";
}
