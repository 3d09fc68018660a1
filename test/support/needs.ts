/** What a machine may lack: a test that needs it is skipped out loud, with the reason. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { findEngine } from "../../src/build/docker/engine.ts";
import { chooseInterpreter, findInterpreters } from "../../src/build/python/interpreters.ts";
import { sandboxHere } from "../../src/runtime/sandbox/prepare.ts";
import { postgresqlPrograms } from "./postgres.ts";
import { onceInRun } from "./run.ts";
import { SmallDisk } from "./small-disk.ts";

export type Need =
  | "sandbox"
  | "crun"
  | "images"
  | "volumes"
  | "nftables"
  | "debian"
  | "python3"
  | "gradio"
  | "exits"
  | "chromium"
  | "npm"
  | "apt"
  | "git-lfs"
  | "cc"
  | "own-disk"
  | "postgresql"
  | "nginx"
  | "haproxy"
  | "caddy"
  | "pebble";

const downloadWithinMs = 20_000;
const ownDiskTriedBytes = 4 << 20;

/** Options for `test`: `skip` holds the reason where something is missing. */
export async function needs(...what: readonly Need[]): Promise<{ readonly skip: string | false }> {
  const missing = (await Promise.all(what.map(lacking))).flatMap((why) => why ?? []);
  return { skip: missing.length === 0 ? false : missing.join("; ") };
}

/** Debian's, by either of its names. */
export const chromiumNames = ["chromium", "chromium-browser"] as const;

/** The first of these programs that is in a folder of the PATH. */
export function programOnPath(names: readonly string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
}

async function lacking(what: Need): Promise<string | undefined> {
  if (what === "python3") return existsSync("/usr/bin/python3") ? undefined : "no /usr/bin/python3";
  if (what === "gradio") return onceInRun("needs-gradio", lackingForGradio);
  if (what === "npm") return onceInRun("needs-npm", lackingForNpm);
  if (what === "images") return findEngine() === null ? "no buildah or podman in /usr/bin" : undefined;
  if (what === "debian")
    return existsSync("/usr/bin/mmdebstrap") ? undefined : "no mmdebstrap, which makes a base image";
  if (what === "apt") return onceInRun("needs-apt", lackingForApt);
  if (what === "exits") return lackingForExits();
  if (what === "chromium") return programOnPath(chromiumNames) ? undefined : "no Chromium";
  if (what === "cc") return lackingForPreload();
  if (what === "own-disk") return lackingForOwnDisk();
  if (what === "caddy") return existsSync("/usr/bin/caddy") ? undefined : "no /usr/bin/caddy";
  if (what === "nginx" || what === "haproxy")
    return existsSync(`/usr/sbin/${what}`) ? undefined : `no /usr/sbin/${what}`;
  if (what === "pebble")
    return programOnPath(["pebble"]) && programOnPath(["pebble-challtestsrv"])
      ? undefined
      : "no pebble (an ACME server)";
  if (what === "nftables") return lackingForNftables();
  if (what === "git-lfs") return programOnPath(["git-lfs"]) ? undefined : "no git-lfs";
  if (what === "postgresql") return lackingForPostgresql();
  const { problems, noVolumes } = await sandboxHere(what === "crun" ? "crun" : "bubblewrap");
  if (what === "volumes") return noVolumes === null ? undefined : `no file systems in files: ${noVolumes}`;
  return problems.length === 0 ? undefined : problems.join("; ");
}

/** A Python that Gradio runs on, and an index to install from: one small package is asked for. */
async function lackingForGradio(): Promise<string | undefined> {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin", "/usr/local/bin"];
  const choice = chooseInterpreter(
    await findInterpreters(folders, [join(process.env["HOME"] ?? "/", ".pyenv", "versions")]),
    null,
  );
  if (!choice.ok) return choice.says;
  const folder = mkdtempSync(join(tmpdir(), "wb-pypi-"));
  try {
    const asked = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "six"];
    const { status, error } = spawnSync(choice.interpreter.path, asked, { timeout: downloadWithinMs, stdio: "ignore" });
    return status === 0 ? undefined : `no PyPI: pip download ended with ${error?.message ?? status}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** By which all ports are caught, and not only those that have a listener (src/runtime/net/routes.ts). */
function lackingForNftables(): string | undefined {
  const path = ["/usr/sbin/nft", "/sbin/nft"].find((one) => existsSync(one)) ?? programOnPath(["nft"]);
  return path === undefined ? "no nft (apt-get install nftables)" : undefined;
}

/** A compiler of C, for a library that is loaded before the system's own. */
function lackingForPreload(): string | undefined {
  if (process.platform !== "linux") return `LD_PRELOAD is Linux's, this is ${process.platform}`;
  return programOnPath(["cc"]) === undefined ? "no C compiler (apt-get install gcc libc6-dev)" : undefined;
}

/** To mount a disk that is a file, and to have the kernel find an error on it. */
function lackingForOwnDisk(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may mount a disk";
  const missing = ["mkfs.ext4", "e2fsck", "findmnt"].filter((name) => programOnPath([name]) === undefined);
  if (missing.length > 0) return `no ${missing.join(", ")} (apt-get install e2fsprogs util-linux)`;
  try {
    new SmallDisk(ownDiskTriedBytes)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return `no disk in a file can be mounted: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A server of PostgreSQL that can be started, and a user for it, which root must not be. */
function lackingForPostgresql(): string | undefined {
  if (postgresqlPrograms() === null) return "no PostgreSQL server of version 14 or newer (apt-get install postgresql)";
  const root = process.getuid?.() === 0;
  return root && programOnPath(["setpriv"]) === undefined
    ? "no setpriv, and PostgreSQL refuses to run as root"
    : undefined;
}

/** A registry that npm can ask. */
async function lackingForNpm(): Promise<string | undefined> {
  const { status, error } = spawnSync("npm", ["view", "ms", "version"], { timeout: downloadWithinMs, stdio: "ignore" });
  return status === 0 ? undefined : `no npm registry: npm view ended with ${error?.message ?? status}`;
}

/** Debian's apt, and a mirror that it reaches. */
async function lackingForApt(): Promise<string | undefined> {
  const apt = "/usr/bin/apt-get";
  if (!existsSync(apt)) return "no apt-get";
  const folder = mkdtempSync(join(tmpdir(), "wb-apt-"));
  try {
    const options = [`Dir::State::Lists=${folder}`, `Dir::Cache=${folder}`, "Debug::NoLocking=1"];
    const asked = [...options, "APT::Update::Error-Mode=any"].flatMap((option) => ["-o", option]);
    const { status } = spawnSync(apt, ["-qq", ...asked, "update"], {
      timeout: downloadWithinMs,
      stdio: "ignore",
    });
    return status === 0 ? undefined : "apt-get update reaches no mirror";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What src/runtime/exits.ts asks of the kernel and of Node. */
function lackingForExits(): string | undefined {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (process.platform !== "linux" || major < 6 || (major === 6 && minor < 15))
    return `Linux 6.15 tells how a process ended, this is ${process.platform} ${release()}`;
  return process.allowedNodeEnvironmentFlags.has("--experimental-ffi") ? undefined : "this Node has no node:ffi";
}
