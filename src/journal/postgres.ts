/**
 * The journal in PostgreSQL. One process writes: it holds an advisory lock, and each of its statements names the epoch that
 * it began, so that whoever lost the lock without noticing changes nothing (L29). A lost session ends the writer (L27).
 *
 * Group commit: whatever arrived while the last commit was on its way goes into the next one, in one round trip.
 */
import { setImmediate } from "node:timers/promises";
import type { LedgerRecord } from "../core/record.ts";
import { assert } from "../stdx/assert.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { chainHash, snapshotDigest } from "./database.ts";
import type { Row } from "./rows.ts";
import { decodeRecord, encodeRecord } from "./encoding.ts";
import { JournalBacklog, JournalDeposed, JournalStopped } from "./failures.ts";
import { hashBytes, inBytes, Packer, recordBytes } from "./packing.ts";
import type { Pack } from "./packing.ts";
import { backlogMax, genesisHash, snapshotsKept, workRecordsMax } from "./port.ts";
import type { Compactable, Compaction, Head, JournalCounters, RolledUp, Snapshot, Verification } from "./port.ts";
import { Connection } from "./postgres-connection.ts";
import type { Ask, Param } from "./postgres-connection.ts";
import {
  beginEpoch,
  checkFromSnapshot,
  checkUpTo,
  lock,
  readRolledUp,
  readRows,
  readSnapshot,
  readSnapshotAt,
  unlock,
} from "./postgres-open.ts";
import type { Epoch } from "./postgres-open.ts";
import { checkAgainstMark, MarkKeeper } from "./postgres-mark.ts";
import { paramsOf, PostgresRows } from "./postgres-rows.ts";
import * as sql from "./postgres-schema.ts";
import { encodeRolledUp } from "./rolled-up.ts";

export interface PostgresJournalOptions {
  /** `postgres://user:password@host:port/database`; a session of its own, not one that a pooler shares out by transaction. */
  readonly url: string;
  /** A commit failed, a session was lost, or another writer took over: the process must end (L27). Called once. */
  readonly onFatal: (failure: Error) => void;
  /** The file that keeps which record was last acknowledged; without it an older state of the database goes unnoticed. */
  readonly mark?: string;
  /** Waits for the writer that is there to end, until this is aborted; without it, to be second is a refusal. */
  readonly standBy?: AbortSignal;
}

/** Records in one commit: more would make those at its start wait. */
const groupMax = 8192;
/** Characters in one commit: a record past it goes into the next. */
const groupLength = 8 * 1024 * 1024;
/** For one statement that removes records: some ten million of them on a slow disk. */
const compactWithinMs = 3_600_000;

/**
 * Becomes the writer of a database; makes its tables where there are none. Rejects with `DatabaseBusy`, `DatabaseUnfit`,
 * `JournalDamaged` or `JournalFormatUnknown`, or with the reason of `standBy`. Of a damaged journal only the epoch moved.
 */
export async function openPostgresJournal(options: PostgresJournalOptions): Promise<PostgresJournal> {
  const losses = new Losses();
  await using opened = new AsyncDisposableStack();
  const writer = opened.use(await Connection.open(options.url, (cause) => losses.tell(cause)));
  await lock(writer, options.standBy);
  const epoch = await beginEpoch(writer);
  const reader = opened.use(await Connection.open(options.url, (cause) => losses.tell(cause)));
  const passedOver = await checkFromSnapshot(reader, epoch.head);
  if (options.mark !== undefined) await checkAgainstMark(reader, options.mark, epoch.head);
  const rows = opened.use(await Connection.open(options.url, (cause) => losses.tell(cause)));
  const journal = new PostgresJournal({ writer, reader, rows }, { ...epoch, passedOver }, options.onFatal);
  losses.hear((cause) => journal.lost(cause));
  if (options.mark !== undefined) await journal.keepMark(options.mark);
  opened.move();
  return journal;
}

/** A session may be lost before there is a journal to tell. */
class Losses {
  #cause: Error | undefined;
  #heard: ((cause: Error) => void) | undefined;

  tell(cause: Error): void {
    this.#cause ??= cause;
    this.#heard?.(cause);
  }

  hear(heard: (cause: Error) => void): void {
    this.#heard = heard;
    if (this.#cause !== undefined) heard(this.#cause);
  }
}

interface Opened extends Epoch {
  readonly passedOver: readonly number[];
}

interface Sessions {
  readonly writer: Connection;
  /** For the rows of other parts: none of them waits for the journal's. */
  readonly rows: Connection;
  /** Reads wait for each other, never for a commit, and no commit for them. */
  readonly reader: Connection;
}

/** Records of one commit, and whoever waits for it. */
interface Group {
  readonly packer: Packer;
  readonly durable: PromiseWithResolvers<void>;
}

export class PostgresJournal implements Compactable {
  /** The epoch that this writer began; each writer's is higher than those before. */
  readonly epoch: number;
  readonly passedOver: readonly number[];
  /** Other parts' rows in the same database, each change of them within our epoch. */
  readonly sql: SqlRunner;
  readonly #sessions: Sessions;
  readonly #place: string;
  readonly #onFatal: (failure: Error) => void;
  readonly #opened: number;
  #head: Head;
  #next: number;
  #lastAt: number;
  /** Those that are not durable, the one on its way first. */
  readonly #groups: Group[] = [];
  #filling: Group | undefined;
  #committing: Promise<void> | undefined;
  /** The snapshot that a roll-up begins with, 0 without one: nobody but this writer compacts. Read once, since it is large. */
  #pinned: number | undefined;
  #commits = 0;
  #bytes = 0;
  #stopped: Error | undefined;
  #closing = false;
  #mark: MarkKeeper | undefined;

  constructor(sessions: Sessions, { epoch, head, passedOver }: Opened, onFatal: (failure: Error) => void) {
    this.epoch = epoch;
    this.passedOver = passedOver;
    this.sql = new PostgresRows({
      connection: sessions.rows,
      epoch,
      deposed: () => new JournalDeposed(sessions.writer.place, epoch),
      stop: (error) => this.#stop(error),
    });
    this.#sessions = sessions;
    this.#place = sessions.writer.place;
    this.#onFatal = onFatal;
    this.#head = head;
    this.#opened = head.index;
    this.#next = head.index + 1;
    this.#lastAt = head.at;
  }

  get head(): Head {
    return this.#head;
  }

  get counters(): JournalCounters {
    return { commits: this.#commits, records: this.#head.index - this.#opened, bytes: this.#bytes };
  }

  append(record: LedgerRecord, works: readonly string[]): Promise<void> {
    assert(record.index === this.#next, `L14: record ${record.index} follows ${this.#next - 1}`);
    assert(record.at >= this.#lastAt, "L14: time never decreases");
    assert(!this.#closing, "a closed journal takes no record");
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    if (this.#next - 1 - this.#head.index >= backlogMax) return Promise.reject(new JournalBacklog(backlogMax));
    const group = this.#groupToFill();
    group.packer.add(encodeRecord(record), record.at, works);
    this.#next += 1;
    this.#lastAt = record.at;
    this.#committing ??= this.#commitAll();
    return group.durable.promise;
  }

  async read(from: number, limit: number): Promise<readonly LedgerRecord[]> {
    return this.#decode(await readRows(this.#reader(), Math.max(1, from), limit));
  }

  async readWork(work: string): Promise<readonly LedgerRecord[]> {
    return this.#decode(await this.#reader().query<Row>(sql.readWork, [work, workRecordsMax], "read-work"));
  }

  async latestSnapshot(before?: number): Promise<Snapshot | null> {
    return (await readSnapshot(this.#reader(), before))?.snapshot ?? null;
  }

  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    assert(snapshot.index < this.#next, "a snapshot is of a record that was appended");
    if (snapshot.index > this.#head.index) await this.#groups.at(-1)?.durable.promise;
    const { index, stateHash, body } = snapshot;
    await this.#write(sql.saveSnapshot, [index, stateHash, snapshotDigest(snapshot), body]);
    this.#pinned ??= (await this.rolledUp())?.index ?? 0;
    await this.#sessions.writer.query(sql.dropSnapshots, [this.epoch, snapshotsKept, this.#pinned]);
  }

  rolledUp(): Promise<RolledUp | null> {
    return readRolledUp(this.#reader());
  }

  async snapshotAt(index: number): Promise<Snapshot | null> {
    return (await readSnapshotAt(this.#reader(), index))?.snapshot ?? null;
  }

  /** PostgreSQL takes the space for new records by itself. */
  async compact(compaction: Compaction): Promise<null> {
    assert(compaction.snapshot.index < this.#head.index, "the last record stays");
    if (this.#stopped !== undefined) throw this.#stopped;
    try {
      await this.#sessions.writer.transaction((ask) => this.#compact(ask, compaction), { withinMs: compactWithinMs });
      this.#pinned = compaction.snapshot.index;
      return null;
    } catch (error) {
      throw this.#stop(error);
    }
  }

  /** What was durable when it was called. */
  async verify(): Promise<Verification> {
    const { index, hash } = this.#head;
    const start = (await this.rolledUp()) ?? { index: 0, hash: genesisHash };
    await checkUpTo(this.#reader(), start, { index, hash });
    return { records: index - start.index, hash };
  }

  /** Tells that a session was lost. */
  lost(cause: Error): void {
    this.#stop(this.#failure(`its session with ${this.#place} was lost: ${cause.message}`, cause));
  }

  /** Keeps the head in a file too, until it is closed. */
  async keepMark(file: string): Promise<void> {
    this.#mark = await MarkKeeper.open(
      file,
      () => this.#head,
      (error) => this.#stop(new JournalStopped(`${file} could not be written: ${String(error)}`, { cause: error })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#committing;
    await this.#mark?.[Symbol.asyncDispose]();
    if (this.#stopped === undefined) await unlock(this.#sessions.writer);
    await this.#sessions.rows[Symbol.asyncDispose]();
    await this.#sessions.reader[Symbol.asyncDispose]();
    await this.#sessions.writer[Symbol.asyncDispose]();
  }

  #groupToFill(): Group {
    const filling = this.#filling;
    if (filling !== undefined && filling.packer.count < groupMax && filling.packer.length < groupLength) return filling;
    const group: Group = { packer: new Packer(this.#next), durable: Promise.withResolvers() };
    this.#groups.push(group);
    return (this.#filling = group);
  }

  async #commitAll(): Promise<void> {
    await setImmediate(); // what is appended in the same turn goes together
    try {
      for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
        await this.#commit(group);
        if (this.#stopped !== undefined) return;
        this.#groups.shift();
        group.durable.resolve();
      }
    } catch (error) {
      this.#stop(error);
    }
    this.#committing = undefined;
  }

  async #commit(group: Group): Promise<void> {
    if (this.#filling === group) this.#filling = undefined;
    const pack = inBytes(group.packer.seal());
    const { params, head } = appendParams(pack, this.#head);
    await this.#write(sql.append, params, "append");
    this.#head = head;
    this.#commits += 1;
    this.#bytes += recordBytes(pack);
  }

  async #compact(ask: Ask, { snapshot, counts, also }: Compaction): Promise<void> {
    const { index, stateHash, body } = snapshot;
    const { rows } = await ask(sql.holdEpoch, [this.epoch, index]);
    const last = rows[0] as { readonly at: Instant; readonly hash: Buffer } | undefined;
    if (last === undefined) throw new JournalDeposed(this.#place, this.epoch);
    await ask(sql.createMeta);
    for (const statement of sql.removeUpTo) await ask(statement, [index]);
    await ask(sql.insertSnapshot, [index, stateHash, snapshotDigest(snapshot), body]);
    await ask(sql.setRolledUp, [encodeRolledUp({ index, at: last.at, hash: last.hash.toString("hex"), counts })]);
    await ask(sql.setCompacted);
    for (const { sql: text, params = [] } of also) await ask(text, paramsOf(params));
  }

  /** Runs a statement that changes something only while our epoch lasts. */
  async #write(text: string, params: readonly Param[], name?: string): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    try {
      const rows = await this.#sessions.writer.query(text, [this.epoch, ...params], name);
      if (rows.length === 0) throw new JournalDeposed(this.#place, this.epoch);
    } catch (error) {
      throw this.#stop(error);
    }
  }

  #reader(): Connection {
    if (this.#stopped !== undefined) throw this.#stopped;
    return this.#sessions.reader;
  }

  /** L27: whoever waits learns that nothing was promised; then the process is told to end. */
  #stop(error: unknown): Error {
    if (this.#stopped !== undefined) return this.#stopped;
    const says = error instanceof Error ? error.message : String(error);
    const known = error instanceof JournalDeposed || error instanceof JournalStopped;
    this.#stopped = known ? error : this.#failure(`${this.#place} did not take a commit: ${says}`, error);
    for (const { durable } of this.#groups.splice(0)) durable.reject(this.#stopped);
    this.#filling = undefined;
    this.#onFatal(this.#stopped);
    return this.#stopped;
  }

  #failure(why: string, cause: unknown): JournalStopped {
    return new JournalStopped(why, { cause, next: "PostgreSQL and its log" });
  }

  #decode(rows: readonly Row[]): readonly LedgerRecord[] {
    return rows.map(({ idx, body }) =>
      decodeRecord(Buffer.from(body).toString("utf8"), { index: idx, file: this.#place }),
    );
  }
}

/** What {@link sql.append} needs besides the epoch, and the head that it leads to. */
export function appendParams(pack: Pack, from: Head): { params: readonly Param[]; head: Head } {
  const count = pack.lengths.length;
  const hashes = Buffer.alloc(count * hashBytes);
  const starts: number[] = [];
  let previous: Buffer = Buffer.from(from.hash, "hex");
  let offset = 0;
  for (const [i, length] of pack.lengths.entries()) {
    const framed = pack.bytes.subarray(offset, offset + hashBytes + length);
    previous = chainHash(framed, previous);
    previous.copy(hashes, i * hashBytes);
    starts.push(offset + hashBytes + 1);
    offset += framed.length;
  }
  const head: Head = {
    index: pack.first + count - 1,
    at: pack.ats[count - 1] as Instant,
    hash: previous.toString("hex"),
  };
  const bodies = Buffer.from(pack.bytes.buffer, pack.bytes.byteOffset, pack.bytes.byteLength);
  const works = [pack.works, pack.workIndexes];
  const params = [from.index, head.index, head.at, previous, hashes, bodies, pack.ats, starts, pack.lengths, ...works];
  return { params, head };
}
