/**
 * The guide as a program: the fenced blocks of `docs/guide/*.md`, by what the word after their language says.
 *
 *   sh run       is run, in one shell for the whole page     sh start     is run and goes on: the platform
 *   sh needs …   is not run: what it needs, here is not       … file=PATH  is written to a file before what comes after it
 *   text prints  lines that what was run before it prints, in this order, but for numbers, ids and dates; `…` stands where a line goes on
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export const docs = join(import.meta.dirname, "..", "..", "docs");
export const guide = join(docs, "guide");

export interface Block {
  /** `start.md:12`, its first line. */
  readonly at: string;
  readonly language: string;
  /** What follows the language: `run`, `needs a clone`; empty where nothing does. */
  readonly does: string;
  readonly text: string;
}

/** File names of its pages. */
export function guidePages(): readonly string[] {
  return readdirSync(guide).filter((name) => name.endsWith(".md"));
}

export function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(join(guide, page), "utf8");
  return [...text.matchAll(/^```([^\s`]*)[ \t]*([^\n]*)\n(.*?)^```$/gms)].map(
    ({ index, 1: language = "", 2: does = "", 3: body = "" }) => ({
      at: `${basename(page)}:${text.slice(0, index).split("\n").length + 1}`,
      language,
      does: does.trim(),
      text: body,
    }),
  );
}

/** The sample's lines that are not in what was printed, after the line before them. */
export function missingOf(sample: string, printed: string): readonly string[] {
  const lines = printed.split("\n").map(comparable);
  let from = 0;
  return sample.split("\n").filter((line) => {
    const wanted = comparable(line.replaceAll("…", ""));
    const found = wanted === "" ? from - 1 : lines.findIndex((one, at) => at >= from && one.includes(wanted));
    if (found === -1 && wanted !== "") return true;
    from = found + 1;
    return false;
  });
}

/** Without what is another one each time. */
function comparable(line: string): string {
  return line
    .replaceAll(/\b(?:hf_wb|[a-z]{1,5}_)[a-z0-9]{10,}/g, "ID")
    .replaceAll(/\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b/g, "MONTH")
    .replaceAll(/\d[\d.,:]*/g, "0")
    .replaceAll(/\s+/g, " ")
    .trim();
}
