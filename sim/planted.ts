/** The planted bugs, each in a process of its own, some at once: which invariant catches which, and in which seed. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { mutants } from "./mutants.ts";

export interface Verdict {
  readonly name: string;
  /** The mistake, in a sentence. */
  readonly says: string;
  readonly caught: boolean;
  readonly invariant: string | null;
  /** What the invariant found. */
  readonly because: string | null;
  readonly seed: number | null;
  readonly seedsTried: number;
}

/** Tries those that are named, all where none is. One that cannot be planted any more is not caught, and says so. Throws for a name that there is not. */
export async function tryMutants(options: {
  readonly names: readonly string[];
  readonly seeds: number;
  readonly jobs: number;
  readonly onVerdict: (verdict: Verdict) => void;
}): Promise<Verdict[]> {
  const { names, seeds, jobs, onVerdict } = options;
  const wanted = names.length === 0 ? mutants.map(({ name }) => name) : [...names];
  const left = [...wanted];
  const verdicts: Verdict[] = [];
  const work = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const verdict = await tryMutant(name, seeds);
      onVerdict(verdict);
      verdicts.push(verdict);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return verdicts.sort((a, b) => wanted.indexOf(a.name) - wanted.indexOf(b.name));
}

/** For the next time: which seed caught which. Of those that were not tried, what was known stays. */
export function keepSeeds(verdicts: readonly Verdict[]): void {
  const path = join(import.meta.dirname, "caught-in.json");
  const known = JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, number>>;
  const now = Object.fromEntries(verdicts.flatMap(({ name, seed }) => (seed === null ? [] : [[name, seed]])));
  const all = Object.entries({ ...known, ...now }).filter(([name]) => mutants.some((one) => one.name === name));
  writeFileSync(
    path,
    `${JSON.stringify(Object.fromEntries(all.toSorted(([a], [b]) => a.localeCompare(b))), null, 2)}\n`,
  );
}

async function tryMutant(name: string, seeds: number): Promise<Verdict> {
  const args = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "mutant.ts"), name, String(seeds)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", resolve);
  });
  const [code, out] = await Promise.all([exit, text(child.stdout)]);
  if (code !== 0) throw new Error(`the mutant ${name} could not be tried`);
  return JSON.parse(out) as Verdict;
}
