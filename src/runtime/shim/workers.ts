/** The app's processes that may hold a GPU: found by the pid that the app says, watched, and ended with all that they started. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Exits, ExitWatch } from "../exits.ts";
import { isPopulated, joinGroup, killGroup, makeGroup, oomKills, removeTree } from "../sandbox/cgroups.ts";
import {
  endAll,
  family,
  howEnded,
  insideMember,
  isAlive,
  member,
  members,
  signalName,
  type Membership,
  type ProcessName,
  type Processes,
} from "../processes.ts";

/** How a process ended, as far as the kernel still shows it. */
export interface Seen {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The kernel killed it, or another of the app's processes meanwhile, because the app's memory was used up. */
  readonly outOfMemory?: true;
}

export interface AppWorkers {
  /** The app's process of this pid; undefined for pid 1, strangers and the dead. */
  find(pid: number): ProcessName | undefined;
  /** A call's use of it begins: what happened before is no reason for its end. `find` is one, too. */
  begin(worker: ProcessName): void;
  /** Null while it lives. */
  look(worker: ProcessName): Seen | null;
  /** The app's living process of this name, as the host numbers it; undefined for its pid 1, strangers and the dead. */
  own(process: ProcessName): ProcessName | undefined;
  /** Whether a process is this worker, or was ever seen below it. */
  isOf(worker: ProcessName, process: ProcessName): boolean;
  term(worker: ProcessName): void;
  /** Ends it and every descendant that was ever seen of it; resolves with whether all of them are gone. */
  end(worker: ProcessName): Promise<boolean>;
}

/** Descendants that are remembered of one worker: a daemon that left it is still ended with it. */
const rememberedMax = 1_024;
/** Far more than an app has workers; one that names ever more of its processes is told less of the oldest. */
const watchedMax = 64;
/** Looks at a worker's family until none of it is outside of its group; a family that grows faster is ended as a tree. */
const groupPassesMax = 20;
/** How long the kernel may take to end a group; a process in an uninterruptible wait takes longer and is looked for again. */
const groupGoneWithinMs = 5_000;
const lookEveryMs = 5;

export interface AppWorkersOptions {
  /** The app's own part of the v2 cgroup tree, where each worker gets a group; null where there is none. */
  readonly groups?: string | null;
  /** The file that counts what the kernel ended for want of memory; null where memory has no group. */
  readonly oomCounter?: string | null;
  readonly exits?: Exits;
}

/** What is known of a worker from `find` on. */
interface Watched {
  readonly exit: ExitWatch | null;
  /** The counter as its newest call began. */
  readonly oomKills: number;
}

export function appWorkers(
  processes: Processes,
  app: () => Membership | undefined,
  { groups = null, oomCounter = null, exits = { watch: () => null } }: AppWorkersOptions = {},
): AppWorkers {
  const remembered = new Map<string, Map<string, ProcessName>>();
  const watched = new Map<string, Watched>();
  const keyOf = ({ pid, start }: ProcessName): string => `${pid}@${start}`;

  const remember = (worker: ProcessName): readonly ProcessName[] => {
    const known = remembered.get(keyOf(worker)) ?? new Map<string, ProcessName>();
    remembered.set(keyOf(worker), known);
    for (const root of [worker, ...known.values()]) {
      for (const { pid, start } of family(processes, root)) {
        if (known.size < rememberedMax) known.set(keyOf({ pid, start }), { pid, start });
      }
    }
    for (const [key, one] of known) if (!isAlive(processes, one)) known.delete(key);
    return [...known.values()];
  };

  const groupOf = ({ pid, start }: ProcessName): string => join(groups ?? "", `w-${pid}-${start}`);

  /** From here on whatever the worker starts is born in its group, and no daemon leaves it. */
  const group = (worker: ProcessName): void => {
    if (groups === null || !makeGroup(groupOf(worker))) return;
    const moved = new Set<string>();
    for (let pass = 0; pass < groupPassesMax; pass++) {
      const grown = family(processes, worker).filter((one) => !moved.has(keyOf(one)));
      if (grown.length === 0) return;
      for (const one of grown) {
        moved.add(keyOf(one));
        joinGroup(groupOf(worker), one.pid);
      }
    }
  };

  const endGroup = async (worker: ProcessName): Promise<void> => {
    if (groups === null || !killGroup(groupOf(worker))) return;
    for (let waited = 0; waited < groupGoneWithinMs && isPopulated(groupOf(worker)); waited += lookEveryMs)
      await delay(lookEveryMs);
    removeTree(groupOf(worker));
  };

  const begin = (worker: ProcessName): void => {
    const exit = watched.get(keyOf(worker))?.exit ?? exits.watch(worker);
    watched.set(keyOf(worker), { exit, oomKills: oomKills(oomCounter) });
    const [oldest = ""] = watched.keys();
    if (watched.size > watchedMax) unwatch(oldest);
  };

  const seenOf = (worker: ProcessName, zombieStatus: number | null): Seen => {
    const known = watched.get(keyOf(worker));
    const status = known?.exit?.waitStatus() ?? zombieStatus;
    const { exitCode, signal } = status === null ? { exitCode: null, signal: null } : howEnded(status);
    const seen = { exitCode, signal: signal === null ? null : (signalName(signal) ?? `signal ${signal}`) };
    const isKilled = seen.signal === "SIGKILL" && known !== undefined && oomKills(oomCounter) > known.oomKills;
    return isKilled ? { ...seen, outOfMemory: true } : seen;
  };

  const unwatch = (key: string): void => {
    watched.get(key)?.exit?.close();
    watched.delete(key);
  };

  const forget = (worker: ProcessName): void => {
    remembered.delete(keyOf(worker));
    unwatch(keyOf(worker));
  };

  return {
    find(pid) {
      const of = app();
      const found = of && (of.sandboxed ? insideMember(processes, of, pid) : member(processes, of, pid, process.pid));
      if (!found) return undefined;
      const worker = { pid: found.pid, start: found.start };
      group(worker);
      begin(worker);
      return worker;
    },
    begin,
    look(worker) {
      const found = processes.stat(worker.pid);
      if (found?.start !== worker.start) return seenOf(worker, null);
      if (found.state === "Z" || found.state === "X") return seenOf(worker, found.waitStatus);
      remember(worker);
      return null;
    },
    own(name) {
      const of = app();
      if (of === undefined || (of.sandboxed && name.pid === of.root.pid)) return undefined;
      const found = members(processes, of, process.pid).find(
        ({ pid, start }) => pid === name.pid && start === name.start,
      );
      return found && { pid: found.pid, start: found.start };
    },
    isOf: (worker, name) => keyOf(worker) === keyOf(name) || remember(worker).some((one) => keyOf(one) === keyOf(name)),
    term: (worker) => processes.signal(worker, "SIGTERM"),
    async end(worker) {
      await endGroup(worker);
      const left = await endAll(processes, () => remember(worker).flatMap((one) => processes.stat(one.pid) ?? []));
      if (left.length === 0) forget(worker);
      return left.length === 0;
    },
  };
}
