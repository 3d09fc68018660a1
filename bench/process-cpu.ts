/** CPU time that processes have used, all their threads together, to the nanosecond: Linux keeps it for each thread. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What keeps this machine from telling; undefined where nothing does. */
export function noCpuTimes(): string | undefined {
  return existsSync("/proc/self/schedstat") ? undefined : "/proc/PID/schedstat is Linux's, and not here";
}

/** Microseconds so far. Threads that have ended are not counted: the programs measured here keep theirs. */
export function cpuUs(pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) ns += threadNs(`/proc/${pid}/task/${thread}/schedstat`);
  }
  return ns / 1_000;
}

/** 0 of a thread that ended while the folder was read. */
function threadNs(file: string): number {
  try {
    return Number(readFileSync(file, "latin1").split(" ", 1)[0]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH")
      return 0;
    throw error;
  }
}

/** A process and those that it has started, now. */
export function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** Of the kernel's clock that it counts such times by: USER_HZ, the same on all of Linux. */
const ticksPerSecond = 100;

/** Seconds that a process has used so far, those of threads and children that have ended among them (proc_pid_stat(5)). */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  // After the name, which may have spaces: the state is the third field, so the fourteenth is here at 11.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticksPerSecond;
}
