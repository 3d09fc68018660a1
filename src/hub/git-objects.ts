/** What a repository holds, read by git's plumbing: trees, and many small blobs at once. The caller says where git looks. */
import type { GitResult, GitRun } from "./git.ts";
import { linkProblem, saidOfPath } from "./paths.ts";

/** Runs git in one repository; with the environment of a push also on what that push brings and has not been taken yet. */
export type RunIn = (args: readonly string[], rest?: Omit<GitRun, "args" | "repository">) => Promise<GitResult>;

export interface TreeEntry {
  readonly path: string;
  /** `100644`, `100755`, `120000` (a link) or `160000` (another repository's commit). */
  readonly mode: string;
  readonly oid: string;
  /** Bytes; null for another repository's commit. */
  readonly size: number | null;
}

/** Blobs that are read in one go: 20,000 of at most 1 KiB are some 20 MiB. */
const blobsAtOnce = 20_000;
/** PATH_MAX: what a link can say. */
const linkMaxBytes = 4_096;
const linkMode = "120000";

/** All files of the commit, folders left out. */
export async function listTree(run: RunIn, commit: string): Promise<readonly TreeEntry[]> {
  return parseTree((await run(["ls-tree", "-r", "-z", "-l", "--full-tree", commit])).output);
}

/** Why these files may not be written into a folder: names, and links that leave it. */
export async function treeProblems(run: RunIn, entries: readonly TreeEntry[]): Promise<readonly string[]> {
  const links = entries.filter(({ mode }) => mode === linkMode);
  const long = links.filter(({ size }) => (size ?? 0) > linkMaxBytes);
  const targets = await readBlobs(
    run,
    links.filter((link) => !long.includes(link)).map(({ oid }) => oid),
  );
  return [
    ...entries.flatMap(({ path }) => saidOfPath(path)),
    ...long.map(({ path }) => `${path} is a link of more than ${linkMaxBytes} bytes`),
    ...links.flatMap(({ path, oid }) => {
      const target = targets.get(oid);
      return target === undefined ? [] : (linkProblem(path, target.toString("utf8")) ?? []);
    }),
  ];
}

/** The bytes of blobs by their ids; what is no blob of this repository is left out. For small ones: all are held at once. */
export async function readBlobs(run: RunIn, oids: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
  const blobs = new Map<string, Buffer>();
  const wanted = [...new Set(oids)];
  for (let from = 0; from < wanted.length; from += blobsAtOnce) {
    const input = wanted.slice(from, from + blobsAtOnce).map((oid) => `${oid}\n`);
    const { output } = await run(["cat-file", "--batch"], { input });
    for (const [oid, bytes] of parseBatch(output)) blobs.set(oid, bytes);
  }
  return blobs;
}

/** Parses `ls-tree -r -z -l`: `<mode> <type> <oid> <size>\t<path>\0`. */
export function parseTree(output: Buffer): readonly TreeEntry[] {
  return output
    .toString("utf8")
    .split("\0")
    .filter((row) => row !== "")
    .map((row) => {
      const tab = row.indexOf("\t");
      const [mode, , oid, size] = row.slice(0, tab).split(/ +/) as [string, string, string, string];
      return { path: row.slice(tab + 1), mode, oid, size: size === "-" ? null : Number(size) };
    });
}

/** Parses `cat-file --batch`: `<oid> <type> <size>\n<bytes>\n`, or `<oid> missing\n`. */
function* parseBatch(output: Buffer): Generator<readonly [oid: string, bytes: Buffer]> {
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(10, at);
    const [oid, type, size] = output.toString("latin1", at, end).split(" ") as [string, string, string | undefined];
    at = end + 1;
    if (size === undefined) continue;
    if (type === "blob") yield [oid, output.subarray(at, at + Number(size))];
    at += Number(size) + 1;
  }
}
