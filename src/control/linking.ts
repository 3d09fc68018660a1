/** Follows the chain of a work from record to record, and finds what is likely to belong to it though no record names it: the pure rules say what follows. */
import type { Catalog } from "../catalog/catalog.ts";
import { chainIn, earlierTry, inOrder, isPushOf, leadsOf, pushOf, type ChainStep } from "../evidence/chain.ts";
import type { WorkKind } from "../evidence/entry.ts";
import { workKindOf } from "../evidence/id-kinds.ts";
import { areComparable } from "../evidence/clocks.ts";
import { clockSlackMs, insideOf, type Inside, type Open } from "../evidence/inside.ts";
import type { WorkRecord } from "../evidence/work-record.ts";
import type { EvidenceStore } from "../record/store.ts";
import { instant, type Instant } from "../stdx/time.ts";

/** All that the two records hold of a work; `links`: works that name it and that it names. */
export interface Held {
  readonly record: WorkRecord;
  readonly links: readonly string[];
}

export interface LinkingParts {
  readonly catalog: Pick<Catalog, "calls" | "builds">;
  readonly evidence: Pick<EvidenceStore, "readPassages">;
  now(): Instant;
  held(id: string, kind: WorkKind): Promise<Held>;
}

/** A chain, and the records that it was followed through. */
export interface Chain {
  readonly steps: readonly ChainStep[];
  readonly through: readonly WorkRecord[];
}

/** So long before a connection a request or a call may have begun that it is inside of; longer ones are few, and told by entries. */
const reachMs = 600_000;
/** Calls of a replica that are looked at; beyond them nothing is said. */
const callsMax = 200;
/** Connections of one work that are likely its own and are shown. */
const connectionsMax = 10;
/** Tries of one commit that are followed back to its push, and works beside a build among which its push is. */
const triesMax = 5;
const besideMax = 10;

export class Linking {
  readonly #parts: LinkingParts;

  constructor(parts: LinkingParts) {
    this.#parts = parts;
  }

  /** Of a connection the work that it was opened in; of a call or a request the connections that were opened in it. */
  async inside(record: WorkRecord): Promise<readonly Inside[]> {
    const { kind, entries } = record;
    const { replica } = leadsOf(record);
    const space = entries.find(({ facts }) => typeof facts["space"] === "string")?.facts["space"];
    if (replica === undefined || typeof space !== "string" || kind === "replica") return [];
    const times = entries.map(({ at }) => Date.parse(at));
    if (kind === "connection") {
      const openedAt = openedAtOf(record);
      const around = await this.#around(record, { space, replica, from: openedAt, to: openedAt });
      return [insideOf(openedAt, around?.works ?? [])].flatMap((found) => found ?? []);
    }
    if (kind !== "call" && kind !== "request") return [];
    const to = isOver(record) ? Math.max(...times) : this.#parts.now();
    const around = await this.#around(record, { space, replica, from: Math.min(...times), to });
    const own = (around?.connections ?? []).flatMap((connection) => {
      const found = insideOf(connection.from, around?.works ?? []);
      return found?.id === record.id ? { id: connection.id, says: found.says } : [];
    });
    return own.slice(0, connectionsMax);
  }

  /** From the request down to the push, as far as it is recorded; `inside`: what is likely of a connection. */
  async chain({ record, links }: Held, inside: readonly Inside[]): Promise<Chain> {
    const through = new Map<string, Held>([[record.id, { record, links }]]);
    const look = async (id: string | undefined): Promise<WorkRecord | undefined> => {
      const kind = id === undefined ? undefined : workKindOf(id);
      if (id === undefined || kind === undefined) return undefined;
      const held = through.get(id) ?? (await this.#parts.held(id, kind));
      if (held.record.entries.length > 0) through.set(id, held);
      return held.record;
    };
    const likely = record.kind === "connection" ? inside[0] : undefined;
    const within = await look(likely?.id);
    const call = record.kind === "request" ? await look(await this.#onlyCall(record.id)) : within;
    const leads = { ...(call && leadsOf(call)), ...(within && leadsOf(within)), ...leadsOf(record) };
    await look(leads.request);
    const replica = await look(leads.replica);
    const build = await look(leads.build ?? (replica && leadsOf(replica).build));
    const works = [...through.values()].map((held) => held.record);
    const made = build ?? (record.kind === "build" ? record : undefined);
    const isPush = made !== undefined && made !== record && isPushOf(record, made);
    const push = isPush
      ? pushOf([record])
      : made && (await this.push(through.get(made.id) ?? { record: made, links: [] }));
    return { steps: inOrder(chainIn(works, likely, await this.#commitOf(made)), push), through: works };
  }

  /** The call that a request made; undefined where it made none, or several. */
  async #onlyCall(request: string): Promise<string | undefined> {
    const { items = [] } = (await this.#parts.catalog.calls.list({ request, limit: 2 })) ?? {};
    return items.length === 1 ? items[0]?.id : undefined;
  }

  async #commitOf(build: WorkRecord | undefined): Promise<ChainStep | undefined> {
    if (build === undefined) return undefined;
    // The catalog has it also where its entries are gone.
    const { commit } = leadsOf(build);
    const of = commit ?? (await this.#parts.catalog.builds.get(build.id));
    return of && { id: `${of.space}@${of.commit}`, kind: "commit" };
  }

  /** By which a build's commit came; of one that is another try, that of the first. */
  async push(held: Held): Promise<ChainStep | undefined> {
    let at = held;
    for (let tries = 0; tries < triesMax; tries += 1) {
      const beside = at.links.filter((id) => ["request", "transfer"].includes(workKindOf(id) ?? ""));
      const read = beside.slice(0, besideMax).map((id) => this.#parts.held(id, workKindOf(id) as WorkKind));
      const push = pushOf((await Promise.all(read)).map(({ record }) => record));
      const before = earlierTry(at.record);
      if (push !== undefined || before === undefined) return push;
      at = await this.#parts.held(before, "build");
    }
    return undefined;
  }

  /** What was open at the replica, and which connections began; undefined where that is not known well enough to conclude from. */
  async #around(
    { clocks = [] }: WorkRecord,
    { space, replica, from, to }: { space: string; replica: string; from: number; to: number },
  ) {
    const [told, calls] = await Promise.all([
      this.#parts.evidence.readPassages({ space, replica, from: from - reachMs, to: to + clockSlackMs }),
      this.#parts.catalog.calls.during({
        ...{ space, replica, limit: callsMax + 1 },
        ...{ from: instant(from - clockSlackMs), to: instant(to + clockSlackMs) },
      }),
    ]);
    if (told.isCut || calls.length > callsMax || !areComparable([...clocks, ...told.clocks])) return undefined;
    const requests = told.passages.filter(({ kind }) => kind === "request");
    const works: Open[] = [
      ...requests.map((passage) => ({ ...passage, kind: "request" as const })),
      ...calls.flatMap(({ id, request, grantedAt, endedAt }): Open[] => {
        if (grantedAt === null) return [];
        const ended = endedAt === null ? null : Date.parse(endedAt);
        return [{ id, kind: "call", from: Date.parse(grantedAt), to: ended, request }];
      }),
    ];
    return { works, connections: told.passages.filter(({ kind }) => kind === "connection") };
  }
}

/** Entries of one that was not carried are written at its end, which says how long it took; those of a packed one when it began. */
function openedAtOf({ entries }: WorkRecord): number {
  const end = entries.find(({ mark }) => mark === "refused" || mark === "failed");
  const took = end?.facts["ms"];
  if (end !== undefined) return Date.parse(end.at) - (typeof took === "number" ? took : 0);
  return Math.min(...entries.map(({ at }) => Date.parse(at)));
}

function isOver({ entries }: WorkRecord): boolean {
  return entries.some(({ hop, mark }) => hop === "edge.deliver" || hop === "gpu.settle" || mark === "refused");
}
