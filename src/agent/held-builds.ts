/**
 * Which builds the node has, and by which fence, on its disk: an agent that comes back after a crash can say of each that it is
 * lost. Written before a build begins, and synced before it gets its name: a power loss leaves it whole, or the one before.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface HeldBuild {
  readonly build: string;
  /** By which it was given. */
  readonly fence: number;
}

export class HeldBuilds {
  readonly #path: string;
  /** What an earlier agent had when it ended. */
  readonly left: readonly HeldBuild[];

  /** Reads what an earlier agent left in `folder`. */
  constructor(folder: string) {
    this.#path = join(folder, "builds.json");
    this.left = readHeld(this.#path);
  }

  /** These are all that the node has. */
  keep(held: readonly HeldBuild[]): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(held), { mode: 0o600, flush: true });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function readHeld(path: string): readonly HeldBuild[] {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as HeldBuild[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
