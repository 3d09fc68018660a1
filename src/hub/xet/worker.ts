/** A thread that computes: hashes, packings and digests of large files, so that nothing else of the server waits for them. */
import { parentPort } from "node:worker_threads";
import { jobs, Tools, type Job, type JobKind } from "./jobs.ts";

/** To the thread: begins a job, gives it bytes, asks for its end, or drops it. */
export interface Ask {
  readonly id: number;
  readonly job: number;
  readonly begin?: JobKind;
  readonly bytes?: Uint8Array;
  /** Memory for the answer. */
  readonly into?: Uint8Array;
  readonly end?: boolean;
  readonly drop?: boolean;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  /** Of the bytes that were given: to be used again. */
  readonly memory?: Uint8Array;
  readonly error?: string;
}

const port = parentPort;
if (port === null) throw new Error("this module is a thread's");
const tools = new Tools();
const open = new Map<number, Job<JobKind>>();
port.on("message", (ask: Ask) => {
  if (ask.drop) return void open.delete(ask.job);
  const answer = answerTo(ask);
  const back = [answer.value, answer.memory].flatMap((one) => (one instanceof Uint8Array ? [one.buffer] : []));
  port.postMessage(answer, back as ArrayBuffer[]);
});

function answerTo({ id, job, begin, bytes, into, end }: Ask): Answer {
  try {
    if (begin !== undefined) open.set(job, jobs[begin](tools));
    const found = open.get(job);
    if (found === undefined) return { id, error: "there is no such job" };
    if (bytes !== undefined) return { id, value: found.take(bytes, into), memory: new Uint8Array(bytes.buffer) };
    if (end !== true) return { id };
    open.delete(job);
    return { id, value: found.end() };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
