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
  latestSnapshot(): Promise<Snapshot | null>;
  /** Keeps a snapshot of the state after an appended record; it is written after that record, and older ones go. */
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  /** Reads everything and checks the chain (L26). Rejects with `JournalDamaged`. */
  verify(): Promise<Verification>;
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
