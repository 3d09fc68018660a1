/**
 * Ends everything that a build step started. A step's processes are known by the group they were born in and, on Linux, by a
 * marker in their environment, so that one which left its group and its parent is found too.
 */
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A step's first process, also the id of its group, and `NAME=value` in the environment of all that it starts. */
export interface StepFamily {
  /** Null where only the marker is known: after the builder's restart. */
  readonly group: number | null;
  readonly marker: string;
}

/** In the environment of all that a build starts. */
export const buildMarker = (build: string): string => `WAYBILL_BUILD=${build}`;

/** How long after SIGTERM what still runs is killed: npm ends within 100 ms of it. */
const graceMs = 1_000;
/** How long the kernel may take to end what got SIGKILL. */
const goneWithinMs = 5_000;
const lookEveryMs = 10;

/** Sends SIGTERM, then SIGKILL after a second, until nobody is left or the bound is reached. Resolves with the pids that were found. */
export async function endFamily(family: StepFamily): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let waited = 0; waited <= graceMs + goneWithinMs; waited += lookEveryMs) {
    const living = membersOf(family);
    if (living.length === 0) return [...found];
    for (const pid of living) {
      if (waited > graceMs) signal(pid, "SIGKILL");
      else if (!found.has(pid)) signal(pid, "SIGTERM");
      found.add(pid);
    }
    await delay(lookEveryMs);
  }
  return [...found];
}

/** The family's living processes, zombies left out. Where there is no /proc: the group's first process, if it lives. */
export function membersOf({ group, marker }: StepFamily): readonly number[] {
  const all = read(() => readdirSync("/proc"), [] as string[]).filter((name) => /^\d+$/.test(name));
  if (all.length === 0) return group !== null && groupLives(group) ? [-group] : [];
  return all.map(Number).filter((pid) => pid > 1 && pid !== process.pid && isMember(pid, group, marker));
}

function isMember(pid: number, group: number | null, marker: string): boolean {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, "latin1"), "");
  const [state, , itsGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === undefined || state === "Z" || state === "X" || state === "") return false;
  if (group !== null && Number(itsGroup) === group) return true;
  return `\0${read(() => readFileSync(`/proc/${pid}/environ`, "latin1"), "")}`.includes(`\0${marker}\0`);
}

function groupLives(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function signal(pid: number, which: NodeJS.Signals): void {
  try {
    process.kill(pid, which);
  } catch (error) {
    if (!isGone(error)) throw error; // it ended between the look and the signal
  }
}

// A process may end between any two looks, so what is absent or another user's reads as empty.
function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (isGone(error)) return otherwise;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL", "ENOTDIR"].includes(
    String((error as { code?: unknown }).code),
  );
}
