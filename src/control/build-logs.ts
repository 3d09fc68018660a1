/** The logs of builds: those that are written, and some of those that have ended. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LogLine } from "../contract/agent.ts";
import { isId } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { BuildLog } from "./build-log.ts";

/** Logs of ended builds that need not be opened again. */
const endedLogsKept = 10;
/** Lines that are read at once for one who follows. */
const followedLines = 500;
/** Version 0.1 had one file for each build. */
const oldEnding = /\.log$/;

export class BuildLogs {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #open = new Map<string, BuildLog>();
  readonly #ended = new Map<string, BuildLog>();

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** The log of a build that begins. */
  async begin(id: string): Promise<BuildLog> {
    return this.#keep(id, await BuildLog.create(this.#folderOf(id), this.#clock));
  }

  /** The log of a build of an earlier process that goes on. */
  async goOn(id: string): Promise<BuildLog> {
    return this.#keep(id, await BuildLog.open(this.#folderOf(id), this.#clock, false));
  }

  /** Of a build that goes on. */
  get(id: string): BuildLog | undefined {
    return this.#open.get(id);
  }

  /** Lines so far, of one that goes on or has just ended. */
  count(id: string): number | undefined {
    return (this.#open.get(id) ?? this.#ended.get(id))?.count;
  }

  async of(id: string): Promise<BuildLog> {
    return this.#open.get(id) ?? this.#ended.get(id) ?? BuildLog.open(this.#folderOf(id), this.#clock, true);
  }

  /** Says the last line, with how many there are. Throws where the disk refused any of them. */
  end(id: string, says: string): void {
    const log = this.#open.get(id);
    if (!log) return;
    this.#open.delete(id);
    this.#ended.set(id, log);
    const oldest = this.#ended.keys().next().value;
    if (this.#ended.size > endedLogsKept && oldest !== undefined) this.#ended.delete(oldest);
    log.end(`${says}; ${log.count + 1} lines, complete`);
  }

  /** Ids of all builds that have one. */
  async all(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return []; // no build was ever asked for
      throw error;
    });
    return names.map((name) => name.replace(oldEnding, "")).filter((name) => isId("b", name));
  }

  /** Of a build that has ended. */
  async remove(id: string): Promise<void> {
    this.#ended.delete(id);
    for (const path of [this.#folderOf(id), `${this.#folderOf(id)}.log`])
      await rm(path, { recursive: true, force: true });
  }

  /** Lines of a log from a number on, waiting for more while the build goes on. */
  async *follow(id: string, from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
    const log = await this.of(id);
    let next = Math.max(1, from);
    while (!signal.aborted) {
      // Looked at before the lines are read: what is written in between is then simply not the end yet.
      const { ended } = log;
      const part = log.read(next, followedLines);
      yield* part.lines;
      next = part.next;
      if (part.lines.length > 0) continue;
      if (ended) return;
      await log.more(next - 1, signal);
    }
  }

  #keep(id: string, log: BuildLog): BuildLog {
    this.#open.set(id, log);
    return log;
  }

  #folderOf(id: string): string {
    return join(this.#folder, id);
  }
}
