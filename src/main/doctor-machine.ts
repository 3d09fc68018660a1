/** Looks at the machine for `waybill doctor`. Reads, tries and times; what it makes for that is gone afterwards. What the facts mean: `doctor/checks.ts`. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Isolation } from "../contract/isolation.ts";
import type { Machine, MachineFacts } from "../doctor/machine.ts";
import { discover } from "../gpu/discovery.ts";
import { readStored } from "../runtime/folder.ts";
import { cgroupsHere, noCgroups } from "../runtime/sandbox/cgroups.ts";
import { sandboxHere } from "../runtime/sandbox/prepare.ts";
import type { ConfigResult, PlatformConfig } from "./config.ts";
import { diskFacts, isWritable, nearest, spaceFacts } from "./doctor-disk.ts";
import { certificateFacts, journalFacts, keyFacts } from "./doctor-data.ts";

export interface DoctorOf {
  /** Absolute; also where the settings cannot be read. */
  readonly data: string;
  readonly config: ConfigResult;
  readonly version: string;
  /** The server that is asked; null: none is named, and none was signed in to. */
  readonly server: { readonly url: string; readonly token: string | null } | null;
  readonly path: readonly string[];
}

/** For each program that is asked, and each request: a machine that is slower than this is told as it is. */
const answerWithinMs = 10_000;
/** The clock is watched for so long, beside all else. */
const watchMs = 1_000;
const execute = promisify(execFile);
const versionOf = (text: string): string | null => /\d+\.\d+(\.\d+)?/.exec(text)?.[0] ?? null;

export function machineOf(of: DoctorOf): Machine {
  const { config: read, data } = of;
  const config = read.ok ? read.config : undefined;
  const status = serverFacts(of);
  return {
    settings: async () => ({ problems: read.ok ? [] : read.problems }),
    node: async () => ({ version: process.versions.node }),
    data: async () => dataFacts(data),
    disk: async () => diskFacts(data),
    space: async () => spaceFacts(data, config?.disk.reserveBytes ?? 0),
    resolver: async () => (config === undefined ? null : resolverFacts(config)),
    port: async () => (config === undefined ? null : portFacts(config)),
    sandbox: async () => (config === undefined ? null : sandboxFacts(config)),
    userNamespaces: async () => (process.platform === "linux" ? userNamespaces() : null),
    cgroups: async () => (process.platform === "linux" ? cgroups() : null),
    clock: async () => clockFacts(of.path),
    gpus: async () => gpuFacts(config),
    git: async () => ({ version: await versionBy(of.path, "git", ["--version"]) }),
    containers: async () => ({ engine: await engineOf(of.path) }),
    journal: async () => (config === undefined ? null : journalFacts(config)),
    keys: async () => (config === undefined ? null : keyFacts(config)),
    certificates: async () => (config === undefined ? null : certificateFacts(config, Date.now())),
    server: async () => status,
    versions: async () => {
      const found = (await status)?.version;
      return typeof found === "string" ? { own: of.version, others: [{ who: "the server", version: found }] } : null;
    },
  };
}

function dataFacts(path: string): MachineFacts["data"] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { path, state: isWritable(nearest(path)) ? "to-be-made" : "absent", isOpen: false };
  return {
    path,
    state: found.isDirectory() && isWritable(path) ? "writable" : "read-only",
    isOpen: (found.mode & 0o044) !== 0 && existsSync(join(path, "journal.db")),
  };
}

async function resolverFacts({ appsDomain, network }: PlatformConfig): Promise<MachineFacts["resolver"]> {
  const name = `waybill-doctor.${appsDomain}`;
  const found = await lookup(name, { all: true }).catch(() => null); // It does not resolve.
  return {
    ...{ domain: appsDomain, name, byPorts: network.ports !== null },
    addresses: found?.map(({ address }) => address) ?? null,
    numeric: (await listens("127.77.77.77", 0)) === "free",
  };
}

/** By listening there for a moment. */
function listens(address: string, port: number): Promise<"free" | "taken" | "refused"> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE" ? "taken" : "refused"));
    server.listen({ host: address, port }, () => server.close(() => resolve("free")));
  });
}

async function portFacts({ listen }: PlatformConfig): Promise<MachineFacts["port"]> {
  const { address, port } = listen;
  const state = await listens(address, port);
  if (state === "refused") throw new Error(`nothing can listen at ${address}:${port}`);
  if (state === "free") return { address, port, state };
  const said = await statusAt(`http://${address.includes(":") ? `[${address}]` : address}:${port}`, null);
  return { address, port, state: typeof said?.body["version"] === "string" ? "ours" : "taken" };
}

async function sandboxFacts({ sandbox, data }: PlatformConfig): Promise<MachineFacts["sandbox"]> {
  if (sandbox === "none")
    return { wanted: sandbox, driver: null, isRoot: false, noVolumes: null, problems: [], probes: null };
  const { driver, isRoot, noVolumes, problems } = await sandboxHere(sandbox);
  return {
    wanted: sandbox,
    driver: problems.length === 0 ? driver : null,
    isRoot,
    noVolumes,
    problems,
    probes: probesIn(join(data, "node")),
  };
}

function probesIn(folder: string): MachineFacts["sandbox"]["probes"] {
  const kept = readStored<{ readonly isolation: Isolation }>(folder, "probes.json");
  const probes = kept?.isolation.probes ?? null;
  if (probes === null) return null;
  return "failed" in probes ? { failed: probes.failed } : { open: probes.unexpected };
}

function userNamespaces(): MachineFacts["userNamespaces"] {
  const unprivileged = numberIn("/proc/sys/kernel/unprivileged_userns_clone");
  const restricts = numberIn("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  return {
    isRoot: process.getuid?.() === 0,
    unprivileged: unprivileged === null ? null : unprivileged !== 0,
    most: numberIn("/proc/sys/user/max_user_namespaces"),
    apparmorRestricts: restricts === null ? null : restricts !== 0,
  };
}

/** Null where this kernel has no such file. */
function numberIn(file: string): number | null {
  try {
    return Number(readFileSync(file, "latin1").trim());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function cgroups(): MachineFacts["cgroups"] {
  const isRoot = process.getuid?.() === 0;
  return { isRoot, ...(isRoot ? cgroupsHere() : noCgroups) };
}

async function clockFacts(path: readonly string[]): Promise<MachineFacts["clock"]> {
  const before = Date.now() - performance.now();
  const [said] = await Promise.all([
    run(path, "timedatectl", ["show", "--property=NTPSynchronized", "--value"]),
    delay(watchMs),
  ]);
  const word = said?.trim();
  return {
    synchronised: word === "yes" ? true : word === "no" ? false : null,
    stepMs: Date.now() - performance.now() - before,
  };
}

async function gpuFacts(config: PlatformConfig | undefined): Promise<MachineFacts["gpus"]> {
  const command = config?.cards.command ?? "nvidia-smi";
  const { absent, says, devices } = await discover(command);
  return { command, absent, says, cards: devices.map(({ name, driver }) => ({ name, driver: driver ?? "unknown" })) };
}

async function engineOf(path: readonly string[]): Promise<string | null> {
  for (const name of ["buildah", "podman"]) {
    const version = await versionBy(path, name, ["--version"]);
    if (version !== null) return `${name} ${version}`;
  }
  return null;
}

async function versionBy(path: readonly string[], program: string, args: readonly string[]): Promise<string | null> {
  const said = await run(path, program, args);
  return said === null ? null : versionOf(said);
}

/** What a program prints; null where it is not there, or fails. */
async function run(path: readonly string[], program: string, args: readonly string[]): Promise<string | null> {
  const file = path.map((folder) => join(folder, program)).find((one) => existsSync(one));
  if (file === undefined) return null;
  return execute(file, args, { timeout: answerWithinMs }).then(
    ({ stdout }) => stdout,
    () => null, // It is there and of no use, which is told like its absence.
  );
}

interface Answered {
  readonly status: number;
  readonly date: string | null;
  readonly body: Record<string, unknown>;
}

async function serverFacts({ server }: DoctorOf): Promise<MachineFacts["server"] | null> {
  if (server === null) return null;
  const { url } = server;
  const none = { url, version: null, aheadMs: null };
  try {
    const said = await statusAt(url, server.token);
    const version = said?.body["version"];
    if (said === undefined || typeof version !== "string")
      return { ...none, state: "refuses", says: `status ${said?.status ?? "none"}` };
    const at = said.date === null ? Number.NaN : Date.parse(said.date);
    // Its header has whole seconds.
    return { url, state: "answers", version, says: "", aheadMs: Number.isNaN(at) ? null : at + 500 - Date.now() };
  } catch (error) {
    const cause = (error as Error).cause;
    return { ...none, state: "away", says: cause instanceof Error ? cause.message : String((error as Error).message) };
  }
}

/** Undefined where what answers is no JSON object. */
export async function statusAt(url: string, token: string | null): Promise<Answered | undefined> {
  const response = await fetch(new URL("/api/status", url), {
    signal: AbortSignal.timeout(answerWithinMs),
    ...(token !== null && { headers: { authorization: `Bearer ${token}` } }),
  });
  const body: unknown = await response.json().catch(() => undefined); // Somebody else's page.
  if (typeof body !== "object" || body === null) return undefined;
  return { status: response.status, date: response.headers.get("date"), body: body as Record<string, unknown> };
}
