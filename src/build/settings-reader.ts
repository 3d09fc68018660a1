/** Reads settings key by key: what is wrong with any is kept as a problem with its line, so that an author corrects a file once. */
import type { SpaceSdk } from "../contract/release.ts";
import { durationMs, type DurationMs } from "../stdx/time.ts";
import { frontMatterKeys, type FrontMatterKey } from "./front-matter-keys.ts";

/** A line of README.md (from 1; null where it has none) and what is to be known about it. */
export interface Remark {
  readonly line: number | null;
  readonly message: string;
}

/** Files of a hub's repository that are there before the app runs. */
export interface Preload {
  /** `owner/name`, or an old one's `name`. */
  readonly repository: string;
  /** None: all of it. */
  readonly files: readonly string[];
  /** Null: as it is when the Space is built. */
  readonly commit: string | null;
}

export const defaultAppPort = 7860;
const defaultStartupTimeoutMs = durationMs(30 * 60_000);
/** Nobody waits a day for an app to listen. */
const startupTimeoutMaxMs = 24 * 60 * 60_000;

/** The kinds of Spaces that are built here. */
export const builtSdks: readonly SpaceSdk[] = ["gradio", "streamlit", "docker", "node", "static"];

const headerValues: Readonly<Record<string, readonly string[]>> = {
  "cross-origin-embedder-policy": ["unsafe-none", "require-corp", "credentialless"],
  "cross-origin-opener-policy": ["unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"],
  "cross-origin-resource-policy": ["same-site", "same-origin", "cross-origin"],
};
const repositoryName = /^[A-Za-z0-9][\w.-]{0,95}(\/[A-Za-z0-9][\w.-]{0,95})?$/;

/** Reads one key after the other; what is wrong with any is kept in `problems`. */
export class SettingsReader {
  readonly problems: Remark[] = [];
  readonly warnings: Remark[] = [];
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #lines: ReadonlyMap<string, number | null>;

  constructor(values: ReadonlyMap<string, unknown>, lines: ReadonlyMap<string, number | null>) {
    this.#values = values;
    this.#lines = lines;
  }

  sdk(): SpaceSdk | undefined {
    const value = this.#take("sdk");
    if (builtSdks.includes(value as SpaceSdk)) return value as SpaceSdk;
    if (value === undefined)
      this.problems.push({ line: 1, message: `sdk is missing; write ${listed(builtSdks.map(quoted), "or")}` });
    else this.refuse("sdk", `sdk is ${shown(value)}; write ${listed(builtSdks, "or")}`);
    return undefined;
  }

  text(key: FrontMatterKey, maxLength: number): string | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text !== "string") this.refuse(key, `${key} is ${shown(value)}; write a text`);
    else if (text.length > maxLength) this.refuse(key, `${key} has ${text.length} characters; at most ${maxLength}`);
    else return text;
    return null;
  }

  version(key: FrontMatterKey, form: RegExp, example_: string): string | null {
    const text = this.text(key, 64);
    if (text === null || form.test(text)) return text;
    this.refuse(key, `${key} is ${shown(text)}; write for example ${example_}`);
    return null;
  }

  textOrList(key: FrontMatterKey): string | null {
    const value = this.#values.get(key);
    if (!Array.isArray(value)) return this.text(key, 200);
    return value.map(String).join(", ");
  }

  flag(key: FrontMatterKey): boolean {
    const value = this.#take(key);
    if (value !== undefined && typeof value !== "boolean")
      this.refuse(key, `${key} is ${shown(value)}; write true or false`);
    return value === true;
  }

  wholeNumber(key: FrontMatterKey, { least, most }: { readonly least: number; readonly most: number }): number | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    this.refuse(key, `${key} is ${shown(value)}; write a whole number from ${least} to ${most}`);
    return null;
  }

  oneOf(key: FrontMatterKey, values: readonly string[]): void {
    const value = this.#take(key);
    if (value !== undefined && !values.includes(value as string))
      this.refuse(key, `${key} is ${shown(value)}; write ${listed(values, "or")}`);
  }

  lists(...keys: readonly FrontMatterKey[]): void {
    for (const key of keys) this.texts(key);
  }

  texts(key: FrontMatterKey): readonly string[] {
    const value = this.#take(key);
    if (value === undefined) return [];
    const whole = Array.isArray(value) && value.every((one) => typeof one === "string" || typeof one === "number");
    if (whole) return value.map(String);
    this.refuse(key, `${key} is ${shown(value)}; write a list of texts`);
    return [];
  }

  /** One text where a list of them is as good. */
  oneOrMore(key: FrontMatterKey): readonly string[] {
    const value = this.#values.get(key);
    return typeof value === "string" ? [value] : this.texts(key);
  }

  warn(key: FrontMatterKey, message: string): void {
    this.warnings.push({ line: this.#lines.get(key) ?? null, message });
  }

  refuse(key: FrontMatterKey, message: string): void {
    this.problems.push({ line: this.#lines.get(key) ?? null, message });
  }

  /** `custom_headers`: those that Spaces takes, which say in which company a page is (HTML, "Cross-origin opener policies"; Fetch §3.7). */
  headers(key: FrontMatterKey): Readonly<Record<string, string>> {
    const value = this.#take(key) ?? {};
    if (typeof value !== "object" || Array.isArray(value)) {
      this.refuse(key, `${key} is ${shown(value)}; write lines of \`name: value\` below it`);
      return {};
    }
    const taken: Record<string, string> = {};
    for (const [asWritten, policy] of Object.entries(value)) {
      const name = asWritten.toLowerCase();
      const known = headerValues[name];
      if (known === undefined)
        this.refuse(key, `${key} has ${shown(asWritten)}; here are ${listed(Object.keys(headerValues), "and")}`);
      else if (!known.includes(String(policy)))
        this.refuse(key, `${name} is ${shown(policy)}; write ${listed(known, "or")}`);
      else taken[name] = String(policy);
    }
    return taken;
  }

  preload(key: FrontMatterKey): readonly Preload[] {
    return this.texts(key).flatMap((entry) => {
      const [repository = "", files = "", commit = ""] = entry.trim().split(/\s+/);
      const isFetchable = repositoryName.test(repository) && (commit === "" || /^[0-9a-f]{40}$/.test(commit));
      if (isFetchable && entry.trim().split(/\s+/).length <= 3)
        return [{ repository, files: files.split(",").filter(Boolean), commit: commit || null }];
      this.refuse(
        key,
        `${key} has ${shown(entry)}; write OWNER/NAME, OWNER/NAME FILE,FILE or OWNER/NAME FILE,FILE COMMIT`,
      );
      return [];
    });
  }

  /** The keys that are not done here, each with what its row says. */
  said(): readonly Remark[] {
    return [...this.#values.entries()].flatMap(([key, value]) => {
      const row = Object.hasOwn(frontMatterKeys, key) ? frontMatterKeys[key as FrontMatterKey] : undefined;
      if (row?.use !== "said" || value === null || value === false) return [];
      return [{ line: this.#lines.get(key) ?? null, message: `${key} is not done here: ${row.does}` }];
    });
  }

  path(key: FrontMatterKey): string | null {
    const text = this.text(key, 1_000);
    if (text === null) return null;
    const path = text.replace(/^\.\//, "").replace(/\/$/, "") || ".";
    const inside = !path.startsWith("/") && !path.split("/").includes("..") && !/[\p{Cc}\\]/u.test(path);
    if (!inside) this.refuse(key, `${key} is ${shown(text)}; write a path inside the repository`);
    return inside ? path : null;
  }

  duration(key: FrontMatterKey): DurationMs {
    const value = this.#take(key);
    if (value === undefined) return defaultStartupTimeoutMs;
    const ms = parseDuration(value);
    if (ms !== undefined && ms > 0 && ms <= startupTimeoutMaxMs) return durationMs(ms);
    this.refuse(key, `${key} is ${shown(value)}; write for example 90s, 30m or 1h, at most 24h`);
    return defaultStartupTimeoutMs;
  }

  unknownKeys(): readonly Remark[] {
    return [...this.#values.keys()]
      .filter((key) => !Object.hasOwn(frontMatterKeys, key))
      .map((key) => ({
        line: this.#lines.get(key) ?? null,
        message: `${key} is not a setting that is known here${nearest(key, Object.keys(frontMatterKeys))}`,
      }));
  }

  #take(key: FrontMatterKey): unknown {
    const value = this.#values.get(key);
    return value === null ? undefined : value;
  }
}

function quoted(sdk: SpaceSdk): string {
  return `\`sdk: ${sdk}\``;
}

function listed(names: readonly string[], last: "and" | "or"): string {
  return `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`;
}

function parseDuration(value: unknown): number | undefined {
  const match = /^(\d{1,6})\s*(s|m|h|d)?$/.exec(String(value).trim());
  if (!match) return undefined;
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? "s"] as number;
  return Number(match[1]) * unitMs;
}

/** `; did you mean app_port?` for a key that is one slip away from a known one. */
function nearest(key: string, known: readonly string[]): string {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ ]/g, "");
  const found = known.find((one) => plain(one) === plain(key) || isOneSlip(plain(one), plain(key)));
  return found === undefined ? "" : `; did you mean ${found}?`;
}

function isOneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || Math.min(a.length, b.length) < 4) return false;
  let same = 0;
  while (same < a.length && a[same] === b[same]) same += 1;
  const isSwapped = a[same] === b[same + 1] && a[same + 1] === b[same] && a.slice(same + 2) === b.slice(same + 2);
  if (isSwapped && a.length === b.length) return true;
  return [
    [1, 1],
    [1, 0],
    [0, 1],
  ].some(([fromA, fromB]) => a.slice(same + (fromA as number)) === b.slice(same + (fromB as number)));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
