/**
 * Whose turn it is to number: the epoch comes from a counter on the emitter's disk, raised and synced before its first use, so
 * that no two runs ever share one. A lost or unreadable counter makes a new emitter: guessing an epoch could repeat numbers.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { emitterNamePattern, parseSegmentFile } from "./segments.ts";

export interface Epoch {
  /** The emitter's name: as asked for, or with a random suffix after a lost counter. */
  readonly emitter: string;
  readonly epoch: number;
  /** Why the name is another than the one asked for; null otherwise. */
  readonly renamed: string | null;
}

/** Random bytes of a suffix: 40 bits beside the name are plenty for the few counters that one machine loses. */
const suffixBytes = 5;

/** Registers the next epoch of `name` in `folder` and syncs it to disk before it returns. */
export function nextEpoch(folder: string, name: string, random: RandomBytes): Epoch {
  const file = join(folder, `${name}.epoch`);
  const last = readCounter(file, name);
  if (typeof last !== "string") return register(folder, file, { ...last, epoch: last.epoch + 1 });
  if (last === "absent" && !hasSegments(folder, name)) {
    return register(folder, file, { emitter: name, epoch: 1, renamed: null });
  }
  const emitter = `${name}-${base32(random(suffixBytes))}`;
  const why = last === "absent" ? "is lost" : "can't be read";
  return register(folder, file, {
    emitter,
    epoch: 1,
    renamed: `the epoch counter of "${name}" ${why}: it goes on as "${emitter}"`,
  });
}

function readCounter(file: string, name: string): Epoch | "absent" | "unreadable" {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(file, "utf8"));
    if (typeof value !== "object" || value === null) return "unreadable";
    const { emitter, epoch } = value as { emitter?: unknown; epoch?: unknown };
    const sound =
      typeof emitter === "string" &&
      emitterNamePattern.test(emitter) &&
      typeof epoch === "number" &&
      Number.isSafeInteger(epoch) &&
      epoch > 0;
    return sound
      ? { emitter, epoch, renamed: emitter === name ? null : `"${name}" goes on as "${emitter}"` }
      : "unreadable";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    if (error instanceof SyntaxError) return "unreadable";
    throw new Error(`the epoch counter ${file} can't be read`, { cause: error });
  }
}

function hasSegments(folder: string, name: string): boolean {
  return fs.readdirSync(folder).some((file) => parseSegmentFile(file)?.emitter === name);
}

function register(folder: string, file: string, epoch: Epoch): Epoch {
  const draft = `${file}.new`;
  const handle = fs.openSync(draft, "w", 0o600);
  try {
    fs.writeSync(handle, JSON.stringify({ emitter: epoch.emitter, epoch: epoch.epoch }));
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(draft, file);
  syncFolder(folder);
  return epoch;
}

/** Makes new, renamed and removed names of `folder` durable. */
export function syncFolder(folder: string): void {
  const handle = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}
