/**
 * How the platform stands: each boundary's state from what its record counts, looked at now and then, and told from what was looked at
 * last where nothing newer can be had.
 */
import type { BoundaryView, EvidenceView, SumsView } from "../contract/status.ts";
import { behindOf, boundaries, completeTo, stateOf, sumsOf } from "../evidence/boundaries.ts";
import type { CountedBoundary, Source, SourceKind, Sums } from "../evidence/boundaries.ts";
import type { Journal } from "../journal/index.ts";
import type { BoundaryState, StatusRecord } from "../record/status-store.ts";
import type { CountsFound } from "../record/work-counts.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { CallCounting } from "./call-counting.ts";
import type { Engine } from "./engine.ts";

export interface StandingParts {
  readonly record: StatusRecord;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Nodes that the ledger knows, and whether each is connected now. */
  nodes(): Promise<readonly { readonly name: string; readonly isConnected: boolean }[]>;
  /** When all that this machine's emitters had written was last in the record; null: not yet. */
  shippedAt(): number | null;
  onFailure(what: string, error: unknown): void;
}

/** What is told of all boundaries at once. */
export interface Standing {
  readonly countedSince: string;
  readonly boundaries: readonly BoundaryView[];
  readonly evidence: readonly EvidenceView[];
}

const lookEveryMs = 10_000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** The state follows from these last minutes; rates are told of the hour and the day. */
const spansMs = [10 * minuteMs, hourMs, 24 * hourMs] as const;
/** Whoever asks again within this gets the same numbers. */
const sameForMs = 2_000;
/** A node that has been away for so long is not waited for: it is gone. */
const goneAfterMs = 24 * hourMs;

export class StandingDesk implements AsyncDisposable {
  readonly #parts: StandingParts;
  readonly #calls: CallCounting;
  readonly #timer: NodeJS.Timeout;
  readonly #heardOf = new Map<string, number>();
  readonly #openedAt: number;
  #states: ReadonlyMap<string, BoundaryState>;
  #looking: Promise<void> | undefined;
  #counts: { readonly at: number; readonly found: Promise<CountsFound> } | undefined;

  static async open(parts: StandingParts): Promise<StandingDesk> {
    const [calls, states] = [await CallCounting.open(parts), await parts.record.states()];
    return new StandingDesk(parts, calls, states);
  }

  private constructor(parts: StandingParts, calls: CallCounting, states: readonly BoundaryState[]) {
    this.#parts = parts;
    this.#calls = calls;
    this.#states = new Map(states.map((state) => [state.boundary, state]));
    this.#openedAt = parts.clock.wall();
    this.#timer = setInterval(() => void this.#lookQuietly(), lookEveryMs).unref();
  }

  /** Counts what the ledger has decided since, and keeps in which state each boundary is. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async view(): Promise<Standing> {
    await this.#calls.catchUp();
    const [found, sources] = await Promise.all([this.#found(), this.#sources()]);
    const told = this.#tell(found, sources);
    return {
      countedSince: iso(instant(found.since)),
      boundaries: told.map(({ view }) => view),
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

  async #look(): Promise<void> {
    await this.#calls.catchUp();
    const [found, sources] = await Promise.all([this.#found(), this.#sources()]);
    const now = this.#tell(found, sources).map(({ state }) => state);
    const changed = now.filter(({ boundary, state }) => this.#states.get(boundary)?.state !== state);
    this.#states = new Map(now.map((state) => [state.boundary, state]));
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
    return boundaries.map((boundary) => {
      const behind = behindOf(boundary, sources, now);
      const sums = sumsOf(boundary, recent);
      const state = stateOf(boundary, { recent: sums, isFailing: false, isKnown: behind.length === 0 });
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

  async #sources(): Promise<readonly Source[]> {
    const { clock, shippedAt } = this.#parts;
    const now = clock.wall();
    const nodes = await this.#parts.nodes();
    for (const { name, isConnected } of nodes) if (isConnected) this.#heardOf.set(name, now);
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
export function unnamed({ countedSince, boundaries: all }: Standing): Omit<Standing, "evidence"> {
  return { countedSince, boundaries: all.map((one) => ({ ...one, behind: [] })) };
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
