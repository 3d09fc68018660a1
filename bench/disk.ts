/** The disk that benchmarks stand on, and the database alone on it. */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkpointPages } from "../src/journal/checkpointing.ts";
import { median } from "./document.ts";

/** In the clone, not in the system's temporary folder: that is often memory, where a sync costs nothing. */
export function scratch(bench: string): string {
  const cache = join(import.meta.dirname, "..", ".cache");
  mkdirSync(cache, { recursive: true });
  return mkdtempSync(join(cache, `bench-${bench}-`));
}

export function fdatasyncUs(folder: string): number {
  const fd = openSync(join(folder, "sync"), "w");
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 200 }, () => {
    const startedAt = performance.now();
    writeSync(fd, page);
    fdatasyncSync(fd);
    return (performance.now() - startedAt) * 1000;
  });
  closeSync(fd);
  return Math.round(median(times));
}

/** By the number that the kernel gives each kind (statfs(2)). */
export function fileSystemOf(folder: string): string {
  const type = statfsSync(folder).type;
  const names: Readonly<Record<number, string>> = {
    0xef53: "ext2, ext3 or ext4",
    0x01021994: "tmpfs (memory: a sync costs nothing)",
    0x9123683e: "btrfs",
    0x58465342: "xfs",
    0x794c7630: "overlayfs",
    0x2fc12fc1: "zfs",
  };
  return names[type] ?? `0x${type.toString(16)}`;
}

/** As durable as our journal is, and with as many pages between the log and the file. */
export function rawDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA wal_autocheckpoint = ${checkpointPages}; CREATE TABLE j (i INTEGER PRIMARY KEY, b BLOB NOT NULL)`);
  return db;
}
