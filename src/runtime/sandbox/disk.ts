/**
 * What a sandboxed app writes. Where a place has a size of its own the file system refuses what is beyond it, and its owner is told
 * before; where the disk is the machine's, what was written is counted, and an app that has more than it may is ended.
 */
import { closeSync, openSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { Facts } from "../../evidence/entry.ts";
import { layerName, type SandboxLimits, type StoredPlan } from "../folder.ts";

/** Counts what is below folders while it grows; `main` plugs it in. */
export type WatchFolders = (options: {
  readonly folders: readonly string[];
  readonly limitBytes: number;
  /** Told once, with what was counted. */
  readonly onOver: (bytes: number) => void;
  readonly onError: (error: unknown) => void;
}) => Disposable;

export interface DiskWatch {
  /** What is wrong, as it is now: null where nothing is full, nor was ended for it. */
  trouble(): DiskTrouble | null;
  close(): void;
}

export interface DiskTrouble {
  /** Sentences for its owner: which place, how much, and how to have more. */
  readonly says: string;
  /** The platform ended the app for it. */
  readonly ended: boolean;
}

export interface WatchedDisk {
  readonly plan: StoredPlan;
  /** The sandbox's pid 1, as the host numbers it. */
  readonly pid1: number;
  readonly watchFolders: WatchFolders;
  /** A line for its owner. */
  note(text: string): void;
  /** A place is about to be full. */
  tell(facts: Facts): void;
  /** Ends all of it. */
  end(): void;
}

const lookEveryMs = 1_000;
/** Told at this share of a place's bytes or of its files, and again only when it was below the other one meanwhile. */
const tellAtShare = 0.95;
const tellAgainBelowShare = 0.9;
/** A file system keeps a little back for itself: nothing more goes in from here on. */
const fullAtShare = 0.99;
const mib = 1 << 20;

export function watchDisk(watched: WatchedDisk): DiskWatch {
  const { plan, pid1, note, tell, end } = watched;
  const sized = sizedPlaces(plan, pid1);
  let over: string | undefined;
  const timer = setInterval(() => {
    for (const place of sized) {
      const found = place.look();
      if (found.share < tellAgainBelowShare) place.isTold = false;
      if (found.share < tellAtShare || place.isTold) continue;
      place.isTold = true;
      note(saysFull(place, found));
      tell({ place: place.name, usedBytes: found.usedBytes, sizeBytes: found.sizeBytes, share: found.share });
    }
  }, lookEveryMs);
  const counts = countedPlaces(plan).map(({ name, folder, bytes, more }) =>
    watched.watchFolders({
      folders: [folder],
      limitBytes: bytes,
      onOver: (found) => {
        over ??= `It has written ${sizeOf(found)} to ${name}, where ${sizeOf(bytes)} may be. ${more}`;
        note(`${over} The platform ends it.`);
        tell({ place: name, usedBytes: found, sizeBytes: bytes, share: found / bytes });
        end();
      },
      onError: (error) => note(`what it writes to ${name} could not be counted: ${String(error)}`),
    }),
  );
  return {
    trouble() {
      if (over !== undefined) return { says: over, ended: true };
      const full = sized.flatMap((place) => {
        const found = place.look();
        return found.share < fullAtShare ? [] : [saysFull(place, found)];
      });
      return full.length === 0 ? null : { says: full.join(" "), ended: false };
    },
    close() {
      clearInterval(timer);
      for (const place of sized) place.close();
      for (const count of counts) count[Symbol.dispose]();
    },
  };
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
  readonly #path: string;
  /** Told apart from what is at the path before the sandbox is made; null: it is there already. */
  readonly #bytes: number | null;
  #fd: number | undefined;

  constructor(name: string, more: string, path: string, bytes: number | null) {
    this.name = name;
    this.more = more;
    this.#path = path;
    this.#bytes = bytes;
  }

  look(): Found {
    if (this.#fd === undefined) {
      const found = foundAt(this.#path);
      if (this.#bytes !== null && found.sizeBytes !== this.#bytes) return nothing;
      try {
        this.#fd = openSync(this.#path, "r");
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
  "Delete what is not needed there; the operator gives more with WAYBILL_APP_DATA_MB, from the app's next start on.";
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
