/**
 * The worker processes of this app: one for each function and GPU slot, kept warm after its call, ended when the platform
 * has given the slot to somebody else in between.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Thrown } from "./errors.ts";
import { workerMark } from "./messages.ts";
import type { FromWorker, RunMessage, ToWorker } from "./messages.ts";

/** How a run ended: told by the worker, or seen by its parent. */
export type RunEnd =
  | { readonly kind: "returned"; readonly result: unknown }
  | { readonly kind: "raised"; readonly error: Thrown }
  | { readonly kind: "not-started"; readonly error: Thrown }
  | { readonly kind: "lost"; readonly exitCode: number | null; readonly exitSignal: string | null };

/** After SIGTERM a worker has this long until SIGKILL. */
const endGraceMs = 2_000;

export class Worker {
  readonly #child: ChildProcess;
  #receive: ((message: FromWorker | undefined) => void) | undefined;
  #gone: { exitCode: number | null; exitSignal: string | null } | undefined;

  /** `device` becomes CUDA_VISIBLE_DEVICES, before any of the app's code runs; null leaves it as it is. */
  constructor(device: string | null) {
    // In a release these files are JavaScript, in a clone TypeScript: the entry has this file's ending.
    const entry = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
    this.#child = fork(entry, [workerMark], {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: device === null ? process.env : { ...process.env, CUDA_VISIBLE_DEVICES: device },
      execArgv: process.execArgv.filter((flag) => !/^(-e|-p|--(eval|print|test|inspect|watch|input-type))/.test(flag)),
    });
    this.#child.on("message", (message) => this.#receive?.(message as FromWorker));
    this.#child.on("exit", (exitCode, exitSignal) => this.#lost(exitCode, exitSignal));
    // A process that could not be started, or a message to one that has just ended; `exit` follows the second, not the first.
    this.#child.on("error", () => this.#child.pid === undefined && this.#lost(null, null));
  }

  get alive(): boolean {
    return this.#gone === undefined && this.#child.connected;
  }

  /** Runs one call to its end. Never throws: the end says what happened. */
  async run(message: RunMessage, onProgress: (value: unknown) => void): Promise<RunEnd> {
    this.#hold();
    try {
      return await new Promise<RunEnd>((resolve) => {
        this.#receive = (answer) => {
          if (answer === undefined) resolve({ kind: "lost", ...this.#gone! });
          else if (answer.type === "progress") onProgress(answer.value);
          else if (answer.type === "returned") resolve({ kind: "returned", result: answer.result });
          else resolve({ kind: answer.type, error: answer.error });
        };
        if (this.#gone) this.#receive(undefined);
        else this.#send(message);
      });
    } finally {
      this.#receive = undefined;
      this.#park();
    }
  }

  /** Tells the running function that its caller has gone. */
  abort(why: string): void {
    this.#send({ type: "abort", why });
  }

  /** Ends the process: SIGTERM, then SIGKILL. */
  end(): void {
    if (this.#gone) return;
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), endGraceMs);
    kill.unref();
    this.#child.once("exit", () => clearTimeout(kill));
  }

  #send(message: ToWorker): void {
    // The callback takes what a closed channel would otherwise raise as `error`; `exit` tells the rest.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #lost(exitCode: number | null, exitSignal: string | null): void {
    this.#gone ??= { exitCode, exitSignal };
    this.#receive?.(undefined);
  }

  /** A parked worker does not keep the app alive; one that runs does. */
  #park(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }

  #hold(): void {
    this.#child.ref();
    this.#child.channel?.ref();
  }
}

/** The workers that wait for their next call, by function and slot. Those that run belong to their call. */
export class WarmWorkers {
  readonly #parked = new Map<string, Worker>();

  /**
   * The worker for a grant and whether it is warm. Where the platform does not say `idle`, the slot was somebody else's in
   * between, so a worker kept for it is ended and another one started.
   */
  claim(key: string, { idle, device }: { idle: boolean; device: string | null }): { worker: Worker; warm: boolean } {
    const parked = this.#parked.get(key);
    this.#parked.delete(key);
    if (parked?.alive && idle) return { worker: parked, warm: true };
    parked?.end();
    return { worker: new Worker(device), warm: false };
  }

  /** Keeps a worker for the next call of its function on its slot. */
  park(key: string, worker: Worker): void {
    if (!worker.alive) return;
    this.#parked.get(key)?.end();
    this.#parked.set(key, worker);
  }
}
