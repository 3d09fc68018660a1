/**
 * A replica's log on disk: numbered lines in segments `log.N` (N: number of the first line), oldest dropped first.
 * One process writes it (the shim); any may read it, also after the writer's death.
 */
import { closeSync, openSync, readFileSync, readdirSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { LogLine } from "../contract/agent.ts";
import { iso, type Clock } from "../stdx/time.ts";

export interface LogLimits {
  /** A segment is closed when it has so many bytes. */
  readonly segmentBytes: number;
  /** Kept segments, the open one included. */
  readonly segments: number;
}

/** 16 MiB in all: a day of an app that prints two lines a second. */
export const logLimits: LogLimits = { segmentBytes: 1 << 20, segments: 16 };

/** One answer holds at most so much, so that it fits into one frame of the contract. */
const answerMaxBytes = 1 << 18;
export const answerMaxLines = 1_000;

export interface LogPart {
  readonly lines: readonly LogLine[];
  /** Where to read on. */
  readonly next: number;
}

/** Appends to the log in `folder`; goes on after the last line that is there. */
export class LogWriter {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #limits: LogLimits;
  #next: number;
  #fd: number | undefined;
  #size = 0;
  /** Lines that the disk did not take, told as soon as it takes one again. */
  #lost = 0;

  constructor(folder: string, clock: Clock, limits: LogLimits = logLimits) {
    this.#folder = folder;
    this.#clock = clock;
    this.#limits = limits;
    this.#next = nextLine(folder);
  }

  /**
   * Writes the lines with one call to the disk; they survive this process, not the machine. A disk that refuses (full, say)
   * must not end the app whose log it is: those lines are lost, and a note says how many.
   */
  write(source: LogLine["source"], stream: LogLine["stream"], texts: readonly string[]): void {
    if (texts.length === 0) return;
    const at = iso(this.#clock.wall());
    const lost = this.#lost > 0 ? [`${this.#lost} lines are lost: the disk did not take them`] : [];
    const lines = [
      ...lost.map((text): LogLine => ({ n: this.#next++, at, source: "runtime", stream: "note", text })),
      ...texts.map((text): LogLine => ({ n: this.#next++, at, source, stream, text })),
    ];
    try {
      this.#put(lines);
      this.#lost = 0;
    } catch {
      this.#lost += texts.length;
      // Half a line may be in the segment: the next line begins another one, and a reader passes over the half.
      this.close();
    }
  }

  #put(lines: readonly LogLine[]): void {
    const first = (lines[0] as LogLine).n;
    if (this.#fd === undefined || this.#size >= this.#limits.segmentBytes) this.#nextSegment(first);
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    for (let written = 0; written < bytes.length;) written += writeSync(this.#fd as number, bytes, written);
    this.#size += bytes.length;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #nextSegment(first: number): void {
    this.close();
    this.#fd = openSync(join(this.#folder, `log.${first}`), "a", 0o600);
    this.#size = 0;
    const firsts = segmentsOf(this.#folder);
    for (const oldest of firsts.slice(0, Math.max(0, firsts.length - this.#limits.segments))) {
      unlinkSync(join(this.#folder, `log.${oldest}`));
    }
  }
}

/**
 * At most `limit` lines from number `from` on. Lines that were dropped are told by one note, whose number is that of the last
 * one dropped. A last line that is not whole yet is left for the next read.
 */
export function readLogFiles(folder: string, from: number, limit: number): LogPart {
  const firsts = segmentsOf(folder);
  const oldest = firsts[0];
  const lines: LogLine[] = [];
  let next = Math.max(1, from);
  if (oldest !== undefined && next < oldest) {
    lines.push(droppedNote(next, oldest - 1));
    next = oldest;
  }
  let budget = answerMaxBytes;
  const most = Math.min(limit, answerMaxLines);
  for (const [at, first] of firsts.entries()) {
    const end = firsts[at + 1];
    if (end !== undefined && next >= end) continue;
    // Lines between two segments: the disk did not take them, or they were dropped while we looked.
    next = Math.max(next, first);
    for (const text of wholeLines(join(folder, `log.${first}`)).slice(next - first)) {
      if (lines.length >= most || budget <= 0) return { lines, next };
      budget -= text.length;
      lines.push(JSON.parse(text) as LogLine);
      next++;
    }
  }
  return { lines, next };
}

/** The texts of the last `count` lines that the app wrote. */
export function lastLines(folder: string, count: number): readonly string[] {
  const from = Math.max(1, nextLine(folder) - count * 2);
  return readLogFiles(folder, from, count * 2)
    .lines.filter((line) => line.source === "app")
    .slice(-count)
    .map((line) => line.text);
}

function droppedNote(from: number, to: number): LogLine {
  const which = from === to ? `line ${from} is` : `lines ${from} to ${to} are`;
  const text = `${which} gone: the log keeps its newest ${(logLimits.segmentBytes * logLimits.segments) >> 20} MiB`;
  return { n: to, at: new Date(0).toISOString(), source: "runtime", stream: "note", text };
}

function segmentsOf(folder: string): readonly number[] {
  const numbers = readdirSync(folder).flatMap((name) => (/^log\.\d+$/.test(name) ? Number(name.slice(4)) : []));
  return numbers.sort((a, b) => a - b);
}

function nextLine(folder: string): number {
  const last = segmentsOf(folder).at(-1);
  return last === undefined ? 1 : last + wholeLines(join(folder, `log.${last}`)).length;
}

function wholeLines(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    // The writer dropped this segment between our look at the folder and this read.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const lines = text.split("\n");
  lines.pop();
  return lines;
}
