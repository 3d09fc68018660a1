/** Words, glyphs and colours: one table each, read by every drawing of the command line. */
import type { InspectColor } from "node:util";
import type { Owner } from "../evidence/codes.ts";

export type Tone = "plain" | "muted" | "strong" | "failed" | Owner | "unknown";

/** Colour never stands instead of a word; success is plain. */
export const toneColors: Readonly<Record<Tone, readonly InspectColor[]>> = {
  plain: [],
  muted: ["dim"],
  strong: ["bold"],
  failed: ["red"],
  platform: ["magenta"],
  app: ["blue"],
  visitor: ["green"],
  outside: ["yellow"],
  unknown: [],
};

export const ownerGlyphs: Readonly<Record<Owner | "unknown", string>> = {
  platform: "■",
  app: "●",
  visitor: "▲",
  outside: "◆",
  unknown: "?",
};

/** What stands before a step of a build or a start. Two characters, so that columns line up. */
export const stepGlyphs = { done: "ok", started: ">>", failed: "!!", waiting: "  " } as const;

export const outcomeWords = {
  ok: "ok",
  refused: "refused",
  failed: "failed",
  open: "going on",
  unknown: "unknown",
} as const;

/** Of snapshots that could not be used, by their records. */
export function passedOverSays(indexes: readonly number[]): string {
  const which = indexes.length === 1 ? `record ${indexes[0]}` : `records ${indexes.join(" and ")}`;
  return `The snapshot after ${which} was changed and not used; the records are whole. Look at the disk.\n`;
}
