/** What operators order of the store of large files: one thing at a time, told of while it is done and for some time after. */
import type { CollectedFiles, HubJobKind, HubJobRequest, HubJobView, VerifiedFiles } from "../contract/hub-storage.ts";
import { keptUnusedMs, type HubKeeper } from "../hub/keeper.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { instant, type Clock } from "../stdx/time.ts";

export interface HubJobsParts {
  readonly keeper: HubKeeper;
  readonly clock: Clock;
  readonly random: RandomBytes;
  onFailure(what: string, error: unknown): void;
}

interface Job {
  readonly id: string;
  readonly kind: HubJobKind;
  bytes: number;
  ended: boolean;
  verified?: VerifiedFiles;
  collected?: CollectedFiles;
  failure?: string;
}

/** Whoever ordered looks again within seconds. */
const jobsKept = 16;

export class HubJobs implements AsyncDisposable {
  readonly #parts: HubJobsParts;
  readonly #stopping = new AbortController();
  /** Oldest first. */
  #jobs: readonly Job[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: HubJobsParts) {
    this.#parts = parts;
  }

  /** Undefined while another one is done. */
  begin(asked: HubJobRequest): HubJobView | undefined {
    if (this.#running) return undefined;
    const job: Job = { id: newId("hj", this.#parts.random), kind: asked.kind, bytes: 0, ended: false };
    this.#jobs = [...this.#jobs, job].slice(-jobsKept);
    this.#running = this.#do(job, asked).finally(() => (this.#running = undefined));
    return job;
  }

  view(id: string): HubJobView | undefined {
    return this.#jobs.find((job) => job.id === id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #do(job: Job, { kind, olderThanSeconds }: HubJobRequest): Promise<void> {
    const { keeper, clock, onFailure } = this.#parts;
    const run = { signal: this.#stopping.signal, onRead: (bytes: number) => void (job.bytes += bytes) };
    try {
      const age = olderThanSeconds === undefined ? keptUnusedMs : olderThanSeconds * 1000;
      if (kind === "verify") job.verified = await keeper.verify(run);
      else job.collected = await keeper.collect(instant(clock.wall() - age), run);
    } catch (error) {
      job.failure = error instanceof Error ? error.message : String(error);
      if (!this.#stopping.signal.aborted) onFailure(`${kind} of the store of large files`, error);
    }
    job.ended = true;
  }
}
