/**
 * The Space's settings: the YAML between two `---` lines at the top of its README.md. Parsed whole, so that an author corrects
 * the file once: every problem with its line, and a warning for what is not understood.
 */
import { LineCounter, isMap, isScalar, parseDocument } from "yaml";
import type { AppSignIn } from "../contract/oauth.ts";
import type { SpaceSdk } from "../contract/release.ts";
import type { DurationMs } from "../stdx/time.ts";
import { signInOf } from "./sign-in.ts";
import { SettingsReader, defaultAppPort, type Preload, type Remark } from "./settings-reader.ts";

export type { Preload, Remark } from "./settings-reader.ts";
export { builtSdks } from "./settings-reader.ts";

export interface SpaceSettings {
  readonly sdk: SpaceSdk;
  /** Gradio and Streamlit Spaces: the version of the package, as it is written. */
  readonly sdkVersion: string | null;
  /** Gradio and Streamlit Spaces: `3.10` or `3.10.13`. */
  readonly pythonVersion: string | null;
  readonly title: string;
  readonly emoji: string | null;
  readonly colorFrom: string | null;
  readonly colorTo: string | null;
  readonly shortDescription: string | null;
  readonly license: string | null;
  readonly pinned: boolean;
  readonly appPort: number;
  /** Whether `app_port` says so; where it does not, an app that listens elsewhere may be followed. */
  readonly portGiven: boolean;
  /** Static Spaces: the page to start with; Gradio and Streamlit Spaces: the program. Relative to the repository. */
  readonly appFile: string | null;
  readonly appBuildCommand: string | null;
  /** Static Spaces: the folder that is served; `.` is the whole repository. */
  readonly staticFolder: string;
  /** How long the app may take from start to listening. */
  readonly startupTimeoutMs: DurationMs;
  readonly suggestedHardware: string | null;
  /** What the edge puts on the app's answers, by its name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly preload: readonly Preload[];
  /** Null: the app does without it. */
  readonly signIn: AppSignIn | null;
}

export type FrontMatter =
  | { readonly ok: true; readonly settings: SpaceSettings; readonly warnings: readonly Remark[] }
  | {
      readonly ok: false;
      readonly problems: readonly Remark[];
      readonly warnings: readonly Remark[];
    };

/** Front matter is a page of settings; more is not settings. */
const frontMatterMaxLength = 64 << 10;
/** An alias may be used, a bomb of them may not. */
export const aliasesMax = 20;

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
    Object.entries(settings).filter(
      (pair): pair is [string, string | number | boolean] => pair[1] !== null && typeof pair[1] !== "object",
    ),
  );
}

/** The YAML at the top of a page, below empty lines as the Hub takes them too, which stay so that its lines count; or what is wrong where there is none. */
export function frontMatterOf(readme: string): string | Remark {
  const text = readme.replace(/^\uFEFF/, "");
  const opening = /^((?:[ \t]*\r?\n)*)---[ \t]*\r?\n/.exec(text);
  if (!opening) return { line: 1, message: `README.md has no front matter; let it begin with:\n${example}` };
  const [before, above = ""] = opening;
  const emptyLines = above.split("\n").length - 1;
  const rest = text.slice(before.length);
  const closing = /^---[ \t]*(\r?\n|$)/m.exec(rest);
  const first = emptyLines + 1;
  if (!closing)
    return { line: first, message: `the front matter that begins in line ${first} is not closed by a line ---` };
  if (closing.index > frontMatterMaxLength)
    return { line: first, message: `the front matter is longer than ${frontMatterMaxLength} characters` };
  return "\n".repeat(emptyLines) + rest.slice(0, closing.index);
}

function readSettings(values: ReadonlyMap<string, unknown>, keyLines: ReadonlyMap<string, number | null>): FrontMatter {
  const read = new SettingsReader(values, keyLines);
  const sdk = read.sdk();
  const port = read.wholeNumber("app_port", { least: 1, most: 65_535 });
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
    appPort: port ?? defaultAppPort,
    portGiven: port !== null,
    appFile: read.path("app_file"),
    appBuildCommand: read.text("app_build_command", 4_000),
    staticFolder: read.path("static_folder") ?? ".",
    startupTimeoutMs: read.duration("startup_duration_timeout"),
    suggestedHardware: read.text("suggested_hardware", 64),
    headers: { ...read.headers("custom_headers"), ...framed(read.flag("disable_embedding")) },
    preload: read.preload("preload_from_hub"),
    signIn: signInOf(read),
  };
  read.lists("models", "datasets", "tags");
  read.oneOf("header", ["mini", "default"]);
  read.oneOf("suggested_storage", ["small", "medium", "large"]);
  read.flag("fullWidth");
  const warnings = [...read.warnings, ...read.said(), ...read.unknownKeys()];
  if (sdk === undefined || read.problems.length > 0) {
    return {
      ok: false,
      problems: inOrder(read.problems),
      warnings: inOrder(warnings),
    };
  }
  return { ok: true, settings: { sdk, ...settings }, warnings: inOrder(warnings) };
}

/** `disable_embedding` in the words of browsers (Content Security Policy Level 3, §6.4.2). */
function framed(disabled: boolean): Record<string, string> {
  return disabled ? { "content-security-policy": "frame-ancestors 'self'" } : {};
}

function wrong(problems: readonly Remark[]): FrontMatter {
  return { ok: false, problems, warnings: [] };
}

function inOrder(remarks: readonly Remark[]): readonly Remark[] {
  return [...remarks].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
