/**
 * How the platform stands: each boundary's state from what its record counts, looked at now and then, and told from what was looked at
 * last where nothing newer can be had.
 */
import type { IncidentView } from "../contract/incidents.ts";
import type { NodeView } from "../contract/nodes.ts";
import type { BoundaryView, EvidenceView, SumsView } from "../contract/status.ts";
import type { Condition } from "../evidence/incidents.ts";
import { behindOf, boundaries, completeTo, stateOf, sumsOf } from "../evidence/boundaries.ts";
import type { CountedBoundary, Counts, Source, SourceKind, Sums } from "../evidence/boundaries.ts";
import type { Drained } from "../core/drained.ts";
import type { Journal } from "../journal/index.ts";
import type { BoundaryState, StatusRecord } from "../record/status-store.ts";
import type { CountsFound } from "../record/work-counts.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { conditionsOf, platformCodes } from "./conditions.ts";
import { Incidents, incidentView } from "./incidents.ts";
import type { Reader } from "./incidents.ts";
import { CallCounting } from "./call-counting.ts";
import type { Engine } from "./engine.ts";

export interface StandingParts {
  readonly record: StatusRecord;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** What the ledger knows of its nodes, and what is out of use. */
  nodes(): Promise<{ readonly views: readonly NodeView[]; readonly drains: readonly Drained[] }>;
  /** Whether a node is connected now. */
  isConnected(node: string): boolean;
  /** When all that this machine's emitters had written was last in the record; null: not yet. */
  shippedAt(): number | null;
  onFailure(what: string, error: unknown): void;
}

/** What is told of all boundaries at once. */
export interface Standing {
  readonly countedSince: string;
  readonly boundaries: readonly BoundaryView[];
  /** Those that go on, and those of the last day. */
  readonly incidents: readonly IncidentView[];
  readonly evidence: readonly EvidenceView[];
}

const lookEveryMs = 10_000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** The state follows from these last minutes; rates are told of the hour and the day. */
const spansMs = [10 * minuteMs, hourMs, 24 * hourMs] as const;
/** Whoever asks again within this gets the same numbers. */
const sameForMs = 2_000;
/** Incidents that are told with the status. */
const incidentsShown = 20;
/** A node that has been away for so long is not waited for: it is gone. */
const goneAfterMs = 24 * hourMs;

export class StandingDesk implements AsyncDisposable {
  readonly #parts: StandingParts;
  readonly incidents: Incidents;
  readonly #calls: CallCounting;
  readonly #timer: NodeJS.Timeout;
  readonly #heardOf = new Map<string, number>();
  readonly #openedAt: number;
  readonly #last = new Map<Reader, Standing>();
  /** As the last look saw it. */
  #wrong: readonly Condition[] = [];
  #states: ReadonlyMap<string, BoundaryState>;
  #looking: Promise<void> | undefined;
  #counts: { readonly at: number; readonly found: Promise<CountsFound> } | undefined;

  static async open(parts: StandingParts): Promise<StandingDesk> {
    const [calls, incidents] = [await CallCounting.open(parts), await Incidents.load(parts)];
    return new StandingDesk(parts, { calls, incidents, states: await parts.record.states() });
  }

  private constructor(
    parts: StandingParts,
    { calls, incidents, states }: { calls: CallCounting; incidents: Incidents; states: readonly BoundaryState[] },
  ) {
    this.#parts = parts;
    this.#calls = calls;
    this.incidents = incidents;
    this.#states = new Map(states.map((state) => [state.boundary, state]));
    this.#openedAt = parts.clock.wall();
    this.#timer = setInterval(() => void this.#lookQuietly(), lookEveryMs).unref();
  }

  /** Counts what the ledger has decided since, and keeps in which state each boundary is. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Without waiting for it: what was changed just now is told soon. */
  lookSoon(): void {
    void this.#lookQuietly();
  }

  /** All that was ever counted. */
  async allCounts(): Promise<Counts> {
    await this.#calls.catchUp();
    const { spans } = await this.#parts.record.counts([0]);
    return spans[0] ?? { from: 0, works: [], waits: [] };
  }

  /** Where the record cannot be asked, what was told last, with all that is unknown now. */
  async view(reader: Reader): Promise<Standing | undefined> {
    try {
      const told = await this.#view(reader);
      this.#last.set(reader, told);
      return told;
    } catch (error) {
      this.#parts.onFailure("telling how the platform stands", error);
      const last = this.#last.get(reader);
      return last && { ...last, boundaries: last.boundaries.map((one) => ({ ...one, ...notKnown })) };
    }
  }

  async #view(reader: Reader): Promise<Standing> {
    await this.#calls.catchUp();
    const now = this.#parts.clock.wall();
    const [found, { views }, newest] = await Promise.all([
      this.#found(),
      this.#parts.nodes(),
      this.incidents.list(null, incidentsShown),
    ]);
    const sources = this.#sources(views);
    const told = this.#tell(found, sources);
    const { open } = this.incidents;
    const over = newest.filter(({ until }) => until !== null && now - until < 24 * hourMs);
    return {
      countedSince: iso(instant(found.since)),
      boundaries: told.map(({ view }) => view),
      incidents: [...open, ...over].slice(0, incidentsShown).map((incident) => incidentView(incident, reader)),
      evidence: sources.map(({ kind, name, completeTo: at }) => ({
        kind,
        name,
        completeTo: at === null ? null : iso(instant(at)),
      })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#calls[Symbol.dispose]();
    await this.#looking?.catch(() => {}); // Told when it failed.
  }

  /** Best effort, where the platform is about to end: its journal took nothing more. */
  async cannotWrite(says: string): Promise<void> {
    await this.incidents.see([...this.#wrong, journalWrong(says)]);
  }

  async #look(): Promise<void> {
    await this.#calls.catchUp();
    const { record, clock } = this.#parts;
    const now = clock.wall();
    const open = new Map(this.incidents.open.map((incident) => [incident.subject, incident]));
    // Their counts are told since they began.
    const counted = [...open.values()].filter(({ wrong }) => wrong === "failures");
    const begun = counted.map(({ since }) => since - spansMs[0]);
    const [found, { views, drains }] = await Promise.all([
      record.counts([...spansMs.map((span) => now - span), ...begun]),
      this.#parts.nodes(),
    ]);
    const [recent] = found.spans;
    if (!recent) return;
    const sources = this.#sources(views);
    const since = new Map(counted.map(({ subject }, i) => [subject, found.spans[spansMs.length + i] as Counts]));
    const codes = platformCodes(recent.works.map(({ code }) => code));
    const samples = codes.length === 0 ? [] : await record.samples(codes, now - spansMs[0]);
    this.#wrong = conditionsOf({ now, nodes: views, drains, sources, recent, open, since, samples });
    await this.incidents.see(this.#wrong);
    await this.#keepStates(this.#tell(found, sources).map(({ state }) => state));
  }

  async #keepStates(states: readonly BoundaryState[]): Promise<void> {
    const changed = states.filter(({ boundary, state }) => this.#states.get(boundary)?.state !== state);
    this.#states = new Map(states.map((state) => [state.boundary, state]));
    if (changed.length > 0) await this.#parts.record.putStates(changed);
  }

  async #lookQuietly(): Promise<void> {
    await this.look().catch((error: unknown) => this.#parts.onFailure("looking at how the platform stands", error));
  }

  #found(): Promise<CountsFound> {
    const now = this.#parts.clock.wall();
    const known = this.#counts;
    if (known && now - known.at < sameForMs && now >= known.at) return known.found;
    const found = this.#parts.record.counts(spansMs.map((span) => now - span));
    this.#counts = { at: now, found };
    found.catch(() => (this.#counts = undefined)); // Whoever asked is told.
    return found;
  }

  #tell(
    found: CountsFound,
    sources: readonly Source[],
  ): readonly { readonly view: BoundaryView; readonly state: BoundaryState }[] {
    const now = this.#parts.clock.wall();
    const [recent, hour, day] = found.spans;
    if (!recent || !hour || !day) return [];
    const failing = new Set(this.incidents.open.flatMap(({ planned, boundary }) => (planned ? [] : [boundary])));
    return boundaries.map((boundary) => {
      const behind = behindOf(boundary, sources, now);
      const sums = sumsOf(boundary, recent);
      const state = stateOf(boundary, { recent: sums, isFailing: failing.has(boundary), isKnown: behind.length === 0 });
      const known = this.#states.get(boundary);
      const since = known?.state === state ? known.since : now;
      const view: BoundaryView = {
        ...{ boundary, state, since: iso(instant(since)) },
        says: saysOf(boundary, state, sums, behind),
        completeTo: toldTo(completeTo(boundary, sources), now),
        behind: behind.map(({ name }) => name),
        hour: sumsView(sumsOf(boundary, hour)),
        day: sumsView(sumsOf(boundary, day)),
      };
      return { view, state: { boundary, state, since } };
    });
  }

  #sources(nodes: readonly NodeView[]): readonly Source[] {
    const { clock, shippedAt, isConnected } = this.#parts;
    const now = clock.wall();
    for (const { name } of nodes) if (isConnected(name)) this.#heardOf.set(name, now);
    for (const name of this.#heardOf.keys()) if (!nodes.some((node) => node.name === name)) this.#heardOf.delete(name);
    const shipped = shippedAt();
    const own = (["edge", "server"] as const).map((kind): Source => ({ kind, name: kind, completeTo: shipped }));
    const theirs = nodes.flatMap(({ name }): Source[] => {
      const heardOf = this.#heardOf.get(name) ?? null;
      if (now - (heardOf ?? this.#openedAt) > goneAfterMs) return [];
      return [{ kind: "node", name, completeTo: heardOf }];
    });
    return [...own, { kind: "journal", name: "journal", completeTo: now }, ...theirs];
  }
}

/** For strangers: without the names of what is behind. */
export function unnamed({ evidence: _evidence, ...rest }: Standing): Omit<Standing, "evidence"> {
  const { boundaries: all } = rest;
  return { ...rest, boundaries: all.map((one) => ({ ...one, behind: [] })) };
}

const notKnown = { state: "unknown", says: "the record does not answer: these are its last numbers" } as const;

function journalWrong(says: string): Condition {
  const told = `the platform ended, since its journal or its own spool could not be written: ${says}`;
  const about = { subject: "journal", boundary: "record", wrong: "journal", planned: false } as const;
  return { ...about, since: null, says: told, counts: null, behind: [] };
}

function toldTo(at: number | null, now: number): string | null {
  return at === null ? null : iso(instant(Math.min(at, now)));
}

function sumsView({ from, ...sums }: Sums): SumsView {
  return { from: iso(instant(from)), ...sums };
}

const sourceWords: Readonly<Record<SourceKind, string>> = {
  edge: "the edge",
  server: "the server",
  node: "a node",
  journal: "the ledger",
};

/** Without names: strangers read it too. */
function saysOf(
  boundary: CountedBoundary,
  state: BoundaryState["state"],
  { waits }: Sums,
  behind: readonly Source[],
): string {
  if (state === "unknown") {
    const whose = [...new Set(behind.map(({ kind }) => sourceWords[kind]))].join(" and ");
    return `nobody knows how ${boundary} does: the record of ${whose} is behind`;
  }
  if (state === "slow") return `one in twenty waits for up to ${Math.round((waits?.p95Ms ?? 0) / 1000)} s`;
  return state === "failing" ? "an incident is open" : "nothing is known to be wrong";
}
