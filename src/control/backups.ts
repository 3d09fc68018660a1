/** The backups that administrators asked for: one at a time, told of while it is made and for some time after. */
import { stat } from "node:fs/promises";
import type { BackupJobView, BackupView } from "../contract/api.ts";
import { problemOf } from "../http/index.ts";
import { BackupFailed } from "../journal/index.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";

/** Whoever asked looks again within seconds; the folder itself says the rest. */
const jobsKept = 16;

/** How far a backup is, as its maker says. */
export class BackupProgress {
  #step = "starting";
  #file: string | null = null;
  #bytes = 0;

  get step(): string {
    return this.#step;
  }

  begin(step: string): void {
    this.#step = step;
  }

  /** This file of the backup grows from now on. */
  writing(file: string): void {
    this.#file = file;
  }

  /** So many bytes of the file that was being written, or of one that was checked, are done. */
  done(bytes: number): void {
    this.#file = null;
    this.#bytes += bytes;
  }

  async bytes(): Promise<number> {
    const before = this.#bytes;
    const growing = this.#file === null ? 0 : await sizeOf(this.#file);
    // What was done meanwhile may be that very file.
    return Math.max(this.#bytes, before + growing);
  }
}

export type MakeBackup = (folder: string, progress: BackupProgress) => Promise<BackupView>;

export interface BackupsParts {
  readonly backup: MakeBackup;
  readonly random: RandomBytes;
  onFailure(what: string, error: unknown): void;
}

interface Job {
  readonly id: string;
  readonly folder: string;
  readonly progress: BackupProgress;
  readonly made: Promise<BackupView>;
  ended: { readonly made: BackupView } | { readonly error: unknown } | null;
}

export class Backups {
  readonly #parts: BackupsParts;
  /** Oldest first. */
  #jobs: readonly Job[] = [];

  constructor(parts: BackupsParts) {
    this.#parts = parts;
  }

  /** Begins one; gives its id. Throws `BackupFailed` while another one is made. */
  begin(folder: string): string {
    const other = this.#jobs.find(({ ended }) => ended === null);
    if (other) throw new BackupFailed(folder, `another one is being made, in ${other.folder}; wait for its end`);
    const progress = new BackupProgress();
    const made = this.#parts.backup(folder, progress);
    const job: Job = { id: newId("bk", this.#parts.random), folder, progress, made, ended: null };
    this.#jobs = [...this.#jobs, job].slice(-jobsKept);
    made.then(
      (view) => (job.ended = { made: view }),
      (error: unknown) => {
        job.ended = { error };
        if (!(error instanceof BackupFailed)) this.#parts.onFailure("a backup", error);
      },
    );
    return job.id;
  }

  /** Rejects with `BackupFailed`, or with what nobody foresaw; undefined where there is none of that id. */
  async end(id: string): Promise<BackupView | undefined> {
    return this.#jobs.find((job) => job.id === id)?.made;
  }

  async view(id: string): Promise<BackupJobView | undefined> {
    const job = this.#jobs.find((each) => each.id === id);
    if (job === undefined) return undefined;
    const { folder, progress } = job;
    const bytes = await progress.bytes();
    const told = { id, folder, step: progress.step, bytes };
    if (job.ended === null) return { ...told, state: "running", made: null, problem: null };
    if ("made" in job.ended) return { ...told, state: "made", made: job.ended.made, problem: null };
    return { ...told, state: "failed", made: null, problem: problemIn(job.ended.error) };
  }
}

function problemIn(error: unknown): BackupJobView["problem"] {
  if (error instanceof BackupFailed) return problemOf("control/conflict", { detail: error.message });
  return problemOf("control/failed");
}

/** 0 while it is not there. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => ({ size: 0 }))).size;
}
