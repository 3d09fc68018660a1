/** A gateway and one sandbox's network on this machine, with what it wrote down: the namespace is real, names are the test's own. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gatewaySocketName } from "../../src/contract/egress.ts";
import { dialLimits, systemDialler, type DialLimits } from "../../src/egress/dial.ts";
import { openGateway, type Gateway, type GatewayCaller, type OwnEdge } from "../../src/egress/gateway.ts";
import { parseNameRule, type NameRule } from "../../src/contract/reach.ts";
import { openPolicy, portsOf, type EgressPolicy } from "../../src/egress/policy.ts";
import { parseRange, type AddressRange } from "../../src/egress/ranges.ts";
import type { Entry, Packed } from "../../src/evidence/entry.ts";
import { expand } from "../../src/evidence/expand.ts";
import { explain } from "../../src/evidence/explain.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import { recordsIn } from "../../src/record/lines.ts";
import { openSpool, type Spool } from "../../src/record/spool.ts";
import { instant } from "../../src/stdx/time.ts";
import { eventually } from "./eventually.ts";

export interface EgressOptions {
  readonly policy?: Partial<EgressPolicy>;
  /** What the names resolve to; of an array one after the other, and its last one from then on. */
  readonly names?: Readonly<Record<string, string | readonly string[] | { readonly all: readonly string[] }>>;
  readonly limits?: Partial<DialLimits>;
  readonly edge?: OwnEdge;
  /** Ports that have a listener inside; those that the policy lets something be reached on otherwise. */
  readonly listensOn?: readonly number[];
  /** Names that are never resolved. */
  readonly silent?: readonly string[];
}

const random = (count: number): Uint8Array => randomBytes(count);
export const clock = { wall: () => instant(Date.now()), monotonic: () => Math.round(performance.now()) };
export const rule = (text: string): NameRule => parseNameRule(text) ?? never(text);
export const range = (text: string): AddressRange => parseRange(text) ?? never(text);

/** A server of the test's own on this machine, outside of any sandbox. */
export async function serve(
  take: (socket: Socket) => void,
  { address = "127.0.0.1", port = 0 } = {},
): Promise<AsyncDisposable & { readonly port: number; open(): number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    take(socket);
  });
  server.listen(port, address);
  await once(server, "listening");
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  const open = (): number => sockets.size;
  return { port: (server.address() as AddressInfo).port, open, [Symbol.asyncDispose]: close };
}

/** A listener that takes nobody, its queue full: what comes is dropped, as by a firewall. */
export async function fullListener(): Promise<AsyncDisposable & { readonly port: number }> {
  const script = `
import socket, sys
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(0); held = []
for _ in range(3):
  c = socket.socket(); c.setblocking(False); held.append(c)
  try: c.connect(l.getsockname())
  except BlockingIOError: pass
print(l.getsockname()[1], flush=True); sys.stdin.read()`;
  const child = spawn("/usr/bin/python3", ["-c", script]);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const close = async (): Promise<void> => void child.kill("SIGKILL");
  return { port: Number(line.toString()), [Symbol.asyncDispose]: close };
}

export class EgressWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "waybill-egress-"));
  readonly notes: string[] = [];
  readonly asked: string[] = [];
  readonly caller: GatewayCaller;
  gateway!: Gateway;
  readonly #options: EgressOptions;
  readonly #waiting = new Map<number, (answer: { readonly code: number; readonly out: string }) => void>();
  #spool!: Spool;
  #child!: ChildProcessWithoutNullStreams;
  #lastId = 0;

  private constructor(options: EgressOptions) {
    this.#options = options;
    this.caller = {
      id: "p_0123456789abcdef",
      space: "alice/demo",
      socket: join(this.folder, gatewaySocketName),
      uid: null,
      profile: "app",
    };
  }

  static async open(options: EgressOptions = {}): Promise<EgressWorld> {
    const world = new EgressWorld(options);
    await world.openGateway();
    try {
      await world.#openSandbox();
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  /** Also after `closeGateway`, as an agent does that was restarted. */
  async openGateway(): Promise<void> {
    this.#spool = await openSpool({ folder: join(this.folder, "spool"), name: "gateway-t1", clock, random });
    const { policy, limits, edge } = this.#options;
    const app = { ...openPolicy, ...policy };
    this.gateway = openGateway({
      emitter: this.#spool,
      clock,
      random,
      policies: { app, build: app },
      dialler: systemDialler({ ...dialLimits, ...limits }, (name) => this.#resolve(name)),
      edge: edge ?? null,
      onFailure: (error) => never(error.message),
    });
    await this.gateway.open(this.caller);
  }

  async closeGateway(): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.#spool.close();
  }

  /** Runs a command inside; its output and exit code. */
  run(command: string): Promise<{ readonly code: number; readonly out: string }> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#child.stdin.write(`${JSON.stringify({ id, command })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  python(lines: string): Promise<{ readonly code: number; readonly out: string }> {
    return this.run(`/usr/bin/python3 - <<'END'\nimport socket, sys\n${lines}\nEND`);
  }

  /** Entries in the spool's files at this moment. */
  written(): readonly Entry[] {
    return this.#lines().flatMap(({ kind, body }) =>
      kind === "entry" ? [body as Entry] : kind === "packed" ? expand(body as Packed) : [],
    );
  }

  explain(id: string): Explanation {
    const entries = this.written().filter(({ work }) => work === id);
    const read = { journal: 0, evidence: 1 };
    return explain({
      id,
      kind: "connection",
      entries,
      gaps: [],
      watermarks: [],
      epochs: [],
      links: [],
      charge: null,
      read,
    });
  }

  /** The first line of the app's log about this, and the verdict of the connection that it names. */
  async refused(pattern: RegExp): Promise<{ readonly note: string; readonly told: Explanation }> {
    const note = await eventually(`a note like ${pattern.source}, not only ${this.notes.join(" | ")}`, () =>
      this.notes.find((one) => pattern.test(one)),
    );
    const id = /\((x_[0-9a-z]{16})\)/.exec(note)?.[1] ?? never(`no connection's id in: ${note}`);
    return { note, told: this.explain(id) };
  }

  /** The last connection to this name that was carried. */
  async carried(name: string): Promise<Explanation> {
    const id = await eventually(
      `a carried connection to ${name}`,
      () =>
        this.written().findLast(
          ({ hop, mark, facts }) => hop === "egress.stream" && mark === "done" && facts["name"] === name,
        )?.work,
    );
    return this.explain(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const left = new Promise((resolve) => setTimeout(resolve, 5_000).unref());
    if (this.#child.exitCode === null) await Promise.race([once(this.#child, "exit"), left]);
    this.#child.kill("SIGKILL");
    await this.closeGateway();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #openSandbox(): Promise<void> {
    const argument = JSON.stringify({
      gateway: this.caller.socket,
      ports: this.#options.listensOn ?? portsOf({ ...openPolicy, ...this.#options.policy }),
    });
    this.#child = spawn("unshare", [
      "--user",
      "--map-root-user",
      "--net",
      "--",
      process.execPath,
      join(import.meta.dirname, "network-child.ts"),
      argument,
    ]);
    this.#child.stderr.on("data", (bytes: Buffer) => this.notes.push(`stderr: ${bytes.toString()}`));
    const ready = Promise.withResolvers<void>();
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as { note?: string; ready?: true; id?: number; code?: number; out?: string };
      if (said.note !== undefined) this.notes.push(said.note);
      if (said.ready) ready.resolve();
      if (said.id !== undefined) this.#waiting.get(said.id)?.({ code: said.code ?? 1, out: said.out ?? "" });
    });
    this.#child.once("exit", (code) =>
      ready.reject(new Error(`the namespace ended with ${code}: ${this.notes.join("\n")}`)),
    );
    await ready.promise;
  }

  async #resolve(name: string): Promise<readonly string[]> {
    this.asked.push(name);
    if (this.#options.silent?.includes(name)) await new Promise(() => {});
    const found = this.#options.names?.[name];
    if (typeof found === "string") return [found];
    if (found !== undefined && "all" in found) return found.all;
    if (found === undefined) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    const times = this.asked.filter((one) => one === name).length;
    return [found[Math.min(times, found.length) - 1] ?? never(name)];
  }

  #lines(): readonly { readonly kind: string; readonly body: unknown }[] {
    const folder = join(this.folder, "spool");
    const files = readdirSync(folder).filter((file) => file.startsWith("gateway-t1") && file.includes("jsonl"));
    return files.sort().flatMap((file) => recordsIn(readFileSync(join(folder, file))));
  }
}

/** What these tests need beside the sources; false where it is there. */
export function lacking(): string | false {
  for (const [what, ...args] of [
    ["unshare", "--user", "--map-root-user", "--net", "--", "true"],
    ["ip", "-V"],
    ["nft", "--version"],
    ["/usr/bin/python3", "-V"],
  ] as const) {
    const { status } = spawnSync(what, args);
    if (status !== 0) return `${what} does not work here`;
  }
  return false;
}

function never(text: string): never {
  throw new Error(text);
}
