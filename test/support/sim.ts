/** Runs the simulator as people do, and reads what it prints. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface SimSummary {
  readonly seeds: number;
  readonly failed: readonly { readonly seed: number; readonly invariant: string; readonly command?: string }[];
  /** Faults that never came. */
  readonly never: readonly string[];
  readonly tookMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly invariantsChecked: Readonly<Record<string, number>>;
  /** Of a run of planted bugs. */
  readonly mutants?: readonly { readonly name: string; readonly invariant: string | null; readonly caught: boolean }[];
}

export async function simulate(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly summary: SimSummary; readonly said: string }> {
  const main = join(import.meta.dirname, "..", "..", "sim", "main.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", resolve);
  });
  const [code, out, said] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, summary: JSON.parse(out || "null") as SimSummary, said };
}
