/**
 * What it costs to know who asks: the edge with identity as it is in production, its caches warm, beside one that makes the token's HMAC
 * and nothing else; and how soon a token that is revoked is refused by every worker of an edge apart.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EdgeOptions } from "../src/edge/index.ts";
import { instant } from "../src/stdx/time.ts";
import { Role } from "../test/support/cluster.ts";
import { loadApp } from "../test/support/edge-load.ts";
import { freePort } from "../test/support/free-port.ts";
import { Platform } from "../test/support/platform.ts";
import { scratch } from "./disk.ts";
import { figure, machine, median, peerOf, quantile } from "./document.ts";
import type { Bench, Figure, Report } from "./document.ts";
import type { Wanted } from "./edge-load.ts";
import { ask, ended, roles } from "./edge-sides.ts";
import { accessToken, hmacAlone, noToken, wholeIdentity } from "./identity-sides.ts";
import { noCpuTimes } from "./process-cpu.ts";
import { asked } from "./revocation.ts";

const connections = 32;
/** Until what a Node process runs most is compiled. */
const warmUpRequests = 30_000;
/** In a loop: of so many short turns the quickest is taken; what the others took more, the machine's other work did to them. */
const loopRuns = 9;
const turnsARun = 12;
const requestsATurn = 2_000;
/** At the edge: many short windows, since a machine that slows down or hurries does so for longer than one; what counts is the median of neighbours' differences. */
const windowMs = 200;
const warmUpWindows = 12;
/** Each with an edge of its own: its evidence is read by nobody, and has an end. */
const edgeRuns = 12;
const windowsARun = 30;
const revocations = 7;
/** Of them each worker has some. */
const visitors = 16;

export const run: Bench = async (report) => {
  const startedAt = performance.now();
  const none = noCpuTimes();
  const common = { bench: "identity", machine: machine() };
  if (none !== undefined) return { ...common, tookMs: 0, figures: [], skipped: [{ what: "all of it", why: none }] };
  const figures = [...(await inLoop(report)), ...(await atTheEdge(report)), ...(await revoked(report))];
  return {
    ...common,
    tookMs: Math.round(performance.now() - startedAt),
    figures,
    skipped: [],
    conditions: {
      "the caller": "one access token, known to the edge's memory; a token of its own for each request, by HMAC-SHA256",
      "the HMAC alone":
        "of a text as long as a real token's, that no other request has, by the same function of node:crypto",
      "what counts":
        "CPU time of the process; in a loop a run is the quickest of several short turns, at the edge it is a window of 200 ms, in one process for both; a figure is the median of the differences of neighbours",
      workers: 2,
    },
  };
};

/** The same calls that the edge makes for each request, and nothing around them. */
async function inLoop(report: Report): Promise<Figure[]> {
  const now = instant(Date.now());
  // Time stands still: the cache stays warm.
  const clock = { wall: () => now, monotonic: () => 0 };
  const [whole, alone] = [wholeIdentity(clock), hmacAlone()];
  const credentials = {
    ...{ authorization: `Bearer ${accessToken}`, xHfAuthorization: undefined, ipToken: undefined },
    ...{ address: "192.0.2.7", inside: undefined },
  } as unknown as Parameters<EdgeOptions["identity"]["resolve"]>[0];
  await whole.resolve(credentials);
  let made = 0;
  const us = async (identity: EdgeOptions["identity"]): Promise<number> => {
    const before = process.cpuUsage();
    for (let n = 0; n < requestsATurn; n++) {
      const visitor = identity.resolve(credentials);
      if (visitor instanceof Promise || "refused" in visitor) throw new Error("it is known, and may visit");
      const request = `q_${String((made += 1)).padStart(16, "0")}`;
      identity.mint({ space: "alice/demo", request, visitor, asksFor: undefined, now });
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / requestsATurn;
  };
  for (const each of [whole, alone]) for (made = 0; made < warmUpRequests;) await us(each);
  return beyond("in a loop", await inTurn(whole, alone, us), report);
}

/** Both in one edge: two processes of the same program differ by more than is looked for, by where their code happens to lie. */
async function atTheEdge(report: Report): Promise<Figure[]> {
  // A socket's path has to be short; the evidence is on a disk.
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-identity-"));
  const disk = scratch("identity");
  const children: ChildProcess[] = [];
  try {
    const { start, node } = roles(folder, disk, children);
    await start("app");
    const { child: load } = await start("load");
    const wanted = [accessToken, noToken].map((token) => ({ want: "small", uploadBytes: 0, token }) as const);
    const pairs: Pairs = { whole: [], alone: [] };
    for (let run = 0; run < edgeRuns; run++) {
      const edge = await node("the edge", "edge-with-either-identity");
      const inTurn = async (count: number): Promise<Pairs> => {
        const windows = { ...edge, connections, ms: windowMs, count };
        const { turns } = await ask(load, "load", { ask: "windows", windows, wanted: wanted as [Wanted, Wanted] });
        const [whole, alone] = turns ?? [[], []];
        return { whole, alone };
      };
      await inTurn(warmUpWindows);
      const { whole, alone } = await inTurn(windowsARun);
      pairs.whole.push(...whole);
      pairs.alone.push(...alone);
      await ended(children.at(-1) as ChildProcess);
    }
    return beyond("at the edge", pairs, report);
  } finally {
    for (const child of children) await ended(child);
    for (const made of [folder, disk]) rmSync(made, { recursive: true, force: true });
  }
}

interface Pairs {
  readonly whole: number[];
  readonly alone: number[];
}

async function inTurn<Of>(whole: Of, alone: Of, us: (of: Of) => Promise<number>): Promise<Pairs> {
  const pairs: Pairs = { whole: [], alone: [] };
  for (let run = 0; run < loopRuns; run++) {
    const quickest = { whole: Number.POSITIVE_INFINITY, alone: Number.POSITIVE_INFINITY };
    for (let turn = 0; turn < turnsARun; turn++) {
      quickest.whole = Math.min(quickest.whole, await us(whole));
      quickest.alone = Math.min(quickest.alone, await us(alone));
    }
    pairs.whole.push(quickest.whole);
    pairs.alone.push(quickest.alone);
  }
  return pairs;
}

function beyond(where: string, { whole, alone }: Pairs, report: Report): Figure[] {
  const differences = whole.map((value, at) => value - (alone[at] ?? Number.NaN));
  const [all, hmac, more] = [whole, alone, differences].map((values) => median(values).toFixed(2));
  const quarters = [0.25, 0.75].map((share) => quantile(differences, share).toFixed(1)).join(" to ");
  report(
    `${where}: ${all} us a request, ${hmac} with the HMAC alone: ${more} beyond it, half of ${whole.length} pairs ${quarters}`,
  );
  return [
    figure(`identity cpu us per request beyond the HMAC, ${where}`, "us", differences),
    {
      ...figure(`cpu us per request with identity, ${where}`, "us", whole),
      peers: [peerOf("the HMAC alone", alone, whole)],
    },
  ];
}

/** From the moment that the order is sent until the last answer that any worker gave by that token. */
async function revoked(report: Report): Promise<Figure[]> {
  await using up = await Platform.start({ apart: await freePort(), gpus: null, service: true });
  const edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2"], {});
  await edge.start().ready;
  try {
    const alice = await up.account("alice");
    const app = await up.deploy(alice, "app", { "server.js": loadApp });
    if (!app.deployed.ok) throw new Error(app.deployed.says);
    const took: number[] = [];
    for (let n = 0; n < revocations; n++) {
      const { id, token } = await up.admin.createToken({ account: "alice", name: `run ${n}` });
      const agents = Array.from({ length: visitors }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const each = await asked(app.url, token, agents, async () => {
        await up.admin.revokeToken(id);
      });
      const workers = new Set<string>();
      for (const work of each.works) {
        const { entries } = await up.admin.explain(work);
        for (const { emitter } of entries) if (emitter.startsWith("edge-")) workers.add(emitter);
      }
      for (const agent of agents) agent.destroy();
      if (workers.size < 2)
        throw new Error(`only ${[...workers].join()} was asked: nothing is known of the other worker`);
      report(`a revocation was seen by ${workers.size} workers in ${Math.round(each.lastMs)} ms`);
      took.push(each.lastMs);
    }
    return [figure("ms until a revocation is seen by all workers", "ms", took)];
  } finally {
    await edge.end("SIGTERM");
  }
}
