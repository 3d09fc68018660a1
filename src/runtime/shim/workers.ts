/** The app's processes that may hold a GPU: found by the pid that the app says, watched, and ended with all that they started. */
import { constants } from "node:os";
import {
  endAll,
  family,
  howEnded,
  insideMember,
  isAlive,
  member,
  type Membership,
  type ProcessName,
  type Processes,
} from "../processes.ts";

/** How a process ended, as far as the kernel still shows it. */
export interface Seen {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface AppWorkers {
  /** The app's process of this pid; undefined for pid 1, strangers and the dead. */
  find(pid: number): ProcessName | undefined;
  /** Null while it lives. */
  look(worker: ProcessName): Seen | null;
  term(worker: ProcessName): void;
  /** Ends it and every descendant that was ever seen of it; resolves with whether all of them are gone. */
  end(worker: ProcessName): Promise<boolean>;
}

/** Descendants that are remembered of one worker: a daemon that left it is still ended with it. */
const rememberedMax = 1_024;

export function appWorkers(processes: Processes, app: () => Membership | undefined): AppWorkers {
  const remembered = new Map<string, Map<string, ProcessName>>();
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

  return {
    find(pid) {
      const of = app();
      const found = of && (of.sandboxed ? insideMember(processes, of, pid) : member(processes, of, pid, process.pid));
      return found && { pid: found.pid, start: found.start };
    },
    look(worker) {
      const found = processes.stat(worker.pid);
      if (found?.start !== worker.start) return { exitCode: null, signal: null };
      if (found.state !== "Z" && found.state !== "X") {
        remember(worker);
        return null;
      }
      const { exitCode, signal } =
        found.waitStatus === null ? { exitCode: null, signal: null } : howEnded(found.waitStatus);
      return { exitCode, signal: signal === null ? null : signalName(signal) };
    },
    term: (worker) => processes.signal(worker, "SIGTERM"),
    async end(worker) {
      const left = await endAll(processes, () => remember(worker).flatMap((one) => processes.stat(one.pid) ?? []));
      if (left.length === 0) remembered.delete(keyOf(worker));
      return left.length === 0;
    },
  };
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found ? found[0] : `signal ${number}`;
}
