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
  /** Device nodes of real cards. */
  readonly devices: readonly string[];
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
  const { limits } = recipe;
  return [
    ...["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"],
    ...["--uid", String(insideUser.uid), "--gid", String(insideUser.gid), "--hostname", recipe.hostname],
    ...["--cap-drop", "ALL", "--new-session", "--die-with-parent"],
    ...["--ro-bind", "/usr", "/usr"],
    ...besideUsr.flatMap(sameAsHere),
    ...["--perms", "0755", "--dir", "/etc"],
    ...etcFiles.flatMap((name) => ["--ro-bind", `${recipe.etc}/${name}`, `/etc/${name}`]),
    ...etcShared.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["--perms", "1777", "--size", String(limits.shmBytes), "--tmpfs", "/dev/shm"],
    ...["--perms", "1777", "--size", String(limits.tmpBytes), "--tmpfs", "/tmp"],
    ...["--perms", "0755", "--size", String(limits.homeBytes), "--tmpfs", insideUser.home],
    ...hidden.flatMap((path) => (existsSync(path) ? ["--tmpfs", path] : [])),
    ...recipe.devices.flatMap((path) => ["--dev-bind", path, path]),
    ...recipe.readOnly.flatMap(({ from, to }) => ["--ro-bind", from, to]),
    ...recipe.writable.flatMap(({ from, to }) => ["--bind", from, to]),
    ...["--remount-ro", "/", "--chdir", recipe.cwd, "--clearenv"],
    ...Object.entries(recipe.env).flatMap(([name, value]) => ["--setenv", name, value]),
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
