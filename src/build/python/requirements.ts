/** Reads requirements files as pip reads them, as far as a builder has to: names, versions, hashes, and the line to blame. Pure. */
import { basename } from "node:path/posix";
import { sectionsOf } from "./lock.ts";

/** One requirement, however many lines it was written on. */
export interface Requirement {
  readonly file: string;
  /** Its first line, from 1. */
  readonly line: number;
  /** As it is written, without its comment and its options. */
  readonly text: string;
  /** Normalised (PEP 503); null where it is a path or an address without a name. */
  readonly name: string | null;
  /** `sha256:…` of the files that its author accepts; none: any. */
  readonly hashes: readonly string[];
}

/** A file's bytes as text, by its byte order mark; UTF-8 where it has none. What is no UTF-8 is left to the resolver to refuse. */
export function decodeRequirements(bytes: Uint8Array): string {
  const [a, b] = bytes;
  const utf16 = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : undefined;
  return new TextDecoder(utf16 ?? "utf-8").decode(bytes);
}

/** The requirements of a file, without its options, comments and empty lines. */
export function readRequirements(file: string, text: string): readonly Requirement[] {
  return logicalLines(text).flatMap(({ line, text: whole }) => {
    const hashes = [...whole.matchAll(/\s--hash[=\s]([a-z0-9]+:[0-9a-f]+)/g)].map(([, hash]) => hash as string);
    const own = whole.replace(/\s--\w[^]*/, "").trim();
    if (own === "" || own.startsWith("-")) return [];
    return [{ file, line, text: own, name: nameOf(own), hashes }];
  });
}

/** The lines of a file that name indexes, or folders and pages of files. */
export function indexOptions(text: string): readonly string[] {
  return text.split(/\r?\n/).filter((line) => /^\s*(--(extra-)?index-url|-i|--find-links|-f|--no-index)\b/.test(line));
}

/** `4.44.1` where the one package is pinned to exactly that. */
export function pinnedVersion(requirements: readonly Requirement[], name: string): string | null {
  const found = requirements.find((one) => one.name === name && /==\s*[\w.]+\s*(;|$)/.test(one.text));
  return found === undefined ? null : (/==\s*([\w.]+)/.exec(found.text)?.[1] ?? null);
}

/** What `uv` says that it was told to require and could not: the names, normalised, with what is asked of each. */
export function requiredIn(said: readonly string[]): readonly { readonly name: string; readonly text: string }[] {
  const sentences = said.join(" ").matchAll(/you require ([^]+?)(?=, | we can|\.$|$)/g);
  const all = [...sentences].flatMap(([, list]) => (list as string).split(" and ")).map((text) => text.trim());
  return [...new Set(all)].flatMap((text) => {
    const name = nameOf(text);
    return name === null ? [] : [{ name, text }];
  });
}

/** The lines that a failed resolution is about: `requirements.txt line 3: torch==9.9.9`. */
export function blamedLines(said: readonly string[], requirements: readonly Requirement[]): readonly string[] {
  const names = new Set(requiredIn(said).map(({ name }) => name));
  const lines = new Set(said.map((one) => one.trim()));
  const isBlamed = ({ name, text }: Requirement): boolean => {
    const place = placeOf(text);
    return (
      (name !== null && names.has(name)) || lines.has(text) || (place !== "" && said.some((one) => one.includes(place)))
    );
  };
  return requirements.filter(isBlamed).map(({ file, line, text }) => `${file} line ${line}: ${text}`);
}

/** Where a requirement is fetched from, as a resolver names it in its words; empty where it is only named. */
function placeOf(text: string): string {
  const address = /(?:git\+)?((?:https?|ssh|file):\/\/[^\s#;]+)/.exec(text)?.[1];
  // A revision stands behind the last `@`, and an account before the first.
  if (address !== undefined) return address.replace(/@[^@/:]*$/, "");
  return /^\.{0,2}\/\S/.test(text) ? basename(text.split(/[\s;]/, 1)[0] ?? "") : "";
}

/** The files that it includes, each with its line, from 1. */
export function includedFiles(text: string): readonly { readonly line: number; readonly path: string }[] {
  return logicalLines(text).flatMap(({ line, text: whole }) => {
    const path = /^(?:-r|--requirement)[\s=]*([^\s=]\S*)$/.exec(whole)?.[1];
    return path === undefined || path.includes("://") ? [] : [{ line, path }];
  });
}

/**
 * The lock without the files whose hash their author does not accept. `missing` has the requirements of which no file is left: their
 * index has other files than the author saw.
 */
export function keepHashes(
  lock: string,
  requirements: readonly Requirement[],
): { readonly lock: string; readonly missing: readonly Requirement[] } {
  const missing: Requirement[] = [];
  const sections = sectionsOf(lock).map((section) => {
    const name = /^name = "(.+)"$/m.exec(section)?.[1];
    const theirs = requirements.filter((one) => one.name === name && one.hashes.length > 0);
    if (theirs.length === 0) return section;
    const kept = filesWith(
      section,
      theirs.flatMap(({ hashes }) => hashes),
    );
    if (!lockedFile.test(kept)) missing.push(...theirs);
    return kept;
  });
  return { lock: sections.join(""), missing };
}

/** An inline table of a lock: one file, with its hashes. */
const lockedFile = /\{[^{}]*\bhashes = \{[^{}]*\}[^{}]*\}/;

function filesWith(section: string, hashes: readonly string[]): string {
  const isAccepted = (file: string): boolean => hashes.includes(`sha256:${/sha256 = "([0-9a-f]+)"/.exec(file)?.[1]}`);
  return section
    .replace(/^wheels = \[[^\]]*\]\n/m, (wheels) => {
      const kept = wheels.match(new RegExp(lockedFile, "g"))?.filter(isAccepted) ?? [];
      return kept.length === 0 ? "" : `wheels = [${kept.join(", ")}]\n`;
    })
    .replace(/^sdist = .*\n/m, (sdist) => (isAccepted(sdist) ? sdist : ""));
}

function logicalLines(text: string): readonly { readonly line: number; readonly text: string }[] {
  const lines: { line: number; text: string }[] = [];
  let open: { line: number; text: string } | undefined;
  for (const [at, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const plain = raw.replace(/(^|\s)#[^]*/, "");
    const goesOn = plain.endsWith("\\");
    const part = (goesOn ? plain.slice(0, -1) : plain).trim();
    open = open === undefined ? { line: at + 1, text: part } : { line: open.line, text: `${open.text} ${part}` };
    if (goesOn) continue;
    lines.push(open);
    open = undefined;
  }
  return open === undefined ? lines : [...lines, open];
}

function nameOf(text: string): string | null {
  if (/^[\w.+-]+:\/\//.test(text) || /^\.{0,2}\//.test(text)) return null;
  const name = /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:[[({@;<>=!~ ]|$)/.exec(text)?.[1];
  return name === undefined ? null : name.toLowerCase().replace(/[-_.]+/g, "-");
}
