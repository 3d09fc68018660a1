/** Probes of limits: each takes as much as it can of something, a little beyond what it was given. The last one may end the app. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Facts } from "./facts.ts";
import type { Probe } from "./probe.ts";

/** Tried beyond a limit of something that is counted. */
const beyond = 32;
const chunkBytes = 1 << 20;
const memoryStepBytes = 8 << 20;
const takenWithinMs = 60_000;
/** Held so long when all is taken: where the kernel does not limit memory, the platform looks at it once a second. */
const heldMs = 5_000;

export function exhaustionProbes({ limits, disk }: Facts): readonly Probe[] {
  return [
    fills("fill-tmp", "fill more of /tmp than it may", "/tmp", limits.tmpBytes),
    fills("fill-shm", "fill more of /dev/shm than it may", "/dev/shm", limits.shmBytes),
    fills("fill-home", "fill more of its home than it may", "/home/app", limits.homeBytes),
    ...(disk === null
      ? []
      : [
          fills("fill-data", "fill more of /data than it may", "/data", disk.dataBytes),
          fills("fill-app", "fill more of the disk beside its code than it may", "/app", disk.layerBytes),
        ]),
    {
      name: "many-files",
      tries: "open more files than it may",
      closed: ["EMFILE"],
      try: () => openMany(limits.openFiles + beyond),
    },
    {
      name: "many-processes",
      tries: "start more processes than it may",
      closed: ["EAGAIN"],
      try: () => startMany(limits.processes + beyond),
    },
    {
      name: "much-memory",
      tries: "use more memory than it may",
      closed: ["SIGKILL"],
      try: () => useMemory(limits.memoryBytes),
    },
  ];
}

const fills = (name: string, tries: string, folder: string, bytes: number): Probe => ({
  name,
  tries,
  closed: ["ENOSPC"],
  try: () => {
    const path = join(folder, "probe-fill");
    const file = openSync(path, "wx");
    try {
      const chunk = Buffer.alloc(chunkBytes);
      for (let written = 0; written <= bytes; written += chunkBytes) writeSync(file, chunk);
    } finally {
      closeSync(file);
      rmSync(path);
    }
  },
});

function openMany(count: number): void {
  const files: number[] = [];
  try {
    while (files.length < count) files.push(openSync("/dev/null", "r"));
  } finally {
    for (const file of files) closeSync(file);
  }
}

async function startMany(count: number): Promise<void> {
  const children: ChildProcess[] = [];
  const ends: Promise<unknown>[] = [];
  try {
    while (children.length < count) {
      const child = spawn("/usr/bin/sleep", ["60"], { stdio: "ignore" });
      children.push(child);
      const ended = once(child, "exit");
      if (child.pid === undefined) await ended; // rejects with why
      ends.push(ended);
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await Promise.allSettled(ends);
  }
}

/** In a process of its own, which a group's limit ends; where there is no group, the platform ends the whole app. */
async function useMemory(limitBytes: number): Promise<string | undefined> {
  const taking = `for (let had = 0; had < ${limitBytes * 1.25}; had += ${memoryStepBytes}) all.push(Buffer.alloc(${memoryStepBytes}, 1));`;
  const text = `const all = []; ${taking} console.log("all"); setTimeout(() => all.length, ${2 * heldMs});`;
  const child = spawn(process.execPath, ["-e", text], { stdio: ["ignore", "pipe", "ignore"] });
  const end = once(child, "exit") as Promise<[number | null, string | null]>;
  const taken = once(child.stdout, "data");
  taken.catch(() => undefined); // it ended before
  try {
    const first = await Promise.race([end, taken, delay(takenWithinMs, "late")]);
    if (first === "late") throw new Error(`not so much could be taken within ${takenWithinMs} ms`);
    const [code, signal] = await Promise.race([end, delay(heldMs, [null, "held"] as const)]);
    if (signal === "held") return undefined;
    return signal ?? `exit code ${code}`;
  } finally {
    child.kill("SIGKILL");
  }
}
