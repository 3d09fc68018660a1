/**
 * What the files of one run share, in a folder of the runner's that goes at its end: what is the same on this machine for all of them,
 * and installed packages. A file that is run without the runner has none, and finds and installs all of it itself.
 */
import { execFile } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DeployEvent } from "../../src/client/deploy.ts";
import type { Account, App, Platform } from "./platform.ts";

const folder = process.env["WAYBILL_TEST_RUN"];
const packages = folder === undefined ? undefined : join(folder, "packages");
const probes = folder === undefined ? undefined : join(folder, "probes");
const copy = promisify(execFile);
/** Of an owner's folder on a node: what installing writes. */
const written = ["uv", "envs"];

/** What `find` finds, which is the same for each file of a run. */
export async function onceInRun(name: string, find: () => Promise<string | undefined>): Promise<string | undefined> {
  if (folder === undefined) return find();
  const file = join(folder, `${name}.json`);
  if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { found?: string }).found;
  const found = await find();
  // Another file may have been as quick; each writes the whole of it.
  const aside = join(mkdtempSync(join(folder, ".found-")), name);
  writeFileSync(aside, JSON.stringify({ found }));
  renameSync(aside, file);
  return found;
}

/** Deploys a Python Space whose packages are not what is tested; the first of a run leaves those that it installed for the others. */
export async function deployWithPackages(
  up: Platform,
  account: Account,
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  onEvent?: (event: DeployEvent) => void,
): Promise<App> {
  await findPackages(up, account);
  const app = await up.deploy(account, name, files, onEvent);
  if (app.deployed.ok) await leavePackages(up, account);
  return app;
}

/** What another file of the run has found out of this machine's sandboxes is known to the platform that will have this data folder. */
export function findProbes(data: string): void {
  if (probes === undefined || !existsSync(probes)) return;
  mkdirSync(join(data, "node"), { recursive: true, mode: 0o700 });
  copyFileSync(probes, probesOf(data));
}

/** What a platform has found out is there for the other files of the run. */
export function leaveProbes(data: string): void {
  if (probes === undefined || existsSync(probes) || !existsSync(probesOf(data))) return;
  const aside = join(mkdtempSync(`${probes}-`), "probes");
  copyFileSync(probesOf(data), aside);
  renameSync(aside, probes);
}

/** What another file of the run has installed of Python packages is there, as after an earlier build of the owner's. */
export async function findPackages(up: Platform, { name }: Account): Promise<void> {
  const owner = ownerFolder(up, name);
  if (packages === undefined || !existsSync(packages) || existsSync(owner)) return;
  mkdirSync(owner, { recursive: true });
  await copyInto(owner, packages);
}

async function leavePackages(up: Platform, { name }: Account): Promise<void> {
  if (packages === undefined || existsSync(packages)) return;
  const aside = mkdtempSync(`${packages}-`);
  await copyInto(aside, ownerFolder(up, name));
  try {
    renameSync(aside, packages);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    rmSync(aside, { recursive: true }); // Another file was first.
  }
}

function probesOf(data: string): string {
  return join(data, "node", "probes.json");
}

function ownerFolder(up: Platform, name: string): string {
  return join(up.data, "node", "owners", name);
}

/** With owners and links: the cache and the environments are the same files. */
async function copyInto(to: string, from: string): Promise<void> {
  await copy("cp", ["-a", ...written.map((name) => join(from, name)), to]);
}
