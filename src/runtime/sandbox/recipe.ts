/**
 * What a sandbox holds, as bubblewrap's options: what an app or a build step sees of the machine, and nothing else.
 * Pure but for the look at which of the system's folders exist.
 */
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import type { SandboxLimits } from "../folder.ts";

export interface Bind {
  readonly from: string;
  /** Absolute, inside the sandbox. */
  readonly to: string;
}

export interface Recipe {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly readOnly: readonly Bind[];
  readonly writable: readonly Bind[];
  /** Files made for the sandbox: `resolv.conf`, `hosts`, `passwd`, `group`, `nsswitch.conf`. */
  readonly etc: string;
  readonly hostname: string;
  readonly limits: SandboxLimits;
  /** What lies at /usr; absent: the machine's own. */
  readonly usr?: string;
  /** Device nodes of real cards. */
  readonly devices: readonly string[];
  /** An image's files instead of the machine's own; absent: `/usr` and what belongs to it. */
  readonly root?: SandboxRoot;
}

export interface SandboxRoot {
  /** The image's files, or a layer above them. */
  readonly from: string;
  /** It is a layer of this sandbox's own. */
  readonly writable: boolean;
}

/** What an image builder sees: it is root of a user namespace with many users, and makes mounts and roots of its own below. */
export interface BuilderRecipe extends Omit<Recipe, "devices" | "root"> {
  /** A folder with its configuration, `/etc/containers` inside. */
  readonly containers: string;
  /** A folder for its large files, `/var/tmp` inside. */
  readonly temporary: string;
}

/** Who the app is inside, whoever it is outside. */
export const insideUser = { uid: 1000, gid: 1000, name: "app", home: "/home/app" } as const;

/** Where bubblewrap finds the filter, tells its status, and reads its options. */
export const fds = { filter: 3, status: 4, options: 5 } as const;

const etcFiles = ["resolv.conf", "hosts", "passwd", "group", "nsswitch.conf"] as const;
/** Read by programs and holding no secrets: the loader's cache, certificates, names of commands, fonts, MIME types, time zone. */
const etcShared = [
  "ld.so.cache",
  "ssl/certs",
  "ca-certificates",
  "pki",
  "alternatives",
  "fonts",
  "mime.types",
  "localtime",
];
/** With a merged /usr these are links into it; elsewhere folders of their own. */
const besideUsr = ["/bin", "/sbin", "/lib", "/lib64", "/lib32"] as const;
/** The client of ZeroGPU apps reads a card's model there and changes prices by itself. */
const hidden = ["/proc/driver/nvidia/gpus"] as const;

/** The options after `bwrap`, without the command; they hold the app's variables, so they go through `--args`. */
export function bwrapOptions(recipe: Recipe): readonly string[] {
  const { limits, root } = recipe;
  return [
    ...["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"],
    ...["--uid", String(insideUser.uid), "--gid", String(insideUser.gid), "--hostname", recipe.hostname],
    ...["--cap-drop", "ALL", "--new-session", "--die-with-parent"],
    ...(root === undefined ? systemFiles(recipe) : imageFiles(recipe, root)),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...inMemory("/dev/shm", "1777", limits.shmBytes),
    ...inMemory("/tmp", "1777", limits.tmpBytes),
    ...(root === undefined ? inMemory(insideUser.home, "0755", limits.homeBytes) : []),
    ...hidden.flatMap((path) => (existsSync(path) ? ["--tmpfs", path] : [])),
    ...recipe.devices.flatMap((path) => ["--dev-bind", path, path]),
    ...bound(recipe),
    ...(root?.writable === true ? [] : ["--remount-ro", "/"]),
    ...begin(recipe),
  ];
}

/**
 * An image builder's: all of its user namespace's capabilities, in pid, mount and IPC namespaces of its own. It has an empty `/sys`
 * with a place for groups, without which podman does not start and no step can be given a `/sys`.
 */
export function builderOptions(recipe: BuilderRecipe): readonly string[] {
  const { limits } = recipe;
  return [
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--hostname", recipe.hostname],
    ...["--cap-add", "ALL", "--new-session", "--die-with-parent"],
    ...systemFiles(recipe),
    ...inMemory("/var", "0755", limits.homeBytes),
    ...["--ro-bind", recipe.containers, "/etc/containers", "--bind", recipe.temporary, "/var/tmp"],
    ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/sys", "--dir", "/sys/fs/cgroup", "--remount-ro", "/sys"],
    ...inMemory("/dev/shm", "1777", limits.shmBytes),
    ...inMemory("/tmp", "1777", limits.tmpBytes),
    ...inMemory("/run", "0755", limits.tmpBytes),
    ...inMemory(insideUser.home, "0755", limits.homeBytes),
    ...hidden.flatMap((path) => (existsSync(path) ? ["--tmpfs", path] : [])),
    ...bound(recipe),
    ...["--remount-ro", "/"],
    ...begin(recipe),
  ];
}

type Files = Pick<Recipe, "etc" | "usr" | "readOnly" | "writable" | "cwd" | "env">;

function systemFiles({ etc, usr = "/usr" }: Files): readonly string[] {
  return [
    ...["--ro-bind", usr, "/usr"],
    ...besideUsr.flatMap(sameAsHere),
    ...["--perms", "0755", "--dir", "/etc"],
    ...etcFiles.flatMap((name) => ["--ro-bind", `${etc}/${name}`, `/etc/${name}`]),
    ...etcShared.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
  ];
}

/** Who its users are and how names are looked up is the image's affair; where names are asked is ours. */
function imageFiles({ etc }: Files, { from, writable }: SandboxRoot): readonly string[] {
  return [
    ...[writable ? "--bind" : "--ro-bind", from, "/"],
    ...["resolv.conf", "hosts"].flatMap((name) => ["--ro-bind", `${etc}/${name}`, `/etc/${name}`]),
  ];
}

function inMemory(path: string, mode: string, bytes: number): readonly string[] {
  return ["--perms", mode, "--size", String(bytes), "--tmpfs", path];
}

function bound({ readOnly, writable }: Files): readonly string[] {
  return [
    ...readOnly.flatMap(({ from, to }) => ["--ro-bind", from, to]),
    ...writable.flatMap(({ from, to }) => ["--bind", from, to]),
  ];
}

function begin({ cwd, env }: Files): readonly string[] {
  return [
    ...["--chdir", cwd, "--clearenv"],
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--seccomp", String(fds.filter), "--json-status-fd", String(fds.status)],
  ];
}

function sameAsHere(path: string): readonly string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  return found.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}

/** prlimit(1)'s arguments. Processes are counted in the sandbox's own user namespace, since this runs inside `unshare`. */
export function rlimits({ processes, openFiles }: SandboxLimits): readonly string[] {
  return ["--core=0", `--nproc=${processes}:${processes}`, `--nofile=${openFiles}:${openFiles}`];
}

/** The files of a sandbox's /etc, by name. */
export function etcOf(hostname: string): Readonly<Record<(typeof etcFiles)[number], string>> {
  const { uid, gid, name, home } = insideUser;
  return {
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n",
    hosts: `127.0.0.1 localhost ${hostname}\n::1 localhost\n`,
    passwd: `root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n${name}:x:${uid}:${gid}:${name}:${home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: `root:x:0:\n${name}:x:${gid}:\nnogroup:x:65534:\n`,
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  };
}
