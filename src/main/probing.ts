/** Has it tried, once for each node and recipe, what an app can do from inside; and has everybody told what came of it. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Isolation } from "../contract/isolation.ts";
import { isOpen, probesSay } from "../contract/isolation.ts";
import { readStored, writeStored } from "../runtime/folder.ts";
import { probeKey } from "../runtime/probes/key.ts";
import { countOf, measuredIsolation } from "../runtime/probes/report.ts";
import { clearProbes, probe, probeDisk, probeLimits, type ProbedNode } from "../runtime/probes/run.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { iso, type Clock } from "../stdx/time.ts";
import { launcher, type NodeSandbox } from "./launcher.ts";

export interface ProbingOptions {
  /** The agent's folder: the result is kept in it, as `probes.json`. */
  readonly folder: string;
  readonly sandbox: NodeSandbox;
  readonly tools: Parameters<typeof launcher>[0];
  /** What the node's start found. */
  readonly isolation: Isolation;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: { error(facts: object, says: string): void };
  onMeasured(isolation: Isolation): void;
}

interface Kept {
  readonly key: string;
  readonly isolation: Isolation;
}

/** What people start the platform for goes first: apps that were running come up, somebody deploys. */
const afterStartMs = 10_000;
const keptName = "probes.json";

/** Runs in the background; closing it ends a run that is under way. */
export function startProbing(options: ProbingOptions): AsyncDisposable {
  const stop = new AbortController();
  const running = run(options, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return; // The next start tries again.
    const failed = error instanceof Error ? error.message : String(error);
    options.log.error({ error: failed }, "the probes could not be run: how closed off apps are is not known");
    const at = iso(options.clock.wall());
    options.onMeasured({ ...options.isolation, probes: { failed, at } });
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the platform stops"));
      await running;
    },
  };
}

async function run(options: ProbingOptions, signal: AbortSignal): Promise<void> {
  const { folder, sandbox, tools, clock, random, isolation } = options;
  const { driver, cgroups, volumes, ports } = sandbox;
  const node: ProbedNode = {
    folder: join(folder, "probes"),
    agentFolder: folder,
    launcher: launcher(tools, { ...sandbox, limits: probeLimits, disk: probeDisk }, probeDisk.reserveBytes),
    cgroups,
    random,
  };
  const key = await probeKey({ driver, isRoot: isolation.hostUid === "own", cgroups, volumes, ports });
  const kept = readKept(folder);
  if (kept?.key === key) {
    await clearProbes(node);
    return tell(options, kept.isolation);
  }
  await delay(afterStartMs, undefined, { signal });
  const { outcomes, notRun, measured } = await probe(node, signal);
  const found = measuredIsolation(driver, measured, countOf(outcomes, notRun, iso(clock.wall())));
  writeStored(folder, keptName, { key, isolation: found } satisfies Kept);
  tell(options, found);
}

function tell({ log, onMeasured }: ProbingOptions, isolation: Isolation): void {
  if (isOpen(isolation)) log.error({ probes: isolation.probes }, probesSay(isolation) ?? "");
  onMeasured(isolation);
}

/** A damaged one counts as none: it is measured anew. */
function readKept(folder: string): Kept | undefined {
  try {
    return readStored<Kept>(folder, keptName);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
