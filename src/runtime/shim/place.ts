/**
 * What programs of the system have to do before an app can start: its network's routes, the layers over its release, its sandbox's first
 * process in its groups. They take as long as most of a shim's own start, so they are begun before all else of it is loaded: this module
 * imports little, and the log is not there yet.
 */
import { existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { layerName, volumesMountedName, volumesOf, type SandboxPlan, type StoredPlan } from "../folder.ts";
import { layRoutes, replaceRules, type Routes } from "../net/routes.ts";
import { laySystem, mountOverlay, type SystemLayer } from "../sandbox/overlay.ts";
import { imageFd } from "../sandbox/volume.ts";
import { beginSandbox, prepareFilter, prepareFolders, sandboxFiles, type BegunSandbox } from "../sandbox/start.ts";

/** Where an app will run, on its way. */
export interface Place {
  readonly routes: Promise<Routes>;
  readonly layers: Promise<Layers>;
  readonly etc: string;
  readonly sandbox: BegunSandbox;
  /** Resolves when the replica's file systems are mounted. */
  readonly mounted: Promise<void>;
  /** Their files, open, in order, once they are mounted. */
  images(): readonly number[];
}

/** What a shim that was started in advance has by then. */
export interface Prepared {
  readonly mounted: Promise<void>;
  readonly laid: { readonly ports: readonly number[]; readonly routes: Routes };
}

/** What of a sandbox is laid over one another; null where it cannot be, or need not be. */
export interface Layers {
  readonly app: string | null;
  readonly system: SystemLayer | null;
  /** For its owner: what the machine could not do. */
  readonly missing: readonly string[];
}

export const hostname = "app";
/** O_PATH of asm-generic/fcntl.h: the file may be another user's, and only looked at. */
const pathOnly = 0o10000000;
/** Somebody may wait for the app. */
const lookEveryMs = 2;

/** Null where there is nothing to begin: a static Space, or no sandbox. */
export function beginPlace(plan: StoredPlan, prepared?: Prepared): Place | null {
  if (plan.sandbox === null || plan.release.argv === null) return null;
  const { driver, cgroups } = plan.sandbox;
  const files = sandboxFiles(plan.folder);
  prepareFilter(files);
  // The longest first: the kernel takes its time to move a process into groups, and to take a network's rules.
  const sandbox = beginSandbox({ ...files, driver, cgroups: cgroups?.join ?? [] });
  const routes = routesOf(caughtPorts(plan, plan.sandbox), prepared?.laid);
  const mounted = prepared?.mounted ?? volumesMounted(plan);
  const layers = layersOf(plan, mounted);
  prepareFolders(files, hostname);
  const volumes = volumesOf(plan.sandbox.disk);
  const images = (): readonly number[] =>
    volumes.map(({ image }, index) => (prepared ? openSync(image, pathOnly) : imageFd(index)));
  return { routes, layers, etc: files.etc, sandbox, mounted, images };
}

async function routesOf(ports: readonly number[], laid: Prepared["laid"] | undefined): Promise<Routes> {
  if (laid === undefined) return layRoutes(ports);
  if ("denied" in laid.routes || ports.join() === laid.ports.join()) return laid.routes;
  return { uncaught: await replaceRules(ports) };
}

/** A port that is the app's own is not for a listener of ours. */
export function caughtPorts({ port, release }: StoredPlan, { ports }: SandboxPlan): readonly number[] {
  return ports.filter((one) => one !== (port ?? release.appPort));
}

export const releasedFiles = (plan: StoredPlan): string => join(plan.releaseFolder, "app");

/**
 * Resolves when the replica's volumes, which are made while its shim starts (stage.ts), are mounted. Where they cannot be, the shim is
 * ended from outside; and whoever started it ends it where that takes too long.
 */
async function volumesMounted({ folder, sandbox }: StoredPlan): Promise<void> {
  if (volumesOf(sandbox?.disk).length === 0) return;
  while (!existsSync(join(folder, volumesMountedName))) await delay(lookEveryMs);
}

/** Never rejects. */
async function layersOf(plan: StoredPlan, mounted: Promise<void>): Promise<Layers> {
  await mounted;
  const missing: string[] = [];
  const [app, system] = await Promise.all([writableLayer(plan, missing), packagesLayer(plan, missing)]);
  return { app, system, missing };
}

/**
 * The release's files, of the app or of its whole image, with a layer above them that is the replica's own. Null where the kernel or
 * the disk's file system makes none: then they can only be read.
 */
async function writableLayer(plan: StoredPlan, missing: string[]): Promise<string | null> {
  const below = plan.release.image?.root ?? releasedFiles(plan);
  const at = (name: string): string => join(plan.folder, layerName, name);
  const upper = { folder: at("upper"), work: at("work") };
  try {
    await mountOverlay({ at: at("app"), lower: [below], upper });
    return at("app");
  } catch (error) {
    missing.push(
      `files beside the app's code cannot be written on this machine (${wordsOf(error)}): write to /data or /tmp`,
    );
    return null;
  }
}

/** The release's Debian packages over the machine's own; its build has seen that they can be laid there. */
async function packagesLayer(plan: StoredPlan, missing: string[]): Promise<SystemLayer | null> {
  if (plan.release.packages === undefined) return null;
  try {
    return await laySystem(plan.release.packages, join(plan.folder, layerName));
  } catch (error) {
    missing.push(`the packages of packages.txt cannot be had: ${wordsOf(error)}`);
    return null;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
