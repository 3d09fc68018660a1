/**
 * The packages of a Python Space: an interpreter of the machine, a lock that is kept while the requirements stay the same, and an
 * environment that is named by its content.
 */
import { realpathSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { provideDebian } from "../debian-packages.ts";
import type { SpaceSettings } from "../front-matter.ts";
import type { Runnable } from "../node-builder.ts";
import { BuildFailure, type Workshop } from "../workshop.ts";
import { chooseInterpreter, findInterpreters, shown, type Interpreter } from "./interpreters.ts";
import { environmentName } from "./lock.ts";
import { lockName, platform, resolvePackages, type Lock, type PythonTools } from "./resolve.ts";
import { provideUv } from "./uv.ts";

/**
 * Its argument is a folder; all processors work at it. An app cannot write there, so what is not compiled now is compiled at each start.
 * Tests below it, which no app imports, are a third of Gradio's packages. A module that is no Python of this version is nobody's failure yet.
 */
export const compiling =
  'import compileall, re, sys; compileall.compile_dir(sys.argv[1], quiet=2, workers=0, rx=re.compile(re.escape(sys.argv[1]) + "/.*/tests?/"))';

export interface MadeEnvironment {
  /** Its folder, at the path where it is used. */
  readonly environment: string;
  readonly lock: Lock;
  readonly python: Interpreter;
  /** Debian packages that lie over the machine's own. */
  readonly packages: string | undefined;
}

/** The steps `python`, `packages`, `resolve` and `install`. */
export async function buildEnvironment(shop: Workshop, settings: SpaceSettings): Promise<MadeEnvironment> {
  const kit = await shop.step("python", () => chooseTools(shop, settings));
  const packages = await provideDebian(shop);
  const lock = await shop.step("resolve", () => resolvePackages(shop, settings, kit));
  const environment = await shop.step("install", () => install(shop, kit, lock));
  return { environment, lock, python: kit.python, packages };
}

/** What a release that runs in it needs and sets. */
export function startsIn({
  environment,
  python,
  packages,
}: MadeEnvironment): Pick<Runnable, "needs" | "env" | "packages"> {
  return {
    needs: [
      environment,
      ...(python.prefix === "/usr" ? [] : [python.prefix]),
      ...(packages === undefined ? [] : [packages]),
    ],
    ...(packages === undefined ? {} : { packages }),
    env: { PYTHONUNBUFFERED: "1", VIRTUAL_ENV: environment },
  };
}

async function chooseTools(shop: Workshop, settings: SpaceSettings): Promise<PythonTools> {
  const { tools } = shop;
  const { python } = tools;
  if (!python) throw new BuildFailure("build/no-builder", "this node builds no Python Spaces");
  const here = await findInterpreters([...tools.path, "/usr/bin", "/usr/local/bin"], python.versions, python.known);
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

/** The environment of this lock; made where it is not there yet. It is used at the path at which it was made. */
async function install(shop: Workshop, kit: PythonTools, lock: Lock): Promise<string> {
  await writeFile(join(shop.work, lockName), lock.text);
  const source = `${shop.spec.space}@${shop.spec.commit}`;
  const name = environmentName(lock.text, shown(kit.python), platform, source);
  const { path, made } = await shop.environment(name, async (environment) => {
    const { installMs } = shop.limits;
    await shop.run([kit.uv, "venv", "--quiet", "--python", kit.python.path, environment], installMs, { env: kit.env });
    const env = { ...kit.env, VIRTUAL_ENV: environment };
    await shop.run([kit.uv, "pip", "install", "--quiet", "--requirement", lock.file], installMs, { env });
    shop.note("compiling the modules of the packages, all but their tests");
    const python = join(environment, "bin", "python");
    await shop.run([python, "-I", "-c", compiling, join(environment, "lib")], installMs, { env: kit.env, quiet: true });
  });
  if (!made) shop.note("nothing to install: the environment of these packages is there");
  return path;
}

function variablesIn(store: string): Readonly<Record<string, string>> {
  return { UV_CACHE_DIR: join(store, "uv"), UV_NO_PROGRESS: "1", UV_PYTHON_DOWNLOADS: "never" };
}
