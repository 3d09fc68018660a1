/** Meter reports on disk: numbered, synced before anybody is told, kept until the server has made them durable. */
import { closeSync, fdatasync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { MeterReport } from "../contract/agent.ts";

type Without<Report, Key extends PropertyKey> = Report extends unknown ? Omit<Report, Key> : never;
/** A report before it has its number. */
export type MeterDraft = Without<MeterReport, "seq">;

const fileName = "meter.jsonl";
/** Acknowledged reports are cut off when the file has so many bytes and holds nothing else. */
const truncateBytes = 1 << 18;

/** The writer, in the shim. A failed write or sync throws: a meter that cannot remember must not go on (L27). */
export class MeterFile {
  readonly #fd: number;
  readonly #tell: (report: MeterReport) => void;
  #pending: MeterReport[] = [];
  #seq = 0;
  #bytes = 0;
  #syncing: Promise<void> = Promise.resolve();

  /** `tell` is called with each report once it is synced, in order. */
  constructor(folder: string, tell: (report: MeterReport) => void) {
    this.#fd = openSync(join(folder, fileName), "a", 0o600);
    this.#tell = tell;
  }

  /** Resolves when the report is on disk. */
  append(draft: MeterDraft): Promise<void> {
    const report = { ...draft, seq: ++this.#seq } as MeterReport;
    this.#write(report);
    this.#syncing = this.#syncing.then(async () => {
      await dataSync(this.#fd);
      this.#pending.push(report);
      this.#tell(report);
    });
    return this.#syncing;
  }

  /** Synced reports that are not acknowledged, oldest first. */
  get pending(): readonly MeterReport[] {
    return this.#pending;
  }

  acknowledge(seq: number): void {
    const kept = this.#pending.filter((report) => report.seq > seq);
    if (kept.length === this.#pending.length) return;
    this.#pending = kept;
    this.#write({ acknowledged: seq });
    if (this.#bytes < truncateBytes || kept.length > 0 || seq < this.#seq) return;
    ftruncateSync(this.#fd, 0);
    this.#bytes = 0;
  }

  /** Resolves when all that was appended is on disk. */
  settled(): Promise<void> {
    return this.#syncing;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(value: object): void {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written);
    this.#bytes += bytes.length;
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

function dataSync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));
}
