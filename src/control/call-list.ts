/** The list of calls in the catalog: it follows the journal's durable records, and shows a waiting call with its place. */
import type { CallView, Page } from "../contract/api.ts";
import type { CallRow } from "../catalog/calls.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { LedgerRecord } from "../core/record.ts";
import { callOf, placeOf } from "../core/views.ts";
import type { Journal } from "../journal/index.ts";
import type { Engine } from "./engine.ts";
import { waitingView } from "./waiting.ts";

export interface CallListParts {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly catalog: Catalog;
  onFailure(what: string, error: unknown): void;
}

/** Durable records that wait for the list are taken in so many at once. */
const projectAtOnce = 2_000;
/** And so many wait in memory; what is more is read back from the journal. */
const unprojectedMax = 20_000;

/** The list of calls was told of records that the journal no longer holds: its end was lost with what it acknowledged. */
export class RecordsMissing extends Error {
  override readonly name = "RecordsMissing";
  readonly code = "journal-damaged";

  constructor(listed: number, last: number) {
    super(
      `the journal ends at record ${last}, and the list of calls was told of records up to ${listed}: record ${last + 1} is missing. ` +
        "Copy the data folder somewhere safe, then restore it from a backup; check the disk before using it again.",
    );
  }
}

export class CallList {
  readonly #parts: CallListParts;
  #unprojected: LedgerRecord[] = [];
  #projecting: Promise<void> = Promise.resolve();

  constructor(parts: CallListParts) {
    this.#parts = parts;
  }

  /** Brings the list up to the journal, and follows it from then on. Rejects where the two do not fit. */
  async follow(): Promise<void> {
    await this.#catchUp();
    this.#parts.engine.subscribe((record) => {
      if (this.#unprojected.length >= unprojectedMax) this.#unprojected = [];
      this.#unprojected.push(record);
      if (this.#unprojected.length === 1) void this.#follow();
    });
    await this.#follow();
  }

  /** Resolves when the list shows all that is durable now. */
  async caughtUp(): Promise<void> {
    await this.#follow();
  }

  /** Of an account, of a Space, or of an account at a Space. */
  async list({
    account,
    space,
    page,
    limit,
  }: {
    account?: string | undefined;
    space?: string | undefined;
    page: string | undefined;
    limit: number;
  }): Promise<Page<CallView>> {
    await this.caughtUp();
    const found = await this.#parts.catalog.calls.list({
      limit,
      ...(account === undefined ? {} : { account }),
      ...(space === undefined ? {} : { space }),
      ...(page === undefined ? {} : { before: page }),
    });
    if (!found) return { items: [], next: null };
    return { items: await Promise.all(found.items.map((row) => this.#withWaiting(row))), next: found.next };
  }

  async get(id: string): Promise<CallView | undefined> {
    await this.caughtUp();
    const row = await this.#parts.catalog.calls.get(id);
    return row && this.#withWaiting(row);
  }

  #follow(): Promise<void> {
    this.#projecting = this.#projecting.then(() => this.#project());
    return this.#projecting;
  }

  async #project(): Promise<void> {
    const { calls } = this.#parts.catalog;
    try {
      while (this.#unprojected.length > 0) {
        const records = this.#unprojected.splice(0, projectAtOnce);
        if (records[0]?.index === calls.cursor + 1) await calls.project(records);
      }
      if (calls.cursor < this.#parts.engine.durable) await this.#catchUp();
    } catch (error) {
      // The journal has them: the next record, or whoever asks for the list, takes them in from there.
      this.#unprojected = [];
      this.#parts.onFailure("the list of calls could not follow the journal", error);
    }
  }

  /** Takes in from the journal what was not there to hear, or could not be stored when it was heard. */
  async #catchUp(): Promise<void> {
    const { journal, engine } = this.#parts;
    const { calls } = this.#parts.catalog;
    const until = engine.durable;
    if (calls.cursor > until) {
      throw new RecordsMissing(calls.cursor, until);
    }
    while (calls.cursor < until) await calls.project(await journal.read(calls.cursor + 1, projectAtOnce));
  }

  async #withWaiting(row: CallRow): Promise<CallView> {
    if (row.stage !== "queued") return viewOf(row);
    const waiting = await this.#parts.engine.read((state, now) => {
      const place = placeOf(state, row.id, now);
      const call = callOf(state, row.id);
      return place && call?.stage === "queued"
        ? { view: waitingView(place), queuedMs: now - call.admittedAt }
        : undefined;
    });
    return waiting ? { ...viewOf(row), queuedMs: waiting.queuedMs, waiting: waiting.view } : viewOf(row);
  }
}

function viewOf(row: CallRow): CallView {
  const {
    id,
    at,
    account,
    space,
    request,
    stage,
    outcome,
    code,
    size,
    declaredMs,
    heldMs,
    queuedMs,
    usedMs,
    chargedMs,
    receipt,
    waiting,
  } = row;
  return {
    id,
    at,
    account,
    space,
    request,
    stage,
    outcome,
    code,
    size,
    declaredMs,
    heldMs,
    queuedMs,
    usedMs,
    chargedMs,
    receipt,
    waiting,
  };
}
