/** `npm run bench -- runtime`: the platform's start and size, and what it adds to an app: memory, start, wake, build, log. */
import { setTimeout as delay } from "node:timers/promises";
import { sandboxHere } from "../src/runtime/sandbox/prepare.ts";
import { Platform, until } from "../test/support/platform.ts";
import type { Started } from "../test/support/replicas.ts";
import {
  figure,
  machine,
  median,
  peerOf,
  type Bench,
  type Figure,
  type Peer,
  type Report,
  type Skipped,
} from "./document.ts";
import { logThroughput } from "./log-throughput.ts";
import { npmByHand, ourBuilds } from "./runtime-builds.ts";
import { pssMB } from "./process-memory.ts";
import { replicaBench, shimCpuUs, shimMB, type ReplicaBench } from "./runtime-replicas.ts";

const boots = 5;
/** Figures of memory are told at this many. */
const replicas = 20;
const many = 100;
const startsAtOnce = 4;
const cycles = 40;
const wakes = 10;
const floodMegabytes = 300;
/** Probes are run ten seconds after the start and take a few; where there is no sandbox there are none. */
const probesWithinMs = 60_000;
/** Idle is what was left alone: what the start and the probes took is given back within half a minute. */
const leftAloneMs = 40_000;
/** Several of a shim's slowest looks. */
const idleWatchMs = 15_000;
const aboveOwnStart = "wake of a stopped app above its own start ms";
const promised = {
  "boot ms": 1_500,
  "idle MB": 140,
  "MB per replica": 25,
  "wake frozen ms": 150,
  "idle processor % of 100 shims": 15,
  [aboveOwnStart]: 150,
} as const;

export const run: Bench = async (report) => {
  const startedAt = performance.now();
  const { problems } = await sandboxHere();
  const sandboxed = problems.length === 0;
  const skipped: Skipped[] = sandboxed ? [] : [{ what: "sandboxes", why: problems.join("; ") }];
  if (process.platform !== "linux") throw new Error("memory is read in /proc: this benchmark needs Linux");
  const figures = [
    ...(await platformFigures(sandboxed, report, skipped)),
    ...(await replicaFigures(sandboxed, report)),
    await logFigure(report),
  ];
  for (const [name, most] of Object.entries(promised)) {
    const found = figures.find((one) => one.name === name)?.ours ?? Number.NaN;
    if (found <= most) continue;
    report(`${name} is ${found}, promised are ${most}`);
    process.exitCode = 1;
  }
  return {
    bench: "runtime",
    machine: machine(),
    tookMs: Math.round(performance.now() - startedAt),
    figures,
    skipped,
    conditions: { sandbox: sandboxed ? "bubblewrap" : "none", "replicas for memory": replicas, app: "a Node server" },
  };
};

async function platformFigures(sandboxed: boolean, report: Report, skipped: Skipped[]): Promise<readonly Figure[]> {
  const boot: number[] = [];
  const first = await booted();
  // The first fills what Node keeps of what it compiled, where nothing was kept before.
  report(`first boot: ${Math.round(first.ms)} ms`);
  await first.up[Symbol.asyncDispose]();
  for (let n = 1; n < boots; n++) {
    const { up, ms } = await booted();
    boot.push(ms);
    report(`boot: ${Math.round(ms)} ms`);
    await up[Symbol.asyncDispose]();
  }
  const { up, ms } = await booted();
  boot.push(ms);
  await using _ = up;
  const probed = async (): Promise<boolean> => ((await up.admin.status()).isolation?.probes ?? null) !== null;
  if (sandboxed)
    await until("the probes were run", probed, probesWithinMs).catch(() =>
      skipped.push({ what: "idle after the probes", why: `they took more than ${probesWithinMs / 1_000} s` }),
    );
  await delay(leftAloneMs);
  const idle = pssMB(up.pid);
  report(`idle: ${Math.round(idle)} MB`);
  return [figure("boot ms", "ms", boot), figure("idle MB", "MB", [idle]), ...(await buildFigures(up, report, skipped))];
}

async function booted(): Promise<{ readonly up: Platform; readonly ms: number }> {
  const since = performance.now();
  const up = await Platform.start({ sandbox: "best" });
  return { up, ms: performance.now() - since };
}

async function buildFigures(up: Platform, report: Report, skipped: Skipped[]): Promise<readonly Figure[]> {
  const hand = npmByHand();
  if (hand === undefined) {
    skipped.push({ what: "builds", why: "npm cannot install a package here" });
    return [];
  }
  skipped.push({ what: "uv", why: "npm run bench -- zerogpu builds a Gradio app, cold and cached" });
  const ours = await ourBuilds(up, await up.account("bench", "unlimited"));
  report(`build, to the first answer: ${Math.round(ours.cold)} ms, cached ${Math.round(ours.cached)} ms`);
  return (["cold", "cached"] as const).map((which) => ({
    ...figure(`build ${which} ms`, "ms", [ours[which]]),
    peers: [peerOf("npm ci alone", [hand[which]], [ours[which]])],
  }));
}

async function replicaFigures(sandboxed: boolean, report: Report): Promise<readonly Figure[]> {
  await using bench = await replicaBench(sandboxed);
  const all: Started[] = [];
  const [starts, above] = await startsBesideHand(bench);
  report(`start to first answer: ${starts.ours} ms, by hand ${starts.peers[0]?.value} ms, above that ${above.ours} ms`);
  await startUpTo(bench, all, replicas);
  const memory = figure("MB per replica", "MB", [shimMB(all)]);
  report(`${memory.ours} MB a shim at ${replicas} replicas`);
  const wake = await wakeFigure(bench, all[0] as Started);
  report(`wake of a frozen app: ${wake.ours} ms, a running one answers in ${wake.peers[0]?.value} ms`);
  const since = performance.now();
  await startUpTo(bench, all, many);
  const answers: number[] = [];
  for (const one of all) answers.push(await bench.ask(one));
  const startedRate = ((many - replicas) * 1_000) / (performance.now() - since);
  report(`${many} replicas, each answers, in ${median(answers).toFixed(1)} ms`);
  const hundred = [
    figure("answer at 100 replicas ms", "ms", answers),
    figure("MB per replica at 100", "MB", [shimMB(all)]),
  ];
  // A first look of each at everything is over.
  await delay(idleWatchMs);
  const usedBefore = shimCpuUs(all);
  await delay(idleWatchMs);
  const idle = (shimCpuUs(all) - usedBefore) / (10 * idleWatchMs);
  report(`${many} idle shims use ${idle.toFixed(1)} % of a processor`);
  hundred.push(figure("idle processor % of 100 shims", "%", [idle]));
  await Promise.all(all.map((one) => bench.stop(one)));
  const rate = await cycleRate(bench);
  report(`${rate.toFixed(1)} starts and stops a second`);
  return [
    starts,
    above,
    memory,
    wake,
    ...hundred,
    figure("starts/s to 100 replicas", "1/s", [startedRate]),
    figure("start/stop cycles/s", "1/s", [rate]),
  ];
}

/** Ours and by hand in turn, and the differences within each turn: what a woken app waits beyond its own start. */
async function startsBesideHand(bench: ReplicaBench): Promise<readonly [starts: Figure, above: Figure]> {
  const ours: number[] = [];
  const hand: number[] = [];
  // The first makes the Space's /data, which a woken app has.
  await bench.stop((await bench.start()).one);
  for (let n = 0; n < wakes; n++) {
    const { one, ms } = await bench.start(true);
    await bench.stop(one);
    ours.push(ms);
    hand.push(await bench.byHand());
  }
  const above = ours.map((ms, turn) => ms - (hand[turn] as number));
  return [
    { ...figure("wake stopped ms", "ms", ours), peers: [peerOf("the app by hand", hand, ours)] },
    figure(aboveOwnStart, "ms", above),
  ];
}

async function startUpTo(bench: ReplicaBench, all: Started[], count: number): Promise<void> {
  let begun = all.length;
  const lane = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      all.push((await bench.start()).one);
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, lane));
}

async function wakeFigure(bench: ReplicaBench, one: Started): Promise<Figure> {
  const frozen: number[] = [];
  const running: number[] = [];
  for (let n = 0; n < wakes; n++) {
    await bench.freeze(one);
    frozen.push(await bench.ask(one));
    running.push(await bench.ask(one));
  }
  const peer: Peer = peerOf("while it runs", running, frozen);
  return { ...figure("wake frozen ms", "ms", frozen), peers: [peer] };
}

async function cycleRate(bench: ReplicaBench): Promise<number> {
  const since = performance.now();
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < cycles) {
      begun += 1;
      await bench.stop((await bench.start()).one);
    }
  };
  await Promise.all(Array.from({ length: startsAtOnce }, lane));
  return (cycles * 1_000) / (performance.now() - since);
}

async function logFigure(report: Report): Promise<Figure> {
  const { acceptedMBs, pipeMBs, lastWordsKept, toldLeftOut } = await logThroughput(floodMegabytes);
  if (!lastWordsKept || !toldLeftOut)
    throw new Error("the log of a flood lost its end, or does not say what it left out");
  report(`log: ${Math.round(acceptedMBs)} MB/s`);
  return {
    ...figure("log throughput", "MB/s", [acceptedMBs]),
    peers: [peerOf("the same to cat > /dev/null", [pipeMBs], [acceptedMBs])],
  };
}
