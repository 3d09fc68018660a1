/** `.gitattributes`: what makes git-lfs put a file's content in the place of its pointer. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunIn } from "./git-objects.ts";

export const attributesFile = ".gitattributes";

/** Those of the paths that the commit's `.gitattributes` do not give to git-lfs, as git itself reads them. */
export async function uncovered(run: RunIn, commit: string, paths: readonly string[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "wb-index-"));
  const env = { GIT_INDEX_FILE: join(folder, "index") };
  try {
    await run(["read-tree", commit], { env });
    const input = paths.map((path) => `${path}\0`);
    const { output } = await run(["check-attr", "--cached", "-z", "--stdin", "filter"], { env, input });
    const told = output.toString("utf8").split("\0");
    const values = new Map(paths.map((_, at) => [told[at * 3] ?? "", told[at * 3 + 2]]));
    return paths.filter((path) => values.get(path) !== "lfs");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The file with a line more for each path. */
export function withLines(attributes: string, paths: readonly string[]): string {
  const end = attributes === "" || attributes.endsWith("\n") ? "" : "\n";
  return `${attributes}${end}${paths.map((path) => `${pattern(path)} filter=lfs diff=lfs merge=lfs -text\n`).join("")}`;
}

/** A pattern of gitattributes(5) for exactly this path: from the top, nothing of it special. */
function pattern(path: string): string {
  const plain = `/${path.replaceAll(/[*?[\]\\]/g, "\\$&")}`;
  return /[\s"\\]/.test(plain) ? `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : plain;
}
