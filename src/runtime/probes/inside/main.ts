/**
 * The app of a probe run: `node main.ts ROLE`. `neighbour` only lives, with something of its own in each place; `prober` tries
 * everything and writes one line about each try to /data. It runs inside the sandbox, so it imports nothing but its neighbours here.
 */
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { exhaustionProbes } from "./exhaustion.ts";
import { baitName, factsName, outcomesName, type Facts, type Outcome } from "./facts.ts";
import { fileProbes } from "./files.ts";
import { networkProbes, neighbourPort } from "./network.ts";
import { tried, type Probe } from "./probe.ts";
import { processProbes } from "./processes.ts";

const dataFolder = "/data";
const python = "/usr/bin/python3";
/** Written when both replicas are there. */
const factsWithinMs = 20_000;
const lookEveryMs = 20;
const systemCallsWithinMs = 120_000;
const outputMaxBytes = 4 << 20;
/** A run whose agent was killed ends by itself. */
const neighbourLivesMs = 330_000;
/** Behind what people asked for, and still some of a busy machine's time. */
const lowPriority = 5;

const role = process.argv[2];
// Whoever started it may have put it behind more already, and nobody but root comes forward again.
if (getPriority() < lowPriority) setPriority(lowPriority);
if (role === "neighbour") await live();
else await probe();

async function live(): Promise<void> {
  for (const folder of [dataFolder, "/tmp", "/dev/shm", "/home/app"]) writeFileSync(join(folder, baitName), "bait");
  const replica = /WAYBILL_REPLICA=([^\0]+)/.exec(readFileSync("/proc/self/environ", "latin1"))?.[1] ?? "";
  for (const place of [{ port: neighbourPort }, { path: `\0${replica}` }])
    // Whoever looks what listens here goes away as it likes: the shim looks too.
    createServer((socket) => socket.on("error", () => socket.destroy()).end("bait")).listen(place);
  // One that left its parent and its session: whoever ends the app must find it all the same.
  spawn("/bin/sh", ["-c", "setsid sleep 600 & exit 0"], { stdio: "ignore" });
  await delay(neighbourLivesMs);
  process.exit(0);
}

async function probe(): Promise<void> {
  const facts = await factsGiven();
  for (const one of [...fileProbes(facts), ...processProbes(facts)]) write(await tried(one));
  for (const outcome of await Promise.all(networkProbes(facts).map(tried))) write(outcome);
  for (const line of systemCalls()) append(line);
  for (const one of exhaustionProbes(facts)) await last(one);
  append(JSON.stringify({ done: true }));
  process.exit(0);
}

/** Said before it is tried: it may be what ends this program. */
async function last(one: Probe): Promise<void> {
  const { name, tries, closed } = one;
  append(JSON.stringify({ begins: name, tries, closed }));
  write(await tried(one));
}

async function factsGiven(): Promise<Facts> {
  const path = join(dataFolder, factsName);
  for (let waited = 0; waited < factsWithinMs && !existsSync(path); waited += lookEveryMs) await delay(lookEveryMs);
  return JSON.parse(readFileSync(path, "utf8")) as Facts;
}

/** Lines of the other program's outcomes; one line that says why where it could not run. */
function systemCalls(): readonly string[] {
  if (!existsSync(python)) return [JSON.stringify({ notRun: `no ${python}` })];
  const program = join(import.meta.dirname, "system_calls.py");
  const options = { encoding: "utf8", timeout: systemCallsWithinMs, maxBuffer: outputMaxBytes } as const;
  const { status, stdout, stderr, error } = spawnSync(python, [program], options);
  const lines = stdout.split("\n").filter((line) => line !== "");
  if (status === 0) return lines;
  const why = error?.message ?? stderr.trim().split("\n").at(-1) ?? `exit code ${status}`;
  return [...lines, JSON.stringify({ notRun: `${python} ended before its end: ${why}` })];
}

function write(outcome: Outcome): void {
  append(JSON.stringify(outcome));
}

function append(line: string): void {
  appendFileSync(join(dataFolder, outcomesName), `${line}\n`);
}
