/** Builds static Spaces: files that the platform serves itself, made by the app's build command where it has one. */
import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { SpaceSettings } from "./front-matter.ts";
import type { Runnable } from "./node-builder.ts";
import { buildApp, installPackages } from "./node-packages.ts";
import { noPackage, type AppPackage } from "./package-json.ts";
import { BuildFailure, type Workshop } from "./workshop.ts";

const usualPage = "index.html";

/** `app` is null where the commit has no package.json; without `app_build_command` nothing is installed or run. */
export async function buildStatic(shop: Workshop, settings: SpaceSettings, app: AppPackage | null): Promise<Runnable> {
  if (settings.appBuildCommand !== null) {
    const commands = app === null ? [] : await shop.step("install", () => installPackages(shop, app));
    await buildApp(shop, settings, app ?? noPackage, commands);
  }
  return await shop.step("check", () => check(shop, settings));
}

async function check(shop: Workshop, { appFile, staticFolder }: SpaceSettings): Promise<Runnable> {
  const folder = staticFolder === "." && appFile !== null ? dirname(appFile) : staticFolder;
  const startPage = appFile === null ? usualPage : relative(folder, appFile);
  const page = join(folder, startPage);
  const found = await stat(join(shop.app, page)).catch(() => undefined);
  const isServed = !startPage.startsWith("..");
  if (!isServed || !found?.isFile()) {
    const where = folder === "." ? "its repository's folder" : folder;
    const says = isServed
      ? `there is no ${page}; a static Space is served from ${where} and begins with ${startPage} (app_file)`
      : `app_file is ${appFile}, which is not in ${where}, from where this static Space is served (static_folder)`;
    throw new BuildFailure("build/config-invalid", says, [says]);
  }
  const root = await realpath(shop.app);
  const served = await realpath(join(shop.app, folder));
  if (served !== root && !served.startsWith(root + sep)) {
    const says = `${folder} leads out of the app's folder`;
    throw new BuildFailure("build/config-invalid", says, [says]);
  }
  shop.note(`serves ${folder === "." ? "all files" : folder}, beginning with ${startPage}`);
  return { argv: null, staticFolder: folder, ...(startPage === usualPage ? {} : { startPage }) };
}
