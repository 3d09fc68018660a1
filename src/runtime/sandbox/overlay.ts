/** Lays folders over one another, in the mount namespace of this process; `userxattr` is what an unprivileged overlay needs. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bind } from "./recipe.ts";

export interface Overlay {
  /** Where the whole is seen. */
  readonly at: string;
  /** Read-only; the first is uppermost. */
  readonly lower: readonly string[];
  /** Takes what is written; without it the whole can only be read. */
  readonly upper?: { readonly folder: string; readonly work: string };
}

/** What a sandbox has of the machine, with a layer of packages over it. */
export interface SystemLayer {
  readonly usr: string;
  /** What the layer has beside /usr. */
  readonly others: readonly Bind[];
}

const mountWithinMs = 5_000;

/** Makes the folders and mounts. Rejects, in the words of mount(8), where the kernel or a disk's file system makes none. */
export async function mountOverlay({ at, lower, upper }: Overlay): Promise<void> {
  mkdirSync(at, { recursive: true, mode: 0o755 });
  const options = ["userxattr", `lowerdir=${lower.map(escaped).join(":")}`];
  if (upper) {
    for (const folder of [upper.folder, upper.work]) mkdirSync(folder, { recursive: true, mode: 0o755 });
    options.push(`upperdir=${escaped(upper.folder)}`, `workdir=${escaped(upper.work)}`);
  } else options.push("ro");
  try {
    await promisify(execFile)("mount", ["-t", "overlay", "-o", options.join(","), "overlay", at], {
      timeout: mountWithinMs,
    });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw said ? new Error(said, { cause: error }) : error;
  }
}

/** Lays unpacked Debian packages over the machine's own; `at` is a folder for what is mounted. Rejects as {@link mountOverlay}. */
export async function laySystem(packages: string, at: string): Promise<SystemLayer> {
  const usr = join(at, "usr");
  await mountOverlay({ at: usr, lower: [join(packages, "usr"), "/usr"] });
  const below = (folder: string): readonly Bind[] =>
    existsSync(join(packages, folder))
      ? readdirSync(join(packages, folder)).map((name) => ({
          from: join(packages, folder, name),
          to: join("/", folder, name),
        }))
      : [];
  // Of /etc a sandbox has little, and what it has is the platform's or the machine's.
  return { usr, others: [...below("opt"), ...below("etc").filter(({ to }) => !existsSync(to))] };
}

/** As mount's overlay options want it: a comma ends an option, a colon a lower folder. */
function escaped(path: string): string {
  return path.replaceAll(/[\\,:]/g, String.raw`\$&`);
}
