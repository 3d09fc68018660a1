/** What a process takes of the machine's memory, as Linux counts it. */
import { readFileSync } from "node:fs";

/** Proportional set size of a process, in MB of 1,000,000 bytes. */
export function pssMB(pid: number): number {
  return (rollupKb(pid, "Pss") * 1_024) / 1e6;
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
