/** The demo's platform: `waybill up` as a person would type it, in a process of its own, on the first free port from 7070 on. */
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { WaybillClient } from "../../src/client/api.ts";
import { sandboxHere } from "../../src/runtime/sandbox/prepare.ts";
import type { Say } from "./stages.ts";

export interface DemoAccount {
  readonly name: string;
  readonly token: string;
  readonly client: WaybillClient;
}

export interface DemoPlatform {
  readonly url: string;
  readonly token: string;
  readonly bootMs: number;
  readonly admin: WaybillClient;
  account(name: string, tier: "free" | "unlimited"): Promise<DemoAccount>;
  /** Runs a `waybill` command against this platform and returns what it printed. */
  cli(...args: readonly string[]): string;
  stop(): Promise<void>;
  /** Resolves when the platform has ended by itself. */
  readonly ended: Promise<void>;
}

const root = resolve(import.meta.dirname, "..", "..");
const waybill = join(root, "bin", "waybill.js");
const firstPort = 7070;
/** Other demos and platforms on this machine; after so many we say that something is wrong. */
const portsTried = 50;
const readyWithinMs = 30_000;
/** Apps have some seconds to end by themselves; after so long the one who waits is told what for. */
const stopSlowMs = 5_000;

/** The best sandbox that the machine has is what `up` takes; where it has none, that is asked for by name, and said. */
async function sandboxOptions(say: Say): Promise<readonly string[]> {
  const { problems } = await sandboxHere();
  if (problems.length === 0) return [];
  say(`no sandbox: ${problems.join("; ")}; the demo's own apps run as plain processes`);
  return ["--sandbox", "none"];
}

/** Starts it and resolves when it is ready. `stopping` ends a start that is under way: what was started is gone when this has thrown. */
export async function startPlatform({
  data,
  say,
  stopping,
}: {
  data: string;
  say: Say;
  stopping: AbortSignal;
}): Promise<DemoPlatform> {
  const port = await freePort();
  stopping.throwIfAborted();
  const gpus = hasRealGpu() ? [] : ["--simulate-gpus", "2x2"];
  const sandbox = await sandboxOptions(say);
  const args = [waybill, "up", "--data", data, "--port", String(port), ...gpus, ...sandbox, "--json"];
  // A group of its own: the terminal's Ctrl-C reaches us, and we stop it in order.
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const ended = new Promise<void>((done) => child.on("exit", () => done()));
  const log: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    log.push(line);
    if (log.length > 200) log.shift();
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const late = setTimeout(
      () => process.stderr.write(`the platform (process ${child.pid}) takes long to stop; its apps are being ended\n`),
      stopSlowMs,
    );
    await ended;
    clearTimeout(late);
  };
  const ready = await firstLine(child.stdout, { ended, stopping }).catch(async (error: unknown) => {
    await stop();
    throw new Error(`waybill up did not start: ${String(error)}\n${log.join("\n")}`);
  });
  const { url, token, bootMs } = JSON.parse(ready) as { url: string; token: string; bootMs: number };
  say(`waybill up: ready in ${(bootMs / 1000).toFixed(1)} s at ${url}`);
  const admin = new WaybillClient({ url, token });
  return {
    url,
    token,
    bootMs,
    admin,
    ended,
    account: async (name, tier) => {
      const made = await admin.createToken({ account: name, create: true, tier });
      return { name, token: made.token, client: new WaybillClient({ url, token: made.token }) };
    },
    cli: (...command) => {
      const done = spawnSync(process.execPath, [waybill, ...command], {
        env: { ...process.env, WAYBILL_URL: url, WAYBILL_TOKEN: token, NO_COLOR: "1" },
        encoding: "utf8",
      });
      return `${done.stdout}${done.stderr}`.trimEnd();
    },
    stop,
  };
}

function firstLine(
  stream: NodeJS.ReadableStream,
  { ended, stopping }: { ended: Promise<void>; stopping: AbortSignal },
): Promise<string> {
  return new Promise((done, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ready line within ${readyWithinMs / 1000} s`)), readyWithinMs);
    const lines = createInterface({ input: stream });
    lines.once("line", (line) => {
      clearTimeout(timer);
      done(line);
    });
    stopping.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Error("it was stopped"));
    });
    void ended.then(() => {
      clearTimeout(timer);
      reject(new Error("it ended before it was ready"));
    });
  });
}

async function freePort(): Promise<number> {
  for (let port = firstPort; port < firstPort + portsTried; port++) {
    if (await canListen(port)) return port;
  }
  throw new Error(`no port from ${firstPort} to ${firstPort + portsTried - 1} is free on 127.0.0.1`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
  });
}

function hasRealGpu(): boolean {
  const found = spawnSync("nvidia-smi", ["-L"], { encoding: "utf8", timeout: 10_000 });
  return found.status === 0 && found.stdout.trim() !== "";
}
