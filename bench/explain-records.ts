/** Records as an edge has written them, in any number: its own with other ids, paths, Spaces and times, in lines as it writes them. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Packed } from "../src/evidence/entry.ts";
import { recordsIn } from "../src/record/lines.ts";
import { RowLines } from "../src/record/rows.ts";
import type { Packable } from "../src/record/rows.ts";
import { parseSegmentFile, segmentFile } from "../src/record/segments.ts";
import { packedWaitMax } from "../src/record/spool.ts";
import { newId } from "../src/stdx/ids.ts";

const spaces = 50;
const paths = 500;
const accounts = 2_000;
const templatesMax = 1_000;
/** As large as an edge lets its segments grow. */
const perSegment = 5_000;
const everyMs = 1;
/** So many ids are remembered, spread over all. */
const kept = 20_000;

export class RecordsOfAnEdge {
  readonly folder: string;
  readonly #templates: readonly Packed[];
  readonly #ids: string[] = [];
  readonly #rows = new RowLines("edge", 1);
  #seq = 0;
  #segment = 0;
  #keepEvery = 1;
  #at = Date.now() - 86_400_000;

  /** `from`: a folder with an edge's spool. */
  constructor(from: string, folder: string) {
    this.#templates = packedIn(from);
    if (this.#templates.length === 0) throw new Error("the edge wrote no packed record");
    this.folder = folder;
    mkdirSync(folder);
  }

  write(count: number): void {
    for (let left = count; left > 0; left -= perSegment) {
      const lines = Array.from({ length: Math.min(left, perSegment) }, () => this.#piece());
      if (this.#rows.count > 0) lines.push(this.#rows.end());
      this.#segment += 1;
      writeFileSync(join(this.folder, segmentFile({ emitter: "edge", epoch: 1, n: this.#segment })), lines.join(""));
    }
  }

  clear(): void {
    for (const file of readdirSync(this.folder)) rmSync(join(this.folder, file));
  }

  /** Ids of records that were written, from the first to the last. */
  some(count: number): readonly string[] {
    const step = this.#ids.length / count;
    return Array.from({ length: count }, (_, i) => this.#ids[Math.floor(i * step)] as string);
  }

  /** Of a line; its end too, where it has as many records as a busy edge's. */
  #piece(): string {
    const seq = (this.#seq += 1);
    const piece = this.#rows.add(this.#record(seq), seq);
    return this.#rows.count < packedWaitMax ? piece : piece + this.#rows.end();
  }

  #record(seq: number): Packable {
    const { kind, stages, ...template } = this.#templates[seq % this.#templates.length] as Packed;
    const work = newId("q", randomBytes);
    if (seq % this.#keepEvery === 0) this.#keep(work);
    this.#at += everyMs;
    const facts = {
      ...template.facts,
      path: `/file/${seq % paths}`,
      space: `alice/demo-${seq % spaces}`,
      account: `address:10.0.${(seq % accounts) >> 8}.${seq % 256}`,
      connection: `edge/1/${seq >> 6}`,
    };
    return { work, kind, stages, facts, startedAt: this.#at };
  }

  #keep(work: string): void {
    this.#ids.push(work);
    if (this.#ids.length < kept) return;
    // Every second one goes, so that those that stay are spread evenly.
    this.#ids.splice(0, kept, ...this.#ids.filter((_, index) => index % 2 === 1));
    this.#keepEvery *= 2;
  }
}

function packedIn(folder: string): readonly Packed[] {
  const file = readdirSync(folder).find((name) => parseSegmentFile(name) !== undefined);
  if (file === undefined) return [];
  const packed = recordsIn(readFileSync(join(folder, file))).filter(({ kind }) => kind === "packed");
  return packed.slice(0, templatesMax).map(({ body }) => body as Packed);
}
