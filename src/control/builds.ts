/**
 * Builds on the server's side: a commit becomes a build, a build waits for a builder, its release is started, and when a replica
 * of it answers the build is done. Every stage has a deadline, and whatever passes it ends with a code and a last line in the log.
 */
import { join } from "node:path";
import type { LogLine, ReplicaStatus, ToAgent, ToServer } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import type { BuildStage, BuildView } from "../contract/api.ts";
import { buildView } from "../catalog/builds.ts";
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { Emitter, Facts, Mark } from "../evidence/entry.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { durationMs, iso } from "../stdx/time.ts";
import type { Clock, DurationMs, Instant } from "../stdx/time.ts";
import { BuildLog } from "./build-log.ts";
import { ordinal } from "./waiting.ts";

export interface BuildLimits {
  /** Builds that may wait; one more is refused. */
  readonly queueMax: number;
  /** How long a build may wait for a builder. */
  readonly queueMs: DurationMs;
  /** How long a build may take on its builder. */
  readonly buildMs: DurationMs;
}

export interface BuildsPorts {
  readonly catalog: Catalog;
  readonly emitter: Emitter;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly limits: BuildLimits;
  /** Folder of the logs. */
  readonly folder: string;
  /** The node that may take a build now; undefined while none is connected. */
  builder(): string | undefined;
  send(node: string, message: ToAgent): boolean;
  repositoryOf(space: string): string;
  /** How long a replica of this release may take from its start to listening. */
  startMs(release: ReleaseRow): DurationMs;
  /** A release is published: start a replica of it. Resolves with the replica's id, or undefined when no node is there. */
  start(release: ReleaseRow, build: string): Promise<string | undefined>;
  onChange(build: BuildRow): void;
  onFailure(what: string, error: unknown): void;
}

type BuildOutcome = Extract<ToServer, { type: "build-done" }>["outcome"];

/** A build that has not ended, with what only this process needs of it. */
interface LiveBuild {
  row: BuildRow;
  readonly log: BuildLog;
  node: string | undefined;
  number: number;
  replica: string | undefined;
  deadline: NodeJS.Timeout | undefined;
  steps: BuildView["steps"][number][];
}

/** Extra time for a builder's own last word, before the server gives up on it. */
const builderGraceMs = 10_000;
/** Logs of ended builds that stay in memory; older ones are read from disk. */
const endedLogsKept = 50;

export class Builds {
  readonly #ports: BuildsPorts;
  readonly #live = new Map<string, LiveBuild>();
  readonly #ended = new Map<string, BuildLog>();
  readonly #endedRows = new Map<string, BuildRow>();
  /** Waiting, in order. */
  readonly #queue: string[] = [];
  /** Builds handed to builders so far: the number of each hand-over. */
  #handed = 0;

  constructor(ports: BuildsPorts) {
    this.#ports = ports;
  }

  /** Builds that the last process left open: their builder died with it, and they say so. */
  async recover(): Promise<void> {
    for (const row of await this.#ports.catalog.builds.open()) {
      const log = await BuildLog.open(this.#logFile(row.id), this.#ports.clock, false);
      const live: LiveBuild = { row, log, node: undefined, number: 0, replica: undefined, deadline: undefined, steps: [...row.steps] };
      this.#live.set(row.id, live);
      await this.#fail(live, "build/builder-lost", "the platform stopped in the middle of this build", []);
    }
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get isFull(): boolean {
    return this.#queue.length >= this.#ports.limits.queueMax;
  }

  /** Queues a build of a commit; its log has its first line, and the record its first entries, when this resolves. */
  async request({ space, commit, account }: { space: string; commit: string; account: string }): Promise<BuildRow> {
    const { catalog, clock, random, emitter } = this.#ports;
    const id = newId("b", random);
    const log = await BuildLog.create(this.#logFile(id), clock);
    const row = await catalog.builds.create({ id, space, commit, says: "waits for a builder", queuedAt: clock.wall() });
    const live: LiveBuild = { row, log, node: undefined, number: 0, replica: undefined, deadline: undefined, steps: [] };
    this.#live.set(id, live);
    this.#queue.push(id);
    const position = this.#queue.length;
    const builder = this.#ports.builder();
    const keeps = builder === undefined ? "no builder is connected" : `builder ${builder}`;
    const limit = this.#ports.limits.queueMs / 1000;
    log.note(`queued ${ordinal(position)} of ${position}, ${keeps}; commit ${commit.slice(0, 12)} of ${space}; gives up after ${limit} s in the queue`);
    emitter.write({ work: id, hop: "build.request", mark: "took", facts: { space, commit, account } });
    emitter.write({ work: id, hop: "build.queue", mark: "took", facts: { position, builder: builder ?? null } });
    live.deadline = this.#after(this.#ports.limits.queueMs, () => this.#fail(live, "build/queue-timeout", `no builder took it within ${limit} s`, []));
    this.dispatch();
    return row;
  }

  /** Hands waiting builds to a builder, one at a time for each. */
  dispatch(): void {
    const { emitter, limits } = this.#ports;
    const node = this.#ports.builder();
    if (node === undefined) return;
    if ([...this.#live.values()].some((live) => live.node === node && isOnBuilder(live.row.stage))) return;
    const id = this.#queue.shift();
    const live = id === undefined ? undefined : this.#live.get(id);
    if (!live) return;
    this.#handed += 1;
    live.node = node;
    live.number = this.#handed;
    live.row = { ...live.row, stage: "claimed" };
    emitter.write({ work: live.row.id, hop: "build.claim", mark: "handed", facts: { builder: node, channel: `builds→${node}`, number: live.number } });
    const spec = { build: live.row.id, space: live.row.space, commit: live.row.commit, repository: this.#ports.repositoryOf(live.row.space), limitMs: limits.buildMs };
    clearTimeout(live.deadline);
    live.deadline = this.#after(limits.buildMs + builderGraceMs, () => this.#fail(live, "build/builder-lost", `builder ${node} did not answer in time`, []));
    if (!this.#ports.send(node, { type: "build", number: live.number, spec })) {
      void this.#settle(this.#fail(live, "build/builder-lost", `builder ${node} went away`, []));
    }
  }

  async onMessage(message: Extract<ToServer, { type: "build-claimed" | "build-log" | "build-step" | "build-done" }>): Promise<void> {
    const live = this.#live.get(message.build);
    if (!live) return; // it ended before: its log and record are closed
    switch (message.type) {
      case "build-claimed":
        live.log.note(`builder ${message.builder} has it`);
        return this.#stage(live, "claimed", { claimedAt: this.#ports.clock.wall() });
      case "build-log":
        live.log.add(message.lines);
        return;
      case "build-step": {
        const step = { name: message.step, state: message.state, tookMs: message.tookMs };
        live.steps = [...live.steps.filter(({ name }) => name !== message.step), step];
        return this.#stage(live, message.step === "fetch" ? "fetching" : message.step === "publish" ? "publishing" : "building", {});
      }
      case "build-done":
        return this.#done(live, message.outcome);
    }
  }

  /** A replica changed its phase: it may be the one that a build waits for. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    const live = [...this.#live.values()].find(({ replica }) => replica === status.replica);
    if (!live || live.row.stage !== "starting") return;
    if (status.phase === "ready") {
      this.#entry(live, "replica.ready", "done", { replica: status.replica, link: status.replica });
      await this.#end(live, { stage: "done", code: null, says: "built and running" }, "running; complete");
    } else if (status.phase !== "starting") {
      const code = status.end && isCode(status.end.code) ? status.end.code : "app/exit";
      await this.#fail(live, code, status.end?.says ?? "the app ended before it listened", status.end ? [status.end.says] : [], "replica.ready");
    }
  }

  /** A node went away: what it was building is lost. */
  async onNodeLost(node: string): Promise<void> {
    for (const live of this.#live.values()) {
      if (live.node === node && isOnBuilder(live.row.stage)) await this.#fail(live, "build/builder-lost", `builder ${node} went away`, []);
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
    return known ?? BuildLog.open(this.#logFile(id), this.#ports.clock, true);
  }

  /** Lines of a log from a number on, waiting for more while the build goes on. */
  async *follow(id: string, from: number, signal: AbortSignal): AsyncGenerator<LogLine> {
    const log = await this.log(id);
    let next = Math.max(1, from);
    while (!signal.aborted) {
      const lines = log.read(next, 500);
      for (const line of lines) yield line;
      next += lines.length;
      if (lines.length > 0) continue;
      if (log.ended) return;
      await log.more(next - 1);
    }
  }

  close(): void {
    for (const live of this.#live.values()) clearTimeout(live.deadline);
  }

  async #done(live: LiveBuild, outcome: BuildOutcome): Promise<void> {
    const { catalog, clock } = this.#ports;
    clearTimeout(live.deadline);
    if (!outcome.ok) {
      const code = isCode(outcome.code) ? outcome.code : "build/step-failed";
      await this.#fail(live, code, outcome.says, outcome.because);
      return;
    }
    const release = releaseOf(live, outcome, clock.wall());
    await catalog.releases.create(release);
    await this.#stage(live, "starting", { release: release.id });
    const replica = await this.#ports.start(release, live.row.id);
    if (replica === undefined) {
      await this.#fail(live, "build/no-builder", "no node is there to run the release", []);
    } else {
      live.replica = replica;
      this.#entry(live, "replica.start", "handed", { replica, release: outcome.release, link: replica });
      const startMs = this.#ports.startMs(release);
      live.log.note(`release ${release.id} is published; replica ${replica} starts, and may take ${startMs / 1000} s until it listens`);
      live.deadline = this.#after(startMs + builderGraceMs, () => this.#fail(live, "app/not-listening", "no word of the replica came in time", [], "replica.ready"));
    }
    this.dispatch();
  }

  async #fail(live: LiveBuild, code: Code, says: string, because: readonly string[], hop: "build.queue" | "build.claim" | "build.step" | "replica.ready" | undefined = undefined): Promise<void> {
    if (!this.#live.has(live.row.id)) return;
    const at = hop ?? (code === "build/queue-timeout" ? "build.queue" : code === "build/builder-lost" ? "build.claim" : undefined);
    // The builder's own failures have its entry already; what ends elsewhere is written here.
    if (at) this.#entry(live, at, code === "build/queue-timeout" ? "refused" : "failed", { code, says, because: [...because] });
    if (live.node !== undefined && isOnBuilder(live.row.stage)) this.#ports.send(live.node, { type: "cancel-build", build: live.row.id });
    await this.#end(live, { stage: "failed", code, says, because }, `failed: ${code}: ${says}. ${codeRow(code).next}`);
  }

  async #end(live: LiveBuild, patch: Partial<BuildRow>, lastLine: string): Promise<void> {
    const { clock, emitter } = this.#ports;
    clearTimeout(live.deadline);
    const waiting = this.#queue.indexOf(live.row.id);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    live.row = { ...live.row, ...patch, endedAt: clock.wall(), logLines: live.log.count + 1, steps: live.steps };
    await emitter.sync();
    await live.log.end(`${lastLine} (${live.log.count + 1} lines, complete)`);
    const { id, space: _space, commit: _commit, queuedAt: _queuedAt, ...change } = live.row;
    await this.#ports.catalog.builds.update(id, change);
    this.#live.delete(live.row.id);
    this.#endedRows.set(id, live.row);
    this.#keep(live.row.id, live.log);
    this.#ports.onChange(live.row);
    this.dispatch();
  }

  async #stage(live: LiveBuild, stage: BuildStage, patch: Partial<BuildRow>): Promise<void> {
    live.row = { ...live.row, ...patch, stage, steps: live.steps, logLines: live.log.count };
    const { id, space: _space, commit: _commit, queuedAt: _queuedAt, ...change } = live.row;
    await this.#ports.catalog.builds.update(id, change);
    this.#ports.onChange(live.row);
  }

  #entry(live: LiveBuild, hop: "build.queue" | "build.claim" | "build.step" | "replica.start" | "replica.ready", mark: Mark, facts: Facts): void {
    this.#ports.emitter.write({ work: live.row.id, hop, mark, facts });
  }

  #keep(id: string, log: BuildLog): void {
    this.#ended.set(id, log);
    const oldest = this.#ended.keys().next().value;
    if (this.#ended.size <= endedLogsKept || oldest === undefined) return;
    this.#ended.delete(oldest);
    this.#endedRows.delete(oldest);
  }

  #after(ms: number, then: () => Promise<void>): NodeJS.Timeout {
    return setTimeout(() => void this.#settle(then()), durationMs(ms));
  }

  async #settle(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#ports.onFailure("a build's deadline", error);
    }
  }

  #logFile(id: string): string {
    return join(this.#ports.folder, `${id}.log`);
  }
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
    startupTimeoutMs: Number(settings["startupTimeoutMs"] ?? 0),
  };
  return { id: outcome.release, space: row.space, build: row.id, commit: row.commit, manifest, node: node ?? "", createdAt: now };
}

function isOnBuilder(stage: BuildStage): boolean {
  return stage === "claimed" || stage === "fetching" || stage === "building" || stage === "publishing";
}

