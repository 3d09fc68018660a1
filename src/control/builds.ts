/**
 * Builds on the server's side: a commit becomes a build, a build waits for a builder, its release is started, and when a replica
 * of it answers the build is done. Every stage has a deadline, and whatever passes it ends with a code and a last line in the log.
 */
import { join } from "node:path";
import type { LogLine, ReplicaStatus, ToAgent, ToServer } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import type { BuildStage, BuildView } from "../contract/api.ts";
import { advance, emptyQueue, nextDeadline } from "../build/queue.ts";
import type { CardFacts } from "../build/runtime-contract.ts";
import type { BuildQueue, BuilderSeat, QueueCommand, QueueEffect, QueueLimits } from "../build/queue.ts";
import { buildView } from "../catalog/builds.ts";
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { Emitter, Facts, Mark } from "../evidence/entry.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { between, durationMs, instant, iso } from "../stdx/time.ts";
import type { Clock, DurationMs, Instant } from "../stdx/time.ts";
import { BuildLog } from "./build-log.ts";
import type { QueueRoom } from "./no-build.ts";

/** `buildMs` is what the builder is given; the queue waits {@link tellEndMs} longer for its word. */
export interface BuildLimits extends QueueLimits {
  /** Builds that may wait, of all owners and of one; one more is refused. */
  readonly queueMax: number;
  readonly queueMaxOfOwner: number;
}

export interface BuildsPorts {
  readonly catalog: Catalog;
  readonly emitter: Emitter;
  readonly clock: Clock;
  readonly random: RandomBytes;
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
  start(release: ReleaseRow, build: string): Promise<string | undefined>;
  onChange(build: BuildRow): void;
  onFailure(what: string, error: unknown): void;
}

/** Hops of a build that the server signs for. */
type OurHop = "build.queue" | "build.claim" | "replica.start" | "replica.ready";

interface Failure {
  readonly code: Code;
  readonly says: string;
  readonly because: readonly string[];
  /** Where it ended, if on this side. */
  readonly hop: OurHop | undefined;
}

type BuildOutcome = Extract<ToServer, { type: "build-done" }>["outcome"];

/** A build that has not ended, with what only this process needs of it. */
interface LiveBuild {
  row: BuildRow;
  readonly log: BuildLog;
  /** Nothing that an earlier build resolved is used again. */
  readonly factory: boolean;
  /** The builder that has it. */
  node: string | undefined;
  /** The replica that it waits for. */
  replica: string | undefined;
  /** Of that replica's start. */
  deadline: NodeJS.Timeout | undefined;
  steps: BuildView["steps"][number][];
  /** Its end is on its way to disk: it ends once, and nothing is taken for it any more. */
  ending: boolean;
}

/** Beyond a build's own limit: what its builder may take to end its processes, which are killed within 6 s, and to say so. */
const tellEndMs = 30_000;
/** Beyond what an app was given to listen: its shim's own word about it. */
const startMarginMs = 10_000;
/** Ended builds whose rows and logs need not be opened again. */
const endedLogsKept = 10;
/** Lines that are read at once for one who follows. */
const followedLines = 500;

export class Builds {
  readonly #ports: BuildsPorts;
  readonly #queueLimits: QueueLimits;
  readonly #live = new Map<string, LiveBuild>();
  readonly #ended = new Map<string, BuildLog>();
  readonly #endedRows = new Map<string, BuildRow>();
  #queue: BuildQueue = emptyQueue;
  #alarm: NodeJS.Timeout | undefined;
  /** Wall time less monotonic time, at the start: deadlines do not move when the wall clock steps. */
  readonly #offset: number;

  constructor(ports: BuildsPorts) {
    this.#ports = ports;
    this.#offset = ports.clock.wall() - ports.clock.monotonic();
    this.#queueLimits = { ...ports.limits, buildMs: durationMs(ports.limits.buildMs + tellEndMs) };
  }

  /**
   * Builds that the last process left open. One that is published goes on: its app may be starting at this moment. Of any other the
   * builder died with that process, and it says so.
   */
  async recover(): Promise<void> {
    const { catalog, clock } = this.#ports;
    for (const row of await catalog.builds.open()) {
      const log = await BuildLog.open(this.#logFolder(row.id), clock, false);
      const live: LiveBuild = {
        row,
        log,
        factory: false,
        node: undefined,
        replica: undefined,
        deadline: undefined,
        steps: [...row.steps],
        ending: false,
      };
      this.#live.set(row.id, live);
      const release = row.stage === "starting" && row.release !== null && (await catalog.releases.get(row.release));
      if (release) {
        log.note("the platform was started again: the build is published, and its node tells how its app is doing");
        this.#awaitReplica(live, release);
        continue;
      }
      const says = "the platform stopped in the middle of this build";
      log.note(`failed: ${says}`);
      await this.#fail(live, { code: "build/builder-lost", says, because: [], hop: "build.claim" });
    }
  }

  /** How many builds wait beside a Space's, and may. */
  roomOf(space: string): QueueRoom {
    const { waiting } = this.#queue;
    const { queueMax, queueMaxOfOwner } = this.#ports.limits;
    const owner = ownerOf(space);
    const ownerWaiting = waiting.filter((one) => ownerOf(one.space) === owner).length;
    return { waiting: waiting.length, waitingMax: queueMax, ownerWaiting, ownerWaitingMax: queueMaxOfOwner };
  }

  /** Queues a build of a commit; its log has its first line, and the record its first entries, when this resolves. */
  async request({
    space,
    commit,
    account,
    factory = false,
  }: {
    space: string;
    commit: string;
    account: string;
    factory?: boolean;
  }): Promise<BuildRow> {
    const { catalog, clock, random, emitter } = this.#ports;
    const id = newId("b", random);
    const log = await BuildLog.create(this.#logFolder(id), clock);
    const row = await catalog.builds.create({ id, space, commit, says: "waits for a builder", queuedAt: clock.wall() });
    this.#live.set(id, {
      row,
      log,
      factory,
      node: undefined,
      replica: undefined,
      deadline: undefined,
      steps: [],
      ending: false,
    });
    emitter.write({ work: id, hop: "build.request", mark: "took", facts: { space, commit, account, factory } });
    emitter.write({ work: id, hop: "build.queue", mark: "took", facts: { position: this.#queue.waiting.length + 1 } });
    await this.#advance({ type: "enqueue", build: id, space, sdk: null });
    return row;
  }

  /** A node that builds said hello. */
  async onBuilder(seat: BuilderSeat): Promise<void> {
    await this.#advance({ type: "join", seat });
    // The node has told which replicas it has: what was published and is not among them was never started.
    for (const live of this.#live.values()) {
      if (live.node !== undefined || live.replica !== undefined || live.row.release === null) continue;
      const release = await this.#ports.catalog.releases.get(live.row.release);
      if (release?.node === seat.builder) await this.#start(live, release);
    }
  }

  async onMessage(
    message: Extract<ToServer, { type: "build-claimed" | "build-log" | "build-step" | "build-done" }>,
  ): Promise<void> {
    const live = this.#live.get(message.build);
    // It ended before: its log and record are closed. Or it is published: what its builder tells again after a new connection is known.
    if (!live || live.ending || live.row.stage === "starting") return;
    switch (message.type) {
      case "build-claimed":
        await this.#stage(live, "claimed", { claimedAt: this.#ports.clock.wall() });
        return this.#advance({ type: "claim", build: message.build });
      case "build-log":
        live.log.add(message.lines);
        return;
      case "build-step": {
        const step = { name: message.step, state: message.state, tookMs: message.tookMs };
        live.steps = [...live.steps.filter(({ name }) => name !== message.step), step];
        return this.#stage(
          live,
          message.step === "fetch" ? "fetching" : message.step === "publish" ? "publishing" : "building",
          {},
        );
      }
      case "build-done":
        return this.#done(live, message.outcome);
    }
  }

  /** A replica changed its phase: it may be the one that a build waits for. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    const live = [...this.#live.values()].find(({ replica, row }) =>
      replica === undefined ? row.stage === "starting" && row.release === status.release : replica === status.replica,
    );
    if (!live || live.ending || live.row.stage !== "starting") return;
    live.replica = status.replica;
    if (status.phase === "ready") {
      this.#entry(live, "replica.ready", "done", { replica: status.replica, link: status.replica });
      await this.#end(live, { stage: "done", code: null, says: "built and running" }, "running");
    } else if (status.phase !== "starting") {
      const code = status.end && isCode(status.end.code) ? status.end.code : "app/exit";
      const says = status.end?.says ?? "the app ended before it listened";
      await this.#fail(live, { code, says, because: [says], hop: "replica.ready" });
    }
  }

  /** The build with its newest numbers. */
  view(row: BuildRow): BuildView {
    const live = this.#live.get(row.id);
    if (!live) return buildView(this.#endedRows.get(row.id) ?? row, this.#ports.clock.wall());
    return { ...buildView(live.row, this.#ports.clock.wall()), logLines: live.log.count, steps: live.steps };
  }

  /** The log of a build, live or ended. */
  async log(id: string): Promise<BuildLog> {
    const known = this.#live.get(id)?.log ?? this.#ended.get(id);
    return known ?? BuildLog.open(this.#logFolder(id), this.#ports.clock, true);
  }

  /** Lines of a log from a number on, waiting for more while the build goes on. */
  async *follow(id: string, from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
    const log = await this.log(id);
    let next = Math.max(1, from);
    while (!signal.aborted) {
      // Looked at before the lines are read: what is written in between is then simply not the end yet.
      const { ended } = log;
      const part = log.read(next, followedLines);
      yield* part.lines;
      next = part.next;
      if (part.lines.length > 0) continue;
      if (ended) return;
      await log.more(next - 1, signal);
    }
  }

  close(): void {
    clearTimeout(this.#alarm);
    for (const live of this.#live.values()) clearTimeout(live.deadline);
  }

  async #done(live: LiveBuild, outcome: BuildOutcome): Promise<void> {
    const { catalog, clock } = this.#ports;
    await this.#advance({ type: "end", build: live.row.id });
    if (!outcome.ok) {
      const code = isCode(outcome.code) ? outcome.code : "build/step-failed";
      return this.#fail(live, { code, says: outcome.says, because: outcome.because, hop: undefined });
    }
    // The order of a Space's releases is the order of their publishing, also where the wall clock steps back.
    const before = await catalog.releases.newest(live.row.space);
    const release = releaseOf(live, outcome, instant(Math.max(clock.wall(), (before?.createdAt ?? -1) + 1)));
    await catalog.releases.create(release);
    await this.#stage(live, "starting", { release: release.id });
    await this.#start(live, release);
  }

  async #start(live: LiveBuild, release: ReleaseRow): Promise<void> {
    const replica = await this.#ports.start(release, live.row.id);
    if (replica === undefined) {
      return this.#fail(live, {
        code: "build/no-builder",
        says: "no node is there to run the release",
        because: [],
        hop: "replica.start",
      });
    }
    live.replica = replica;
    this.#entry(live, "replica.start", "handed", { replica, release: release.id, link: replica });
    const startMs = this.#awaitReplica(live, release);
    live.log.note(
      `release ${release.id} is published; replica ${replica} starts, and may take ${startMs / 1000} s until it listens`,
    );
  }

  /** Bounds how long its replica may take to listen, from now on; gives the app's own limit, in milliseconds. */
  #awaitReplica(live: LiveBuild, release: ReleaseRow): number {
    const startMs = this.#ports.startMs(release);
    clearTimeout(live.deadline);
    live.deadline = setTimeout(() => this.#settle(this.#neverListened(live)), durationMs(startMs + startMarginMs));
    return startMs;
  }

  #neverListened(live: LiveBuild): Promise<void> {
    return this.#fail(live, {
      code: "app/not-listening",
      says: "no word of the replica came in time",
      because: [],
      hop: "replica.ready",
    });
  }

  /** Lets the queue decide, and does what it says. */
  async #advance(command: QueueCommand): Promise<void> {
    const now = instant(this.#offset + this.#ports.clock.monotonic());
    const step = advance(this.#queue, command, now, this.#queueLimits);
    this.#queue = step.queue;
    clearTimeout(this.#alarm);
    const next = nextDeadline(this.#queue, this.#queueLimits);
    if (next !== undefined) {
      this.#alarm = setTimeout(() => this.#settle(this.#advance({ type: "tick" })), between(now, next));
    }
    for (const effect of step.effects) await this.#do(effect);
  }

  async #do(effect: QueueEffect): Promise<void> {
    const live = this.#live.get(effect.build);
    if (!live) return;
    switch (effect.type) {
      case "log":
        return live.log.note(effect.text);
      case "hand":
        return this.#hand(live, effect.builder, effect.number);
      case "withdraw":
        this.#ports.send(effect.builder, { type: "cancel-build", build: effect.build });
        return;
      case "fail": {
        const { code, says } = effect;
        return this.#fail(live, {
          code,
          says,
          because: [],
          hop: code === "build/builder-lost" ? "build.claim" : "build.queue",
        });
      }
    }
  }

  async #hand(live: LiveBuild, builder: string, number: number): Promise<void> {
    const { build, space, commit } = { build: live.row.id, space: live.row.space, commit: live.row.commit };
    live.node = builder;
    live.row = { ...live.row, stage: "claimed" };
    this.#entry(live, "build.claim", "handed", { builder, channel: `build-queue→${builder}`, number });
    const spec = {
      build,
      space,
      commit,
      repository: this.#ports.repositoryOf(space),
      limitMs: this.#ports.limits.buildMs,
      ...(live.factory ? { factory: true } : {}),
      cards: this.#ports.cards(builder).map(({ name, simulated, computeCapability, driver }) => ({
        name,
        simulated,
        ...(computeCapability === undefined ? {} : { computeCapability }),
        ...(driver === undefined ? {} : { driver }),
      })),
    };
    if (!this.#ports.send(builder, { type: "build", number, spec }))
      await this.#advance({ type: "lose-builder", builder });
  }

  async #fail(live: LiveBuild, { code, says, because, hop }: Failure): Promise<void> {
    if (live.ending) return;
    // What failed on the builder has the builder's entry already; what ends on this side is written here.
    if (hop)
      this.#entry(live, hop, hop === "build.queue" ? "refused" : "failed", { code, says, because: [...because] });
    // The queue and the builder have said in the log what happened; of a replica's start only this knows.
    if (hop === "replica.start" || hop === "replica.ready") live.log.note(`failed: ${says}`);
    await this.#end(
      live,
      { stage: "failed", code, says, because },
      `${code}: ${codeRow(code).next.replace(/\.$/, "")}`,
    );
  }

  async #end(live: LiveBuild, patch: Partial<BuildRow>, lastLine: string): Promise<void> {
    const { clock, emitter, onFailure } = this.#ports;
    live.ending = true;
    clearTimeout(live.deadline);
    live.row = { ...live.row, ...patch, endedAt: clock.wall(), logLines: live.log.count + 1, steps: live.steps };
    await emitter.sync();
    // A log that the disk refused must not keep the build open: its outcome is in the catalog and in the record.
    try {
      live.log.end(`${lastLine}; ${live.log.count + 1} lines, complete`);
    } catch (error) {
      onFailure(`the log of build ${live.row.id}`, error);
    }
    const { id, space: _space, commit: _commit, queuedAt: _queuedAt, ...change } = live.row;
    await this.#ports.catalog.builds.update(id, change);
    this.#live.delete(live.row.id);
    this.#endedRows.set(id, live.row);
    this.#keep(live.row.id, live.log);
    this.#ports.onChange(live.row);
  }

  async #stage(live: LiveBuild, stage: BuildStage, patch: Partial<BuildRow>): Promise<void> {
    if (live.ending) return;
    live.row = { ...live.row, ...patch, stage, steps: live.steps, logLines: live.log.count };
    const { id, space: _space, commit: _commit, queuedAt: _queuedAt, ...change } = live.row;
    await this.#ports.catalog.builds.update(id, change);
    this.#ports.onChange(live.row);
  }

  #entry(live: LiveBuild, hop: OurHop, mark: Mark, facts: Facts): void {
    this.#ports.emitter.write({ work: live.row.id, hop, mark, facts });
  }

  #keep(id: string, log: BuildLog): void {
    this.#ended.set(id, log);
    const oldest = this.#ended.keys().next().value;
    if (this.#ended.size <= endedLogsKept || oldest === undefined) return;
    this.#ended.delete(oldest);
    this.#endedRows.delete(oldest);
  }

  /** Work that nobody waits for: its failure is told to the operator. */
  #settle(work: Promise<void>): void {
    work.catch((error: unknown) => this.#ports.onFailure("a build's deadline", error));
  }

  #logFolder(id: string): string {
    return join(this.#ports.folder, id);
  }
}

function ownerOf(space: string): string {
  return space.split("/")[0] ?? "";
}

/** What a builder published, as the catalog keeps it. The folder on its node has the whole manifest. */
function releaseOf({ row, node }: LiveBuild, outcome: Extract<BuildOutcome, { ok: true }>, now: Instant): ReleaseRow {
  const { settings } = outcome;
  const manifest: ReleaseManifest = {
    release: outcome.release,
    space: row.space,
    commit: row.commit,
    build: row.id,
    sdk: outcome.sdk,
    title: String(settings["title"] ?? ""),
    argv: null,
    staticFolder: String(settings["staticFolder"] ?? "."),
    appPort: Number(settings["appPort"] ?? 7860),
    builtAt: iso(now),
    ...(outcome.runtime === undefined ? {} : { runtime: outcome.runtime }),
    startupTimeoutMs: Number(settings["startupTimeoutMs"] ?? 0),
  };
  return {
    id: outcome.release,
    space: row.space,
    build: row.id,
    commit: row.commit,
    manifest,
    node: node ?? "",
    createdAt: now,
  };
}
