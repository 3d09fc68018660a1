/**
 * A log on disk: numbered lines as JSON in segments `log.N` (N: number of the first line). When there are too many of them the
 * oldest goes, or where the beginning matters one in the middle. One process writes; any may read, also after the writer's death.
 * A line's number stands at its beginning, so a reader finds it by bisection and reads nothing of what comes before.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { LogFind, LogLine } from "../contract/agent.ts";
import { iso, type Clock } from "../stdx/time.ts";

export interface LogLimits {
  /** A segment is closed when it has so many bytes. */
  readonly segmentBytes: number;
  /** Kept segments, the open one included. */
  readonly segments: number;
  /** Of these, so many of the oldest are never dropped. */
  readonly first: number;
}

/** 16 MiB in all: a day of an app that prints two lines a second. */
export const logLimits: LogLimits = { segmentBytes: 1 << 20, segments: 16, first: 0 };

/** One answer holds at most so much, so that it fits into one frame of the contract. */
const answerMaxBytes = 1 << 18;
export const answerMaxLines = 1_000;
/** A search looks at so much for one answer: some ten milliseconds of the process that is asked. */
const searchedBytes = 2 << 20;
/** A bisection ends where reading on is as fast. */
const nearBytes = 16 << 10;
const chunkBytes = 64 << 10;

export interface LogPart {
  readonly lines: readonly LogLine[];
  /** Where to read on. */
  readonly next: number;
  /** There is more to be read from there on: this part is full, or all that one answer may search is searched. */
  readonly more?: boolean;
}

/** What a writer is given of one line. */
export type NewLine = Pick<LogLine, "source" | "stream" | "text"> & Partial<Pick<LogLine, "at" | "step">>;

/** Appends to the log in `folder`; goes on after the last line that is there. */
export class LogWriter {
  readonly #folder: string;
  readonly #clock: Pick<Clock, "wall">;
  readonly #limits: LogLimits;
  #next: number;
  #fd: number | undefined;
  #size = 0;
  /** Lines that the disk did not take, told as soon as it takes one again. */
  #lost = 0;

  constructor(folder: string, clock: Pick<Clock, "wall">, limits: LogLimits = logLimits) {
    this.#folder = folder;
    this.#clock = clock;
    this.#limits = limits;
    this.#next = endOfLog(folder);
  }

  /** The number of the next line. */
  get next(): number {
    return this.#next;
  }

  /** Writes lines of one source and stream; see {@link append}. */
  write(source: LogLine["source"], stream: LogLine["stream"], texts: readonly string[]): void {
    this.append(texts.map((text) => ({ source, stream, text })));
  }

  /**
   * Writes the lines with one call to the disk; they survive this process, not the machine. A disk that refuses (full, say)
   * must not end the app whose log it is: those lines are lost, a note says how many, and the error is given back.
   */
  append(added: readonly NewLine[]): unknown {
    if (added.length === 0) return undefined;
    const now = iso(this.#clock.wall());
    const first = this.#next;
    const lost = this.#lost > 0 ? [lostNote(this.#lost)] : [];
    const lines = [...lost, ...added].map(({ at, source, stream, step, text }): LogLine => ({
      n: this.#next++,
      at: at ?? now,
      source,
      stream,
      ...(step === undefined ? {} : { step }),
      text,
    }));
    try {
      this.#put(lines);
      this.#lost = 0;
      return undefined;
    } catch (error) {
      // Half a line may be in the segment: the next line begins another one, and a reader passes over the half.
      this.close();
      const taken = Math.max(0, this.#end(first) - first);
      this.#next = first + taken;
      this.#lost = (taken < lost.length ? this.#lost : 0) + added.length - Math.max(0, taken - lost.length);
      return error;
    }
  }

  #end(otherwise: number): number {
    try {
      return endOfLog(this.#folder);
    } catch {
      return otherwise; // The disk gives nothing back either: what is there is found by the numbers of the next lines.
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
    // What may lie there is half of a line, and no whole one: this segment begins with that line. Or it is a link of the app's.
    const path = segmentPath(this.#folder, first);
    rmSync(path, { force: true });
    this.#fd = openSync(path, "wx", 0o600);
    this.#size = 0;
    const firsts = segmentsOf(this.#folder);
    const { first: kept, segments } = this.#limits;
    for (const dropped of firsts.slice(kept, Math.max(kept, firsts.length - (segments - kept))))
      unlinkSync(segmentPath(this.#folder, dropped));
  }
}

/**
 * At most `limit` lines from number `from` on, of those that are asked for; a negative `from` counts back from the end. Lines that
 * were dropped are told by one note, whose number is that of the last one dropped. A last line that is not whole yet is left for
 * the next read.
 */
export function readLogFiles(folder: string, from: number, limit: number, find: LogFind = {}): LogPart {
  const firsts = segmentsOf(folder);
  const lines: LogLine[] = [];
  let next = Math.max(1, from < 0 ? endOfLog(folder) + from : from);
  if (find.since !== undefined) next = Math.max(next, firstSince(folder, firsts, find.since));
  let room = answerMaxBytes;
  let search = searchedBytes;
  const most = Math.min(limit, answerMaxLines);
  const lacks = lacking(find.grep);
  for (const [at, first] of firsts.entries()) {
    const end = firsts[at + 1];
    if (end !== undefined && next >= end) continue;
    for (const text of linesFrom(segmentPath(folder, first), before("n", next))) {
      if (lines.length >= most || room <= 0 || search <= 0) return { lines, next, more: true };
      search -= text.length;
      const { n, at: writtenAt } = fieldsOf(text);
      if (n > next) lines.push(goneNote({ from: next, to: n - 1, at: writtenAt, isFirst: at === 0 }));
      next = n + 1;
      if (lacks(text)) continue;
      const line = JSON.parse(text) as LogLine;
      if (!isFound(line, find)) continue;
      room -= text.length;
      lines.push(line);
    }
  }
  return { lines, next };
}

/** Whether a line's JSON cannot have the text that is looked for in it: it is written there as JSON has it. Most lines are parsed for nothing else. */
function lacking(grep: string | undefined): (json: string) => boolean {
  if (grep === undefined) return () => false;
  const written = JSON.stringify(grep).slice(1, -1).toLowerCase();
  return (json) => !json.toLowerCase().includes(written);
}

/** Whether a line is one of those that are asked for: its source, its time, and a text in it, whatever the case of its letters. */
export function isFound(line: LogLine, { grep, source, since }: LogFind): boolean {
  return (
    (source === undefined || line.source === source) &&
    (since === undefined || line.at >= since) &&
    (grep === undefined || line.text.toLowerCase().includes(grep.toLowerCase()))
  );
}

/** The texts of the last `count` lines that the app wrote. */
export function lastLines(folder: string, count: number): readonly string[] {
  return readLogFiles(folder, -count * 2, count * 2)
    .lines.filter((line) => line.source === "app")
    .slice(-count)
    .map((line) => line.text);
}

/** The number of the line after the last whole one; 1 where there is none. */
export function endOfLog(folder: string): number {
  const first = segmentsOf(folder).at(-1);
  if (first === undefined) return 1;
  let last = first - 1;
  for (const text of linesFrom(segmentPath(folder, first), () => true, "last")) last = fieldsOf(text).n;
  return last + 1;
}

function lostNote(count: number): NewLine {
  const text = `${count} ${count === 1 ? "line is" : "lines are"} lost: the disk did not take ${count === 1 ? "it" : "them"}`;
  return { source: "runtime", stream: "note", text };
}

function goneNote({ from, to, at, isFirst }: { from: number; to: number; at: string; isFirst: boolean }): LogLine {
  const which = from === to ? `line ${from} is` : `lines ${from} to ${to} are`;
  const size = `${(logLimits.segmentBytes * logLimits.segments) >> 20} MiB`;
  const kept = isFirst
    ? `a log keeps its newest ${size}`
    : `a log keeps ${size}, of this one its beginning and its newest`;
  return { n: to, at, source: "runtime", stream: "note", text: `${which} gone: ${kept}` };
}

/** An app that runs as a plain process can write beside its log: no link is followed, and no pipe waited for. */
const asItIs = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const segmentPath = (folder: string, first: number): string => join(folder, `log.${first}`);

function segmentsOf(folder: string): readonly number[] {
  const numbers = readdirSync(folder).flatMap((name) => (/^log\.\d+$/.test(name) ? Number(name.slice(4)) : []));
  return numbers.sort((a, b) => a - b);
}

/** The number of the first line that is not older than an instant; of the last segment's end where all are. */
function firstSince(folder: string, firsts: readonly number[], since: string): number {
  for (const first of firsts.toReversed()) {
    const path = segmentPath(folder, first);
    const [oldest] = linesFrom(path, () => false);
    if (oldest !== undefined && fieldsOf(oldest).at >= since) continue;
    for (const text of linesFrom(path, before("at", since))) return fieldsOf(text).n;
    const later = firsts.find((one) => one > first);
    return later ?? endOfLog(folder);
  }
  return firsts[0] ?? 1;
}

/** What a bisection looks at. A line's JSON begins so: the writer puts these two first. */
function fieldsOf(text: string): { readonly n: number; readonly at: string } {
  const found = /^\{"n":(\d+),"at":"([^"]*)"/.exec(text);
  return { n: Number(found?.[1] ?? 0), at: found?.[2] ?? "" };
}

function before<Field extends "n" | "at">(
  field: Field,
  value: { n: number; at: string }[Field],
): (text: string) => boolean {
  return (text) => fieldsOf(text)[field] < value;
}

/**
 * The whole lines of a segment for which `isBefore` does not hold, read in pieces as they are wanted; the lines are in order, so
 * those for which it holds come first. `last`: only what stands near the end, wherever that begins.
 */
function* linesFrom(
  path: string,
  isBefore: (text: string) => boolean,
  which: "all" | "last" = "all",
): Generator<string> {
  let fd: number;
  try {
    fd = openSync(path, asItIs);
  } catch (error) {
    // The writer dropped this segment between our look at the folder and this read; or it is a link, which no writer of ours made.
    if (["ENOENT", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return;
    let isOn = which === "last";
    for (const text of linesAfter(fd, startOf(fd, isBefore))) {
      if (!isOn && isBefore(text)) continue;
      isOn = true;
      yield text;
    }
  } finally {
    closeSync(fd);
  }
}

/** The offset of a line's beginning, near and not after the first line for which `isBefore` does not hold. */
function startOf(fd: number, isBefore: (text: string) => boolean): number {
  let low = 0;
  let high = fstatSync(fd).size;
  while (high - low > nearBytes) {
    const middle = Math.floor((low + high) / 2);
    const begins = nextBeginning(fd, middle, high);
    const [text] = begins === undefined ? [] : linesAfter(fd, begins);
    if (begins !== undefined && text !== undefined && isBefore(text)) low = begins;
    else high = middle;
  }
  return low;
}

/** Where the first line begins after an offset, if that is before `end`. */
function nextBeginning(fd: number, offset: number, end: number): number | undefined {
  const chunk = Buffer.allocUnsafe(nearBytes);
  for (let at = offset; at < end;) {
    const read = readSync(fd, chunk, 0, chunk.length, at);
    if (read === 0) return undefined;
    const newline = chunk.subarray(0, read).indexOf(10);
    if (newline !== -1) return at + newline + 1 < end ? at + newline + 1 : undefined;
    at += read;
  }
  return undefined;
}

function* linesAfter(fd: number, offset: number): Generator<string> {
  let rest: Buffer = Buffer.alloc(0);
  // The first look is a short one: a bisection wants one line.
  for (let at = offset, size = nearBytes; ; size = chunkBytes) {
    const chunk = Buffer.allocUnsafe(size);
    const read = readSync(fd, chunk, 0, size, at);
    if (read === 0) return;
    at += read;
    let bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
      yield bytes.toString("utf8", 0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
}
