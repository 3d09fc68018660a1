/** Builds that have not ended, with what only this process needs of them; of those that ended last, their rows. */
import type { BuildView } from "../contract/api.ts";
import type { BuildRow } from "../catalog/builds.ts";
import type { BuildLogs } from "./build-logs.ts";

export interface LiveBuild {
  row: BuildRow;
  /** The replica that it waits for. */
  replica: string | undefined;
  steps: BuildView["steps"][number][];
  /** The place in the queue that its log has told last. */
  toldPlace: string;
  /** The fence whose late word its log has told last. */
  toldFence: number;
}

/** Rows of ended builds that need not be read again. */
const endedRowsKept = 10;

export class LiveBuilds {
  readonly #logs: BuildLogs;
  readonly #live = new Map<string, LiveBuild>();
  readonly #endedRows = new Map<string, BuildRow>();

  constructor(logs: BuildLogs) {
    this.#logs = logs;
  }

  get all(): Iterable<readonly [string, LiveBuild]> {
    return this.#live;
  }

  get(id: string): LiveBuild | undefined {
    return this.#live.get(id);
  }

  /** Also of one that ended a moment ago. */
  rowOf(id: string): BuildRow | undefined {
    return this.#live.get(id)?.row ?? this.#endedRows.get(id);
  }

  add(row: BuildRow): void {
    this.#live.set(row.id, { row, replica: undefined, steps: [...row.steps], toldPlace: "", toldFence: 0 });
  }

  change(id: string, change: Partial<BuildRow>): void {
    const live = this.#live.get(id);
    if (live) live.row = { ...live.row, ...change };
  }

  /** What its row is told of beside its stage; nothing where it is not live. */
  countsOf(id: string): Partial<Pick<BuildRow, "steps" | "logLines">> {
    const live = this.#live.get(id);
    return live ? { steps: live.steps, logLines: this.#logs.count(id) ?? live.row.logLines } : {};
  }

  /** The row of one that ended is another now. */
  readAgain(id: string): void {
    this.#endedRows.delete(id);
  }

  /** It has ended. */
  forget(id: string): void {
    const live = this.#live.get(id);
    if (!live) return;
    this.#live.delete(id);
    this.#endedRows.set(id, live.row);
    const oldest = this.#endedRows.keys().next().value;
    if (this.#endedRows.size > endedRowsKept && oldest !== undefined) this.#endedRows.delete(oldest);
  }
}
