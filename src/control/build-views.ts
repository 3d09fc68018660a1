/** Builds as the API shows them: live ones with their newest numbers and their place in the queue. */
import type { BuildQueueView, BuildView } from "../contract/api.ts";
import type { BuildsStatus } from "../contract/status.ts";
import { buildView } from "../catalog/builds.ts";
import type { BuildRow, EndedCount } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { isLeased } from "../core/builds/model.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import { instant, iso } from "../stdx/time.ts";
import type { BuildMachine } from "./build-machine.ts";
import { waitingViews } from "./build-story.ts";
import type { LiveBuilds } from "./live-builds.ts";

const dayMs = 24 * 3_600_000;

export class BuildViews {
  readonly #machine: BuildMachine;
  readonly #live: LiveBuilds;
  readonly #rows: Catalog["builds"];

  constructor({ machine, live, rows }: { machine: BuildMachine; live: LiveBuilds; rows: Catalog["builds"] }) {
    this.#machine = machine;
    this.#live = live;
    this.#rows = rows;
  }

  /** The build with its newest numbers. */
  of(row: BuildRow): BuildView {
    return this.all([row])[0] as BuildView;
  }

  all(rows: readonly BuildRow[]): readonly BuildView[] {
    const now = this.#machine.now();
    const waiting = waitingViews(this.#machine.state, now, this.#machine.limits);
    return rows.map((row) => {
      const live = this.#live.get(row.id);
      if (!live) return buildView(this.#live.rowOf(row.id) ?? row, now);
      const view = buildView({ ...live.row, ...this.#live.countsOf(row.id) }, now);
      const place = waiting.get(row.id) ?? null;
      return place === null ? view : { ...view, waiting: place, says: place.says, deadline: place.until };
    });
  }

  /** Who waits, the next one first, and who builds. */
  queue(): BuildQueueView {
    const { state, limits } = this.#machine;
    const waiting = waitingViews(state, this.#machine.now(), limits);
    const rowsOf = (ids: Iterable<string>): readonly BuildRow[] =>
      [...ids].flatMap((id) => this.#live.get(id)?.row ?? []);
    const leased = [...state.builds.values()].filter(isLeased);
    const ids = leased.map(({ terms }) => terms.build);
    return {
      builders: [...state.builders.values()].map(({ name, sdks, parallel, awaySince }) => ({
        name,
        sdks,
        parallel,
        builds: leased.filter(({ lease }) => lease.builder === name).map(({ terms }) => terms.build),
        awaySince: awaySince === null ? null : iso(awaySince),
      })),
      building: this.all(rowsOf(ids)),
      waiting: this.all(rowsOf(waiting.keys())),
      waitingMax: limits.waitingMax,
      ownerWaitingMax: limits.ownerWaitingMax,
    };
  }

  /** How many wait and build, and how those of the last day ended. */
  async status(): Promise<BuildsStatus> {
    const all = [...this.#machine.state.builds.values()];
    const queued = all.filter(({ stage }) => stage === "queued").length;
    const ended = await this.#rows.countEnded(instant(this.#machine.now() - dayMs));
    return { queued, building: all.length - queued, day: dayOf(ended) };
  }
}

function dayOf(ended: readonly EndedCount[]): BuildsStatus["day"] {
  const sum = (some: readonly EndedCount[]): number => some.reduce((all, { count }) => all + count, 0);
  const failed = ended.filter(({ stage }) => stage === "failed");
  const failedBy: Record<string, number> = {};
  for (const { code, count } of failed) {
    const owner = code !== null && isCode(code) ? codeRow(code).owner : "unknown";
    failedBy[owner] = (failedBy[owner] ?? 0) + count;
  }
  const ok = sum(ended.filter(({ stage }) => stage === "done"));
  return { ok, failed: sum(failed), failedBy, dropped: sum(ended) - ok - sum(failed) };
}
