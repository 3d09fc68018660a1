/** Counts the ledger's calls into the evidence store, each record once: by the numbers of its records it goes on after a restart. */
import type { LedgerRecord } from "../core/record.ts";
import type { Journal } from "../journal/index.ts";
import type { StatusRecord } from "../record/status-store.ts";
import { callCounts } from "../record/work-counts.ts";
import { Turns } from "../stdx/turns.ts";
import type { Engine } from "./engine.ts";

export interface CallCountingParts {
  readonly engine: Engine;
  readonly journal: Pick<Journal, "read">;
  readonly record: Pick<StatusRecord, "callsThrough" | "countCalls" | "beginCalls">;
}

/** Durable records that are counted at once. */
const countAtOnce = 2_000;
/** So many wait in memory; what is more is read back from the journal. */
const heardMax = 20_000;
/** Calls that wait, of which it is known since when: beyond it the oldest are counted without their wait. */
const waitingMax = 200_000;

export class CallCounting implements Disposable {
  readonly #parts: CallCountingParts;
  readonly #admittedAt = new Map<string, number>();
  readonly #unsubscribe: () => void;
  readonly #turns = new Turns();
  #through: number;
  #heard: LedgerRecord[] = [];

  /** Begins where it left off; the first time at the journal's end. */
  static async open(parts: CallCountingParts): Promise<CallCounting> {
    const known = await parts.record.callsThrough();
    const { durable } = parts.engine;
    // A ledger that was restored from a copy is shorter than what was counted of the one that it took the place of.
    const through = known === null || known > durable ? durable : known;
    if (through !== known) await parts.record.beginCalls(through);
    const counting = new CallCounting(parts, through);
    for (const [call, at] of await parts.engine.read((state) =>
      [...state.calls.values()].flatMap((one) =>
        one.stage === "queued" ? [[one.terms.call, one.admittedAt] as const] : [],
      ),
    ))
      counting.#admittedAt.set(call, at);
    return counting;
  }

  private constructor(parts: CallCountingParts, through: number) {
    this.#parts = parts;
    this.#through = through;
    this.#unsubscribe = parts.engine.subscribe((record) => {
      if (this.#heard.length >= heardMax) this.#heard = [];
      this.#heard.push(record);
    });
  }

  /** Counts all that is durable now. One at a time: of two that read the same records, both would count them. */
  catchUp(): Promise<void> {
    return this.#turns.take("calls", () => this.#catchUp());
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  async #catchUp(): Promise<void> {
    const { engine, journal, record } = this.#parts;
    const until = engine.durable;
    while (this.#through < until) {
      const heard = this.#heard.splice(0, countAtOnce).filter(({ index }) => index > this.#through);
      const known = heard[0]?.index === this.#through + 1 ? heard : await journal.read(this.#through + 1, countAtOnce);
      const records = known.filter(({ index }) => index <= until);
      const last = records.at(-1)?.index;
      if (last === undefined) return;
      // Records that compaction took away before they were counted leave a hole, which is not waited for.
      if (records[0]?.index !== this.#through + 1) await record.beginCalls((records[0]?.index ?? 1) - 1);
      this.#through = await record.countCalls(callCounts(records, this.#admittedAt));
      for (const call of this.#admittedAt.keys()) {
        if (this.#admittedAt.size <= waitingMax) break;
        this.#admittedAt.delete(call);
      }
    }
  }
}
