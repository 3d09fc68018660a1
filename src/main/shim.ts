/**
 * The shim's process: `node shim.ts FOLDER`. The only place where a replica's runtime and its Device API meet.
 * Everything that is imported here costs memory once for each replica: no packages.
 */
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { openDevice } from "../gpu/device.ts";
import { openShipper } from "../record/ship.ts";
import { openSpool } from "../record/spool.ts";
import { loadOnly } from "../runtime/compile-cache.ts";
import { readPlan } from "../runtime/folder.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { linuxProcesses } from "../runtime/processes.ts";
import { evidenceLine } from "../runtime/shim/evidence.ts";
import { startShim } from "../runtime/shim/shim.ts";
import { instant, type Clock } from "../stdx/time.ts";

/** After TERM, before KILL, when nobody says otherwise. */
const graceMs = 5_000;

const clock: Clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));

async function main(folder: string): Promise<void> {
  const plan = readPlan(folder);
  if (!plan) throw new Error(`there is no plan in ${folder}`);
  const spool = join(folder, "spool");
  const name = `shim.${plan.spec.replica}`;
  const emitter = await openSpool({ folder: spool, name, clock, random, onFailure: (error) => console.error(error) });
  const shim = await startShim(plan, {
    clock,
    processes: linuxProcesses(),
    evidence: evidenceLine(emitter, openShipper({ folder: spool })),
    openGpu: (host) => openDevice(host, { clock, random }),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => void shim.stop(graceMs, `its shim got ${signal}`));
  // A shim is often killed: what Node compiled is kept now, for the next one's start and memory.
  flushCompileCache();
  await shim.done;
}

// A terminal that closes is nothing to a replica.
process.on("SIGHUP", () => undefined);
process.title = "waybill-shim";
closeInheritedFiles();
const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: shim FOLDER");
if (folder === loadOnly) flushCompileCache();
else await main(folder);
process.exit(0);
