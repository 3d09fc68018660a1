/** How a file that is to be uploaded goes in: in the commit itself, or as a large file before it; and whether `.gitignore` leaves it out. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGit, systemGit, type GitProgram } from "./git.ts";
import { attributesFile } from "./lfs-attributes.ts";
import { fileMaxBytes } from "./receive-rules.ts";

export interface UploadWish {
  readonly path: string;
  /** Its first bytes. */
  readonly sample: Uint8Array;
  readonly size: number;
}

export interface UploadMode {
  readonly uploadMode: "lfs" | "regular";
  readonly shouldIgnore: boolean;
}

/** From here on what is no text is a large file, whatever its name: git keeps each version of it whole. */
const binaryMinBytes = 1 << 20;

/** A whole file, as it is or will be at the top of the repository. */
export interface UploadRules {
  readonly attributes: string;
  readonly ignore: string;
}

const none = { output: Buffer.alloc(0) };

/** For each file how it goes in, in their order. */
export async function uploadModes(
  files: readonly UploadWish[],
  { attributes, ignore }: UploadRules,
  git: GitProgram = systemGit,
): Promise<readonly UploadMode[]> {
  if (files.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), "wb-modes-"));
  const repository = join(folder, ".git");
  try {
    // As little as git takes for a repository (gitrepository-layout(5)).
    for (const part of ["objects", "refs"]) await mkdir(join(repository, part), { recursive: true });
    await writeFile(join(repository, "HEAD"), "ref: refs/heads/main\n");
    await writeFile(join(folder, attributesFile), attributes);
    await writeFile(join(folder, ".gitignore"), ignore);
    const input = files.map(({ path }) => `${path}\0`);
    const there = ["-C", folder];
    const env = { GIT_WORK_TREE: folder };
    const filters = runGit(git, { args: [...there, "check-attr", "-z", "--stdin", "filter"], repository, env, input });
    const args = [...there, "check-ignore", "-z", "--stdin", "--no-index"];
    // It knows no literal names, and would take a colon in front for one of its own words.
    const paths = files.map(({ path }) => `./${path}\0`);
    const plain = { ...env, GIT_LITERAL_PATHSPECS: "0" };
    const ignored =
      ignore.trim() === "" ? none : runGit(git, { args, repository, env: plain, input: paths, answers: [1] });
    // Side by side, and both at their end before the folder goes.
    const [byAttributes, byIgnore] = await Promise.allSettled([filters, ignored]);
    if (byAttributes.status === "rejected") throw byAttributes.reason;
    if (byIgnore.status === "rejected") throw byIgnore.reason;
    const told = byAttributes.value.output.toString("utf8").split("\0");
    const left = new Set(byIgnore.value.output.toString("utf8").split("\0"));
    return files.map((file, at) => ({
      uploadMode: told[at * 3 + 2] === "lfs" || isLarge(file) ? "lfs" : "regular",
      shouldIgnore: left.has(`./${file.path}`),
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isLarge({ size, sample }: UploadWish): boolean {
  return size > fileMaxBytes || (size >= binaryMinBytes && !isText(sample));
}

/** UTF-8 without a zero byte, as far as it goes: the sample may end within a character. */
function isText(sample: Uint8Array): boolean {
  if (sample.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(sample, { stream: true });
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
