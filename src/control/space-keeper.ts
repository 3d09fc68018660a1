/**
 * Keeps the Spaces' machines: what is asked or seen is decided in turn for each Space, made durable, and only then shown and carried
 * out. A Space is looked at again whenever something moves, and at its deadline.
 */
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { OwnerSettings } from "../contract/api.ts";
import { barrier, decide } from "../core/spaces/decide.ts";
import type { Command } from "../core/spaces/decide.ts";
import { startMarginMs } from "../core/spaces/draft.ts";
import type { Decision } from "../core/spaces/draft.ts";
import { deadlineOf } from "../core/spaces/seen.ts";
import type { BuildSeen, ReplicaSeen, Seen } from "../core/spaces/seen.ts";
import { ends, evolve, freshSpace, platform } from "../core/spaces/model.ts";
import type { Actor, Space, SpaceSettings } from "../core/spaces/model.ts";
import { after, durationMs, instant } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import type { Builds } from "./builds.ts";
import type { KnownReplica } from "./replicas.ts";
import { isLiving } from "./replicas.ts";
import { SpaceOrders } from "./space-orders.ts";
import type { OrdersPorts } from "./space-orders.ts";
import { outdatedBy } from "./setup.ts";
import { lengthOf } from "./space-settings.ts";
import { Turns } from "../stdx/turns.ts";

export interface KeeperPorts extends OrdersPorts {
  readonly catalog: Catalog;
  builds(): Builds;
  /** Whether GPU calls of this Space are under way. */
  calling(space: string): Promise<boolean>;
  /** Asleep for so long without a request a Space is paused; null: never. */
  readonly unvisitedMs: DurationMs | null;
  onFailure(what: string, error: unknown): void;
}

export interface KnownSpace {
  row: SpaceRow;
  space: Space;
  build: BuildRow | undefined;
  /** When somebody last asked for it, or something was still under way. */
  usedAt: Instant;
  alarm: NodeJS.Timeout | undefined;
}

export type Decided =
  | { readonly ok: true; readonly started: readonly string[]; readonly moved: boolean }
  | Extract<Decision, { ok: false }>;

/** What belongs to a command beside it. */
interface Beside {
  readonly settings?: OwnerSettings;
  readonly build?: string | null;
}

/** Nodes say who they are within this after the platform's start; one that does not is away. */
const nodesToldMs = 15_000;
/** Agents pause at most this long before they start an app again (restarts.ts). */
const restartPauseMs = 60_000;
/** Beyond a build's own deadline: the queue ends it then, and says so. */
const buildMarginMs = durationMs(60_000);
/** What is overdue and stays so is looked at again after this. */
const overdueMs = 1_000;
/** The longest that a timer of Node runs; a later deadline is set again when it is over. */
const alarmMaxMs = 2 ** 31 - 1;

export class SpaceKeeper {
  readonly orders: SpaceOrders;
  readonly #ports: KeeperPorts;
  readonly #onMoved: (known: KnownSpace, isChanged: boolean) => void;
  readonly #turns = new Turns();
  /** Rows of releases that are there: they never change until they are removed. */
  readonly #releases = new Map<string, ReleaseRow>();
  /** When living replicas were first heard of. */
  readonly #firstSeen = new Map<string, Instant>();
  readonly #bornAt: number;
  /** Wall time less monotonic time, at the start: deadlines do not move when the wall clock steps. */
  readonly #offset: number;

  constructor(ports: KeeperPorts, onMoved: (known: KnownSpace, isChanged: boolean) => void) {
    this.#ports = ports;
    this.#onMoved = onMoved;
    this.orders = new SpaceOrders(ports);
    this.#bornAt = ports.clock.monotonic();
    this.#offset = ports.clock.wall() - this.#bornAt;
  }

  /** What a release's front matter wants on its answers; of releases whose replicas have been seen. */
  headersOf(release: string): Readonly<Record<string, string>> | undefined {
    return this.#releases.get(release)?.manifest.headers;
  }

  get now(): Instant {
    return instant(this.#offset + this.#ports.clock.monotonic());
  }

  /** A Space of the catalog, with what happened to it. */
  async know(row: SpaceRow, build: BuildRow | undefined): Promise<KnownSpace> {
    const settings = machineSettings(row.settings);
    const release = row.release === null ? undefined : await this.#release(row.release);
    const kept = row.machine ?? (release ? unrecorded(release, row) : freshSpace(row.id, settings, row.createdAt));
    const { state, next, horizon } = kept;
    const space: Space = { id: row.id, settings, state, release: kept.release, next, horizon };
    return { row, space, build, usedAt: this.now, alarm: undefined };
  }

  /** What is decided is durable, shown and ordered when this resolves. */
  decide(known: KnownSpace, command: Command, beside: Beside = {}): Promise<Decided> {
    return this.#turns.take(known.row.id, () => this.#decide(known, command, beside));
  }

  /** Changes some settings in the Space's turn, so that of two changes at once neither takes back the other. */
  set(known: KnownSpace, actor: Actor, change: Partial<OwnerSettings>): Promise<Decided> {
    return this.#turns.take(known.row.id, () => {
      const settings = { ...known.row.settings, ...change };
      return this.#decide(known, { type: "set", actor, change: machineSettings(settings) }, { settings });
    });
  }

  /**
   * Decides what `choose` says in the Space's turn, so that what it chooses by, as a release to go back to, is so still; `no` is passed
   * on where it chooses nothing.
   */
  decideBy<No>(
    known: KnownSpace,
    choose: () => Promise<Command | { readonly no: No }>,
  ): Promise<Decided | { readonly no: No }> {
    return this.#turns.take(known.row.id, async () => {
      const command = await choose();
      return "no" in command ? command : this.#decide(known, command, {});
    });
  }

  /**
   * Gives up the releases beside the `newest`, but those that run, or that are to run; resolves with them. In the Space's turn: none
   * goes that somebody is choosing.
   */
  removeReleases(known: KnownSpace, newest: number): Promise<readonly ReleaseRow[]> {
    const { catalog, replicas, clock } = this.#ports;
    const space = known.row.id;
    return this.#turns.take(space, async () => {
      const living = replicas.livingOf(space).map(({ status }) => status.release);
      const pinned = [known.space.release, known.space.next, ...living].flatMap((id) => id ?? []);
      const removed = await catalog.kept.removeReleases(space, { newest, pinned, now: clock.wall() });
      for (const { id } of removed) this.#releases.delete(id);
      return removed;
    });
  }

  /** After all that is being decided about it now. */
  async settled(known: KnownSpace): Promise<void> {
    await this.decide(known, { type: "see" });
  }

  /** Something moved, and nobody waits for what comes of it. */
  look(known: KnownSpace, command: Extract<Command, { type: "see" | "node-came" }> = { type: "see" }): void {
    this.decide(known, command).catch((error: unknown) => {
      this.#ports.onFailure(`the state of ${known.row.id}`, error);
      // What was to be decided, as at a deadline, is due still.
      this.#lookIn(known, overdueMs);
    });
  }

  /** Why this person may not have it start. */
  barred({ space }: KnownSpace, actor: Actor): string | undefined {
    return barrier(space, actor)?.says;
  }

  async deadline(known: KnownSpace): Promise<Instant | null> {
    return deadlineOf(known.space, await this.#seen(known));
  }

  /** The release, if it is this Space's. */
  async releaseOf(known: KnownSpace, id: string): Promise<ReleaseRow | undefined> {
    const release = await this.#release(id);
    return release?.space === known.row.id ? release : undefined;
  }

  close(known: Iterable<KnownSpace>): void {
    for (const { alarm } of known) clearTimeout(alarm);
  }

  async #decide(known: KnownSpace, command: Command, { settings, build = null }: Beside): Promise<Decided> {
    const seen = await this.#seen(known);
    const decision = decide(known.space, command, seen, this.now);
    if (!decision.ok) return decision;
    const { events, effects } = decision;
    for (const effect of effects) if (effect.type === "start") await this.#release(effect.release);
    if (events.length > 0 || settings !== undefined) {
      const space = events.reduce(evolve, known.space);
      const release = space.release === null ? undefined : await this.#release(space.release);
      const sdk = release?.manifest.sdk ?? known.row.sdk;
      const kept = settings ?? known.row.settings;
      await this.#ports.catalog.spaceEvents.add(space, events, { sdk, settings: kept, asked: "actor" in command });
      const { state, release: current } = space;
      const { since, reason } = state;
      known.row = { ...known.row, sdk, settings: kept, since, state: state.name, release: current, ...reason };
      known.space = space;
    }
    const started = this.orders.carryOut(effects, { row: known.row, build, release: (id) => this.#releases.get(id) });
    this.#setAlarm(known, deadlineOf(known.space, seen));
    this.#onMoved(known, events.length > 0 || settings !== undefined);
    return { ok: true, started, moved: events.length > 0 };
  }

  #setAlarm(known: KnownSpace, deadline: Instant | null): void {
    const bornMs = this.#bornAt + nodesToldMs - this.#ports.clock.monotonic();
    const times = [...(deadline === null ? [] : [deadline - this.now]), ...(bornMs > 0 ? [bornMs] : [])];
    if (times.length === 0) return clearTimeout(known.alarm);
    const inMs = Math.min(...times);
    this.#lookIn(known, Math.min(alarmMaxMs, inMs > 0 ? inMs : overdueMs));
  }

  #lookIn(known: KnownSpace, inMs: number): void {
    clearTimeout(known.alarm);
    known.alarm = setTimeout(() => this.look(known), inMs).unref();
  }

  async #seen(known: KnownSpace): Promise<Seen> {
    const { space, build } = known;
    const all = this.#ports.replicas.of(space.id);
    const release = space.release === null ? undefined : await this.#release(space.release);
    for (const { status } of all) await this.#release(status.release);
    const requests = all.reduce((sum, { status }) => sum + this.#ports.busy(status.replica), 0);
    const isIdle = space.state.name === "running" && space.settings.sleepAfterMs !== null && requests === 0;
    const busy = isIdle && (await this.#ports.calling(space.id)) ? 1 : requests;
    if (busy > 0) known.usedAt = this.now;
    return {
      node: this.#nodeOf(release),
      build: build ? this.#build(build) : null,
      replicas: all.map((replica) => this.#replica(replica, known.row)),
      startWithinMs: release ? this.#ports.startMs(release) : durationMs(0),
      unvisitedMs: this.#ports.unvisitedMs,
      busy,
      usedAt: known.usedAt,
    };
  }

  /** Its node has said what runs there, or had the time for it. */
  async isTold({ space: { release } }: KnownSpace): Promise<boolean> {
    return this.#nodeOf(release === null ? undefined : await this.#release(release)) !== "untold";
  }

  #nodeOf(release: ReleaseRow | undefined): Seen["node"] {
    if (!release || this.#ports.connected(release.node)) return "here";
    return this.#ports.clock.monotonic() - this.#bornAt < nodesToldMs ? "untold" : "away";
  }

  #build(row: BuildRow): BuildSeen {
    const { id, stage, outcome, says, code, deadline } = this.#ports.builds().views.of(row);
    const { queuedAt } = row;
    if (outcome === null) {
      const endsBy = after(deadline === null ? this.now : instant(Date.parse(deadline)), buildMarginMs);
      return { id, says: `is ${stage}`, queuedAt, endsBy, failed: null };
    }
    const failed = outcome === "failed" ? { code: code ?? "build/step-failed", says } : null;
    return { id, says: `is ${stage}: ${says}`, queuedAt, endsBy: null, failed };
  }

  #replica({ status }: KnownReplica, row: SpaceRow): ReplicaSeen {
    const release = this.#releases.get(status.release);
    const startMs = release ? this.#ports.startMs(release) : 0;
    const pauseMs = status.previous === undefined ? 0 : restartPauseMs;
    return {
      id: status.replica,
      release: status.release,
      publishedAt: release?.createdAt ?? -1,
      phase: isLiving(status) ? (status.phase as "starting" | "ready") : "ended",
      frozen: status.frozen === true,
      retiring: this.orders.isRetiring(status.replica),
      gaveUp: this.#ports.replicas.isGivenUp(status.replica),
      follows: status.previous ?? null,
      outdated: outdatedBy(status, row, this.#ports.lastChange(row.id)),
      listenBy: after(this.#firstSeenAt(status), durationMs(startMs + startMarginMs + pauseMs)),
      end: isLiving(status) ? null : endOf(status),
    };
  }

  /** On our own clock: the node's may be another. */
  #firstSeenAt(status: KnownReplica["status"]): Instant {
    const at = this.#firstSeen.get(status.replica) ?? this.now;
    if (isLiving(status)) this.#firstSeen.set(status.replica, at);
    else this.#firstSeen.delete(status.replica);
    return at;
  }

  async #release(id: string): Promise<ReleaseRow | undefined> {
    const known = this.#releases.get(id) ?? (await this.#ports.catalog.releases.get(id));
    if (known && known.removedAt === undefined) this.#releases.set(id, known);
    return known;
  }
}

function endOf({ phase, end }: KnownReplica["status"]): ReplicaSeen["end"] {
  return { code: end?.code ?? "app/exit", says: end?.says ?? phase, stopped: phase === "stopped" };
}

function machineSettings(settings: OwnerSettings): SpaceSettings {
  return {
    replicas: settings.replicas,
    sleepAfterMs: lengthOf(settings["sleep-after"]),
    sleepMode: settings["sleep-mode"],
    hardware: settings.hardware === "" ? null : settings.hardware,
  };
}

/** One that ran under a program that kept no events: its node starts it. */
function unrecorded(release: ReleaseRow, row: SpaceRow): Pick<Space, "state" | "release" | "next" | "horizon"> {
  const reason = { says: "the platform was started again", code: null };
  const standing = { since: row.since, reason, actor: platform, deadline: null, ends: ends.nodeBack };
  const state = { ...standing, name: "stopped", cause: "platform" } as const;
  return { state, release: release.id, next: null, horizon: release.createdAt };
}
