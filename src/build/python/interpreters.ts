/** Which Pythons a machine has. Nothing is downloaded: a version that is not here is a refusal that names those that are. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

export interface Interpreter {
  /** The real file. */
  readonly path: string;
  /** The folder of its installation, which an environment made of it needs. */
  readonly prefix: string;
  readonly version: readonly [major: number, minor: number, patch: number];
}

/** What `gradio` and `spaces` run on. */
const least: readonly [number, number] = [3, 8];
/** As on Spaces, where a README names none. */
const usual: readonly [number, number] = [3, 10];
const askWithinMs = 10_000;
const question = "import sys; print(sys.base_prefix); print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)";

/** What interpreters said of themselves, for as long as their files stay as they were: to ask all of them takes a second. Null: it is none. */
export type KnownInterpreters = Map<string, Interpreter | null>;

/** Asks each interpreter of these folders, and of `versions/*` below the last ones, unless it is known. */
export async function findInterpreters(
  folders: readonly string[],
  versions: readonly string[],
  known: KnownInterpreters = new Map(),
): Promise<readonly Interpreter[]> {
  const below = versions.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, "bin")) : [],
  );
  // pyenv's scripts in `shims` start a shell or two each, for interpreters that are asked themselves.
  const scripts = new Set(versions.map((folder) => join(dirname(folder), "shims")));
  const files = new Set<string>();
  for (const folder of [...folders, ...below]) {
    if (scripts.has(folder) || !existsSync(folder)) continue;
    for (const name of readdirSync(folder))
      if (/^python3(\.\d+)?$/.test(name)) files.add(realpathSync(join(folder, name)));
  }
  const found = await Promise.all([...files].map((file) => knownOrAsked(file, known)));
  // A script in an interpreter's name (pyenv's) answers for one that is asked itself too.
  const real = new Map(found.flatMap((one) => (one ? [[one.path, one] as const] : [])));
  return [...real.values()].sort((a, b) => compare(b.version, a.version));
}

export type Choice =
  | { readonly ok: true; readonly interpreter: Interpreter; readonly note: string }
  | { readonly ok: false; readonly says: string };

/** `wanted` is `3.10`, `3.11.4` or null. */
export function chooseInterpreter(here: readonly Interpreter[], wanted: string | null): Choice {
  const usable = here.filter(({ version: [major, minor] }) => major === least[0] && minor >= least[1]);
  const list = usable.length === 0 ? "none that is new enough" : [...new Set(usable.map(shown))].join(", ");
  if (wanted === null) {
    const newer = usable
      .filter(({ version }) => version[1] >= usual[1])
      .sort((a, b) => a.version[1] - b.version[1] || b.version[2] - a.version[2]);
    const chosen = newer[0];
    if (!chosen) return { ok: false, says: `this node has no Python ${usual.join(".")} or newer; here: ${list}` };
    return { ok: true, interpreter: chosen, note: `Python ${shown(chosen)}: README.md names no python_version` };
  }
  const [major, minor, patch] = wanted.split(".").map(Number);
  const same = usable.filter(({ version }) => version[0] === major && version[1] === minor);
  const exact = same.find(({ version }) => version[2] === patch);
  const chosen = exact ?? same[0];
  if (!chosen) return { ok: false, says: `python_version ${wanted} is not on this node; here: ${list}` };
  const note =
    patch === undefined || exact ? `Python ${shown(chosen)}` : `Python ${shown(chosen)}, the nearest here to ${wanted}`;
  return { ok: true, interpreter: chosen, note };
}

export function shown({ version }: Interpreter): string {
  return version.join(".");
}

async function knownOrAsked(path: string, known: KnownInterpreters): Promise<Interpreter | null> {
  const { mtimeMs, ino } = statSync(path);
  const name = `${path} ${ino} ${mtimeMs}`;
  const before = known.get(name);
  if (before !== undefined) return before;
  const answer = await asked(path);
  // One that was too slow may only have been so now.
  if (answer !== "late") known.set(name, answer);
  return answer === "late" ? null : answer;
}

async function asked(path: string): Promise<Interpreter | null | "late"> {
  try {
    const { stdout } = await promisify(execFile)(path, ["-I", "-c", question], { timeout: askWithinMs });
    const [prefix = "", version = "", executable = ""] = stdout.trim().split("\n");
    const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
    return { path: realpathSync(executable), prefix: realpathSync(prefix), version: [major, minor, patch] };
  } catch (error) {
    // A stub that only tells that nothing is installed, or a broken one: not an interpreter.
    return (error as { killed?: boolean }).killed === true ? "late" : null;
  }
}

function compare(a: Interpreter["version"], b: Interpreter["version"]): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
