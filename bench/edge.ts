/**
 * The edge beside other proxies: each in processes of its own between one crowd of visitors and one app, taking turns. What counts is the
 * CPU time of the processes in the middle for each thing carried; the machine's other work does not move it much, and its ratio hardly.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileSystemOf, scratch } from "./disk.ts";
import { figure, machine, median, peerOf } from "./document.ts";
import type { Bench, Figure, Report, Skipped } from "./document.ts";
import { bigBytes, eventEveryMs, smallBytes } from "./edge-app.ts";
import type { Want } from "./edge-load.ts";
import { openSides } from "./edge-sides.ts";
import type { Side, Sides } from "./edge-sides.ts";
import { cpuUs, noCpuTimes } from "./process-cpu.ts";
import { pssMB } from "./process-memory.ts";

const connections = 32;
const bigConnections = 4;
const crowdSize = 1_000;
/** Until what a Node process runs most is compiled: each of them is warmed by so many requests, or for so long. */
const warmUpRequests = 30_000;
const warmUpMaxMs = 6_000;

interface Sample {
  readonly cpuUs: number;
  readonly count: number;
  readonly ms: number;
}

export const run: Bench = async (report) => {
  const startedAt = performance.now();
  const none = noCpuTimes();
  const common = { bench: "edge", machine: machine() };
  if (none !== undefined) return { ...common, tookMs: 0, figures: [], skipped: [{ what: "all of it", why: none }] };
  // A socket's path has to be short; the evidence is on a disk.
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-edge-"));
  const disk = scratch("edge");
  try {
    await using sides = await openSides(folder, disk);
    const figures: Figure[] = [];
    const skipped: Skipped[] = [
      ...sides.skipped,
      { what: "two workers beside one", why: "the edge has no workers: it is one process" },
    ];
    await warmUp(sides, report);
    const { figures: small, slowestPerSecond } = await smallAnswers(sides, report);
    figures.push(...small, await addedTime(sides, slowestPerSecond / 2, report));
    figures.push(...(await bigBodies(sides, report)));
    for (const kind of ["idle", "streams", "sockets"] as const) figures.push(...(await crowds(sides, kind, report)));
    return {
      ...common,
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped,
      conditions: {
        "connections at a time": connections,
        "request headers": 9,
        "bytes of a small answer": smallBytes,
        "way to the app": "a unix socket for all; with the shim: a unix socket to it, and TCP from it to the app",
        "half load": `${Math.round(slowestPerSecond / 2)} requests/s, for all`,
        evidence: `a packed record a request, in a spool file on ${fileSystemOf(disk)}`,
        identity: "address, HMAC-SHA256 token a request; without identity: one token for all",
      },
    };
  } finally {
    for (const made of [folder, disk]) rmSync(made, { recursive: true, force: true });
  }
};

async function warmUp(sides: Sides, report: Report): Promise<void> {
  for (const side of [...Object.values(sides.ours), ...sides.peers]) {
    let count = 0;
    const since = performance.now();
    while (count < warmUpRequests && performance.now() - since < warmUpMaxMs)
      count += (await closed(sides, side, "small", 500)).count;
    report(`warm: ${side.name}, ${count} requests`);
  }
}

/** Closed loop. */
async function closed(sides: Sides, { port, pids }: Side, want: Want, ms: number): Promise<Sample> {
  const before = cpuUs(pids);
  const count = await sides.load({
    ask: "closed-loop",
    port,
    ms,
    connections: want === "small" ? connections : bigConnections,
    wanted: { want, uploadBytes: bigBytes },
  });
  return { cpuUs: cpuUs(pids) - before, count, ms };
}

type Runs = ReadonlyMap<Side, readonly number[]>;

/** All of them in turn, so many times. */
async function inTurn(all: readonly Side[], rounds: number, take: (side: Side) => Promise<number>): Promise<Runs> {
  const runs = new Map(all.map((side) => [side, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [side, values] of runs) {
      try {
        values.push(await take(side));
      } catch (error) {
        throw new Error(`${side.name}: the run broke`, { cause: error });
      }
    }
  }
  return runs;
}

function beside(name: string, unit: string, runs: Runs, ours: Side, peers: readonly Side[]): Figure {
  const mine = runs.get(ours) ?? [];
  return {
    ...figure(name, unit, mine),
    peers: peers.map((peer) => peerOf(peer.name, runs.get(peer) ?? [], mine)),
  };
}

function told(report: Report, what: string, unit: string, runs: Runs): void {
  report(
    `${what}, ${unit}: ${[...runs].map(([side, values]) => `${side.name} ${median(values).toFixed(1)}`).join("; ")}`,
  );
}

async function smallAnswers(
  sides: Sides,
  report: Report,
): Promise<{ readonly figures: Figure[]; readonly slowestPerSecond: number }> {
  const { ours, peers } = sides;
  const rounds = 9;
  const windowMs = 700;
  const perSecond = new Map<Side, number[]>();
  const us = await inTurn([...Object.values(ours), ...peers], rounds, async (side) => {
    const sample = await closed(sides, side, "small", windowMs);
    perSecond.set(side, [...(perSecond.get(side) ?? []), (sample.count / sample.ms) * 1_000]);
    return sample.cpuUs / sample.count;
  });
  told(report, "a small answer", "us", us);
  const rates = new Map([...us].map(([side, values]) => [side, values.map((value) => 1e6 / value)]));
  const shim = ours["edge-with-shim"];
  const share = (us.get(ours.edge) ?? []).map(
    (value, i) => 100 * (1 - (us.get(ours["edge-without-evidence"])?.[i] ?? Number.NaN) / value),
  );
  return {
    figures: [
      beside("cpu us per request, without the shim and identity", "us", us, ours["edge-without-identity"], peers),
      beside("cpu us per request, without the shim", "us", us, ours.edge, peers),
      beside("cpu us per request, with the shim", "us", us, shim, peers),
      beside("req/s per core, without the shim", "req/s", rates, ours.edge, peers),
      beside("req/s per core, with the shim", "req/s", rates, shim, peers),
      figure("share of the edge's CPU for evidence and log", "%", share),
    ],
    slowestPerSecond: Math.min(...[...perSecond.values()].map(median)),
  };
}

/** What a proxy adds to the 99th percentile, all at the same rate: half of what the slowest of them can. */
async function addedTime(sides: Sides, rate: number, report: Report): Promise<Figure> {
  const { ours, peers, direct } = sides;
  const perSecond = Math.max(1, Math.round(rate));
  const take = (port: number): Promise<number> =>
    sides.load({ ask: "open-loop", port, ms: 1_500, connections: 64, perSecond });
  const without: number[] = [];
  const runs = await inTurn([ours["edge-with-shim"], ours.edge, ...peers], 3, async (side) => {
    const bare = await take(direct);
    without.push(bare);
    return (await take(side.port)) - bare;
  });
  told(report, `added p99 at ${perSecond} requests/s (${median(without).toFixed(1)} without a proxy)`, "ms", runs);
  return beside("added p99 at half load, with the shim", "ms", runs, ours["edge-with-shim"], [ours.edge, ...peers]);
}

async function bigBodies(sides: Sides, report: Report): Promise<Figure[]> {
  const { ours, peers } = sides;
  const figures: Figure[] = [];
  for (const want of ["big", "upload"] as const) {
    const runs = await inTurn([ours.edge, ours["edge-with-shim"], ...peers], 3, async (side) => {
      const { cpuUs: used, count } = await closed(sides, side, want, 700);
      return used / count;
    });
    const what = want === "big" ? "an answer of 1 MB" : "an upload of 1 MB";
    told(report, what, "us", runs);
    figures.push(
      beside(`cpu us for ${what}, without the shim`, "us", runs, ours.edge, peers),
      beside(`cpu us for ${what}, with the shim`, "us", runs, ours["edge-with-shim"], peers),
    );
  }
  return figures;
}

/** A thousand connections: what each keeps in memory, and what a message on one of them costs. */
async function crowds(sides: Sides, kind: "idle" | "streams" | "sockets", report: Report): Promise<Figure[]> {
  const { ours, peers } = sides;
  const memory = new Map<Side, number[]>();
  const rounds = kind === "idle" ? 1 : 2;
  const us = await inTurn([ours.edge, ours["edge-with-shim"], ...peers], rounds, async (side) => {
    await side.collect();
    const before = bytesOf(side);
    await sides.load({ ask: "open", port: side.port, count: crowdSize, kind });
    await side.collect();
    memory.set(side, [...(memory.get(side) ?? []), (bytesOf(side) - before) / crowdSize]);
    if (kind === "idle") return drop(sides, 0);
    const usedBefore = cpuUs(side.pids);
    const everyMs = kind === "sockets" ? eventEveryMs : undefined;
    const heard = await sides.load({ ask: "listen", ms: 2_000, everyMs });
    return drop(sides, (cpuUs(side.pids) - usedBefore) / heard);
  });
  const what = { idle: "an idle connection", streams: "one of 1,000 SSE streams", sockets: "one of 1,000 WebSockets" }[
    kind
  ];
  told(report, `memory of ${what}`, "bytes", memory);
  const figures = [
    beside(`bytes of memory for ${what}, with the shim`, "bytes", memory, ours["edge-with-shim"], [
      ours.edge,
      ...peers,
    ]),
  ];
  if (kind === "idle") return figures;
  told(report, `a message on ${what}`, "us", us);
  const message =
    kind === "streams" ? "event on one of 1,000 SSE streams" : "message and its echo on one of 1,000 WebSockets";
  return [
    ...figures,
    beside(`cpu us for an ${message}, without the shim`.replace("an message", "a message"), "us", us, ours.edge, peers),
    beside(
      `cpu us for an ${message}, with the shim`.replace("an message", "a message"),
      "us",
      us,
      ours["edge-with-shim"],
      peers,
    ),
  ];
}

async function drop<Value>(sides: Sides, value: Value): Promise<Value> {
  await sides.load({ ask: "drop" });
  return value;
}

const bytesOf = ({ pids }: Side): number => pids.reduce((sum, pid) => sum + pssMB(pid) * 1e6, 0);
