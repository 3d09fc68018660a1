/** Builds Node Spaces: the app's packages, the platform's SDK beside them, the app's own `build` script. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ReleaseImage, RuntimeFacts } from "../contract/release.ts";
import { provideDebian } from "./debian-packages.ts";
import type { SpaceSettings } from "./front-matter.ts";
import { buildApp, installPackages } from "./node-packages.ts";
import { startCommand, type AppPackage } from "./package-json.ts";
import type { Workshop } from "./workshop.ts";

/** What a release needs to know beside its settings. */
export interface Runnable {
  readonly argv: readonly string[] | null;
  readonly staticFolder: string;
  /** Static Spaces: the page at `/`, if not `index.html`. */
  readonly startPage?: string;
  readonly runtime?: RuntimeFacts;
  readonly needs?: readonly string[];
  /** Debian packages, among `needs`. */
  readonly packages?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly image?: ReleaseImage;
  /** Where the app listens, if the settings do not say. */
  readonly port?: number;
}

export async function buildNode(shop: Workshop, settings: SpaceSettings, app: AppPackage): Promise<Runnable> {
  const packages = await provideDebian(shop);
  const tools = await shop.step("install", async () => {
    const installed = await installPackages(shop, app);
    await provideSdk(shop, app);
    return installed;
  });
  await buildApp(shop, settings, app, tools);
  return await shop.step("check", async () => {
    const start = app.scripts["start"] as string;
    shop.note(`starts with: ${start}`);
    const wants = app.wantsNode === null ? "" : `; package.json asks for ${app.wantsNode}`;
    shop.note(`Node ${process.versions.node}${wants}`);
    shop.note(`listens on the port in PORT (app_port ${settings.appPort})`);
    const had = packages === undefined ? {} : { packages, needs: [packages] };
    return { argv: startCommand(start), staticFolder: ".", ...had };
  });
}

/** Puts the package `waybill` into node_modules, unless the app brings its own. */
async function provideSdk(shop: Workshop, app: AppPackage): Promise<void> {
  const folder = join(shop.app, "node_modules", "waybill");
  if (app.dependencies.includes("waybill")) return shop.note("SDK: the app's own, as its package.json says");
  if (await isThere(folder)) return shop.note("SDK: the app's own, in its node_modules");
  if (!shop.tools.sdk) return;
  const ours = join(shop.work, "in", "sdk");
  await shop.tools.sdk.write(ours);
  // By a command, and so with the app's own rights: the folder may be a link that leads anywhere.
  const copy = 'mkdir -p node_modules && cp -R "$1" node_modules/waybill';
  await shop.run(["sh", "-c", copy, "sh", ours], shop.limits.installMs, { quiet: true });
  shop.note(`SDK: waybill ${shop.tools.sdk.version} of this platform, put into node_modules/waybill`);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
