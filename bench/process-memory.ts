/** What a process takes of the machine's memory, as Linux counts it. */
import { readFileSync } from "node:fs";

/** Proportional set size of a process, in MB of 1,000,000 bytes. */
export function pssMB(pid: number): number {
  return (rollupKb(pid, "Pss") * 1_024) / 1e6;
}

const lookEveryMs = 100;

/** The most that a process takes while something goes on, looked at ten times a second. */
export async function peakMB<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly mb: number }> {
  let mb = pssMB(pid);
  const timer = setInterval(() => (mb = Math.max(mb, pssMB(pid))), lookEveryMs);
  try {
    const value = await work();
    return { value, mb };
  } finally {
    clearInterval(timer);
  }
}

/** The sum of these fields of smaps_rollup (proc_pid_smaps(5)), in kilobytes of 1,024 bytes. Throws where one is missing. */
export function rollupKb(pid: number, ...fields: readonly string[]): number {
  const file = `/proc/${pid}/smaps_rollup`;
  const text = readFileSync(file, "latin1");
  return fields.reduce((sum, field) => {
    const [, kb] = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text) ?? [];
    if (kb === undefined) throw new Error(`${file} has no ${field}`);
    return sum + Number(kb);
  }, 0);
}
