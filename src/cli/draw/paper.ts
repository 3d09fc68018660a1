/** What every drawing is drawn on: a width, a time zone, and colour or none. Drawings are pure: input to text. */
import { styleText } from "node:util";
import { toneColors } from "../words.ts";
import type { Tone } from "../words.ts";

export interface Paper {
  /** Columns of the terminal. */
  readonly width: number;
  /** IANA name; undefined is the machine's. */
  readonly zone: string | undefined;
  readonly color: boolean;
}

/** `text` in a tone; unchanged on paper without colour. */
export function tone(paper: Paper, name: Tone, text: string): string {
  const colors = toneColors[name];
  return paper.color && colors.length > 0 && text !== "" ? styleText(colors, text, { validateStream: false }) : text;
}

/** `12:00:07.311` in the paper's zone, from RFC 3339. */
export function timeOf(paper: Paper, at: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
    timeZone: paper.zone,
  }).format(new Date(at));
}

/** `22 Nov 12:00` in the paper's zone. */
export function dayTimeOf(paper: Paper, at: string): string {
  const options = {
    day: "2-digit",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: paper.zone,
  } as const;
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat("en-GB", options).formatToParts(new Date(at)).map(({ type, value }) => [type, value]),
  );
  return `${parts["day"]} ${parts["month"]?.slice(0, 3)} ${parts["hour"]}:${parts["minute"]}`;
}

/** `0 s`, `0.4 s`, `22 s`, `3 min 20 s`, `2 h 5 min`. */
export function lengthOf(ms: number): string {
  if (ms < 9_950) return `${(Math.round(ms / 100) / 10).toString()} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ""}`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

/** `700 B`, `12 kB`, `3.4 MB`, `48.3 GB`. */
export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  return bytes < 1_000_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${(bytes / 1_000_000_000).toFixed(1)} GB`;
}

/** An amount exactly, in seconds: `300 s`, `0.412 s`. Sums that a reader adds up must add up. */
export function secondsOf(ms: number): string {
  return `${ms / 1000} s`;
}

/** Breaks `text` at spaces so that lines fit beside an indent of `indent` columns; longer words stay whole. */
export function wrap(text: string, width: number, indent: number): string {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.join(`\n${" ".repeat(indent)}`);
}
