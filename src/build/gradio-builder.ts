/**
 * Builds Gradio Spaces: an interpreter of the machine, a lock that is kept while the requirements stay the same, an environment that
 * is named by its content, and a look at the app before it runs.
 */
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { chooseInterpreter, findInterpreters, shown, type Interpreter } from "./python/interpreters.ts";
import {
  asOfDay,
  dayOf,
  environmentName,
  namesFiles,
  platformRequirements,
  requirementsHash,
  uploadTime,
  versionIn,
} from "./python/lock.ts";
import { provideUv } from "./python/uv.ts";
import { readSmall } from "./small-file.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

const platform = `${process.platform}-${process.arch}`;
/** Beside an environment, written last and synced: one without it was cut off, and is made anew. */
const completeMark = ".complete";
const lockName = "pylock.toml";
/** Exits 3 and names the line where a coroutine stands under the GPU decorator, which takes plain functions only. */
const lookAtApp = `
import ast, sys
tree = ast.parse(open(sys.argv[1], "rb").read(), sys.argv[1])
def is_gpu(node):
    node = node.func if isinstance(node, ast.Call) else node
    return (isinstance(node, ast.Attribute) and node.attr == "GPU") or (isinstance(node, ast.Name) and node.id == "GPU")
bad = [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef) and any(map(is_gpu, n.decorator_list))]
for n in bad:
    print("%s line %d: async def %s stands under the GPU decorator, which takes plain functions and generators only" % (sys.argv[1], n.lineno, n.name), file=sys.stderr)
sys.exit(3 if bad else 0)
`;

/** What Python builds of one owner work with. */
interface PythonTools {
  readonly python: Interpreter;
  readonly uv: string;
  readonly env: Readonly<Record<string, string>>;
}

interface Lock {
  readonly text: string;
  /** As commands see it; paths in it begin there. */
  readonly file: string;
}

/** The program of a Gradio Space, relative to its repository. */
export const appFileOf = ({ appFile }: SpaceSettings): string => appFile ?? "app.py";

export async function buildGradio(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const kit = await shop.step("python", () => choose(shop, settings));
  const lock = await shop.step("resolve", () => resolve(shop, settings, kit));
  const environment = await shop.step("install", () => install(shop, kit, lock));
  return await shop.step("check", async () => {
    const file = appFileOf(settings);
    const look = await shop.input("look-at-app.py", lookAtApp);
    await shop.run([join(environment, "bin", "python"), "-I", look, file], shop.limits.buildMs);
    const runtime: RuntimeFacts = {
      python: shown(kit.python),
      gradio: versionIn(lock.text, "gradio"),
      spaces: versionIn(lock.text, "spaces"),
      torch: null,
    };
    shop.note(`starts with: python ${file}; gradio ${runtime.gradio ?? "?"}, spaces ${runtime.spaces ?? "?"}`);
    return {
      argv: [join(environment, "bin", "python"), file],
      staticFolder: ".",
      runtime,
      needs: [environment, ...(kit.python.prefix === "/usr" ? [] : [kit.python.prefix])],
      env: { PYTHONUNBUFFERED: "1", VIRTUAL_ENV: environment },
    };
  });
}

async function choose(shop: Workshop, settings: SpaceSettings): Promise<PythonTools> {
  const { tools } = shop;
  const { python } = tools;
  if (!python) throw new BuildFailure("build/no-builder", "this node builds no Gradio Spaces");
  const here = await findInterpreters([...tools.path, "/usr/bin", "/usr/local/bin"], python.versions);
  const choice = chooseInterpreter(here, settings.pythonVersion);
  if (!choice.ok) throw new BuildFailure("build/no-builder", choice.says, [choice.says]);
  shop.note(choice.note);
  try {
    const uv = await provideUv(
      { path: tools.path, folder: python.toolsFolder, env: tools.env ?? {} },
      choice.interpreter,
      (text) => shop.note(text),
    );
    const kit = { python: choice.interpreter, uv: realpathSync(uv), env: variablesIn(shop.store) };
    shop.needs.push(kit.uv, ...(kit.python.prefix === "/usr" ? [] : [kit.python.prefix]));
    return kit;
  } catch (error) {
    throw new BuildFailure("build/no-builder", (error as Error).message, [], { cause: error });
  }
}

/** The Space's kept lock where nothing that it was made from has changed; else a fresh one, as of its day. */
async function resolve(shop: Workshop, settings: SpaceSettings, kit: PythonTools): Promise<Lock> {
  const { sdkVersion } = settings;
  const own = await readSmall(join(shop.app, "requirements.txt"));
  const ours = platformRequirements(own ?? "", sdkVersion).join("\n");
  const hash = requirementsHash({ requirements: `${own}\n${ours}`, sdkVersion, python: shown(kit.python), platform });
  const space = createHash("sha256").update(shop.spec.space).digest("hex");
  const locks = join(shop.tools.folder, "locks");
  const kept = join(locks, `${space.slice(0, 16)}-${hash.slice(0, 32)}.toml`);
  // What other files say is not part of the hash.
  const isWhole = !namesFiles(own ?? "");
  if (isWhole && existsSync(kept) && shop.spec.factory !== true) {
    shop.note("the requirements have not changed: the packages of the earlier build are used, to the version");
    const text = await readFile(kept, "utf8");
    return { text, file: await shop.input(lockName, text) };
  }
  const input = await shop.input("platform.in", `${ours}\n`);
  // Ours beside the app's own file, which may name others by a path from where it lies.
  const inputs = [...(own === undefined ? [] : ["requirements.txt"]), input];
  const asOf = sdkVersion === null ? null : await dayFor(shop, kit, sdkVersion);
  try {
    await compile(shop, kit, lockName, [...(asOf === null ? [] : ["--exclude-newer", asOf]), ...inputs]);
  } catch (error) {
    if (asOf === null || shop.signal.aborted) throw error;
    shop.note(`the packages of ${asOf} do not fit together with the requirements: they are taken as of today`);
    await compile(shop, kit, lockName, inputs);
  }
  const text = await shop.made(lockName);
  await mkdir(locks, { recursive: true });
  await writeFile(`${kept}.new`, text);
  await rename(`${kept}.new`, kept);
  const packages = text.match(/^\[\[packages\]\]/gm)?.length ?? 0;
  shop.note(`${packages} packages resolved; the set is kept in the release as ${lockName}`);
  return { text, file: shop.output(lockName) };
}

async function dayFor(shop: Workshop, kit: PythonTools, version: string): Promise<string | null> {
  const output = "pylock.gradio.toml";
  await compile(shop, kit, output, ["--no-deps", await shop.input("gradio.in", `gradio==${version}\n`)]);
  const uploadedAt = uploadTime(await shop.made(output));
  if (uploadedAt === undefined) return null;
  const day = asOfDay(uploadedAt, shop.tools.clock.wall());
  if (day !== null)
    shop.note(`gradio ${version} is from ${dayOf(uploadedAt)}: its dependencies are taken as of ${day}`);
  return day;
}

/** Resolves `inputs` into a lock; `output` is named `pylock.*toml`, as PEP 751 wants it. */
function compile(shop: Workshop, kit: PythonTools, output: string, inputs: readonly string[]): Promise<void> {
  const python = ["--python", kit.python.path];
  const into = ["--format", "pylock.toml", "--output-file", shop.output(output)];
  const argv = [kit.uv, "pip", "compile", "--quiet", ...python, ...into, ...inputs] as const;
  return shop.run(argv, shop.limits.installMs, { env: kit.env });
}

/** The environment of this lock; made where it is not there yet. It is used at the path at which it was made. */
async function install(shop: Workshop, kit: PythonTools, lock: Lock): Promise<string> {
  await writeFile(join(shop.work, lockName), lock.text);
  const environment = join(shop.store, "envs", environmentName(lock.text, shown(kit.python), platform));
  if (existsSync(`${environment}${completeMark}`)) {
    shop.note("nothing to install: the environment of these packages is there");
    return environment;
  }
  await rm(environment, { recursive: true, force: true });
  await shop.give(environment);
  const { installMs } = shop.limits;
  await shop.run([kit.uv, "venv", "--quiet", "--python", kit.python.path, environment], installMs, { env: kit.env });
  const env = { ...kit.env, VIRTUAL_ENV: environment };
  await shop.run([kit.uv, "pip", "install", "--quiet", "--compile-bytecode", "--requirement", lock.file], installMs, {
    env,
  });
  const mark = await open(`${environment}${completeMark}`, "w", 0o644);
  await mark.sync();
  await mark.close();
  return environment;
}

function variablesIn(store: string): Readonly<Record<string, string>> {
  return { UV_CACHE_DIR: join(store, "uv"), UV_NO_PROGRESS: "1", UV_PYTHON_DOWNLOADS: "never" };
}
