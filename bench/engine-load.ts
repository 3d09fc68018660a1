/** The client side of the engine's benchmark over HTTP: keep-alive connections in a thread of its own, one request each at a time. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

interface Load {
  readonly connections: number;
  readonly forMs: number;
}

/** Cycles a second over `connections` connections to a server of `engine-http.ts`. */
export async function drive(port: number, load: Load): Promise<number> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { port, ...load } });
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
}

const steps = ["/schedule", "/attach", "/end"] as const;

interface Step {
  readonly call: string;
  readonly fence: number;
}

/** One caller: its steps in turn on one connection. */
class Caller {
  readonly #socket: Socket;
  readonly #caller: number;
  #answered: ((step: Step) => void) | undefined;
  #text = "";

  constructor(socket: Socket, caller: number) {
    this.#socket = socket;
    this.#caller = caller;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#hear(chunk.toString("latin1")));
  }

  async cycle(): Promise<void> {
    let known: Step = { call: "", fence: 0 };
    for (const step of steps) known = await this.#ask(step, known);
  }

  end(): void {
    this.#socket.destroy();
  }

  #ask(url: string, known: Step): Promise<Step> {
    const body = JSON.stringify({ caller: this.#caller, ...known });
    this.#socket.write(`POST ${url} HTTP/1.1\r\nhost: bench\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    return new Promise((resolve) => (this.#answered = resolve));
  }

  /** Our two servers answer in one short piece with a content length. */
  #hear(text: string): void {
    this.#text += text;
    const head = this.#text.indexOf("\r\n\r\n");
    if (head === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
    if (this.#text.length < head + 4 + length) return;
    const body = this.#text.slice(head + 4);
    this.#text = "";
    this.#answered?.(JSON.parse(body) as Step);
  }
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

if (!isMainThread && parentPort !== null) {
  const { port, connections, forMs } = workerData as Load & { port: number };
  const callers = await Promise.all(
    Array.from({ length: connections }, async (_, i) => new Caller(await connected(port), i)),
  );
  const startedAt = performance.now();
  let cycles = 0;
  await Promise.all(
    callers.map(async (caller) => {
      while (performance.now() - startedAt < forMs) {
        await caller.cycle();
        cycles += 1;
      }
    }),
  );
  for (const caller of callers) caller.end();
  parentPort.postMessage((cycles / (performance.now() - startedAt)) * 1000);
}
