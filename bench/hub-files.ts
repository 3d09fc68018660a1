/** The files that move: of random bytes, which nothing packs. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const pieceBytes = 1 << 20;
/** Of many files, in each folder. */
export const folderFiles = 100;

/** Writes a file of its own; gives its SHA-256. */
export function writeLarge(path: string, bytes: number): string {
  const hash = createHash("sha256");
  const fd = openSync(path, "w");
  for (let at = 0; at < bytes; at += pieceBytes) {
    const piece = randomBytes(Math.min(pieceBytes, bytes - at));
    hash.update(piece);
    writeSync(fd, piece);
  }
  closeSync(fd);
  return hash.digest("hex");
}

/** Other bytes in so many places, `share` of the file all together. */
export function change(path: string, share: number, places: number): void {
  const { size } = statSync(path);
  const each = Math.round((size * share) / places);
  const fd = openSync(path, "r+");
  for (let n = 0; n < places; n++) writeSync(fd, randomBytes(each), 0, each, Math.floor((size * (n + 0.5)) / places));
  closeSync(fd);
}

/** A folder of files in folders of a hundred. `ending`: `.bin` for those that go as large ones, by the rules of a new repository. */
export function writeMany(folder: string, count: number, bytes: number, ending: string): void {
  for (let n = 0; n < count; n++) {
    const part = join(folder, `part-${String(Math.floor(n / folderFiles)).padStart(4, "0")}`);
    if (n % folderFiles === 0) mkdirSync(part, { recursive: true });
    writeFileSync(join(part, `${String(n).padStart(6, "0")}${ending}`), randomBytes(bytes));
  }
}

/** Of all files in a folder. */
export function bytesIn(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  return sum;
}

export function removed(...paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}
