/**
 * The writing thread: opens the data folder, commits records in groups, keeps the mark, answers questions. SQLite's calls
 * block, and nothing else of the process may wait in them.
 *
 * Group commit: what arrives while the last commit is on its way to disk is inserted meanwhile, and goes into the next one. Whatever is said
 * about the rows, to whoever asked, is said once all that it may rest on is durable.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { assert, unreachable } from "../stdx/assert.ts";
import { copyJournal } from "./backup.ts";
import { checkChain, checkFolder } from "./check.ts";
import { Checkpoints } from "./checkpointing.ts";
import { createDatabase, databaseName, JournalDatabase, markName } from "./database.ts";
import { JournalDamaged } from "./failures.ts";
import { lockFolder } from "./lock.ts";
import { MarkFile, syncFile } from "./mark.ts";
import type { Mark } from "./mark.ts";
import { inBytes, recordBytes } from "./packing.ts";
import { Statements } from "./statements.ts";
import { LogSync } from "./syncing.ts";
import { toWire } from "./wire.ts";
import type { FromThread, ThreadData, ToThread } from "./wire.ts";

/** Records in one commit: more would make those at its start wait for longer than a slow disk does. */
const groupMax = 8192;

/** The mark is at most a second old; half of it leaves room for a slow commit. */
const markEveryMs = 500;

/** Records that `verify` checks in one step, so that commits go on in between. */
const verifyAtOnce = 2000;

type Ask = Extract<ToThread, { kind: "ask" }>;
type Append = Extract<ToThread, { kind: "append" }>;
/** What is answered from the rows as they are. */
type Question = Exclude<Ask, { name: "backup" | "close" }>;

class WritingThread {
  readonly #port: MessagePort;
  readonly #folder: string;
  readonly #lock: DatabaseSync;
  readonly #journal: JournalDatabase;
  readonly #statements: Statements;
  readonly #mark: LateMark;
  readonly #sync: LogSync;
  readonly #checkpoints: Checkpoints;
  /** Of the open transaction's records; undefined while none is open. */
  #group: { records: number; bytes: number } | undefined;
  /** What may be said once the commits until now are durable, and whether any are not on their way there yet. */
  #unsynced: FromThread[] = [];
  #isUnsynced = false;
  /** The same of the sync that is under way. */
  #syncing: FromThread[] = [];
  /** Copies that are being made. */
  #backups = 0;
  /** The question to close, once it was asked. */
  #closing: Ask | undefined;
  #stopped = false;

  constructor(port: MessagePort, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.#lock = lockFolder(folder);
    try {
      const { journal, cutFrom, passedOver } = openJournal(folder);
      this.#journal = journal;
      this.#statements = new Statements(journal.db);
      const failed = (error: unknown): void => this.#stop(error);
      const file = join(folder, databaseName);
      const log = `${file}-wal`;
      // A process that was killed may have committed what is not on the disk yet; from here on the mark goes to it, and it is told.
      syncFile(log);
      this.#mark = new LateMark(new MarkFile(join(folder, markName), journal.head), journal.head, failed);
      this.#sync = new LogSync({ file: log, ended: () => this.#onSynced(), failed });
      const between = (): void => this.#commit();
      this.#checkpoints = new Checkpoints({ db: journal.db, file, between, failed });
      this.#post({ kind: "opened", head: journal.head, cutFrom, passedOver });
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  listen(): void {
    this.#port.on("message", (message: ToThread) => this.#take(message));
  }

  #take(first: ToThread): void {
    if (this.#stopped) return;
    try {
      const question = first.kind === "append" ? this.#insertAll(first) : first;
      if (question !== undefined) this.#answer(question);
      if (this.#backups > 0) this.#commit(); // a step of a copy has to wait while a transaction is open
      this.#syncSoon();
    } catch (error) {
      this.#stop(error);
    }
  }

  /** Inserts this pack and all that wait behind it. Returns the question that came after them, if one did. */
  #insertAll(first: Append): Ask | undefined {
    if (this.#group === undefined) this.#journal.begin();
    const group = (this.#group ??= { records: 0, bytes: 0 });
    for (let message = first; ;) {
      group.bytes += this.#append(message);
      group.records += message.pack.lengths.length;
      if (group.records >= groupMax) break;
      const next = receiveMessageOnPort(this.#port)?.message as ToThread | undefined;
      if (next?.kind !== "append") return next;
      message = next;
    }
    this.#commit();
    return undefined;
  }

  /** Into the log; nothing is promised yet. */
  #commit(): void {
    if (this.#group === undefined) return;
    this.#journal.commit();
    this.#unsynced.push({ kind: "durable", head: this.#journal.head, bytes: this.#group.bytes });
    this.#group = undefined;
    this.#isUnsynced = true;
    this.#checkpoints.committed();
  }

  /** One sync after the other, each of all that came before it. */
  #syncSoon(): void {
    if (this.#stopped || this.#sync.isUnderWay) return;
    this.#commit();
    if (!this.#isUnsynced) return;
    this.#isUnsynced = false;
    this.#syncing = this.#unsynced;
    this.#unsynced = [];
    this.#sync.begin();
  }

  #onSynced(): void {
    if (this.#stopped) return;
    try {
      const said = this.#syncing;
      this.#syncing = [];
      this.#syncSoon(); // before others hear of this one: the disk does not wait for them
      for (const message of said) {
        this.#post(message);
        if (message.kind === "durable") this.#mark.moveTo(message.head);
      }
      if (this.#closing !== undefined && !this.#sync.isUnderWay) void this.#close(this.#closing);
    } catch (error) {
      this.#stop(error);
    }
  }

  #append(message: Append): number {
    const pack = inBytes(message.pack);
    this.#journal.append(pack);
    return recordBytes(pack);
  }

  #answer(ask: Ask): void {
    this.#commit();
    if (ask.name === "backup") return void this.#backup(ask.id, ask.ask.folder);
    if (ask.name === "close") {
      if (this.#sync.isUnderWay || this.#isUnsynced) this.#closing = ask;
      else void this.#close(ask);
      return;
    }
    const message = this.#answerTo(ask);
    this.#isUnsynced ||= changes(ask);
    this.#say(message);
  }

  /** Once all that is committed until now is durable. */
  #say(message: FromThread): void {
    if (this.#isUnsynced) this.#unsynced.push(message);
    else if (this.#sync.isUnderWay) this.#syncing.push(message);
    else this.#post(message);
  }

  #answerTo(ask: Question): FromThread {
    try {
      return { kind: "answer", id: ask.id, value: this.#valueOf(ask) };
    } catch (error) {
      const failure = toWire(error);
      if (failure.kind === "stopped") throw error;
      return { kind: "refused", id: ask.id, failure };
    }
  }

  /** In steps between commits. What goes wrong is the copy's: the journal itself goes on. */
  async #backup(id: number, folder: string): Promise<void> {
    this.#backups += 1;
    try {
      this.#say({ kind: "answer", id, value: await copyJournal(this.#journal.db, folder) });
    } catch (error) {
      this.#say({ kind: "refused", id, failure: { kind: "backup", folder, says: (error as Error).message } });
    } finally {
      this.#backups -= 1;
    }
  }

  #valueOf(ask: Question): unknown {
    switch (ask.name) {
      case "read":
        return this.#journal.read(ask.ask.from, ask.ask.limit);
      case "read-work":
        return this.#journal.readWork(ask.ask.work);
      case "latest-snapshot":
        return this.#journal.latestSnapshot(ask.ask.before);
      case "save-snapshot":
        assert(ask.ask.snapshot.index <= this.#journal.head.index, "a snapshot is of a record that was appended");
        this.#journal.saveSnapshot(ask.ask.snapshot);
        return null;
      case "snapshot-at":
        return this.#journal.snapshotAt(ask.ask.index);
      case "rolled-up":
        return this.#journal.rolledUp();
      case "compact":
        assert(ask.ask.compaction.snapshot.index < this.#journal.head.index, "the last record stays");
        this.#journal.compact(ask.ask.compaction);
        return this.#journal.shrink();
      case "verify":
        return this.#verify(ask.ask.after);
      case "sql-all":
        return this.#statements.all(ask.ask.sql, ask.ask.params);
      case "sql-run":
        return this.#statements.run(ask.ask.sql, ask.ask.params);
      case "sql-transaction":
        return this.#statements.transaction(ask.ask.statements);
      default:
        return unreachable(ask);
    }
  }

  #verify(after: Mark): Mark {
    const { last, bad } = checkChain(this.#journal.read(after.index + 1, verifyAtOnce), after);
    if (bad !== null) throw new JournalDamaged({ file: join(this.#folder, databaseName), ...bad });
    return last;
  }

  /** All that was committed is durable. */
  async #close({ id }: Ask): Promise<void> {
    this.#stopped = true;
    this.#sync.close();
    await this.#checkpoints.close();
    this.#mark.close();
    this.#journal.close();
    this.#lock.close();
    this.#post({ kind: "answer", id, value: null });
    this.#port.close();
  }

  /** L27: after a failed commit or sync nobody knows what is on the disk; only a new process may look. */
  #stop(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#post({ kind: "stopped", failure: toWire(error) });
  }

  #post(message: FromThread): void {
    this.#port.postMessage(message);
  }
}

/** Whether a question changes rows; one that may is held to. */
function changes(ask: Question): boolean {
  switch (ask.name) {
    case "sql-all":
      return !/^\s*select\b/i.test(ask.ask.sql);
    case "sql-run":
    case "sql-transaction":
    case "save-snapshot":
    case "compact":
      return true;
    default:
      return false;
  }
}

/** Moves the mark after the head, at most a second late. */
class LateMark {
  readonly #file: MarkFile;
  readonly #failed: (error: unknown) => void;
  #wanted: Mark;
  #writtenAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(file: MarkFile, head: Mark, failed: (error: unknown) => void) {
    this.#file = file;
    this.#failed = failed;
    this.#wanted = head;
  }

  moveTo(head: Mark): void {
    this.#wanted = head;
    if (performance.now() - this.#writtenAt >= markEveryMs) this.#write();
    else this.#timer ??= setTimeout(() => this.#onTime(), markEveryMs);
  }

  close(): void {
    this.#write();
    this.#file.close();
  }

  #onTime(): void {
    try {
      this.#write();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Where it fails no later one is tried (L27). */
  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writtenAt = performance.now();
    this.#file.moveTo(this.#wanted);
  }
}

function openJournal(folder: string): {
  journal: JournalDatabase;
  cutFrom: number | null;
  passedOver: readonly number[];
} {
  const file = join(folder, databaseName);
  const found = checkFolder(folder);
  if (found.state === "new") createDatabase(file);
  const journal = new JournalDatabase(file);
  const { cutFrom, passedOver } = found.state === "whole" ? found : { cutFrom: null, passedOver: [] };
  if (cutFrom !== null) journal.cut(cutFrom);
  return { journal, cutFrom, passedOver };
}

assert(parentPort, "this module runs as a thread");
const { folder } = workerData as ThreadData;
try {
  new WritingThread(parentPort, folder).listen();
} catch (error) {
  parentPort.postMessage({ kind: "not-opened", failure: toWire(error) } satisfies FromThread);
  parentPort.close();
}
