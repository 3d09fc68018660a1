/**
 * Builds Gradio Spaces: an interpreter of the machine, a lock that is kept while the requirements stay the same, an environment that
 * is named by its content, and a look at the app before it runs.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RuntimeFacts } from "../contract/release.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { chooseInterpreter, findInterpreters, shown, type Interpreter } from "./python/interpreters.ts";
import {
  asOfDay,
  dayOf,
  environmentName,
  platformRequirements,
  requirementsHash,
  uploadTime,
  versionIn,
} from "./python/lock.ts";
import { provideUv } from "./python/uv.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

const platform = `${process.platform}-${process.arch}`;
const requirementsMaxBytes = 1 << 20;
/** Written last and synced: an environment without it was cut off, and is made anew. */
const completeMark = ".waybill-complete";
/** Exits 3 with `line function` where a coroutine stands under the GPU decorator, which takes plain functions only. */
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

interface Bench {
  readonly python: Interpreter;
  readonly uv: string;
  /** The owner's: cache and environments in one folder, so that files are linked and not copied. */
  readonly folder: string;
}

export async function buildGradio(shop: Workshop, settings: SpaceSettings): Promise<Runnable> {
  const bench = await shop.step("python", () => choose(shop, settings));
  const lock = await shop.step("resolve", () => resolve(shop, settings, bench));
  const environment = await shop.step("install", () => install(shop, bench, lock));
  return await shop.step("check", async () => {
    const file = settings.appFile ?? "app.py";
    if (!existsSync(join(shop.app, file)))
      throw new BuildFailure("build/config-invalid", `app_file is ${file}, and the commit has no such file`);
    const look = join(shop.work, "tmp", "look-at-app.py");
    await writeFile(look, lookAtApp);
    await shop.run([join(environment, "bin", "python"), "-I", look, file], shop.limits.buildMs);
    const runtime: RuntimeFacts = {
      python: shown(bench.python),
      gradio: versionIn(lock, "gradio"),
      spaces: versionIn(lock, "spaces"),
      torch: null,
    };
    shop.note(`starts with: python ${file}; gradio ${runtime.gradio ?? "?"}, spaces ${runtime.spaces ?? "?"}`);
    return {
      argv: [join(environment, "bin", "python"), file],
      staticFolder: ".",
      runtime,
      needs: [environment, ...(bench.python.prefix === "/usr" ? [] : [bench.python.prefix])],
      env: { PYTHONUNBUFFERED: "1", VIRTUAL_ENV: environment },
    };
  });
}

async function choose(shop: Workshop, settings: SpaceSettings): Promise<Bench> {
  const { tools, spec } = shop;
  const { python } = tools;
  if (!python) throw new BuildFailure("build/no-builder", "this node builds no Gradio Spaces");
  const here = await findInterpreters([...tools.path, "/usr/bin", "/usr/local/bin"], python.versions);
  const choice = chooseInterpreter(here, settings.pythonVersion);
  if (!choice.ok) throw new BuildFailure("build/no-builder", choice.says, [choice.says]);
  shop.note(choice.note);
  const folder = join(tools.folder, "python", encodeURIComponent(spec.space.split("/")[0] ?? ""));
  await mkdir(join(folder, "envs"), { recursive: true });
  await mkdir(join(folder, "locks"), { recursive: true });
  try {
    const uv = await provideUv(
      { path: tools.path, folder: python.toolsFolder, env: tools.env ?? {} },
      choice.interpreter,
      (text) => shop.note(text),
    );
    return { python: choice.interpreter, uv, folder };
  } catch (error) {
    throw new BuildFailure("build/no-builder", (error as Error).message, [], { cause: error });
  }
}

/** The Space's kept lock where nothing that it was made from has changed; else a fresh one, as of its day. */
async function resolve(shop: Workshop, settings: SpaceSettings, bench: Bench): Promise<string> {
  const { sdkVersion } = settings;
  const own = await requirementsOf(shop.app);
  const requirements = [own, ...platformRequirements(own, sdkVersion)].join("\n");
  const hash = requirementsHash({ requirements, sdkVersion, python: shown(bench.python), platform });
  const kept = join(
    bench.folder,
    "locks",
    `${createHash("sha256").update(shop.spec.space).digest("hex").slice(0, 16)}-${hash.slice(0, 32)}.toml`,
  );
  if (existsSync(kept) && shop.spec.factory !== true) {
    const lock = await readFile(kept, "utf8");
    shop.note("the requirements have not changed: the packages of the earlier build are used, to the version");
    await writeFile(join(shop.work, "pylock.toml"), lock);
    return lock;
  }
  const input = join(shop.work, "tmp", "requirements.in");
  const output = join(shop.work, "pylock.toml");
  await writeFile(input, `${requirements}\n`);
  const asOf = sdkVersion === null ? null : await dayFor(shop, bench, sdkVersion);
  const compile = (day: string | null): Promise<void> =>
    shop.run(
      [
        bench.uv,
        "pip",
        "compile",
        "--quiet",
        "--format",
        "pylock.toml",
        "--python",
        bench.python.path,
        "--output-file",
        output,
        ...(day === null ? [] : ["--exclude-newer", day]),
        input,
      ],
      shop.limits.installMs,
      environmentOf(bench),
    );
  try {
    await compile(asOf);
  } catch (error) {
    if (asOf === null || shop.signal.aborted) throw error;
    shop.note(`the packages of ${asOf} do not fit together with the requirements: they are taken as of today`);
    await compile(null);
  }
  const lock = await readFile(output, "utf8");
  await cp(output, `${kept}.new`);
  await cp(`${kept}.new`, kept);
  await rm(`${kept}.new`);
  shop.note(
    `${(lock.match(/^\[\[packages\]\]/gm) ?? []).length} packages resolved; the set is kept in the release as pylock.toml`,
  );
  return lock;
}

async function dayFor(shop: Workshop, bench: Bench, version: string): Promise<string | null> {
  const input = join(shop.work, "tmp", "gradio.in");
  const output = join(shop.work, "tmp", "pylock.gradio.toml");
  await writeFile(input, `gradio==${version}\n`);
  await shop.run(
    [
      bench.uv,
      "pip",
      "compile",
      "--quiet",
      "--no-deps",
      "--format",
      "pylock.toml",
      "--python",
      bench.python.path,
      "--output-file",
      output,
      input,
    ],
    shop.limits.installMs,
    environmentOf(bench),
  );
  const uploadedAt = uploadTime(await readFile(output, "utf8"));
  if (uploadedAt === undefined) return null;
  const day = asOfDay(uploadedAt, shop.tools.clock.wall());
  if (day !== null)
    shop.note(`gradio ${version} is from ${dayOf(uploadedAt)}: its dependencies are taken as of ${day}`);
  return day;
}

/** The environment of this lock; made where it is not there yet. It is used at the path at which it was made. */
async function install(shop: Workshop, bench: Bench, lock: string): Promise<string> {
  const environment = join(bench.folder, "envs", environmentName(lock, shown(bench.python), platform));
  if (existsSync(join(environment, completeMark))) {
    shop.note("nothing to install: the environment of these packages is there");
    return environment;
  }
  await rm(environment, { recursive: true, force: true });
  await shop.run(
    [bench.uv, "venv", "--quiet", "--python", bench.python.path, environment],
    shop.limits.installMs,
    environmentOf(bench),
  );
  const variables = { ...environmentOf(bench), VIRTUAL_ENV: environment };
  await shop.run(
    [bench.uv, "pip", "install", "--quiet", "--compile-bytecode", "--requirement", join(shop.work, "pylock.toml")],
    shop.limits.installMs,
    variables,
  );
  const mark = await open(join(environment, completeMark), "w", 0o644);
  await mark.sync();
  await mark.close();
  return environment;
}

function environmentOf({ folder }: Bench): Readonly<Record<string, string>> {
  return { UV_CACHE_DIR: join(folder, "cache"), UV_NO_PROGRESS: "1", UV_PYTHON_DOWNLOADS: "never" };
}

async function requirementsOf(app: string): Promise<string> {
  const path = join(app, "requirements.txt");
  if (!existsSync(path)) return "";
  if ((await stat(path)).size > requirementsMaxBytes)
    throw new BuildFailure("build/config-invalid", `requirements.txt has more than ${requirementsMaxBytes} bytes`);
  return readFile(path, "utf8");
}
