/** The data folder's disk, for `waybill doctor`: of which kind it is, how long a sync takes, and what is free. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { MachineFacts } from "../doctor/machine.ts";

const syncs = 50;
const pageBytes = 4_096;
const networks =
  /^(nfs\d?|cifs|smb\d?|9p|ceph|fuse\.(sshfs|s3fs|glusterfs|gcsfuse|rclone)|glusterfs|lustre|afs|virtiofs)$/;
const memories = /^(tmpfs|ramfs|devtmpfs)$/;
const overlays = /^(overlay|overlayfs|aufs|fuse\.fuse-overlayfs)$/;

/** Null where nothing can be written. */
export function diskFacts(data: string): MachineFacts["disk"] | null {
  const folder = nearest(data);
  if (!isWritable(folder)) return null;
  const kind = kindOf(folder);
  const is =
    kind === "unknown"
      ? kind
      : networks.test(kind)
        ? "network"
        : memories.test(kind)
          ? "memory"
          : overlays.test(kind)
            ? "overlay"
            : "local";
  return { path: folder, kind, is, syncUs: syncUs(folder) };
}

/** The mount that has the folder: the longest of the mount points above it (proc_pid_mountinfo(5)). */
function kindOf(folder: string): string {
  const path = resolve(folder);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const point = before
        .split(" ")[4]
        ?.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
      const kind = after.split(" ")[0];
      return point !== undefined && kind !== undefined && isBelow(path, point) ? [{ point, kind }] : [];
    });
  // Of several at one place the last one is seen.
  return mounts.toSorted((a, b) => a.point.length - b.point.length).at(-1)?.kind ?? "unknown";
}

function isBelow(path: string, point: string): boolean {
  return point === "/" || path === point || path.startsWith(`${point}/`);
}

/** The folder, or the one above it that is there. */
export function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path));
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false; // That is the answer.
  }
}

/** Of real ones, in a folder that is gone afterwards. */
function syncUs(folder: string): number {
  const own = mkdtempSync(join(folder, ".waybill-doctor-"));
  try {
    const fd = openSync(join(own, "sync"), "w");
    const page = Buffer.alloc(pageBytes, 1);
    const times = Array.from({ length: syncs }, () => {
      const since = performance.now();
      writeSync(fd, page);
      fdatasyncSync(fd);
      return (performance.now() - since) * 1_000;
    });
    closeSync(fd);
    return Math.round(times.toSorted((a, b) => a - b)[syncs / 2] ?? 0);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

export function spaceFacts(data: string, reserveBytes: number): MachineFacts["space"] {
  const { bavail, bsize, files, ffree } = statfsSync(nearest(data));
  return { freeBytes: bavail * bsize, reserveBytes, inodes: files === 0 ? null : { free: ffree, all: files } };
}
