/**
 * Many starts and stops with kills of the app, of its shim and of the agent at random moments: nothing is left of any of them. Prints
 * its seed; `CYCLES_SEED=N` repeats the draws, though not the moments.
 */
import assert from "node:assert/strict";
import { removeFolder } from "../../src/record/remove-folder.ts";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fillCompileCache } from "../../src/runtime/compile-cache.ts";
import { markerOf, readApp, readShim, type LaunchPlan } from "../../src/runtime/folder.ts";
import { adopt, launch, type ReplicaLink } from "../../src/runtime/launch.ts";
import { isAlive, linuxProcesses } from "../../src/runtime/processes.ts";
import { removeCgroups } from "../../src/runtime/sandbox/cgroups.ts";
import { prng } from "../../src/stdx/prng.ts";
import { bench, tools, until, watch } from "../support/replicas.ts";
import { sandboxes } from "../support/sandboxes.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox");
const replicas = bench();
const boxes = sandboxes(replicas, skip === false);
after(async () => {
  await replicas[Symbol.asyncDispose]();
  await boxes[Symbol.asyncDispose]();
});
const processes = linuxProcesses();
const cyclesEach = 250;
const atOnce = 6;
/** A cycle is a second; several at once on a busy machine are more. */
const goneWithinMs = 120_000;
/** Kills fall into this time after the start: before the app is there, while it starts, and when it runs. */
const killWithinMs = 900;

/** A shell that listens to nobody: small, with a child, and one that left its parent and its session. */
const app = { "app.sh": "(setsid sh -c 'trap \"\" TERM; sleep 600' &)\nsleep 600 &\nsleep 600\n" };
const options = { argv: ["sh", "app.sh"], readyWithinMs: 180_000 };

type Kill = "nobody" | "app" | "shim" | "agent";
const kills: readonly Kill[] = ["nobody", "app", "shim", "agent"];

const levels: readonly (readonly [string, string | false, () => LaunchPlan])[] = [
  ["in a sandbox", skip, () => boxes.plan(app, options)],
  ["as plain processes", false, () => replicas.plan(app, options)],
];

for (const [level, why, plan] of levels)
  describe(`${cyclesEach} replicas ${level}, started, killed at random and stopped`, { skip: why }, () => {
    test("leave no process, socket, mount, group or folder", async (t) => {
      const seed = Number(process.env["CYCLES_SEED"] ?? 1);
      t.diagnostic(`CYCLES_SEED=${seed}`);
      const random = prng(seed);
      const compileCache = join(replicas.folder, "compiled");
      await fillCompileCache(compileCache, tools.nodePath, [tools.shimEntry]);
      const before = traces();
      const drawn = Array.from({ length: cyclesEach }, () => ({
        kill: random.pick(kills),
        atMs: random.int(killWithinMs),
      }));
      const lane = async (): Promise<void> => {
        for (let next = drawn.pop(); next; next = drawn.pop()) await cycle(plan(), next, compileCache);
      };
      await Promise.all(Array.from({ length: atOnce }, lane));
      assert.deepEqual(traces(), before);
    });
  });

async function cycle(plan: LaunchPlan, { kill, atMs }: { kill: Kill; atMs: number }, compileCache: string) {
  const link = await launch(plan, { ...tools, compileCache });
  const one = watch(link, plan);
  await delay(atMs);
  if (kill === "app") signal(readApp(plan.folder));
  if (kill === "shim") signal(readShim(plan.folder));
  // An agent that dies closes its line; the next one finds what there is.
  let found: ReplicaLink | undefined = link;
  if (kill !== "nobody" && kill !== "app") {
    link.close();
    const adopted = await adopt(plan.folder);
    found = "dead" in adopted ? undefined : adopted;
    if (found) watch(found, plan);
  }
  const ending = found ?? one.link;
  ending.send({ type: "stop", graceMs: 100, why: "the cycle is over" });
  const shim = readShim(plan.folder);
  // A living shim waits for its agent to hear its evidence; one that is cut off does not.
  await until("it has ended", () => !found || found.status().end !== undefined, goneWithinMs);
  found?.close();
  await until("its shim is gone", () => !shim || !isAlive(processes, shim), goneWithinMs);
  assert.ok(await removeCgroups(plan.spec.replica, { withinMs: goneWithinMs }), "its groups could be removed");
  assert.deepEqual(groupsOf(plan.spec.replica), []);
  const marker = markerOf(plan.spec.replica);
  assert.deepEqual(
    processes.all().filter(({ pid, state }) => state !== "Z" && processes.hasMarker(pid, marker)),
    [],
    `${kill} after ${atMs} ms: processes are left`,
  );
  await removeFolder(plan.folder);
  await removeFolder(plan.releaseFolder);
  assert.equal(existsSync(plan.folder), false);
}

function signal(name: { readonly pid: number; readonly start: string } | undefined): void {
  if (name) processes.signal(name, "SIGKILL");
}

/** What could be left outside of a replica's folder, of anybody who has to do with this file's replicas. */
function traces() {
  const own = replicas.folder;
  return {
    processes: processes.all().filter(({ pid, state }) => state !== "Z" && names(pid, own)).length,
    mounts: read("/proc/self/mountinfo")
      .split("\n")
      .filter((line) => line.includes(own)).length,
    sockets: read("/proc/net/unix")
      .split("\n")
      .filter((line) => line.includes(own)).length,
    folders: readdirSync(own).filter((name) => /^r\d|^release/.test(name)),
  };
}

function groupsOf(replica: string): readonly string[] {
  return ["memory", "pids", "cpu", "unified", "."]
    .map((tree) => join("/sys/fs/cgroup", tree, "waybill", replica))
    .filter((group) => existsSync(group));
}

function names(pid: number, text: string): boolean {
  return pid !== process.pid && read(`/proc/${pid}/cmdline`).includes(text);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // It ended meanwhile.
  }
}
