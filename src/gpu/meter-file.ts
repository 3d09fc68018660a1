/** Meter reports on disk: numbered, synced before anybody is told, kept until the server has made them durable. */
import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { MeterReport } from "../contract/agent.ts";

type Without<Report, Key extends PropertyKey> = Report extends unknown ? Omit<Report, Key> : never;
/** A report before it has its number. */
export type MeterDraft = Without<MeterReport, "seq">;

export interface MeterFileOptions {
  /** Called with each report once it is synced, in order. */
  readonly tell: (report: MeterReport) => void;
  /** Told when the disk refuses. */
  readonly note: (text: string) => void;
  readonly sync: (fd: number) => Promise<void>;
}

const fileName = "meter.jsonl";
/** Acknowledged reports are cut off when the file has so many bytes and holds nothing else. */
const truncateBytes = 1 << 18;

/** How long a disk that refuses is asked again: an app waits 60 s for the answer to its /release. */
const retryForMs = 50_000;
const retryEveryMs = 250;

/**
 * The writer, in the shim. A report that the disk refuses (full, say) is written anew for a while: nobody is answered meanwhile,
 * and the app lives on. After that `append` rejects: a meter that cannot remember must not go on (L27).
 */
export class MeterFile {
  readonly #fd: number;
  readonly #options: MeterFileOptions;
  #pending: MeterReport[] = [];
  #seq = 0;
  /** Whole lines that are in the file, in bytes: what stands after them is the part of a line that was refused. */
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, options: MeterFileOptions) {
    this.#fd = openSync(join(folder, fileName), "a", 0o600);
    this.#bytes = fstatSync(this.#fd).size;
    this.#options = options;
  }

  /** Resolves when the report is on disk. */
  append(draft: MeterDraft): Promise<void> {
    const report = { ...draft, seq: ++this.#seq } as MeterReport;
    this.#writing = this.#writing.then(async () => {
      await this.#store(report);
      this.#pending.push(report);
      this.#options.tell(report);
    });
    return this.#writing;
  }

  /** Synced reports that are not acknowledged, oldest first. */
  get pending(): readonly MeterReport[] {
    return this.#pending;
  }

  acknowledge(seq: number): void {
    const kept = this.#pending.filter((report) => report.seq > seq);
    if (kept.length === this.#pending.length) return;
    this.#pending = kept;
    try {
      this.#write({ acknowledged: seq });
      if (this.#bytes >= truncateBytes && kept.length === 0 && seq === this.#seq) this.#cut(0);
    } catch (error) {
      // Then these reports are told once more after this process's death, which is harmless.
      this.#options.note(`the meter's file does not take an acknowledgement: ${String(error)}`);
    }
  }

  /** Resolves when all that was appended is on disk. */
  settled(): Promise<void> {
    return this.#writing;
  }

  close(): void {
    closeSync(this.#fd);
  }

  async #store(report: MeterReport): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += retryEveryMs) {
      const before = this.#bytes;
      try {
        this.#write(report);
        return await this.#options.sync(this.#fd);
      } catch (error) {
        if (waitedMs === 0) this.#options.note(`the disk does not take a report of the GPU's meter: ${String(error)}`);
        if (waitedMs >= retryForMs) throw error;
        // A failed sync says nothing of a later one: the line is written again.
        this.#cut(before);
        await delay(retryEveryMs);
      }
    }
  }

  #write(value: object): void {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    this.#cut(this.#bytes);
    for (let written = 0; written < bytes.length;) written += writeSync(this.#fd, bytes, written);
    this.#bytes += bytes.length;
  }

  #cut(bytes: number): void {
    if (fstatSync(this.#fd).size > bytes) ftruncateSync(this.#fd, bytes);
    this.#bytes = bytes;
  }
}

/** What a dead shim could not report any more, in order. A torn last line was never answered for, so it is left out. */
export function unacknowledgedReports(folder: string): readonly MeterReport[] {
  let text: string;
  try {
    text = readFileSync(join(folder, fileName), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const lines = text.split("\n").slice(0, -1);
  const values = lines.map((line) => JSON.parse(line) as MeterReport | { readonly acknowledged: number });
  const acknowledged = Math.max(0, ...values.flatMap((value) => ("acknowledged" in value ? value.acknowledged : [])));
  return values.flatMap((value) => ("seq" in value && value.seq > acknowledged ? value : []));
}

/** On disk when it resolves. */
export function dataSync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));
}
