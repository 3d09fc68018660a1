/**
 * The log of one build: its first line is written when the build is queued, its last one says that it is complete. On the
 * server's disk from the first line on, so that it can be opened late, also after a restart. Of one that is too long the beginning
 * and the end are kept: what failed is at the end.
 */
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { LogFind, LogLine } from "../contract/agent.ts";
import { LogWriter, readLogFiles, type LogLimits, type LogPart } from "../log/segments.ts";
import type { Clock } from "../stdx/time.ts";

/** 16 MiB, of them the first 4. */
const buildLogLimits: LogLimits = { segmentBytes: 1 << 20, segments: 16, first: 4 };

type Added = Pick<LogLine, "stream" | "text"> & Partial<Pick<LogLine, "at" | "step">>;

export class BuildLog {
  readonly #folder: string;
  readonly #writer: LogWriter;
  #failed: unknown;
  #waiters: (() => void)[] = [];
  #ended: boolean;

  private constructor(folder: string, clock: Clock, { ended }: { ended: boolean }) {
    this.#folder = folder;
    this.#writer = new LogWriter(folder, clock, buildLogLimits);
    this.#ended = ended;
  }

  /** A new, empty log. */
  static async create(folder: string, clock: Clock): Promise<BuildLog> {
    return BuildLog.open(folder, clock, false);
  }

  /** The log of a build of an earlier process; a line that a crash cut off is left out. `ended`: nothing more will come. */
  static async open(folder: string, clock: Clock, ended: boolean): Promise<BuildLog> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Version 0.1 had one file for each build, which is a first segment.
    await rename(`${folder}.log`, join(folder, "log.1")).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    return new BuildLog(folder, clock, { ended });
  }

  get count(): number {
    return this.#writer.next - 1;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Adds lines; they can be read at once. */
  add(lines: readonly Added[]): void {
    this.#failed ??= this.#writer.append(lines.map((line) => ({ ...line, source: "build" })));
    this.#wake();
  }

  note(text: string): void {
    this.add([{ stream: "note", text }]);
  }

  /** Says the last word and ends the log; throws where the disk refused any of it. */
  end(text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.note(text);
    this.#writer.close();
    if (this.#failed !== undefined)
      throw new Error(`the build log ${this.#folder} could not be written`, { cause: this.#failed });
  }

  /** Lines from number `from` on, as `readLogFiles` counts them. */
  read(from: number, limit: number, find: LogFind = {}): LogPart {
    return readLogFiles(this.#folder, from, limit, find);
  }

  /** Resolves when there is something after line `count`, the log has ended, or `signal` is aborted. */
  async more(count: number, signal?: AbortSignal): Promise<void> {
    if (this.count > count || this.#ended || signal?.aborted) return;
    const waiter = Promise.withResolvers<void>();
    this.#waiters.push(waiter.resolve);
    const wake = (): void => waiter.resolve();
    signal?.addEventListener("abort", wake);
    await waiter.promise;
    signal?.removeEventListener("abort", wake);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
