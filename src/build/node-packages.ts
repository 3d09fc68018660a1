/** Installs an app's packages with the manager that it was written for, or takes them from an earlier install, and runs its build script. */
import { join } from "node:path";
import { stat } from "node:fs/promises";
import { BuildFailure } from "./failure.ts";
import type { SpaceSettings } from "./front-matter.ts";
import type { AppPackage } from "./package-json.ts";
import { chooseManager, managerFiles, packagesName, type Manager } from "./package-manager.ts";
import { readSmall, readText } from "./small-file.ts";
import type { Workshop } from "./workshop.ts";

/** Folders that commands after the install have on their PATH before all others: where pnpm or yarn is. */
export type Commands = readonly string[];

const platform = `${process.platform}-${process.arch} node ${process.versions.node}`;

/** Installs by the app's lockfile; nothing where the app names no package. Throws {@link BuildFailure}s. */
export async function installPackages(shop: Workshop, app: AppPackage): Promise<Commands> {
  if (app.dependencies.length === 0 && !app.runsAtInstall) {
    shop.note("nothing to install: package.json names no packages");
    return [];
  }
  const files = await readManagerFiles(shop);
  const choice = chooseManager(app, files);
  if (!choice.ok) throw new BuildFailure("build/config-invalid", choice.says, [choice.says]);
  const { manager, note } = choice;
  if (note !== null) shop.note(note);
  if (manager.lockfile === null) shop.note(`no ${usualLockfile(manager)}: versions are chosen anew by each build`);
  // The Space's variables are those of the install too: NODE_ENV decides what of it is left out.
  const where = `${platform} ${JSON.stringify(shop.spec.variables ?? {})}`;
  const packageJson = (await readSmall(shop.app, "package.json")) ?? "";
  const name = packagesName(packageJson, app, { manager, files, platform: where });
  const isOwn = name === null || shop.spec.factory === true || (await isThere(join(shop.app, "node_modules")));
  if (isOwn) return await install(shop, manager);
  let commands: Commands | undefined;
  const { path, made } = await shop.environment(name, async (into) => {
    commands = await install(shop, manager);
    // Where nothing is for this machine, the manager makes no folder.
    await shop.run(["mkdir", "-p", "node_modules"], shop.limits.installMs, { quiet: true });
    // What a release has is its own, also as a file's owner: so the files are copied, and not linked.
    await shop.run(["cp", "-a", "node_modules", into], shop.limits.installMs, { quiet: true });
  });
  if (made) return commands ?? [];
  shop.note("nothing to install: these packages are there");
  await shop.run(["cp", "-a", join(path, "node_modules"), "."], shop.limits.installMs, { quiet: true });
  return await provideManager(shop, manager);
}

/** The Space's `app_build_command`, or the `build` script, where there is one. */
export async function buildApp(
  shop: Workshop,
  settings: SpaceSettings,
  app: AppPackage,
  commands: Commands,
): Promise<void> {
  const { buildMs } = shop.limits;
  if (settings.appBuildCommand !== null) {
    const path = ["$PWD/node_modules/.bin", ...commands].join(":");
    const command = `export PATH="${path}:$PATH"\n${settings.appBuildCommand}`;
    await shop.step("build", async () => {
      shop.note(`app_build_command: ${settings.appBuildCommand}`);
      await shop.run(["sh", "-c", command], buildMs, { env: yarnVariables(shop) });
    });
  } else if (app.scripts["build"] !== undefined) {
    await shop.step("build", () => runWith(shop, commands, ["npm", "run", "build"], buildMs));
  }
}

async function install(shop: Workshop, manager: Manager): Promise<Commands> {
  const { installMs } = shop.limits;
  const { name, lockfile, exactly } = manager;
  if (name === "npm") {
    const argv = ["npm", lockfile === null ? "install" : exactly, "--no-audit", "--no-fund", "--foreground-scripts"];
    await shop.run(argv as [string, ...string[]], installMs);
    return [];
  }
  const commands = await provideManager(shop, manager);
  const kept = name === "pnpm" ? ["--store-dir", join(shop.store, "npm", "pnpm")] : [];
  await runWith(shop, commands, [name, "install", ...(lockfile === null ? [] : [exactly]), ...kept], installMs);
  return commands;
}

/**
 * The folder in which commands find the manager, one version of it for all Spaces of the owner; none for npm. npm fetches it, which
 * has all versions of each.
 */
async function provideManager(shop: Workshop, { name, version }: Manager): Promise<Commands> {
  if (name === "npm" || version === null) return [];
  const source = name === "yarn" && Number.parseInt(version, 10) > 1 ? "@yarnpkg/cli-dist" : name;
  try {
    const { path } = await shop.environment(`${name}-${version}`, (into) =>
      shop.run(
        ["npm", "install", "--prefix", into, "--no-audit", "--no-fund", "--loglevel=error", `${source}@${version}`],
        shop.limits.installMs,
      ),
    );
    return [join(path, "node_modules", ".bin")];
  } catch (error) {
    if (!(error instanceof BuildFailure) || error.code !== "build/step-failed" || shop.signal.aborted) throw error;
    const says = `${name} ${version} could not be had: commit a package-lock.json for npm, or ask the operator to let builds reach the registry`;
    throw new BuildFailure(error.code, says, [says, ...error.because], { cause: error, exitCode: error.exitCode });
  }
}

function runWith(shop: Workshop, commands: Commands, argv: readonly string[], limitMs: number): Promise<void> {
  if (commands.length === 0) return shop.run(argv as [string, ...string[]], limitMs);
  const script = `export PATH="${commands.join(":")}:$PATH"; exec "$@"`;
  shop.note(`$ ${argv.join(" ")}`);
  return shop.run(["sh", "-c", script, "sh", ...argv], limitMs, { env: yarnVariables(shop), quiet: true });
}

/** Where yarn keeps what it fetches; and a linker whose packages a plain `node` finds. */
function yarnVariables(shop: Workshop): Readonly<Record<string, string>> {
  const kept = join(shop.store, "npm");
  return {
    YARN_CACHE_FOLDER: join(kept, "yarn"),
    YARN_GLOBAL_FOLDER: join(kept, "yarn-global"),
    YARN_NODE_LINKER: "node-modules",
    YARN_ENABLE_TELEMETRY: "0",
  };
}

async function readManagerFiles(shop: Workshop): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(managerFiles.map(async (file) => [file, await readText(shop.app, file)] as const));
  return new Map(found.flatMap(([file, text]) => (text === undefined ? [] : [[file, text] as const])));
}

function usualLockfile({ name }: Manager): string {
  return { npm: "package-lock.json", pnpm: "pnpm-lock.yaml", yarn: "yarn.lock" }[name];
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
