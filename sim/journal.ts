/**
 * A journal on a simulated disk: groups of records become durable together after a while; a crash leaves any beginning of what
 * was on its way, torn in its last record; a sync may fail, a disk be full. What it finds at its opening is judged by the
 * journal's own check of the chain.
 */
import type { LedgerRecord } from "../src/core/record.ts";
import { checkChain } from "../src/journal/check.ts";
import { chainHash } from "../src/journal/database.ts";
import { decodeRecord, encodeRecord } from "../src/journal/encoding.ts";
import { DataFolderBusy, JournalDamaged, JournalStopped } from "../src/journal/failures.ts";
import { hashBytes } from "../src/journal/packing.ts";
import { genesisHash, snapshotsKept } from "../src/journal/port.ts";
import type { Row } from "../src/journal/rows.ts";
import type { Head, Journal, JournalCounters, Snapshot, Verification } from "../src/journal/port.ts";
import { assert } from "../src/stdx/assert.ts";
import type { Instant } from "../src/stdx/time.ts";

interface StoredRow extends Row {
  readonly works: readonly string[];
}

/** What survives a crash. */
export class Disk {
  readonly rows: StoredRow[] = [];
  readonly snapshots: Snapshot[] = [];
  /** The record that was last known to be acknowledged, at most a second old (L26). */
  mark = { index: 0, hash: genesisHash };
  writer: SimJournal | null = null;
}

/** How a disk behaves; each commit asks anew. */
export interface DiskManners {
  /** How long a commit takes, in milliseconds. */
  commitMs(): number;
  /** Why this commit fails; undefined where it does not. */
  failure(): string | undefined;
  /** Of `count` records on their way at a crash or a failure: how many are on the disk whole, and whether the next is torn. */
  left(count: number): { readonly whole: number; readonly torn: boolean };
}

export interface SimJournalOptions {
  readonly disk: Disk;
  readonly manners: DiskManners;
  readonly after: (ms: number, run: () => void) => void;
  readonly now: () => number;
  /** Hears each record as it is appended. */
  readonly onAppend?: (record: LedgerRecord) => void;
  /** Hears a commit before anybody is told that it is durable. */
  readonly onDurable?: (records: readonly LedgerRecord[]) => void;
}

interface Group {
  readonly records: LedgerRecord[];
  readonly rows: StoredRow[];
  readonly durable: PromiseWithResolvers<void>;
}

const file = "simulated";
const markEveryMs = 1_000;

/** Throws `DataFolderBusy` (L29), or `JournalDamaged` where what was acknowledged is not there as it was (L26). */
export function openSimJournal(options: SimJournalOptions): SimJournal {
  const { disk } = options;
  if (disk.writer !== null) throw new DataFolderBusy(file);
  const snapshot = disk.snapshots.at(-1);
  const start =
    snapshot === undefined ? { index: 0, hash: genesisHash } : { index: snapshot.index, hash: hashAt(disk, snapshot) };
  const { last, bad } = checkChain(disk.rows.slice(start.index), start);
  if (bad !== null && bad.index <= disk.mark.index) throw new JournalDamaged({ file, ...bad });
  if (last.index < disk.mark.index)
    throw new JournalDamaged({ file, index: last.index + 1, found: "it is missing, and was acknowledged" });
  const marked = disk.rows[disk.mark.index - 1];
  if (marked && hexOf(marked.hash) !== disk.mark.hash)
    throw new JournalDamaged({ file, index: disk.mark.index, found: "its hash is not the one that was acknowledged" });
  disk.rows.length = last.index;
  return new SimJournal(options);
}

function hashAt(disk: Disk, { index }: Snapshot): string {
  const row = disk.rows[index - 1];
  if (row === undefined)
    throw new JournalDamaged({ file, index, found: "it is missing, though a snapshot follows it" });
  return hexOf(row.hash);
}

export class SimJournal implements Journal {
  readonly #options: SimJournalOptions;
  readonly #disk: Disk;
  #last: { index: number; at: number; hash: Uint8Array };
  #packing: Group | undefined;
  #committing: Group | undefined;
  #snapshots: { readonly snapshot: Snapshot; readonly saved: PromiseWithResolvers<void> }[] = [];
  #commits = 0;
  #bytes = 0;
  readonly #opened: number;
  #markedAt = 0;
  #stopped: JournalStopped | undefined;
  #isDead = false;

  constructor(options: SimJournalOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.#disk.writer = this;
    const { index, at, hash } = this.head;
    this.#last = { index, at, hash: Buffer.from(hash, "hex") };
    this.#opened = index;
  }

  get head(): Head {
    const row = this.#disk.rows.at(-1);
    return row === undefined
      ? { index: 0, at: 0 as Instant, hash: genesisHash }
      : { index: row.idx, at: row.at as Instant, hash: hexOf(row.hash) };
  }

  get counters(): JournalCounters {
    return { commits: this.#commits, records: this.#disk.rows.length - this.#opened, bytes: this.#bytes };
  }

  append(record: LedgerRecord, works: readonly string[]): Promise<void> {
    // What a dead process would still write.
    if (this.#isDead) return new Promise(() => undefined);
    assert(record.index === this.#last.index + 1, `L14: record ${record.index} follows ${this.#last.index}`);
    assert(record.at >= this.#last.at, "L14: time never decreases");
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    this.#options.onAppend?.(record);
    const row = { ...rowOf(record, this.#last.hash), works };
    this.#last = { index: record.index, at: record.at, hash: row.hash };
    if (this.#packing === undefined) {
      this.#packing = { records: [], rows: [], durable: Promise.withResolvers() };
      if (this.#committing === undefined) this.#options.after(0, () => this.#commit());
    }
    this.#packing.records.push(record);
    this.#packing.rows.push(row);
    return this.#packing.durable.promise;
  }

  async read(from: number, limit: number): Promise<readonly LedgerRecord[]> {
    const start = Math.max(0, from - 1);
    return recordsOf(this.#disk.rows.slice(start, start + limit));
  }

  async readWork(work: string): Promise<readonly LedgerRecord[]> {
    return recordsOf(this.#disk.rows.filter(({ works }) => works.includes(work)));
  }

  async latestSnapshot(before = Infinity): Promise<Snapshot | null> {
    return this.#disk.snapshots.findLast(({ index }) => index < before) ?? null;
  }

  saveSnapshot(snapshot: Snapshot): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const saved = Promise.withResolvers<void>();
    this.#snapshots.push({ snapshot, saved });
    this.#saveSnapshots();
    return saved.promise;
  }

  async verify(): Promise<Verification> {
    const { last, bad } = checkChain(this.#disk.rows, { index: 0, hash: genesisHash });
    if (bad !== null) throw new JournalDamaged({ file, ...bad });
    return { records: last.index, hash: last.hash };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#packing ?? this.#committing) await (this.#packing ?? this.#committing)?.durable.promise;
    this.#free();
  }

  /** The process dies here: nobody hears of what was on its way, and any beginning of it is on the disk. */
  crash(): void {
    if (this.#isDead) return;
    if (this.#committing) this.#leave(this.#committing);
    this.#free();
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  #free(): void {
    this.#isDead = true;
    if (this.#disk.writer === this) this.#disk.writer = null;
  }

  #commit(): void {
    const group = this.#packing;
    if (group === undefined || this.#isDead) return;
    this.#packing = undefined;
    this.#committing = group;
    this.#options.after(this.#options.manners.commitMs(), () => this.#committed(group));
  }

  #committed(group: Group): void {
    if (this.#isDead) return;
    const failure = this.#options.manners.failure();
    if (failure !== undefined) return this.#stop(group, failure);
    this.#disk.rows.push(...group.rows);
    this.#commits += 1;
    this.#bytes += group.rows.reduce((sum, { body }) => sum + body.length, 0);
    this.#committing = undefined;
    this.#moveMark();
    this.#options.onDurable?.(group.records);
    // Its process may have died of it: what is on the disk stays, and nobody hears of it.
    if (this.#isDead) return;
    this.#saveSnapshots();
    group.durable.resolve();
    this.#commit();
  }

  #moveMark(): void {
    if (this.#options.now() - this.#markedAt < markEveryMs && this.#disk.mark.index > 0) return;
    this.#markedAt = this.#options.now();
    const { index, hash } = this.head;
    this.#disk.mark = { index, hash };
  }

  #saveSnapshots(): void {
    const durable = this.#disk.rows.length;
    const ready = this.#snapshots.filter(({ snapshot }) => snapshot.index <= durable);
    this.#snapshots = this.#snapshots.filter(({ snapshot }) => snapshot.index > durable);
    for (const { snapshot, saved } of ready) {
      this.#disk.snapshots.push(snapshot);
      if (this.#disk.snapshots.length > snapshotsKept) this.#disk.snapshots.shift();
      saved.resolve();
    }
  }

  /** L27: whoever waits learns that nothing was promised. */
  #stop(group: Group, why: string): void {
    this.#stopped = new JournalStopped(why);
    this.#leave(group);
    const waiting = [group, this.#packing];
    this.#committing = undefined;
    this.#packing = undefined;
    for (const each of waiting) each?.durable.reject(this.#stopped);
    for (const { saved } of this.#snapshots) saved.reject(this.#stopped);
  }

  #leave({ rows }: Group): void {
    const { whole, torn } = this.#options.manners.left(rows.length);
    this.#disk.rows.push(...rows.slice(0, whole));
    const next = rows[whole];
    if (torn && next) this.#disk.rows.push({ ...next, body: next.body.subarray(0, next.body.length >> 1) });
  }
}

/** The records of rows, as their text says. */
export function recordsOf(rows: readonly Row[]): LedgerRecord[] {
  return rows.map(({ idx, body }) => decodeRecord(Buffer.from(body).toString("utf8"), { index: idx, file }));
}

function rowOf(record: LedgerRecord, previous: Uint8Array): Row {
  const text = encodeRecord(record);
  const framed = Buffer.allocUnsafe(hashBytes + Buffer.byteLength(text));
  framed.write(text, hashBytes);
  const hash = chainHash(framed, previous);
  return { idx: record.index, at: record.at, hash, body: framed.subarray(hashBytes) };
}

function hexOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("hex");
}
