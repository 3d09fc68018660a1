/** What a Gradio Space's packages are resolved from, and as of which day. Pure but for the hash. */
import { createHash } from "node:crypto";

/** Older versions do not start with the packages of today: their dependencies are taken as of their own time. */
const oldAfterMs = 365 * 86_400_000;
/** Long enough after a version for the fixes that its dependencies got because of it. */
const laterMs = 32 * 86_400_000;

/** The requirements beside the app's own: what Spaces have without being told. */
export function platformRequirements(own: string, sdkVersion: string | null): readonly string[] {
  const named = new Set(namesIn(own));
  const gradio = `gradio${sdkVersion === null ? "" : `==${sdkVersion}`}`;
  // An app that names gradio itself means it: a contradiction with sdk_version is the resolver's to tell.
  const first = named.has("gradio") && sdkVersion === null ? [] : [gradio];
  return [...first, ...(named.has("spaces") ? [] : ["spaces"])];
}

/** The distributions that a requirements.txt names, normalised (PEP 503). */
export function namesIn(requirements: string): readonly string[] {
  return requirements.split("\n").flatMap((line) => {
    const name = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)/.exec(line)?.[1];
    return name === undefined ? [] : [name.toLowerCase().replace(/[-_.]+/g, "-")];
  });
}

/** Whether it includes other files, or installs from folders: its own text is then not all that is resolved. */
export function namesFiles(requirements: string): boolean {
  return /^\s*(-[rce]\b|--(requirement|constraint|editable)\b|\.{0,2}\/)/m.test(requirements);
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

/** What a lock was resolved from: the same again needs no new one. */
export function requirementsHash(parts: {
  readonly requirements: string;
  readonly sdkVersion: string | null;
  readonly python: string;
  readonly platform: string;
}): string {
  return sha256(JSON.stringify([parts.requirements, parts.sdkVersion, parts.python, parts.platform]));
}

/** The name of an environment: its packages to the byte, its interpreter, its kind of machine. */
export function environmentName(lock: string, python: string, platform: string): string {
  // The first lines tell how the lock was made, with paths.
  const packages = lock
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");
  return sha256(JSON.stringify([packages, python, platform])).slice(0, 32);
}

/** `6.31.0` of a package in a lock. */
export function versionIn(lock: string, name: string): string | null {
  return new RegExp(String.raw`name = "${name}"\nversion = "([^"]+)"`).exec(lock)?.[1] ?? null;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
