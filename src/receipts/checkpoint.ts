/** Checkpoints (C2SP tlog-checkpoint): which tree a log had, in three lines that its key signs. */
import { decoded, encoded } from "./bytes.ts";
import { hashBytes, type TreeHead } from "./tree.ts";

export interface Checkpoint extends TreeHead {
  /** The log's name, which is its keys' too. */
  readonly origin: string;
}

/** The text of the note. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${encoded(root, "base64")}\n`;
}

/** Undefined where a note's text is no checkpoint, or has lines of which we know nothing. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const match = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([^\n]+)\n$/.exec(text);
  const root = match && decoded(match[3] ?? "", "base64");
  const size = Number(match?.[2]);
  if (!match || root?.length !== hashBytes || !Number.isSafeInteger(size)) return undefined;
  return { origin: match[1] ?? "", size, root };
}
