/**
 * From a commit to a release: fetch, configure, install, build, check, publish. Every build ends in an outcome, whatever happens,
 * and leaves either a whole release or nothing.
 */
import { existsSync } from "node:fs";
import { realpath, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import type { BuildSpec, ToServer } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import { spaceOwner } from "../contract/space.ts";
import { newId } from "../stdx/ids.ts";
import { iso } from "../stdx/time.ts";
import { DiskWatch } from "./disk-watch.ts";
import { Environments, sweepBounds } from "./environments.ts";
import { builtSdks, parseFrontMatter, settingsRecord, type Remark, type SpaceSettings } from "./front-matter.ts";
import { buildDocker } from "./docker/docker-builder.ts";
import { storesOf } from "./docker/roots.ts";
import { removeWhole } from "./gone.ts";
import { appFileOf, buildGradio } from "./gradio-builder.ts";
import { buildStreamlit, streamlitFile } from "./streamlit-builder.ts";
import { buildNode, type Runnable } from "./node-builder.ts";
import { parsePackage, startProblem, type AppPackage } from "./package-json.ts";
import {
  clearWorkFolders,
  makeWorkFolder,
  publishRelease,
  readRelease,
  releaseFolderOf,
  releasesIn,
} from "./release.ts";
import { readSmall } from "./small-file.ts";
import { buildStatic } from "./static-builder.ts";
import { ownersIn, tidyOwner } from "./tidy.ts";
import { BuildFailure, Workshop, becauseMax, type BuildEvents, type BuildTools } from "./workshop.ts";

export { BenchDenied, type Benches } from "./bench.ts";
export { plainBenches } from "./plain-bench.ts";
export { buildMarker } from "./processes.ts";
export type { BuildEvents, BuildLogLine, BuildTools, StepFailure } from "./workshop.ts";

/** How a build ended, as the contract's `build-done` says it. */
export type BuildOutcome = Extract<ToServer, { type: "build-done" }>["outcome"];

/** A node's builder, bound to its tools. */
export interface Builder {
  readonly sdks: readonly string[];
  run(spec: BuildSpec, on: BuildEvents, signal: AbortSignal): Promise<BuildOutcome>;
  /** Ends what a crash left of builds; resolves with their ids. Call before the first `run`. */
  recover(): Promise<readonly string[]>;
  /** Releases of this node, each with the build that made it; null where its folder does not say. */
  releases(): Promise<readonly { readonly release: string; readonly build: string | null }[]>;
  /** Removes releases, each whole or not at all; what only they needed goes when their owners, which it resolves with, are tidied. */
  remove(releases: readonly string[]): Promise<readonly string[]>;
  /** All who have built here. */
  owners(): Promise<readonly string[]>;
  /** Clears away what nothing needs of an owner's, while none of their builds runs; resolves with sentences of what was done. */
  tidy(owner: string): Promise<readonly string[]>;
  /** A release of this node; undefined where it has none of that id. */
  release(id: string): Promise<{ readonly folder: string; readonly manifest: ReleaseManifest } | undefined>;
}

/** What a build had for its commands in its folder, beside the app. */
const notReleased = ["in", "out", "home", "tmp"];

export function createBuilder(given: BuildTools): Builder {
  const { python, folder, clock } = given;
  const cacheBytes = given.cacheBytes ?? sweepBounds.bytes;
  const environments = new Environments({ ...sweepBounds, bytes: cacheBytes });
  const looked = new Map<string, { readonly at: number; readonly bytes: number }>();
  const tools = {
    ...given,
    environments,
    ...(python === undefined ? {} : { python: { ...python, known: new Map() } }),
  };
  return {
    sdks: builtSdks.filter((sdk) =>
      isPython(sdk) ? python !== undefined : sdk !== "docker" || Boolean(given.images?.engine),
    ),
    run: (spec, on, signal) => runBuild(spec, tools, on, signal),
    recover: () => clearWorkFolders(folder, (build) => tools.benches.recover(build)),
    async releases() {
      const all = (await releasesIn(folder)).map(async (release) => ({
        release,
        build: await buildOf(folder, release),
      }));
      return Promise.all(all);
    },
    async remove(releases) {
      const owners = new Set<string>();
      for (const release of releases) {
        const manifest = await readRelease(folder, release).catch(unreadable);
        if (manifest) owners.add(spaceOwner(manifest.space));
        await removeWhole(releaseFolderOf(folder, release));
      }
      return [...owners];
    },
    owners: () => ownersIn(folder),
    tidy: (owner) => tidyOwner(owner, { folder, environments, cacheBytes, looked, now: clock.wall() }),
    async release(id) {
      const manifest = await readRelease(tools.folder, id);
      for (const path of manifest?.needs ?? []) await refuseReplaced(tools.folder, path);
      return manifest && { folder: releaseFolderOf(tools.folder, id), manifest };
    },
  };
}

async function buildOf(folder: string, release: string): Promise<string | null> {
  return (await readRelease(folder, release).catch(unreadable))?.build ?? null;
}

/** A damaged manifest: whoever needs the release is told when it is to start. */
function unreadable(error: unknown): undefined {
  if (!(error instanceof SyntaxError)) throw error;
}

/** What a replica needs of an owner's folder is bound into its sandbox: without root a later build's command may have left a link there. */
async function refuseReplaced(folder: string, path: string): Promise<void> {
  const inside = relative(join(folder, "owners"), path);
  if (inside.startsWith("..")) return; // An interpreter of the machine's.
  const found = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined; // The sandbox says so.
    throw error;
  });
  if (found !== undefined && found !== join(await realpath(folder), "owners", inside))
    throw new Error(`${path} leads to ${found}: a build's command has replaced it`);
}

interface Configured {
  readonly settings: SpaceSettings;
  /** Null for a static Space without package.json. */
  readonly app: AppPackage | null;
}

/**
 * Builds one commit. Always resolves; `signal` ends the running step and with it the build. The whole build is bounded by
 * `spec.limitMs`, each step by its own limit.
 */
export async function runBuild(
  spec: BuildSpec,
  tools: BuildTools,
  on: BuildEvents,
  signal: AbortSignal = new AbortController().signal,
): Promise<BuildOutcome> {
  const bound = new AbortController();
  const limit = setTimeout(() => bound.abort(overLimit(spec)), spec.limitMs);
  let shop: Workshop | undefined;
  try {
    const work = await makeWorkFolder(tools.folder, spec.build);
    shop = new Workshop(spec, tools, on, work, AbortSignal.any([signal, bound.signal]));
    using disk = watchDisk(shop, (failure) => bound.abort(failure));
    return await build(shop, disk);
  } catch (error) {
    const outcome = outcomeOf(shop, error);
    shop?.note(`failed: ${outcome.says}`);
    return outcome;
  } finally {
    clearTimeout(limit);
    if (shop) await endWork(shop);
  }
}

// What cannot be ended or removed is left for the next start of the builder, and does not change how the build ended.
async function endWork(shop: Workshop): Promise<void> {
  try {
    await shop.end();
    await rm(shop.work, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    shop.note(`the build could not be cleared away: ${error instanceof Error ? error.message : String(error)}`);
  }
  shop.close();
}

async function build(shop: Workshop, disk: DiskWatch): Promise<BuildOutcome> {
  const { spec, tools } = shop;
  shop.note(`builds ${spec.space} at ${spec.commit}`);
  if (spec.factory) shop.note("a factory rebuild: nothing that an earlier build resolved is used");
  await shop.step("fetch", async () => {
    await disk.look();
    shop.signal.throwIfAborted();
    await fetchCommit(shop);
  });
  const { settings, app } = await shop.step("configure", () => configure(shop));
  const runnable = await buildBySdk(shop, settings, app);
  const manifest = manifestOf(shop, settings, runnable);
  await shop.step("publish", async () => {
    await shop.end();
    await disk.look();
    shop.signal.throwIfAborted();
    for (const name of notReleased) await rm(join(shop.work, name), { recursive: true, force: true });
    await publishRelease(tools.folder, shop.work, manifest);
    shop.note(`release ${manifest.release}`);
  });
  const runtime = manifest.runtime === undefined ? {} : { runtime: manifest.runtime };
  const headers = manifest.headers === undefined ? {} : { headers: manifest.headers };
  const signIn = manifest.signIn === undefined ? {} : { signIn: manifest.signIn };
  return {
    ok: true,
    release: manifest.release,
    sdk: settings.sdk,
    ...runtime,
    ...headers,
    ...signIn,
    settings: settingsRecord({ ...settings, appPort: manifest.appPort }),
  };
}

function buildBySdk(shop: Workshop, settings: SpaceSettings, app: AppPackage | null): Promise<Runnable> {
  switch (settings.sdk) {
    case "gradio":
      return buildGradio(shop, settings);
    case "streamlit":
      return buildStreamlit(shop, settings);
    case "docker":
      return buildDocker(shop, settings);
    case "node":
      return buildNode(shop, settings, app as AppPackage);
    case "static":
      return buildStatic(shop, settings, app);
  }
}

function isPython(sdk: string): boolean {
  return sdk === "gradio" || sdk === "streamlit";
}

const refusals = {
  "unknown-commit": "build/fetch-failed",
  "bad-link": "build/config-invalid",
  "missing-object": "build/lfs-missing",
} as const;

async function fetchCommit(shop: Workshop): Promise<void> {
  const { spec, tools } = shop;
  const within = AbortSignal.any([shop.signal, AbortSignal.timeout(shop.limits.fetchMs)]);
  const result = await tools.source.checkout(spec.repository, spec.commit, shop.app, within, spec.build);
  if (!result.ok) {
    const code = refusals[result.refusal];
    for (const problem of result.problems) shop.note(problem);
    throw new BuildFailure(code, result.says, result.problems.slice(0, becauseMax));
  }
  for (const note of result.notes) shop.note(note);
  shop.note(`${result.files} ${result.files === 1 ? "file" : "files"}`);
}

/** Reads the settings and what they need of the app, and says all that is wrong with either. */
async function configure(shop: Workshop): Promise<Configured> {
  const front = parseFrontMatter(await readSmall(shop.app, "README.md"));
  for (const warning of front.warnings) shop.note(`warning: ${located(warning)}`);
  const text = await readSmall(shop.app, "package.json");
  if (front.ok && isPython(front.settings.sdk)) return configurePython(shop, front.settings);
  const needsPackage = front.ok ? front.settings.sdk === "node" : text !== undefined;
  const parsed = needsPackage || text !== undefined ? parsePackage(text) : undefined;
  const problems = [
    ...(front.ok ? [] : front.problems.map(located)),
    ...(needsPackage && parsed ? packageProblems(parsed, front.ok) : []),
  ];
  if (problems.length > 0) {
    for (const problem of problems) shop.note(problem);
    throw new BuildFailure(
      "build/config-invalid",
      problems.length === 1 ? (problems[0] as string) : `${problems.length} problems: ${problems[0]}; …`,
      problems.slice(0, becauseMax),
    );
  }
  if (!front.ok) throw new BuildFailure("build/config-invalid", "the settings are wrong");
  shop.note(`sdk ${front.settings.sdk}${front.settings.title ? `, ${front.settings.title}` : ""}`);
  return { settings: front.settings, app: parsed?.ok ? parsed.app : null };
}

/** What can be said before packages are resolved, which takes its time. */
function configurePython(shop: Workshop, settings: SpaceSettings): Configured {
  const file = settings.sdk === "streamlit" ? streamlitFile(shop.app, settings) : appFileOf(settings);
  if (!existsSync(join(shop.app, file)))
    throw new BuildFailure("build/config-invalid", `app_file is ${file}, and the commit has no such file`);
  const version = settings.sdkVersion ?? "of no sdk_version, so the newest that the requirements allow";
  shop.note(`sdk ${settings.sdk} ${version}${settings.title ? `, ${settings.title}` : ""}`);
  return { settings, app: null };
}

// With a front matter that cannot be read nobody knows whether a start script is needed: only what is wrong in any case is said.
function packageProblems(parsed: ReturnType<typeof parsePackage>, sdkIsNode: boolean): readonly string[] {
  if (!parsed.ok) return [parsed.problem];
  const start = startProblem(parsed.app);
  return sdkIsNode && start !== undefined ? [start] : [];
}

function located({ line, message }: Remark): string {
  return line === null ? message : `README.md line ${line}: ${message}`;
}

function manifestOf(
  { spec, tools }: Workshop,
  settings: SpaceSettings,
  { argv, staticFolder, startPage, runtime, needs, packages, env, image, port }: Runnable,
): ReleaseManifest {
  return {
    release: newId("rel", tools.random),
    space: spec.space,
    commit: spec.commit,
    build: spec.build,
    sdk: settings.sdk,
    title: settings.title || spec.space,
    argv,
    staticFolder,
    ...(startPage === undefined ? {} : { startPage }),
    appPort: port ?? settings.appPort,
    portGiven: settings.portGiven,
    builtAt: iso(tools.clock.wall()),
    ...(runtime === undefined ? {} : { runtime }),
    ...(needs === undefined ? {} : { needs }),
    ...(packages === undefined ? {} : { packages }),
    ...(env === undefined ? {} : { env }),
    ...(Object.keys(settings.headers).length === 0 ? {} : { headers: settings.headers }),
    ...(settings.signIn === null ? {} : { signIn: settings.signIn }),
    ...(image === undefined ? {} : { image }),
  };
}

function outcomeOf(shop: Workshop | undefined, error: unknown): Extract<BuildOutcome, { ok: false }> {
  const step = shop?.current ?? null;
  if (error instanceof BuildFailure)
    return { ok: false, code: error.code, step, says: error.message, because: error.because };
  const says = error instanceof Error ? error.message : String(error);
  return { ok: false, code: "build/publish-failed", step, says: `the builder's disk: ${says}`, because: [says] };
}

/** What it writes, in its own folder and in what the owner keeps, is bounded as its time is. */
function watchDisk(shop: Workshop, end: (failure: BuildFailure) => void): DiskWatch {
  const { diskBytes: limitBytes } = shop;
  const { reserveBytes = 0 } = shop.tools;
  return new DiskWatch({
    folders: [shop.work, shop.store, storesOf(shop.tools.folder, spaceOwner(shop.spec.space))],
    since: shop.tools.clock.wall(),
    limitBytes,
    reserve: {
      bytes: reserveBytes,
      onLow: (free) => {
        const says = `the builder's disk has ${mib(free)} left, and WAYBILL_DISK_RESERVE_MB keeps ${mib(reserveBytes)} free`;
        end(new BuildFailure("build/disk-low", says, [says]));
      },
    },
    onOver: (bytes) => {
      const says = `the build wrote ${mib(bytes)} to the disk, may write ${mib(limitBytes)}, and was ended`;
      end(new BuildFailure("build/disk-full", says, [says]));
    },
    onError: (error) => shop.note(`what the build writes could not be counted: ${String(error)}`),
  });
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function overLimit({ limitMs }: BuildSpec): BuildFailure {
  return new BuildFailure(
    "build/step-timeout",
    `the whole build took longer than its limit of ${limitMs / 1000} s and was ended`,
  );
}
