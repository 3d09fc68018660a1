/**
 * Spaces on the server's side: what people do with them, what the edge asks about them, and how they are shown. Their machine
 * (core/spaces/decide.ts) decides; space-keeper.ts makes it durable and has it carried out.
 */
import type { ReplicaStatus, SpaceOnDisk } from "../contract/agent.ts";
import type { OwnerSettings, ReleaseView, SpaceEventView, SpaceView } from "../contract/api.ts";
import type { HubRuntime, HubSpace } from "../contract/hub.ts";
import { needsSomebody } from "../contract/needs.ts";
import type { StartTimes } from "../contract/starts.ts";
import type { Page } from "../catalog/page.ts";
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { Command } from "../core/spaces/decide.ts";
import type { Refusal } from "../core/spaces/draft.ts";
import { liftSays, platform } from "../core/spaces/model.ts";
import type { Actor, PauseKind } from "../core/spaces/model.ts";
import { portName } from "../edge/ports.ts";
import type { SpaceRoute } from "../edge/ports.ts";
import type { Code } from "../evidence/codes.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Addressing } from "./addressing.ts";
import type { Domains } from "./domains.ts";
import type { Hardware } from "./hardware.ts";
import { hubRuntime, hubSpace } from "./hub-fields.ts";
import { isLiving } from "./replicas.ts";
import { firstByName } from "./name-pages.ts";
import { SpaceKeeper } from "./space-keeper.ts";
import type { KeeperPorts, KnownSpace } from "./space-keeper.ts";
import { isAsked } from "./space-list.ts";
import type { SpacesAsked } from "./space-list.ts";
import type { SpacePorts } from "./space-ports.ts";
import { SpaceRoutes } from "./space-routes.ts";
import { eventView, publicSays, stageOf, standingView } from "./space-views.ts";
import { Starts } from "./starts.ts";
import { Wakes } from "./wakes.ts";

export interface SpacesPorts extends KeeperPorts {
  /** Opens the Space's own numeric address; says why where the machine refused. */
  addAddress(address: string): Promise<string | undefined>;
  readonly hardware: Hardware;
  readonly addressing: Addressing;
  /** Names of people's own domains: which Space one leads to, and where visitors reach a Space by them. */
  readonly domains: Pick<Domains, "spaceOf" | "namesOf" | "urlsOf">;
  /** Gives and opens the Spaces' own ports; null where they are told apart by names. */
  readonly spacePorts: SpacePorts | null;
  /** How long the newest starts of what these builds made took, the newest last. */
  earlierStarts(builds: readonly string[]): Promise<readonly StartTimes[]>;
  /** How many releases of a Space are kept beside what runs. */
  readonly releasesKept: number;
  /** A Space came into another state, or has other settings. */
  onMoved?(id: string): void;
}

export interface Refused {
  readonly ok: false;
  readonly code: Code;
  readonly says: string;
  /** What to do about it, where the code's own advice does not fit. */
  readonly next?: string;
}

export interface EdgeEntry {
  readonly space: string;
  readonly hosts: readonly string[];
  readonly route: SpaceRoute;
}

export type Done = Refused | { readonly ok: true };

/** A wish of a person's that takes nothing but its Space and who it is. */
type PlainWish = Extract<Command, { type: "resume" | "stop" }>["type"];

/** Longer sentences of people are cut: they are shown wherever the Space is. */
const whyMax = 300;
/** Builds whose starts tell how long one usually takes. */
const buildsOfStarts = 5;

export class Spaces {
  readonly #ports: SpacesPorts;
  readonly #keeper: SpaceKeeper;
  readonly #byId = new Map<string, KnownSpace>();
  readonly #byHost = new Map<string, KnownSpace>();
  readonly #routes: SpaceRoutes;
  readonly #wakes = new Wakes();
  readonly #starts: Starts;
  /** There is an edge that can open addresses. */
  #isListening = false;

  constructor(ports: SpacesPorts) {
    this.#ports = ports;
    this.#keeper = new SpaceKeeper(ports, (known, isChanged) => this.#onMoved(known, isChanged));
    this.#starts = new Starts((id) => this.#earlierStarts(id), ports.onFailure);
    this.#routes = new SpaceRoutes(ports.replicas, this.#keeper, this.#starts);
  }

  /** Reads the Spaces of the catalog: before anybody can ask for one, who would be told that there is none. */
  async recover(): Promise<void> {
    for (const row of await this.#ports.catalog.spaces.all()) {
      const build = await this.#latestBuild(row.id);
      // Of a Space of the same name that was deleted it is none of this one's.
      await this.#know(row, build && build.queuedAt >= row.createdAt ? build : undefined);
    }
  }

  /** Opens the addresses of all Spaces, when there is an edge that has them. */
  async openAddresses(): Promise<void> {
    this.#isListening = true;
    for (const known of this.#byId.values()) await this.#open(known);
  }

  get(id: string): SpaceRow | undefined {
    return this.#byId.get(id)?.row;
  }

  ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  get count(): number {
    return this.#byId.size;
  }

  close(): void {
    this.#keeper.close(this.#byId.values());
  }

  /** Makes a Space, or finds the one that is there; a name that cannot be is said. `by`: who makes it. `settings`: of one that is made. */
  async ensure(
    owner: string,
    name: string,
    by: string | null = null,
    settings: Partial<OwnerSettings> = {},
  ): Promise<{ ok: true; space: SpaceRow } | { ok: false; refusal: string }> {
    const known = this.#byId.get(`${owner}/${name}`);
    if (known) return { ok: true, space: known.row };
    const made = await this.#ports.catalog.spaces.create(owner, name, this.#ports.clock.wall(), by, settings);
    if (!made.ok) return made.refusal === "space-exists" ? this.#adopt(`${owner}/${name}`) : made;
    await this.#adopt(made.space.id);
    return made;
  }

  /** Changes settings; what is not named stays. Undefined where there is no such Space. */
  async set(
    id: string,
    change: Partial<OwnerSettings>,
    actor: Actor = platform,
  ): Promise<Refused | OwnerSettings | undefined> {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    const hardware = change.hardware === undefined ? undefined : this.#ports.hardware.named(change.hardware);
    if (hardware?.ok === false) return no("control/invalid", hardware.says);
    await this.#keeper.set(known, actor, { ...change, ...(hardware && { hardware: hardware.name }) });
    if (change.reach !== undefined) this.#tellReach(known.row);
    await this.#keeper.settled(known);
    return known.row.settings;
  }

  /** Nothing of it runs from then on, until somebody who may lifts that. */
  async pause(id: string, { actor, by, why }: { actor: Actor; by: PauseKind; why: string | null }): Promise<Done> {
    return this.#wish(id, { type: "pause", actor, by, why: why === null ? null : why.slice(0, whyMax) });
  }

  async resume(id: string, actor: Actor): Promise<Done> {
    return this.#plain(id, "resume", actor);
  }

  async stop(id: string, actor: Actor): Promise<Done> {
    return this.#plain(id, "stop", actor);
  }

  /** Ends it for good; `beside`: what goes with it before its name can be another's. */
  async remove(id: string, actor: Actor, beside: () => Promise<void>): Promise<void> {
    const known = this.#byId.get(id);
    if (!known) return;
    const { catalog, clock, replicas } = this.#ports;
    // Refused where nothing of it runs.
    await this.#keeper.decide(known, { type: "stop", actor });
    for (const { status } of replicas.livingOf(id)) this.#keeper.orders.retire(status.replica, `${id} was deleted`);
    const nodes = new Set(replicas.of(id).map(({ node }) => node));
    const removed = await catalog.kept.removeReleases(id, { newest: 0, pinned: [], now: clock.wall() });
    await catalog.spaces.remove(id, clock.wall());
    // Once it is durable that it is gone. A node that is away says what it has at its next hello, and hears it then.
    const releases = Map.groupBy(removed, ({ node }) => node);
    for (const [node, rows] of releases)
      this.#ports.send(node, { type: "remove-releases", releases: rows.map((row) => row.id) });
    for (const node of nodes.union(new Set(releases.keys())))
      this.#ports.send(node, { type: "remove-space", space: { space: id, madeAt: known.row.createdAt } });
    await beside();
    this.#byId.delete(id);
    this.#starts.forget(id);
    for (const host of [...this.#hostsOf(known.row), ...(known.row.port === null ? [] : [portName(known.row.port)])])
      this.#byHost.delete(host);
    await this.#keeper.settled(known);
    this.#keeper.close([known]);
  }

  /** What Spaces keep on a node that has come: of those that are deleted, or were made again since, it goes. One of which nothing is known stays: the database may be another. */
  async onKept(node: string, told: readonly SpaceOnDisk[]): Promise<void> {
    for (const kept of told) {
      const isGone = await this.#ports.catalog.spaces.wasDeleted(kept.space, kept.madeAt ?? Infinity);
      if (isGone) this.#ports.send(node, { type: "remove-space", space: kept });
    }
  }

  /** Starts its replicas anew; they take over when they listen. Says why it cannot be. */
  async restart(id: string, actor: Actor): Promise<Done> {
    const known = this.#byId.get(id);
    const { state } = known?.space ?? {};
    if (known?.row.sdk === "static" && (state?.name === "running" || state?.name === "starting"))
      return no("control/invalid", "A static Space has no process: its files are served as they are.");
    return this.#wish(id, { type: "restart", actor });
  }

  /** A factory rebuild was queued: what is paused, stopped or asleep is being built from then on. */
  async rebuilt(id: string, actor: Actor): Promise<Done> {
    return this.#wish(id, { type: "factory", actor });
  }

  /** Why this person may not have it start. */
  barred(id: string, actor: Actor): Refused | undefined {
    const known = this.#byId.get(id);
    const barred = known && this.#keeper.barred(known, actor);
    return barred === undefined ? undefined : no("control/paused", barred);
  }

  /** Runs a release that was built before, without building it again; without a name, the one before the one that runs. */
  async rollBack(
    id: string,
    actor: Actor,
    release: string | undefined,
  ): Promise<Refused | { readonly ok: true; readonly release: string }> {
    const known = this.#byId.get(id);
    if (!known) return no("control/not-found", `There is no Space ${id}.`);
    let chosen = "";
    const decided = await this.#keeper.decideBy(known, async () => {
      const found = release === undefined ? await this.#before(known) : await this.#named(known, release);
      if ("no" in found) return found;
      chosen = found.id;
      return { type: "roll-back", actor, release: chosen, startWithinMs: this.#ports.startMs(found) };
    });
    if ("no" in decided) return decided.no;
    return decided.ok ? { ok: true, release: chosen } : no(refusalCodes[decided.refusal], decided.says);
  }

  /** Gives up its oldest releases; resolves with them. */
  async removeReleases(id: string): Promise<readonly ReleaseRow[]> {
    const known = this.#byId.get(id);
    return known ? await this.#keeper.removeReleases(known, this.#ports.releasesKept) : [];
  }

  /** Which Space a host is, also where nothing of it runs. */
  at(host: string): string | undefined {
    return this.#byHost.get(host)?.row.id ?? this.#ports.domains.spaceOf(host);
  }

  /** The edge's question. `host` without port, in lower case. */
  find(host: string): SpaceRoute | undefined {
    const known = this.#byHost.get(host) ?? this.#byId.get(this.#ports.domains.spaceOf(host) ?? "");
    return known && this.#routes.of(known);
  }

  isPrivate(id: string): boolean {
    return this.#byId.get(id)?.row.settings.private === true;
  }

  /** What an edge in a process of its own is told of each Space: its hosts and its route. */
  *entries(): Generator<EdgeEntry> {
    for (const id of this.#byId.keys()) yield this.entry(id) as EdgeEntry;
  }

  entry(id: string): EdgeEntry | undefined {
    const known = this.#byId.get(id);
    if (known === undefined) return undefined;
    const { port } = known.row;
    const own = this.#ports.spacePorts === null || port === null ? [] : [portName(port)];
    const hosts = [...this.#hostsOf(known.row), ...own, ...this.#ports.domains.namesOf(id)];
    return { space: id, hosts, route: this.#routes.of(known) };
  }

  /** An edge has let a visitor in. */
  used(id: string): void {
    const known = this.#byId.get(id);
    if (known) known.usedAt = this.#keeper.now;
  }

  /** The nodes of all Spaces have said what runs there, or had the time for it. */
  async areTold(): Promise<boolean> {
    for (const known of this.#byId.values()) if (!(await this.#keeper.isTold(known))) return false;
    return true;
  }

  /**
   * Somebody asks for a Space that is asleep: resolves when it answers, or will not, and never where `gone` says that nobody waits for
   * it any more. `account`: null for a stranger.
   */
  async wake(id: string, account: string | null, gone?: AbortSignal): Promise<SpaceRoute | undefined> {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    const held = this.#wakes.hold(id, gone);
    if (!held) return this.#routes.down(known, "route/waking", "too many requests wait for it already");
    const woken = await this.#keeper.decide(known, { type: "wake", actor: { kind: "visitor", account } });
    if (!woken.ok)
      this.#wakes.settle(
        this.#routes.down(known, woken.refusal === "node-away" ? "route/control-down" : null, woken.says),
      );
    return held;
  }

  /** A build of a Space was queued, or has moved on. */
  onBuild(build: BuildRow): void {
    const known = this.#byId.get(build.space);
    // Of two that are open the older one moves too.
    if (!known || (known.build && isOlder(build, known.build))) return;
    known.build = build;
    this.#keeper.look(known);
  }

  /**
   * A build has published a release, which is to run. Resolves with a replica of it that starts or runs, or undefined where none
   * does: its node is away, or {@link held} says why.
   */
  async start(release: ReleaseRow, build: Pick<BuildRow, "id" | "queuedAt"> | null): Promise<string | undefined> {
    const known = this.#byId.get(release.space);
    if (!known) return undefined;
    const startWithinMs = this.#ports.startMs(release);
    const command = {
      type: "publish",
      release: release.id,
      queuedAt: build?.queuedAt ?? null,
      publishedAt: release.createdAt,
      startWithinMs,
    } as const;
    const decided = await this.#keeper.decide(known, command, { build: build?.id ?? null });
    const living = this.#ports.replicas.livingOf(release.space).find(({ status }) => status.release === release.id);
    return decided.ok ? (decided.started[0] ?? living?.status.replica) : undefined;
  }

  /** Why it is paused and who can lift that, as a sentence; null where it is not. */
  pausedSays(id: string): string | null {
    const state = this.#byId.get(id)?.space.state;
    const current = state?.name === "stopping" ? state.goal : state;
    return current?.name === "paused" ? `The Space is paused: ${current.reason.says}. ${liftSays(current.by)}` : null;
  }

  /** Why nothing of this release is started, or will be; undefined where it is. */
  held({ space: id, id: release }: Pick<ReleaseRow, "space" | "id">): string | undefined {
    const space = this.#byId.get(id)?.space;
    const paused = this.pausedSays(id);
    if (!space || paused !== null) return paused ?? undefined;
    const { state } = space;
    const current = state.name === "stopping" ? state.goal : state;
    if (current.name === "stopped" && current.cause === "no-replicas") return "Its replicas are set to 0.";
    if (current.name === "stopped" && current.cause === "asked")
      return `The Space is stopped: ${current.reason.says}. \`waybill resume ${id}\` starts it.`;
    if (release === space.release || release === space.next) return undefined;
    return `Release ${space.next ?? space.release} is to run in its place.`;
  }

  /** A replica changed: what follows from it is decided when this resolves. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    if (!isLiving(status)) this.#keeper.orders.forget(status.replica);
    const known = this.#byId.get(status.space);
    if (!known) return this.#stopStray(status);
    this.#starts.heard(known.space, status, this.#keeper.now);
    await this.#keeper.settled(known);
  }

  /** A node said hello: start what should run there and does not. */
  async onNode(node: string): Promise<void> {
    // What it was told before it went away it may not have heard.
    for (const replica of this.#ports.replicas.on(node)) this.#keeper.orders.forget(replica);
    for (const space of new Set(this.#ports.replicas.livingOn(node).map(({ status }) => status.space))) {
      const row = this.get(space);
      if (row) this.#ports.send(node, { type: "reach", space, reach: row.settings.reach });
    }
    for (const known of this.#byId.values()) {
      const ids = [known.space.release, known.space.next].flatMap((id) => id ?? []);
      const rows = await Promise.all(ids.map((id) => this.#keeper.releaseOf(known, id)));
      const isItsNode = rows.some((row) => row?.node === node);
      await this.#keeper.decide(known, { type: isItsNode ? "node-came" : "see" });
    }
  }

  /** What runs of it keeps to that from then on. A node that is away hears it when it comes. */
  #tellReach({ id, settings: { reach } }: SpaceRow): void {
    const nodes = new Set(this.#ports.replicas.livingOf(id).map(({ node }) => node));
    for (const node of nodes) this.#ports.send(node, { type: "reach", space: id, reach });
  }

  /** The variables and secrets of a Space were changed. */
  onEnvironment(id: string): void {
    const known = this.#byId.get(id);
    if (known) this.#keeper.look(known);
  }

  /** Looks at a Space again. */
  async refresh(id: string): Promise<void> {
    const known = this.#byId.get(id);
    if (known) await this.#keeper.settled(known);
  }

  async view(id: string): Promise<SpaceView | undefined> {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    await this.#keeper.settled(known);
    const { build, row, space } = known;
    const replicas = this.#ports.replicas.of(id);
    return {
      id,
      owner: row.owner,
      name: row.name,
      sdk: row.sdk,
      ...standingView(space, await this.#keeper.deadline(known)),
      addresses: [...this.#ports.domains.urlsOf(id), ...this.#ports.addressing.ofSpace(row)],
      settings: row.settings,
      build: build ? this.#ports.builds().views.of(build) : null,
      release: space.release,
      limits: replicas.findLast(({ status }) => status.phase === "ready")?.status.limits ?? null,
      replicas: replicas.map(({ status }) => ({
        id: status.replica,
        phase: status.phase,
        since: iso(instant(status.startedAt)),
        says: status.end?.says ?? (status.frozen === true ? "frozen" : status.phase),
        ...(status.limits && { limits: status.limits }),
      })),
    };
  }

  /** What anybody may know of a Space that they may know of. */
  async publicView(id: string): Promise<SpaceView | undefined> {
    const view = await this.view(id);
    const known = this.#byId.get(id);
    if (!view || !known) return undefined;
    const says = publicSays(known.space.state);
    const { code } = view.reason;
    const actor = { ...view.actor, account: null };
    return { ...view, says, reason: { says, code }, actor, build: null, release: null, replicas: [] };
  }

  /** What the Hub's clients read of a Space. `inside`: the client is an app in a sandbox, and reaches others by name. */
  hubView(id: string, { inside }: { readonly inside: boolean }): HubSpace | undefined {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    const { row, build } = known;
    const { addressing } = this.#ports;
    return hubSpace({
      row,
      sha: build?.commit ?? null,
      host: inside ? addressing.inside(row) : (addressing.ofSpace(row).at(-1) ?? ""),
      runtime: this.#runtime(known),
    });
  }

  /** By name: as anybody may see them, or more where `maySee` says so; without the private ones of others. Of what is asked for. */
  async views(maySee: (owner: string, id: string) => boolean, asked: SpacesAsked): Promise<Page<SpaceView>> {
    const asks = [...this.#byId].flatMap(([id, { row, space, build }]) => {
      const sees = maySee(row.owner, id);
      if (!isAsked(asked, row) || (!sees && row.settings.private)) return [];
      if (!asked.needy) return [{ id, sees }];
      const newest = build ? this.#ports.builds().views.of(build) : null;
      return sees && needsSomebody({ state: space.state.name, build: newest }) ? [{ id, sees }] : [];
    });
    const { items, next } = firstByName(asks, asked.limit, ({ id }) => id);
    const views = await Promise.all(items.map(({ id, sees }) => (sees ? this.view(id) : this.publicView(id))));
    return { items: views.flatMap((view) => view ?? []), next };
  }

  /** By name, as anybody may see them: those of which `knows` says so. */
  async pageViews(knows: (row: SpaceRow) => boolean): Promise<readonly SpaceView[]> {
    const rows = [...this.#byId.values()].map(({ row }) => row).filter(knows);
    rows.sort((a, b) => (a.id < b.id ? -1 : 1));
    const views = await Promise.all(rows.map(({ id }) => this.publicView(id)));
    return views.flatMap((view) => view ?? []);
  }

  /** What happened to a Space, newest first; undefined where `page` is no token of ours. */
  async events(id: string, page: string | undefined, limit: number): Promise<Page<SpaceEventView> | undefined> {
    const before = page === undefined ? {} : { before: page };
    const found = await this.#ports.catalog.spaceEvents.list(id, { ...before, limit });
    return found && { items: found.items.map(eventView), next: found.next };
  }

  /** Its releases, newest first; undefined where `page` is no token of ours. */
  async releases(id: string, page: string | undefined, limit: number): Promise<Page<ReleaseView> | undefined> {
    const before = page === undefined ? {} : { before: page };
    const found = await this.#ports.catalog.releases.list(id, { ...before, limit });
    const current = this.#byId.get(id)?.space.release;
    const viewOf = ({ id: release, build, commit, manifest, createdAt, removedAt }: ReleaseRow): ReleaseView => ({
      id: release,
      build,
      commit,
      sdk: manifest.sdk,
      publishedAt: iso(createdAt),
      current: release === current,
      ...(removedAt === undefined ? {} : { removedAt: iso(removedAt) }),
    });
    return found && { items: found.items.map(viewOf), next: found.next };
  }

  async #plain(id: string, type: PlainWish, actor: Actor): Promise<Done> {
    return this.#wish(id, { type, actor });
  }

  async #wish(id: string, command: Command): Promise<Done> {
    const known = this.#byId.get(id);
    if (!known) return no("control/not-found", `There is no Space ${id}.`);
    const decided = await this.#keeper.decide(known, command);
    return decided.ok ? { ok: true } : no(refusalCodes[decided.refusal], decided.says);
  }

  /** The release that was published before the one that runs. */
  async #before({ row, space }: KnownSpace): Promise<ReleaseRow | { readonly no: Refused }> {
    const { catalog, releasesKept } = this.#ports;
    const current = space.release === null ? undefined : await catalog.releases.get(space.release);
    const before = current && (await catalog.releases.before(row.id, current));
    const says = `There is no release of ${row.id} before the one that runs; older ones than the newest ${releasesKept} are removed.`;
    return before ?? { no: no("control/conflict", says) };
  }

  /** The release, if it is this Space's and can run. */
  async #named({ row }: KnownSpace, id: string): Promise<ReleaseRow | { readonly no: Refused }> {
    const { catalog, releasesKept } = this.#ports;
    const found = await catalog.releases.get(id);
    const kept = `of a Space the newest ${releasesKept} are kept, and what runs`;
    if (found?.space !== row.id)
      return {
        no: no(
          "control/not-found",
          `${row.id} has no release ${id}, or none any more: ${kept}. \`waybill releases ${row.id}\` lists them.`,
        ),
      };
    if (found.removedAt === undefined) return found;
    const gone = `Release ${id} of ${row.id} was removed at ${iso(found.removedAt)}: ${kept}.`;
    return { no: no("control/not-found", `${gone} Push commit ${found.commit} again to have it built anew.`) };
  }

  /** The Space moved, or was looked at: what waits for it is told. */
  #onMoved(known: KnownSpace, isChanged: boolean): void {
    if (isChanged) this.#ports.onMoved?.(known.row.id);
    const wokeMs = this.#starts.moved(known.space, this.#keeper.now);
    const route = this.#routes.of(known);
    const { state } = route;
    if (state.kind === "asleep") return;
    this.#wakes.settle(state.kind === "running" ? { ...route, state: { ...state, wokeMs } } : route);
  }

  async #earlierStarts(id: string): Promise<readonly StartTimes[]> {
    const builds = await this.#ports.catalog.builds.list(id, buildsOfStarts);
    return this.#ports.earlierStarts(builds.map((build) => build.id));
  }

  #runtime(known: KnownSpace): HubRuntime {
    const { space, build, row } = known;
    const view = build && this.#ports.builds().views.of(build);
    const goesOn = view && view.outcome === null ? (view.stage === "starting" ? "starting" : "building") : "none";
    const { state } = space;
    const isFault = state.name === "failing" || state.name === "crash-looping";
    return hubRuntime({
      stage: stageOf(state, goesOn),
      answering: state.name === "running" ? this.#routes.answering(known).length : 0,
      wanted: space.settings.replicas,
      hardware: this.#ports.hardware.of(row.settings.hardware),
      sleepAfterMs: space.settings.sleepAfterMs,
      error: isFault ? publicSays(state) : null,
    });
  }

  /** Nobody can reach a replica of a Space that is not in the catalog, as after a restore of an older data folder. */
  #stopStray({ replica, space }: ReplicaStatus): void {
    if (this.#ports.replicas.get(replica)) this.#keeper.orders.retire(replica, `there is no Space ${space}`);
  }

  /** Takes a Space of the catalog into memory and opens its address. */
  async #adopt(id: string): Promise<{ ok: true; space: SpaceRow } | { ok: false; refusal: string }> {
    const row = await this.#ports.catalog.spaces.get(id);
    if (!row) return { ok: false, refusal: "no-such-space" };
    await this.#know(row, undefined);
    return { ok: true, space: row };
  }

  async #latestBuild(id: string): Promise<BuildRow | undefined> {
    return (await this.#ports.catalog.builds.list(id, 1))[0];
  }

  /** Two that make the same Space at once know one. */
  async #know(row: SpaceRow, build: BuildRow | undefined): Promise<void> {
    const known = await this.#keeper.know(row, build);
    if (this.#byId.has(row.id)) return;
    this.#byId.set(row.id, known);
    for (const host of this.#hostsOf(row)) this.#byHost.set(host, known);
    await this.#open(known);
    this.#keeper.look(known);
  }

  #hostsOf(row: SpaceRow): readonly string[] {
    const { addressing } = this.#ports;
    return addressing.hasNumbers ? [addressing.nameOf(row), row.address] : [addressing.nameOf(row)];
  }

  /** The Space's own address or port; one that cannot be opened is told, and the Space is there by its name. */
  async #open(known: KnownSpace): Promise<void> {
    const { addressing, spacePorts, addAddress, onFailure } = this.#ports;
    const { id, address } = known.row;
    if (addressing.hasNumbers) {
      const refused = await addAddress(address);
      if (refused !== undefined) onFailure(`address ${address} of ${id}`, new Error(refused));
    }
    if (spacePorts === null || !this.#isListening) return;
    const given = await spacePorts.open(known.row);
    if (!given.ok)
      onFailure(given.port === null ? `a port for ${id}` : `port ${given.port} of ${id}`, new Error(given.says));
    if (given.port === null) return;
    known.row = { ...known.row, port: given.port };
    this.#byHost.set(portName(given.port), known);
  }
}

const refusalCodes: Readonly<Record<Refusal, Code>> = {
  paused: "control/paused",
  "no-release": "control/conflict",
  "no-replicas": "control/conflict",
  "node-away": "control/conflict",
  down: "control/conflict",
};

/** In the catalog's order. */
function isOlder(a: BuildRow, b: BuildRow): boolean {
  return a.queuedAt < b.queuedAt || (a.queuedAt === b.queuedAt && a.id < b.id);
}

export function no(code: Code, says: string): Refused {
  return { ok: false, code, says };
}
