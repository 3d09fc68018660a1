/** Which package manager an app was written for, and what its packages depend on: read from its files, nothing is run. Pure but for the hash. */
import { createHash } from "node:crypto";
import type { AppPackage } from "./package-json.ts";

export interface Manager {
  readonly name: "npm" | "pnpm" | "yarn";
  /** As package.json's `packageManager` says, or the latest that reads this lockfile (`10`); null: the node's own npm. */
  readonly version: string | null;
  /** The lockfile that it goes by; null: versions are chosen anew. */
  readonly lockfile: string | null;
  /** How it is told to install what the lockfile says, and to change nothing in it. */
  readonly exactly: "ci" | "--frozen-lockfile" | "--immutable";
}

export type ManagerChoice =
  | { readonly ok: true; readonly manager: Manager; readonly note: string | null }
  | { readonly ok: false; readonly says: string };

/** In the order in which they count, where an app has several and says no more. */
const lockfiles = {
  "package-lock.json": "npm",
  "npm-shrinkwrap.json": "npm",
  "pnpm-lock.yaml": "pnpm",
  "yarn.lock": "yarn",
} as const satisfies Readonly<Record<string, Manager["name"]>>;

/** Files beside the lockfile that change what is installed. */
export const managerFiles = [
  ...Object.keys(lockfiles),
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  "pnpm-workspace.yaml",
  ".pnpmfile.cjs",
  "bun.lock",
  "bun.lockb",
] as const;

/** `files`: those of {@link managerFiles} that the app has, with their texts. */
export function chooseManager(app: AppPackage, files: ReadonlyMap<string, string>): ManagerChoice {
  const here = Object.entries(lockfiles).filter(([file]) => files.has(file));
  const named = app.packageManager;
  if (named === null) return byLockfile(here, files);
  const [, name = "", version = ""] = /^([a-z]+)@(\d+\.\d+\.\d+[\w.-]*)(?:\+\S+)?$/.exec(named) ?? [];
  if (name === "") return no(`package.json: packageManager is ${named}; write for example pnpm@10.12.1`);
  if (name !== "npm" && name !== "pnpm" && name !== "yarn")
    return no(`package.json: packageManager is ${named}, and here are npm, pnpm and yarn: name one, with its lockfile`);
  const lockfile = here.find(([, manager]) => manager === name)?.[0] ?? null;
  if (name === "npm") {
    const note = `packageManager is ${named}: the node's own npm is used`;
    return { ok: true, manager: managerOf(name, null, lockfile), note };
  }
  return { ok: true, manager: managerOf(name, version, lockfile), note: null };
}

function byLockfile(
  here: readonly (readonly [string, Manager["name"]])[],
  files: ReadonlyMap<string, string>,
): ManagerChoice {
  const [first] = here;
  if (first === undefined) {
    const bun = ["bun.lock", "bun.lockb"].find((file) => files.has(file));
    const note = bun === undefined ? null : `${bun} is not read: bun is not here`;
    return { ok: true, manager: managerOf("npm", null, null), note };
  }
  const [lockfile, name] = first;
  const version = versionOf(name, files.get(lockfile) ?? "");
  if (version === "later yarn")
    return no('yarn.lock is of yarn 2 or later: say of which in package.json: "packageManager": "yarn@4.9.2"');
  const others = here.slice(1).map(([file]) => file);
  const note =
    others.length === 0
      ? null
      : `${lockfile} is used, and not ${others.join(", ")}: package.json names no packageManager`;
  return { ok: true, manager: managerOf(name, version, lockfile), note };
}

/** The one that wrote a lockfile, as far as that says. */
function versionOf(name: Manager["name"], lock: string): string | null {
  if (name === "npm") return null;
  if (name === "yarn") return /^__metadata:/m.test(lock) ? "later yarn" : "1";
  const written = /^lockfileVersion: '?(\d+)/m.exec(lock)?.[1];
  return { "5": "7", "6": "8" }[written ?? ""] ?? "10";
}

function managerOf(name: Manager["name"], version: string | null, lockfile: string | null): Manager {
  const isLaterYarn = name === "yarn" && Number.parseInt(version ?? "1", 10) > 1;
  const exactly = name === "npm" ? "ci" : isLaterYarn ? "--immutable" : "--frozen-lockfile";
  return { name, version, lockfile, exactly };
}

/**
 * The name of what an install comes to: the same again needs none. Null where that is not known from these files alone: nothing is
 * locked, or the app's own folders and scripts have a part in it.
 */
export function packagesName(
  packageJson: string,
  app: AppPackage,
  {
    manager,
    files,
    platform,
  }: { readonly manager: Manager; readonly files: ReadonlyMap<string, string>; readonly platform: string },
): string | null {
  if (manager.lockfile === null || app.runsAtInstall || app.hasWorkspaces) return null;
  const texts = [packageJson, ...managerFiles.map((file) => files.get(file) ?? null)];
  if (texts.some((text) => text !== null && namesOwn.test(text))) return null;
  const of = JSON.stringify([manager, platform, ...texts]);
  return `node-${createHash("sha256").update(of).digest("hex").slice(0, 32)}`;
}

/** A folder or a patch of the app's own; not yarn's root, nor the patches that it brings itself. */
const namesOwn = /["'@ ](?:(?:file|link|portal):|workspace:(?!\.["'])|patch:(?![^"'\n:]*#(?:optional!)?builtin))/;

function no(says: string): ManagerChoice {
  return { ok: false, says };
}
