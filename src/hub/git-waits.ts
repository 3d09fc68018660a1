/** What git's processes are at while nothing passes: whether one of them waits for the disk. Linux tells; elsewhere it is git. */
import { readFileSync } from "node:fs";

/** git has some five processes for a push. */
const looksMax = 32;

/** `git`, or `disk` where one of the processes below `pid` sleeps in the kernel and cannot be woken, as a disk that hangs makes it. */
export function gitWaitsFor(pid: number | undefined): "git" | "disk" {
  const toLook = pid === undefined ? [] : [pid];
  for (let looked = 0; toLook.length > 0 && looked < looksMax; looked += 1) {
    const next = toLook.shift() as number;
    // proc_pid_stat(5): the state stands behind the name, which is in parentheses and may hold anything.
    const state = /^.*\) (\S)/s.exec(read(`/proc/${next}/stat`))?.[1];
    if (state === "D") return "disk";
    toLook.push(
      ...read(`/proc/${next}/task/${next}/children`)
        .split(" ")
        .flatMap((text) => Number(text) || []),
    );
  }
  return "git";
}

/** Empty where there is none: the process has ended, or the system has no such files. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // As said.
  }
}
