/**
 * Builds on the server's side: a commit becomes a build, a build waits for a builder, its release is started, and when a replica
 * of it answers the build is done. The queue (core/builds) decides; here its events become rows, log lines, entries and messages.
 */
import { startMarginMs } from "../core/spaces/draft.ts";
import { spaceOwner } from "../contract/space.ts";
import type { LogLine, ReplicaStatus, ToAgent, ToServer } from "../contract/agent.ts";
import type { CardFacts } from "../build/runtime-contract.ts";
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { roomIn } from "../core/builds/decide.ts";
import { isLeased } from "../core/builds/model.ts";
import type {
  Actor,
  Build,
  BuildDecision,
  Builder,
  BuildLimits,
  CodeName,
  LeasedStage,
  Word,
} from "../core/builds/model.ts";
import type { Code } from "../evidence/codes.ts";
import { isCode } from "../evidence/codes.ts";
import type { Emitter } from "../evidence/entry.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { durationMs, instant } from "../stdx/time.ts";
import type { Clock, DurationMs } from "../stdx/time.ts";
import type { BuildLog } from "./build-log.ts";
import { BuildLogs } from "./build-logs.ts";
import { BuildMachine } from "./build-machine.ts";
import type { Happened } from "./build-machine.ts";
import { releaseOf } from "./build-release.ts";
import { restoredBuilds } from "./build-restore.ts";
import { BuildTelling } from "./build-telling.ts";
import { BuildViews } from "./build-views.ts";
import { LiveBuilds } from "./live-builds.ts";
import type { LiveBuild } from "./live-builds.ts";
import type { QueueRoom } from "./no-build.ts";

export interface BuildsPorts {
  readonly catalog: Catalog;
  readonly emitter: Emitter;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** `buildMs` is what the builder is given; the queue waits {@link tellEndMs} longer for its word. */
  readonly limits: BuildLimits;
  /** Folder of the logs. */
  readonly folder: string;
  send(node: string, message: ToAgent): boolean;
  /** The cards of a node: a release runs where it was built. */
  cards(node: string): readonly CardFacts[];
  repositoryOf(space: string): string;
  /** How long a replica of this release may take from its start to listening. */
  startMs(release: ReleaseRow): DurationMs;
  /** A release is published: start a replica of it. Resolves with the replica's id, or undefined when no node is there. */
  start(release: ReleaseRow, build: BuildRow): Promise<string | undefined>;
  /** Why nothing of this release is started, or will be; undefined where it is. */
  held(release: Pick<ReleaseRow, "id" | "space">): string | undefined;
  onChange(build: BuildRow): void;
  onFailure(what: string, error: unknown): void;
}

type BuildMessage = Extract<
  ToServer,
  { type: "build-claimed" | "build-log" | "build-limits" | "build-step" | "build-done" }
>;
type BuildOutcome = Extract<ToServer, { type: "build-done" }>["outcome"];

/** What is asked to be built. */
export interface Asked {
  readonly space: string;
  readonly commit: string;
  readonly account: string;
  readonly factory?: boolean;
  /** The build that it is another try of. */
  readonly retryOf?: string | null;
  /** The SDK that its README names. */
  readonly sdk?: string | null;
}

/** Beyond a build's own limit: what its builder may take to end its processes, which are killed within 6 s, and to say so. */
const tellEndMs = 30_000;
/** Steps that are a stage of their own; all others are building. */
const stageOfStep: Readonly<Record<string, LeasedStage>> = {
  fetch: "fetching",
  check: "checking",
  publish: "publishing",
};

export class Builds {
  readonly #ports: BuildsPorts;
  readonly #machine: BuildMachine;
  readonly #logs: BuildLogs;
  readonly #live: LiveBuilds;
  readonly #telling: BuildTelling;
  readonly views: BuildViews;

  constructor(ports: BuildsPorts) {
    const { catalog, clock, onFailure } = ports;
    const limits = { ...ports.limits, buildMs: durationMs(ports.limits.buildMs + tellEndMs) };
    this.#ports = ports;
    this.#logs = new BuildLogs(ports.folder, clock);
    this.#live = new LiveBuilds(this.#logs);
    this.#telling = new BuildTelling({ ...ports, limits, logs: this.#logs, live: this.#live });
    this.#machine = new BuildMachine({
      clock,
      limits,
      store: (happened, now, release) => this.#telling.store(happened, now, release),
      act: (happened, release) => this.#act(happened, release),
      onFailure,
    });
    this.views = new BuildViews({ machine: this.#machine, live: this.#live, rows: catalog.builds });
  }

  /** Builds that the last process left open go on: waiting ones with their place, those that a builder had where it still has them. */
  async recover(): Promise<void> {
    const { catalog, onFailure } = this.#ports;
    const now = this.#machine.now();
    // What a crash left: the log of a build that was never queued, or whose row had just said that it goes.
    const logs = await this.#logs.all();
    const kept = await catalog.kept.logged(logs);
    await this.removeLogs(logs.filter((id) => !kept.has(id)));
    const rows = await catalog.builds.open();
    const state = await restoredBuilds(catalog.builds, rows, now, this.#machine.limits);
    for (const row of rows) {
      const log = await this.#logs.goOn(row.id);
      const build = state.builds.get(row.id);
      if (build === undefined) {
        await this.#telling.abandon(row, log, now).catch((error: unknown) => onFailure(`build ${row.id}`, error));
        continue;
      }
      this.#live.add(row);
      log.note(`the platform was started again: ${restoredSays(build, this.#machine.limits)}`);
    }
    this.#machine.restore(state);
    this.#telling.places(this.#machine.state, this.#machine.now());
  }

  /** How many builds wait beside a Space's, and may. */
  roomOf(space: string): QueueRoom {
    const { state, limits } = this.#machine;
    const own = [...state.builds.values()].filter(({ terms }) => terms.space === space);
    const { waitingMax, ownerWaitingMax } = limits;
    return { ...roomIn(state, spaceOwner(space), own), waitingMax, ownerWaitingMax };
  }

  /** Queues a build of a commit; its log has its first line, and the record its first entries, when this resolves. */
  async request({ space, commit, account, factory = false, retryOf = null, sdk = null }: Asked): Promise<BuildRow> {
    const id = newId("b", this.#ports.random);
    const now = this.#machine.now();
    const terms = { build: id, space, owner: spaceOwner(space), commit, account, sdk, factory, retryOf, queuedAt: now };
    await this.#logs.begin(id);
    const decision = await this.#machine.submit({ type: "enqueue", terms, priority: 0 });
    if (!decision.ok) throw new Error(`build ${id} of ${space} was not queued: ${decision.says}`);
    const row = this.#live.rowOf(id);
    if (!row) throw new Error(`build ${id} of ${space} is not there`);
    return row;
  }

  /** Ends a build that has not ended. */
  cancel(build: string, by: Actor): Promise<BuildDecision> {
    return this.#machine.submit({ type: "cancel", build, by });
  }

  /** Ends all builds of a Space that have not ended. */
  async cancelAll(space: string, by: Actor): Promise<void> {
    const open = [...this.#machine.state.builds.values()].filter(({ terms }) => terms.space === space);
    for (const { terms } of open) await this.cancel(terms.build, by);
  }

  /** Lets a waiting build go before others, or after them. */
  prioritize(build: string, priority: number, by: Actor): Promise<BuildDecision> {
    return this.#machine.submit({ type: "prioritize", build, priority, by });
  }

  /** A node that builds said hello. */
  async onBuilder(builder: Omit<Builder, "awaySince">): Promise<void> {
    await this.#machine.submit({ type: "join", builder });
    // The node has told which replicas it has: what was published and is not among them was never started.
    for (const [id, live] of this.#live.all) {
      const build = this.#machine.state.builds.get(id);
      if (build?.stage !== "starting" || build.builder !== builder.name || live.replica !== undefined) continue;
      const release = await this.#ports.catalog.releases.get(build.release);
      if (release) await this.#start(live, release);
    }
  }

  /** Its connection is lost: it keeps what it has as long as its leases last. */
  async onBuilderAway(builder: string): Promise<void> {
    await this.#machine.submit({ type: "leave", builder });
  }

  /** Whether this builder was given a build of the Space, or the build of this id, that goes on. */
  has(builder: string, space: string, id?: string): boolean {
    return [...this.#machine.state.builds.values()].some(
      (build) =>
        isLeased(build) &&
        build.lease.builder === builder &&
        build.terms.space === space &&
        (id === undefined || build.terms.build === id),
    );
  }

  /** Who has this build, or had it when its release was published; undefined where this fence is an older one. */
  holder(id: string, fence: number): string | undefined {
    const build = this.#machine.state.builds.get(id);
    if (build === undefined || build.stage === "queued" || fence < build.attempts) return undefined;
    return isLeased(build) ? build.lease.builder : build.builder;
  }

  /** A heartbeat, with all that the builder has. */
  async onHeartbeat(
    builder: string,
    holds: readonly { readonly build: string; readonly fence: number }[],
  ): Promise<void> {
    await this.#machine.submit({ type: "hear", builder, holds });
  }

  async onMessage(builder: string, message: BuildMessage): Promise<void> {
    const { build, fence } = message;
    const live = this.#live.get(build);
    // It ended before, and its log and record are closed. A builder that was away then begins or goes on in vain.
    if (!live) return message.type === "build-claimed" ? this.#endThere(build, builder, fence) : undefined;
    const word: Word = { build, fence, builder };
    switch (message.type) {
      case "build-claimed":
        return this.#heed(live, word, await this.#machine.submit({ type: "claim", ...word }));
      case "build-log":
        if (this.#holds(word)) this.#logs.get(build)?.add(message.lines);
        else this.#refuseLate(live, word, `builder ${builder} printed by fence ${fence}, which it has lost`);
        return;
      case "build-limits":
        if (!this.#holds(word)) return;
        this.#live.change(build, { limits: message.limits });
        await this.#ports.catalog.builds.update(build, { limits: message.limits });
        return;
      case "build-step": {
        const { step, state, tookMs } = message;
        const stage = stageOfStep[step] ?? "building";
        if (this.#holds(word)) {
          live.steps = [...live.steps.filter(({ name }) => name !== step), { name: step, state, tookMs }];
          await this.#ports.catalog.builds.update(build, this.#live.countsOf(build));
          this.#ports.onChange(live.row);
        }
        return this.#heed(live, word, await this.#machine.submit({ type: "progress", ...word, stage }));
      }
      case "build-done":
        return this.#heed(live, word, await this.#done(live, word, message.outcome));
    }
  }

  /** A replica changed its phase: it may be the one that a build waits for. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    const found = [...this.#live.all].find(([id, { replica }]) => {
      const build = this.#machine.state.builds.get(id);
      if (build?.stage !== "starting") return false;
      const isAnother = replica !== undefined && replica !== status.replica;
      return build.release === status.release && (!isAnother || status.phase === "ready");
    });
    if (!found) return;
    const [id, live] = found;
    const { replica, phase, end } = status;
    live.replica = replica;
    if (phase === "ready") {
      this.#ports.emitter.write({
        work: id,
        hop: "replica.ready",
        mark: "done",
        facts: { replica, link: replica },
      });
      await this.#machine.submit({ type: "listen", build: id });
    } else if (phase === "stopped") {
      // Not by a fault of the app's. Where nobody's word holds it down, another replica follows it, as after the platform's own stop.
      const held = this.#ports.held({ id: status.release, space: status.space });
      if (held === undefined) live.replica = undefined;
      else await this.#machine.submit({ type: "listen", build: id, held: end?.says ?? held });
    } else if (phase !== "starting") {
      const code: Code = end && isCode(end.code) ? end.code : "app/exit";
      const says = end?.says ?? "the app ended before it listened";
      await this.#machine.submit({ type: "fail-start", build: id, code, says, because: [says] });
    }
  }

  /** The log of a build, live or ended. */
  async log(id: string): Promise<BuildLog> {
    return this.#logs.of(id);
  }

  /** Lines of a log from a number on, waiting for more while the build goes on. */
  follow(id: string, from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
    return this.#logs.follow(id, from, signal);
  }

  /** Whether it has not ended. */
  isOpen(id: string): boolean {
    return this.#live.get(id) !== undefined;
  }

  /** Removes the logs of builds whose rows say so. */
  async removeLogs(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      this.#live.readAgain(id);
      await this.#logs.remove(id);
    }
  }

  close(): void {
    this.#machine.close();
  }

  async #done(live: LiveBuild, word: Word, outcome: BuildOutcome): Promise<BuildDecision> {
    if (!outcome.ok) {
      const code: CodeName = isCode(outcome.code) ? outcome.code : "build/step-failed";
      return this.#machine.submit({ type: "fail", ...word, code, says: outcome.says, because: outcome.because });
    }
    const { catalog, clock, startMs } = this.#ports;
    const published = releaseOf(live.row, word.builder, outcome, clock.wall());
    const command = {
      type: "publish",
      ...word,
      release: published.id,
      startMs: durationMs(startMs(published) + startMarginMs),
    } as const;
    return this.#machine.submit(command, async () => {
      // The order of a Space's releases is the order of their publishing, also where the wall clock steps back.
      const before = await catalog.releases.newest(live.row.space);
      return { ...published, createdAt: instant(Math.max(published.createdAt, (before?.createdAt ?? -1) + 1)) };
    });
  }

  async #start(live: LiveBuild, release: ReleaseRow): Promise<void> {
    const { id } = live.row;
    const replica = await this.#ports.start(release, live.row);
    const held = replica === undefined ? this.#ports.held(release) : undefined;
    if (held !== undefined) {
      await this.#machine.submit({ type: "listen", build: id, held });
      return;
    }
    if (replica === undefined) {
      const says = "no node is there to run the release";
      await this.#machine.submit({ type: "fail-start", build: id, code: "build/no-builder", says, because: [] });
      return;
    }
    live.replica = replica;
    const facts = { replica, release: release.id, link: replica };
    this.#ports.emitter.write({ work: id, hop: "replica.start", mark: "handed", facts });
    const mayTakeS = this.#ports.startMs(release) / 1000;
    this.#logs
      .get(id)
      ?.note(
        `release ${release.id} is published; replica ${replica} starts, and may take ${mayTakeS} s until it listens`,
      );
  }

  /** A word by an old fence changes nothing, and the log says that it came. Whoever said it is told to end what it has. */
  #heed(live: LiveBuild, word: Word, decision: BuildDecision): void {
    if (decision.ok || decision.why !== "old-fence") return;
    this.#refuseLate(live, word, decision.says);
    this.#withdraw(word.build, word, "build/builder-lost", decision.says);
  }

  async #endThere(build: string, builder: string, fence: number): Promise<void> {
    const row = await this.#ports.catalog.builds.get(build);
    if (row?.endedAt) this.#withdraw(build, { builder, fence }, row.code ?? "build/builder-lost", row.says);
  }

  #refuseLate(live: LiveBuild, { fence }: Word, says: string): void {
    // What was published is known: its builder tells it again with each new connection.
    const build = this.#machine.state.builds.get(live.row.id);
    if (!build || build.stage === "starting" || live.toldFence >= fence) return;
    live.toldFence = fence;
    this.#logs.get(live.row.id)?.note(`refused: ${says}`);
  }

  #holds({ build: id, builder, fence }: Word): boolean {
    const build = this.#machine.state.builds.get(id);
    return build !== undefined && isLeased(build) && build.lease.builder === builder && build.lease.fence === fence;
  }

  /** What follows from what is stored. */
  #act(happened: readonly Happened[], release: ReleaseRow | undefined): void {
    for (const { event, before } of happened) {
      switch (event.type) {
        case "given":
          this.#hand(event.build);
          break;
        case "builder-joined":
          // What was on its way when an older connection was lost may not have arrived: the same again is harmless.
          for (const build of before.builds.values())
            if (isLeased(build) && !build.taken && build.lease.builder === event.builder.name)
              this.#hand(build.terms.build);
          break;
        case "requeued":
          this.#withdraw(event.build, event.lease, event.code, event.says);
          break;
        case "published": {
          const live = this.#live.get(event.build);
          if (live && release) this.#settle(this.#start(live, release));
          break;
        }
        case "ended":
          if (event.withdrawn)
            this.#withdraw(event.build, event.withdrawn, event.code ?? "build/builder-lost", event.says);
          this.#live.forget(event.build);
          break;
        default:
      }
      if (!("build" in event) || event.type === "renewed") continue;
      const row = this.#live.rowOf(event.build);
      if (row) this.#ports.onChange(row);
    }
    this.#telling.places(this.#machine.state, this.#machine.now());
  }

  #hand(id: string): void {
    const build = this.#machine.state.builds.get(id);
    if (!build || !isLeased(build)) return; // Something later in the same decision took it back.
    const { terms, lease, number } = build;
    const { space, commit, factory } = terms;
    const spec = {
      build: id,
      space,
      commit,
      repository: this.#ports.repositoryOf(space),
      limitMs: this.#ports.limits.buildMs,
      ...(factory ? { factory } : {}),
      cards: this.#ports.cards(lease.builder).map(({ name, simulated, computeCapability, driver }) => ({
        name,
        simulated,
        ...(computeCapability === undefined ? {} : { computeCapability }),
        ...(driver === undefined ? {} : { driver }),
      })),
    };
    const isSent = this.#ports.send(lease.builder, { type: "build", number, fence: lease.fence, spec });
    if (!isSent) this.#settle(this.onBuilderAway(lease.builder));
  }

  #withdraw(build: string, lease: { builder: string; fence: number }, code: string, why: string): void {
    this.#ports.send(lease.builder, { type: "cancel-build", build, fence: lease.fence, code, why });
  }

  /** Work that nobody waits for: its failure is told to the operator. */
  #settle(work: Promise<void>): void {
    work.catch((error: unknown) => this.#ports.onFailure("a build", error));
  }
}

function restoredSays(build: Build, { returnMs }: BuildLimits): string {
  if (build.stage === "queued") return "the build goes on waiting with its place";
  if (build.stage === "starting") return "the build is published, and its node tells how its app is doing";
  return `builder ${build.lease.builder} has ${returnMs / 1000} s to say that it still has the build; else it is given to a builder again`;
}
