/**
 * The way from the agent into a fresh user, network and mount namespace: the command that the agent spawns for a shim or a bench.
 *
 * An agent that is root gives each Space its own user, who may not enter folders that only root may (a data folder of mode 0700, a
 * Python under root's home). In a mount namespace of its own such a folder is covered, and what this one process needs is bound
 * back at the same path. So nothing has to be opened up, and a shim sees no other replica's folder.
 */
import { readlinkSync, statSync, writeFileSync } from "node:fs";
import { dirname, sep } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { quoted } from "./quoted.ts";
import { spareFds } from "./spare-fds.ts";
import { mountKnown, mountVolumes, type Volume, type Volumes } from "./volume.ts";

export interface Stage {
  /** The user that the process becomes; null: stays the agent's. */
  readonly hostUid: number | null;
  /**
   * It is root of a namespace with many users, as image builders need: those from `hostUid` on, which a root agent has to write
   * with {@link mapUsers}; or those that the machine lets the agent's own user have (subuid(5)).
   */
  readonly manyUsers?: boolean;
  /** Folders and files that it must reach, absolute, at their own path. */
  readonly needs: readonly string[];
  /** Those that its user must not write, even where they are that user's. */
  readonly frozen: readonly string[];
  /** A cgroup (v2) that the process itself goes into; its app gets another beside it. */
  readonly cgroup: string | null;
  /** Only of a root agent. */
  readonly volumes?: Volumes;
}

/** Where what covers folders is laid out; only its empty folders are the machine's, all else is in a mount namespace that ends with its process. */
const stageFolder = "/run/waybill-stage";
const tableFile = `${stageFolder}/0/.table`;
/** Two programs are started on the way there. */
const mapWithinMs = 5_000;
const lookEveryMs = 5;
const awaitMap = `n=0; until grep -q . /proc/self/gid_map; do [ $n -lt ${mapWithinMs / 10} ] || exit 1; n=$((n+1)); sleep 0.01; done`;
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The command: `argv` runs as root of its own user namespace, which is nobody outside. Spawn it with `/` as its folder. */
export function hostCommand(stage: Stage, argv: readonly string[]): readonly [string, ...string[]] {
  const { hostUid, manyUsers = false, volumes } = stage;
  const propagation = volumes === undefined ? [] : ["--propagation", "slave"];
  const namespaces = ["--net", "--mount", ...propagation, "--", ...argv] as const;
  const many = manyUsers ? ["--map-auto"] : [];
  const inside = ["unshare", "--user", "--map-root-user", ...many, ...namespaces] as const;
  if (hostUid === null) return inside;
  const user = [`--reuid=${hostUid}`, `--regid=${hostUid}`, "--clear-groups"];
  // Root of a namespace gets its capabilities by a program started after the map was written, which no-new-privs would refuse.
  const asUser = manyUsers
    ? [
        "setpriv",
        ...user,
        "--",
        "unshare",
        "--user",
        ...namespaces.slice(0, -argv.length),
        "/bin/sh",
        "-c",
        `${awaitMap}; exec "$@"`,
        "sh",
        ...argv,
      ]
    : ["setpriv", ...user, "--no-new-privs", "--", ...inside];
  const text = script(
    coverOf(stage.needs, (folder) => mayEnter(folder, hostUid)),
    stage,
  );
  return ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c", text, "sh", ...asUser];
}

/** What such a shell says when it is through, and ends: the last line of what it is given. */
const placed = "placed";
const lastLine = (fd: number): string => `echo ${placed} >&${fd}`;

/** Users who may be a spare's: a first one, and how many. */
export interface Users {
  readonly first: number;
  readonly count: number;
}

/**
 * The command for a process whose user, folders and file systems are known later, of an agent that is root. It is in all the
 * namespaces of {@link hostCommand}, and nobody in its user namespace until it is written who it is ({@link usersScript}); the files
 * that it reads until then it reads as root's own. Two shells wait on the way, one in each mount namespace above its own, for what
 * to mount there: it appears below, and cannot be taken apart there. They end with what they were given, or with the agent.
 *
 * The kernel counts what those in a user namespace have (inotify instances, namespaces, processes, pending signals) to the user who
 * made it, too, by that user's limits. Were that root, one app could use up what is there for all of them and for the machine. So
 * there is another user namespace around its own, which one of `counted` makes, another one for each, and in which only root and
 * `spaces` are somebody; a third shell waits there, to write in its time who the process is.
 */
export function spareCommand(
  argv: readonly string[],
  { spaces, counted }: { readonly spaces: Users; readonly counted: Users },
): readonly [string, ...string[]] {
  const { told, volumes, folders, users } = spareFds;
  const waits = (fd: number, others: readonly number[]): string =>
    `( ( exec ${others.map((other) => `${other}<&-`).join(" ")}; text=$(cat <&${fd}); case $text in *${quoted(lastLine(fd))}) eval "$text" ;; esac ) & )`;
  const around = [
    awaitMap,
    waits(users, [told]),
    `exec ${users}<&-`,
    `exec setpriv --reuid=0 --regid=0 --clear-groups --no-new-privs -- unshare --user --keep-caps --net --mount --propagation slave -- "$@"`,
  ];
  const inner = [
    // What is laid out there is moved to its place, which the kernel does from below a mount of nobody else's only.
    `[ -d ${stageFolder} ] || mkdir ${stageFolder}`,
    `mount -t tmpfs -o mode=0700 waybill ${stageFolder}`,
    `mount --make-rshared /`,
    `mount --make-private ${stageFolder}`,
    waits(folders, [told, users]),
    `exec ${folders}<&-`,
    ...mapWhenMade({ first: 0, count: 1 }, spaces),
    // By its pid, of which no two that live are the same: a count is shared where they are so many apart.
    `by=$((${counted.first} + $$ % ${counted.count}))`,
    `exec setpriv --reuid=$by --regid=$by --clear-groups -- unshare --user --keep-caps -- /bin/sh -e -c ${quoted(around.join("\n"))} sh "$@"`,
  ];
  const outer = [
    "set -e",
    `PATH=${systemPath}`,
    `mount --make-rshared /`,
    waits(volumes, [told, folders, users]),
    `exec ${volumes}<&-`,
    `exec unshare --mount --propagation slave -- /bin/sh -e -c ${quoted(inner.join("\n"))} sh "$@"`,
  ];
  return [
    ...["unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-c"],
    ...[outer.join("\n"), "sh", ...argv],
  ] as unknown as readonly [string, ...string[]];
}

/** Whether a process of {@link spareCommand} can read these files: its user is root, and has none of root's rights. */
export function canStartSpare(needs: readonly string[]): boolean {
  return needs.flatMap(ancestors).every((folder) => mayEnter(folder, 0));
}

/**
 * What the shell in the inner mount namespace is given, for the same as {@link hostCommand} would do. Null where one of `frozen` would
 * not be below what is covered: the process could take away what keeps it from being written.
 */
export function foldersScript({
  hostUid,
  needs,
  frozen,
}: Pick<Stage, "needs" | "frozen"> & { readonly hostUid: number }): string | null {
  const steps = coverOf(needs, (folder) => mayEnter(folder, hostUid));
  const bound = new Set(steps.filter(({ do: what }) => what === "bind").map(({ path }) => path));
  return frozen.every((path) => bound.has(path)) ? shellScript(spareFds.folders, covering(steps, frozen)) : null;
}

/** What the shell in the outer one is given; the file is there when all are mounted. */
export function volumesScript(all: readonly Volume[], mounted: string): string {
  return shellScript(spareFds.volumes, [...(all.length === 0 ? [] : mountKnown(all)), `: > ${quoted(mounted)}`]);
}

/** What the shell around its user namespace is given: the process is root of it, and this user outside, when it next says who it is. */
export function usersScript(pid: number, hostUid: number): string {
  const maps = ["uid_map", "gid_map"].map((map) => `echo 0 ${hostUid} 1 > /proc/${pid}/${map}`);
  return shellScript(spareFds.users, [`echo deny > /proc/${pid}/setgroups`, ...maps]);
}

/** Lines for a shell that is root: when its process is in another user namespace, these are in it who they are outside. */
function mapWhenMade(...all: readonly Users[]): readonly string[] {
  const { told, users } = spareFds;
  const map = all.map(({ first, count }) => `${first} ${first} ${count}\\n`).join("");
  return [
    `( exec ${told}<&- ${users}<&-; n=0`,
    `  until [ "$(readlink /proc/$$/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do [ $n -lt ${mapWithinMs / 10} ] || exit 1; n=$((n+1)); sleep 0.01; done`,
    `  for map in uid_map gid_map; do printf ${quoted(map)} > /proc/$$/$map; done ) &`,
  ];
}

function shellScript(fd: number, lines: readonly string[]): string {
  return ["set -e", ...lines, lastLine(fd)].join("\n");
}

/** Gives the script to a shell of {@link spareCommand}; resolves with whether all of it was done. */
export async function runPlacing(shell: Duplex, script: string): Promise<boolean> {
  let said = "";
  shell.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
  const over = new Promise<void>((resolve) => {
    // One that is killed says so by what it has not said.
    shell.on("error", () => resolve());
    shell.once("close", resolve);
  });
  shell.end(script);
  await over;
  return said.trim() === placed;
}

/** As many users as ids of 16 bits: what images use. */
export const usersOfImages = 65_536;

/** Resolves when the process, which is on its way through {@link hostCommand}, has its users; false where it ended or took too long. */
export async function mapUsers(pid: number, hostUid: number): Promise<boolean> {
  const ours = readlinkSync("/proc/self/ns/user");
  for (let waited = 0; waited < mapWithinMs; waited += lookEveryMs) {
    const its = namespaceOf(pid);
    if (its === undefined) return false;
    if (its !== ours) {
      for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${pid}/${map}`, `0 ${hostUid} ${usersOfImages}`);
      return true;
    }
    await delay(lookEveryMs);
  }
  return false;
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** `cover`: an empty folder is put over this one. `bind`: what was at this path is put back there. */
export type Step = { readonly do: "cover" | "bind"; readonly path: string };

/**
 * How `needs` become reachable for a user whom `mayEnter` does not let into every folder above them; outermost first. Nothing is
 * done where nothing stands in the way.
 */
export function coverOf(needs: readonly string[], mayEnter: (folder: string) => boolean): readonly Step[] {
  const blocked = new Set(needs.flatMap(ancestors).filter((folder) => !mayEnter(folder)));
  const all: readonly Step[] = [
    ...[...blocked].map((path) => ({ do: "cover", path }) as const),
    ...[...new Set(needs)].map((path) => ({ do: "bind", path }) as const),
  ];
  const chosen: Step[] = [];
  for (const step of all.toSorted((a, b) => a.path.length - b.path.length)) {
    // In a covered folder all is away but what is bound back; in what is bound back all is there, its closed folders too.
    const around = chosen.findLast(({ path }) => step.path.startsWith(`${path}/`))?.do;
    if (step.do === "cover" ? around !== "cover" : around === "cover") chosen.push(step);
  }
  return chosen;
}

/** Runs as root in the private mount namespace; what goes wrong ends it with a sentence of the program that failed. */
function script(steps: readonly Step[], { frozen, cgroup, volumes }: Stage): string {
  const lines: string[] = [];
  // Moving a process into a group waits for all processors: ten milliseconds and more, in which the rest is done.
  if (cgroup !== null) lines.push(`echo $$ > ${quoted(`${cgroup}/cgroup.procs`)} & joined=$!`);
  if (steps.length > 0) lines.push(...covering(steps, frozen));
  const bound = new Set(steps.filter(({ do: what }) => what === "bind").map(({ path }) => path));
  for (const path of frozen.filter((one) => !bound.has(one)).map(quoted))
    lines.push(`mount -o rbind,ro ${path} ${path}`);
  if (cgroup !== null) lines.push("wait $joined");
  lines.push('exec "$@"');
  const begun = ["set -e", `PATH=${systemPath}`];
  if (volumes === undefined) return [...begun, ...lines].join("\n");
  const next = `/bin/sh -e -c ${quoted(lines.join("\n"))} sh "$@"`;
  return [...begun, ...mountVolumes(volumes, next)].join("\n");
}

/**
 * What each cover shows is laid out beside it, in a file system of its own, all in one table: a program less is a millisecond less for
 * everybody who waits for an app. Then it is moved to its place: to take a mount away again, the kernel would wait for all processors.
 */
function covering(steps: readonly Step[], frozen: readonly string[]): readonly string[] {
  const covers = steps
    .filter(({ do: what }) => what === "cover")
    .map(({ path }, index) => ({ path, shown: `${stageFolder}/${index}` }));
  const binds = steps
    .filter(({ do: what }) => what === "bind")
    .map(({ path }) => {
      const { path: above, shown } = covers.findLast((cover) =>
        path.startsWith(`${cover.path}/`),
      ) as (typeof covers)[number];
      return { path, at: shown + path.slice(above.length), isFolder: statSync(path).isDirectory() };
    });
  const files = binds.filter(({ isFolder }) => !isFolder).map(({ at }) => at);
  const table = binds.map(({ path, at, isFolder }) => {
    const options = ["rbind", ...(frozen.includes(path) ? ["ro"] : []), ...(isFolder ? ["X-mount.mkdir=0755"] : [])];
    return `${inTable(path)} ${inTable(at)} none ${options.join(",")}`;
  });
  const filesAt = [...new Set(files.map((file) => quoted(dirname(file))))].join(" ");
  return [
    ...covers.map(({ shown }) => `[ -d ${shown} ] || mkdir -p ${shown}`),
    ...covers.map(({ shown }) => `mount -t tmpfs -o mode=0755 waybill ${shown}`),
    ...(files.length === 0 ? [] : [`(umask 022; mkdir -p ${filesAt})`]),
    ...files.map((file) => `: > ${quoted(file)}`),
    `printf '%s\\n' ${table.map(quoted).join(" ")} > ${tableFile}`,
    `(umask 022; mount -a -T ${tableFile})`,
    `rm ${tableFile}`,
    ...covers.map(({ path, shown }) => `mount --move ${shown} ${quoted(path)}`),
  ];
}

/** fstab(5): fields end at a blank. */
function inTable(path: string): string {
  return path.replaceAll(/[ \t\n\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function ancestors(path: string): readonly string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== sep; at = dirname(at)) found.unshift(at);
  return found;
}

function mayEnter(folder: string, uid: number): boolean {
  const found = statSync(folder);
  return (found.mode & (found.uid === uid ? 0o100 : 0o001)) !== 0;
}
