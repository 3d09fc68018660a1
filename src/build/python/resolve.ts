/**
 * Resolves a Python Space's packages: its own requirements beside the platform's, as of a day, into a lock that is kept while they
 * stay the same. A failure names the lines that it is about.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { BuildFailure } from "../failure.ts";
import type { SpaceSettings } from "../front-matter.ts";
import { readSmall, readSmallBytes } from "../small-file.ts";
import type { Workshop } from "../workshop.ts";
import { shown, type Interpreter } from "./interpreters.ts";
import {
  asOfDay,
  dayOf,
  namesFiles,
  namesPaths,
  pinsIn,
  platformRequirements,
  requirementsHash,
  uploadTime,
  withIndexes,
  type SdkPackageName,
} from "./lock.ts";
import { readProject } from "./pyproject.ts";
import {
  blamedLines,
  decodeRequirements,
  includedFiles,
  indexOptions,
  keepHashes,
  pinnedVersion,
  readRequirements,
  requiredIn,
  type Requirement,
} from "./requirements.ts";

/** What Python builds of one owner work with. */
export interface PythonTools {
  readonly python: Interpreter;
  readonly uv: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly text: string;
  /** As commands see it; paths in it begin there. */
  readonly file: string;
}

export const lockName = "pylock.toml";
/** An environment is for one kind of machine. */
export const platform = `${process.platform}-${process.arch}`;
/** What Spaces install from, in this order. */
const requirementsFiles = ["pre-requirements.txt", "requirements.txt"];
/** Requirements in more files than that are not known. */
const includedMax = 50;
/** What counts where an app has neither. */
const projectFile = "pyproject.toml";

/** The package that the Space's sdk is, and its `sdk_version`. */
interface Sdk {
  readonly name: SdkPackageName;
  readonly version: string | null;
}

/** The app's own requirements. */
interface Own {
  readonly files: readonly string[];
  readonly text: string;
  readonly requirements: readonly Requirement[];
}

/** The Space's kept lock where nothing that it was made from has changed; else a fresh one, as of its day. */
export async function resolvePackages(shop: Workshop, settings: SpaceSettings, kit: PythonTools): Promise<Lock> {
  const sdk = sdkOf(settings);
  const own = (await readRequirementsFiles(shop)) ?? (await readProjectFiles(shop, kit));
  // What gr.LoginButton needs is an extra of Gradio's, which the Hub's builder installs too.
  const signIn = settings.signIn !== null && sdk.name === "gradio" ? ["gradio[oauth]"] : [];
  const ours = [...platformRequirements(own.requirements, sdk.name, sdk.version), ...signIn].join("\n");
  const requirements = `${own.text}\n${ours}`;
  const hash = requirementsHash({ requirements, sdkVersion: sdk.version, python: shown(kit.python), platform });
  const space = createHash("sha256").update(shop.spec.space).digest("hex");
  const locks = join(shop.tools.folder, "locks");
  const kept = join(locks, `${space.slice(0, 16)}-${hash.slice(0, 32)}.toml`);
  const earlier = shop.spec.factory !== true && existsSync(kept) ? await readFile(kept, "utf8") : null;
  // What the app's other files and folders say is not part of the hash.
  if (earlier !== null && !namesFiles(own.text) && !namesPaths(earlier)) {
    shop.note("the requirements have not changed: the packages of the earlier build are used, to the version");
    return { text: earlier, file: await shop.input(lockName, earlier) };
  }
  const resolved = await resolveAnew(shop, sdk, kit, own, ours);
  const lock = await nameIndexes(shop, kit, own, acceptedFiles(resolved, own));
  await mkdir(locks, { recursive: true });
  await writeFile(`${kept}.new`, lock);
  await rename(`${kept}.new`, kept);
  const packages = lock.match(/^\[\[packages\]\]/gm)?.length ?? 0;
  shop.note(`${packages} packages resolved; the set is kept in the release as ${lockName}`);
  return { text: lock, file: await shop.input(lockName, lock) };
}

function sdkOf({ sdk, sdkVersion }: SpaceSettings): Sdk {
  return { name: sdk === "streamlit" ? "streamlit" : "gradio", version: sdkVersion };
}

/** Undefined where the app has none: then its project file counts. */
async function readRequirementsFiles(shop: Workshop): Promise<Own | undefined> {
  const found: { file: string; text: string }[] = [];
  for (const file of requirementsFiles) {
    const bytes = await readSmallBytes(shop.app, file);
    if (bytes === undefined) continue;
    const text = decodeRequirements(bytes);
    const wrong = text.split("\n").findIndex((line) => line.includes("\uFFFD"));
    if (wrong >= 0) throw new BuildFailure("build/config-invalid", `${file} line ${wrong + 1} is not UTF-8`);
    found.push({ file, text });
  }
  if (found.length === 0) return undefined;
  return {
    files: found.map(({ file }) => file),
    text: found.map(({ text }) => text).join("\n"),
    requirements: (await withIncluded(shop, found)).flatMap(({ file, text }) => readRequirements(file, text)),
  };
}

interface RequirementsFile {
  readonly file: string;
  readonly text: string;
}

/** The app's files, and those that they include: what is wrong in one of them is told with its own line. */
async function withIncluded(shop: Workshop, files: readonly RequirementsFile[]): Promise<readonly RequirementsFile[]> {
  const all = [...files];
  for (let at = 0; at < all.length; at += 1) {
    const { file, text } = all[at] as RequirementsFile;
    for (const { line, path } of includedFiles(text)) {
      const included = normalize(join(dirname(file), path));
      if (all.length >= includedMax || all.some((one) => one.file === included)) continue;
      const bytes = await readSmallBytes(shop.app, included);
      if (bytes === undefined)
        throw new BuildFailure("build/config-invalid", `${file} line ${line}: the commit has no file ${included}`);
      all.push({ file: included, text: decodeRequirements(bytes) });
    }
  }
  return all;
}

/** As `uv.lock` has them, to the version; else as pyproject.toml asks for them. */
async function readProjectFiles(shop: Workshop, kit: PythonTools): Promise<Own> {
  const toml = await readSmall(shop.app, projectFile);
  const project = toml === undefined ? undefined : readProject(toml);
  if (toml === undefined || project === undefined || project.kind === "none")
    return { files: [], text: "", requirements: [] };
  if (project.kind === "foreign") {
    const says = `${projectFile} names its packages for ${project.tool}, which is not here: write them into [project], or into requirements.txt`;
    throw new BuildFailure("build/config-invalid", says, [says]);
  }
  if (existsSync(join(shop.app, "uv.lock"))) return readUvLock(shop, kit);
  shop.note(`the packages are those of ${projectFile}`);
  return { files: [projectFile], text: toml, requirements: readRequirements(projectFile, project.dependencies) };
}

async function readUvLock(shop: Workshop, kit: PythonTools): Promise<Own> {
  const output = "uv-lock.txt";
  const form = ["--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-header", "--format", "requirements-txt"];
  const argv = [kit.uv, "export", ...form, "--python", kit.python.path, "--output-file", shop.output(output)] as const;
  await shop.run(argv, shop.limits.installMs, { env: kit.env });
  const text = await shop.made(output);
  shop.note("the packages are those of uv.lock, to the version");
  return { files: [await shop.input(output, text)], text, requirements: readRequirements("uv.lock", text) };
}

async function resolveAnew(shop: Workshop, sdk: Sdk, kit: PythonTools, own: Own, ours: string): Promise<string> {
  // Ours beside the app's own files, which may name others by a path from where they lie.
  const inputs = [...own.files, await shop.input("platform.in", `${ours}\n`)];
  const options = strategy(own);
  const asOf = await dayFor(shop, kit, sdk, own);
  try {
    try {
      await compile(shop, kit, lockName, [...options, ...(asOf === null ? [] : ["--exclude-newer", asOf]), ...inputs]);
    } catch (error) {
      if (asOf === null || shop.signal.aborted) throw error;
      shop.note(`the packages of ${asOf} do not fit together with the requirements: they are taken as of today`);
      await compile(shop, kit, lockName, [...options, ...inputs]);
    }
  } catch (error) {
    throw explained(error, own, sdk);
  }
  return shop.made(lockName);
}

/** The day as of which the dependencies of this version of the SDK are taken; null: today's. */
async function dayFor(shop: Workshop, kit: PythonTools, sdk: Sdk, own: Own): Promise<string | null> {
  const version = sdk.version ?? pinnedVersion(own.requirements, sdk.name);
  if (version === null) return null;
  const output = "pylock.sdk.toml";
  try {
    await compile(shop, kit, output, ["--no-deps", await shop.input("sdk.in", `${sdk.name}==${version}\n`)]);
  } catch (error) {
    throw withoutSdk(error, sdk, kit) ?? explained(error, own, sdk);
  }
  const uploadedAt = uploadTime(await shop.made(output));
  if (uploadedAt === undefined) return null;
  const day = asOfDay(uploadedAt, shop.tools.clock.wall());
  if (day !== null)
    shop.note(`${sdk.name} ${version} is from ${dayOf(uploadedAt)}: its dependencies are taken as of ${day}`);
  return day;
}

/** Resolves `inputs` into a lock; `output` is named `pylock.*toml`, as PEP 751 wants it. */
function compile(shop: Workshop, kit: PythonTools, output: string, inputs: readonly string[]): Promise<void> {
  const python = ["--python", kit.python.path];
  const into = ["--format", "pylock.toml", "--output-file", shop.output(output)];
  const argv = [kit.uv, "pip", "compile", "--quiet", ...python, ...into, ...inputs] as const;
  return shop.run(argv, shop.limits.installMs, { env: kit.env });
}

/** As pip does: the best version that any of the app's indexes has. */
function strategy(own: Own): readonly string[] {
  return indexOptions(own.text).length > 0 ? ["--index-strategy", "unsafe-best-match"] : [];
}

/** A lock says which index each package is from; the resolver tells it only in another form. It has just asked them all. */
async function nameIndexes(shop: Workshop, kit: PythonTools, own: Own, lock: string): Promise<string> {
  const output = "indexes.txt";
  const pins = await shop.input("indexes.in", [...indexOptions(own.text), ...pinsIn(lock), ""].join("\n"));
  const form = ["--no-deps", "--no-annotate", "--emit-index-annotation", ...strategy(own)];
  const argv = ["pip", "compile", "--quiet", "--offline", "--python", kit.python.path] as const;
  try {
    const whole = [kit.uv, ...argv, ...form, "--output-file", shop.output(output), pins] as const;
    await shop.run(whole, shop.limits.installMs, { env: kit.env, quiet: true });
    return withIndexes(lock, await shop.made(output));
  } catch (error) {
    if (!(error instanceof BuildFailure) || shop.signal.aborted) throw error;
    shop.note(`the indexes of the packages are not known (${error.message}): all files are fetched`);
    return lock;
  }
}

// The resolver writes all hashes that the index has, whatever the requirements say.
function acceptedFiles(lock: string, own: Own): string {
  const { lock: accepted, missing } = keepHashes(lock, own.requirements);
  if (missing.length === 0) return accepted;
  const lines = missing.map(({ file, line, text }) => `${file} line ${line}: ${text}`);
  throw new BuildFailure("build/config-invalid", "the index has no file with the hash that is asked for", lines);
}

/** `sdk_version` names no package that could run here; undefined where the failure is about something else. */
function withoutSdk(error: unknown, { name, version }: Sdk, kit: PythonTools): BuildFailure | undefined {
  if (!(error instanceof BuildFailure) || version === null) return undefined;
  const said = error.because.join(" ");
  const says = said.includes("the current Python version")
    ? `${name} ${version} (README.md: sdk_version) does not run on Python ${shown(kit.python)}`
    : said.includes(`there is no version of ${name}==`)
      ? `README.md: sdk_version is ${version}, and there is no such version of ${name}`
      : undefined;
  return says === undefined
    ? undefined
    : new BuildFailure("build/config-invalid", says, error.because, { cause: error });
}

/** The failure with the app's own lines that it is about before the resolver's words. */
function explained(error: unknown, own: Own, sdk: Sdk): unknown {
  if (!(error instanceof BuildFailure) || error.code !== "build/step-failed") return error;
  const blamed = blamedLines(error.because, own.requirements);
  const pin = `${sdk.name}==${sdk.version}`;
  const isOurs = sdk.version !== null && requiredIn(error.because).some(({ text }) => text === pin);
  const lines = [...blamed, ...(isOurs ? [`README.md: sdk_version is ${sdk.version}`] : [])];
  const options = { cause: error, exitCode: error.exitCode };
  const theirs = blamedLines(
    error.because,
    own.requirements.filter(({ name }) => name === sdk.name),
  );
  if (isOurs && theirs.length > 0) {
    const says = `${theirs[0]} contradicts sdk_version ${sdk.version} in README.md`;
    return new BuildFailure("build/config-invalid", says, [...lines, ...error.because], options);
  }
  return new BuildFailure(error.code, error.message, [...lines, ...error.because], options);
}
