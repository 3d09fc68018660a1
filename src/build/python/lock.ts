/** What a Python Space's packages are resolved from, and as of which day. Pure but for the hash. */
import { createHash } from "node:crypto";
import type { Requirement } from "./requirements.ts";

/** Older versions do not start with the packages of today: their dependencies are taken as of their own time. */
const oldAfterMs = 365 * 86_400_000;
/** Long enough after a version for the fixes that its dependencies got because of it. */
const laterMs = 32 * 86_400_000;

/** The package that a Python Space's sdk is, which its `sdk_version` is of. */
export type SdkPackageName = "gradio" | "streamlit";

/** The requirements beside the app's own: what Spaces have without being told. */
export function platformRequirements(
  own: readonly Requirement[],
  sdk: SdkPackageName,
  sdkVersion: string | null,
): readonly string[] {
  const named = new Set(own.map(({ name }) => name));
  const pinned = `${sdk}${sdkVersion === null ? "" : `==${sdkVersion}`}`;
  // An app that names it itself means it: a contradiction with sdk_version is the resolver's to tell.
  const first = named.has(sdk) && sdkVersion === null ? [] : [pinned];
  return [...first, ...(sdk === "gradio" && !named.has("spaces") ? ["spaces"] : [])];
}

/** Whether it includes other files, or installs from folders: its own text is then not all that is resolved. */
export function namesFiles(requirements: string): boolean {
  return /^[ \t]*(-[rce]\b|--(requirement|constraint|editable)\b|\.{0,2}\/)/m.test(requirements);
}

/** Whether a package of it is a folder or a file of the app: what that holds is not in the lock's own text, nor in the requirements'. */
export function namesPaths(lock: string): boolean {
  return /^(directory|archive) = \{ path = /m.test(lock);
}

/** The upload time of the one package of a `pylock.toml`; undefined where the index does not say. */
export function uploadTime(pylock: string): number | undefined {
  const times = [...pylock.matchAll(/upload-time = (\d{4}-\d\d-\d\dT[\d:.]+Z)/g)].map(([, time]) =>
    Date.parse(time as string),
  );
  return times.length === 0 ? undefined : Math.min(...times);
}

/** `2024-11-01`, where a version from `uploadedAt` gets the packages of its time; null: today's. */
export function asOfDay(uploadedAt: number, now: number): string | null {
  return now - uploadedAt > oldAfterMs ? dayOf(uploadedAt + laterMs) : null;
}

export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** `name==version` of each package of a lock that came from an index. */
export function pinsIn(lock: string): readonly string[] {
  return sectionsOf(lock).flatMap((section) => {
    const [, name, version] = indexed.exec(section) ?? [];
    return name === undefined || /^(vcs|directory|archive) = /m.test(section) ? [] : [`${name}==${version}`];
  });
}

/**
 * The lock with the index of each package, as `uv pip compile --emit-index-annotation` told it: without it, uv does not find what
 * its cache has of them, fetches each file anew for each environment, and links none to another.
 */
export function withIndexes(lock: string, annotated: string): string {
  const indexes = new Map(
    [...annotated.matchAll(/^([^\s=]+==\S+)(?:[ \t][^\n]*)?\n[ \t]+# from (\S+)$/gm)].map(([, pin, index]) => [
      pin,
      index,
    ]),
  );
  return sectionsOf(lock)
    .map((section) => {
      const [line, name, version] = indexed.exec(section) ?? [];
      const index = indexes.get(`${name}==${version}`);
      return line === undefined || index === undefined ? section : section.replace(line, `${line}index = "${index}"\n`);
    })
    .join("");
}

/** A lock's head, and its packages. */
export function sectionsOf(lock: string): readonly string[] {
  return lock.split(/^(?=\[\[packages\]\])/m);
}

const indexed = /^name = "(.+)"\nversion = "(.+)"\n/m;

/** What a lock was resolved from: the same again needs no new one. */
export function requirementsHash(parts: {
  readonly requirements: string;
  readonly sdkVersion: string | null;
  readonly python: string;
  readonly platform: string;
}): string {
  return sha256(JSON.stringify([parts.requirements, parts.sdkVersion, parts.python, parts.platform]));
}

/**
 * The name of an environment: its packages to the byte, its interpreter, its kind of machine. Where packages of it are the app's own
 * folders and files, it is named by its `source` too, the Space and the commit.
 */
export function environmentName(lock: string, python: string, platform: string, source: string): string {
  // The first lines tell how the lock was made, with paths.
  const packages = lock
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");
  const own = namesPaths(packages) ? [source] : [];
  return sha256(JSON.stringify([packages, python, platform, ...own])).slice(0, 32);
}

/** `6.31.0` of a package in a lock. */
export function versionIn(lock: string, name: string): string | null {
  return new RegExp(String.raw`name = "${name}"\nversion = "([^"]+)"`).exec(lock)?.[1] ?? null;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
