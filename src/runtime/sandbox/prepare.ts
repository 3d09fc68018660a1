/** What the agent prepares of a replica's sandbox: its Space's user and folder, its groups; and how it is measured that a sandbox works here. */
import { createHash } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SpaceOnDisk } from "../../contract/agent.ts";
import { removeFolder } from "../../record/remove-folder.ts";
import { Turns } from "../../stdx/turns.ts";
import { layerName } from "../folder.ts";
import type { DiskLimits, DiskPlan, DriverFile, LaunchPlan, SandboxLimits, SandboxPlan } from "../folder.ts";
import { cgroupsHere, makeCgroups, noCgroups, type CgroupsHere } from "./cgroups.ts";
import { usersOfImages } from "./stage.ts";
import { crunPrograms } from "./crun.ts";
import { trySandbox, tryVolume } from "./try.ts";
import type { Volume } from "./volume.ts";
import type { SandboxDriver } from "./way.ts";

/** Users of Spaces: far above those of people and of distributions' containers, below what 32-bit tools take for negative. */
const firstUid = 2_000_000_000;
const uidsMax = 65_536;
/** Beside the folders of Spaces, whose names have an owner. */
const layersName = "layers";
/** Above them, so many users for each owner's image builds; the last of them is below what 32-bit tools take for negative. */
const firstOfRanges = firstUid + 2 * uidsMax;
/** Whom a shim that is started in advance may become, and by whom it is counted: those between Spaces' users and ranges are nobody else. */
export const usersOfSpares = {
  spaces: { first: firstUid, count: uidsMax + 1 },
  counted: { first: firstUid + uidsMax + 1, count: uidsMax - 1 },
} as const;
const rangesMax = Math.floor((2 ** 31 - 1 - firstOfRanges) / usersOfImages);
const packages = "iproute2 nftables util-linux uidmap";
/** The order is that in which they are taken: bubblewrap is smaller, and most tried. */
const drivers = {
  bubblewrap: { programs: { bwrap: ["/usr/bin/bwrap"] }, packages: "bubblewrap" },
  crun: { programs: crunPrograms, packages: "crun catatonit" },
} as const satisfies Record<SandboxDriver, { programs: Record<string, readonly string[]>; packages: string }>;
const programs = {
  unshare: ["/usr/bin/unshare"],
  prlimit: ["/usr/bin/prlimit"],
  setpriv: ["/usr/bin/setpriv"],
  ip: ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"],
} as const;

export interface SandboxHere {
  /** Which one works; of several, the first in order. */
  readonly driver: SandboxDriver;
  /** Spaces can have users of their own: the agent is root, and of a user namespace that has those users. */
  readonly isRoot: boolean;
  readonly cgroups: CgroupsHere;
  /** Why file systems of a fixed size cannot be had; null where they can. */
  readonly noVolumes: string | null;
  readonly problems: readonly string[];
}

/** Tries whether a sandbox can be made here at all, by `wanted` or the first that can; `problems` name what is missing and what to install. */
export async function sandboxHere(wanted: SandboxDriver | "best" = "best"): Promise<SandboxHere> {
  const isRoot = process.getuid?.() === 0 && hasUsers(read("/proc/self/uid_map"));
  const tried = wanted === "best" ? (["bubblewrap", "crun"] as const) : ([wanted] as const);
  const problems: string[] = [];
  const found = { isRoot, noVolumes: isRoot ? await tryVolume(firstUid) : "the agent is not root" };
  for (const driver of tried) {
    const problem = await problemOf(driver, isRoot ? firstUid : null);
    if (problem === null) return { ...found, driver, cgroups: isRoot ? cgroupsHere() : noCgroups, problems: [] };
    problems.push(problem);
  }
  return { ...found, driver: tried[0], cgroups: noCgroups, problems: [...new Set(problems)] };
}

async function problemOf(driver: SandboxDriver, hostUid: number | null): Promise<string | null> {
  if (process.platform !== "linux") return "sandboxes need Linux";
  const install = `apt-get install ${drivers[driver].packages} ${packages}`;
  const missing = Object.entries<readonly string[]>({ ...drivers[driver].programs, ...programs })
    .filter(([, paths]) => !paths.some((path) => existsSync(path)))
    .map(([name]) => name);
  if (missing.length > 0) return `by ${driver}: ${missing.join(", ")} not found; on Debian: ${install}`;
  const said = await trySandbox(driver, hostUid);
  return said === null
    ? null
    : `by ${driver}: a sandbox cannot be made here: ${said}; what it needs, on Debian: ${install}`;
}

/** Whether a user namespace has all users of Spaces: in a container of an ordinary user root has some 65,000, and none so high. */
export function hasUsers(uidMap: string): boolean {
  return uidMap.split("\n").some((line) => {
    const [first = NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return first <= firstUid && first + count > firstUid + uidsMax;
  });
}

export interface Spaces {
  /** The Space's user, always the same on this node; null where the agent has no other than its own. */
  uidOf(space: string): number | null;
  /** The first of the {@link usersOfImages} users whom an owner's image builds are, and no other's; null as for `uidOf`. */
  rangeOf(owner: string): number | null;
  /** Its folder that outlives replicas, made and owned. */
  dataOf(space: string): string;
  /**
   * Before its folder is asked for: what an earlier Space of that name left goes, where its node was away when that was deleted. Rejects
   * where a later one has the folder.
   */
  begin(kept: SpaceOnDisk): Promise<void>;
  /** Spaces that have such a folder. */
  all(): readonly SpaceOnDisk[];
  /** Takes the folder of a Space off the disk; not that of one made at another time. */
  remove(kept: SpaceOnDisk): Promise<void>;
  /** Removes what a stop left of what was being removed; before anything is. */
  tidy(): Promise<void>;
  /**
   * Where the file system of a replica's layer is, by the name of its folder: root makes and mounts it by its path, so it lies where
   * nobody else may put something in its place. It is there until the replica has ended.
   */
  layerOf(folder: string): string;
}

/** Users and folders of Spaces under `folder`. A Space keeps both for its life: its files belong to that user. */
export function spaceFolders(folder: string, isRoot: boolean): Spaces {
  const numberOfSpace = numbers(folder, "users.json", uidsMax);
  const numberOfRange = numbers(folder, "ranges.json", rangesMax);
  const uidOf = (space: string): number | null => (isRoot ? firstUid + numberOfSpace(space) : null);
  /** Of two replicas that start at once the second finds the first one's folder. */
  const turns = new Turns();
  const inTurn = (space: string, work: (kept: string) => Promise<void>): Promise<void> =>
    turns.take(space, () => work(join(folder, encodeURIComponent(space))));
  /** It is out of the way at once: what a crash leaves of it belongs to no Space. */
  const removeWhole = async (kept: string): Promise<void> => {
    const gone = join(folder, goneName, basename(kept));
    await removeFolder(gone);
    mkdirSync(dirname(gone), { recursive: true, mode: 0o700 });
    renameSync(kept, gone);
    await removeFolder(gone);
  };
  return {
    uidOf,
    rangeOf: (owner) => (isRoot ? firstOfRanges + (numberOfRange(owner) - 1) * usersOfImages : null),
    begin: ({ space, madeAt }) =>
      inTurn(space, async (kept) => {
        const before = madeAtOf(kept);
        if (madeAt === null || before === madeAt) return;
        // A replica of one that is deleted, which is started again before this node hears of it: what is here is another's.
        if (before !== null && before > madeAt)
          throw new Error(`${space} was made again since: what this replica kept is gone`);
        if (before !== null) await removeWhole(kept);
        mkdirSync(kept, { recursive: true, mode: 0o755 });
        writeMadeAt(kept, madeAt);
      }),
    dataOf(space) {
      const data = join(folder, encodeURIComponent(space), "data");
      mkdirSync(dirname(data), { recursive: true, mode: 0o755 });
      mkdirSync(data, { recursive: true, mode: 0o700 });
      const uid = uidOf(space);
      if (uid !== null) chownSync(data, uid, uid);
      return data;
    },
    all: () => spacesIn(folder).map((space) => ({ space, madeAt: madeAtOf(join(folder, encodeURIComponent(space))) })),
    remove: ({ space, madeAt }) =>
      inTurn(space, async (kept) => {
        if (existsSync(kept) && madeAtOf(kept) === madeAt) await removeWhole(kept);
      }),
    tidy: () => removeFolder(join(folder, goneName)),
    layerOf(replica) {
      const layers = join(folder, layersName);
      mkdirSync(layers, { recursive: true, mode: 0o700 });
      return join(layers, `${basename(replica)}.ext4`);
    },
  };
}

const madeAtName = "made-at";
/** Beside the folders of Spaces: what is being removed of them. */
const goneName = "gone";

/** Null where a version that did not say made it, or where there is none. */
function madeAtOf(kept: string): number | null {
  const file = join(kept, madeAtName);
  const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function writeMadeAt(kept: string, madeAt: number): void {
  const file = join(kept, madeAtName);
  writeFileSync(`${file}.new`, `${madeAt}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

/** Folders are called by their Spaces' names, as an address writes them: beside them lie files, and what is no Space's. */
function spacesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^[^%]+%2F[^%]+$/.test(entry.name))
    .map(({ name }) => decodeURIComponent(name));
}

/** Gives each name a number from 1 to `max`, the same for ever: they are kept in a file of the folder. */
function numbers(folder: string, name: string, max: number): (of: string) => number {
  const file = join(folder, name);
  const known = new Map<string, number>(
    existsSync(file) ? Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, number>) : [],
  );
  // Two platforms on one machine know nothing of each other, so they do not begin with the same.
  const first = createHash("sha256").update(folder).digest().readUInt16BE(0);
  return (of) => {
    const found = known.get(of);
    if (found !== undefined) return found;
    if (known.size >= max)
      throw new RangeError(`this node has given ${max} numbers in ${file} and has none left for ${of}`);
    const number = ((first + known.size) % max) + 1;
    known.set(of, number);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(known)), { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    return number;
  };
}

/** What a node gives a replica's sandbox. */
export interface Given {
  readonly driver: SandboxDriver;
  readonly spaces: Spaces;
  readonly cgroups: CgroupsHere;
  readonly limits: SandboxLimits;
  readonly disk: DiskLimits;
  /** File systems of a fixed size can be had. */
  readonly volumes: boolean;
  readonly ports: readonly number[];
  /** Device nodes for a replica that may borrow GPUs, as they are when it is started: the driver makes some at their first use. */
  cardNodes(): readonly string[];
  /** What an image's app needs of the driver of those cards; absent: the node has none. */
  readonly driverFiles?: readonly DriverFile[];
}

/** Its Space's /data is in a file that cannot be mounted here. */
export class DataUnreachable extends Error {
  override readonly name = "DataUnreachable";
  readonly code = "runtime/disk-failed";
}

/**
 * The plan of the sandbox of the replica whose folder this is. `isUsed`: a replica of the Space has its data folder as it is, of a
 * version that made no file system for it. Throws {@link DataUnreachable}.
 */
export function planSandbox(
  { folder, spec: { replica, space, gpu }, release }: Pick<LaunchPlan, "folder" | "spec" | "release">,
  node: Given,
  isUsed: () => boolean = () => false,
): SandboxPlan {
  const hostUid = node.spaces.uidOf(space);
  const dataFolder = node.spaces.dataOf(space);
  return {
    driver: node.driver,
    hostUid,
    cgroups: hostUid === null ? null : makeCgroups(replica, hostUid, node.limits, node.cgroups),
    limits: node.limits,
    ports: node.ports,
    dataFolder,
    disk: diskPlan({ folder, dataFolder, uid: hostUid, isUsed }, node),
    devices: gpu === false ? [] : node.cardNodes(),
    ...(gpu !== false && release.image !== undefined && node.driverFiles && { driverFiles: node.driverFiles }),
  };
}

function diskPlan(
  of: { readonly folder: string; readonly dataFolder: string; readonly uid: number | null; isUsed(): boolean },
  { disk: { dataBytes, layerBytes, reserveBytes }, volumes, spaces }: Given,
): DiskPlan {
  const { folder, dataFolder, uid } = of;
  const image = `${dataFolder}.ext4`;
  const isMade = existsSync(image);
  if (uid === null || !volumes) {
    if (isMade) throw new DataUnreachable(`its /data is in the file system ${image}, and this node can mount none`);
    putBack(dataFolder);
    return { data: { bytes: dataBytes, volume: null }, layer: { bytes: layerBytes, volume: null }, reserveBytes };
  }
  const data: Volume = { image, at: dataFolder, bytes: dataBytes, uid, lasts: true, reserveBytes };
  const at = join(folder, layerName);
  const layer: Volume = { image: spaces.layerOf(folder), at, bytes: layerBytes, uid, lasts: false, reserveBytes };
  return {
    data: { bytes: dataBytes, volume: isMade || !of.isUsed() ? data : null },
    layer: { bytes: layerBytes, volume: layer },
    reserveBytes,
  };
}

/** A move into a file system that a crash cut off, on a node that can mount none any more: its folder is all there is. */
function putBack(dataFolder: string): void {
  const moved = `${dataFolder}.moved`;
  if (!existsSync(moved)) return;
  rmdirSync(dataFolder);
  renameSync(moved, dataFolder);
}

/** Device nodes of this machine's cards, and of the driver that opens them: who may use a card and when is the lease's affair. */
export function cardNodes(folder = "/dev"): readonly string[] {
  return readdirSync(folder)
    .filter((name) => cardNode.test(name))
    .map((name) => join(folder, name));
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

const cardNode = /^nvidia(?:\d+|ctl|-uvm|-uvm-tools|-modeset|-caps)$/;
