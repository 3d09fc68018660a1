/**
 * A build's bench, from inside the build's network namespace: opens its network once, then runs its commands one after the other,
 * each in a sandbox of its own, made by the recipe of the replicas. It ends with the agent's end of the line, and all of it with it.
 */
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "../../stdx/assert.ts";
import { readFrames, writeFrame } from "../frames.ts";
import { openNetwork } from "../net/network.ts";
import { endAll, members, type Membership, type Processes } from "../processes.ts";
import { killGroup } from "../sandbox/cgroups.ts";
import { watchMemory } from "../sandbox/memory.ts";
import { laySystem, type SystemLayer } from "../sandbox/overlay.ts";
import { insideUser, type BuilderRecipe, type Recipe } from "../sandbox/recipe.ts";
import { prepareFiles, startSandboxed, type Sandboxed, type SandboxFiles } from "../sandbox/start.ts";
import type { BenchPlan, FromBench, RunEnd, ToBench } from "./messages.ts";

const hostname = "build";
/** After a command's end its output is read on for at most this long; nobody is left who could write. */
const drainMs = 2_000;

/** Resolves when the agent has gone or closed the line; whoever called ends the process then. */
export async function serveBench(line: Duplex, processes: Processes): Promise<void> {
  const say = (message: FromBench): void => void writeFrame<FromBench>(line, message);
  let opened: Opened | undefined;
  let running: Running | undefined;
  // A line that breaks closes itself.
  line.on("error", () => undefined);
  readFrames<ToBench>(line, (message) => {
    if (message.type === "open") {
      void open(message.plan, say).then((files) => {
        opened = files && { ...files, plan: message.plan };
        if (files) say({ type: "ready" });
      });
    } else if (message.type === "end") void running?.end();
    else if (message.type === "lay") {
      void lay(message.packages, opened).then((says) => say({ type: "laid", says }));
    } else {
      assert(opened !== undefined, "a command comes after the bench is ready");
      running = begin(message, opened, line, processes);
      void running.ended.then((end) => say({ type: "ended", run: message.run, ...end }));
    }
  });
  await once(line, "close");
}

interface Opened extends SandboxFiles {
  readonly plan: BenchPlan;
  /** Debian packages over the machine's own. */
  system?: SystemLayer;
}

/** The network and the files that all commands share; says why where they cannot be made. */
async function open(
  { folder, gateway, ports, images }: BenchPlan,
  say: (message: FromBench) => void,
): Promise<SandboxFiles | undefined> {
  try {
    const files = prepareFiles(folder, hostname, images === null ? "command" : "image-builder");
    await openNetwork({ gateway, ports, note: (text) => say({ type: "note", text }) });
    return files;
  } catch (error) {
    say({ type: "denied", says: `its network could not be made: ${(error as Error).message}` });
    return undefined;
  }
}

async function lay(packages: string, opened: Opened | undefined): Promise<string | null> {
  assert(opened !== undefined, "packages come after the bench is ready");
  try {
    opened.system = await laySystem(packages, join(opened.plan.folder, "layer"));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Running {
  readonly ended: Promise<RunEnd>;
  end(): Promise<void>;
}

function begin(
  command: Extract<ToBench, { type: "run" }>,
  opened: Opened,
  line: Duplex,
  processes: Processes,
): Running {
  const { plan, filter, bundle } = opened;
  const { driver, cgroups } = plan;
  const started = startSandboxed(recipeOf(command, opened), { filter, bundle, driver, cgroups: cgroups?.join ?? [] });
  const streams = [started.stdout, started.stderr] as const;
  const closed = Promise.all(streams.map((stream) => once(stream, "close")));
  pass(started.stdout, "out", line);
  pass(started.stderr, "err", line);
  return {
    ended: finish(started, plan, line, processes).then(async (end) => {
      await Promise.race([closed, delay(drainMs)]);
      return end;
    }),
    // Its outer process takes its pid 1 with it, and that one all others.
    end: async () => void started.child.kill("SIGKILL"),
  };
}

/** Until the command has ended, and with it all that it started: what is left ends with its pid 1, or with its group. */
async function finish(
  started: Sandboxed,
  { cgroups, limits, marker }: BenchPlan,
  line: Duplex,
  processes: Processes,
): Promise<RunEnd> {
  const pid = await started.pid1;
  const of: Membership | undefined =
    pid === undefined ? undefined : { root: { pid, start: processes.stat(pid)?.start ?? "" }, marker, sandboxed: true };
  const clear = async (): Promise<void> => {
    if (cgroups?.workers) killGroup(cgroups.workers);
    if (of) await endAll(processes, () => members(processes, of, process.pid));
  };
  const note = (text: string): void => void writeFrame<FromBench>(line, { type: "note", text });
  const memory = of && watchMemory({ sandbox: { cgroups, limits }, of, processes, note, end: () => void clear() });
  const { exitCode, signal, failure, denied } = await started.exited;
  const outOfMemory = exitCode !== 0 && memory?.ranOut() === true;
  memory?.close();
  await clear();
  return { exitCode, signal, failure, denied, outOfMemory };
}

function recipeOf(
  { argv, env }: Extract<ToBench, { type: "run" }>,
  { plan, etc, system }: Opened,
): Recipe | BuilderRecipe {
  const [name = "", value = ""] = plan.marker.split("=");
  const own = { HOME: insideUser.home, TMPDIR: "/tmp", PATH: plan.path.join(":"), [name]: value };
  const { cwd, writable, limits, images } = plan;
  const readOnly = [...plan.readOnly, ...(system?.others ?? [])];
  const usr = system === undefined ? {} : { usr: system.usr };
  const files = { argv, cwd, env: { ...env, ...own }, readOnly, writable, etc, hostname, limits, ...usr };
  if (images === null) return { ...files, devices: [] };
  return { ...files, ...images, env: { ...files.env, TMPDIR: "/var/tmp" } };
}

/** A reader that does not keep up holds up the writer, and not our memory. */
function pass(from: Readable, stream: "out" | "err", line: Duplex): void {
  from.on("data", (bytes: Buffer) => {
    writeFrame<FromBench>(line, { type: "output", stream, bytes: bytes.toString("base64") });
    if (!line.writableNeedDrain) return;
    from.pause();
    line.once("drain", () => from.resume());
  });
}
