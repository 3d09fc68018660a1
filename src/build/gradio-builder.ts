/**
 * Builds Gradio Spaces: an interpreter of the machine, a lock that is kept while the requirements stay the same, an environment that
 * is named by its content, and a look at the app before it runs.
 */
import { existsSync, realpathSync } from "node:fs";
import { open, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { completeMark, sweepEnvironments } from "./python/environments.ts";
import { chooseInterpreter, findInterpreters, shown } from "./python/interpreters.ts";
import { environmentName, versionIn } from "./python/lock.ts";
import { lockName, platform, resolvePackages, type Lock, type PythonTools } from "./python/resolve.ts";
import { provideUv } from "./python/uv.ts";
import { readSmall } from "./small-file.ts";
import { checkTorch } from "./torch-check.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

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

/** The program of a Gradio Space, relative to its repository. */
export const appFileOf = ({ appFile }: SpaceSettings): string => appFile ?? "app.py";

export async function buildGradio(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const file = appFileOf(settings);
  // Before commands run: they may leave a link in its place.
  const program = (await readSmall(join(shop.app, file))) ?? "";
  const kit = await shop.step("python", () => choose(shop, settings));
  const lock = await shop.step("resolve", () => resolvePackages(shop, settings, kit));
  const environment = await shop.step("install", () => install(shop, kit, lock));
  return await shop.step("check", async () => {
    const look = await shop.input("look-at-app.py", lookAtApp);
    await shop.run([join(environment, "bin", "python"), "-I", look, file], shop.limits.buildMs);
    const runtime: RuntimeFacts = {
      python: shown(kit.python),
      gradio: versionIn(lock.text, "gradio"),
      spaces: versionIn(lock.text, "spaces"),
      torch: await checkTorch(shop, environment, program),
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
  const environment = join(shop.store, "envs", environmentName(lock.text, shown(kit.python), platform, source));
  if (existsSync(`${environment}${completeMark}`)) {
    shop.note("nothing to install: the environment of these packages is there");
    return environment;
  }
  await rm(environment, { recursive: true, force: true });
  const gone = await sweepEnvironments(dirname(environment), shop.tools.folder, environment);
  if (gone.length > 0) shop.note(`removed ${gone.length} environment(s) that no release uses any more`);
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
