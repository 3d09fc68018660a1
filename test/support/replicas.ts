/** Real shims for tests: a release made on the spot, launched in a temporary folder, and all of it ended at the end. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { ReplicaStatus } from "../../src/contract/agent.ts";
import { encodePreamble, type ConnectionAnswer } from "../../src/contract/preamble.ts";
import type { ReleaseManifest } from "../../src/contract/release.ts";
import type { ShimToAgent } from "../../src/contract/shim.ts";
import { launch, type LaunchPlan, type LaunchTools, type ReplicaLink } from "../../src/runtime/launch.ts";
import { markerOf, readApp, readPlan, readShim } from "../../src/runtime/folder.ts";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { newId } from "../../src/stdx/ids.ts";
import { durationMs } from "../../src/stdx/time.ts";

export const tools: LaunchTools = {
  nodePath: process.execPath,
  shimEntry: resolve(import.meta.dirname, "../../src/main/shim.ts"),
};

/** Polls until `look` gives something that is not undefined, null or false; fails after `withinMs` with `says`. */
export async function until<T>(says: string, look: () => T | Promise<T>, withinMs = 180_000): Promise<NonNullable<T>> {
  const since = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    assert.ok(performance.now() - since < withinMs, `not within ${withinMs} ms: ${says}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const phaseWithinMs = 180_000;

export interface Bench {
  readonly folder: string;
  /** A plan for an app whose files are these; `argv` starts in their folder. */
  plan(files: Readonly<Record<string, string>>, options?: Partial<PlanOptions>): LaunchPlan;
  start(files: Readonly<Record<string, string>>, options?: Partial<PlanOptions>): Promise<Started>;
  /** Ends every shim and app that was started here, and removes the folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PlanOptions {
  readonly argv: readonly string[] | null;
  readonly readyWithinMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly staticFolder: string;
}

export interface Started {
  readonly link: ReplicaLink;
  readonly plan: LaunchPlan;
  readonly messages: ShimToAgent[];
  untilPhase(phase: ReplicaStatus["phase"]): Promise<ReplicaStatus>;
  logTexts(): Promise<readonly string[]>;
}

export function bench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), "wb-test-"));
  const plans: LaunchPlan[] = [];
  let made = 0;
  const plan: Bench["plan"] = (files, options = {}) => {
    const n = ++made;
    // Unique on the machine: a replica's processes are found by it.
    const replica = newId("p", (count) => crypto.getRandomValues(new Uint8Array(count)));
    const releaseFolder = join(folder, `release${n}`);
    for (const [name, text] of Object.entries(files)) {
      const path = join(releaseFolder, "app", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    const argv = options.argv === undefined ? ["node", "app.js"] : options.argv;
    const release: ReleaseManifest = {
      release: `rel_${n}`,
      space: "alice/app",
      commit: "0".repeat(40),
      build: "b_1",
      sdk: argv === null ? "static" : "node",
      title: "An app",
      argv,
      staticFolder: options.staticFolder ?? ".",
      appPort: 7860,
      builtAt: "2026-01-01T00:00:00.000Z",
    };
    const readyWithinMs = durationMs(options.readyWithinMs ?? 180_000);
    const spec = {
      replica,
      space: "alice/app",
      release: release.release,
      sdk: release.sdk,
      env: options.env ?? {},
      readyWithinMs,
    };
    const launched: LaunchPlan = { folder: join(folder, `r${n}`), spec, release, releaseFolder, sandbox: null };
    plans.push(launched);
    return launched;
  };
  return {
    folder,
    plan,
    start: async (files, options) => started(plan(files, options)),
    async [Symbol.asyncDispose]() {
      for (const { folder: one } of plans) await endReplica(one);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function started(plan: LaunchPlan): Promise<Started> {
  return watch(await launch(plan, { ...tools, compileCache: join(dirname(plan.folder), "compiled") }), plan);
}

export function watch(link: ReplicaLink, plan: LaunchPlan): Started {
  const messages: ShimToAgent[] = [];
  const heard = new EventEmitter();
  link.onMessage((message) => {
    messages.push(message);
    heard.emit("message");
  });
  return {
    link,
    plan,
    messages,
    untilPhase: async (phase) => {
      const signal = AbortSignal.timeout(phaseWithinMs);
      while (link.status().phase !== phase) await once(heard, "message", { signal });
      return link.status();
    },
    logTexts: async () => (await link.readLog(1, 1_000)).lines.map((line) => line.text),
  };
}

/** A connection through the replica's `in.sock` under this name. */
export function dial(path: string, name: { connection: number; emitter?: string; epoch?: number }): Socket {
  const socket = connect(path);
  socket.on("error", () => socket.destroy());
  socket.write(encodePreamble({ kind: "open", emitter: "edge", epoch: 1, ...name }));
  return socket;
}

export async function ask(path: string, connection: number, work?: string): Promise<ConnectionAnswer | undefined> {
  const socket = connect(path);
  socket.on("error", () => socket.destroy());
  socket.write(
    encodePreamble({ kind: "ask", emitter: "edge", epoch: 1, connection, ...(work === undefined ? {} : { work }) }),
  );
  const text = await textOf(socket);
  return text === "" ? undefined : (JSON.parse(text) as ConnectionAnswer);
}

export async function textOf(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => parts.push(bytes));
  await new Promise((done) => socket.once("close", done));
  return Buffer.concat(parts).toString();
}

async function endReplica(folder: string): Promise<void> {
  const processes = linuxProcesses();
  for (const one of [readShim(folder), readApp(folder)]) if (one) processes.signal(one, "SIGKILL");
  const replica = readPlan(folder)?.spec.replica;
  if (replica === undefined) return;
  for (const one of processes.all()) {
    if (processes.hasMarker(one.pid, markerOf(replica))) processes.signal(one, "SIGKILL");
  }
}
