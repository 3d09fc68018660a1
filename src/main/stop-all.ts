/** `waybill stop --all`: ends the apps that a stopped platform left running, as `up --service` does. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { readPlan, readShim } from "../runtime/folder.ts";
import { adopt } from "../runtime/launch.ts";
import { isAlive, linuxProcesses } from "../runtime/processes.ts";
import { removeCgroups } from "../runtime/sandbox/cgroups.ts";
import { lockNode } from "./node-lock.ts";

export interface Stopped {
  readonly stopped: readonly string[];
  /** Those that still ran at the end. */
  readonly running: readonly string[];
}

/** After TERM, before KILL. */
const graceMs = 5_000;
/** Beyond the grace: what a shim needs to end its app, to say so and to go. */
const marginMs = 10_000;
const lookEveryMs = 20;

/** Throws a `CliFailure` while a platform runs on this folder: its apps are its own to end. */
export async function stopAll(data: string): Promise<Stopped> {
  const root = join(data, "node", "replicas");
  if (!existsSync(root)) return { stopped: [], running: [] };
  using _ = lockedNode(data);
  const folders = readdirSync(root).map((name) => join(root, name));
  const ended = await Promise.all(folders.filter(runs).map(async (folder) => ({ folder, gone: await end(folder) })));
  const names = (gone: boolean): readonly string[] =>
    ended.flatMap((one) => (one.gone === gone ? (readPlan(one.folder)?.spec.replica ?? []) : []));
  return { stopped: names(true), running: names(false) };
}

function lockedNode(data: string): Disposable {
  try {
    return lockNode(join(data, "node"));
  } catch (error) {
    if ((error as Error).name !== "DataFolderBusy") throw error;
    throw new CliFailure(exit.failed, {
      code: "data-folder",
      says: `a platform or an agent runs on ${data}.`,
      next: "Stop it first, then run this again; `waybill pause OWNER/NAME` stops one app.",
      cause: error,
    });
  }
}

async function end(folder: string): Promise<boolean> {
  const found = await adopt(folder);
  if (!("dead" in found)) found.send({ type: "stop", graceMs, why: "waybill stop --all" });
  for (let waited = 0; waited < graceMs + marginMs && runs(folder); waited += lookEveryMs) await delay(lookEveryMs);
  if (!("dead" in found)) found.close();
  const plan = readPlan(folder);
  const cleared =
    !plan?.sandbox?.cgroups || (await removeCgroups(plan.spec.replica, { withinMs: marginMs, holds: true }));
  return cleared && !runs(folder);
}

function runs(folder: string): boolean {
  const shim = readShim(folder);
  return shim !== undefined && isAlive(linuxProcesses(), shim);
}
