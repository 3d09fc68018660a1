/**
 * What a sandboxed app writes. Where a place has a size of its own the file system refuses what is beyond it, and its owner is told
 * before; where the disk is the machine's, what was written is counted, and an app that has more than it may is ended.
 */
import { execFile } from "node:child_process";
import { closeSync, fstatSync, openSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Facts } from "../../evidence/entry.ts";
import { layerName, type SandboxLimits, type StoredPlan } from "../folder.ts";

/** Counts what is below folders, now and while it grows; resolves when it has counted once. `main` plugs it in. */
export type WatchFolders = (options: {
  readonly folders: readonly string[];
  readonly limitBytes: number;
  /** Told once, with what was counted. */
  readonly onOver: (bytes: number) => void;
  readonly onError: (error: unknown) => void;
}) => Promise<Disposable>;

export interface DiskWatch {
  /** The app is there: `pid1` is the sandbox's, as the host numbers it, and `end` ends all of it. */
  begin(pid1: number, end: () => void): void;
  /** What is wrong, as it is now: null where nothing is full, nor was ended for it. */
  trouble(): DiskTrouble | null;
  close(): void;
}

export interface DiskTrouble {
  /** Sentences for its owner: which place, how much, and how to have more. */
  readonly says: string;
  /** The platform ended the app for it. */
  readonly ended: boolean;
  readonly code: "app/disk-full" | "runtime/disk-low";
}

export interface WatchedDisk {
  readonly plan: StoredPlan;
  /** The files of its file systems, open. */
  readonly images: readonly number[];
  readonly watchFolders: WatchFolders;
  /** A line for its owner. */
  note(text: string): void;
  /** A place is about to be full. */
  tell(facts: Facts): void;
}

/** A fast disk takes a gigabyte in that time: less than what is kept free of it. */
const lookEveryMs = 500;
const fastBytesPerMs = (1 << 30) / lookEveryMs;
/** While there is so much room that nothing can happen before the next look, and at the most for what is only told. */
const lookEveryMaxMs = 2_000;
/** Some hundred megabytes at a slow disk's pace. */
const writeOutWithinMs = 10_000;
/** What an app may write without being one that goes on writing: its caches, and what the file system itself needs. */
const littleBytes = 16 << 20;
/**
 * Told at this share of a place's bytes or of its files, and again only when it was below the other one meanwhile. A file system keeps
 * a little back for itself, so one that refuses more need not have a share of 1.
 */
const tellAtShare = 0.95;
const tellAgainBelowShare = 0.9;
const mib = 1 << 20;
/** What `st_blocks` counts in, whatever the file system's own blocks are (stat(2)). */
const statBlockBytes = 512;

/** Resolves when it is known what was there before the app begins to write. */
export async function watchDisk(watched: WatchedDisk): Promise<DiskWatch> {
  const { plan, note, tell } = watched;
  let sized: readonly Place[] = [];
  let timer: NodeJS.Timeout | undefined;
  let end = (): void => undefined;
  let ended: DiskTrouble | undefined;
  const stop = (code: DiskTrouble["code"], says: string, facts: Facts): void => {
    if (ended !== undefined) return;
    ended = { says, ended: true, code };
    note(`${says} The platform ends it.`);
    tell(facts);
    end();
  };
  /** Gives the bytes that can be written before anything is to be done. */
  const look = (reserve: ReturnType<typeof reserveLook>): number => {
    const { low, roomBytes } = reserve();
    let room = roomBytes;
    if (low !== null) stop("runtime/disk-low", low.says, { place: "the node's disk", ...low.facts });
    for (const place of sized) {
      const found = place.look();
      if (place.isOnDisk && !place.isTold) room = Math.min(room, found.sizeBytes * tellAtShare - found.usedBytes);
      if (found.share < tellAgainBelowShare) place.isTold = false;
      if (found.share < tellAtShare || place.isTold) continue;
      place.isTold = true;
      note(saysFull(place, found));
      tell({ place: place.name, usedBytes: found.usedBytes, sizeBytes: found.sizeBytes, share: found.share });
    }
    return room;
  };
  const counting = countedPlaces(plan).map(({ name, folder, bytes, more }) =>
    watched.watchFolders({
      folders: [folder],
      limitBytes: bytes,
      onOver: (found) => {
        const facts = { place: name, usedBytes: found, sizeBytes: bytes, share: found / bytes };
        stop(
          "app/disk-full",
          `It has written ${sizeOf(found)} to ${name}, where ${sizeOf(bytes)} may be. ${more}`,
          facts,
        );
      },
      onError: (error) => note(`what it writes to ${name} could not be counted: ${String(error)}`),
    }),
  );
  const counts = await Promise.all(counting);
  return {
    begin(pid1, ends) {
      end = ends;
      sized = sizedPlaces(plan, pid1);
      const reserve = reserveLook(plan, sized, watched.images);
      const lookAgain = (ms: number): void => {
        timer = setTimeout(() => {
          const ms = look(reserve) / fastBytesPerMs;
          if (ended === undefined) lookAgain(Math.min(Math.max(ms, lookEveryMs), lookEveryMaxMs));
        }, ms);
      };
      lookAgain(lookEveryMs);
    },
    trouble() {
      if (ended !== undefined) return ended;
      const full = sized.flatMap((place) => {
        const found = place.look();
        return found.share < tellAtShare ? [] : [saysFull(place, found)];
      });
      return full.length === 0 ? null : { says: full.join(" "), ended: false, code: "app/disk-full" };
    },
    close() {
      clearTimeout(timer);
      for (const place of sized) place.close();
      for (const count of counts) count[Symbol.dispose]();
    },
  };
}

/**
 * Says what is wrong when the machine's disk has less left than it keeps free, and this app's file systems grow: by their own counts,
 * which are ahead of what they have written; or by the blocks of their files, for what an app writes into blocks that it had beforehand.
 */
function reserveLook({ folder, sandbox }: StoredPlan, sized: readonly Place[], files: readonly number[]) {
  const reserveBytes = sandbox?.disk?.reserveBytes ?? 0;
  const onDisk = sized.filter(({ isOnDisk }) => isOnDisk);
  const used = (): number => onDisk.reduce((sum, place) => sum + place.look().usedBytes, 0);
  const given = (): number => files.reduce((sum, fd) => sum + fstatSync(fd).blocks * statBlockBytes, 0);
  let usedBefore: number | undefined;
  let givenBefore: number | undefined;
  let writingOut: Promise<void> | undefined;
  return (): { readonly low: { readonly says: string; readonly facts: Facts } | null; readonly roomBytes: number } => {
    if (reserveBytes === 0 || onDisk.length === 0) return { low: null, roomBytes: Infinity };
    const { bavail, bsize } = statfsSync(folder);
    const freeBytes = bavail * bsize;
    if (freeBytes >= reserveBytes) usedBefore = givenBefore = writingOut = undefined;
    usedBefore ??= used();
    const roomBytes = freeBytes - reserveBytes;
    if (roomBytes >= 0) return { low: null, roomBytes };
    // What it wrote while there was room is not counted when it reaches the disk.
    writingOut ??= writeOut(onDisk).then(() => void (givenBefore = given()));
    const writtenBytes = Math.max(used() - usedBefore, given() - (givenBefore ?? Infinity));
    if (writtenBytes <= littleBytes) return { low: null, roomBytes };
    const says = `The node's disk has ${sizeOf(freeBytes)} left, where ${sizeOf(reserveBytes)} are to stay free, and the app goes on writing.`;
    return { low: { says, facts: { freeBytes, reserveBytes, writtenBytes } }, roomBytes };
  };
}

/** Resolves when what these file systems hold in memory is in their files, or could not be written in time: then it counts when it is. */
async function writeOut(places: readonly Place[]): Promise<void> {
  const options = { timeout: writeOutWithinMs, killSignal: "SIGKILL" } as const;
  await Promise.allSettled(places.map(({ path }) => promisify(execFile)("sync", ["--file-system", path], options)));
}

interface Found {
  readonly usedBytes: number;
  readonly sizeBytes: number;
  /** Of its bytes, or of the files that it can hold, whichever is more. */
  readonly share: number;
}

const nothing: Found = { usedBytes: 0, sizeBytes: 0, share: 0 };

function saysFull({ name, more }: Place, { usedBytes, sizeBytes, share }: Found): string {
  const files = usedBytes / sizeBytes < tellAtShare ? " (by the number of its files)" : "";
  return `${name} is ${Math.floor(share * 100)} % full${files}, with ${sizeOf(usedBytes)} of ${sizeOf(sizeBytes)}: what is beyond that is refused, as ENOSPC ("No space left on device"). ${more}`;
}

/** A place with a size; held open, so that it can be looked at when the app has just ended. */
class Place {
  readonly name: string;
  readonly more: string;
  isTold = false;
  /** Not in memory. */
  get isOnDisk(): boolean {
    return this.#bytes === null;
  }
  readonly path: string;
  /** Told apart from what is at the path before the sandbox is made; null: it is there already. */
  readonly #bytes: number | null;
  #fd: number | undefined;

  constructor(name: string, more: string, path: string, bytes: number | null) {
    this.name = name;
    this.more = more;
    this.path = path;
    this.#bytes = bytes;
  }

  look(): Found {
    if (this.#fd === undefined) {
      const found = foundAt(this.path);
      if (this.#bytes !== null && found.sizeBytes !== this.#bytes) return nothing;
      try {
        this.#fd = openSync(this.path, "r");
      } catch {
        return nothing; // The app has ended, or has no such place.
      }
    }
    return foundAt(`/proc/self/fd/${this.#fd}`);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function foundAt(path: string): Found {
  try {
    const { blocks, bavail, bsize, files, ffree } = statfsSync(path);
    if (blocks === 0) return nothing;
    const share = Math.max(1 - bavail / blocks, files === 0 ? 0 : 1 - ffree / files);
    return { usedBytes: (blocks - bavail) * bsize, sizeBytes: blocks * bsize, share };
  } catch {
    return nothing; // The app has ended, or has no such place.
  }
}

const moreData =
  "Delete what is not needed there; the operator gives more with WAYBILL_APP_DATA_MB, which counts at a replica's next start, in some containers once the app was stopped and is started again.";
const moreLayer =
  "It is empty again when the app is started again; the operator gives more with WAYBILL_APP_DISK_MB, from then on.";
const moreMemory = "That place is in memory and is no larger: write to /data what is large.";

function sizedPlaces(plan: StoredPlan, pid1: number): readonly Place[] {
  const { sandbox, folder, release } = plan;
  const inside = (path: string, size: keyof SandboxLimits): Place[] => {
    const bytes = sandbox?.limits[size];
    return bytes === undefined ? [] : [new Place(path, moreMemory, `/proc/${pid1}/root${path}`, bytes)];
  };
  return [
    ...(sandbox?.disk?.data.volume ? [new Place("/data", moreData, sandbox.dataFolder, null)] : []),
    ...(sandbox?.disk?.layer.volume ? [new Place(layerSays(plan), moreLayer, join(folder, layerName), null)] : []),
    ...inside("/tmp", "tmpBytes"),
    ...inside("/dev/shm", "shmBytes"),
    ...(release.image === undefined ? inside("/home/app", "homeBytes") : []),
  ];
}

function countedPlaces(plan: StoredPlan) {
  const { sandbox, folder } = plan;
  if (!sandbox?.disk) return [];
  const { data, layer } = sandbox.disk;
  return [
    { name: "/data", folder: sandbox.dataFolder, more: moreData, ...data },
    { name: layerSays(plan), folder: join(folder, layerName), more: moreLayer, ...layer },
  ].filter(({ volume }) => volume === null);
}

const layerSays = ({ release }: StoredPlan): string =>
  release.image === undefined ? "the disk of /app and /scratch" : "the disk of the image's folders";

function sizeOf(bytes: number): string {
  return bytes < 10 * 1024 * mib ? `${Math.round(bytes / mib)} MiB` : `${(bytes / mib / 1024).toFixed(1)} GiB`;
}
