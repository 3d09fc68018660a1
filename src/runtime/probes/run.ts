/**
 * A probe run: two replicas of two Spaces, started by the very code that starts all others. One lives and has something to find;
 * the other tries everything that an app must not be able to do. What came of it is read from its /data, and what is in force is
 * measured from outside meanwhile.
 */
import {
  constants,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { removeFolder } from "../../record/remove-folder.ts";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ReplicaStatus } from "../../contract/agent.ts";
import type { ReleaseManifest } from "../../contract/release.ts";
import { assert } from "../../stdx/assert.ts";
import { newId, type RandomBytes } from "../../stdx/ids.ts";
import { durationMs } from "../../stdx/time.ts";
import { readPlan, readShim, type LaunchPlan, type StoredPlan } from "../folder.ts";
import type { ReplicaLink } from "../link.ts";
import type { CgroupsHere } from "../sandbox/cgroups.ts";
import { putBait } from "./host.ts";
import { factsName, outcomesName, type Facts, type Outcome, type ReplicaFacts } from "./inside/facts.ts";
import { measure, type Measured } from "./measure.ts";
import { probePrograms } from "./programs.ts";

/** How the node starts replicas; the plan's sandbox is the launcher's to make. */
export interface ProbeLauncher {
  launch(plan: LaunchPlan, agentEpoch: number): Promise<ReplicaLink>;
  adopt(folder: string, agentEpoch: number): Promise<ReplicaLink | { readonly dead: ReplicaStatus }>;
  runs(folder: string): boolean;
  ended(folder: string): Promise<void>;
}

export interface ProbedNode {
  /** For the run's replicas; emptied before and after. */
  readonly folder: string;
  /** Where the agent keeps everything. */
  readonly agentFolder: string;
  readonly launcher: ProbeLauncher;
  readonly cgroups: CgroupsHere;
  readonly random: RandomBytes;
  /** The prober runs in an image's files instead of the machine's: their folder, with Python, to be given to the prober's user. */
  readonly image?: string;
}

export interface ProbeRun {
  readonly outcomes: readonly Outcome[];
  /** Why some could not be tried at all. */
  readonly notRun: readonly string[];
  readonly measured: Measured;
}

/** Memory is for Node and Python, and is used up once; the rest is filled. */
export const probeLimits = {
  memoryBytes: 256 << 20,
  processes: 128,
  processors: 1,
  openFiles: 1_024,
  tmpBytes: 8 << 20,
  shmBytes: 8 << 20,
  homeBytes: 8 << 20,
} as const;

/** Small, to be filled; a journal has to fit. */
export const probeDisk = { dataBytes: 16 << 20, layerBytes: 16 << 20, reserveBytes: 0 } as const;

/** No Space of a user has such a name. */
const spaces = { prober: ".probes/prober", neighbour: ".probes/neighbour" } as const;
type Role = keyof typeof spaces;
/** Five seconds where nothing else runs, and behind all that does. */
const runWithinMs = 300_000;
const stopWithinMs = 10_000;
const readyWithinMs = durationMs(runWithinMs);
const lookEveryMs = 20;
const outcomesMaxBytes = 1 << 20;

/** Rejects where the sandboxes could not be made, the prober did not come to its end, or `signal` was aborted. */
export async function probe(node: ProbedNode, signal: AbortSignal): Promise<ProbeRun> {
  await clearProbes(node);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => removeFolder(node.folder));
  const name = newId("p", node.random);
  const bait = stack.use(await putBait(node.agentFolder, name));
  const neighbour = stack.use(await start(node, "neighbour"));
  const prober = stack.use(await start(node, "prober"));
  const facts = factsOf(bait.facts, prober.plan, neighbour.plan);
  giveFacts(prober.plan, facts);
  const measuring = measure(node.cgroups, { prober: prober.plan, neighbour: neighbour.plan });
  const end = await prober.ended(signal);
  const said = readOutcomes(prober.plan, end);
  const outcomes: readonly Outcome[] = [
    ...said.outcomes,
    {
      probe: "host-visits",
      tries: "have anything arrive at the host's own listeners",
      closed: ["none"],
      byDesign: false,
      outcome: bait.visits() === 0 ? "none" : `open: ${bait.visits()} arrived`,
    },
  ];
  return { outcomes, notRun: said.notRun, measured: await measuring.finish(outcomes) };
}

/** Ends and removes what a run left whose agent was killed. */
export async function clearProbes(node: ProbedNode): Promise<void> {
  if (!existsSync(node.folder)) return;
  for (const role of Object.keys(spaces)) {
    const folder = join(node.folder, role);
    if (readPlan(folder) === undefined) continue;
    const found = await node.launcher.adopt(folder, 0);
    if (!("dead" in found)) await stop(found);
    await afterwards(node, folder);
  }
  await removeFolder(node.folder);
}

interface Running extends AsyncDisposable {
  readonly plan: StoredPlan;
  ended(signal: AbortSignal): Promise<ReplicaStatus>;
}

async function start(node: ProbedNode, role: Role): Promise<Running> {
  const folder = join(node.folder, role);
  const releaseFolder = join(node.folder, `${role}-release`);
  const image = role === "prober" ? node.image : undefined;
  const main = makeRelease(join(image ?? releaseFolder, "app"));
  mkdirSync(join(releaseFolder, "app"), { recursive: true, mode: 0o755 });
  const replica = newId("p", node.random);
  const release = { release: `rel_probe_${role}`, space: spaces[role], sdk: "node" } as const;
  const plan: LaunchPlan = {
    folder,
    releaseFolder,
    sandbox: null,
    spec: { replica, env: {}, readyWithinMs, ...release },
    release: {
      ...release,
      commit: "0".repeat(40),
      build: "b_probe",
      title: "Probes",
      argv: ["node", main, role],
      staticFolder: ".",
      appPort: 7860,
      builtAt: new Date(0).toISOString(),
      ...(image === undefined ? {} : inImage(image)),
    },
  };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const link = await node.launcher.launch(plan, 0);
  const stored = readPlan(folder);
  assert(stored?.sandbox, "probes run in a sandbox or not at all");
  return {
    plan: stored,
    ended: (signal) => untilEnded(link, runWithinMs, signal),
    async [Symbol.asyncDispose]() {
      await stop(link);
      await afterwards(node, folder);
    },
  };
}

/** The image brings Python, and this machine its Node. */
function inImage(root: string): Pick<ReleaseManifest, "image" | "needs" | "env"> {
  const node = dirname(process.execPath);
  const env = { PATH: `${node}:/usr/local/bin:/usr/bin:/bin`, HOME: "/" };
  return { image: { id: "0".repeat(64), root, workdir: "/app" }, needs: [node], env };
}

/** A copy of the programs, which belongs to the replica's user from then on; its entry's name. */
function makeRelease(app: string): string {
  mkdirSync(app, { recursive: true, mode: 0o755 });
  const files = probePrograms();
  for (const { name, text } of files) writeFileSync(join(app, name), text);
  writeFileSync(join(app, "package.json"), '{ "type": "module" }\n');
  return files.some(({ name }) => name === "main.ts") ? "main.ts" : "main.js";
}

function factsOf(host: Facts["host"], prober: StoredPlan, neighbour: StoredPlan): Facts {
  const node = prober.path[0] ?? "";
  return {
    host,
    own: placesOf(prober),
    neighbour: placesOf(neighbour),
    bound: [...(prober.release.needs ?? []), ...(node.startsWith("/usr/") ? [] : [node])],
    devices: (prober.sandbox?.devices ?? []).map((path) => path.split("/").at(-1) ?? ""),
    limits: prober.sandbox?.limits ?? probeLimits,
    disk: prober.sandbox?.disk?.data.volume ? probeDisk : null,
  };
}

/** Its /data as its shim sees it, which lives a while longer than the app: mounted there alone, where it is a file system. */
function dataOf({ folder, sandbox }: StoredPlan): string {
  const { pid } = readShim(folder) ?? {};
  assert(sandbox && pid !== undefined, "a probed replica has a shim and a sandbox");
  return join(`/proc/${pid}/root`, sandbox.dataFolder);
}

function placesOf(plan: StoredPlan): ReplicaFacts {
  const { spec, folder, releaseFolder, sockets, sandbox } = plan;
  const shim = readShim(folder) ?? { pid: 0, start: "" };
  return { replica: spec.replica, folder, releaseFolder, sockets, dataFolder: sandbox?.dataFolder ?? "", shim };
}

/** Whole at once: the prober begins when it sees the file. */
function giveFacts(plan: StoredPlan, facts: Facts): void {
  const path = join(dataOf(plan), factsName);
  writeFileSync(`${path}.new`, JSON.stringify(facts), { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

interface Said {
  readonly outcomes: readonly Outcome[];
  readonly notRun: readonly string[];
}

type Line = Partial<Outcome> & { readonly begins?: string; readonly notRun?: string; readonly done?: true };

/** Throws where the prober did not get to its end, but for the one that is to end it. */
function readOutcomes(plan: StoredPlan, { end }: ReplicaStatus): Said {
  const path = join(dataOf(plan), outcomesName);
  const lines = (existsSync(path) ? readOwn(path) : "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
  const outcomes = lines.filter((line): line is Outcome => line.outcome !== undefined);
  const notRun = lines.flatMap(({ notRun: why }) => why ?? []);
  if (lines.some(({ done }) => done)) return { outcomes, notRun };
  const last = lines.at(-1);
  if (last?.begins === undefined || end?.code !== "app/out-of-memory")
    throw new Error(`the prober did not come to its end: ${end?.says ?? "it ended without a word"}`);
  const { begins, tries = "", closed = [] } = last;
  const outcome = { probe: begins, tries, byDesign: false, outcome: end.code, closed: [...closed, end.code] };
  return { outcomes: [...outcomes, outcome], notRun };
}

/** The folder is the app's: what lies there may be a link, or endless. */
function readOwn(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const text = readFileSync(file, "utf8");
    if (text.length > outcomesMaxBytes) throw new Error(`the prober said more than ${outcomesMaxBytes} characters`);
    return text;
  } finally {
    closeSync(file);
  }
}

async function stop(link: ReplicaLink): Promise<void> {
  link.send({ type: "stop", graceMs: 0, why: "the probes are over" });
  try {
    await untilEnded(link, stopWithinMs, null);
  } finally {
    link.close();
  }
}

async function untilEnded(link: ReplicaLink, withinMs: number, signal: AbortSignal | null): Promise<ReplicaStatus> {
  const ended = Promise.withResolvers<ReplicaStatus>();
  const look = (): void => {
    if (link.status().end) ended.resolve(link.status());
  };
  link.onMessage(look);
  link.onClose(() => {
    look();
    ended.reject(new Error("the shim of a probed replica was lost"));
  });
  look();
  const late = setTimeout(() => ended.reject(new Error(`the probes did not end within ${withinMs} ms`)), withinMs);
  const aborted = (): void => ended.reject(signal?.reason as Error);
  signal?.addEventListener("abort", aborted, { once: true });
  if (signal?.aborted) aborted();
  try {
    return await ended.promise;
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", aborted);
  }
}

/** Its shim tells its end shortly before it ends itself. */
async function afterwards({ launcher }: ProbedNode, folder: string): Promise<void> {
  for (let waited = 0; waited < stopWithinMs && launcher.runs(folder); waited += lookEveryMs) await delay(lookEveryMs);
  const dataFolder = readPlan(folder)?.sandbox?.dataFolder;
  await launcher.ended(folder);
  if (dataFolder !== undefined) await removeFolder(dirname(dataFolder));
}
