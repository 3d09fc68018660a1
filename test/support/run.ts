/**
 * What the files of one run share, in a folder of the runner's that goes at its end: what is the same on this machine for all of them,
 * and installed packages. A file that is run without the runner has none, and finds and installs all of it itself.
 */
import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { DeployEvent } from "../../src/client/deploy.ts";
import type { Account, App, Platform } from "./platform.ts";

/** Folders of installed Python packages: an owner's on a node, and the run's. */
interface Packages {
  /** What uv has fetched and unpacked. */
  readonly uv: string;
  readonly envs: string;
  /** A file for each of `envs` that is whole. */
  readonly marks: string;
}

const folder = process.env["WAYBILL_TEST_RUN"];
const packages: Packages | undefined =
  folder === undefined
    ? undefined
    : { uv: join(folder, "uv"), envs: join(folder, "envs"), marks: join(folder, "marks") };
const probes = folder === undefined ? undefined : join(folder, "probes");
const copy = promisify(execFile);

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

/** Deploys a Python Space whose packages are not what is tested; the first of a run that has some leaves them for the others. */
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

/** What other files of the run have installed of Python packages is there, as after earlier builds of the owner's. */
export async function findPackages(up: Pick<Platform, "data">, { name }: Pick<Account, "name">): Promise<void> {
  const mine = packagesOf(up, name);
  if (packages === undefined || !existsSync(packages.uv) || existsSync(mine.uv)) return;
  await copyCache(mine.uv, packages.uv);
  for (const environment of wholeOf(packages)) await copyEnvironment(mine, packages, environment);
}

async function leavePackages(up: Platform, { name }: Account): Promise<void> {
  if (packages === undefined) return;
  const mine = packagesOf(up, name);
  if (!existsSync(packages.uv)) await copyCache(packages.uv, mine.uv);
  const left = wholeOf(packages);
  for (const environment of wholeOf(mine))
    if (!left.includes(environment)) await copyEnvironment(packages, mine, environment);
}

/** The environments that their owner's builds take for whole. */
function wholeOf({ marks }: Packages): readonly string[] {
  return existsSync(marks) ? readdirSync(marks) : [];
}

/** Its mark comes last. */
async function copyEnvironment(to: Packages, from: Packages, name: string): Promise<void> {
  await copyFolder(join(to.envs, name), async (aside) => {
    await copy("cp", [howTo(aside, from.envs), `${join(from.envs, name)}/.`, aside]);
  });
  mkdirSync(to.marks, { recursive: true, mode: 0o700 });
  copyFileSync(join(from.marks, name), join(to.marks, name));
}

/** Unpacked packages are never written again, so their files may be the same ones; of an index uv writes in place. */
async function copyCache(to: string, from: string): Promise<void> {
  await copyFolder(to, async (aside) => {
    for (const name of readdirSync(from))
      await copy("cp", [name.startsWith("archive-") ? howTo(aside, from) : "-a", join(from, name), aside]);
  });
}

/** Makes a whole folder, or leaves the one that another file of the run has made meanwhile. */
async function copyFolder(to: string, fill: (aside: string) => Promise<void>): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  const aside = mkdtempSync(`${to}.aside-`);
  await fill(aside);
  chmodSync(aside, 0o755);
  try {
    renameSync(aside, to);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    rmSync(aside, { recursive: true });
  }
}

/** With owners and links: as names of the same files where one disk has both, which costs a tenth. */
function howTo(to: string, from: string): "-al" | "-a" {
  return statSync(to).dev === statSync(from).dev ? "-al" : "-a";
}

function probesOf(data: string): string {
  return join(data, "node", "probes.json");
}

function packagesOf(up: Pick<Platform, "data">, name: string): Packages {
  const node = join(up.data, "node");
  const owner = join(node, "owners", name);
  return { uv: join(owner, "uv"), envs: join(owner, "envs"), marks: join(node, "marks", name) };
}
