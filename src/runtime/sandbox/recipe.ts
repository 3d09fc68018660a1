/**
 * What a sandbox holds: what an app or a build step sees of the machine, and nothing else; and the same as bubblewrap's options.
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

/** Where the program that makes a sandbox finds the filter, tells its status, and reads its options. */
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

/** One thing that lies somewhere in a sandbox. Later ones lie over earlier ones. */
export type Place =
  | { readonly kind: "read" | "write" | "device"; readonly from: string; readonly to: string }
  | { readonly kind: "memory"; readonly to: string; readonly mode: string; readonly bytes: number | null }
  | { readonly kind: "folder"; readonly to: string }
  | { readonly kind: "link"; readonly to: string; readonly target: string }
  | { readonly kind: "proc" | "dev" | "empty-sys" };

/** All that an app or a build's command sees, in the order in which it is laid. */
export function placesOf(recipe: Recipe): readonly Place[] {
  const { limits, root } = recipe;
  return [
    ...(root === undefined ? systemFiles(recipe) : imageFiles(recipe, root)),
    ...([{ kind: "proc" }, { kind: "dev" }] as const),
    memory("/dev/shm", "1777", limits.shmBytes),
    memory("/tmp", "1777", limits.tmpBytes),
    ...(root === undefined ? [memory(insideUser.home, "0755", limits.homeBytes)] : []),
    ...hiddenHere(),
    ...recipe.devices.map((path) => ({ kind: "device", from: path, to: path }) as const),
    ...bound(recipe),
  ];
}

/** What an image builder sees. Its `/sys` is empty but for a place for groups, without which podman does not start and no step can be given a `/sys`. */
export function builderPlaces(recipe: BuilderRecipe): readonly Place[] {
  const { limits, containers, temporary } = recipe;
  return [
    ...systemFiles(recipe),
    memory("/var", "0755", limits.homeBytes),
    { kind: "read", from: containers, to: "/etc/containers" },
    { kind: "write", from: temporary, to: "/var/tmp" },
    ...([{ kind: "proc" }, { kind: "dev" }, { kind: "empty-sys" }] as const),
    memory("/dev/shm", "1777", limits.shmBytes),
    memory("/tmp", "1777", limits.tmpBytes),
    memory("/run", "0755", limits.tmpBytes),
    memory(insideUser.home, "0755", limits.homeBytes),
    ...hiddenHere(),
    ...bound(recipe),
  ];
}

/** The options after `bwrap`, without the command; they hold the app's variables, so they go through `--args`. */
export function bwrapOptions(recipe: Recipe): readonly string[] {
  return [
    ...["--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"],
    ...["--uid", String(insideUser.uid), "--gid", String(insideUser.gid), "--hostname", recipe.hostname],
    ...["--cap-drop", "ALL", "--new-session", "--die-with-parent"],
    ...placesOf(recipe).flatMap(laid),
    ...(recipe.root?.writable === true ? [] : ["--remount-ro", "/"]),
    ...begin(recipe),
  ];
}

/** An image builder's: all of its user namespace's capabilities, in pid, mount and IPC namespaces of its own. */
export function builderOptions(recipe: BuilderRecipe): readonly string[] {
  return [
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--hostname", recipe.hostname],
    ...["--cap-add", "ALL", "--new-session", "--die-with-parent"],
    ...builderPlaces(recipe).flatMap(laid),
    ...["--remount-ro", "/"],
    ...begin(recipe),
  ];
}

function laid(place: Place): readonly string[] {
  switch (place.kind) {
    case "read":
      return ["--ro-bind", place.from, place.to];
    case "write":
      return ["--bind", place.from, place.to];
    case "device":
      return ["--dev-bind", place.from, place.to];
    case "memory":
      return [
        ...["--perms", place.mode],
        ...(place.bytes === null ? [] : ["--size", String(place.bytes)]),
        ...["--tmpfs", place.to],
      ];
    case "folder":
      return ["--perms", "0755", "--dir", place.to];
    case "link":
      return ["--symlink", place.target, place.to];
    case "proc":
      return ["--proc", "/proc"];
    case "dev":
      return ["--dev", "/dev"];
    case "empty-sys":
      return ["--tmpfs", "/sys", "--dir", "/sys/fs/cgroup", "--remount-ro", "/sys"];
  }
}

type Files = Pick<Recipe, "etc" | "usr" | "readOnly" | "writable" | "cwd" | "env">;

function systemFiles({ etc, usr = "/usr" }: Files): readonly Place[] {
  const shared = etcShared.map((name) => `/etc/${name}`).filter((path) => existsSync(path));
  return [
    { kind: "read", from: usr, to: "/usr" },
    ...besideUsr.flatMap(sameAsHere),
    { kind: "folder", to: "/etc" },
    ...etcFiles.map((name) => ({ kind: "read", from: `${etc}/${name}`, to: `/etc/${name}` }) as const),
    ...shared.map((path) => ({ kind: "read", from: path, to: path }) as const),
  ];
}

/** Who its users are and how names are looked up is the image's affair; where names are asked is ours. */
function imageFiles({ etc }: Files, { from, writable }: SandboxRoot): readonly Place[] {
  return [
    { kind: writable ? "write" : "read", from, to: "/" },
    ...["resolv.conf", "hosts"].map((name) => ({ kind: "read", from: `${etc}/${name}`, to: `/etc/${name}` }) as const),
  ];
}

function memory(to: string, mode: string, bytes: number | null): Place {
  return { kind: "memory", to, mode, bytes };
}

function hiddenHere(): readonly Place[] {
  return hidden.filter((path) => existsSync(path)).map((path) => memory(path, "0755", null));
}

function bound({ readOnly, writable }: Files): readonly Place[] {
  return [
    ...readOnly.map((bind) => ({ kind: "read", ...bind }) as const),
    ...writable.map((bind) => ({ kind: "write", ...bind }) as const),
  ];
}

function begin({ cwd, env }: Files): readonly string[] {
  return [
    ...["--chdir", cwd, "--clearenv"],
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--seccomp", String(fds.filter), "--json-status-fd", String(fds.status)],
  ];
}

function sameAsHere(path: string): readonly Place[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  return found.isSymbolicLink()
    ? [{ kind: "link", to: path, target: readlinkSync(path) }]
    : [{ kind: "read", from: path, to: path }];
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
