/**
 * The one writer: decides on the head of the state, applies at once, and tells nobody before it is durable.
 *
 *   submit ─► decide ─► apply ─► append ─ ─ (durable) ─ ─► listeners ─► answer
 *
 *   L13. Answer and effect are one durable commit.
 *   L14. (time, index) strictly increases: time is the wall time at the start, moved by the monotonic clock, never back.
 *   L17. Each start is a new epoch, recorded before anything else.
 *   L25. Snapshot and replay give the state that was left.
 *   L28. Nothing is shown outside before it is durable: an answer waits for the head that it was decided upon.
 */
import { hash } from "node:crypto";
import { decide } from "../core/decide.ts";
import { nextDeadline } from "../core/deadlines.ts";
import { apply } from "../core/evolve.ts";
import type { Command, CommandRefusal, Event } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import { encodeState } from "../core/state.ts";
import type { State } from "../core/state.ts";
import type { Journal } from "../journal/index.ts";
import { instant } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { hashOf, recover } from "./recovery.ts";
import type { PassedOver, Recovered } from "./recovery.ts";

/** What became of a command: its events (none for a harmless repeat), or why it can't be. */
export type Answer = AnswerPlace &
  ({ readonly ok: true; readonly events: readonly Event[] } | { readonly ok: false; readonly why: CommandRefusal });

/** The record that holds the events, or the last one before an answer without events. */
interface AnswerPlace {
  readonly index: number;
  readonly at: Instant;
}

/** Hears each durable record once, in order. What it throws ends the process: a listener that misses a record is wrong for good. */
export type RecordListener = (record: LedgerRecord) => void;

/** Calls back once after `ms`; what it returns calls that off. */
export type Alarm = (ms: number, ring: () => void) => () => void;

export interface EngineLog {
  info(facts: object, says: string): void;
  warn(facts: object, says: string): void;
}

export interface EngineOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  /** The engine can't go on: the process must end and start anew from what is durable. Called once. */
  readonly onFatal: (failure: Error) => void;
  readonly log?: EngineLog;
  readonly alarm?: Alarm;
  /** Records between snapshots. */
  readonly snapshotEvery?: number;
}

/** More commands are on their way to disk than the engine holds; the caller tries again. */
export class EngineBusy extends Error {
  override readonly name = "EngineBusy";
  readonly code = "engine-busy";
}

/** The engine has ended, or failed; what is on its way is not acknowledged. */
export class EngineStopped extends Error {
  override readonly name = "EngineStopped";
  readonly code = "engine-stopped";
}

/** Commands between decision and disk; at a slow disk's 10 ms a group, ten thousand is a second's worth of answers. */
export const inFlightMax = 10_000;

/** Encoding a full state holds everything up for 0.1 s, so it is seldom; a start reads some 160,000 records a second, half as many on a busy machine. */
export const snapshotEveryDefault = 400_000;

/** Records between snapshots for each call of the state: a long queue is encoded the more seldom, and costs no more for each record. */
const snapshotEveryCall = 2;

/** Deadlines are looked up at most this often: finding the next one walks the queues, and none needs to be met closer. */
const deadlineGrainMs = 10;

/** The longest that one timer waits; the deadline is then looked up anew. */
const alarmMaxMs = 60_000;

/** Records that the journal promised together. */
interface Batch {
  readonly durable: Promise<void>;
  readonly records: LedgerRecord[];
  /** Settles when they are durable and the listeners have heard of them. */
  readonly told: PromiseWithResolvers<void>;
  /** Answers that wait for that. */
  waiting: number;
}

export class Engine implements AsyncDisposable {
  /** Snapshots that this start could not use. */
  readonly passedOver: readonly PassedOver[];
  readonly #journal: Journal;
  readonly #onFatal: (failure: Error) => void;
  readonly #alarm: Alarm;
  readonly #log: EngineLog | undefined;
  readonly #snapshotEvery: number;
  readonly #clock: Clock;
  readonly #state: State;
  readonly #listeners = new Set<RecordListener>();
  /** Wall time less monotonic time, at the start (L14). */
  readonly #offset: number;
  /** Those that are not durable, in order of index. */
  readonly #batches: Batch[] = [];
  readonly #groups = { count: 0, records: 0 };
  /** Answers that wait for them. */
  #inFlight = 0;
  #durable: number;
  #snapshotAt: number;
  #callOff: (() => void) | undefined;
  /** Whether the alarm is set for the next look, not for a deadline further away. */
  #looksSoon = false;
  #stopped: Error | undefined;
  #disposing = false;

  /**
   * Reads the latest snapshot that can be used, replays what came after it, and starts a new epoch. Rejects with what the journal
   * found wrong, or with `SnapshotMismatch`.
   */
  static async open(options: EngineOptions): Promise<Engine> {
    const { state, from, passedOver } = await recover(options.journal);
    for (const { index, why } of passedOver)
      options.log?.warn(
        { index, why, from },
        "a snapshot of the ledger cannot be used: the records before it are read again",
      );
    const engine = new Engine(options, state, { from, passedOver });
    const { index } = await engine.submit({ type: "start-writer", epoch: state.writer.epoch + 1 });
    const facts = { index, epoch: state.writer.epoch, replayed: index - 1 - from };
    options.log?.info(facts, "the ledger is open");
    // So that the next start need not read as much again.
    if (passedOver.length > 0) await engine.#snapshot();
    return engine;
  }

  private constructor(options: EngineOptions, state: State, { from, passedOver }: Omit<Recovered, "state">) {
    this.#journal = options.journal;
    this.#onFatal = options.onFatal;
    this.#alarm = options.alarm ?? systemAlarm;
    this.#log = options.log;
    this.#snapshotEvery = options.snapshotEvery ?? snapshotEveryDefault;
    this.#clock = options.clock;
    this.#state = state;
    this.#durable = state.index;
    this.#snapshotAt = from;
    this.passedOver = passedOver;
    this.#offset = Math.max(options.clock.wall(), state.at) - options.clock.monotonic();
  }

  /** Index of the last durable record. */
  get durable(): number {
    return this.#durable;
  }

  /** In how many groups records were made durable since the start, and how many records. */
  get groups(): { readonly count: number; readonly records: number } {
    return { ...this.#groups };
  }

  /** sha256 of the state's canonical form, in hexadecimal digits (L25). */
  stateHash(): string {
    return hashOf(this.#state);
  }

  /** The ledger's time (L14). */
  now(): Instant {
    return instant(Math.max(this.#state.at, this.#offset + this.#clock.monotonic()));
  }

  /**
   * Decides now, in the order of the calls; resolves when the outcome is durable (L28). The record is found in the journal under
   * `mark` too. Rejects with `EngineBusy` before
   * anything was decided, or with `EngineStopped` or the journal's failure when the outcome is not known to be kept.
   */
  submit(command: Command, mark?: string): Promise<Answer> {
    return this.#answer(() => this.#decide(command, mark));
  }

  /** What `view` says of the state now, as soon as all that it saw is durable. It must copy what it hands out. */
  read<T>(view: (state: State, now: Instant) => T): Promise<T> {
    return this.#answer(() => view(this.#state, this.now()));
  }

  /** Calls `listener` with each record that becomes durable from now on; what it returns ends that. */
  subscribe(listener: RecordListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for what is on its way, and keeps a snapshot. The journal stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposing) return;
    this.#disposing = true;
    this.#callOff?.();
    if (this.#stopped !== undefined) return;
    await this.#whenDurable(undefined);
    await this.#snapshot();
    this.#stopped ??= new EngineStopped("the engine has ended");
  }

  #checkOpen(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#disposing) throw new EngineStopped("the engine is ending");
    if (this.#inFlight >= inFlightMax)
      throw new EngineBusy(`${this.#inFlight} commands are already on their way to disk`);
  }

  #answer<T>(now: () => T): Promise<T> {
    try {
      this.#checkOpen();
      return this.#whenDurable(now());
    } catch (failure) {
      return Promise.reject(failure);
    }
  }

  #decide(command: Command, mark: string | undefined): Answer {
    const at = this.now();
    const decision = decide(this.#state, command, at);
    if (!decision.ok || decision.events.length === 0) {
      return { ...decision, index: this.#state.index, at: this.#state.at };
    }
    const { events } = decision;
    const index = this.#state.index + 1;
    this.#record({ index, at, events }, mark);
    return { ok: true, events, index, at };
  }

  /** Applies and appends; from here on there is no way back but a new process. */
  #record(record: LedgerRecord, mark: string | undefined): void {
    try {
      apply(this.#state, record);
      const works = worksOf(record.events);
      this.#follow(this.#journal.append(record, mark === undefined ? works : [...works, mark]), record);
    } catch (failure) {
      this.#fail(failure as Error);
      throw failure;
    }
    const every = Math.max(this.#snapshotEvery, snapshotEveryCall * this.#state.calls.size);
    if (record.index - this.#snapshotAt >= every) void this.#snapshot();
    if (!this.#looksSoon) this.#setAlarm(deadlineGrainMs);
  }

  #follow(durable: Promise<void>, record: LedgerRecord): void {
    const newest = this.#batches.at(-1);
    if (newest?.durable === durable) {
      newest.records.push(record);
      return;
    }
    const batch: Batch = { durable, records: [record], told: Promise.withResolvers(), waiting: 0 };
    this.#batches.push(batch);
    durable.then(
      () => this.#tell(batch),
      (failure: Error) => this.#fail(failure),
    );
  }

  /** L28: it was decided upon the newest record. */
  #whenDurable<T>(answer: T): Promise<T> {
    const newest = this.#batches.at(-1);
    if (newest === undefined) return Promise.resolve(answer);
    this.#inFlight++;
    newest.waiting++;
    return newest.told.promise.then(() => answer);
  }

  /** L28: everything up to the batch is durable now. */
  #tell(upTo: Batch): void {
    while (this.#stopped === undefined && this.#batches.includes(upTo)) {
      const { records, told, waiting } = this.#batches.shift() as Batch;
      this.#inFlight -= waiting;
      this.#durable = (records.at(-1) as LedgerRecord).index;
      this.#groups.count += 1;
      this.#groups.records += records.length;
      try {
        for (const record of records) for (const listener of this.#listeners) listener(record);
        told.resolve();
      } catch (failure) {
        told.reject(failure);
        this.#fail(failure as Error);
      }
    }
  }

  #lookAtDeadlines(): void {
    if (this.#stopped !== undefined || this.#disposing) return;
    const now = this.now();
    const due = nextDeadline(this.#state);
    this.#setAlarm(due === null ? alarmMaxMs : Math.min(alarmMaxMs, Math.max(deadlineGrainMs, due - now)));
    if (due !== null && due <= now) this.#tick();
  }

  #setAlarm(ms: number): void {
    this.#callOff?.();
    this.#looksSoon = ms === deadlineGrainMs;
    this.#callOff = this.#alarm(ms, () => this.#lookAtDeadlines());
  }

  #tick(): void {
    this.submit({ type: "tick" }).catch((failure: unknown) => {
      // A full engine ticks at the next look; any other failure has been told already, or is our bug.
      if (!(failure instanceof EngineBusy)) this.#fail(failure as Error);
    });
  }

  async #snapshot(): Promise<void> {
    const { index } = this.#state;
    if (index === this.#snapshotAt) return;
    this.#snapshotAt = index;
    try {
      const body = this.#encoded();
      if (body !== undefined) await this.#journal.saveSnapshot({ index, stateHash: hash("sha256", body, "hex"), body });
    } catch (failure) {
      this.#fail(failure as Error);
    }
  }

  /** Undefined where it is longer than a string can be, at some 800,000 waiting calls: a start then replays from the snapshot before. */
  #encoded(): string | undefined {
    try {
      return encodeState(this.#state);
    } catch (failure) {
      if (!(failure instanceof RangeError)) throw failure;
      const facts = { index: this.#state.index, calls: this.#state.calls.size };
      this.#log?.warn(facts, "the ledger's state is too large for a snapshot: none is kept, and a start takes longer");
      return undefined;
    }
  }

  #fail(failure: Error): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = failure;
    this.#callOff?.();
    for (const { told } of this.#batches.splice(0)) told.reject(failure);
    this.#onFatal(failure);
  }
}

/** The calls and nodes that a record is about, each once: under them the journal finds it. Forgetting a call is not about it. */
export function worksOf(events: readonly Event[]): readonly string[] {
  let works: string[] | undefined; // Nearly always of one.
  for (const event of events) {
    const work = "call" in event ? event.call : "terms" in event ? event.terms.call : subjectOf(event);
    if (work === undefined || works?.includes(work)) continue;
    if (works === undefined) works = [work];
    else works.push(work);
  }
  return works ?? [];
}

/** Of events that tell what became of a node or its cards, or of an allowance. */
function subjectOf(event: Event): string | undefined {
  switch (event.type) {
    case "allowance-given":
      return event.allowance.id;
    case "allowance-revoked":
      return event.allowance;
    case "node-joined":
    case "node-lost":
    case "cards-changed":
      return event.node;
    case "drain-set":
      return event.of.kind === "pool" ? undefined : event.of.node;
    default:
      return undefined;
  }
}

function systemAlarm(ms: number, ring: () => void): () => void {
  const timer = setTimeout(ring, ms);
  return () => clearTimeout(timer);
}
