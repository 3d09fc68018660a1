/**
 * The append-only record of everything that the core decided, as its users see it.
 *
 *   L14. (at, index) strictly increases; `at` never decreases.
 *   L24. A resolved `append` is present after SIGKILL at any point and after power loss.
 *   L26. Records are chained: hash(n) = sha256(hash(n-1) ‖ bytes(n)), hash(0) = 32 zero bytes.
 *   L27. A failed commit stops the journal; nothing is tried again.
 *   L29. A second writer on the same data is refused.
 */
import type { LedgerRecord } from "../core/record.ts";
import type { Count } from "../core/totals.ts";
import type { SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";

/** The last durable record; index 0 and 64 zeros before the first. */
export interface Head {
  readonly index: number;
  readonly at: Instant;
  /** sha256 in 64 hexadecimal digits. */
  readonly hash: string;
}

/** The state after record `index`; replay goes on from there. */
export interface Snapshot {
  readonly index: number;
  /** sha256 in hexadecimal digits of the state's canonical form. */
  readonly stateHash: string;
  readonly body: string;
}

/** What has gone to disk since the journal was opened. */
export interface JournalCounters {
  readonly commits: number;
  readonly records: number;
  /** Bytes of the records' bodies. */
  readonly bytes: number;
}

export interface Journal extends AsyncDisposable {
  readonly head: Head;
  readonly counters: JournalCounters;
  /**
   * Appends the next record; `works` are the ids under which {@link readWork} finds it. Resolves when it is durable; those
   * before it are then durable too. Rejects with `JournalBacklog` at once, or with `JournalStopped`.
   */
  append(record: LedgerRecord, works: readonly string[]): Promise<void>;
  /** At most `limit` durable records from index `from` on, in order. */
  read(from: number, limit: number): Promise<readonly LedgerRecord[]>;
  /** The records that were appended with `work` among their works, in order; at most {@link workRecordsMax}. */
  readWork(work: string): Promise<readonly LedgerRecord[]>;
  /** The latest; with `before`, the latest of an earlier record than that. Whether it is what it says is for its reader to prove. */
  latestSnapshot(before?: number): Promise<Snapshot | null>;
  /** Keeps a snapshot of the state after an appended record; it is written after that record, and older ones go. */
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  /** Reads everything and checks the chain (L26). Rejects with `JournalDamaged`. */
  verify(): Promise<Verification>;
}

/** What is left of the records that a compaction removed; the state after them is the snapshot with the same index. */
export interface RolledUp {
  /** The last of them. */
  readonly index: number;
  readonly at: Instant;
  /** The chain's hash at it, 64 hexadecimal digits: that of the first kept record follows from it. */
  readonly hash: string;
  /** What all calls until then came to. */
  readonly counts: readonly Count[];
}

export interface Compaction {
  /** Of the state after the last record that goes; it stays for as long as no later compaction takes its place. */
  readonly snapshot: Snapshot;
  readonly counts: readonly Count[];
  /** Other parts' changes, in the same commit. */
  readonly also: readonly SqlStatement[];
}

/** A journal whose first records can be removed. */
export interface Compactable extends Journal {
  /** The records after which kept snapshots were changed since, found as it was opened: the chain was followed from an older one. */
  readonly passedOver: readonly number[];
  /** Null while no records were removed. */
  rolledUp(): Promise<RolledUp | null>;
  /** The kept snapshot of that record; null where none is kept. */
  snapshotAt(index: number): Promise<Snapshot | null>;
  /**
   * Removes the records up to the snapshot's, in one commit: before it all are there, after it the roll-up is. The last record
   * stays. Resolves with why the disk's space was not given back, or null where it was.
   */
  compact(compaction: Compaction): Promise<string | null>;
}

export interface Verification {
  /** Records whose hash was recomputed. */
  readonly records: number;
  /** Hash of the last of them. */
  readonly hash: string;
}

/** One call makes a handful of records; what names more is not a call. */
export const workRecordsMax = 10_000;

/** Snapshots kept: the latest, and the one before it in case someone must look. */
export const snapshotsKept = 2;

/** Records that may wait for the disk; at a few hundred bytes each, tens of megabytes. */
export const backlogMax = 65_536;

export const genesisHash = "0".repeat(64);
