/**
 * The edge beside a bare `node:http` relay: each in a process of its own between one load generator and one backend, taking turns.
 * What counts is the CPU time that the process in the middle spends for a request; the machine's other work does not move it much.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileSystemOf, scratch } from "./disk.ts";
import { figure, machine, peerOf } from "./document.ts";
import type { Bench, Figure, Report } from "./document.ts";
import type { Asked, Told } from "./edge-roles.ts";

const rounds = 7;
const windowMs = 1_500;
const warmUpMs = 2_500;
const connections = 32;
/** What the app sends back. */
const bodyBytes = 1_024;
/** A child that has not answered by then is stuck, and the benchmark with it. */
const answerWithinMs = 15_000;

const relayName = "node:http relay, keep-alive agent, no evidence";

interface Sample {
  readonly cpuUs: number;
  readonly requests: number;
}

export const run: Bench = async (report) => {
  const startedAt = performance.now();
  // A socket's path has to be short; the evidence is on a disk.
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-edge-"));
  const spool = scratch("edge");
  const children: ChildProcess[] = [];
  const start = async (role: string): Promise<{ child: ChildProcess; port: number }> => {
    const child = fork(join(import.meta.dirname, "edge-roles.ts"), [role, folder, spool, String(bodyBytes)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.push(child);
    const ready = await answer(child);
    return { child, port: ready.port ?? 0 };
  };
  try {
    await start("backend");
    const ours = await start("edge");
    const relay = await start("relay");
    const load = (await start("load")).child;
    const sample = async (middle: typeof ours, ms: number): Promise<Sample> => {
      const before = await ask(middle.child, { ask: "cpu" });
      const done = await ask(load, { ask: "run", port: middle.port, ms, connections });
      const after = await ask(middle.child, { ask: "cpu" });
      return { cpuUs: (after.cpuUs ?? 0) - (before.cpuUs ?? 0), requests: done.requests ?? 0 };
    };
    for (const middle of [ours, relay]) await sample(middle, warmUpMs);
    const figures = await compareInTurn(
      () => sample(ours, windowMs),
      () => sample(relay, windowMs),
      report,
    );
    return {
      bench: "edge",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped: [],
      conditions: {
        connections,
        "body bytes": bodyBytes,
        "request headers": 9,
        evidence: `a packed record a request, in a spool file on ${fileSystemOf(spool)}`,
        identity: "address, HMAC-SHA256 token a request",
      },
    };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    for (const made of [folder, spool]) rmSync(made, { recursive: true, force: true });
  }
};

/** One pair of runs gives both figures: requests a second of one core are the inverse of CPU time for a request. */
async function compareInTurn(
  ours: () => Promise<Sample>,
  relay: () => Promise<Sample>,
  report: Report,
): Promise<Figure[]> {
  const mine: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [a, b] = [await ours(), await relay()];
    mine.push(a.cpuUs / a.requests);
    theirs.push(b.cpuUs / b.requests);
    report(
      `edge ${mine.at(-1)?.toFixed(1)} us, ${a.requests} requests; relay ${theirs.at(-1)?.toFixed(1)} us, ${b.requests} requests`,
    );
  }
  const perSecond = (us: number): number => 1e6 / us;
  const rates = mine.map(perSecond);
  return [
    { ...figure("req/s per core", "req/s", rates), peers: [peerOf(relayName, theirs.map(perSecond), rates)] },
    { ...figure("cpu us per request", "us", mine), peers: [peerOf(relayName, theirs, mine)] },
  ];
}

function ask(child: ChildProcess, question: Asked): Promise<Told> {
  child.send(question);
  return answer(child);
}

function answer(child: ChildProcess): Promise<Told> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`${child.spawnargs.at(-4)} did not answer in ${answerWithinMs} ms`)),
      answerWithinMs,
    );
    const exited = (code: number | null): void => reject(new Error(`${child.spawnargs.at(-4)} ended with ${code}`));
    child.once("exit", exited);
    child.once("message", (told: Told) => {
      clearTimeout(late);
      child.off("exit", exited);
      resolve(told);
    });
  });
}
