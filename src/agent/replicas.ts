/**
 * The node's replicas: started, watched, started again with growing pauses, stopped, found again after a restart of the agent.
 *
 *   start ─► launching ─► running ─► dead ─► (another replica, after a pause) …
 *                 └─ stop ─►┘  └─ stop ─► dead
 *
 * The agent decides about restarts, and each attempt is a replica of its own that names the one before it (`previous`). Only ends
 * that this agent saw are followed by a restart: what it finds dead when it starts is the server's to decide, after `hello`.
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ReplicaSpec, ReplicaStatus, SpaceOnDisk, ToServer } from "../contract/agent.ts";
import type { AgentToShim, ShimToAgent } from "../contract/shim.ts";
import type { Code } from "../evidence/codes.ts";
import type { Emitter, Facts, Hop, Mark } from "../evidence/entry.ts";
import type { Builder } from "../build/builder.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { removeFolder } from "../record/remove-folder.ts";
import type { Clock } from "../stdx/time.ts";
import type { Watched } from "./card-use.ts";
import { emptyHeld, isEnd, readSettled, settle, type Held } from "./held-replica.ts";
import type { AgentLog, EvidenceSource, Launcher, LogAnswer, LogRequest, ReplicaLink } from "./ports.ts";
import { afterEnd, afterPassing, stillCount, type RestartLimits } from "./restarts.ts";
import type { Shipping } from "./shipping.ts";

export interface ReplicaSetOptions {
  readonly folder: string;
  readonly launcher: Launcher;
  readonly releases: Pick<Builder, "release">;
  readonly emitter: Emitter;
  readonly shipping: Shipping;
  /** The spool that a dead shim left in its replica's folder. */
  readonly spoolOf: (replicaFolder: string) => EvidenceSource;
  readonly send: (message: ToServer) => void;
  /** Whether something that was sent for this replica is on its way still. */
  readonly holdsBack: (replica: string) => boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: AgentLog;
  readonly restarts: RestartLimits;
}

/** Dead replicas of one Space whose folder (log, spool) is kept for readers; older ones go once all of theirs is stored. */
const deadKept = 5;
/** And so many whose end no server has confirmed, which happens only at a connection: a replica that is not named there is lost anyway. */
const untoldKept = 20;
/** Beyond the grace that the app was given: what the shim needs to end it and to say so. */
const stopMarginMs = 5_000;
/** A line over a local socket breaks by a fault of ours, and not twenty times by chance. */
const lostLinksMax = 20;
/** The groups of a replica that is gone are removed at once. */
const clearWithinMs = 2_000;
/** How often a stopping platform looks whether its replicas are gone. */
const lookEveryMs = 20;
/** An end by which the same start again could not go otherwise. */
const hopeless: readonly string[] = ["app/not-listening", "runtime/sandbox-denied", "runtime/disk-failed"];
/** An end that says nothing of the app, and is over when the operator has freed space. */
const passing: Code = "runtime/disk-low";

/** Why a launch fails that is not the shim's fault. */
const notStarted = ["runtime/sandbox-denied", "runtime/disk-failed", "runtime/disk-low"] as const;

export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #held = new Map<string, Held>();
  readonly #ends = new Map<string, readonly number[]>();
  readonly #passingEnds = new Map<string, readonly number[]>();
  /** Which living shim an emitter's evidence came from. */
  readonly #emitters = new Map<string, string>();
  #toldDead: readonly Held[] = [];
  /** What was prepared for replicas that have ended, being cleared away. */
  readonly #clearing = new Set<Promise<void>>();
  #closed = false;

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  /** Finds all replicas of this node's disk again; call once, before the first connection. */
  async recover(): Promise<void> {
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#root)) await this.#find(name);
    await this.#prune();
  }

  /** Everything that lives, waits, or may not have been told of. */
  hello(): readonly ReplicaStatus[] {
    const told = [...this.#held.values()].filter((held) => held.state !== "dead" || !held.settled);
    this.#toldDead = told.filter(({ state }) => state === "dead");
    return told.map(({ status }) => status);
  }

  /** The server has taken in all of `hello()`: dead ones that have nothing more to say need not be told again. */
  welcomed(): void {
    for (const held of this.#toldDead)
      if (held.meter.length === 0 && !this.#options.holdsBack(held.replica)) settle(held);
  }

  /** A new connection: shims and the dead say again what was not acknowledged. An end is told after the last report before it. */
  tellAgain(): void {
    for (const held of this.#held.values()) {
      held.link?.send({ type: "hello", agentEpoch: this.#options.emitter.epoch });
      this.#tellMeter(held);
      if (held.state === "dead" && !held.settled) this.#tell(held);
    }
  }

  start(spec: ReplicaSpec): void {
    const known = this.#held.get(spec.replica);
    if (known) return this.#tell(known);
    this.#ends.delete(spec.space);
    this.#passingEnds.delete(spec.space);
    for (const held of this.#held.values())
      if (held.state === "waiting" && held.status.release === spec.release)
        this.#cancelWait(held, "another replica was started");
    void this.#launch(this.#hold(spec, undefined));
  }

  stop(replica: string, graceMs: number, why: string): void {
    const held = this.#held.get(replica);
    if (!held) return this.#tellUnknown(replica);
    if (held.state === "dead") return this.#tell(held);
    if (held.stopWhy === undefined) {
      held.stopWhy = why;
      held.stopGraceMs = graceMs;
    }
    if (held.state === "waiting") this.#cancelWait(held, why);
    else held.link?.send({ type: "stop", graceMs, why });
  }

  /** Passes a message on to a living shim; false where there is none (the server is told of the replica's end again). */
  pass(replica: string, message: AgentToShim): boolean {
    const held = this.#held.get(replica);
    if (held?.link?.send(message)) return true;
    if (held) this.#tell(held);
    else this.#tellUnknown(replica);
    return false;
  }

  /** Those whose app may run, for who looks at its processes. */
  watched(): readonly Watched[] {
    return [...this.#held.values()].flatMap(({ replica, folder, state, link }) =>
      state === "running" && link
        ? { replica, folder, tell: (processes) => void link.send({ type: "on-cards", processes }) }
        : [],
    );
  }

  /** Whether it has ended, or this node has none of that name. */
  isGone(replica: string): boolean {
    return (this.#held.get(replica)?.state ?? "dead") === "dead";
  }

  /** Whether a replica of it runs, is started, or is to be started again. */
  uses(release: string): boolean {
    return [...this.#held.values()].some(({ state, status }) => state !== "dead" && status.release === release);
  }

  /** Whether a replica of this Space lives, or is to be started again: not of one of its name that was made at another time. */
  livesOf({ space, madeAt }: SpaceOnDisk): boolean {
    return this.#livingUnder(space).some(({ spec }) => (spec?.madeAt ?? madeAt) === madeAt);
  }

  /** Whether one of any Space of this name does. */
  livesUnder(space: string): boolean {
    return this.#livingUnder(space).length > 0;
  }

  #livingUnder(space: string): readonly Held[] {
    return [...this.#held.values()].filter(({ state, status }) => state !== "dead" && status.space === space);
  }

  ackMeter(replica: string, seq: number): void {
    const held = this.#held.get(replica);
    if (!held) return;
    held.link?.send({ type: "ack-meter", replica, seq });
    if (held.meter.length > 0) held.meter = held.meter.filter((report) => report.seq > seq);
  }

  ackEvidence(stored: { readonly emitter: string; readonly epoch: number; readonly seq: number }): void {
    const replica = this.#emitters.get(stored.emitter);
    if (replica !== undefined) this.#held.get(replica)?.link?.send({ type: "ack-evidence", ...stored });
  }

  /** A part of a log; `complete` comes with the empty one after the last line of a replica that has ended. */
  async readLog({ replica, space, from, limit, find }: LogRequest): Promise<LogAnswer> {
    const held = this.#held.get(replica);
    if (held?.status.space !== space) return { lines: [], next: Math.max(1, from), complete: true, unknown: true };
    try {
      if (held.link) return await held.link.readLog(from, limit, find);
    } catch (error) {
      // The shim went away meanwhile: its files are the log.
      this.#options.log.warn({ replica, error: String(error) }, "a shim went away while its log was read");
    }
    // One that waits for its restart, or never started, has no folder and so no lines.
    const part = existsSync(held.folder)
      ? this.#options.launcher.readLog(held.folder, from, limit, find)
      : { lines: [], next: Math.max(1, from) };
    return { ...part, complete: held.state === "dead" && part.lines.length === 0 && part.more !== true };
  }

  /** `stop`: ends every replica, within its bound. `keep`: leaves them running, for the next agent to find. */
  async close(how: "stop" | "keep", graceMs: number): Promise<void> {
    this.#closed = true;
    const living = [...this.#held.values()].filter(({ state }) => state !== "dead");
    const waiting = living.filter(({ state }) => state === "waiting");
    for (const held of waiting) this.#cancelWait(held, "the platform stops");
    if (how === "stop") {
      for (const { replica } of living) this.stop(replica, graceMs, "the platform stops");
      // The shim of an app that ended by itself stays for edges that ask what became of it: no edge does any more.
      const lingering = [...this.#held.values()].filter((held) => held.state === "dead" && held.link !== undefined);
      for (const { link } of lingering) link?.send({ type: "stop", graceMs: 0, why: "the platform stops" });
      const late = await this.#allGone([...new Set([...living, ...lingering])], graceMs + stopMarginMs);
      for (const held of late)
        this.#options.log.warn({ replica: held.replica, folder: held.folder }, "a replica did not end in time");
      await Promise.race([Promise.all(this.#clearing), delay(clearWithinMs, undefined, { ref: false })]);
    }
    for (const held of this.#held.values()) held.link?.close();
  }

  get #root(): string {
    return join(this.#options.folder, "replicas");
  }

  #hold(spec: ReplicaSpec, previous: string | undefined): Held {
    const status: ReplicaStatus = {
      replica: spec.replica,
      space: spec.space,
      release: spec.release,
      phase: "starting",
      socket: null,
      startedAt: this.#options.clock.wall(),
      ...(previous === undefined ? {} : { previous }),
      ...(spec.setup && { setup: spec.setup }),
    };
    const held = emptyHeld(join(this.#root, spec.replica), spec, status);
    this.#held.set(spec.replica, held);
    this.#tell(held);
    return held;
  }

  async #launch(held: Held): Promise<void> {
    const { launcher, releases, emitter } = this.#options;
    const spec = held.spec as ReplicaSpec;
    held.state = "launching";
    held.launchedAt = this.#options.clock.monotonic();
    try {
      const release = await releases.release(spec.release);
      if (!release) return this.#neverStarted(held, `release ${spec.release} is not on this node`);
      const previous = held.status.previous === undefined ? {} : { previous: held.status.previous };
      this.#entry(held, "replica.start", "took", {
        space: spec.space,
        release: spec.release,
        link: release.manifest.build,
        ...previous,
      });
      if (held.stopWhy !== undefined) return this.#neverStarted(held, held.stopWhy);
      const plan = {
        folder: held.folder,
        spec,
        release: release.manifest,
        releaseFolder: release.folder,
        sandbox: null,
      } as const;
      this.#watch(held, await launcher.launch(plan, emitter.epoch));
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      const says = error instanceof Error ? error.message : String(error);
      this.#neverStarted(
        held,
        says,
        notStarted.find((one) => one === code),
      );
    }
  }

  #watch(held: Held, link: ReplicaLink): void {
    held.state = "running";
    held.link = link;
    link.onMessage((message) => this.#take(held, message));
    link.onClose(() => void this.#onClose(held));
    this.#takeStatus(held, link.status());
    if (held.stopWhy !== undefined) link.send({ type: "stop", graceMs: held.stopGraceMs, why: held.stopWhy });
  }

  #take(held: Held, message: ShimToAgent): void {
    switch (message.type) {
      case "status":
        return this.#takeStatus(held, message.status);
      case "log":
        return; // answered by the link itself
      case "secrets":
        // One that was found again: its folder holds all of its spec but these.
        if (held.spec) held.spec = { ...held.spec, secrets: message.secrets };
        return;
      case "evidence":
        this.#emitters.set(message.batch.emitter, held.replica);
        return this.#options.send(message);
      case "schedule":
      case "left":
      case "meter":
      case "cleared":
        return this.#options.send(message);
    }
  }

  #takeStatus(held: Held, status: ReplicaStatus): void {
    if (held.state === "dead") return;
    const before = held.status;
    const changed =
      before.phase !== status.phase ||
      before.socket !== status.socket ||
      before.frozen !== status.frozen ||
      before.came !== status.came ||
      // An app tells them once.
      (before.functions === undefined) !== (status.functions === undefined);
    const sinceMs = held.launchedAt === undefined ? undefined : this.#options.clock.monotonic() - held.launchedAt;
    if (status.came !== undefined && sinceMs !== undefined) held.reached[status.came] ??= sinceMs;
    held.status = { ...status, ...(before.previous === undefined ? {} : { previous: before.previous }) };
    if (isEnd(status)) return this.#end(held);
    if (before.phase === "starting" && status.phase === "ready") {
      held.wasReady = true;
      this.#entry(held, "replica.ready", "done", {
        tookMs: Math.max(0, this.#options.clock.wall() - status.startedAt),
        // Of one that is found again by another agent it is not known when it was begun.
        ...(sinceMs !== undefined && { stages: { listening: sinceMs, ...held.reached, healthy: sinceMs } }),
      });
    }
    if (changed) this.#tell(held);
  }

  /** The shim is gone: its own record says why, or it died without one. */
  async #onClose(held: Held): Promise<void> {
    held.link = undefined;
    if (this.#closed && (held.stopWhy === undefined || held.state === "dead")) return;
    try {
      const found = await this.#options.launcher.adopt(held.folder, this.#options.emitter.epoch);
      if (!("dead" in found)) {
        held.lostLinks += 1;
        if (held.state !== "dead" && held.lostLinks <= lostLinksMax) return this.#watch(held, found);
        found.close();
        return this.#neverStarted(held, `the line to the shim was lost ${held.lostLinks} times`);
      }
      held.meter = found.meter;
      this.#tellMeter(held);
      this.#ship(held);
      this.#takeStatus(held, found.dead);
    } catch (error) {
      this.#options.log.warn({ replica: held.replica, error: String(error) }, "a replica could not be found again");
      this.#neverStarted(held, error instanceof Error ? error.message : String(error));
    }
  }

  #neverStarted(held: Held, says: string, lost: Code = "runtime/shim-lost"): void {
    if (held.state === "dead") return;
    const phase = held.stopWhy === undefined ? "lost" : "stopped";
    const code = held.stopWhy === undefined ? lost : "app/exit";
    held.status = { ...held.status, phase, socket: null, end: { code, exitCode: null, signal: null, says } };
    this.#end(held);
  }

  /** Everything that follows an end, once. */
  #end(held: Held): void {
    held.state = "dead";
    this.#clear(held.folder);
    const next = this.#followUp(held);
    this.#endEntries(held);
    this.#tell(held);
    if (next) this.#restartLater(held, next.inMs);
    void this.#prune().catch((error: Error) =>
      this.#options.log.warn({ error: error.message }, "a dead replica's folder could not be removed"),
    );
  }

  /** Decides about a restart; a crash loop becomes the end's code. */
  #followUp(held: Held): { readonly inMs: number } | undefined {
    const { status, spec } = held;
    if (this.#closed || held.stopWhy !== undefined || !spec || status.phase === "stopped") return undefined;
    if (hopeless.includes(status.end?.code ?? "")) return undefined;
    const { clock, restarts } = this.#options;
    if (status.end?.code === passing) {
      const { inMs, ends } = afterPassing(this.#passingEnds.get(status.space) ?? [], clock.monotonic(), restarts);
      this.#passingEnds.set(status.space, ends);
      return { inMs };
    }
    const decision = afterEnd(this.#ends.get(status.space) ?? [], clock.monotonic(), restarts);
    this.#ends.set(status.space, decision.ends);
    if (decision.kind === "restart") return { inMs: decision.inMs };
    const says = `${decision.says}; the last end: ${status.end?.says ?? status.phase}`;
    held.status = { ...status, end: { exitCode: null, signal: null, ...status.end, code: "app/crash-loop", says } };
    return undefined;
  }

  #restartLater(ended: Held, inMs: number): void {
    const spec: ReplicaSpec = { ...(ended.spec as ReplicaSpec), replica: newId("p", this.#options.random) };
    const held = this.#hold(spec, ended.replica);
    held.timer = setTimeout(() => void this.#launch(held), inMs);
    this.#options.log.info(
      { space: spec.space, ended: ended.replica, replica: spec.replica, inMs },
      "the app is started again",
    );
  }

  #cancelWait(held: Held, why: string): void {
    clearTimeout(held.timer);
    held.stopWhy ??= why;
    this.#neverStarted(held, why);
  }

  #endEntries(held: Held): void {
    const { status } = held;
    if (status.phase === "stopped") {
      return this.#entry(held, "replica.stop", "done", { why: held.stopWhy ?? status.end?.says ?? "stopped" });
    }
    const { code = "app/exit", exitCode = null, signal = null, says = "" } = status.end ?? {};
    if (!held.wasReady) this.#entry(held, "replica.ready", "failed", { code, says });
    this.#entry(held, "replica.exit", "failed", { code, exitCode, signal, says });
  }

  async #find(name: string): Promise<void> {
    const folder = join(this.#root, name);
    const settled = readSettled(folder);
    if (settled) {
      const held = emptyHeld(folder, null, settled.status);
      held.state = "dead";
      held.settled = true;
      this.#held.set(name, held);
      this.#clear(folder);
      return;
    }
    try {
      const found = await this.#options.launcher.adopt(folder, this.#options.emitter.epoch);
      this.#adopted(name, folder, found);
    } catch (error) {
      // Only a folder without a plan, whose shim was never started, holds nothing: in another, reports may wait, or an app run.
      const isEmpty = !(error instanceof SyntaxError) && this.#options.launcher.specOf(folder) === undefined;
      const says = isEmpty
        ? "a replica's folder holds no replica; removed"
        : "a replica could not be found again; its folder is left as it is";
      this.#options.log.warn({ folder, error: String(error) }, says);
      if (!isEmpty) return;
      await removeFolder(folder);
    }
  }

  #adopted(name: string, folder: string, found: Awaited<ReturnType<Launcher["adopt"]>>): void {
    const status = "dead" in found ? found.dead : found.status();
    const isDead = "dead" in found;
    const held = emptyHeld(folder, isDead ? null : (this.#options.launcher.specOf(folder) ?? null), status);
    held.wasReady = true;
    this.#held.set(name, held);
    if (!isDead) return this.#watch(held, found);
    held.state = "dead";
    held.meter = found.meter;
    this.#clear(folder);
    this.#endEntries(held);
    this.#ship(held);
  }

  #clear(folder: string): void {
    const clearing = this.#options.launcher
      .ended(folder)
      .catch((error: Error) =>
        this.#options.log.warn({ folder, error: error.message }, "what a replica was given could not be cleared away"),
      )
      .finally(() => this.#clearing.delete(clearing));
    this.#clearing.add(clearing);
  }

  #ship(held: Held): void {
    this.#options.shipping.add(held.replica, this.#options.spoolOf(held.folder), true);
  }

  #tell(held: Held): void {
    this.#options.send({ type: "replica", status: held.status });
  }

  #tellMeter({ replica, meter }: Held): void {
    for (const report of meter) this.#options.send({ type: "meter", replica, report });
  }

  #tellUnknown(replica: string): void {
    const end = {
      code: "runtime/shim-lost",
      exitCode: null,
      signal: null,
      says: `this node has no replica ${replica}`,
    };
    this.#options.send({
      type: "replica",
      status: { replica, space: "", release: "", phase: "lost", socket: null, startedAt: 0, end },
    });
  }

  #entry(held: Held, hop: Hop, mark: Mark, facts: Facts): void {
    this.#options.emitter.write({ work: held.replica, hop, mark, facts });
  }

  /** Forgets the oldest dead replicas of each Space, where all that they had to say is stored. */
  async #prune(): Promise<void> {
    const dead = [...this.#held.values()]
      .filter(({ state }) => state === "dead")
      .sort((a, b) => b.status.startedAt - a.status.startedAt);
    const seen = new Map<string, number>();
    for (const held of dead) {
      const rank = (seen.get(held.status.space) ?? 0) + 1;
      seen.set(held.status.space, rank);
      const kept = held.settled ? deadKept : untoldKept;
      if (
        rank <= kept ||
        held.link !== undefined ||
        held.meter.length > 0 ||
        !this.#options.shipping.isDone(held.replica)
      )
        continue;
      this.#held.delete(held.replica);
      await removeFolder(held.folder).catch((error: unknown) =>
        this.#options.log.warn(
          { folder: held.folder, error: String(error) },
          "a dead replica's folder could not be removed",
        ),
      );
    }
    this.#forget();
  }

  /** What was kept of replicas that nobody asks for any more, and ends that no longer count. */
  #forget(): void {
    const now = this.#options.clock.monotonic();
    for (const [emitter, replica] of this.#emitters) if (!this.#held.has(replica)) this.#emitters.delete(emitter);
    for (const kept of [this.#ends, this.#passingEnds])
      for (const [space, ends] of kept)
        if (stillCount(ends, now, this.#options.restarts).length === 0) kept.delete(space);
  }

  /** Waits until these have ended, their shims' processes too; resolves with those that have not within the bound. */
  async #allGone(held: readonly Held[], withinMs: number): Promise<readonly Held[]> {
    const { clock, launcher } = this.#options;
    const since = clock.monotonic();
    const left = (): readonly Held[] => held.filter(({ state, folder }) => state !== "dead" || launcher.runs(folder));
    while (left().length > 0 && clock.monotonic() - since < withinMs)
      await new Promise((done) => setTimeout(done, lookEveryMs));
    return left();
  }
}
