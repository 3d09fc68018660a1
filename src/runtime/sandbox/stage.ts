/**
 * The way from the agent into a fresh user, network and mount namespace: the command that the agent spawns for a shim or a bench.
 *
 * An agent that is root gives each its own user, who may not enter folders that only root may (a data folder of mode 0700, a
 * Python under root's home). In a mount namespace of its own such a folder is covered, and what this one process needs is bound
 * back at the same path. So nothing has to be opened up, and a shim sees no other replica's folder.
 */
import { statSync } from "node:fs";
import { dirname, sep } from "node:path";

export interface Stage {
  /** The user that the process becomes; null: stays the agent's. */
  readonly hostUid: number | null;
  /** Folders that it must reach, absolute, at their own path. */
  readonly needs: readonly string[];
  /** A cgroup (v2) that the process itself goes into; its app gets another beside it. */
  readonly cgroup: string | null;
}

/** Where binds wait while folders are covered; in a mount namespace that ends with its process. */
const stageFolder = "/run/waybill-stage";
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The command and its environment. `argv` runs as root of its own user namespace, which is nobody outside. */
export function hostCommand(stage: Stage, argv: readonly string[]): readonly [string, ...string[]] {
  const inside = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", ...argv];
  if (stage.hostUid === null) return inside as [string, ...string[]];
  const user = `--reuid=${stage.hostUid}`;
  const group = `--regid=${stage.hostUid}`;
  const asUser = ["setpriv", user, group, "--clear-groups", "--no-new-privs", "--", ...inside];
  const covered = coverOf(stage.needs);
  return [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--",
    "/bin/sh",
    "-c",
    script(covered, stage.cgroup),
    "sh",
    ...asUser,
  ];
}

export interface Cover {
  /** Folders that the user may not enter, outermost only. */
  readonly folders: readonly string[];
  /** What is bound back. */
  readonly binds: readonly string[];
}

/** Which folders stand in the way of `needs` for a user who is neither their owner nor of their group. */
export function coverOf(needs: readonly string[], mayEnter: (folder: string) => boolean = othersMayEnter): Cover {
  const blocked = needs.flatMap((path) => {
    const folder = ancestors(path).find((one) => !mayEnter(one));
    return folder === undefined ? [] : [{ folder, path }];
  });
  const folders = [...new Set(blocked.map(({ folder }) => folder))];
  const outermost = folders.filter((one) => !folders.some((other) => other !== one && isBelow(one, other)));
  const paths = [...new Set(blocked.map(({ path }) => path))].sort();
  return {
    folders: outermost,
    binds: paths.filter((one) => !paths.some((other) => other !== one && isBelow(one, other))),
  };
}

/** Runs as root in the private mount namespace; everything that can go wrong ends it with a sentence of the program that failed. */
function script({ folders, binds }: Cover, cgroup: string | null): string {
  const lines = ["set -e", `PATH=${systemPath}`];
  if (cgroup !== null) lines.push(`echo $$ > ${quoted(`${cgroup}/cgroup.procs`)}`);
  if (folders.length > 0) {
    lines.push(`mkdir -p ${stageFolder}`, `mount -t tmpfs -o mode=0700 tmpfs ${stageFolder}`);
    binds.forEach((path, index) => {
      const at = `${stageFolder}/${index}`;
      lines.push(`mkdir ${at}`, `mount --bind ${quoted(path)} ${at}`);
    });
    for (const folder of folders) lines.push(`mount -t tmpfs -o mode=0755 tmpfs ${quoted(folder)}`);
    binds.forEach((path, index) => {
      lines.push(`mkdir -p ${quoted(path)}`, `mount --move ${stageFolder}/${index} ${quoted(path)}`);
    });
    lines.push(`umount ${stageFolder}`);
  }
  return [...lines, 'exec "$@"'].join("\n");
}

function ancestors(path: string): readonly string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== sep; at = dirname(at)) found.unshift(at);
  return found;
}

function othersMayEnter(folder: string): boolean {
  return (statSync(folder).mode & 0o001) !== 0;
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
