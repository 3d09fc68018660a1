/** A journal without a disk, for tests and the simulator: the same promises, kept by a store that outlives it. */
import { hash } from "node:crypto";
import type { LedgerRecord } from "../core/record.ts";
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { decodeRecord, encodeRecord } from "./encoding.ts";
import { DataFolderBusy, JournalDamaged } from "./failures.ts";
import { genesisHash, snapshotsKept, workRecordsMax } from "./port.ts";
import type { Head, Journal, JournalCounters, Snapshot, Verification } from "./port.ts";

interface Kept {
  readonly at: Instant;
  readonly hash: string;
  readonly text: string;
  readonly works: readonly string[];
}

/** What survives the end of a journal: hand it to the next one. */
export class MemoryStore {
  readonly records: Kept[] = [];
  /** Oldest first. */
  snapshots: readonly Snapshot[] = [];
  /** The journal that has it open (L29). */
  writer: MemoryJournal | null = null;
}

export interface MemoryJournalOptions {
  /** Awaited before each commit: a test decides when something becomes durable. */
  readonly beforeCommit?: () => Promise<void>;
}

const place = "memory";

export class MemoryJournal implements Journal {
  readonly #store: MemoryStore;
  readonly #beforeCommit: () => Promise<void>;
  #appended: { index: number; at: Instant; hash: string };
  #pending: { index: number; kept: Kept }[] = [];
  #committing: Promise<void> | undefined;
  #commits = 0;
  #bytes = 0;
  readonly #opened: number;
  #crashed = false;

  /** Throws `DataFolderBusy` while another journal has the store open. */
  constructor(store: MemoryStore = new MemoryStore(), options: MemoryJournalOptions = {}) {
    if (store.writer !== null) throw new DataFolderBusy(place);
    store.writer = this;
    this.#store = store;
    this.#beforeCommit = options.beforeCommit ?? (async () => {});
    this.#appended = this.head;
    this.#opened = store.records.length;
  }

  get head(): Head {
    const last = this.#store.records.at(-1);
    if (last === undefined) return { index: 0, at: 0 as Instant, hash: genesisHash };
    return { index: this.#store.records.length, at: last.at, hash: last.hash };
  }

  get counters(): JournalCounters {
    return { commits: this.#commits, records: this.#store.records.length - this.#opened, bytes: this.#bytes };
  }

  append(record: LedgerRecord, works: readonly string[]): Promise<void> {
    assert(record.index === this.#appended.index + 1, `L14: record ${record.index} follows ${this.#appended.index}`);
    assert(record.at >= this.#appended.at, "L14: time never decreases");
    const text = encodeRecord(record);
    const kept: Kept = { at: record.at, text, works, hash: chained(this.#appended.hash, text) };
    this.#appended = { index: record.index, at: record.at, hash: kept.hash };
    this.#pending.push({ index: record.index, kept });
    return this.#groupCommit();
  }

  async read(from: number, limit: number): Promise<readonly LedgerRecord[]> {
    await this.#committing;
    const start = Math.max(0, from - 1);
    return this.#store.records.slice(start, start + limit).map((kept, i) => decode(kept, start + i + 1));
  }

  async readWork(work: string): Promise<readonly LedgerRecord[]> {
    await this.#committing;
    const found = this.#store.records.flatMap((kept, i) => (kept.works.includes(work) ? [decode(kept, i + 1)] : []));
    return found.slice(0, workRecordsMax);
  }

  async latestSnapshot(before = Infinity): Promise<Snapshot | null> {
    return this.#store.snapshots.findLast(({ index }) => index < before) ?? null;
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    await this.#committing;
    assert(snapshot.index <= this.head.index, "a snapshot is of a record that was appended");
    this.#store.snapshots = [...this.#store.snapshots, snapshot].slice(-snapshotsKept);
  }

  async verify(): Promise<Verification> {
    await this.#committing;
    let previous = genesisHash;
    for (const [i, kept] of this.#store.records.entries()) {
      previous = chained(previous, kept.text);
      if (previous === kept.hash) continue;
      throw new JournalDamaged({
        file: place,
        index: i + 1,
        found: "its hash does not fit its content and the record before it",
      });
    }
    return { records: this.#store.records.length, hash: previous };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A failed commit was told to those who waited for it.
    await Promise.allSettled([this.#committing]);
    if (this.#store.writer === this) this.#store.writer = null;
  }

  /** The process dies here: what is not durable is gone, nobody hears of it any more, and the store is free. */
  crash(): void {
    this.#crashed = true;
    this.#pending = [];
    this.#store.writer = null;
  }

  async #groupCommit(): Promise<void> {
    const mine = this.#appended.index;
    while (!this.#crashed && this.#store.records.length < mine) await (this.#committing ??= this.#commit());
    if (this.#crashed) await new Promise<never>(() => {});
  }

  async #commit(): Promise<void> {
    await this.#beforeCommit();
    const group = this.#pending;
    this.#pending = [];
    for (const { kept } of group) this.#store.records.push(kept);
    this.#commits += 1;
    this.#bytes += group.reduce((sum, { kept }) => sum + kept.text.length, 0);
    this.#committing = undefined;
  }
}

function chained(previous: string, text: string): string {
  return hash("sha256", Buffer.concat([Buffer.from(previous, "hex"), Buffer.from(text)]), "hex");
}

function decode(kept: Kept, index: number): LedgerRecord {
  return decodeRecord(kept.text, { index, file: place });
}
