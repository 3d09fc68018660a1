/** The evidence store: takes in what emitters' spools hold, and gives it back by work. Its own file, its own thread. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import type { EvidenceBatch } from "../contract/agent.ts";
import type { RequestCount } from "../contract/requests.ts";
import type { StartTimes } from "../contract/starts.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { Counters } from "./counters.ts";
import type { Refused } from "./counters.ts";
import { checkEvidenceFormat } from "./evidence-format.ts";
import type { CountedRow, EvidenceTotals } from "./evidence-database.ts";
import type { Ingested } from "./intake.ts";
import { isText, recordsIn } from "./lines.ts";
import type { SpoolText } from "./lines.ts";
import type { WorkEvidence } from "./evidence-queries.ts";
import type { Passages, PassagesQuery } from "./evidence-passages.ts";
import type { SpanEvidence, SpanQuery } from "./evidence-span.ts";
import type { FollowQuery, RequestQuery, RequestsFollowed, RequestsFound } from "./request-log.ts";
import { StatusRecord } from "./status-store.ts";
import type { StoreAnswer, StoreCall } from "./store-protocol.ts";

export interface EvidenceStoreOptions {
  /** The database's file; its folder is created. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly retention?: Partial<typeof retentionDefaults>;
}

const dayMs = 24 * 3600 * 1000;
/** How long evidence is kept. What is dropped stays in the totals. */
export const retentionDefaults = {
  packedMaxAgeMs: 7 * dayMs,
  packedMaxRows: 2_000_000,
  entriesMaxAgeMs: 30 * dayMs,
  failedMaxRows: 50_000,
  countsMaxRows: 200_000,
};
/** Counters reach the store within this. */
const countEveryMs = 1000;
/** Retention looks this often, and for as many rounds as there is something to drop, at most {@link retainRounds}: 750,000 rows a look. */
const retainEveryMs = 60_000;
const retainRounds = 150;
/** Calls that may wait for the worker; more mean that it has stopped, and are refused. */
const pendingMax = 10_000;

/** Opens the store and starts its thread. Rejects with `EvidenceFormatUnknown`, or where the file can't be opened. */
export async function openEvidenceStore(options: EvidenceStoreOptions): Promise<EvidenceStore> {
  await mkdir(dirname(options.path), { recursive: true });
  checkEvidenceFormat(options.path);
  const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: { path: options.path }, execArgv: [] });
  const store = new EvidenceStore(worker, options);
  try {
    await store.start();
    return store;
  } catch (error) {
    await worker.terminate();
    throw new Error(`the evidence store ${options.path} could not be opened`, { cause: error });
  }
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class EvidenceStore {
  #next = 1;
  #index = 0;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;
  #timers: NodeJS.Timeout[] = [];
  #retaining = false;
  /** What the status is made of. */
  readonly status = new StatusRecord((ask) => this.#call({ op: "status", ask }));
  /** Told of each batch that is stored, whole or in part, and in which nothing is malformed. */
  onStored: ((batch: EvidenceBatch) => void) | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #retention: typeof retentionDefaults;

  constructor(worker: Worker, { clock, random, retention }: EvidenceStoreOptions) {
    this.#worker = worker;
    this.#clock = clock;
    this.#counters = new Counters(clock, random);
    this.#retention = { ...retentionDefaults, ...retention };
    worker.on("message", (answer: StoreAnswer) => this.#onAnswer(answer));
    worker.on("error", (error) => this.#fail(new Error("the evidence store's thread failed", { cause: error })));
    worker.on("exit", () => this.#fail(new Error("the evidence store is closed")));
  }

  /** Reads the index and starts the timers; part of opening. */
  async start(): Promise<void> {
    this.#index = (await this.totals()).index;
    this.#timers = [
      setInterval(() => void this.#flushQuietly(), countEveryMs).unref(),
      setInterval(() => void this.#retainQuietly(), retainEveryMs).unref(),
    ];
  }

  /**
   * Stores a batch; resolves when it is on disk, with what may be acknowledged to its emitter. Repeats and any order are harmless. A text's
   * bytes are no longer the caller's.
   * Rejects where the store can't write: then nothing of it is acknowledged, and the emitter keeps it. An emitter that a `node` has sent
   * of is that node's.
   */
  async ingest(batch: EvidenceBatch | SpoolText, node?: string): Promise<Ingested> {
    // The bytes of a text are the thread's from here on.
    const told = this.onStored && (isText(batch) ? { ...batch, records: recordsIn(batch.lines) } : batch);
    const done = (await this.#call(
      { op: "ingest", batch, heardAt: this.#clock.wall(), ...(node !== undefined && { node }) },
      isText(batch) ? [batch.lines.buffer] : [],
    )) as Ingested;
    this.#index += done.stored;
    if (told && done.stored > 0 && done.refused === 0) this.onStored?.(told);
    return done;
  }

  /** All that is stored of a work: entries (packed ones expanded), gaps, answers, epochs, links. Empty for an unknown id. */
  async readWork(id: string): Promise<WorkEvidence> {
    return (await this.#call({ op: "read-work", work: id })) as WorkEvidence;
  }

  /** The work that an entry is of; null where there is none under that number. */
  async workOf(of: { readonly emitter: string; readonly epoch: number; readonly seq: number }): Promise<string | null> {
    return (await this.#call({ op: "work-of", ...of })) as string | null;
  }

  /** What is stored of a span of time, within bounds. */
  async readSpan(query: SpanQuery): Promise<SpanEvidence> {
    return (await this.#call({ op: "read-span", query })) as SpanEvidence;
  }

  /** What passed at a replica in a span of time, within bounds. */
  async readPassages(query: PassagesQuery): Promise<Passages> {
    return (await this.#call({ op: "read-passages", query })) as Passages;
  }

  /** How long the newest starts of what these builds made took, as far as their nodes have said, the newest last. */
  async earlierStarts(builds: readonly string[]): Promise<readonly StartTimes[]> {
    return (await this.#call({ op: "earlier-starts", builds })) as readonly StartTimes[];
  }

  /** A Space's requests, newest first. */
  async listRequests(query: RequestQuery): Promise<RequestsFound> {
    return (await this.#call({ op: "list-requests", query })) as RequestsFound;
  }

  /** A Space's requests as they came in, on from a number. */
  async followRequests(query: FollowQuery): Promise<RequestsFollowed> {
    return (await this.#call({ op: "follow-requests", query })) as RequestsFollowed;
  }

  /** What is counted of a Space's requests that are no longer there one by one, newest minute first. */
  async listCounts(query: {
    space: string;
    before: number;
    skip: number;
    limit: number;
  }): Promise<readonly RequestCount[]> {
    return (await this.#call({ op: "list-counts", query })) as readonly RequestCount[];
  }

  /** Counts a refusal that is not recorded by itself, and gives its counter's id `n_…`. Stored within a second. */
  count(refused: Refused): string {
    return this.#counters.count(refused);
  }

  /** Counters of an edge in a process of its own, each with its whole count. */
  async takeCounted(rows: readonly CountedRow[]): Promise<void> {
    await this.#call({ op: "count", rows });
  }

  /** A counter; null for an unknown id. */
  async readCounted(id: string): Promise<CountedRow | null> {
    return this.#counters.find(id) ?? ((await this.#call({ op: "read-counted", id })) as CountedRow | null);
  }

  /** The evidence index: how many records were ever stored. */
  index(): number {
    return this.#index;
  }

  async totals(): Promise<EvidenceTotals> {
    return (await this.#call({ op: "totals" })) as EvidenceTotals;
  }

  /** Writes the counters that changed. */
  async flush(): Promise<void> {
    const rows = this.#counters.take();
    if (rows.length > 0) await this.#call({ op: "count", rows });
  }

  /** Drops what is over age or over count now. Resolves with the number of rows dropped. Batches are taken in between two rounds. */
  async retain(): Promise<number> {
    let all = 0;
    for (let round = 0; round < retainRounds; round += 1) {
      const dropped = (await this.#call({
        op: "retain",
        retention: { ...this.#retention, now: this.#clock.wall() },
      })) as number;
      all += dropped;
      if (dropped === 0) break;
    }
    return all;
  }

  /** Writes what waits and ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      await this.flush();
      await this.#call({ op: "close" });
    } finally {
      await this.#worker.terminate();
    }
  }

  #call(call: StoreCall, handed: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#pending.size >= pendingMax)
      return Promise.reject(new Error(`the evidence store has ${pendingMax} calls waiting`));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call }, handed);
    });
  }

  #onAnswer(answer: StoreAnswer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (answer.ok) pending?.resolve(answer.value);
    else pending?.reject(answer.error);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  /** A failed flush loses counts of strangers' refusals for good; the thread's own failure is told to whoever calls next. */
  async #flushQuietly(): Promise<void> {
    await this.flush().catch((error: unknown) => this.#warn("counters could not be stored", error));
  }

  /** One look at a time: on a slow disk one may take longer than it is to the next. */
  async #retainQuietly(): Promise<void> {
    if (this.#retaining) return;
    this.#retaining = true;
    await this.retain().catch((error: unknown) => this.#warn("old evidence could not be dropped", error));
    this.#retaining = false;
  }

  #warn(says: string, cause: unknown): void {
    if (!this.#closing) process.emitWarning(new Error(says, { cause }));
  }
}
