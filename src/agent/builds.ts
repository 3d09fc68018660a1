/**
 * The node's builds: a few at a time, one of each owner, their log and steps told as they happen, their hops signed for.
 * Each has the fence by which it was given; what comes by an older one is refused.
 */
import type { BuildSpec, ToServer } from "../contract/agent.ts";
import type { BuildLogLine, BuildOutcome, Builder, StepFailure } from "../build/builder.ts";
import { BuildFailure } from "../build/failure.ts";
import { isCode } from "../evidence/codes.ts";
import { spaceOwner } from "../contract/space.ts";
import type { Emitter, Facts, Hop } from "../evidence/entry.ts";
import { HeldBuilds, type HeldBuild } from "./held-builds.ts";
import type { AgentLog } from "./ports.ts";

export interface BuildDeskOptions {
  readonly node: string;
  /** The agent's own. */
  readonly folder: string;
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
  readonly fence: number;
  readonly spec: BuildSpec;
  readonly abort: AbortController;
}

interface Ended {
  readonly fence: number;
  readonly outcome: BuildOutcome;
}

export class BuildDesk {
  readonly #options: BuildDeskOptions;
  readonly #held: HeldBuilds;
  #waiting: readonly Job[] = [];
  readonly #running = new Map<string, { readonly job: Job; readonly done: Promise<void> }>();
  readonly #outcomes = new Map<string, Ended>();
  /** Owners whose leftovers are being cleared away. */
  readonly #tidying = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: BuildDeskOptions) {
    this.#options = options;
    this.#held = new HeldBuilds(options.folder);
  }

  /** All that it has: what waits here too. */
  get holds(): readonly HeldBuild[] {
    return [...this.#waiting, ...[...this.#running.values()].map(({ job }) => job)].map(({ spec, fence }) => ({
      build: spec.build,
      fence,
    }));
  }

  /** Ends what a crash left and tells that those builds are lost. */
  async recover(): Promise<void> {
    await this.#options.builder.recover();
    const says = "the builder was restarted in the middle of the build";
    for (const { build, fence } of this.#held.left) {
      this.#entry({ build, fence }, "build.step", "failed", { code: "build/builder-lost", step: null, says });
      this.#keep({ build, fence }, { ok: false, code: "build/builder-lost", step: null, says, because: [] });
    }
    this.#held.keep([]);
  }

  /** Takes a build. The same one again is told as far as it has come; one that is given anew ends what was given before. */
  take(number: number, fence: number, spec: BuildSpec): void {
    if (this.#closed) return;
    const { build } = spec;
    const ended = this.#outcomes.get(build);
    if (ended?.fence === fence) return this.#tell({ build, fence }, ended.outcome);
    const known = this.#known(build);
    const newest = Math.max(ended?.fence ?? 0, known?.fence ?? 0);
    if (fence < newest) {
      this.#options.log.warn({ build, fence, newest }, "B4: refused, a build that was given again since");
      return;
    }
    if (known?.fence === fence) {
      if (this.#running.has(build)) this.#claim(known);
      return;
    }
    if (known) this.cancel(build, known.fence, "build/builder-lost", "it was given to a builder again");
    if (this.#waiting.length >= waitingMax) {
      const says = `builder ${this.#options.node} has ${waitingMax} builds waiting`;
      return this.#finish({ build, fence }, { ok: false, code: "build/builder-lost", step: null, says, because: [] });
    }
    this.#waiting = [...this.#waiting, { number, fence, spec, abort: new AbortController() }];
    this.#held.keep(this.holds);
    this.#startNext();
  }

  /** Ends a build, running or waiting, if it was given by this fence. */
  cancel(build: string, fence: number, code: string, why: string): void {
    const failure = new BuildFailure(isCode(code) ? code : "build/builder-lost", `the build was stopped: ${why}`);
    const running = this.#running.get(build);
    if (running?.job.fence === fence) running.job.abort.abort(failure);
    const waiting = this.#waiting.find((job) => job.spec.build === build && job.fence === fence);
    if (!waiting) return;
    this.#waiting = this.#waiting.filter((job) => job !== waiting);
    this.#finish({ build, fence }, { ok: false, code: failure.code, step: null, says: failure.message, because: [] });
  }

  /** Clears away what nothing needs of these owners, or of all; of one whose build runs, after that. */
  async tidy(owners?: readonly string[]): Promise<void> {
    for (const owner of owners ?? (await this.#options.builder.owners()))
      if (!this.#building().has(owner)) await this.#tidy(owner);
  }

  /** A new connection: tells what may not have arrived. */
  tellAgain(): void {
    for (const [build, { fence, outcome }] of this.#outcomes) this.#tell({ build, fence }, outcome);
    for (const { job } of this.#running.values()) this.#claim(job);
  }

  /** Ends all builds; resolves when their processes are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { build, fence } of this.holds) this.cancel(build, fence, "build/builder-lost", "the builder stops");
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    await Promise.all(this.#tidying.values());
  }

  #known(build: string): Job | undefined {
    return this.#waiting.find(({ spec }) => spec.build === build) ?? this.#running.get(build)?.job;
  }

  /** Builds of one owner write the same caches: one at a time, also while one that was withdrawn comes to its end. */
  #startNext(): void {
    while (this.#running.size < this.#options.parallel) {
      const busy = new Set([...this.#building(), ...this.#tidying.keys()]);
      const job = this.#waiting.find(({ spec }) => !busy.has(spaceOwner(spec.space)));
      if (!job) return;
      this.#waiting = this.#waiting.filter((other) => other !== job);
      const done = this.#run(job).then(() => {
        this.#running.delete(job.spec.build);
        this.#held.keep(this.holds);
        void this.#tidy(spaceOwner(job.spec.space));
        this.#startNext();
      });
      this.#running.set(job.spec.build, { job, done });
    }
  }

  #building(): Set<string> {
    return new Set([...this.#running.values()].map(({ job }) => spaceOwner(job.spec.space)));
  }

  /** Their next build waits for it; one that fails, as on a damaged disk, is tried again after that. */
  #tidy(owner: string): Promise<void> {
    const { builder, log } = this.#options;
    const before = this.#tidying.get(owner) ?? Promise.resolve();
    if (this.#closed) return before;
    const done = before
      .then(() => builder.tidy(owner))
      .then(
        (lines) => lines.forEach((says) => log.info({ owner }, says)),
        (error: unknown) => log.warn({ owner, error: String(error) }, "what nothing needs could not be cleared away"),
      )
      .finally(() => {
        if (this.#tidying.get(owner) === done) this.#tidying.delete(owner);
        this.#startNext();
      });
    this.#tidying.set(owner, done);
    return done;
  }

  async #run(job: Job): Promise<void> {
    const { node, builder, send } = this.#options;
    const { spec, fence, number, abort } = job;
    const { build } = spec;
    const held = { build, fence };
    this.#entry(held, "build.claim", "took", { builder: node, channel: `build-queue→${node}`, number });
    this.#claim(job);
    const lines = new Gatherer((batch) => send({ type: "build-log", build, fence, lines: batch }));
    let failed = false;
    const outcome = await builder.run(
      spec,
      {
        log: (line) => lines.add(line),
        step: (step, state, tookMs, end) => {
          lines.flush();
          failed ||= state === "failed";
          if (state !== "started" && step !== "publish") this.#stepEntry(held, step, state, tookMs, end);
          send({ type: "build-step", build, fence, step, state, tookMs });
        },
        limits: (limits) => send({ type: "build-limits", build, fence, limits }),
        trouble: (says) => {
          this.#options.log.warn({ build, says }, "a build's leftovers");
          this.#entry(held, "build.step", "done", { step: "tidy", says });
        },
      },
      abort.signal,
    );
    lines.flush();
    if (outcome.ok) this.#entry(held, "build.publish", "done", { release: outcome.release });
    else if (outcome.step === "publish")
      this.#entry(held, "build.publish", "failed", { code: outcome.code, says: outcome.says });
    else if (!failed)
      this.#entry(held, "build.step", "failed", { code: outcome.code, step: outcome.step, says: outcome.says });
    this.#finish(held, outcome);
  }

  #stepEntry(
    held: HeldBuild,
    step: string,
    state: "done" | "failed",
    tookMs: number,
    end: StepFailure | undefined,
  ): void {
    const hop = step === "fetch" ? "build.fetch" : "build.step";
    const why = end ? { code: end.code, exitCode: end.exitCode, because: end.because } : { exitCode: 0 };
    this.#entry(held, hop, state, { step, tookMs, ...why });
  }

  #claim({ spec: { build }, fence, number }: Job): void {
    this.#options.send({ type: "build-claimed", build, fence, number, builder: this.#options.node });
  }

  #finish(held: HeldBuild, outcome: BuildOutcome): void {
    this.#keep(held, outcome);
    this.#tell(held, outcome);
    this.#options.log.info({ ...held, ok: outcome.ok, code: outcome.ok ? undefined : outcome.code }, "build ended");
  }

  #tell({ build, fence }: HeldBuild, outcome: BuildOutcome): void {
    this.#options.send({ type: "build-done", build, fence, outcome });
  }

  #keep({ build, fence }: HeldBuild, outcome: BuildOutcome): void {
    this.#outcomes.delete(build);
    this.#outcomes.set(build, { fence, outcome });
    const oldest = this.#outcomes.keys().next().value;
    if (this.#outcomes.size > outcomesMax && oldest !== undefined) this.#outcomes.delete(oldest);
  }

  #entry({ build, fence }: HeldBuild, hop: Hop, mark: "took" | "done" | "failed", facts: Facts): void {
    this.#options.emitter.write({ work: build, hop, mark, facts: { ...facts, fence } });
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
