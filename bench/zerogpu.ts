/**
 * A Gradio app on Waybill, in its sandbox where there is one, beside the same app with the same packages run by hand against a bare
 * Device API: what the platform adds to a call, to a start, and to memory. Calls of the two take turns.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readPlan } from "../src/runtime/folder.ts";
import { sandboxHere } from "../src/runtime/sandbox/prepare.ts";
import { httpCaller } from "../test/support/gradio-callers.ts";
import { freePort } from "../test/support/free-port.ts";
import { needs } from "../test/support/needs.ts";
import { Platform, until, type Account, type App } from "../test/support/platform.ts";
import { zeroGpuFiles } from "../test/support/zerogpu-world.ts";
import { figure, machine, median, peerOf, type Bench, type Figure } from "./document.ts";
import { rollupKb } from "./process-memory.ts";

const gradio = "6.31.0";
/** Every round builds and starts both apps anew: first calls can be made once in the life of an app. */
const rounds = 5;
const warmCalls = 40;
/** Functions that do nothing, each with a worker of its own. */
const functions = ["plain", "dynamic", "worker", "other_worker", "holds", "one_at_a_time", "greedy"];
const answerWithinMs = 60_000;
const byHand = "the same app by hand, a bare Device API";

interface Target {
  readonly url: string;
  readonly token?: string;
}

interface Round {
  /** From the upload, or the command, to the first answer. */
  readonly wholeMs: number;
  readonly startMs: number;
  readonly first: readonly number[];
  readonly warm: readonly number[];
  readonly without: readonly number[];
}

export const run: Bench = async (report) => {
  const startedAt = performance.now();
  const { skip } = await needs("gradio");
  const done = (figures: readonly Figure[], skipped: readonly { what: string; why: string }[]) => ({
    bench: "zerogpu",
    machine: machine(),
    tookMs: Math.round(performance.now() - startedAt),
    figures,
    skipped,
    conditions: { gradio, sandbox: sandboxed ? "bubblewrap" : "none", rounds, "warm calls a round": warmCalls },
  });
  const { problems } = await sandboxHere();
  const sandboxed = problems.length === 0;
  if (skip !== false) return done([], [{ what: "zerogpu", why: skip }]);

  // A card's slots are more than the functions, so that every first call finds a free one.
  await using up = await Platform.start({ gpus: "4x4", sandbox: sandboxed ? "bubblewrap" : "none" });
  const account = await up.account("bench", "unlimited");
  const builds: { cold: number; cached: number[] } = { cold: 0, cached: [] };
  const ours: Round[] = [];
  const theirs: Round[] = [];
  const pss: number[] = [];
  const priv: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const since = performance.now();
    const app = await deploy(up, account, round);
    if (!(await answers(app.url))) throw new Error(`${app.url} does not answer`);
    const wholeMs = performance.now() - since;
    if (round === 0) builds.cold = await buildMs(up, app);
    else builds.cached.push(await buildMs(up, app));
    const replica = await up.replica(app.space);
    const startMs = await readyMs(up, replica.id);
    await using bare = await runByHand(up, replica.folder);
    const pair = [{ url: app.url, token: account.token }, { url: bare.url }] as const;
    const first = await inTurn(pair, functions);
    const many = (api: string): readonly string[] => Array.from({ length: warmCalls }, () => api);
    const warm = await inTurn(pair, many("plain"));
    const without = await inTurn(pair, many("nothing"));
    ours.push({ wholeMs, startMs, first: first[0], warm: warm[0], without: without[0] });
    theirs.push({ wholeMs: bare.startMs, startMs: bare.startMs, first: first[1], warm: warm[1], without: without[1] });
    pss.push(memoryMb(replica.shim.pid, "Pss"));
    priv.push(memoryMb(replica.shim.pid, "Private_Clean", "Private_Dirty"));
    report(
      `round ${round + 1}: from the upload to the first answer ${Math.round(wholeMs)} ms, start by hand ${Math.round(bare.startMs)} ms; warm call ${show(warm[0])} ms, by hand ${show(warm[1])} ms; first ${show(first[0])} and ${show(first[1])} ms`,
    );
  }
  const each = (rows: readonly Round[], of: (row: Round) => number): number[] => rows.map(of);
  const beside = (name: string, of: (row: Round) => number): Figure => {
    const mine = each(ours, of);
    return { ...figure(name, "ms", mine), peers: [peerOf(byHand, each(theirs, of), mine)] };
  };
  const overhead = (of: (row: Round) => readonly number[]): number[] =>
    ours.map((row, index) => median(of(row)) - median(of(theirs[index] as Round)));
  return done(
    [
      beside("warm call p50", ({ warm }) => median(warm)),
      beside("first call p50", ({ first }) => median(first)),
      figure(
        "overhead of a warm call p50",
        "ms",
        overhead(({ warm }) => warm),
      ),
      figure(
        "overhead of a first call p50",
        "ms",
        overhead(({ first }) => first),
      ),
      figure(
        "overhead without a GPU p50",
        "ms",
        overhead(({ without }) => without),
      ),
      beside("start to listening", ({ startMs }) => startMs),
      figure("shim's memory, proportional", "MB", pss),
      figure("shim's memory, its own", "MB", priv),
      figure("cold build", "ms", [builds.cold]),
      figure("cached build", "ms", builds.cached),
      figure(
        "cached rebuild to the first answer, beyond the app's own start",
        "ms",
        ours.slice(1).map(({ wholeMs }, at) => wholeMs - (theirs[at + 1] as Round).wholeMs),
      ),
    ],
    sandboxed ? [] : [{ what: "the sandbox", why: problems.join("; ") }],
  );
};

const show = (values: readonly number[]): string => median(values).toFixed(1);

async function deploy(up: Platform, account: Account, round: number): Promise<App> {
  const files = zeroGpuFiles({ gradio });
  const changed = { ...files, "app.py": `${files["app.py"]}\n# round ${round}\n` };
  const app = await up.deploy(account, "kinds", { "package.json": "", "server.js": "", "work.js": "", ...changed });
  if (!app.deployed.ok) throw new Error(`the app was not built: ${app.deployed.says}`);
  return app;
}

/** From the build's claim to its publication: its steps, without the app's start. */
async function buildMs(up: Platform, { space }: App): Promise<number> {
  const { build } = await up.admin.space(space);
  const steps = (build?.steps ?? []).filter(({ name }) => name !== "start");
  return steps.reduce((sum, { tookMs }) => sum + tookMs, 0);
}

/** From the order to start it until it listened, by the agent's own entry. */
async function readyMs(up: Platform, replica: string): Promise<number> {
  return until("the replica's start is recorded", async () => {
    const { entries } = await up.admin.explain(replica);
    const ready = entries.find(({ hop, mark }) => hop === "replica.ready" && mark === "done");
    return ready && Number(ready.facts["tookMs"]);
  });
}

interface ByHand extends AsyncDisposable {
  readonly url: string;
  readonly startMs: number;
}

/** The release of that replica as a plain process, with the environment that Spaces have. */
async function runByHand(up: Platform, folder: string): Promise<ByHand> {
  const plan = readPlan(folder);
  const [python, file] = plan?.release.argv ?? [];
  if (plan === undefined || python === undefined || file === undefined)
    throw new Error(`${folder} does not say what the app is started with`);
  await using stack = new AsyncDisposableStack();
  const device = fork(join(import.meta.dirname, "zerogpu-device-api.ts"), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  stack.defer(() => device.disconnect());
  const [{ port: devicePort }] = (await once(device, "message")) as [{ port: number }];
  const home = join(up.folder, "by-hand");
  mkdirSync(home, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const app = spawn(python, [file], {
    cwd: join(plan.releaseFolder, "app"),
    stdio: ["ignore", "ignore", "ignore"],
    // A group of its own, that ends whole: workers outlive the app that forked them.
    detached: true,
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      LANG: "C.UTF-8",
      SYSTEM: "spaces",
      SPACE_ID: "bench/kinds",
      PYTHONUNBUFFERED: "1",
      GRADIO_ANALYTICS_ENABLED: "False",
      GRADIO_SERVER_NAME: "127.0.0.1",
      GRADIO_SERVER_PORT: String(port),
      SPACES_ZERO_GPU: "1",
      SPACES_ZERO_DEVICE_API_URL: `http://127.0.0.1:${devicePort}`,
      ZEROGPU_PROC_SELF_CGROUP_PATH: join(folder, "cgroup"),
      ZEROGPU_OFFLOAD_DIR: home,
    },
  });
  stack.defer(() => end(app));
  await until("the app by hand listens", () => answers(url), answerWithinMs);
  const startMs = performance.now() - startedAt;
  const running = stack.move();
  return { url, startMs, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** With all of its group. */
async function end(child: ChildProcess): Promise<void> {
  const isOver = child.exitCode !== null || child.signalCode !== null;
  const ended = isOver ? undefined : once(child, "exit");
  try {
    process.kill(-(child.pid ?? 0), "SIGKILL");
  } catch (error) {
    if (!isOver) throw error; // Else none of them is left.
  }
  await ended;
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false, // It does not listen yet.
  );

/** Each of the calls to both, the one and then the other; the times of each. */
async function inTurn(
  pair: readonly [Target, Target],
  apis: readonly string[],
): Promise<readonly [readonly number[], readonly number[]]> {
  const times: [number[], number[]] = [[], []];
  for (const [turn, api] of apis.entries()) {
    // Who is first changes, so that neither always comes upon a machine that the other has warmed.
    for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      times[which].push(await callMs(pair[which], api));
  }
  return times;
}

async function callMs(target: Target, api: string): Promise<number> {
  const startedAt = performance.now();
  const { error } = await httpCaller().call({ ...target, api, x: 0 });
  if (error !== undefined) throw new Error(`${api} ended otherwise: ${error.slice(0, 500)}`);
  return performance.now() - startedAt;
}

/** Pages that other processes have too count by their share. */
function memoryMb(pid: number, ...fields: readonly string[]): number {
  return rollupKb(pid, ...fields) / 1024;
}
