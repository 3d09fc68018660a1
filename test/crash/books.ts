/** The journal of a platform that is down, read as a start reads it, and what it says of each call. */
import { hash } from "node:crypto";
import { apply } from "../../src/core/evolve.ts";
import { newAudit, take } from "../../src/core/audit.ts";
import { checkInvariants } from "../../src/core/invariants.ts";
import type { CallTerms, Event } from "../../src/core/model.ts";
import { decodeState, emptyState, stateHashInput, type State } from "../../src/core/state.ts";
import { openSqliteJournal, type Journal } from "../../src/journal/index.ts";
import { assert } from "../../src/stdx/assert.ts";

type Granted = Extract<Event, { type: "call-granted" }>;
type Ended = Extract<Event, { type: "call-settled" | "call-voided" | "call-refused" }>;

/** What the journal holds of one call. */
export interface CallBook {
  readonly account: string;
  readonly grants: Granted[];
  attached: number;
  /** Exactly one, once it has come to its end. */
  readonly ends: Ended[];
}

/** Records read at once. */
const readAtOnce = 2_000;

export class Books {
  readonly calls = new Map<string, CallBook>();
  readonly #state = emptyState();
  readonly #audit = newAudit();

  /**
   * Reads on from where it was. True where a recovery (snapshot, then what came after it) gives the state of the whole log, whose
   * earlier part was read in earlier lives, and gives it again when it is opened once more (L25). Rejects with `JournalDamaged`.
   */
  async readOn(folder: string): Promise<boolean> {
    const recovered: string[] = [];
    for (let time = 1; time <= 2; time++) {
      await using journal = await open(folder);
      if (time === 1) await this.#follow(journal);
      recovered.push(hashOf(await recover(journal)));
    }
    return recovered.every((one) => one === this.stateHash);
  }

  /** Of the whole log, as far as it was read. */
  get stateHash(): string {
    return hashOf(this.#state);
  }

  /** Invariants that the state and the log do not keep, in sentences. */
  broken(): readonly string[] {
    return checkInvariants(this.#state, this.#audit).map(
      ({ invariant, index, says }) => `${invariant} at record ${index}: ${says}`,
    );
  }

  /** Calls that have not ended. */
  open(): readonly string[] {
    return [...this.calls].filter(([, { ends }]) => ends.length === 0).map(([id]) => id);
  }

  /** The charges of all calls of an account. */
  chargedMs(account: string): number {
    let sum = 0;
    for (const call of this.calls.values())
      if (call.account === account) for (const end of call.ends) sum += end.type === "call-settled" ? end.chargedMs : 0;
    return sum;
  }

  async #follow(journal: Journal): Promise<void> {
    for (;;) {
      const records = await journal.read(this.#state.index + 1, readAtOnce);
      for (const record of records) {
        apply(this.#state, record);
        take(this.#audit, record);
        for (const event of record.events) this.#note(event);
      }
      if (records.length < readAtOnce) return;
    }
  }

  #note(event: Event): void {
    if (event.type === "call-admitted") this.#open(event.terms);
    if (event.type === "call-refused") this.#open(event.terms).ends.push(event);
    if (event.type === "call-granted") this.#of(event.call).grants.push(event);
    if (event.type === "call-attached") this.#of(event.call).attached += 1;
    if (event.type === "call-settled" || event.type === "call-voided") this.#of(event.call).ends.push(event);
  }

  #open({ call, account }: CallTerms): CallBook {
    assert(!this.calls.has(call), `call ${call} is opened once`);
    const book: CallBook = { account, grants: [], attached: 0, ends: [] };
    this.calls.set(call, book);
    return book;
  }

  #of(call: string): CallBook {
    const book = this.calls.get(call);
    assert(book, `call ${call} was opened`);
    return book;
  }
}

/** The chain from the first record on, and the state that all of it gives. Rejects with `JournalDamaged`. */
export async function wholeLog(folder: string): Promise<{ readonly records: number; readonly stateHash: string }> {
  await using journal = await open(folder);
  const { records } = await journal.verify();
  const state = emptyState();
  await replay(journal, state);
  return { records, stateHash: hashOf(state) };
}

async function recover(journal: Journal): Promise<State> {
  const snapshot = await journal.latestSnapshot();
  const state = snapshot === null ? emptyState() : decodeState(snapshot.body);
  await replay(journal, state);
  return state;
}

async function replay(journal: Journal, state: State): Promise<void> {
  for (;;) {
    const records = await journal.read(state.index + 1, readAtOnce);
    for (const record of records) apply(state, record);
    if (records.length < readAtOnce) return;
  }
}

function open(folder: string): ReturnType<typeof openSqliteJournal> {
  return openSqliteJournal({
    folder,
    onFatal: (failure) => {
      throw failure;
    },
  });
}

function hashOf(state: State): string {
  return hash("sha256", stateHashInput(state), "hex");
}
