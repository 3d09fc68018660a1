/** The queue of builds as it runs: one command after another, each told and stored before it is acted on, and its deadlines kept. */
import { decide, nextDeadline } from "../core/builds/decide.ts";
import { evolve } from "../core/builds/evolve.ts";
import { noBuilds } from "../core/builds/model.ts";
import type { BuildCommand, BuildDecision, BuildEvent, BuildLimits, BuildsState } from "../core/builds/model.ts";
import type { ReleaseRow } from "../catalog/builds.ts";
import { between, durationMs, instant } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";

/** Something that happened, with the builds as they were and as they are by it. */
export interface Happened {
  readonly event: BuildEvent;
  readonly before: BuildsState;
  readonly after: BuildsState;
}

export interface BuildMachinePorts {
  readonly clock: Clock;
  readonly limits: BuildLimits;
  /** Says it in logs and record, then stores it, with the release that it publishes; it has happened when this resolves. */
  store(happened: readonly Happened[], now: Instant, release: ReleaseRow | undefined): Promise<void>;
  /** Does what follows. */
  act(happened: readonly Happened[], release: ReleaseRow | undefined): void;
  onFailure(what: string, error: unknown): void;
}

/** After a deadline that could not be stored, as on a full disk, it is tried again. */
const tickAgainMs = durationMs(1_000);
/** The longest that a timer of Node's can be set for. */
const timerMaxMs = durationMs(2 ** 31 - 1);

export class BuildMachine {
  readonly #ports: BuildMachinePorts;
  /** Wall time less monotonic time, at the start: deadlines do not move when the wall clock steps. */
  readonly #offset: number;
  #state: BuildsState = noBuilds;
  #last: Promise<unknown> = Promise.resolve();
  #alarm: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(ports: BuildMachinePorts) {
    this.#ports = ports;
    this.#offset = ports.clock.wall() - ports.clock.monotonic();
  }

  get state(): BuildsState {
    return this.#state;
  }

  get limits(): BuildLimits {
    return this.#ports.limits;
  }

  now(): Instant {
    return instant(this.#offset + this.#ports.clock.monotonic());
  }

  /** Goes on from what an earlier process left. */
  restore(state: BuildsState): void {
    this.#state = state;
    this.#arm();
  }

  /** Rejects where it could not be stored: then it has not happened. `release` is asked for where the command publishes one. */
  submit(command: BuildCommand, release?: () => Promise<ReleaseRow>): Promise<BuildDecision> {
    const mine = this.#last.then(() => this.#take(command, release));
    this.#last = mine.catch(() => undefined); // Told to whoever submitted it.
    return mine;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#alarm);
  }

  async #take(command: BuildCommand, release: (() => Promise<ReleaseRow>) | undefined): Promise<BuildDecision> {
    const now = this.now();
    const decision = decide(this.#state, command, now, this.#ports.limits);
    if (!decision.ok || decision.events.length === 0) return decision;
    const happened = this.#happen(decision.events, now);
    const published = decision.events.some(({ type }) => type === "published") ? await release?.() : undefined;
    await this.#ports.store(happened, now, published);
    this.#state = happened.at(-1)?.after ?? this.#state;
    this.#ports.act(happened, published);
    this.#arm();
    return decision;
  }

  #happen(events: readonly BuildEvent[], now: Instant): readonly Happened[] {
    let before = this.#state;
    return events.map((event) => {
      const after = evolve(before, event, now);
      const one = { event, before, after };
      before = after;
      return one;
    });
  }

  #arm(atLeastMs = durationMs(0)): void {
    clearTimeout(this.#alarm);
    const now = this.now();
    const next = nextDeadline(this.#state, now, this.#ports.limits);
    if (next === undefined || this.#closed) return;
    const waitMs = Math.min(timerMaxMs, Math.max(atLeastMs, between(now, next)));
    this.#alarm = setTimeout(() => {
      this.submit({ type: "tick" }).then(
        () => this.#arm(),
        (error: unknown) => {
          this.#ports.onFailure("a build's deadline", error);
          this.#arm(tickAgainMs);
        },
      );
    }, waitMs);
  }
}
