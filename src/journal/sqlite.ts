/** The journal in one SQLite file, written by a thread of its own (L24–L29). This side encodes, packs and waits. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { LedgerRecord } from "../core/record.ts";
import { assert } from "../stdx/assert.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { databaseName, segmentOf } from "./database.ts";
import type { Row } from "./rows.ts";
import { decodeRecord, encodeRecord } from "./encoding.ts";
import { JournalBacklog, JournalStopped } from "./failures.ts";
import type { Mark } from "./mark.ts";
import { Packer } from "./packing.ts";
import type { Compactable, Compaction, Head, JournalCounters, RolledUp, Snapshot, Verification } from "./port.ts";
import { backlogMax, genesisHash } from "./port.ts";
import { fromWire } from "./wire.ts";
import type { AskName, Asks, FromThread, ThreadData, ToThread } from "./wire.ts";

export interface SqliteJournalOptions {
  /** Where `journal.db`, `journal.mark` and `journal.lock` live; made if it is not there. */
  readonly folder: string;
  /** A commit or sync failed: the process must end (L27). Called once. */
  readonly onFatal: (failure: Error) => void;
}

/** Questions that may wait for the thread. */
const asksMax = 10_000;
/** Characters: a pack leaves as soon as it has so many (some twenty records), so that the thread inserts while this one goes on deciding. */
const packLength = 8 * 1024;

/**
 * Opens or makes the journal in a folder. Rejects with `DataFolderBusy`, `JournalDamaged` or `JournalFormatUnknown`; a
 * damaged folder is left as it was.
 */
export async function openSqliteJournal(options: SqliteJournalOptions): Promise<SqliteJournal> {
  await mkdir(options.folder, { recursive: true });
  const source = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  const thread = new Worker(new URL(source, import.meta.url), {
    workerData: { folder: options.folder } satisfies ThreadData,
  });
  const opened = await firstMessage(thread);
  if (opened.kind === "not-opened") throw fromWire(opened.failure);
  assert(opened.kind === "opened", "the thread first says whether it opened");
  return new SqliteJournal(thread, options, opened);
}

/** Records that are promised together. */
interface Packing {
  readonly packer: Packer;
  readonly durable: PromiseWithResolvers<void>;
}
/** A pack that left, from this record on. */
type Sent = Pick<Packer, "first"> & Pick<Packing, "durable">;

interface Asked {
  readonly resolve: (value: never) => void;
  readonly reject: (failure: Error) => void;
}

export class SqliteJournal implements Compactable {
  /** Other parts' rows in the same file, through the same thread. */
  readonly sql: SqlRunner;
  /** The first record that was cut off at the start because it was torn and promised to nobody; else null. */
  readonly cutFrom: number | null;
  readonly passedOver: readonly number[];
  readonly #thread: Worker;
  readonly #file: string;
  readonly #onFatal: (failure: Error) => void;
  #head: Head;
  #next: number;
  #lastAt: number;
  #packing: Packing | undefined;
  readonly #sent: Sent[] = [];
  readonly #asked = new Map<number, Asked>();
  #askId = 0;
  #commits = 0;
  #bytes = 0;
  readonly #firstIndex: number;
  #stopped: Error | undefined;
  #closing = false;

  constructor(thread: Worker, options: SqliteJournalOptions, opened: Extract<FromThread, { kind: "opened" }>) {
    this.#thread = thread;
    this.#file = join(options.folder, databaseName);
    this.#onFatal = options.onFatal;
    this.#head = opened.head;
    this.#next = opened.head.index + 1;
    this.#lastAt = opened.head.at;
    this.#firstIndex = this.#next;
    this.cutFrom = opened.cutFrom;
    this.passedOver = opened.passedOver;
    this.sql = {
      dialect: "sqlite",
      all: (sql, params = []) => this.#ask("sql-all", { sql, params }),
      run: (sql, params = []) => this.#ask("sql-run", { sql, params }),
      transaction: (statements) => this.#ask("sql-transaction", { statements }),
    };
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("error", (cause) => this.#stop(new JournalStopped(`its thread failed: ${String(cause)}`, { cause })));
    thread.on("exit", (code) => {
      if (!this.#closing) this.#stop(new JournalStopped(`its thread ended with code ${code}`));
    });
  }

  get head(): Head {
    return this.#head;
  }

  get counters(): JournalCounters {
    return { commits: this.#commits, records: this.#head.index + 1 - this.#firstIndex, bytes: this.#bytes };
  }

  append(record: LedgerRecord, works: readonly string[]): Promise<void> {
    assert(record.index === this.#next, `L14: record ${record.index} follows ${this.#next - 1}`);
    assert(record.at >= this.#lastAt, "L14: time never decreases");
    assert(!this.#closing, "a closed journal takes no record");
    const failure =
      this.#stopped ?? (this.#next - 1 - this.#head.index >= backlogMax ? new JournalBacklog(backlogMax) : undefined);
    if (failure !== undefined) return Promise.reject(failure);
    const packing = (this.#packing ??= this.#startPack());
    packing.packer.add(encodeRecord(record), record.at, works);
    this.#next += 1;
    this.#lastAt = record.at;
    if (packing.packer.length >= packLength) this.#send();
    return packing.durable.promise;
  }

  async read(from: number, limit: number): Promise<readonly LedgerRecord[]> {
    return this.#decode(await this.rows(from, limit));
  }

  /** As {@link read}, as they are stored. */
  rows(from: number, limit: number): Promise<readonly Row[]> {
    return this.#ask("read", { from, limit });
  }

  async readWork(work: string): Promise<readonly LedgerRecord[]> {
    return this.#decode(await this.#ask("read-work", { work }));
  }

  latestSnapshot(before?: number): Promise<Snapshot | null> {
    return this.#ask("latest-snapshot", { before });
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    await this.#ask("save-snapshot", { snapshot });
  }

  rolledUp(): Promise<RolledUp | null> {
    return this.#ask("rolled-up", {});
  }

  snapshotAt(index: number): Promise<Snapshot | null> {
    return this.#ask("snapshot-at", { index });
  }

  compact(compaction: Compaction): Promise<string | null> {
    return this.#ask("compact", { compaction });
  }

  /** The works of some records, by their index. */
  async worksOf(from: number, to: number): Promise<ReadonlyMap<number, readonly string[]>> {
    const found = new Map<number, string[]>();
    const indexed = "SELECT idx, work FROM works WHERE segment BETWEEN ? AND ? AND idx BETWEEN ? AND ?";
    const recent =
      "SELECT entry.value ->> 1, entry.value ->> 0 FROM recent_works, json_each(recent_works.works) AS entry WHERE entry.value ->> 1 BETWEEN ? AND ?";
    const bounds = [segmentOf(from), segmentOf(to), from, to, from, to];
    for (const { idx, work } of await this.sql.all(`${indexed} UNION ${recent}`, bounds)) {
      const works = found.get(Number(idx));
      if (works === undefined) found.set(Number(idx), [String(work)]);
      else works.push(String(work));
    }
    return found;
  }

  /** Copies the whole file, catalog included, into an empty folder while it is written to. Rejects with `BackupFailed`. */
  backup(folder: string): Promise<Mark> {
    return this.#ask("backup", { folder });
  }

  async verify(): Promise<Verification> {
    const start: Mark = (await this.rolledUp()) ?? { index: 0, hash: genesisHash };
    for (let last = start; ;) {
      const reached = await this.#ask("verify", { after: last });
      if (reached.index === last.index) return { records: last.index - start.index, hash: last.hash };
      last = reached;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    const closed = this.#stopped === undefined ? this.#ask("close", {}) : this.#thread.terminate();
    this.#closing = true;
    await closed;
  }

  #startPack(): Packing {
    setImmediate(() => this.#send());
    return { packer: new Packer(this.#next), durable: Promise.withResolvers() };
  }

  #send(): void {
    const packing = this.#packing;
    if (packing === undefined) return;
    this.#packing = undefined;
    this.#sent.push({ first: packing.packer.first, durable: packing.durable });
    this.#post({ kind: "append", pack: packing.packer.seal() });
  }

  #ask<N extends AskName>(name: N, ask: Asks[N]["ask"]): Promise<Asks[N]["answer"]> {
    const failure = this.#stopped ?? (this.#asked.size >= asksMax ? new JournalBacklog(asksMax) : undefined);
    if (failure !== undefined) return Promise.reject(failure);
    assert(!this.#closing, "a closed journal is not asked");
    this.#send();
    return new Promise((resolve, reject) => {
      const id = this.#askId++;
      this.#asked.set(id, { resolve, reject });
      this.#post({ kind: "ask", id, name, ask } as ToThread);
    });
  }

  #post(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case "durable":
        return this.#onDurable(message);
      case "answer":
        return this.#take(message.id).resolve(message.value as never);
      case "refused":
        return this.#take(message.id).reject(fromWire(message.failure));
      case "stopped":
        return this.#stop(fromWire(message.failure));
      case "opened":
      case "not-opened":
        throw new Error("the thread opens once");
    }
  }

  #onDurable({ head, bytes }: Extract<FromThread, { kind: "durable" }>): void {
    this.#head = head;
    this.#commits += 1;
    this.#bytes += bytes;
    let done = 0;
    for (const { first, durable } of this.#sent) {
      if (first > head.index) break;
      durable.resolve();
      done += 1;
    }
    this.#sent.splice(0, done);
  }

  #take(id: number): Asked {
    const asked = this.#asked.get(id);
    assert(asked, "an answer has a question");
    this.#asked.delete(id);
    return asked;
  }

  /** L27: whoever waits learns that nothing was promised; then the process is told to end. */
  #stop(failure: Error): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = failure;
    for (const { durable } of this.#sent.splice(0)) durable.reject(failure);
    this.#packing?.durable.reject(failure);
    this.#packing = undefined;
    for (const { reject } of this.#asked.values()) reject(failure);
    this.#asked.clear();
    this.#onFatal(failure);
  }

  #decode(rows: readonly Row[]): readonly LedgerRecord[] {
    return rows.map((row) =>
      decodeRecord(Buffer.from(row.body).toString("utf8"), { index: row.idx, file: this.#file }),
    );
  }
}

async function firstMessage(thread: Worker): Promise<FromThread> {
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", (code) => reject(new JournalStopped(`its thread ended with code ${code} before it opened`)));
  });
}
