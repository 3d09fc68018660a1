/** Gathers what happened in a span of time, as far as it concerns whoever asks, and lets the pure `explainSpan` put it together. */
import type { Catalog } from "../catalog/catalog.ts";
import type { NumberedEvent } from "../catalog/space-events.ts";
import { spaceOwner } from "../contract/space.ts";
import { drainSays } from "../core/slots.ts";
import type { LedgerRecord } from "../core/record.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { Entry, WorkKind } from "../evidence/entry.ts";
import { workKinds } from "../evidence/entry.ts";
import { workKindOf } from "../evidence/id-kinds.ts";
import { explainSpan } from "../evidence/span.ts";
import type { SpanChange, SpanChanges, SpanExplanation, SpanPage, SpanWork } from "../evidence/span.ts";
import { count, sentence } from "../evidence/words.ts";
import type { Journal } from "../journal/index.ts";
import type { SpanCandidate, SpanEvidence } from "../record/evidence-span.ts";
import { entriesOfRecord } from "../record/scheduler-view.ts";
import type { EvidenceStore } from "../record/store.ts";
import { instant, iso, type Instant } from "../stdx/time.ts";
import type { Engine } from "./engine.ts";
import { spaceActorSays, type Concerned, type Explained } from "./explaining.ts";

export interface SpanParts {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly catalog: Catalog;
  readonly evidence: EvidenceStore;
  explain(id: string): Promise<Explained | undefined>;
}

export interface SpanAsked extends SpanPage {
  readonly from: Instant;
  readonly to: Instant;
  /** Only what is of this Space. */
  readonly space: string | undefined;
  /** Told of all, of nodes and of emitters too. */
  readonly isOperator: boolean;
  /** Whether the caller may be told what concerns these. */
  isTold(of: Concerned): boolean;
}

/** Works that are explained, one look: each is read as `explain` of its id reads it. The others are counted by the code in their record. */
const explainedMax = 200;
const atOnce = 20;
/** Records of the journal that one look reads: a busy platform's for a minute or two. */
const recordsMax = 20_000;
const recordsAtOnce = 1_000;
/** Changes of Spaces, and releases, of one look. */
const changesMax = 500;

export class Spans {
  readonly #parts: SpanParts;

  constructor(parts: SpanParts) {
    this.#parts = parts;
  }

  async tell(asked: SpanAsked): Promise<SpanExplanation> {
    const { from, to, space } = asked;
    const { engine, evidence, catalog } = this.#parts;
    const read = { journal: engine.durable, evidence: evidence.index() };
    const [held, views, events, releases] = await Promise.all([
      evidence.readSpan({ from, to }),
      this.#records(from, to, read.journal),
      catalog.spaceEvents.between({ from, to, space }, changesMax),
      catalog.releases.between({ from, to, space }, changesMax),
    ]);
    const ends = [held.readTo, views.readTo].filter((end) => end !== null);
    const readTo = ends.length === 0 ? null : Math.min(...ends);
    const until = readTo ?? to;
    const records = views.records.filter(({ at }) => at < until);
    const entries = records.flatMap(entriesOfRecord);
    const candidates = together([...held.works, ...codedOf(entries)].filter(({ first }) => first < until));
    const works = await this.#works(candidates, asked);
    const told = (id: string): boolean =>
      isAskedFor(id, space) && asked.isTold({ owner: ownerOf(id), account: null, space: id });
    const ofSpaces = [
      ...events.filter((event) => told(event.space)).map((event) => ({ subject: event.space, item: changeOf(event) })),
      ...releases
        .filter((one) => told(one.space))
        .map(({ id, space: subject, createdAt, build }) => ({
          subject,
          item: { at: iso(createdAt), says: `release ${id} was published by build ${build}`, id },
        })),
    ];
    const ofPlatform = asked.isOperator && space === undefined ? platformChanges(records, entries) : [];
    return explainSpan(
      {
        from: iso(from),
        to: iso(to),
        space: space ?? null,
        works,
        changes: bySubject([...ofSpaces, ...ofPlatform]),
        well: wellOf(held, entries, told),
        isWellCut: held.isWellCut,
        counted: asked.isOperator && space === undefined ? countedOf(held) : [],
        emitters: asked.isOperator ? held.emitters : [],
        gaps: asked.isOperator
          ? held.gaps
          : held.gaps.map((gap) => ({ ...gap, emitter: "an emitter of the platform" })),
        readTo: readTo === null ? null : iso(instant(readTo)),
        droppedThrough: held.droppedThrough,
        read,
      },
      asked,
    );
  }

  async #works(candidates: readonly SpanCandidate[], asked: SpanAsked): Promise<readonly SpanWork[]> {
    const works: SpanWork[] = [];
    const mine = candidates.filter((one) => mayConcern(one, asked));
    for (let at = 0; at < Math.min(mine.length, explainedMax); at += atOnce) {
      const some = mine.slice(at, Math.min(at + atOnce, explainedMax));
      works.push(...(await Promise.all(some.map((one) => this.#work(one, asked)))).flatMap((work) => work ?? []));
    }
    return [...works, ...mine.slice(explainedMax).flatMap((one) => asRecorded(one, asked) ?? [])];
  }

  async #work(candidate: SpanCandidate, asked: SpanAsked): Promise<SpanWork | undefined> {
    // What a node is now says nothing of what it was then.
    if (workKindOf(candidate.work) === undefined) return asRecorded(candidate, asked);
    const explained = await this.#parts.explain(candidate.work);
    if (!explained || !isConcerned(explained, asked)) return undefined;
    const { verdict, kind, entries, sentence: says } = explained.explanation;
    if (verdict === null || !isWork(kind)) return undefined;
    const code = verdict.boundary === "unknown" ? "unknown" : `${verdict.boundary}/${verdict.code}`;
    return {
      ...timesOf(candidate),
      id: candidate.work,
      kind,
      code,
      owner: verdict.owner,
      certainty: verdict.certainty,
      sentence: says,
      space: explained.space,
      causes: causesOf(explained, entries),
    };
  }

  /** The journal's records of the span; `readTo`: the time of the first that was not read. */
  async #records(from: Instant, to: Instant, last: number) {
    const { journal } = this.#parts;
    const records: LedgerRecord[] = [];
    let next = await this.#firstFrom(from, last);
    while (next <= last) {
      const some = await journal.read(next, Math.min(recordsAtOnce, last - next + 1));
      if (some.length === 0) break;
      for (const record of some) {
        if (record.at >= to) return { records, readTo: null };
        if (records.length >= recordsMax) return { records, readTo: record.at as number };
        records.push(record);
      }
      next = (some.at(-1) as LedgerRecord).index + 1;
    }
    return { records, readTo: null };
  }

  /** Records are in the order of their times (L14): the index of the first that is not before `from`. */
  async #firstFrom(from: Instant, last: number): Promise<number> {
    let [low, high] = [1, last + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [record] = await this.#parts.journal.read(middle, 1);
      // What a compaction removed is before all that is there.
      if (record === undefined || record.at < from) low = Math.max(middle, record?.index ?? middle) + 1;
      else high = middle;
    }
    return low;
  }
}

/** A call is in both records under one id. */
function together(candidates: readonly SpanCandidate[]): readonly SpanCandidate[] {
  const byWork = new Map<string, SpanCandidate>();
  for (const one of candidates) {
    const other = byWork.get(one.work);
    if (other === undefined) byWork.set(one.work, one);
    else
      byWork.set(one.work, {
        ...one,
        code: other.code ?? one.code,
        space: other.space ?? one.space,
        account: other.account ?? one.account,
        first: Math.min(one.first, other.first),
        last: Math.max(one.last, other.last),
      });
  }
  return [...byWork.values()].sort((a, b) => a.first - b.first || (a.work < b.work ? -1 : 1));
}

/** Calls and nodes of which the journal's views tell an end that was not good. */
function codedOf(entries: readonly Entry[]): readonly SpanCandidate[] {
  const space = factsOf(entries, "space");
  const account = factsOf(entries, "account");
  return entries
    .filter(({ mark, facts }) => (mark === "refused" || mark === "failed") && typeof facts["code"] === "string")
    .map(({ work, at, facts }) => ({
      work,
      code: textOf(facts, "code"),
      space: space.get(work) ?? null,
      account: account.get(work) ?? null,
      first: Date.parse(at),
      last: Date.parse(at),
    }));
}

/** What is known before it is read excludes it for whom it does not concern. */
function mayConcern({ space, account }: SpanCandidate, asked: SpanAsked): boolean {
  return space === null || isConcerned({ owner: ownerOf(space), account, space }, asked);
}

function isConcerned(of: Concerned, asked: SpanAsked): boolean {
  return (asked.space === undefined || of.space === asked.space) && asked.isTold(of);
}

function isAskedFor(space: string, asked: string | undefined): boolean {
  return asked === undefined || space === asked;
}

/** By the code in its record alone: a node's is the journal's own word. */
function asRecorded(candidate: SpanCandidate, asked: SpanAsked): SpanWork | undefined {
  const { work, code, space, account } = candidate;
  const kind = workKindOf(work) ?? "node";
  const owner = space === null ? null : ownerOf(space);
  if (code === null || !isCode(code) || !isConcerned({ owner, account, space }, asked)) return undefined;
  const row = codeRow(code);
  const certainty = kind === "node" ? "proved" : "recorded";
  const says = kind === "node" ? `Node ${work}: ${row.says}` : row.says;
  return {
    ...timesOf(candidate),
    id: work,
    kind,
    code,
    owner: row.owner,
    certainty,
    sentence: says,
    space,
    causes: [],
  };
}

function factsOf(entries: readonly Entry[], name: string): ReadonlyMap<string, string> {
  return new Map(
    entries.flatMap(({ work, facts }) => (typeof facts[name] === "string" ? [[work, facts[name]] as const] : [])),
  );
}

function timesOf({ first, last }: SpanCandidate): Pick<SpanWork, "first" | "last"> {
  return { first: iso(instant(first)), last: iso(instant(last)) };
}

function isWork(kind: string): kind is WorkKind {
  return (workKinds as readonly string[]).includes(kind);
}

/** Codes by which a node's own trouble ends calls. */
const ofNodes: readonly string[] = ["node-lost", "device-fault", "nvml-lost", "pool-draining"];

/** Works whose entries the verdict cites, and its node where the code is one by which nodes end calls. */
function causesOf({ explanation: { id, verdict } }: Explained, entries: readonly Entry[]): readonly string[] {
  if (verdict === null) return [];
  const cited = new Set([...verdict.facts, ...verdict.inferred.flatMap(({ from }) => from)]);
  const works = entries.filter((entry) => entry.work !== id && cited.has(entry.id)).map(({ work }) => work);
  const nodes = ofNodes.includes(verdict.code)
    ? entries.flatMap(({ facts }) => (typeof facts["node"] === "string" ? [facts["node"]] : []))
    : [];
  return [...new Set([...works, ...nodes])];
}

function changeOf({ seq, space, at, from, to, reason, actor }: NumberedEvent & { readonly space: string }): SpanChange {
  const what = from === to ? `${to}, still` : `${from} → ${to}`;
  return {
    at: iso(at),
    says: `${what}, by ${spaceActorSays(actor)}. ${sentence(reason.says)}`,
    id: `spaces/${space}/${seq}`,
  };
}

interface Of {
  readonly subject: string;
  readonly item: SpanChange;
}

/** Nodes, drains, and starts of the server. */
function platformChanges(records: readonly LedgerRecord[], entries: readonly Entry[]): readonly Of[] {
  const ofNodeEntries = entries
    .filter(({ hop }) => hop.startsWith("node."))
    .map(({ work, at, id, hop, mark, facts }) => ({
      subject: `node ${work}`,
      item: { at, says: nodeSays(hop, mark, facts), id },
    }));
  const others = records.flatMap(({ events, at }) =>
    events.flatMap((event): readonly Of[] => {
      const item = (says: string): SpanChange => ({ at: iso(at), says, id: null });
      if (event.type === "writer-started")
        return [{ subject: "the server", item: item(`started, epoch ${event.epoch}`) }];
      if (event.type !== "drain-set" || event.of.kind !== "pool") return [];
      const { of, drain } = event;
      const says = drain === null ? "given back to use" : drainSays({ of, drain });
      return [{ subject: `pool ${of.pool}`, item: item(says) }];
    }),
  );
  return [...ofNodeEntries, ...others];
}

function nodeSays(hop: string, mark: string, facts: Entry["facts"]): string {
  const card = typeof facts["device"] === "number" ? `card ${facts["device"]} ` : "";
  switch (hop) {
    case "node.start":
      return `joined with ${typeof facts["devices"] === "number" ? count(facts["devices"], "card") : "its cards"}`;
    case "node.stop":
      return "stopped answering";
    case "node.cards":
      return mark === "failed" ? `its cards: ${textOf(facts, "says")}` : "its cards are well again";
    default:
      return mark === "took"
        ? `${card}drained by ${textOf(facts, "by")}: ${textOf(facts, "reason")}`
        : `${card}given back to use`;
  }
}

function textOf(facts: Entry["facts"], name: string): string {
  const value = facts[name];
  return typeof value === "string" ? value : "";
}

function bySubject(items: readonly Of[]): readonly SpanChanges[] {
  const groups = new Map<string, SpanChange[]>();
  for (const { subject, item } of items) groups.set(subject, [...(groups.get(subject) ?? []), item]);
  return [...groups]
    .map(([subject, own]) => ({ subject, items: own.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)) }))
    .sort((a, b) => (a.subject < b.subject ? -1 : 1));
}

/** Packed records and those that are only counted; calls by their settlement. */
function wellOf(
  { well, rolledUp }: SpanEvidence,
  entries: readonly Entry[],
  told: (space: string) => boolean,
): readonly { readonly kind: WorkKind; readonly count: number }[] {
  const sums = new Map<WorkKind, number>();
  const add = (kind: WorkKind, many: number): unknown => sums.set(kind, (sums.get(kind) ?? 0) + many);
  for (const { kind, space, count: many } of well) if (told(space)) add(kind, many);
  for (const { space, count: many } of rolledUp) if (told(space)) add("request", many);
  const spaces = factsOf(entries, "space");
  for (const { hop, mark, work } of entries)
    if (hop === "app.run" && mark === "done" && told(spaces.get(work) ?? "")) add("call", 1);
  return workKinds.flatMap((kind) => (sums.has(kind) ? [{ kind, count: sums.get(kind) as number }] : []));
}

const countedExamples = 3;

function countedOf({ counted }: SpanEvidence) {
  const codes = [...new Set(counted.map(({ code }) => code))].sort();
  return codes.map((code) => {
    const own = counted.filter((row) => row.code === code);
    const sum = own.reduce((all, row) => all + row.count, 0);
    return { code, count: sum, examples: own.slice(0, countedExamples).map(({ id }) => id) };
  });
}

/** Null where it is no Space's. */
function ownerOf(space: string): string | null {
  return spaceOwner(space) || null;
}
