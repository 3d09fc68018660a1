/** A real `waybill up` in a folder of its own: started, asked, killed, started again, and all of it ended at the end. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { WaybillClient } from "../../src/client/api.ts";
import { deployFolder, type Deployed, type DeployEvent } from "../../src/client/deploy.ts";
import { readApp, readShim, type AppRecord } from "../../src/runtime/folder.ts";
import { isAlive, linuxProcesses, type ProcessName } from "../../src/runtime/processes.ts";
import { findProbes, leaveProbes } from "./run.ts";

export const fixtureApp = resolve(import.meta.dirname, "../faults/apps/fixture");
const waybill = resolve(import.meta.dirname, "../../bin/waybill.js");
/** A busy machine starts it in a few seconds; more is a hang. */
const readyWithinMs = 240_000;
const stopWithinMs = 180_000;
const deployedWithinMs = 600_000;
/** Reached only where something has failed, so it costs nothing that a slow machine has time. */
const failsAfterMs = 180_000;
const pollMs = 20;
/** A test runner shows the end of what its files print beside a failure. */
const isTested = process.env["NODE_TEST_CONTEXT"] !== undefined;

/** Polls until `look` gives something that is not undefined, null or false; fails after `withinMs` with `says`. */
export async function until<T>(
  says: string,
  look: () => T | Promise<T>,
  withinMs = failsAfterMs,
): Promise<NonNullable<Exclude<T, false>>> {
  const since = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>;
    if (performance.now() - since > withinMs) throw new Error(`not within ${withinMs} ms: ${says}`);
    await new Promise((done) => setTimeout(done, pollMs));
  }
}

export interface UpOptions {
  /** `2x2`; null: the machine's own cards, none on most. */
  readonly gpus?: string | null;
  readonly env?: Readonly<Record<string, string>>;
  /** `none` where it is not said; `best`: what the platform takes by itself. */
  readonly sandbox?: "bubblewrap" | "crun" | "none" | "best";
  /** It tries its sandbox itself, also where another file of the run has. */
  readonly probes?: "own";
  /** Told to stop, it leaves its apps running. */
  readonly service?: boolean;
  /** Open files that it is started with, from number 63 on: lower ones Node closes in programs that it starts. */
  readonly inherits?: readonly number[];
  /** `waybill edge` carries its requests, on this port. */
  readonly apart?: number;
  /** Its port where it is killed often: one that the system chose may be somebody else's by the time that it comes back. */
  readonly port?: number;
  /** Where its folder is made, in place of the machine's one for temporary files. */
  readonly within?: string;
}

export interface Account {
  readonly name: string;
  readonly token: string;
  readonly client: WaybillClient;
}

export interface App {
  readonly space: string;
  readonly deployed: Deployed;
  /** Its numeric address: every client reaches it without a name. */
  readonly url: string;
}

/** What it says when it is there. */
interface Ready {
  readonly url: string;
  readonly token: string;
  readonly signIn: string | null;
}

export class Platform implements AsyncDisposable {
  /** The temporary folder: `data/` in it is the platform's. */
  readonly folder: string;
  /** What the platform printed on standard error, all starts together. */
  readonly log: string[] = [];
  #options: UpOptions;
  #child: ChildProcess | undefined;
  #port = 0;
  #ready: Ready = { url: "", token: "", signIn: null };
  #folders = 0;
  /** A test that ends in the middle leaves nothing behind. */
  readonly #atExit = (): void => {
    this.#child?.kill("SIGKILL");
    for (const one of this.leftovers()) killProcess(one);
    rmSync(this.folder, { recursive: true, force: true });
  };

  private constructor(options: UpOptions) {
    this.#options = options;
    this.#port = options.apart ?? options.port ?? 0;
    this.folder = mkdtempSync(join(options.within ?? tmpdir(), "wb-up-"));
    process.on("exit", this.#atExit);
  }

  static async start(options: UpOptions = {}): Promise<Platform> {
    const platform = new Platform(options);
    if (options.probes !== "own") findProbes(platform.data);
    try {
      await platform.up();
    } catch (error) {
      await platform[Symbol.asyncDispose]();
      throw error;
    }
    return platform;
  }

  get data(): string {
    return join(this.folder, "data");
  }

  get url(): string {
    return this.#ready.url;
  }

  /** Signs a browser in as the administrator, once; null of one that is a service. */
  get signInLink(): string | null {
    return this.#ready.signIn;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child !== undefined && (this.#child.exitCode !== null || this.#child.signalCode !== null);
  }

  get operatorToken(): string {
    return this.#ready.token;
  }

  /** An administrator's client; each start has its own token. */
  get admin(): WaybillClient {
    return new WaybillClient(this.#ready);
  }

  /** Starts it on its data folder, after the first time on the port that it had; `changed` holds from then on. */
  async up(changed: Partial<UpOptions> = {}): Promise<void> {
    this.#options = { ...this.#options, ...changed };
    const child = start(this.data, this.#port, this.#options);
    this.#child = child;
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      this.log.push(line);
      if (isTested) process.stderr.write(`${basename(this.folder)} ${line}\n`);
    });
    const ready = await firstLine(child).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.log.slice(-20).join("\n")}`);
    });
    this.#ready = JSON.parse(ready) as Ready;
    this.#port = Number(new URL(this.#ready.url).port);
  }

  async kill(): Promise<void> {
    const ended = this.#ended();
    this.#child?.kill("SIGKILL");
    await ended;
  }

  /** SIGKILL, and up again. */
  async restart(): Promise<void> {
    await this.kill();
    await this.up();
  }

  /** It ends by itself; resolves with the exit code. */
  async ended(): Promise<number | null> {
    const late = setTimeout(() => this.#child?.kill("SIGKILL"), stopWithinMs);
    await this.#ended();
    clearTimeout(late);
    return this.#child?.exitCode ?? null;
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    const ended = this.#ended();
    this.#child?.kill("SIGTERM");
    const late = setTimeout(() => this.#child?.kill("SIGKILL"), stopWithinMs);
    await ended;
    clearTimeout(late);
    return this.#child?.exitCode ?? null;
  }

  async account(name: string, tier: "free" | "pro" | "enterprise" | "unlimited" = "free"): Promise<Account> {
    const { token } = await this.admin.createToken({ account: name, create: true, tier });
    return { name, token, client: new WaybillClient({ url: this.url, token }) };
  }

  /** Deploys these files (name → content); those of the fixture app where none are given. */
  async deploy(
    account: Account,
    name: string,
    files: Readonly<Record<string, string | Uint8Array>> = {},
    onEvent?: (event: DeployEvent) => void,
  ): Promise<App> {
    const space = `${account.name}/${name}`;
    const folder = this.write({ ...fixtureFiles(), ...files });
    const deployed = await deployFolder(account.client, folder, space, { waitMs: deployedWithinMs, onEvent });
    return { space, deployed, url: deployed.space.addresses.at(-1) ?? "" };
  }

  /** Writes files into a fresh folder; an empty text leaves the file out. */
  write(files: Readonly<Record<string, string | Uint8Array>>): string {
    const folder = join(this.folder, `app${++this.#folders}`);
    for (const [name, text] of Object.entries(files)) {
      if (text === "") continue;
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    return folder;
  }

  /** The ready replica of a Space, its shim and its app. */
  async replica(space: string): Promise<Replica> {
    const { replicas } = await this.admin.space(space);
    const id = replicas.findLast(({ phase }) => phase === "ready")?.id;
    if (id === undefined) throw new Error(`${space} has no ready replica: ${JSON.stringify(replicas)}`);
    return this.replicaOf(id);
  }

  replicaOf(id: string): Replica {
    const folder = join(this.data, "node", "replicas", id);
    const shim = readShim(folder);
    const app = readApp(folder);
    if (!shim || !app) throw new Error(`replica ${id} has not begun`);
    return { id, folder, shim, app, workers: () => workersOf(id), forks: () => forksOf(app) };
  }

  /** The lines that the app of a Space's newest replica has printed. */
  async logTexts(space: string): Promise<readonly string[]> {
    const texts: string[] = [];
    for await (const { source, text } of this.admin.logs(space)) if (source === "app") texts.push(text);
    return texts;
  }

  /** Processes that this platform started and that still live: shims, apps and workers. */
  leftovers(): readonly ProcessName[] {
    return everyProcessOf(this.data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
    const processes = linuxProcesses();
    for (const one of this.leftovers()) processes.signal(one, "SIGKILL");
    leaveProbes(this.data);
    await until("all that the platform started has ended", () => this.leftovers().length === 0).catch(() => undefined); // Reported by who looks for it.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    process.off("exit", this.#atExit);
  }

  #ended(): Promise<void> {
    const child = this.#child;
    if (!child || this.hasEnded) return Promise.resolve();
    return new Promise((done) => child.once("exit", () => done()));
  }
}

/** Waits until no slot is leased or being cleared: what is not free keeps a warm worker. */
export async function slotsAreFree(up: Platform, withinMs?: number): Promise<void> {
  let board: unknown;
  const free = async (): Promise<boolean> => {
    const { slots } = await up.admin.gpuBoard();
    board = slots;
    return slots.every(({ call, stage }) => call === null && ["free", "warm"].includes(stage));
  };
  await until("no slot is taken", free, withinMs).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(board)}`);
  });
  assert.equal((await up.admin.pool("main")).leased, 0);
}

/** Whether any process of this machine was started with just these arguments. */
export function isRunning(argv: readonly string[]): boolean {
  const whole = [...argv, ""].join("\0");
  return linuxProcesses()
    .all()
    .some(({ pid, state }) => state !== "Z" && argumentsOf(pid).join("\0") === whole);
}

export interface Replica {
  readonly id: string;
  readonly folder: string;
  readonly shim: ProcessName;
  readonly app: AppRecord;
  /** Its GPU workers that live now, of an app that uses our SDK. */
  workers(): readonly ProcessName[];
  /** Those of a Gradio app: what `spaces` forked of it. */
  forks(): readonly ProcessName[];
}

export function killProcess(name: ProcessName, signal: NodeJS.Signals = "SIGKILL"): void {
  linuxProcesses().signal(name, signal);
}

export function lives(name: ProcessName): boolean {
  return isAlive(linuxProcesses(), name);
}

/** `waybill up` that is not expected to come up: its exit code and what it printed. */
export async function upRefused(
  data: string,
  port: number,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(data, port, { env }, args);
  const parts = { out: "", err: "" };
  child.stdout?.on("data", (bytes: Buffer) => (parts.out += bytes.toString()));
  child.stderr?.on("data", (bytes: Buffer) => (parts.err += bytes.toString()));
  const late = setTimeout(() => child.kill("SIGKILL"), readyWithinMs);
  await new Promise((done) => child.once("close", done));
  clearTimeout(late);
  return { code: child.exitCode, ...parts };
}

export function fixtureFiles(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(fixtureApp).map((name) => [name, readFileSync(join(fixtureApp, name), "utf8")]),
  );
}

/** A request as a visitor makes it. `work` is the id that the answer bears. */
export async function visit(
  url: string,
  account?: Account,
  init: RequestInit = {},
): Promise<{ status: number; work: string; call: string; text: string; headers: Headers }> {
  const headers = new Headers(init.headers);
  if (account) headers.set("authorization", `Bearer ${account.token}`);
  const response = await fetch(url, { ...init, headers });
  const text = await response.text();
  return {
    status: response.status,
    work: response.headers.get("x-waybill-id") ?? "",
    call: response.headers.get("x-gpu-call") ?? "",
    text,
    headers: response.headers,
  };
}

function start(
  data: string,
  port: number,
  { gpus = "2x2", env = {}, sandbox = "none", service = false, inherits = [], apart }: UpOptions,
  args: readonly string[] = [],
): ChildProcess {
  const cards = gpus === null ? [] : ["--simulate-gpus", gpus];
  const all = [
    waybill,
    "up",
    "--data",
    data,
    "--port",
    String(port),
    ...cards,
    ...(sandbox === "best" ? [] : ["--sandbox", sandbox]),
    ...(service ? ["--service"] : []),
    ...(apart === undefined ? [] : ["--edge", "apart"]),
    "--json",
    ...args,
  ];
  // A group of its own, so that a Ctrl-C at the terminal reaches us alone; its home is not the user's.
  return spawn(process.execPath, all, {
    stdio: ["ignore", "pipe", "pipe", ...inheritedAt(inherits)],
    detached: true,
    env: { ...process.env, XDG_CONFIG_HOME: join(dirname(data), "config"), ...env },
  });
}

function inheritedAt(files: readonly number[]): ("ignore" | number)[] {
  return files.length === 0 ? [] : [...Array.from({ length: 60 }, () => "ignore" as const), ...files];
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((done, reject) => {
    const late = setTimeout(() => reject(new Error(`no ready line within ${readyWithinMs / 1000} s`)), readyWithinMs);
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once("line", (line) => {
      clearTimeout(late);
      done(line);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      reject(new Error(`waybill up ended (${code ?? signal}) before it was ready`));
    });
  });
}

function workersOf(replica: string): readonly ProcessName[] {
  const processes = linuxProcesses();
  return processes
    .all()
    .filter(
      ({ pid, state }) =>
        state !== "Z" &&
        argumentsOf(pid).includes("waybill-gpu-worker") &&
        processes.hasMarker(pid, `WAYBILL_REPLICA=${replica}`),
    )
    .map(({ pid, start }) => ({ pid, start }));
}

/** The children of the app's program; in a sandbox that is a child of its pid 1. */
function forksOf(app: AppRecord): readonly ProcessName[] {
  const processes = linuxProcesses();
  const [program = app.pid] = app.sandboxed ? processes.children(app.pid) : [app.pid];
  return processes.children(program).flatMap((pid) => {
    const found = processes.stat(pid);
    return found && found.state !== "Z" ? [{ pid, start: found.start }] : [];
  });
}

/** The shims of a data folder that live, and all that they started. */
export function everyProcessOf(data: string): readonly ProcessName[] {
  const root = join(data, "node", "replicas");
  if (!existsSync(root)) return [];
  const ids = readdirSync(root);
  const processes = linuxProcesses();
  const shims = ids.flatMap((id) => readShim(join(root, id)) ?? []).filter((shim) => isAlive(processes, shim));
  const markers = ids.map((id) => `WAYBILL_REPLICA=${id}`);
  const others = processes
    .all()
    .filter(({ pid, state }) => state !== "Z" && markers.some((marker) => processes.hasMarker(pid, marker)));
  return [...shims, ...others.map(({ pid, start }) => ({ pid, start }))];
}

function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return []; // It ended meanwhile.
  }
}
