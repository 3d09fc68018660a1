/**
 * Evidence: how fast packed records become durable beside the rate at which an edge makes them, also where each takes the place of an older
 * one, how long `explain` takes on a store that is full of them, what a request costs on disk, and what a stranger's flood of bad requests leaves.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { explain } from "../src/evidence/explain.ts";
import { drain, openShipper } from "../src/record/ship.ts";
import { openEvidenceStore } from "../src/record/store.ts";
import type { EvidenceStore } from "../src/record/store.ts";
import { instant } from "../src/stdx/time.ts";
import { fdatasyncUs, fileSystemOf, scratch } from "./disk.ts";
import { figure, machine, peerOf, quantile } from "./document.ts";
import type { Bench, Figure, Report } from "./document.ts";
import { ask, ended, roles } from "./edge-sides.ts";
import { flood, floodMs, storeBytes } from "./explain-flood.ts";
import { RecordsOfAnEdge } from "./explain-records.ts";

const records = { quick: 200_000, usual: 1_000_000, full: 10_000_000 };
/** Records that are written into spool files, untimed, before they are shipped, timed. */
const round = 50_000;
/** Of so many rounds on, the figure is of a full store, and the edge is measured between two of them. */
const edgeRuns = 5;
const edgeWindowMs = 2_000;
const edgeWarmUpMs = 5_000;
/** Records that come in while explain is asked, and some more: nothing is dropped before it is asked. */
const room = 4 * round;
const connections = 32;
const explained = 2_000;
/** Beside which explain is asked: requests per second of a busy edge, and how often their records come. */
const besideRate = 5_000;
const shipEveryMs = 200;

export const run: Bench = async (report, { full, quick }) => {
  const startedAt = performance.now();
  const total = full ? records.full : quick ? records.quick : records.usual;
  // A socket's path has to be short; the evidence is on a disk.
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-explain-"));
  const disk = scratch("explain");
  const children: ChildProcess[] = [];
  try {
    const edge = await startEdge(folder, disk, children);
    const figures: Figure[] = [];
    const path = join(disk, "evidence.db");
    const clock = { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) };
    // An operator of so many records keeps as many.
    const retention = { packedMaxRows: total + room };
    const store = await openEvidenceStore({ path, clock, random: randomBytes, retention });
    try {
      const made = new RecordsOfAnEdge(edge.spool, join(disk, "spool"));
      figures.push(await ingested(store, { made, total, edge, report }));
      const onDisk = storeBytes(path) / total;
      figures.push(...(await explanations(store, made, report)));
      figures.push(await replaced(store, { made, total, edge, report }), figure("bytes per request", "B", [onDisk]));
    } finally {
      await store.close();
    }
    for (const child of children.splice(0)) await ended(child);
    rmSync(path);
    figures.push(await strangers(report));
    return {
      bench: "explain",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped: [],
      conditions: {
        records: total,
        "an edge's record": "as it wrote them in this run; other ids, paths, Spaces and times",
        ingested: "from spool files to the acknowledgement: parsed, checked, indexed, synced",
        "file system": fileSystemOf(disk),
        "fdatasync us": fdatasyncUs(disk),
      },
    };
  } finally {
    for (const child of children) await ended(child);
    for (const made of [folder, disk]) rmSync(made, { recursive: true, force: true });
  }
};

interface Edge {
  /** Requests per second, of one window. */
  readonly rate: () => Promise<number>;
  /** The folder of the records that it wrote. */
  readonly spool: string;
}

async function startEdge(folder: string, disk: string, children: ChildProcess[]): Promise<Edge> {
  const { start } = roles(folder, disk, children);
  await start("app");
  const edge = await start("edge");
  const load = (await start("load")).child;
  const rate = async (ms = edgeWindowMs): Promise<number> => {
    const wanted = { want: "small", uploadBytes: 0 } as const;
    const told = await ask(load, "load", { ask: "closed-loop", port: edge.port, ms, connections, wanted });
    return ((told.value ?? 0) / ms) * 1_000;
  };
  await rate(edgeWarmUpMs);
  return { rate, spool: edge.spool };
}

interface Ingest {
  readonly made: RecordsOfAnEdge;
  readonly total: number;
  readonly edge: Edge;
  readonly report: Report;
}

/** The last rounds are the figure: of a store that has nearly all of its records. */
async function ingested(store: EvidenceStore, { made, total, edge, report }: Ingest): Promise<Figure> {
  const runs: number[] = [];
  const edgeRates: number[] = [];
  for (let done = 0; done < total; done += round) {
    const perSecond = await taken(store, made, async () => {});
    if (done + edgeRuns * round >= total) {
      runs.push(perSecond);
      edgeRates.push(await edge.rate());
    }
    report(`${done + round} records: ${Math.round(perSecond)} records/s`);
  }
  const { index } = await store.totals();
  if (index !== total) throw new Error(`${total} records were sent, and ${index} are there`);
  const peer = peerOf("records/s that an edge makes", edgeRates, runs);
  report(`the edge: ${peer.value} requests/s`);
  return { ...figure("records/s ingested", "records/s", runs), peers: [peer] };
}

/** A full store takes in more, and drops as much. */
async function replaced(store: EvidenceStore, { made, total, edge, report }: Ingest): Promise<Figure> {
  while ((await store.totals()).packed < total + room) await taken(store, made, async () => {});
  await store.retain();
  const runs: number[] = [];
  const edgeRates: number[] = [];
  for (let run = 0; run < edgeRuns; run++) {
    runs.push(await taken(store, made, () => store.retain()));
    edgeRates.push(await edge.rate());
  }
  const { packed } = await store.totals();
  if (packed > total + room) throw new Error(`${packed} records are there, and ${total + room} are to be kept`);
  const peer = peerOf("records/s that an edge makes", edgeRates, runs);
  const all = figure("records/s ingested, each in the place of one that is dropped", "records/s", runs);
  report(`${Math.round(all.ours)} records/s, each in the place of one that is dropped`);
  return { ...all, peers: [peer] };
}

/** A round of records; per second, from their spool to the end of what is done after. */
async function taken(store: EvidenceStore, made: RecordsOfAnEdge, after: () => Promise<unknown>): Promise<number> {
  made.write(round);
  const shipper = openShipper({ folder: made.folder });
  const since = performance.now();
  await drain(shipper, (batch) => store.ingest(batch));
  await after();
  const perSecond = (round / (performance.now() - since)) * 1_000;
  made.clear();
  return perSecond;
}

/** Of works from all over the store: read, and told what they mean; first alone, then while the store takes in more. */
async function explanations(store: EvidenceStore, made: RecordsOfAnEdge, report: Report): Promise<readonly Figure[]> {
  const times = async (): Promise<number> => {
    const all: number[] = [];
    for (const id of made.some(explained)) {
      const since = performance.now();
      const told = await store.readWork(id);
      const { outcome } = explain({
        ...{ id, kind: "request", ...told, links: [], charge: null, simulated: false },
        read: { journal: 0, evidence: told.index },
      });
      all.push(performance.now() - since);
      if (outcome !== "ok") throw new Error(`${id} went well, and is told as ${outcome}`);
    }
    return quantile(all, 0.99);
  };
  const alone = await times();
  report(`explain p99: ${alone.toFixed(2)} ms alone`);
  let over = false;
  const shipping = trickle(store, made, () => over);
  const beside = await times();
  over = true;
  await shipping;
  report(`explain p99: ${beside.toFixed(2)} ms while records are taken in`);
  return [
    figure("explain p99 ms", "ms", [alone]),
    figure("explain p99 ms while 5,000 records/s come in", "ms", [beside]),
  ];
}

/** As many records as a busy edge makes, shipped as often as it ships them. */
async function trickle(store: EvidenceStore, made: RecordsOfAnEdge, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    made.write((besideRate * shipEveryMs) / 1_000);
    await drain(openShipper({ folder: made.folder }), (batch) => store.ingest(batch));
    made.clear();
    await delay(shipEveryMs);
  }
}

async function strangers(report: Report): Promise<Figure> {
  const { requests, bytes, answers } = await flood(report);
  report(`${requests} bad requests in ${floodMs / 1_000} s left ${bytes} B: ${JSON.stringify(answers)}`);
  return figure("store grown by a flood", "MB/min", [(bytes / 1e6) * (60_000 / floodMs)]);
}
