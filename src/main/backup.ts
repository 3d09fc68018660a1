/**
 * `waybill backup`: the running platform in a folder of its own. In this order, so that what is copied later holds all that what
 * was copied before speaks of: the journal with the catalog, the emitters' spools, the evidence store, build logs, repositories,
 * large files.
 * The list of files with their digests is written last: a folder without it is no backup.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, realpath, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import type { BackupView } from "../contract/api.ts";
import type { BackupProgress } from "../control/backups.ts";
import { BackupFailed, databaseName, SqliteJournal } from "../journal/index.ts";
import type { Journal } from "../journal/index.ts";
import { iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";

export interface BackupSource {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly version: string;
  /** The data folder. */
  readonly data: string;
  readonly secretsKeyFile: string;
  /** Brings what the emitters have written into the evidence store. */
  flush(): Promise<void>;
}

/** A backup's list of what is in it. */
export interface Manifest {
  readonly v: 1;
  readonly madeAt: string;
  /** Of the Waybill that made it. */
  readonly version: string;
  readonly journal: { readonly index: number; readonly hash: string };
  /** Paths from the backup's folder, with the sha256 of each file. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

export const manifestName = "backup.json";

/** git packs loose objects away while they are listed; who has not got a whole list after so many has no quiet disk. */
const passesMax = 5;
/** All pages at once, from one instant: evidence is written by a connection of its own, which goes on meanwhile. */
const allPages = 2 ** 31 - 1;

/** Rejects with `BackupFailed` where the folder is there already, lies in the data folder, or can't be written. */
export async function makeBackup(source: BackupSource, named: string, progress: BackupProgress): Promise<BackupView> {
  const folder = resolve(named);
  if (!(source.journal instanceof SqliteJournal))
    throw new BackupFailed(folder, "the journal is in PostgreSQL, whose own tools back it up (pg_basebackup, pg_dump)");
  try {
    await makeFolder(source.data, folder);
    progress.begin("the journal");
    await source.flush();
    progress.writing(join(folder, databaseName));
    const journal = await source.journal.backup(folder);
    progress.done((await stat(join(folder, databaseName))).size);
    progress.begin("the evidence");
    await copyTree(join(source.data, "spool"), join(folder, "spool"), progress);
    await copyEvidence(source.data, folder, progress);
    progress.begin("the builds' logs");
    await copyTree(join(source.data, "builds"), join(folder, "builds"), progress);
    progress.begin("the repositories");
    await copyRepositories(source.data, folder, progress);
    progress.begin("the large files");
    // Last: all that a copied repository notes is stored by now.
    await copyTree(
      join(source.data, "blobs"),
      join(folder, "blobs"),
      progress,
      (path) => !path.startsWith("incoming/"),
    );
    progress.begin("checking what was copied");
    const madeAt = iso(source.clock.wall());
    const files = await listOf(folder, progress);
    const manifest: Manifest = { v: 1, madeAt, version: source.version, journal, files };
    await writeFile(join(folder, manifestName), `${JSON.stringify(manifest)}\n`, { mode: 0o600, flush: true });
    await syncFolders([folder, dirname(folder)]);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    const { secretsKeyFile } = source;
    return { folder, madeAt, journal, files: manifest.files.length, bytes, secretsKeyFile };
  } catch (error) {
    if (error instanceof BackupFailed) throw error;
    const why = `${(error as Error).message}. Remove what was made of it, and look at its disk`;
    throw new BackupFailed(folder, why, { cause: error });
  }
}

async function makeFolder(data: string, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    throw new BackupFailed(folder, "it is there already; name a folder that is not");
  });
  const [inside, outside] = [await realpath(folder), await realpath(data)];
  if (!`${inside}${sep}`.startsWith(`${outside}${sep}`)) return;
  await rmdir(folder);
  throw new BackupFailed(folder, `it lies in the data folder ${data}, which it is to outlive`);
}

async function copyEvidence(data: string, folder: string, progress: BackupProgress): Promise<void> {
  const file = join(folder, "evidence.db");
  progress.writing(file);
  await writeFile(file, "", { mode: 0o600 });
  using evidence = new DatabaseSync(join(data, "evidence.db"), { readOnly: true });
  await backup(evidence, file, { rate: allPages });
  progress.done((await stat(file)).size);
}

/** What names objects (references) before the objects: all that a copied reference names is copied then. */
async function copyRepositories(data: string, folder: string, progress: BackupProgress): Promise<void> {
  const [from, to] = [join(data, "repositories"), join(folder, "repositories")];
  const isObject = (path: string): boolean => /\.git\/(objects|lfs)\//.test(path);
  const isPacked = (path: string): boolean => path.endsWith(".git/packed-refs");
  await copyTree(from, to, progress, (path) => !isObject(path) && !isPacked(path));
  // After the loose ones: what git packed away meanwhile is in it.
  await copyTree(from, to, progress, isPacked);
  for (let pass = 1; (await copyTree(from, to, progress, isObject)) > 0; pass++) {
    if (pass === passesMax) throw new Error(`the repositories did not hold still in ${passesMax} passes`);
  }
}

/** Copies files that are not there yet, each synced; gives how many went away meanwhile. `wanted`: of paths below `from`. */
async function copyTree(
  from: string,
  to: string,
  progress: BackupProgress,
  wanted: (path: string) => boolean = () => true,
): Promise<number> {
  let gone = 0;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const within = relative(from, path);
    const target = join(to, within);
    if (entry.isDirectory()) await mkdir(target, { recursive: true, mode: 0o700 });
    if (entry.isFile() && wanted(within) && !(await copied(path, target, progress))) gone++;
  }
  return gone;
}

/** False where the file is no longer there. */
async function copied(path: string, target: string, progress: BackupProgress): Promise<boolean> {
  if (await stat(target).catch(() => undefined)) return true; // Not there is what most are.
  try {
    progress.writing(target);
    await copySynced(path, target);
    progress.done((await stat(target)).size);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Copies a file, which is on the disk then; the folders above it need a sync of their own. */
export async function copySynced(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await copyFile(from, to);
  await synced(to);
}

async function synced(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
}

export async function syncFolders(folders: Iterable<string>): Promise<void> {
  for (const folder of folders) await synced(folder);
}

async function listOf(folder: string, progress: BackupProgress): Promise<Manifest["files"]> {
  const files: { path: string; bytes: number; sha256: string }[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await synced(path);
    if (!entry.isFile()) continue;
    files.push({
      path: relative(folder, path),
      bytes: (await stat(path)).size,
      sha256: await digestOf(path, (bytes) => progress.done(bytes)),
    });
  }
  return files;
}

/** sha256 in hexadecimal digits. `read` hears of each part. */
export async function digestOf(file: string, read: (bytes: number) => void = () => {}): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of createReadStream(file)) {
    digest.update(chunk as Buffer);
    read((chunk as Buffer).length);
  }
  return digest.digest("hex");
}
