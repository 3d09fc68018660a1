/**
 * The edge beside other proxies: each in processes of its own between one crowd of visitors and one app, taking turns. What counts is the
 * CPU time of the processes in the middle for each thing carried; the machine's other work does not move it much, and its ratio hardly.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileSystemOf, scratch } from "./disk.ts";
import { figure, machine, median, peerOf } from "./document.ts";
import type { Bench, Figure, Report } from "./document.ts";
import { bigBytes, eventEveryMs, smallBytes } from "./edge-app.ts";
import type { Want } from "./edge-load.ts";
import { openSides } from "./edge-sides.ts";
import type { Side, Sides } from "./edge-sides.ts";
import { workersSide } from "./edge-workers.ts";
import { cpuUs, noCpuTimes } from "./process-cpu.ts";
import { pssMB } from "./process-memory.ts";

const connections = 32;
const bigConnections = 4;
const crowdSize = 1_000;
/** Until what a Node process runs most is compiled: each of them is warmed by so many requests, or for so long. */
const warmUpRequests = 30_000;
const warmUpMaxMs = 6_000;
const windowsMax = 8;
/** After these nothing more is done for a connection that only was opened. */
const settledMs = 2_000;

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
    const ofMemory = await memory(sides, report);
    await warmUp(sides, report);
    const { figures: small, slowestPerSecond } = await smallAnswers(sides, report);
    figures.push(...small, await addedTime(sides, slowestPerSecond / 2, report));
    figures.push(...(await bigBodies(sides, report)));
    for (const kind of ["streams", "sockets"] as const) figures.push(...(await messages(sides, kind, report)));
    figures.push(...ofMemory, await workers(sides, report));
    return {
      ...common,
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped: sides.skipped,
      conditions: {
        "connections at a time": connections,
        "request headers": 9,
        "bytes of a small answer": smallBytes,
        "way to the app": "a unix socket for all; with the shim: a unix socket to it, and TCP from it to the app",
        "half load": `${Math.round(slowestPerSecond / 2)} requests/s, for all`,
        evidence: `a packed record a request, in a spool file on ${fileSystemOf(disk)}`,
        "nginx's buffers": "its default sizes without buffering, as streams need it: a page or two for each read",
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
    while (count < warmUpRequests && performance.now() - since < warmUpMaxMs) {
      const sample = await attempt(sides, side, "its warm-up", () => closed(sides, side, "small", 500));
      if (sample === undefined) break;
      count += sample.count;
    }
    report(`warm: ${side.name}, ${count} requests`);
  }
}

/** Closed loop; on a machine that is very busy for as many windows as it takes to get an answer. */
async function closed(sides: Sides, { port, pids }: Side, want: Want, windowMs: number): Promise<Sample> {
  const before = cpuUs(pids);
  let count = 0;
  let ms = 0;
  for (; count === 0 && ms < windowsMax * windowMs; ms += windowMs) {
    count = await sides.load({
      ask: "closed-loop",
      port,
      ms: windowMs,
      connections: want === "small" ? connections : bigConnections,
      wanted: { want, uploadBytes: bigBytes },
    });
  }
  if (count === 0) throw new Error(`no answer in ${ms} ms`);
  return { cpuUs: cpuUs(pids) - before, count, ms };
}

/** What breaks under a peer is told, and undefined: the others are measured all the same. What breaks under ours ends the run. */
async function attempt<Value>(
  sides: Pick<Sides, "peers" | "skipped">,
  side: Side,
  what: string,
  take: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await take();
  } catch (error) {
    if (!sides.peers.includes(side)) throw new Error(`${side.name}: the run broke`, { cause: error });
    sides.skipped.push({ what: `${side.name}: ${what}`, why: `it broke: ${String(error)}` });
    return undefined;
  }
}

type Runs = ReadonlyMap<Side, readonly number[]>;

interface InTurn {
  readonly what: string;
  readonly rounds: number;
  readonly take: (side: Side) => Promise<number>;
}

/** All of them in turn, so many times; a peer that breaks is left out. */
export async function inTurn(
  sides: Pick<Sides, "peers" | "skipped">,
  all: readonly Side[],
  { what, rounds, take }: InTurn,
): Promise<Runs> {
  const runs = new Map(all.map((side) => [side, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [side, values] of runs) {
      const value = await attempt(sides, side, what, () => take(side));
      if (value === undefined) runs.delete(side);
      else values.push(value);
    }
  }
  return runs;
}

function beside(name: string, unit: string, runs: Runs, ours: Side, peers: readonly Side[]): Figure {
  const mine = runs.get(ours) ?? [];
  return {
    ...figure(name, unit, mine),
    peers: peers.flatMap((peer) => {
      const its = runs.get(peer);
      return its === undefined ? [] : [peerOf(peer.name, its, mine)];
    }),
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
  const us = await inTurn(sides, [...Object.values(ours), ...peers], {
    what: "small answers",
    rounds,
    take: async (side) => {
      const sample = await closed(sides, side, "small", windowMs);
      perSecond.set(side, [...(perSecond.get(side) ?? []), (sample.count / sample.ms) * 1_000]);
      return sample.cpuUs / sample.count;
    },
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
    slowestPerSecond: Math.min(...[...us.keys()].map((side) => median(perSecond.get(side) ?? []))),
  };
}

/** What a proxy adds to the 99th percentile, all at the same rate: half of what the slowest of them can. */
async function addedTime(sides: Sides, rate: number, report: Report): Promise<Figure> {
  const { ours, peers, direct } = sides;
  const perSecond = Math.max(1, Math.round(rate));
  const take = (port: number): Promise<number> =>
    sides.load({ ask: "open-loop", port, ms: 1_500, connections: 64, perSecond });
  const without: number[] = [];
  const runs = await inTurn(sides, [ours["edge-with-shim"], ours.edge, ...peers], {
    what: "the added p99 at half load",
    rounds: 3,
    take: async (side) => {
      const bare = await take(direct);
      without.push(bare);
      return (await take(side.port)) - bare;
    },
  });
  told(report, `added p99 at ${perSecond} requests/s (${median(without).toFixed(1)} without a proxy)`, "ms", runs);
  return beside("added p99 at half load, with the shim", "ms", runs, ours["edge-with-shim"], [ours.edge, ...peers]);
}

async function bigBodies(sides: Sides, report: Report): Promise<Figure[]> {
  const { ours, peers } = sides;
  const figures: Figure[] = [];
  for (const want of ["big", "upload"] as const) {
    const what = want === "big" ? "an answer of 1 MB" : "an upload of 1 MB";
    const runs = await inTurn(sides, [ours.edge, ours["edge-with-shim"], ...peers], {
      what,
      rounds: 3,
      take: async (side) => {
        const { cpuUs: used, count } = await closed(sides, side, want, 700);
        return used / count;
      },
    });
    told(report, what, "us", runs);
    figures.push(
      beside(`cpu us for ${what}, without the shim`, "us", runs, ours.edge, peers),
      beside(`cpu us for ${what}, with the shim`, "us", runs, ours["edge-with-shim"], peers),
    );
  }
  return figures;
}

type Kind = "idle" | "streams" | "sockets";

/**
 * What a thousand more connections of each kind take, while those before them are still open. In processes that have done nothing else: what
 * an older one has ever taken of the machine's memory, it seldom gives back, and then takes nothing for what is new.
 */
async function memory(sides: Sides, report: Report): Promise<Figure[]> {
  const { ours, peers } = sides;
  const all = [ours.edge, ours["edge-with-shim"], ...peers];
  const kinds: Readonly<Record<Kind, string>> = {
    idle: "an idle connection",
    streams: "one of 1,000 SSE streams",
    sockets: "one of 1,000 WebSockets",
  };
  const taken = new Map(Object.keys(kinds).map((kind) => [kind, new Map<Side, number[]>()]));
  for (const side of all) {
    for (const [kind, what] of Object.entries(kinds) as [Kind, string][]) {
      const bytes = await attempt(sides, side, `memory of ${what}`, async () => {
        await side.collect();
        const before = bytesOf(side);
        await sides.load({ ask: "open", port: side.port, count: crowdSize, kind });
        await side.collect();
        return (bytesOf(side) - before) / crowdSize;
      });
      if (bytes === undefined) break;
      taken.get(kind)?.set(side, [bytes]);
    }
    await sides.load({ ask: "drop" });
  }
  return Object.entries(kinds).map(([kind, what]) => {
    const runs = taken.get(kind) ?? new Map<Side, number[]>();
    told(report, `memory of ${what}`, "bytes", runs);
    const others = [ours.edge, ...peers];
    return beside(`bytes of memory for ${what}, with the shim`, "bytes", runs, ours["edge-with-shim"], others);
  });
}

/** What a message costs that goes through one of a thousand open connections, and what it costs to open these. */
async function messages(sides: Sides, kind: Exclude<Kind, "idle">, report: Report): Promise<Figure[]> {
  const { ours, peers } = sides;
  const what =
    kind === "streams" ? "an event on one of 1,000 SSE streams" : "a message and its echo on one of 1,000 WebSockets";
  const opening = kind === "streams" ? "to open one of 1,000 SSE streams" : "to open one of 1,000 WebSockets";
  const toOpen: Map<Side, number[]> = new Map();
  const us = await inTurn(sides, [ours.edge, ours["edge-with-shim"], ...peers], {
    what,
    rounds: 2,
    take: async (side) => {
      const closed = cpuUs(side.pids);
      await sides.load({ ask: "open", port: side.port, count: crowdSize, kind });
      // The edge writes down what is open for a second: that is of the connection, not of its messages.
      await sides.load({ ask: "listen", ms: settledMs, everyMs: undefined });
      const before = cpuUs(side.pids);
      toOpen.set(side, [...(toOpen.get(side) ?? []), (before - closed) / crowdSize]);
      const everyMs = kind === "sockets" ? eventEveryMs : undefined;
      const heard = await sides.load({ ask: "listen", ms: 2_000, everyMs });
      const used = cpuUs(side.pids) - before;
      await sides.load({ ask: "drop" });
      return used / heard;
    },
  });
  told(report, what, "us", us);
  told(report, `${opening}, and its first ${settledMs / 1_000} s`, "us", toOpen);
  return [
    beside(`cpu us for ${what}, without the shim`, "us", us, ours.edge, peers),
    beside(`cpu us for ${what}, with the shim`, "us", us, ours["edge-with-shim"], peers),
    beside(`cpu us ${opening}, and its first 2 s, with the shim`, "us", toOpen, ours["edge-with-shim"], [
      ours.edge,
      ...peers,
    ]),
  ];
}

/** Two processes of `waybill edge --workers 2` beside the one of `--workers 1`, as they run on a platform. */
async function workers(sides: Sides, report: Report): Promise<Figure> {
  await using stack = new AsyncDisposableStack();
  const two = await workersSide(2, stack);
  const one = await workersSide(1, stack);
  for (const side of [two, one]) {
    const since = performance.now();
    // Each of the two has as much to compile as the one.
    const untilMs = warmUpMaxMs * side.pids.length;
    while (performance.now() - since < untilMs) await closed(sides, side, "small", 500);
    report(`warm: ${side.name}`);
  }
  const what = "cpu us per request of two workers of `waybill edge`, beside one";
  const take = async (side: Side): Promise<number> => {
    const { cpuUs: used, count } = await closed(sides, side, "small", 1_000);
    return used / count;
  };
  const us = await inTurn({ ...sides, peers: [] }, [two, one], { what, rounds: 7, take });
  told(report, what, "us", us);
  return beside(what, "us", us, two, [one]);
}

const bytesOf = ({ pids }: Side): number => pids.reduce((sum, pid) => sum + pssMB(pid) * 1e6, 0);
