/** What a push may bring. Asked when all of it has come and git has checked each object, and before any reference is changed. */
import { extname } from "node:path";
import { GitFailure, gitOutputMaxBytes } from "./git.ts";
import { listTree, treeProblems, type RunIn } from "./git-objects.ts";
import { commandsMax, type RefCommand } from "./http-backend.ts";
import { pullOf } from "./pull-ref.ts";
import { largeFilesOf, missingObjects } from "./lfs-tree.ts";

/** The branch that is read where no other is named; of a Space it is built and runs. */
export const mainRef = "refs/heads/main";
/** The Hub's own bound for a file that is not in LFS. */
export const fileMaxBytes = 10 << 20;
/** Names of what is wrong that are told; the pusher mends the first few and sees the rest. */
const toldMax = 20;
const refMaxBytes = 255;
const nothing = "0".repeat(40);

export interface PushRefusal {
  /** For the person who pushes. */
  readonly lines: readonly string[];
  readonly code: "transfer/push-refused" | "transfer/too-large" | "transfer/content-missing";
}

/** Undefined where the push may be taken. `run` sees what it brings, `repository` has its large files. */
export async function refusePush(
  run: RunIn,
  commands: readonly RefCommand[],
  repository: string,
): Promise<PushRefusal | undefined> {
  const wrong =
    commands.length > commandsMax ? [`one push may change ${commandsMax} references`] : refProblems(commands);
  if (wrong.length > 0) return no(wrong);
  const brought = commands.filter(({ to }) => to !== nothing);
  if (brought.length === 0) return undefined;
  const large = await bounded(() => largeFiles(run, brought));
  if (large === undefined)
    return tooLarge([
      `This push brings more files and folders, over all its commits, than can be looked through at once: the list of their paths may have ${megabytes(gitOutputMaxBytes)} MB, with 41 bytes more for each.`,
      "Push its history in parts, older commits first (git push <remote> <commit>:refs/heads/<branch>), or its last commit alone.",
    ]);
  if (large.length > 0) return tooLarge(largeSays(large));
  for (const { ref, to } of brought.filter(({ ref: name }) => !name.startsWith("refs/tags/"))) {
    const branch = ref.replace(/^refs\/(heads\/)?/, "");
    const entries = await bounded(() => listTree(run, to));
    if (entries === undefined) return no([`${branch} has more files than a repository may have`]);
    const problems = await treeProblems(run, entries);
    if (problems.length > 0) return no(told(problems.map((problem) => `${branch}: ${problem}`)));
    const missing = missingObjects(await largeFilesOf(run, entries, repository));
    if (missing.length > 0) return { lines: missingSays(branch, missing), code: "transfer/content-missing" };
  }
  return undefined;
}

const no = (lines: readonly string[]): PushRefusal => ({ lines, code: "transfer/push-refused" });
const tooLarge = (lines: readonly string[]): PushRefusal => ({ lines, code: "transfer/too-large" });

function refProblems(commands: readonly RefCommand[]): readonly string[] {
  return commands.flatMap(({ ref, from, to }) => {
    if (ref === mainRef && to === nothing)
      return [
        "main cannot be deleted: it is what a Space runs, and what is read where nothing else is asked for. Push another commit to it instead.",
      ];
    if (pullOf(ref) !== undefined)
      return from === nothing || to === nothing
        ? [`${ref} is made by opening a pull request, and stays: only commits are pushed to it`]
        : [];
    if (!ref.startsWith("refs/heads/") && !ref.startsWith("refs/tags/"))
      return [`${ref} is neither a branch nor a tag: only those are taken`];
    return Buffer.byteLength(ref) > refMaxBytes ? [`${ref.slice(0, 40)}… has more than ${refMaxBytes} bytes`] : [];
  });
}

/** Undefined where a list has no end that we wait for: a few folders that hold each other many times are billions of files. */
async function bounded<T>(list: () => Promise<T>): Promise<T | undefined> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof GitFailure && error.code === "git-too-much") return undefined;
    throw error;
  }
}

interface LargeFile {
  readonly path: string;
  readonly size: number;
}

/** Files above the bound in any commit that the push brings. */
async function largeFiles(run: RunIn, brought: readonly RefCommand[]): Promise<readonly LargeFile[]> {
  const tips = brought.map(({ to }) => to);
  const { output } = await run(["rev-list", "--objects", ...tips, "--not", "--all"]);
  const format = "--batch-check=%(objecttype) %(objectsize) %(rest)";
  const checked = await run(["cat-file", format], { input: [output] });
  return checked.output
    .toString("utf8")
    .split("\n")
    .flatMap((line) => {
      const [type, size, ...path] = line.split(" ");
      const isLarge = type === "blob" && Number(size) > fileMaxBytes;
      return isLarge ? [{ path: path.join(" "), size: Number(size) }] : [];
    });
}

function largeSays(files: readonly LargeFile[]): readonly string[] {
  const kinds = [...new Set(files.map(({ path }) => (extname(path) === "" ? path : `*${extname(path)}`)))];
  const include = kinds.slice(0, toldMax).join(",");
  return [
    ...told(files.map(({ path, size }) => `${path} has ${megabytes(size)} MB`)),
    `A file of more than ${megabytes(fileMaxBytes)} MB goes in by Git LFS. This changes your commits so, and then push again:`,
    `  git lfs install && git lfs migrate import --include="${include}"`,
  ];
}

function missingSays(branch: string, missing: readonly string[]): readonly string[] {
  return [
    ...told(missing.map((file) => `${branch}: ${file} is a large file whose content is not here`)),
    "Push it too, and then push again:",
    "  git lfs install && git lfs push --all <remote>",
  ];
}

function told(lines: readonly string[]): readonly string[] {
  return lines.length <= toldMax ? lines : [...lines.slice(0, toldMax), `and ${lines.length - toldMax} more`];
}

function megabytes(bytes: number): string {
  return String(Math.round((bytes / (1 << 20)) * 10) / 10);
}
