/** A real `waybill server` and real `waybill agent`s, each a process with a folder of its own; all of it ended at the end. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { WaybillClient } from "../../src/client/api.ts";
import { deployFolder } from "../../src/client/deploy.ts";
import { readShim } from "../../src/runtime/folder.ts";
import type { ProcessName } from "../../src/runtime/processes.ts";
import { everyProcessOf, fixtureApp, killProcess, lives, until, type Account, type App } from "./platform.ts";

const waybill = resolve(import.meta.dirname, "../../bin/waybill.js");
const readyWithinMs = 240_000;
const isTested = process.env["NODE_TEST_CONTEXT"] !== undefined;

/** One of our processes: started, killed, told to stop. */
export class Role {
  readonly log: string[] = [];
  readonly #argv: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #name: string;
  readonly #within: readonly string[];
  #child: ChildProcess | undefined;

  /** `within`: the program, with its arguments, that becomes it. */
  constructor(
    name: string,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    within: readonly string[] = [],
  ) {
    this.#within = within;
    this.#name = name;
    this.#argv = argv;
    this.#env = env;
  }

  /** Starts it; `ready` is its first line. */
  start(): { readonly ready: Promise<Record<string, unknown>>; readonly ended: Promise<number | null> } {
    const [program, ...argv] = [...this.#within, process.execPath, waybill, ...this.#argv, "--json"];
    const child = spawn(program, argv, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...this.#env },
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.log.push(line);
      if (isTested) process.stderr.write(`${this.#name} ${line}\n`);
    });
    const ended = new Promise<number | null>((done) => child.once("exit", (code) => done(code)));
    const ready = new Promise<Record<string, unknown>>((done, reject) => {
      const late = setTimeout(() => reject(new Error(`${this.#name} is not ready in time`)), readyWithinMs);
      createInterface({ input: child.stdout }).once("line", (line) => {
        clearTimeout(late);
        done(JSON.parse(line) as Record<string, unknown>);
      });
      child.once("exit", (code, signal) => {
        clearTimeout(late);
        reject(
          new Error(`${this.#name} ended (${code ?? signal}) before it was ready\n${this.log.slice(-20).join("\n")}`),
        );
      });
    });
    ready.catch(() => undefined); // whoever waits for it hears of it
    return { ready, ended };
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.isRunning) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((done) => child.once("exit", (code) => done(code)));
    child.kill(signal);
    return ended;
  }
}

export class Cluster implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wb-cl-"));
  readonly #roles: Role[] = [];
  readonly #holders: ChildProcess[] = [];
  readonly #nodes = new Set<string>();
  #signIn = { url: "", token: "" };
  readonly #atExit = (): void => {
    for (const role of this.#roles) void role.end("SIGKILL");
    for (const holder of this.#holders) holder.kill("SIGKILL");
    for (const one of this.#leftovers()) killProcess(one);
    rmSync(this.folder, { recursive: true, force: true });
  };

  readonly #sandbox: readonly string[];

  constructor(sandbox: "none" | "best" = "none") {
    this.#sandbox = sandbox === "best" ? [] : ["--sandbox", sandbox];
    process.on("exit", this.#atExit);
  }

  get data(): string {
    return join(this.folder, "data");
  }

  get url(): string {
    return this.#signIn.url;
  }

  get admin(): WaybillClient {
    return new WaybillClient(this.#signIn);
  }

  nodeFolder(node: string): string {
    return join(this.folder, node);
  }

  /** A server on the data folder, not started; those that share it are given more arguments. */
  server(name: string, args: readonly string[] = []): Role {
    return this.#role(name, ["server", "--data", this.data, ...this.#sandbox, ...args], {});
  }

  /** Starts a server; from now on it is the one that is asked. */
  async serve(role: Role): Promise<void> {
    this.signIn(await role.start().ready);
  }

  /** What a server said when it was ready: from now on it is the one that is asked. */
  signIn(ready: Readonly<Record<string, unknown>>): void {
    this.#signIn = { url: ready["url"] as string, token: ready["token"] as string };
  }

  /** A server that runs and is found at the same address by each later start of it. */
  async serverToStay(): Promise<Role> {
    const first = this.server("server", ["--port", "0"]);
    await this.serve(first);
    const { port } = new URL(this.url);
    await first.end("SIGTERM");
    const server = this.server("server", ["--port", port]);
    await this.serve(server);
    return server;
  }

  /** A place where the server's data folder is not to be seen: what agents are to be started by. It has all their mounts. */
  async elsewhere(): Promise<readonly string[]> {
    const covered = 'mount -t tmpfs none "$1" && echo && exec sleep infinity';
    const holder = spawn("unshare", ["-m", "sh", "-c", covered, "sh", this.data], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#holders.push(holder);
    await once(holder.stdout, "data");
    return ["nsenter", "-m", "-t", String(holder.pid)];
  }

  /** An agent of this node, not started; `within` another place than the server's. */
  agent(node: string, token: string, join: string = this.url, within: readonly string[] = []): Role {
    this.#nodes.add(node);
    const data = this.nodeFolder(node);
    const cards = ["--simulate-gpus", "2x2"];
    const argv = ["agent", "--join", join, "--data", data, ...this.#sandbox, ...cards];
    return this.#role(node, argv, { WAYBILL_JOIN_TOKEN: token }, within);
  }

  async account(name: string): Promise<Account> {
    const { token } = await this.admin.createToken({ account: name, create: true, tier: "unlimited" });
    return { name, token, client: new WaybillClient({ url: this.url, token }) };
  }

  /** Deploys a folder; the fixture app where none is named. */
  async deploy(account: Account, name: string, folder = fixtureApp): Promise<App> {
    const space = `${account.name}/${name}`;
    const deployed = await deployFolder(account.client, folder, space, { waitMs: 600_000 });
    return { space, deployed, url: deployed.space.addresses.at(-1) ?? "" };
  }

  /** Those of this node that live. */
  shims(node: string): readonly ProcessName[] {
    const root = join(this.nodeFolder(node), "node", "replicas");
    if (!existsSync(root)) return [];
    return readdirSync(root)
      .flatMap((id) => readShim(join(root, id)) ?? [])
      .filter((shim) => lives(shim));
  }

  /** All that the agents started and that lives. */
  #leftovers(): readonly ProcessName[] {
    return [...this.#nodes].flatMap((node) => everyProcessOf(this.nodeFolder(node)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#roles.map((role) => role.end("SIGKILL")));
    for (const one of this.#leftovers()) killProcess(one);
    await until("all that the agents started has ended", () => this.#leftovers().length === 0);
    for (const holder of this.#holders) holder.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    process.off("exit", this.#atExit);
  }

  #role(
    name: string,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    within: readonly string[] = [],
  ): Role {
    const role = new Role(name, argv, { XDG_CONFIG_HOME: join(this.folder, "config"), ...env }, within);
    this.#roles.push(role);
    return role;
  }
}

/** What the app has logged. */
export async function logLines(
  { client }: Pick<Account, "client">,
  { space }: Pick<App, "space">,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { text } of client.logs(space)) lines.push(text);
  return lines;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // It has ended.
  }
}
