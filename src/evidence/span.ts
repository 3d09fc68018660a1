/**
 * What happened in a span of time: the works that did not go well, put together by cause and never by clock, what changed, what else went
 * well, and how far the record reaches. Pure: the same record gives the same story.
 */
import type { Owner } from "./codes.ts";
import type { Gap, WorkKind } from "./entry.ts";
import type { Certainty, Explanation } from "./verdict.ts";
import { count } from "./words.ts";

/** A work that was refused or failed within the span, as it is explained now. */
export interface SpanWork {
  readonly id: string;
  readonly kind: WorkKind;
  /** `boundary/name`, or `unknown`. */
  readonly code: string;
  readonly owner: Owner | "unknown";
  /** `recorded`: the span has more works than are explained at once, and this one is counted by the code in its record. */
  readonly certainty: Certainty | "recorded";
  readonly sentence: string;
  readonly space: string | null;
  /** Of its entries in the span, by the clocks of those who wrote them. */
  readonly first: string;
  readonly last: string;
  /** Works on whose entries its verdict rests, and the node that it names. */
  readonly causes: readonly string[];
}

export interface SpanFailure {
  readonly code: string;
  readonly owner: Owner | "unknown";
  readonly count: number;
  /** How certain the verdicts are, with how many of each. */
  readonly certainty: Readonly<Partial<Record<SpanWork["certainty"], number>>>;
  /** Of the work that was met first. */
  readonly sentence: string;
  readonly first: string;
  readonly last: string;
  /** Ids, a few. */
  readonly examples: readonly string[];
}

export interface SpanGroup {
  /** The work on which the others rest; null where each stands for itself. */
  readonly cause: Pick<SpanWork, "id" | "kind" | "code" | "sentence"> | null;
  readonly spaces: readonly string[];
  readonly count: number;
  /** Most first. */
  readonly failures: readonly SpanFailure[];
}

/** What changed of one Space, node or pool, in the order of its own record. */
export interface SpanChanges {
  readonly subject: string;
  readonly items: readonly SpanChange[];
}

export interface SpanChange {
  readonly at: string;
  readonly says: string;
  /** What `explain` knows more by: a build, a release, an entry. */
  readonly id: string | null;
}

export interface SpanEmitterView {
  readonly emitter: string;
  readonly epoch: number;
  readonly state: "open" | "closed" | "dead";
  readonly lastSeq: number;
  /** By its own clock. */
  readonly lastAt: string | null;
}

/** What was counted and not recorded one by one. */
export interface SpanCounted {
  readonly code: string;
  readonly count: number;
  readonly examples: readonly string[];
}

export interface SpanRecord {
  readonly from: string;
  readonly to: string;
  readonly space: string | null;
  readonly works: readonly SpanWork[];
  readonly changes: readonly SpanChanges[];
  readonly well: readonly { readonly kind: WorkKind; readonly count: number }[];
  /** More went well than is counted. */
  readonly isWellCut: boolean;
  readonly counted: readonly SpanCounted[];
  readonly emitters: readonly SpanEmitterView[];
  readonly gaps: readonly Gap[];
  /** Up to where this was read, where the span has more than is looked at once. */
  readonly readTo: string | null;
  readonly droppedThrough: string | null;
  readonly read: Explanation["read"];
}

/** The document of `waybill explain --from … --to … --json`. */
export interface SpanExplanation extends Omit<SpanRecord, "works"> {
  readonly sentence: string;
  /** Those with most works first. */
  readonly groups: readonly SpanGroup[];
  /** How many works did not go well. */
  readonly count: number;
  /** Pass as `?page=` for the groups after these; null at the end. */
  readonly next: string | null;
}

export interface SpanPage {
  readonly skip: number;
  readonly limit: number;
}

const examplesMax = 5;

export function explainSpan({ works, ...record }: SpanRecord, { skip, limit }: SpanPage): SpanExplanation {
  const groups = groupsOf(works);
  const shown = groups.slice(skip, skip + limit);
  return {
    ...record,
    sentence: saysOf(record, works, groups),
    groups: shown,
    count: works.length,
    next: skip + limit < groups.length ? String(skip + limit) : null,
  };
}

/** Works that rest on one another are one group; those that stand alone are put together by code and Space. */
function groupsOf(works: readonly SpanWork[]): readonly SpanGroup[] {
  const sorted = [...works].sort((a, b) => compare(a.id, b.id));
  const byId = new Map(sorted.map((work) => [work.id, work]));
  const causing = new Set(sorted.flatMap(({ causes }) => causes));
  const groups = new Map<string, SpanWork[]>();
  for (const work of sorted) {
    const root = rootOf(work, byId);
    const isAlone = root === work && !causing.has(work.id);
    const key = isAlone ? `alone ${work.code} ${work.space ?? ""}` : root.id;
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [work]);
    else members.push(work);
  }
  return [...groups]
    .map(([key, members]) => groupOf(byId.get(key), members))
    .sort((a, b) => b.count - a.count || compare(keyOf(a), keyOf(b)));
}

/** Up the causes to the first that has none among these; the record's own order breaks a circle. */
function rootOf(work: SpanWork, byId: ReadonlyMap<string, SpanWork>): SpanWork {
  const seen = new Set([work.id]);
  let at = work;
  for (;;) {
    const above = at.causes.find((id) => byId.has(id) && !seen.has(id));
    if (above === undefined) return at;
    seen.add(above);
    at = byId.get(above) as SpanWork;
  }
}

function groupOf(cause: SpanWork | undefined, members: readonly SpanWork[]): SpanGroup {
  const codes = [...new Set(members.map(({ code }) => code))];
  const failures = codes.map((code) => failureOf(members.filter((work) => work.code === code)));
  const spaces = new Set(members.flatMap(({ space }) => space ?? []));
  return {
    cause: cause ? { id: cause.id, kind: cause.kind, code: cause.code, sentence: cause.sentence } : null,
    spaces: [...spaces].sort(compare),
    count: members.length,
    failures: failures.sort((a, b) => b.count - a.count || compare(a.code, b.code)),
  };
}

function failureOf(works: readonly SpanWork[]): SpanFailure {
  const [one] = [...works].sort((a, b) => compare(a.first, b.first) || compare(a.id, b.id));
  const { code, owner, sentence } = one as SpanWork;
  const certainty: Partial<Record<SpanWork["certainty"], number>> = {};
  for (const work of works) certainty[work.certainty] = (certainty[work.certainty] ?? 0) + 1;
  return {
    code,
    owner,
    count: works.length,
    certainty,
    sentence,
    first: works.map(({ first }) => first).sort(compare)[0] as string,
    last: works
      .map(({ last }) => last)
      .sort(compare)
      .at(-1) as string,
    examples: works.slice(0, examplesMax).map(({ id }) => id),
  };
}

function saysOf(
  { space, changes, well, isWellCut, gaps, readTo }: Omit<SpanRecord, "works">,
  works: readonly SpanWork[],
  groups: readonly SpanGroup[],
): string {
  const of = space === null ? "" : ` of ${space}`;
  const good = well.reduce((sum, one) => sum + one.count, 0);
  const owners = (["platform", "app", "visitor", "outside", "unknown"] as const).flatMap((owner) => {
    const own = works.filter((work) => work.owner === owner).length;
    return own > 0
      ? [`${own} ${owner === "unknown" ? "unknown" : `by the ${owner === "outside" ? "world outside" : owner}`}`]
      : [];
  });
  const failed =
    works.length === 0
      ? `Nothing${of} failed or was refused`
      : `${count(works.length, "work")}${of} did not go well (${owners.join(", ")}), in ${count(groups.length, "group")}`;
  const changed = changes.reduce((sum, { items }) => sum + items.length, 0);
  const rest = [
    `${isWellCut ? "at least " : ""}${good} went well`,
    ...(changed > 0 ? [count(changed, "change")] : []),
    ...(gaps.length > 0 ? [`${count(gaps.length, "gap")} in the evidence`] : []),
  ];
  const cut =
    readTo === null ? "" : ` There is more than one look takes in: this was read to ${readTo}, go on from there.`;
  return `${failed}; ${rest.join(", ")}.${cut}`;
}

function keyOf({ cause, failures }: SpanGroup): string {
  return cause?.id ?? failures[0]?.examples[0] ?? "";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
