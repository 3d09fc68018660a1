/** What the app was answered by the Device API, line by line, compared with the journal. */
import { closeSync, openSync, readSync } from "node:fs";
import type { CallBook } from "./books.ts";
import type { Findings } from "./promises.ts";

/** A line of the app's file. `call` is null where the answer named none. */
export type Deed = { readonly call: string | null } & (
  | { readonly what: "granted"; readonly slot: string }
  | { readonly what: "refused"; readonly code: string }
  | { readonly what: "allowed"; readonly status: number }
  | { readonly what: "released"; readonly status: number; readonly fail: boolean; readonly outcome?: "unused" }
  /** For how long the app had the GPU by its own clock, between its two answers and between its two questions. */
  | { readonly what: "used"; readonly leastMs: number; readonly mostMs: number }
  | { readonly what: "broke"; readonly says: string }
);

/** Reads whole lines as they are appended. */
export class DeedsFile implements Disposable {
  readonly file: string;
  readonly #fd: number;
  #at = 0;

  constructor(file: string) {
    this.file = file;
    this.#fd = openSync(file, "a+");
  }

  readOn(): readonly Deed[] {
    const parts: Buffer[] = [];
    for (;;) {
      const part = Buffer.alloc(1 << 16);
      const length = readSync(
        this.#fd,
        part,
        0,
        part.length,
        this.#at + parts.reduce((sum, one) => sum + one.length, 0),
      );
      if (length === 0) break;
      parts.push(part.subarray(0, length));
    }
    const bytes = Buffer.concat(parts);
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    this.#at += whole.length;
    return whole
      .toString()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Deed);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Times of two processes' clocks are rounded down to whole milliseconds, each for itself. */
const roundingMs = 2;

/** Compares all that the app was answered, when all its calls have ended. */
export function compareDeeds(deeds: readonly Deed[], books: ReadonlyMap<string, CallBook>, findings: Findings): void {
  const granted = new Map<string, number>();
  for (const deed of deeds) {
    if (deed.what === "broke") {
      findings.other.push(`the app: ${deed.says}`);
      continue;
    }
    const { call } = deed;
    const book = call === null ? undefined : books.get(call);
    if (call === null || !book)
      findings.lost.push(`call ${call}: the app was told that it is ${deed.what}, and no record has it`);
    else if (deed.what === "granted") granted.set(call, (granted.get(call) ?? 0) + 1);
    if (book) compareDeed(deed, call ?? "", book, findings);
  }
  for (const [call, times] of granted)
    if (times > 1) findings.duplicated.push(`call ${call} was granted ${times} times to the app`);
  for (const [call, { grants, ends, attached }] of books)
    for (const [what, times] of Object.entries({ grants: grants.length, ends: ends.length, attachments: attached }))
      if (times > 1) findings.duplicated.push(`call ${call} has ${times} ${what}`);
}

function compareDeed(deed: Exclude<Deed, { what: "broke" }>, call: string, book: CallBook, findings: Findings): void {
  findings.acknowledged += deed.what === "used" ? 0 : 1;
  const [end] = book.ends;
  const says = (what: string): number =>
    findings.lost.push(`call ${call}: the app was told that ${what}; its end is ${JSON.stringify(end)}`);
  switch (deed.what) {
    case "granted":
      if (book.grants.length === 0) says(`it has the slot ${deed.slot}`);
      return;
    case "refused":
      if (end === undefined || end.type === "call-settled") says(`it is refused, ${deed.code}`);
      return;
    case "allowed":
      if (deed.status !== 200) findings.other.push(`call ${call}: /allow answered ${deed.status}`);
      else if (book.attached === 0 && end?.type !== "call-settled") says("its worker may go on");
      return;
    case "released":
      return compareRelease(deed, call, book, findings);
    case "used":
      if (end?.type !== "call-settled") return;
      if (end.usedMs < deed.leastMs - roundingMs || end.usedMs > deed.mostMs + roundingMs)
        findings.other.push(
          `call ${call} used ${deed.leastMs} to ${deed.mostMs} ms, and ${end.usedMs} ms are recorded`,
        );
  }
}

function compareRelease(
  deed: Extract<Deed, { what: "released" }>,
  call: string,
  { ends: [end] }: CallBook,
  findings: Findings,
): void {
  const isUnused = deed.outcome === "unused";
  if (deed.status !== (isUnused ? 204 : 200)) {
    findings.other.push(`call ${call}: /release answered ${deed.status}`);
    return;
  }
  const charged = end?.type === "call-settled" ? end.chargedMs : 0;
  if (isUnused) {
    if (end === undefined || charged !== 0)
      findings.lost.push(`call ${call} was given back unused, and is ${JSON.stringify(end)}`);
    return;
  }
  const cause = deed.fail ? "raised" : "returned";
  if (end?.type !== "call-settled" || end.cause !== cause || charged !== end.usedMs)
    findings.lost.push(`call ${call} was released (${cause}), and its end is ${JSON.stringify(end)}`);
}
