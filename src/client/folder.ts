/** Reads a folder for a commit: which files belong to it, and how much that is. */
import { lstat, readFile, readdir } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import { FolderRefused } from "./errors.ts";

export interface FolderFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly bytes: number;
}

export interface FolderLimits {
  readonly files: number;
  readonly bytes: number;
}

/** One commit holds this much; larger files belong in a data set or a model. */
export const folderLimits: FolderLimits = { files: 5_000, bytes: 64 * 1024 * 1024 };

/** Never part of an app, whatever .gitignore says. */
const neverSent: ReadonlySet<string> = new Set([".git", "node_modules"]);
/** A .gitignore is read to this length; a longer one was not written by a person. */
const ignoreMaxBytes = 256 * 1024;

/**
 * The files of `folder`, sorted by path, without what its .gitignore files name, `.git`, `node_modules` and symbolic links.
 * Throws `FolderRefused` where there is nothing to send or more than `limits`.
 */
export async function listFolder(folder: string, limits: FolderLimits = folderLimits): Promise<readonly FolderFile[]> {
  const stat = await lstat(folder).catch(() => undefined); // Whatever keeps it from being read, it cannot be sent.
  if (!stat?.isDirectory())
    throw new FolderRefused("not-a-folder", `${folder} is not a folder.`, "Name the app's folder.");
  const found: Found = { files: [], bytes: 0 };
  await walk({ root: folder, limits, found }, "", []);
  if (found.files.length === 0)
    throw new FolderRefused(
      "folder-empty",
      `${folder} holds no file to send.`,
      "Put a README.md with front matter there.",
    );
  return found.files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

interface Found {
  readonly files: FolderFile[];
  bytes: number;
}

interface Walk {
  readonly root: string;
  readonly limits: FolderLimits;
  readonly found: Found;
}

async function walk(whole: Walk, under: string, outer: readonly Rule[]): Promise<void> {
  const entries = await readdir(join(whole.root, under), { withFileTypes: true });
  const hasRules = entries.some((entry) => entry.name === ".gitignore" && entry.isFile());
  const rules = hasRules ? [...outer, ...(await readRules(whole.root, under))] : outer;
  for (const entry of entries) {
    const path = under === "" ? entry.name : `${under}/${entry.name}`;
    if (neverSent.has(entry.name) || isIgnored(rules, path, entry.isDirectory())) continue;
    if (entry.isDirectory()) await walk(whole, path, rules);
    else if (entry.isFile()) add(whole, { path, bytes: (await lstat(join(whole.root, path))).size });
  }
}

function add({ found, limits }: Walk, file: FolderFile): void {
  found.files.push(file);
  found.bytes += file.bytes;
  const ignore = "Name what does not belong to the app in .gitignore";
  if (found.files.length > limits.files) {
    throw new FolderRefused("too-many-files", `The folder holds more than ${limits.files} files.`, `${ignore}.`);
  }
  if (found.bytes <= limits.bytes) return;
  const largest = found.files.toSorted((a, b) => b.bytes - a.bytes)[0] as FolderFile;
  throw new FolderRefused(
    "folder-too-large",
    `The folder holds more than ${mebibytes(limits.bytes)} MiB; ` +
      `its largest file so far is ${largest.path} (${mebibytes(largest.bytes)} MiB).`,
    `${ignore}, and load large files when the app starts.`,
  );
}

/** One line of a .gitignore. The last rule that matches decides. */
interface Rule {
  readonly glob: string;
  readonly negated: boolean;
  readonly foldersOnly: boolean;
}

async function readRules(root: string, under: string): Promise<Rule[]> {
  const text = (await readFile(join(root, under, ".gitignore"))).subarray(0, ignoreMaxBytes).toString("utf8");
  return parseIgnore(text, under);
}

/** The usual forms of gitignore(5): comments, `!`, a leading or inner `/` that anchors, a trailing `/`, `*`, `?`, `[…]`, `**`. */
export function parseIgnore(text: string, under = ""): Rule[] {
  const rules: Rule[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trimEnd();
    if (line === "" || line.startsWith("#")) continue;
    const negated = line.startsWith("!");
    const pattern = (negated ? line.slice(1) : line).replace(/^\\(?=[#!])/, "");
    const foldersOnly = pattern.endsWith("/");
    const body = pattern.replace(/^\/|\/$/g, "");
    const anchored = pattern.replace(/\/$/, "").includes("/");
    const prefix = under === "" ? "" : `${under}/`;
    rules.push({ glob: undotted(prefix + (anchored ? body : `**/${body}`)), negated, foldersOnly });
  }
  return rules;
}

export function isIgnored(rules: readonly Rule[], path: string, isFolder: boolean): boolean {
  const subject = undotted(path);
  const last = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && matchesGlob(subject, rule.glob));
  return last !== undefined && !last.negated;
}

/** Puts a letter before each part: `*` of a glob does not match a leading dot, that of a .gitignore does. */
function undotted(path: string): string {
  return path
    .split("/")
    .map((part) => (part === "**" ? part : `_${part}`))
    .join("/");
}

function mebibytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1).replace(/\.0$/, "");
}
