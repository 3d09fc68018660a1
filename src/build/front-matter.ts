/**
 * The Space's settings: the YAML between two `---` lines at the top of its README.md. Parsed whole, so that an author corrects
 * the file once: every problem with its line, and a warning for what is not understood.
 */
import { LineCounter, isMap, isScalar, parseDocument } from "yaml";
import type { SpaceSdk } from "../contract/release.ts";
import { durationMs, type DurationMs } from "../stdx/time.ts";

export interface SpaceSettings {
  readonly sdk: SpaceSdk;
  /** Gradio Spaces: the version of gradio, as it is written. */
  readonly sdkVersion: string | null;
  /** Gradio Spaces: `3.10` or `3.10.13`. */
  readonly pythonVersion: string | null;
  readonly title: string;
  readonly emoji: string | null;
  readonly colorFrom: string | null;
  readonly colorTo: string | null;
  readonly shortDescription: string | null;
  readonly license: string | null;
  readonly pinned: boolean;
  readonly appPort: number;
  /** Static Spaces: the page to start with; Gradio Spaces: the program. Relative to the repository. */
  readonly appFile: string | null;
  readonly appBuildCommand: string | null;
  /** Static Spaces: the folder that is served; `.` is the whole repository. */
  readonly staticFolder: string;
  /** How long the app may take from start to listening. */
  readonly startupTimeoutMs: DurationMs;
  readonly suggestedHardware: string | null;
}

/** A line of README.md (from 1; null where it has none) and what is to be known about it. */
export interface Remark {
  readonly line: number | null;
  readonly message: string;
}

export type FrontMatter =
  | { readonly ok: true; readonly settings: SpaceSettings; readonly warnings: readonly Remark[] }
  | {
      readonly ok: false;
      /** `build/no-builder` where nothing is wrong but that this platform does not build the SDK. */
      readonly code: "build/config-invalid" | "build/no-builder";
      readonly problems: readonly Remark[];
      readonly warnings: readonly Remark[];
    };

export const defaultAppPort = 7860;
export const defaultStartupTimeoutMs = durationMs(30 * 60_000);
/** Nobody waits a day for an app to listen. */
const startupTimeoutMaxMs = 24 * 60 * 60_000;
/** Front matter is a page of settings; more is not settings. */
const frontMatterMaxLength = 64 << 10;
/** An alias may be used, a bomb of them may not. */
const aliasesMax = 20;

/** The kinds of Spaces that are built here. */
export const builtSdks: readonly SpaceSdk[] = ["gradio", "node", "static"];
const notHere: readonly string[] = ["docker", "streamlit"];

/** Settings that other Spaces platforms read and this one does not (yet): accepted without a word. */
const notUsed: ReadonlySet<string> = new Set([
  "tags",
  "models",
  "datasets",
  "thumbnail",
  "base_path",
  "fullWidth",
  "header",
  "language",
  "languages",
  "library_name",
  "pipeline_tag",
  "preload_from_hub",
  "custom_headers",
  "disable_embedding",
  "suggested_storage",
  "hf_oauth",
  "hf_oauth_scopes",
  "hf_oauth_expiration_minutes",
  "hf_oauth_authorized_org",
  "hf_oauth_redirect_path",
  "license_name",
  "license_link",
  "failure_strategy",
  "hardware",
  "duplicated_from",
  "widget",
  "arxiv",
  "metrics",
  "base_model",
]);

const versionKeys: ReadonlySet<string> = new Set(["sdk_version", "python_version"]);

const example = "---\ntitle: My app\nsdk: node\n---";

/** Parses README.md's text; undefined where the commit has none. */
export function parseFrontMatter(readme: string | undefined): FrontMatter {
  if (readme === undefined)
    return wrong([{ line: null, message: `there is no README.md; write one that begins with:\n${example}` }]);
  const block = frontMatterOf(readme);
  if (typeof block !== "string") return wrong([block]);
  const lines = new LineCounter();
  const document = parseDocument(block, { schema: "core", lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined): number | null =>
    offset === undefined ? null : lines.linePos(offset).line + 1;
  const errors = document.errors.map(({ message, pos }) => ({ line: lineAt(pos[0]), message: `not YAML: ${message}` }));
  if (errors.length > 0) return wrong(errors);
  if (!isMap(document.contents))
    return wrong([{ line: 2, message: `settings are lines of \`key: value\`; write:\n${example}` }]);
  const keyLines = new Map(
    document.contents.items.map(({ key }) => [
      String(isScalar(key) ? key.value : key),
      lineAt((isScalar(key) ? key.range : undefined)?.[0]),
    ]),
  );
  try {
    const values = new Map(Object.entries(document.toJS({ maxAliasCount: aliasesMax }) as object));
    // YAML reads 5.50 as the number 5.5: versions are taken as they are written.
    for (const { key, value } of document.contents.items) {
      const name = String(isScalar(key) ? key.value : key);
      if (versionKeys.has(name) && isScalar(value) && typeof value.value === "number") values.set(name, value.source);
    }
    return readSettings(values, keyLines);
  } catch (error) {
    // The one thing `toJS` refuses: more aliases than allowed.
    if (error instanceof ReferenceError)
      return wrong([{ line: null, message: `not YAML that is taken here: ${error.message}` }]);
    throw error;
  }
}

/** What a build tells the platform about the Space, flat. */
export function settingsRecord(settings: SpaceSettings): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(
    Object.entries(settings).filter((pair): pair is [string, string | number | boolean] => pair[1] !== null),
  );
}

function frontMatterOf(readme: string): string | Remark {
  const text = readme.replace(/^\uFEFF/, "");
  const opening = /^---[ \t]*\r?\n/.exec(text);
  if (!opening) return { line: 1, message: `README.md has no front matter; let it begin with:\n${example}` };
  const rest = text.slice(opening[0].length);
  const closing = /^---[ \t]*(\r?\n|$)/m.exec(rest);
  if (!closing) return { line: 1, message: "the front matter that begins in line 1 is not closed by a line ---" };
  if (closing.index > frontMatterMaxLength)
    return { line: 1, message: `the front matter is longer than ${frontMatterMaxLength} characters` };
  return rest.slice(0, closing.index);
}

function readSettings(values: ReadonlyMap<string, unknown>, keyLines: ReadonlyMap<string, number | null>): FrontMatter {
  const read = new SettingsReader(values, keyLines);
  const sdk = read.sdk();
  const settings = {
    sdkVersion: read.version("sdk_version", /^\d+(\.\d+){0,3}((a|b|rc)\d+)?$/, "6.31.0"),
    pythonVersion: read.version("python_version", /^3\.\d{1,2}(\.\d{1,3})?$/, "3.10"),
    title: read.text("title", 200) ?? "",
    emoji: read.text("emoji", 32),
    colorFrom: read.text("colorFrom", 32),
    colorTo: read.text("colorTo", 32),
    shortDescription: read.text("short_description", 500),
    license: read.textOrList("license"),
    pinned: read.flag("pinned"),
    appPort: read.port("app_port"),
    appFile: read.path("app_file"),
    appBuildCommand: read.text("app_build_command", 4_000),
    staticFolder: read.path("static_folder") ?? ".",
    startupTimeoutMs: read.duration("startup_duration_timeout"),
    suggestedHardware: read.text("suggested_hardware", 64),
  };
  const warnings = read.unknownKeys();
  if (sdk === undefined || read.problems.length > 0) {
    return {
      ok: false,
      code: read.onlyNoBuilder ? "build/no-builder" : "build/config-invalid",
      problems: inOrder(read.problems),
      warnings,
    };
  }
  return { ok: true, settings: { sdk, ...settings }, warnings };
}

/** Reads one key after the other; what is wrong with any is kept in `problems`. */
class SettingsReader {
  readonly problems: Remark[] = [];
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #lines: ReadonlyMap<string, number | null>;
  readonly #asked = new Set<string>();
  #noBuilder = false;

  constructor(values: ReadonlyMap<string, unknown>, lines: ReadonlyMap<string, number | null>) {
    this.#values = values;
    this.#lines = lines;
  }

  get onlyNoBuilder(): boolean {
    return this.#noBuilder && this.problems.length === 1;
  }

  sdk(): SpaceSdk | undefined {
    const value = this.#take("sdk");
    if (builtSdks.includes(value as SpaceSdk)) return value as SpaceSdk;
    if (value === undefined)
      this.problems.push({ line: 1, message: `sdk is missing; write ${listed(builtSdks.map(quoted), "or")}` });
    else if (typeof value === "string" && notHere.includes(value)) {
      this.#noBuilder = true;
      this.#problem("sdk", `no builder for sdk ${value} here yet; here are ${listed(builtSdks, "and")}`);
    } else this.#problem("sdk", `sdk is ${shown(value)}; write ${listed(builtSdks, "or")}`);
    return undefined;
  }

  text(key: string, maxLength: number): string | null {
    const value = this.#take(key);
    if (value === undefined) return null;
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text !== "string") this.#problem(key, `${key} is ${shown(value)}; write a text`);
    else if (text.length > maxLength) this.#problem(key, `${key} has ${text.length} characters; at most ${maxLength}`);
    else return text;
    return null;
  }

  version(key: string, form: RegExp, example_: string): string | null {
    const text = this.text(key, 64);
    if (text === null || form.test(text)) return text;
    this.#problem(key, `${key} is ${shown(text)}; write for example ${example_}`);
    return null;
  }

  textOrList(key: string): string | null {
    const value = this.#values.get(key);
    if (!Array.isArray(value)) return this.text(key, 200);
    this.#asked.add(key);
    return value.map(String).join(", ");
  }

  flag(key: string): boolean {
    const value = this.#take(key);
    if (value !== undefined && typeof value !== "boolean")
      this.#problem(key, `${key} is ${shown(value)}; write true or false`);
    return value === true;
  }

  port(key: string): number {
    const value = this.#take(key);
    if (value === undefined) return defaultAppPort;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
    this.#problem(key, `${key} is ${shown(value)}; write a whole number from 1 to 65535`);
    return defaultAppPort;
  }

  path(key: string): string | null {
    const text = this.text(key, 1_000);
    if (text === null) return null;
    const path = text.replace(/^\.\//, "").replace(/\/$/, "") || ".";
    const inside = !path.startsWith("/") && !path.split("/").includes("..") && !/[\p{Cc}\\]/u.test(path);
    if (!inside) this.#problem(key, `${key} is ${shown(text)}; write a path inside the repository`);
    return inside ? path : null;
  }

  duration(key: string): DurationMs {
    const value = this.#take(key);
    if (value === undefined) return defaultStartupTimeoutMs;
    const ms = parseDuration(value);
    if (ms !== undefined && ms > 0 && ms <= startupTimeoutMaxMs) return durationMs(ms);
    this.#problem(key, `${key} is ${shown(value)}; write for example 90s, 30m or 1h, at most 24h`);
    return defaultStartupTimeoutMs;
  }

  unknownKeys(): readonly Remark[] {
    return [...this.#values.keys()]
      .filter((key) => !this.#asked.has(key) && !notUsed.has(key))
      .map((key) => ({
        line: this.#lines.get(key) ?? null,
        message: `${key} is not a setting that is known here${nearest(key, this.#asked)}`,
      }));
  }

  #take(key: string): unknown {
    this.#asked.add(key);
    const value = this.#values.get(key);
    return value === null ? undefined : value;
  }

  #problem(key: string, message: string): void {
    this.problems.push({ line: this.#lines.get(key) ?? null, message });
  }
}

function quoted(sdk: SpaceSdk): string {
  return `\`sdk: ${sdk}\``;
}

function listed(names: readonly string[], last: "and" | "or"): string {
  return `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`;
}

function parseDuration(value: unknown): number | undefined {
  const match = /^\s*(\d{1,6})\s*(s|m|h|d)?\s*$/.exec(String(value));
  if (!match) return undefined;
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? "s"] as number;
  return Number(match[1]) * unitMs;
}

/** `; did you mean app_port?` for a key that is one slip away from a known one. */
function nearest(key: string, known: ReadonlySet<string>): string {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ ]/g, "");
  const found = [...known].find((one) => plain(one) === plain(key) || isOneSlip(plain(one), plain(key)));
  return found === undefined ? "" : `; did you mean ${found}?`;
}

function isOneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1 || Math.min(a.length, b.length) < 4) return false;
  let same = 0;
  while (same < a.length && a[same] === b[same]) same += 1;
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

function wrong(problems: readonly Remark[]): FrontMatter {
  return { ok: false, code: "build/config-invalid", problems, warnings: [] };
}

function inOrder(remarks: readonly Remark[]): readonly Remark[] {
  return [...remarks].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
