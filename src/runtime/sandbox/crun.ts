/**
 * A sandbox made by crun, with which podman runs its containers: for machines that have podman and no bubblewrap. The recipe is
 * written as a bundle of the OCI runtime specification (runtime-spec, config.md, config-linux.md); neither podman nor its monitor
 * runs, so the container is the shim's child and ends with it.
 *
 *   setpriv --pdeathsig KILL unshare --pid --kill-child sh        ends with whoever started it, and with it its pid namespace
 *     crun run                                                    the bundle and crun's state lie in memory, in a mount namespace of its own
 *       catatonit                                                 pid 1 of the sandbox, as podman's own `--init`
 *         the command
 */
import { existsSync, statSync } from "node:fs";
import { linuxProcesses } from "../processes.ts";
import { builderPlaces, fds, insideUser, placesOf, type BuilderRecipe, type Place, type Recipe } from "./recipe.ts";
import { quoted } from "./quoted.ts";
import type { Way } from "./way.ts";

export interface Bundle {
  /** The assembled filter. */
  readonly filter: Uint8Array;
  /** An empty folder, over which it is laid. */
  readonly at: string;
}

/** Where distributions put it. */
const crunPaths = ["/usr/bin/crun", "/usr/local/bin/crun"];
/** podman's init, linked statically: it runs in every image. */
const initPaths = ["/usr/libexec/podman/catatonit", "/usr/bin/catatonit", "/usr/local/bin/catatonit"];
/** Inside. */
const initInside = "/run/waybill-init";
/** What the bundle and crun's copy of it take; the variables of a Space are the most of them. */
const bundleBytes = 16 << 20;
const beginsWord = "begins";
/** What buildah needs of its user namespace: users, mounts and device nodes, and what it gives to steps. */
const builderCapabilities = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE"],
  ...["NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);

/** The programs that it needs besides those of every sandbox, and where they may be. */
export const crunPrograms = { crun: crunPaths, catatonit: initPaths } as const;

export function crunWay(recipe: Recipe | BuilderRecipe, bundle: Bundle): Way {
  const processes = linuxProcesses();
  const namespaceOf = (pid: number): string | undefined => processes.inner(pid)?.namespace;
  return {
    driver: "crun",
    argv: [
      ...["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"],
      ...["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
      ...["/bin/sh", "-c", script(recipe, bundle.at)],
    ],
    options: JSON.stringify(crunConfig(recipe, bundle)),
    pid1(status, maker) {
      if (!status.includes(beginsWord)) return undefined;
      const outer = processes.children(maker.pid).map(namespaceOf)[0];
      return below(maker.pid, processes.children).find((pid) => {
        const inner = processes.inner(pid);
        return inner?.pid === 1 && inner.namespace !== outer;
      });
    },
    began: (status) => status.includes(beginsWord) && complaintOf(status) === undefined,
    notFound(_, lastWords) {
      const found = /^ERROR \(catatonit:\d+\): failed to exec pid1: (.+)$/.exec(lastWords);
      return found ? `${recipe.argv[0]}: ${found[1]}` : undefined;
    },
    complaint: complaintOf,
  };
}

/** The bundle's `config.json`. */
function crunConfig(recipe: Recipe | BuilderRecipe, { filter, at }: Bundle): object {
  const builds = "containers" in recipe;
  const places = builds ? builderPlaces(recipe) : placesOf(recipe);
  const root = builds ? undefined : recipe.root;
  const { limits } = recipe;
  const capabilities = builds ? builderCapabilities : [];
  const limit = (type: string, value: number): object => ({ type, soft: value, hard: value });
  const ids = [{ containerID: insideUser.uid, hostID: 0, size: 1 }];
  const namespaces = ["pid", "ipc", "uts", "mount", "cgroup", ...(builds ? [] : ["user"])];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: builds ? { uid: 0, gid: 0 } : { uid: insideUser.uid, gid: insideUser.gid },
      args: [initInside, "--", ...recipe.argv],
      env: Object.entries(recipe.env).map(([name, value]) => `${name}=${value}`),
      cwd: recipe.cwd,
      capabilities: Object.fromEntries(
        ["bounding", "effective", "inheritable", "permitted", "ambient"].map((set) => [set, capabilities]),
      ),
      rlimits: [
        limit("RLIMIT_NPROC", limits.processes),
        limit("RLIMIT_NOFILE", limits.openFiles),
        limit("RLIMIT_CORE", 0),
      ],
      noNewPrivileges: true,
    },
    root: { path: `${at}/root`, readonly: root?.writable !== true },
    hostname: recipe.hostname,
    mounts: [...places.flatMap((place) => mountsOf(place, at)), bind(programAt(initPaths), initInside, "read")],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      // The network is the shim's, and so is the one user that there is; inside it has the app's number.
      ...(builds ? {} : { uidMappings: ids, gidMappings: ids }),
    },
    // The same bytes that bubblewrap loads: nothing depends on which system calls crun's libseccomp has names for.
    annotations: { "run.oci.seccomp_bpf_data": Buffer.from(filter).toString("base64") },
  };
}

interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source: string;
  readonly options: readonly string[];
}

function mountsOf(place: Place, at: string): readonly Mount[] {
  switch (place.kind) {
    case "read":
    case "write":
      return place.to === "/" ? [] : [bind(place.from, place.to, place.kind)];
    case "device":
      return [{ destination: place.to, type: "bind", source: place.from, options: ["bind", "nosuid"] }];
    case "memory": {
      const size = place.bytes === null ? [] : [`size=${place.bytes}`];
      const options = ["nosuid", "nodev", `mode=${place.mode}`, ...size];
      return [{ destination: place.to, type: "tmpfs", source: "tmpfs", options }];
    }
    case "proc":
      return [{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] }];
    case "dev":
      return [
        { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=755", "size=65536"] },
        {
          ...{ destination: "/dev/pts", type: "devpts", source: "devpts" },
          options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        },
      ];
    case "empty-sys":
      return [bind(`${at}/sys`, "/sys", "read")];
    case "folder":
    case "link":
      return []; // made by the script
  }
}

/** Options for a folder hold for all that is mounted below it too; crun takes them for no file. */
function bind(source: string, destination: string, may: "read" | "write"): Mount {
  const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() !== false;
  const of = isFolder ? ["rbind", "rnosuid", "rnodev"] : ["bind", "nosuid", "nodev"];
  const options = may === "write" ? of : [...of, isFolder ? "rro" : "ro"];
  return { destination, type: "bind", source, options };
}

/**
 * Runs as pid 1 of a pid namespace, in a mount namespace with a /proc of its own: makes the bundle in memory, where its variables
 * lie in nobody's file, and tells on the status pipe that it begins, and what crun complained of. Where groups of both versions are
 * mounted, crun wants none of the second: they are covered, for it alone.
 */
function script(recipe: Recipe | BuilderRecipe, at: string): string {
  const places = "containers" in recipe ? builderPlaces(recipe) : placesOf(recipe);
  const made = places.flatMap((place) => {
    if (place.kind === "folder") return [`mkdir -m 0755 root${quoted(place.to)}`];
    if (place.kind === "link") return [`ln -s ${quoted(place.target)} root${quoted(place.to)}`];
    if (place.kind === "read" || place.kind === "write")
      return place.to === "/"
        ? [`mount --rbind ${quoted(place.from)} root`, "mount -o remount,bind,nosuid,nodev root"]
        : [];
    return [];
  });
  const status = `>&${fds.status}`;
  return [
    "set -e",
    `mount -t tmpfs -o nosuid,nodev,mode=0755,size=${bundleBytes} waybill ${quoted(at)}`,
    `cd ${quoted(at)}`,
    "unified=/sys/fs/cgroup/unified",
    "[ ! -d $unified ] || mount -t tmpfs -o mode=0755 waybill $unified",
    "mkdir -m 0755 root",
    "mkdir -m 0700 state",
    "mkdir -p sys/fs/cgroup",
    ...made,
    `(umask 077; cat <&${fds.options} > config.json)`,
    `echo ${beginsWord} ${status}`,
    "code=0",
    `${programAt(crunPaths)} --log=complaints --log-format=json --cgroup-manager=disabled --root ${quoted(`${at}/state`)} run --bundle ${quoted(at)} app ${fds.filter}<&- ${fds.status}>&- ${fds.options}<&- || code=$?`,
    `[ ! -s complaints ] || cat complaints ${status}`,
    "exit $code",
  ].join("\n");
}

/** What crun said in its log, if it is an error. */
function complaintOf(status: string): string | undefined {
  const said = status.split("\n").filter((text) => text.startsWith("{"));
  return said.map(complaintIn).find(({ level }) => level === "error")?.msg;
}

/** `{ "msg": …, "level": "error", … }`. One that was too long to be kept whole is told as far as it goes. */
function complaintIn(line: string): { readonly msg?: string; readonly level?: string } {
  try {
    return JSON.parse(line) as ReturnType<typeof complaintIn>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { msg: line, level: "error" };
  }
}

/** The first of them that is there; else the first, whose absence the start tells. */
function programAt(paths: readonly [string, ...string[]] | readonly string[]): string {
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? "";
}

/** All descendants of a process, nearest first. */
function below(pid: number, children: (pid: number) => readonly number[]): readonly number[] {
  const found = [...children(pid)];
  for (let at = 0; at < found.length; at++) found.push(...children(found[at] as number));
  return found;
}
