/** Threads that compute what large files cost: begun when there is work, so many at the most, and each job stays in one. One that idles ends. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { JobKind, Jobs } from "./jobs.ts";
import type { Answer, Ask } from "./worker.ts";

/** The apps and the rest of the server need processors too. */
const threadsMax = Math.max(1, Math.min(4, availableParallelism() >> 1));
/** What a thread makes anew is small and gone at once: with V8's own bound its young space grows to 16 MB. */
const youngMaxMB = 4;
/** Each has some 15 MB, and begins in a tenth of a second: between the files of one client it stays. */
const idleEndsAfterMs = 10_000;

/** One file's, or one xorb's: pieces in order, one at a time. */
export interface RunningJob<Kind extends JobKind> extends Disposable {
  /** The bytes are given away, with all of their memory; so is `into`, where the answer may be put. */
  take(bytes: Uint8Array, into?: Uint8Array): Promise<Took<Kind>>;
  end(): Promise<Jobs[Kind]["end"]>;
}

export interface Took<Kind extends JobKind> {
  readonly value: Jobs[Kind]["piece"];
  /** Of the bytes that were given: to be used again. */
  readonly memory: Uint8Array;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve(answer: Answer): void; reject(error: unknown): void }>;
  jobs: number;
  /** Ends it when it has idled for so long. */
  idle: NodeJS.Timeout | undefined;
  /** Why it answers no more. */
  gone: Error | undefined;
}

export class Threads implements AsyncDisposable {
  readonly #threads: Thread[] = [];
  readonly #idleEndsAfterMs: number;
  #next = 1;
  #closed = false;

  constructor(endsAfterMs = idleEndsAfterMs) {
    this.#idleEndsAfterMs = endsAfterMs;
  }

  /** So many there are at this moment. */
  get count(): number {
    return this.#threads.length;
  }

  begin<Kind extends JobKind>(kind: Kind): RunningJob<Kind> {
    const thread = this.#thread();
    const job = this.#next++;
    thread.jobs += 1;
    clearTimeout(thread.idle);
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      thread.jobs -= 1;
      if (thread.jobs === 0) this.#endWhenIdle(thread);
    };
    // Answers come in order, and one that fails fails what is asked next.
    this.#ask(thread, { job, begin: kind }).catch(() => undefined);
    return {
      take: (bytes, into) => {
        const asked = { job, bytes, ...(into && { into }) };
        const given = into === undefined ? [bytes] : [bytes, into];
        return this.#ask(
          thread,
          asked,
          given.map(({ buffer }) => buffer as ArrayBuffer),
        ) as unknown as Promise<Took<Kind>>;
      },
      end: async () => {
        const { value } = await this.#ask(thread, { job, end: true });
        close();
        return value as Jobs[Kind]["end"];
      },
      [Symbol.dispose]: () => {
        if (isOpen) thread.worker.postMessage({ id: 0, job, drop: true } satisfies Ask);
        close();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.splice(0).map((thread) => end(thread, new Error("the platform stops"))));
  }

  /** The one with the least to do; another while there may be more. */
  #thread(): Thread {
    if (this.#closed) throw new Error("the platform stops");
    const [idlest] = this.#threads.toSorted((a, b) => a.jobs - b.jobs);
    if (idlest !== undefined && (idlest.jobs === 0 || this.#threads.length >= threadsMax)) return idlest;
    const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const resourceLimits = { maxYoungGenerationSizeMb: youngMaxMB };
    const worker = new Worker(new URL(file, import.meta.url), { execArgv: [], resourceLimits });
    const thread: Thread = { worker, waiting: new Map(), jobs: 0, idle: undefined, gone: undefined };
    worker.on("message", (answer: Answer) => {
      const { id, error } = answer;
      const asked = thread.waiting.get(id);
      thread.waiting.delete(id);
      if (error === undefined) asked?.resolve(answer);
      else asked?.reject(new Error(error));
    });
    const gone = (error: Error): void => {
      const at = this.#threads.indexOf(thread);
      if (at >= 0) this.#threads.splice(at, 1);
      end(thread, error).catch(() => undefined); // It has ended already.
    };
    worker.on("error", gone).on("exit", (code) => gone(new Error(`a computing thread ended with ${code}`)));
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  /** Its isolate and what its memory was used for go with it. */
  #endWhenIdle(thread: Thread): void {
    if (thread.gone !== undefined) return;
    const look = (): void => {
      // Of a job that was dropped, what it had been given may still be computed.
      if (thread.waiting.size > 0) return this.#endWhenIdle(thread);
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      end(thread, new Error("it idled")).catch(() => undefined); // It has ended already.
    };
    thread.idle = setTimeout(look, this.#idleEndsAfterMs).unref();
  }

  #ask(thread: Thread, ask: Omit<Ask, "id">, bytes: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (thread.gone !== undefined) return Promise.reject(thread.gone);
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    thread.waiting.set(id, { resolve, reject });
    thread.worker.ref();
    thread.worker.postMessage({ ...ask, id } satisfies Ask, [...bytes]);
    return promise.finally(() => thread.waiting.size === 0 && thread.worker.unref());
  }
}

async function end(thread: Thread, error: Error): Promise<void> {
  thread.gone ??= error;
  clearTimeout(thread.idle);
  const waiting = [...thread.waiting.values()];
  thread.waiting.clear();
  for (const { reject } of waiting) reject(error);
  await thread.worker.terminate();
}
