/** What a shim is made of, loaded while its app's place is on its way. The only place where a replica's runtime and its Device API meet. */
import { closeSync, openSync, readSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { DiskWatch } from "../build/disk-watch.ts";
import { openDevice } from "../gpu/device.ts";
import { openShipper } from "../record/ship.ts";
import { openSpool } from "../record/spool.ts";
import { readPlan, type StoredPlan } from "../runtime/folder.ts";
import { linuxProcesses } from "../runtime/processes.ts";
import { evidenceLine } from "../runtime/shim/evidence.ts";
import { beginPlace, type Place } from "../runtime/shim/place.ts";
import { untilTold } from "../runtime/shim/waiting.ts";
import { startShim } from "../runtime/shim/shim.ts";
import { instant, type Clock } from "../stdx/time.ts";

/** After TERM, before KILL, when nobody says otherwise. */
const graceMs = 5_000;

/** As much as a pipe holds. */
const pipeBytes = 1 << 16;
/** An agent that has started us writes at once; it gives a start 15 s. */
const tellWithinMs = 15_000;
const lookEveryMs = 2;

const clock: Clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
/** The kernel's own: `crypto` is a megabyte and a half of memory in each shim. */
function random(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const fd = openSync("/dev/urandom", "r");
  try {
    for (let at = 0; at < count;) at += readSync(fd, bytes, { offset: at });
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** Resolves when the replica has ended. */
export async function runShim(stored: StoredPlan, place: Place | null, secrets = readSecrets()): Promise<void> {
  const plan = Object.keys(secrets).length === 0 ? stored : { ...stored, spec: { ...stored.spec, secrets } };
  const spool = join(plan.folder, "spool");
  const name = `shim.${plan.spec.replica}`;
  const onFailure = (error: Error): void => console.error(error);
  const evidence = await evidenceLine(
    (ports) => openSpool({ folder: spool, name, clock, random, onFailure, ...ports }),
    openShipper({ folder: spool }),
  );
  await place?.mounted;
  const shim = await startShim(plan, place, {
    clock,
    processes: linuxProcesses(),
    evidence,
    watchFolders: async (options) => {
      const watch = new DiskWatch({ ...options, since: 0 });
      await watch.look();
      return watch;
    },
    openGpu: (host) => openDevice(host, { clock, random }),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => void shim.stop(graceMs, `its shim got ${signal}`));
  // A shim is often killed: what Node compiled is kept now, for the next one's start and memory.
  flushCompileCache();
  await shim.done;
}

/** Waits until it is told which replica it is beside, as none was when it was started; resolves when that has ended. */
export async function runSpare(ports: readonly number[]): Promise<void> {
  const { folder, secrets, ...prepared } = await untilTold(ports);
  const plan = readPlan(folder);
  if (!plan) throw new Error(`there is no plan in ${folder}`);
  await runShim(plan, beginPlace(plan, prepared), secrets);
}

/** What the agent tells through the pipe that is our standard input. */
function readSecrets(): Readonly<Record<string, string>> {
  const text = readAll(0);
  // Its words are nobody else's: a parser's message would quote them.
  if (!text.startsWith("{") || !text.endsWith("}"))
    throw new Error("the agent went away before it had told the app's secrets");
  return JSON.parse(text) as Record<string, string>;
}

/** To the end of a pipe that may be one of those that do not wait. */
function readAll(fd: number): string {
  const parts: Buffer[] = [];
  const part = Buffer.alloc(pipeBytes);
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  for (let waited = 0; ;) {
    try {
      const count = readSync(fd, part);
      if (count === 0) return Buffer.concat(parts).toString("utf8");
      parts.push(Buffer.from(part.subarray(0, count)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || waited >= tellWithinMs) throw error;
      Atomics.wait(pause, 0, 0, lookEveryMs);
      waited += lookEveryMs;
    }
  }
}
