/** How fast a replica may print: an app that floods its log, what its shim pays for that, and what of it stays. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LogLine } from "../src/contract/agent.ts";
import { readShim } from "../src/runtime/folder.ts";
import type { ReplicaLink } from "../src/runtime/link.ts";
import { bench, until } from "../test/support/replicas.ts";
import { pssMB } from "./process-memory.ts";

export interface LogThroughput {
  /** What the app printed, divided by how long its writes took; and the same program with its output to `cat > /dev/null`. */
  readonly acceptedMBs: number;
  readonly pipeMBs: number;
  /** Of the shim during the flood: processor time for each MB, and its proportional memory before it and at most. */
  readonly shimMsPerMB: number;
  readonly shimMBBefore: number;
  readonly shimMBAtMost: number;
  readonly storedMB: number;
  /** The log ends with the last that the app printed, and tells what is left out before it. */
  readonly lastWordsKept: boolean;
  readonly toldLeftOut: boolean;
}

/** At 10 MB/s: ten times slower than what is wanted. */
const floodWithinMs = 120_000;
const lookEveryMs = 50;
const lastWords = "the app's last words";

/** Prints as many megabytes through a real shim, without a sandbox: what is measured is the shim. */
export async function logThroughput(megabytes: number): Promise<LogThroughput> {
  await using world = bench();
  const tookFile = join(world.folder, "took");
  const bytes = megabytes * 1e6;
  const { plan, link } = await world.start({ "app.js": flood(bytes) }, { env: { TOOK: tookFile } });
  const rate = (): number => bytes / 1e3 / Number(readFileSync(tookFile, "utf8"));
  const shim = readShim(plan.folder)?.pid ?? 0;
  const before = { ms: processorMs(shim), MB: pssMB(shim) };
  let most = before.MB;
  const watch = setInterval(() => (most = Math.max(most, pssMB(shim))), lookEveryMs);
  await until("the app has printed all of it", () => link.status().phase === "exited", floodWithinMs);
  clearInterval(watch);
  const spentMs = processorMs(shim) - before.ms;
  const lines = await allLines(link);
  const acceptedMBs = rate();
  const app = join(plan.releaseFolder, "app", "app.js");
  execFileSync("/bin/sh", ["-c", '"$0" "$1" | cat > /dev/null', process.execPath, app], { env: { TOOK: tookFile } });
  return {
    acceptedMBs,
    pipeMBs: rate(),
    shimMsPerMB: spentMs / megabytes,
    shimMBBefore: before.MB,
    shimMBAtMost: most,
    storedMB: storedBytes(plan.folder) / 1e6,
    lastWordsKept: lines.findLast(({ source }) => source === "app")?.text === lastWords,
    toldLeftOut: lines.some(({ stream, text }) => stream === "note" && text.includes("are left out here")),
  };
}

/** Waits until it is measured, writes lines of a hundred characters, each with its number, and tells how long that took. */
function flood(bytes: number): string {
  return `
    const { writeSync, writeFileSync } = require("node:fs");
    const lines = Array.from({ length: 640 }, (_, i) => String(i).padStart(8, "0") + " ".padEnd(91, "x") + "\\n");
    const block = Buffer.from(lines.join(""));
    const write = (bytes) => {
      for (let at = 0; at < bytes.length;)
        try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
    };
    setTimeout(() => {
      const since = performance.now();
      for (let left = ${bytes}; left > 0; left -= block.length) write(block);
      writeFileSync(process.env.TOOK, String(performance.now() - since));
      write(Buffer.from("${lastWords}\\n"));
    }, 1_500);`;
}

async function allLines(link: ReplicaLink): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  for (let next = 1, more: boolean | undefined = true; more;) {
    const part = await link.readLog(next, 1_000);
    lines.push(...part.lines);
    ({ next, more } = part);
  }
  return lines;
}

function storedBytes(folder: string): number {
  const segments = readdirSync(folder).filter((name) => name.startsWith("log."));
  return segments.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** utime and stime of proc_pid_stat(5), which Linux counts in hundredths of a second. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
