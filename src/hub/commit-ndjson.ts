/**
 * The Hub's commit form: one JSON object a line, `{key, value}`. Read as it arrives, within bounds; every problem is said, not
 * only the first. `header.value.replace: true` is our addition: the commit's tree is then exactly these files.
 */
import { isLfsOid } from "./lfs-pointer.ts";
import { pathConflicts, pathProblem } from "./paths.ts";
import type { NewLargeFile } from "./repository.ts";

export interface ParsedCommit {
  readonly summary: string;
  readonly description: string;
  readonly parent: string | undefined;
  readonly replace: boolean;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly largeFiles: readonly NewLargeFile[];
  readonly deletedFiles: readonly string[];
  /** Without the closing slash. */
  readonly deletedFolders: readonly string[];
}

export interface CommitProblem {
  /** The line's number, from 1; 0 for the whole body. */
  readonly line: number;
  readonly message: string;
}

export type CommitParse =
  | { readonly ok: true; readonly commit: ParsedCommit }
  | { readonly ok: false; readonly tooLarge: boolean; readonly problems: readonly CommitProblem[] };

export interface CommitLimits {
  /** Characters of one line: base64 is a third longer than the file. */
  readonly lineMaxBytes: number;
  readonly totalMaxBytes: number;
  readonly operationsMax: number;
}

/** The Hub's clients send files of up to 10 MB in this form, and whole folders of small ones. */
export const commitLimits: CommitLimits = { lineMaxBytes: 32 << 20, totalMaxBytes: 128 << 20, operationsMax: 25_000 };

/** Enough to correct a client in one go; a body of garbage has as many problems as lines. */
const problemsMax = 100;
const summaryMaxLength = 1_000;
const descriptionMaxLength = 65_536;

interface Draft {
  header:
    | {
        readonly summary: string;
        readonly description: string;
        readonly parent: string | undefined;
        readonly replace: boolean;
      }
    | undefined;
  readonly files: Map<string, Uint8Array>;
  readonly largeFiles: Map<string, Omit<NewLargeFile, "path">>;
  readonly deletedFiles: Set<string>;
  readonly deletedFolders: Set<string>;
}

/** Takes a body in pieces: `push` until it returns false (a bound was reached: read no further), then `end`. */
export class CommitReader {
  readonly #limits: CommitLimits;
  readonly #problems: CommitProblem[] = [];
  readonly #draft: Draft = {
    header: undefined,
    files: new Map(),
    largeFiles: new Map(),
    deletedFiles: new Set(),
    deletedFolders: new Set(),
  };
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #totalBytes = 0;
  #line = 0;
  #operations = 0;
  #tooLarge = false;

  constructor(limits: CommitLimits = commitLimits) {
    this.#limits = limits;
  }

  push(chunk: Uint8Array): boolean {
    this.#totalBytes += chunk.length;
    if (this.#totalBytes > this.#limits.totalMaxBytes)
      return this.#stop(0, `the body has more than ${this.#limits.totalMaxBytes} bytes`);
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      if (!this.#hold(chunk.subarray(from, at)) || !this.#endLine()) return false;
      from = at + 1;
    }
    return this.#hold(chunk.subarray(from));
  }

  end(): CommitParse {
    if (!this.#tooLarge) {
      this.#endLine();
      if (!this.#draft.header) this.#problem(0, "there is no header line");
      for (const message of pathConflicts([...this.#draft.files.keys(), ...this.#draft.largeFiles.keys()]))
        this.#problem(0, message);
    }
    const { header, files, largeFiles, deletedFiles, deletedFolders } = this.#draft;
    if (!header || this.#problems.length > 0) return { ok: false, tooLarge: this.#tooLarge, problems: this.#problems };
    return {
      ok: true,
      commit: {
        ...header,
        files: [...files].map(([path, bytes]) => ({ path, bytes })),
        largeFiles: [...largeFiles].map(([path, file]) => ({ path, ...file })),
        deletedFiles: [...deletedFiles],
        deletedFolders: [...deletedFolders],
      },
    };
  }

  #hold(piece: Uint8Array): boolean {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes > this.#limits.lineMaxBytes) {
      return this.#stop(this.#line + 1, `the line has more than ${this.#limits.lineMaxBytes} bytes`);
    }
    if (piece.length > 0) this.#pieces.push(piece);
    return true;
  }

  #endLine(): boolean {
    this.#line += 1;
    const text = Buffer.concat(this.#pieces).toString("utf8").trim();
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (text === "") return true;
    this.#operations += 1;
    if (this.#operations > this.#limits.operationsMax)
      return this.#stop(this.#line, `more than ${this.#limits.operationsMax} lines`);
    for (const message of takeLine(this.#draft, text, this.#operations === 1)) this.#problem(this.#line, message);
    return true;
  }

  #stop(line: number, message: string): false {
    this.#tooLarge = true;
    this.#problem(line, message);
    return false;
  }

  #problem(line: number, message: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push({ line, message });
  }
}

/** Parses a whole body at once. */
export function parseCommit(body: Uint8Array, limits: CommitLimits = commitLimits): CommitParse {
  const reader = new CommitReader(limits);
  reader.push(body);
  return reader.end();
}

/** Takes one line into the draft; returns what is wrong with it. */
function takeLine(draft: Draft, text: string, first: boolean): readonly string[] {
  const line = parseObject(text);
  if (typeof line === "string") return [line];
  const value = line["value"];
  if (!isObject(value)) return ["`value` is not an object"];
  const key = line["key"];
  if (first && key !== "header") return ["the first line is not the header", ...takeOperation(draft, key, value)];
  return takeOperation(draft, key, value);
}

function takeOperation(draft: Draft, key: unknown, value: Record<string, unknown>): readonly string[] {
  switch (key) {
    case "header":
      return takeHeader(draft, value);
    case "file":
      return takeFile(draft, value);
    case "deletedFile":
      return takeDeleted(draft.deletedFiles, value, "file");
    case "deletedFolder":
      return takeDeleted(draft.deletedFolders, value, "folder");
    case "lfsFile":
      return takeLargeFile(draft, value);
    default:
      return [`unknown key ${JSON.stringify(key)}; known are header, file, lfsFile, deletedFile, deletedFolder`];
  }
}

function takeHeader(draft: Draft, value: Record<string, unknown>): readonly string[] {
  if (draft.header) return ["a second header"];
  const { summary, description = "", parentCommit, replace = false } = value;
  const problems: string[] = [];
  if (typeof summary !== "string" || summary.trim() === "") problems.push("`summary` is not a text");
  else if (summary.length > summaryMaxLength) problems.push(`\`summary\` is longer than ${summaryMaxLength}`);
  if (typeof description !== "string") problems.push("`description` is not a text");
  else if (description.length > descriptionMaxLength)
    problems.push(`\`description\` is longer than ${descriptionMaxLength}`);
  const hasParent = parentCommit !== undefined && parentCommit !== null;
  const parent = typeof parentCommit === "string" && /^[0-9a-f]{40}$/.test(parentCommit) ? parentCommit : undefined;
  if (hasParent && parent === undefined) problems.push("`parentCommit` is not a commit of 40 hexadecimal digits");
  if (typeof replace !== "boolean") problems.push("`replace` is not true or false");
  draft.header = {
    summary: String(summary),
    description: String(description),
    parent,
    replace: replace === true,
  };
  return problems;
}

function takeFile(draft: Draft, value: Record<string, unknown>): readonly string[] {
  const { path, content, encoding = "utf-8" } = value;
  const problems = [...wrongPath(path)];
  const bytes = decodeContent(content, encoding);
  if (typeof bytes === "string") problems.push(`${JSON.stringify(path)}: ${bytes}`);
  if (problems.length > 0 || typeof path !== "string" || typeof bytes === "string") return problems;
  if (isAdded(draft, path)) return [`${JSON.stringify(path)} is added twice`];
  draft.files.set(path, bytes);
  return [];
}

/** A file whose content went to the store of large files before; its size may be left out. */
function takeLargeFile(draft: Draft, value: Record<string, unknown>): readonly string[] {
  const { path, algo = "sha256", oid, size = null } = value;
  const problems = [...wrongPath(path)];
  if (algo !== "sha256") problems.push(`${JSON.stringify(path)}: \`algo\` is not sha256, and no other is known`);
  if (typeof oid !== "string" || !isLfsOid(oid)) problems.push(`${JSON.stringify(path)}: \`oid\` is no SHA-256`);
  if (size !== null && (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0))
    problems.push(`${JSON.stringify(path)}: \`size\` is no number of bytes`);
  if (problems.length > 0 || typeof path !== "string") return problems;
  if (isAdded(draft, path)) return [`${JSON.stringify(path)} is added twice`];
  draft.largeFiles.set(path, { oid: oid as string, size: size as number | null });
  return [];
}

function isAdded({ files, largeFiles }: Draft, path: string): boolean {
  return files.has(path) || largeFiles.has(path);
}

function takeDeleted(into: Set<string>, value: Record<string, unknown>, what: "file" | "folder"): readonly string[] {
  const given = value["path"];
  const path = what === "folder" && typeof given === "string" ? given.replace(/\/$/, "") : given;
  const problems = wrongPath(path);
  if (problems.length === 0) into.add(path as string);
  return problems;
}

/** The file's bytes, or what is wrong with them. */
function decodeContent(content: unknown, encoding: unknown): Uint8Array | string {
  if (typeof content !== "string") return "`content` is not a text";
  if (encoding === "utf-8") return Buffer.from(content, "utf8");
  if (encoding !== "base64") return `unknown encoding ${JSON.stringify(encoding)}; known are base64 and utf-8`;
  try {
    return Uint8Array.fromBase64(content);
  } catch (error) {
    if (error instanceof SyntaxError) return "`content` is not base64";
    throw error;
  }
}

function wrongPath(path: unknown): readonly string[] {
  if (typeof path !== "string") return ["`path` is not a text"];
  const problem = pathProblem(path);
  return problem === undefined ? [] : [`${JSON.stringify(path)}: ${problem}`];
}

function parseObject(text: string): Record<string, unknown> | string {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : "the line is not a JSON object";
  } catch (error) {
    if (error instanceof SyntaxError) return "the line is not JSON";
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
