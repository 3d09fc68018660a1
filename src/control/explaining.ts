/** Gathers what the two records hold of a work and lets the pure `explain` say what it means. */
import type { CallRow } from "../catalog/calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { BackupJobView, CallView } from "../contract/api.ts";
import type { NumberedEvent } from "../catalog/space-events.ts";
import type { Actor } from "../core/spaces/model.ts";
import type { ChainStep } from "../evidence/chain.ts";
import type { Entry, WorkKind } from "../evidence/entry.ts";
import { explain, explainCounted, explainSpace } from "../evidence/explain.ts";
import { relationOf } from "../evidence/relations.ts";
import type { Charge, Explanation, Link } from "../evidence/verdict.ts";
import type { LinkedWork, WorkRecord } from "../evidence/work-record.ts";
import type { Incident } from "../evidence/incidents.ts";
import type { Journal } from "../journal/index.ts";
import { entriesOfRecord } from "../record/scheduler-view.ts";
import type { EvidenceStore } from "../record/store.ts";
import { sentence } from "../evidence/words.ts";
import { iso } from "../stdx/time.ts";
import { idKindsSay, kindOfId, workKindOf } from "../evidence/id-kinds.ts";
import { askedId } from "./asked-id.ts";
import { standingSays, trimmedSays } from "./build-story.ts";
import type { Builds } from "./builds.ts";
import type { Engine } from "./engine.ts";
import { Given } from "./given.ts";
import { Linking, type Held } from "./linking.ts";
import type { HubRepos } from "./hub-repos.ts";
import type { Replicas } from "./replicas.ts";
import type { Spaces } from "./spaces.ts";
import { Subjects, type Subject } from "./subjects.ts";

export interface Explained extends Concerned {
  readonly explanation: Explanation;
  /** Whom the works beside it concern, by their ids: where a Space calls a Space, others than this one. */
  readonly beside: ReadonlyMap<string, Concerned>;
}

/** The Space's owner, and who caused the work; null where nobody did. */
export interface Concerned {
  readonly owner: string | null;
  readonly account: string | null;
  /** `owner/name`; null where it is no Space's. */
  readonly space: string | null;
}

export interface ExplainingParts {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly catalog: Catalog;
  readonly evidence: EvidenceStore;
  readonly builds: Builds;
  readonly spaces: Spaces;
  readonly replicas: Replicas;
  readonly hubRepos: HubRepos;
  call(id: string): Promise<CallView | undefined>;
  incident(id: string): Promise<Incident | undefined>;
  backup(id: string): Promise<BackupJobView | undefined>;
}

/** Works beside one work that are shown with their outcome; the rest are in its entries. */
const linksMax = 20;
/** What happened to a Space last: enough for how it came into its state. */
const eventsShown = 20;

/** `short`: without what is told beside it and changes no verdict. */
export type How = "whole" | "short";

export class Explaining {
  readonly #parts: ExplainingParts;
  readonly #subjects: Subjects;
  readonly #given: Given;
  readonly #linking: Linking;

  constructor(parts: ExplainingParts) {
    this.#parts = parts;
    const lines = async (ids: readonly string[]): Promise<readonly LinkedWork[]> =>
      (await Promise.all(ids.map((id) => this.#line(id)))).flatMap((told) => told?.line ?? []);
    const held = (id: string, kind: WorkKind): Promise<Held> => this.#held(id, kind);
    this.#linking = new Linking({ ...parts, held, now: () => parts.engine.now() });
    const push = async (build: string): Promise<ChainStep | undefined> =>
      this.#linking.push(await this.#held(build, "build"));
    this.#subjects = new Subjects({ ...parts, lines, push, read: () => this.#readNow() });
    this.#given = new Given({ ...parts, read: () => this.#readNow() });
  }

  /** The story of any id; undefined where the record holds nothing under it. */
  async explain(id: string, how: How = "whole"): Promise<Explained | undefined> {
    const asked = askedId(id);
    switch (asked.of) {
      case "nothing":
        return undefined;
      case "repository":
        return asked.repo.kind === "spaces"
          ? this.#space(asked.repo.id)
          : alone(await this.#subjects.repository(asked.repo));
      case "commit":
        return alone(await this.#subjects.commit(asked.repo, asked.commit));
      case "discussion":
        return alone(await this.#subjects.discussion(asked.repo, asked.num));
      case "place":
        return alone(await this.#subjects.slot(id)) ?? this.#entry(id, asked);
      case "id":
        return this.#id(id, how);
    }
  }

  /** What is said of an id under which there is nothing: what there is, and since when it would be gone. */
  async unknown(id: string): Promise<Unknown> {
    const kind = kindOfId(id);
    const detail = `No work here has the id ${id}.`;
    if (kind === undefined) return { detail, next: idKindsSay() };
    const { droppedThrough } = await this.#parts.evidence.readWork(id);
    const gone =
      droppedThrough === null
        ? "Nothing was dropped from the record yet"
        : `Records of ${droppedThrough} and before may have been dropped by retention`;
    const look = kind.look === undefined ? "" : ` ${sentence(kind.look)}`;
    return { detail, next: `It would be ${kind.says}. ${gone}; ids are shown whole: check it.${look}` };
  }

  async #id(id: string, how: How): Promise<Explained | undefined> {
    const kind = workKindOf(id);
    if (kind) return this.#work(id, kind, how);
    // A node may have a name that begins like one of our ids.
    return (await this.#byPrefix(id)) ?? alone(await this.#subjects.node(id));
  }

  /** What has an id and is no work. */
  async #byPrefix(id: string): Promise<Explained | undefined> {
    switch (id.split("_", 1)[0]) {
      case "n":
        return this.#counted(id);
      case "r": {
        const found = await this.#parts.catalog.receipts.get(id);
        return found && as(id, await this.explain(found.receipt.call));
      }
      case "i":
        return alone(await this.#subjects.incident(id));
      case "al":
        return alone(await this.#given.allowance(id));
      case "ar":
        return alone(await this.#given.accessRequest(id));
      case "bk":
        return alone(await this.#given.backup(id));
      case "rel":
        return alone(await this.#subjects.release(id));
      case "t":
        return alone(await this.#subjects.token(id));
      case "s":
        return alone(await this.#subjects.session(id));
      default:
        return undefined;
    }
  }

  /** An entry's own id: the story of its work. */
  async #entry(id: string, { name, first, second }: { name: string; first: number; second: number }) {
    const { journal, engine, evidence } = this.#parts;
    if (name !== schedulerIds) {
      const work = await evidence.workOf({ emitter: name, epoch: first, seq: second });
      return work === null ? undefined : as(id, await this.explain(work));
    }
    const [record] = first <= engine.durable && first > 0 ? await journal.read(first, 1) : [];
    const view = record?.index === first ? entriesOfRecord(record)[second - 1] : undefined;
    return view && as(id, await this.explain(view.work));
  }

  async #work(id: string, kind: WorkKind, how: How): Promise<Explained | undefined> {
    const held = await this.#held(id, kind);
    const { record, links } = held;
    const linked = await this.#linked(record, links);
    if (record.entries.length === 0 && linked.length === 0 && record.trimmed === undefined) return undefined;
    const explanation = explain({ ...record, links: linked.map(({ line }) => line) });
    const beside = new Map(linked.map(({ line, concerned }) => [line.id, concerned]));
    const told = { explanation, beside, ...(await this.#owners(record)) };
    return how === "short" ? told : this.#withChain(held, told);
  }

  /** With what is likely to belong to it, on which no verdict rests, and the chain that it is a link of. */
  async #withChain(held: Held, told: Explained): Promise<Explained> {
    const inside = await this.#linking.inside(held.record);
    const { steps, through } = await this.#linking.chain(held, inside);
    const beside = new Map(told.beside);
    for (const record of through) if (!beside.has(record.id)) beside.set(record.id, await this.#owners(record));
    const { links } = told.explanation;
    const more = inside.filter(({ id }) => !links.some((link) => link.id === id));
    const lines = await Promise.all(more.map(({ id }) => this.#line(id, held.record)));
    for (const { line, concerned } of lines.flatMap((one) => one ?? [])) beside.set(line.id, concerned);
    const likely = lines.flatMap((one, at): Link[] => (one ? [{ ...one.line, likely: more[at]?.says ?? "" }] : []));
    const chain = steps.length === 0 ? {} : { chain: steps };
    return { ...told, beside, explanation: { ...told.explanation, links: [...links, ...likely], ...chain } };
  }

  async #record(id: string, kind: WorkKind): Promise<WorkRecord> {
    return (await this.#held(id, kind)).record;
  }

  async #held(id: string, kind: WorkKind): Promise<Held> {
    const { engine, journal, evidence } = this.#parts;
    const journalIndex = engine.durable;
    const [told, views, row, standing] = await Promise.all([
      evidence.readWork(id),
      kind === "call" ? journal.readWork(id) : [],
      kind === "call" ? this.#parts.catalog.calls.get(id) : undefined,
      kind === "build" ? this.#standing(id) : {},
    ]);
    const ours = views
      .filter(({ index }) => index <= journalIndex)
      .flatMap((record) => entriesOfRecord(record).filter(({ work }) => work === id));
    const record: WorkRecord = {
      id,
      kind,
      entries: [...ours, ...told.entries],
      neighbours: told.neighbours,
      gaps: told.gaps,
      watermarks: told.watermarks,
      epochs: told.epochs,
      clocks: told.clocks,
      links: [],
      charge: row ? chargeOf(row) : null,
      simulated: row?.simulated === true,
      droppedThrough: told.droppedThrough,
      read: { journal: journalIndex, evidence: told.index },
      ...standing,
    };
    return { record, links: told.links };
  }

  /** Works that this one names or that name it, and a request's calls, each in one line. */
  async #linked(record: WorkRecord, links: readonly string[]): Promise<readonly Line[]> {
    const { calls: rows } = this.#parts.catalog;
    const calls = record.kind === "request" ? await rows.list({ request: record.id, limit: linksMax }) : undefined;
    const ids = worksBeside(record, calls?.items ?? [], links);
    const linked = await Promise.all(ids.slice(0, linksMax).map((id) => this.#line(id, record)));
    return linked.flatMap((line) => line ?? []);
  }

  /** `own`: of which it is told. */
  async #line(id: string, own?: WorkRecord): Promise<Line | undefined> {
    const kind = workKindOf(id);
    if (!kind) return undefined;
    const record = await this.#record(id, kind);
    if (record.entries.length === 0) return undefined;
    const { outcome, verdict, sentence } = explain(record);
    const relation = own && relationOf(own, record);
    const line: LinkedWork = {
      id,
      kind,
      outcome,
      code: verdict && `${verdict.boundary}/${verdict.code}`,
      sentence: verdict?.sentence ?? sentence,
      at: record.entries.map((entry) => entry.at).sort()[0] ?? "",
      ...(relation && { relation }),
      ...(verdict && { certainty: verdict.certainty, owner: verdict.owner }),
    };
    return { line, concerned: await this.#owners(record) };
  }

  /** What the queue says of a build that goes on, that one ended well, and what is left of one that ended long ago. */
  async #standing(id: string): Promise<Pick<WorkRecord, "standing" | "trimmed" | "isBuilt">> {
    const { catalog, builds } = this.#parts;
    const row = await catalog.builds.get(id);
    const view = row && builds.views.of(row);
    if (!view) return {};
    const { outcome, space, code, says, since } = view;
    if (outcome === null) return { standing: standingSays(view) };
    if (row.trimmedAt === undefined) return outcome === "ok" ? { isBuilt: true } : {};
    const ended = `The build of ${space} ended at ${since}: ${code === null ? "" : `${code}, `}${says.replace(/\.?$/, ".")}`;
    const isGood = outcome === "ok" || outcome === "superseded" || outcome === "cancelled";
    return { trimmed: { outcome: isGood ? "ok" : outcome, ended, says: trimmedSays(id, row.trimmedAt) } };
  }

  async #owners({ id, kind, entries }: WorkRecord): Promise<Concerned> {
    const fact = (name: string): string | null => {
      const value = entries.find(({ facts }) => typeof facts[name] === "string")?.facts[name];
      return typeof value === "string" ? value : null;
    };
    const build = kind === "build" && entries.length === 0 ? await this.#parts.catalog.builds.get(id) : undefined;
    const call = kind === "call" ? await this.#parts.call(id) : await this.#callOf(id, kind, entries.length);
    const space = call?.space ?? build?.space ?? fact("space");
    // `models/alice/tiny`: of a transfer.
    const repository = fact("repository");
    const owner = space?.split("/")[0] ?? repository?.split("/")[1] ?? null;
    const ofSpace = space ?? /^spaces\/(.+)$/.exec(repository ?? "")?.[1] ?? null;
    return { owner, account: call?.account ?? build?.account ?? fact("account"), space: ofSpace };
  }

  /** One that names a request of which nothing else is recorded. */
  async #callOf(id: string, kind: WorkKind, recorded: number): Promise<CallRow | undefined> {
    if (kind !== "request" || recorded > 0) return undefined;
    return (await this.#parts.catalog.calls.list({ request: id, limit: 1 }))?.items[0];
  }

  /** A Space: why it is in its state, by the newest works that brought it there. */
  async #space(id: string): Promise<Explained | undefined> {
    const view = await this.#parts.spaces.view(id);
    if (!view) return undefined;
    const newest = view.replicas.at(-1);
    const [happened, build, replica] = await Promise.all([
      this.#parts.catalog.spaceEvents.list(id, { limit: eventsShown }),
      view.build ? this.#record(view.build.id, "build") : null,
      newest ? this.#record(newest.id, "replica") : null,
    ]);
    const { state, since, reason, actor, ends, deadline } = view;
    const events = (happened?.items ?? []).map((event) => entryOf(id, event));
    const by = spaceActorSays(actor);
    const told = { id, state, since, says: reason.says, code: reason.code, by, ends, deadline, events };
    const explanation = explainSpace({ ...told, build, replica, read: this.#readNow() });
    return { explanation, beside: new Map(), owner: view.owner, account: view.owner, space: id };
  }

  /** Refusals that strangers can cause are counted, and say so. */
  async #counted(id: string): Promise<Explained | undefined> {
    const row = await this.#parts.evidence.readCounted(id);
    return row
      ? {
          explanation: explainCounted(row, this.#readNow()),
          beside: new Map(),
          owner: null,
          account: anyone,
          space: null,
        }
      : undefined;
  }

  #readNow(): WorkRecord["read"] {
    return { journal: this.#parts.engine.durable, evidence: this.#parts.evidence.index() };
  }
}

/** Ids, those first on which the verdict may rest: what its own entries name, its calls, and only then the many that may name it. */
export function worksBeside(
  { id, entries }: Pick<WorkRecord, "id" | "entries">,
  calls: readonly { readonly id: string }[],
  links: readonly string[],
): readonly string[] {
  const named = entries.flatMap(({ facts }) => [facts["link"], facts["request"], facts["call"]]);
  const known = named.filter((name): name is string => typeof name === "string" && workKindOf(name) !== undefined);
  const ids = new Set([...known, ...calls.map((call) => call.id), ...links]);
  ids.delete(id);
  return [...ids];
}

/** `alice`, `the platform`, `its visitor` */
export function spaceActorSays({ kind, account }: Actor): string {
  return account ?? `${kind === "app" || kind === "platform" ? "the" : "its"} ${kind}`;
}

/** What happened to a Space, as an entry: a view of the catalog's record, as those of the journal are. */
function entryOf(work: string, { seq, at, from, to, reason, actor, deadline, ends }: NumberedEvent): Entry {
  const { says, code } = reason;
  const facts = {
    from,
    to,
    says,
    ...(code === null ? {} : { code }),
    actor: actor.kind,
    account: actor.account,
    deadline: deadline === null ? null : iso(deadline),
    ends,
  };
  const mark = code === null ? "done" : "failed";
  return {
    id: `spaces/${work}/${seq}`,
    work,
    hop: "space.state",
    mark,
    emitter: "spaces",
    epoch: 1,
    seq,
    at: iso(at),
    facts,
  };
}

/** What is said of an id that nothing here has. */
export interface Unknown {
  readonly detail: string;
  readonly next: string;
}

/** Before the number of a record, in the ids of its views. */
const schedulerIds = "journal";

/** It is told with nothing beside it that concerns others. */
function alone(subject: Subject | undefined): Explained | undefined {
  return subject && { ...subject, space: null, beside: new Map() };
}

function as(asked: string, explained: Explained | undefined): Explained | undefined {
  return explained && { ...explained, explanation: { ...explained.explanation, asked } };
}

interface Line {
  readonly line: LinkedWork;
  readonly concerned: Concerned;
}

/** What nobody with an account caused may be read by whoever has its id. */
const anyone = "address:";

function chargeOf({ chargedMs, heldMs, outcome, receipt }: CallRow): Charge {
  return { chargedMs, heldMs, releasedMs: outcome === null ? 0 : heldMs - chargedMs, receipt };
}
