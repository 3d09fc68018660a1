/** `waybill uninstall`: what a machine has of a stopped platform goes, by the names that are Waybill's own and no others. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import type { Uninstalled } from "../cli/world.ts";
import { lockFolder } from "../journal/index.ts";
import { removeEmptyCgroups } from "../runtime/sandbox/cgroups.ts";
import { lockNode } from "./node-lock.ts";
import { stopAll } from "./stop-all.ts";

/** All that a platform or an agent makes in its data folder: ARCHITECTURE.md, "On disk". What else lies there is somebody's. */
const dataNames: readonly RegExp[] = [
  /^journal\.(db|mark|lock|postgres\.mark|moved\.db)(-wal|-shm|-journal)?$/,
  /^evidence\.db(-wal|-shm|-journal)?$/,
  /^(folder\.id|status\.json|secrets\.key|join-token|joined\.json)(\.new)?$/,
  /^(edge|console|inside)\.sock$/,
  /^(blobs|builds|git|node|repositories|spool|tls|visits)$/,
];
/** Tells a data folder from any other: a home may well have folders called `git` and `node`. */
const marks: readonly string[] = ["journal.lock", "journal.db", join("node", "agent.lock")];

export interface Removing {
  readonly data: string;
  readonly keepData: boolean;
  readonly apply: boolean;
}

/** `own`: folders that are Waybill's as a whole. Throws a `CliFailure` while a platform runs, and of a folder that is no data folder. */
export async function uninstall({ data, keepData, apply }: Removing, own: readonly string[]): Promise<Uninstalled> {
  const isData = !keepData && existsSync(data);
  if (isData) requireStopped(data);
  const removed: string[] = [];
  const left: { path: string; why: string }[] = [];
  const remove = (path: string, work: () => void): void => {
    try {
      if (apply) work();
      removed.push(path);
    } catch (error) {
      left.push({ path, why: error instanceof Error ? error.message : String(error) });
    }
  };
  const { stopped, running } = isData && apply ? await stopAll(data) : { stopped: [], running: [] };
  for (const replica of running) left.push({ path: join(data, "node", "replicas", replica), why: "it still runs" });
  if (isData && running.length === 0) remove(data, () => removeData(data));
  for (const folder of own.filter((path) => existsSync(path)))
    remove(folder, () => rmSync(folder, { recursive: true }));
  if (apply && !keepData) removeEmptyCgroups();
  return { stopped, removed, left };
}

function requireStopped(data: string): void {
  const names = readdirSync(data);
  if (names.length > 0 && !marks.some((mark) => existsSync(join(data, mark))))
    throw new CliFailure(exit.usage, {
      code: "data-folder",
      says: `${data} is no data folder of Waybill's, and nothing was removed.`,
      next: "Name the one that `waybill up` showed with --data, or leave it with --keep-data.",
    });
  try {
    if (names.includes("journal.lock")) lockFolder(data).close();
    if (existsSync(join(data, "node", "agent.lock"))) lockNode(join(data, "node"))[Symbol.dispose]();
  } catch (error) {
    if ((error as Error).name !== "DataFolderBusy") throw error;
    throw new CliFailure(exit.failed, {
      code: "data-folder",
      says: `a platform or an agent runs on ${data}, and nothing was removed.`,
      next: "Stop it first (Ctrl-C, or `systemctl disable --now waybill`), then run this again.",
      cause: error,
    });
  }
}

function removeData(data: string): void {
  const names = readdirSync(data);
  const isOurs = (name: string): boolean => dataNames.some((pattern) => pattern.test(name));
  for (const name of names.filter(isOurs)) rmSync(join(data, name), { recursive: true });
  const others = names.filter((name) => !isOurs(name));
  if (others.length > 0) throw new Error(`${others.join(", ")} in it is not Waybill's and stays; the rest is gone`);
  rmdirSync(data);
}
