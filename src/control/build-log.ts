/**
 * The log of one build: its first line is written when the build is queued, its last one says that it is complete.
 * Kept as JSON Lines on the server's disk, so that it can be opened late, from line 1, also after a restart.
 */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { LogLine } from "../contract/agent.ts";
import { iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";

/** A log stops growing here: one line says so, the rest is dropped. Builds that print more are looping. */
const maxLines = 50_000;

export class BuildLog {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #lines: LogLine[];
  #writing: Promise<void> = Promise.resolve();
  #failed: unknown;
  #waiters: (() => void)[] = [];
  #ended: boolean;
  /** Whether a crash cut the last line off: the next one then begins on a line of its own. */
  #torn: boolean;

  private constructor(
    file: string,
    clock: Clock,
    lines: LogLine[],
    { ended, torn }: { ended: boolean; torn: boolean },
  ) {
    this.#torn = torn;
    this.#file = file;
    this.#clock = clock;
    this.#lines = lines;
    this.#ended = ended;
  }

  /** A new, empty log. */
  static async create(file: string, clock: Clock): Promise<BuildLog> {
    await mkdir(dirname(file), { recursive: true });
    return new BuildLog(file, clock, [], { ended: false, torn: false });
  }

  /** The log of a build of an earlier process; a line that a crash cut off is left out. `ended`: nothing more will come. */
  static async open(file: string, clock: Clock, ended: boolean): Promise<BuildLog> {
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const lines = text.split("\n").flatMap((line): LogLine[] => {
      const parsed = parseLine(line);
      return parsed ? [parsed] : [];
    });
    return new BuildLog(file, clock, lines, { ended, torn: text !== "" && !text.endsWith("\n") });
  }

  get count(): number {
    return this.#lines.length;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Adds lines; they can be read at once and are on their way to disk. */
  add(lines: readonly { readonly at?: string; readonly stream: LogLine["stream"]; readonly text: string }[]): void {
    const added: LogLine[] = [];
    for (const { at, stream, text } of lines) {
      if (this.#lines.length + added.length > maxLines) break;
      const last = this.#lines.length + added.length === maxLines;
      added.push({
        n: this.#lines.length + added.length + 1,
        at: at ?? iso(this.#clock.wall()),
        source: "build",
        stream: last ? "note" : stream,
        text: last ? `the log is clipped here, after ${maxLines} lines; the build goes on` : text,
      });
    }
    this.#append(added);
  }

  #append(added: readonly LogLine[]): void {
    if (added.length === 0) return;
    this.#lines.push(...added);
    const text = (this.#torn ? "\n" : "") + added.map((line) => `${JSON.stringify(line)}\n`).join("");
    this.#torn = false;
    this.#writing = this.#writing
      .then(() => appendFile(this.#file, text))
      .catch((error: unknown) => {
        this.#failed ??= error;
      });
    this.#wake();
  }

  note(text: string): void {
    this.add([{ stream: "note", text }]);
  }

  /** Says the last word and ends the log; resolves when all of it is on disk, throws where the disk refused. */
  async end(text: string): Promise<void> {
    if (this.#ended) return;
    // Also where the log was clipped: whoever reads it to its end is told how the build went.
    this.#append([{ n: this.#lines.length + 1, at: iso(this.#clock.wall()), source: "build", stream: "note", text }]);
    this.#ended = true;
    this.#wake();
    await this.#writing;
    if (this.#failed !== undefined)
      throw new Error(`the build log ${this.#file} could not be written`, { cause: this.#failed });
  }

  /** Lines from number `from` on, at most `limit`. */
  read(from: number, limit: number): readonly LogLine[] {
    return this.#lines.slice(Math.max(0, from - 1), Math.max(0, from - 1) + limit);
  }

  /** Resolves when there is something after line `count`, or the log has ended. */
  async more(count: number): Promise<void> {
    if (this.#lines.length > count || this.#ended) return;
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function parseLine(line: string): LogLine | undefined {
  if (line === "") return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
