/** The node's builds: a few at a time, their log and steps told as they happen, their hops signed for. */
import type { BuildSpec, ToServer } from "../contract/agent.ts";
import type { Emitter, Facts, Hop } from "../evidence/entry.ts";
import type { BuildLogLine, BuildOutcome, Builder, StepFailure } from "../build/builder.ts";
import type { AgentLog } from "./ports.ts";

export interface BuildDeskOptions {
  readonly node: string;
  readonly builder: Builder;
  readonly emitter: Emitter;
  readonly send: (message: ToServer) => void;
  readonly log: AgentLog;
  /** Builds at a time. */
  readonly parallel: number;
}

/** Builds that may wait here: the server hands out only what fits, so more is its mistake. */
const waitingMax = 16;
/** Outcomes kept for a server that asks again. */
const outcomesMax = 100;
/** A log line waits at most so long for others to go with it. */
const gatherMs = 50;
/** Lines and characters of one frame, well below the frame's bound whatever JSON makes of them. */
const gatherLines = 200;
const gatherLength = 64 << 10;

interface Job {
  readonly number: number;
  readonly spec: BuildSpec;
  readonly abort: AbortController;
}

export class BuildDesk {
  readonly #options: BuildDeskOptions;
  readonly #waiting: Job[] = [];
  readonly #running = new Map<string, { readonly job: Job; readonly done: Promise<void> }>();
  readonly #outcomes = new Map<string, BuildOutcome>();
  #closed = false;

  constructor(options: BuildDeskOptions) {
    this.#options = options;
  }

  /** Ends what a crash left and tells that those builds are lost. */
  async recover(): Promise<void> {
    const says = "the builder was restarted in the middle of the build";
    for (const build of await this.#options.builder.recover()) {
      this.#entry(build, "build.step", "failed", { code: "build/builder-lost", step: null, says });
      this.#keep(build, { ok: false, code: "build/builder-lost", step: null, says, because: [] });
    }
  }

  /** Takes a build. The same one again is told as far as it has come. */
  take(number: number, spec: BuildSpec): void {
    if (this.#closed) return;
    const outcome = this.#outcomes.get(spec.build);
    if (outcome) return this.#options.send({ type: "build-done", build: spec.build, outcome });
    if (this.#running.has(spec.build)) return this.#claim(spec.build, number);
    if (this.#waiting.some((job) => job.spec.build === spec.build)) return;
    if (this.#waiting.length >= waitingMax) {
      return this.#finish(spec.build, {
        ok: false,
        code: "build/no-builder",
        step: null,
        says: `builder ${this.#options.node} has ${waitingMax} builds waiting`,
        because: [],
      });
    }
    this.#waiting.push({ number, spec, abort: new AbortController() });
    this.#startNext();
  }

  /** Ends a build, running or waiting. */
  cancel(build: string, why = "cancelled by the platform"): void {
    this.#running.get(build)?.job.abort.abort(new Error(why));
    const at = this.#waiting.findIndex((job) => job.spec.build === build);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.#finish(build, {
      ok: false,
      code: "build/builder-lost",
      step: null,
      says: `the build was stopped: ${why}`,
      because: [],
    });
  }

  /** A new connection: tells what may not have arrived. */
  tellAgain(): void {
    for (const [build, outcome] of this.#outcomes) this.#options.send({ type: "build-done", build, outcome });
    for (const [build, { job }] of this.#running) this.#claim(build, job.number);
  }

  /** Ends all builds; resolves when their processes are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { spec } of [...this.#waiting]) this.cancel(spec.build, "the builder stops");
    for (const build of this.#running.keys()) this.cancel(build, "the builder stops");
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  #startNext(): void {
    while (this.#running.size < this.#options.parallel) {
      const job = this.#waiting.shift();
      if (!job) return;
      const done = this.#run(job).then(() => {
        this.#running.delete(job.spec.build);
        this.#startNext();
      });
      this.#running.set(job.spec.build, { job, done });
    }
  }

  async #run({ number, spec, abort }: Job): Promise<void> {
    const { node, builder } = this.#options;
    const { build } = spec;
    this.#entry(build, "build.claim", "took", { builder: node, channel: `build-queue→${node}`, number });
    this.#claim(build, number);
    const lines = new Gatherer((batch) => this.#options.send({ type: "build-log", build, lines: batch }));
    let failed = false;
    const outcome = await builder.run(
      spec,
      {
        log: (line) => lines.add(line),
        step: (step, state, tookMs, end) => {
          lines.flush();
          failed ||= state === "failed";
          if (state !== "started" && step !== "publish") this.#stepEntry(build, step, state, tookMs, end);
          this.#options.send({ type: "build-step", build, step, state, tookMs });
        },
      },
      abort.signal,
    );
    lines.flush();
    if (outcome.ok) this.#entry(build, "build.publish", "done", { release: outcome.release });
    else if (outcome.step === "publish")
      this.#entry(build, "build.publish", "failed", { code: outcome.code, says: outcome.says });
    else if (!failed)
      this.#entry(build, "build.step", "failed", { code: outcome.code, step: outcome.step, says: outcome.says });
    this.#finish(build, outcome);
  }

  #stepEntry(
    build: string,
    step: string,
    state: "done" | "failed",
    tookMs: number,
    end: StepFailure | undefined,
  ): void {
    const hop = step === "fetch" ? "build.fetch" : "build.step";
    const why = end ? { code: end.code, exitCode: end.exitCode, because: end.because } : { exitCode: 0 };
    this.#entry(build, hop, state, { step, tookMs, ...why });
  }

  #claim(build: string, number: number): void {
    this.#options.send({ type: "build-claimed", build, number, builder: this.#options.node });
  }

  #finish(build: string, outcome: BuildOutcome): void {
    this.#keep(build, outcome);
    this.#options.send({ type: "build-done", build, outcome });
    this.#options.log.info({ build, ok: outcome.ok, code: outcome.ok ? undefined : outcome.code }, "build ended");
  }

  #keep(build: string, outcome: BuildOutcome): void {
    this.#outcomes.set(build, outcome);
    const oldest = this.#outcomes.keys().next().value;
    if (this.#outcomes.size > outcomesMax && oldest !== undefined) this.#outcomes.delete(oldest);
  }

  #entry(work: string, hop: Hop, mark: "took" | "done" | "failed", facts: Facts): void {
    this.#options.emitter.write({ work, hop, mark, facts });
  }
}

/** Log lines that go out together. */
class Gatherer {
  readonly #send: (lines: readonly BuildLogLine[]) => void;
  #lines: BuildLogLine[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (lines: readonly BuildLogLine[]) => void) {
    this.#send = send;
  }

  add(line: BuildLogLine): void {
    this.#lines.push(line);
    this.#length += line.text.length;
    if (this.#lines.length >= gatherLines || this.#length >= gatherLength) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), gatherMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    this.#send(this.#lines);
    this.#lines = [];
    this.#length = 0;
  }
}
