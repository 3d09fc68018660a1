/**
 * Spaces on the server's side: their addresses, which release should run, and in one sentence why each is in the state it is in.
 * The edge asks `find(host)` on every request; everything else is a reaction to a report or to a person.
 */
import type { ReplicaStatus, ToAgent } from "../contract/agent.ts";
import type { HubSpace, OwnerSettings, SpaceState, SpaceView } from "../contract/api.ts";
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { SpaceRoute } from "../edge/ports.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { durationMs, instant, iso } from "../stdx/time.ts";
import type { Clock, DurationMs, Instant } from "../stdx/time.ts";
import type { Builds } from "./builds.ts";
import { hubSpace } from "./hub-fields.ts";
import type { KnownReplica, Replicas } from "./replicas.ts";
import { isLiving } from "./replicas.ts";
import { Turns } from "./turns.ts";

export interface SpacesPorts {
  readonly catalog: Catalog;
  readonly replicas: Replicas;
  readonly clock: Clock;
  readonly random: RandomBytes;
  builds(): Builds;
  send(node: string, message: ToAgent): boolean;
  /** The node that runs releases built there. */
  connected(node: string): boolean;
  /** Opens the Space's own numeric address; says why where the machine refused. */
  addAddress(address: string): Promise<string | undefined>;
  /** Environment that a replica of this Space gets. */
  environment(space: SpaceRow, release: ReleaseRow): Readonly<Record<string, string>>;
  /** How long a replica of this release may take from its start to listening. */
  startMs(release: ReleaseRow): DurationMs;
  /** How often an app is looked at once it is ready. */
  readonly healthEveryMs: DurationMs;
  /** Requests that are under way at a replica. */
  busy(replica: string): number;
  /** `*.localhost`: the domain under which Spaces have names. */
  readonly appsDomain: string;
  port(): number;
  onFailure(what: string, error: unknown): void;
}

export interface Refused {
  readonly ok: false;
  readonly code: Code;
  readonly says: string;
}

interface KnownSpace {
  row: SpaceRow;
  state: SpaceState;
  says: string;
  code: Code | null;
  since: Instant;
  build: BuildRow | undefined;
  /** The release that should run; null before the first. */
  release: string | null;
  /** When that release was published; -1 before the first. Later ones take over, earlier ones are stopped. */
  releasedAt: number;
}

/** How long an app may take to end when its successor is ready. */
const graceMs = durationMs(5_000);
/** How long what is under way at a release may go on after another took over: longer answers are event streams, mostly. */
const drainMs = durationMs(10_000);
const drainLookEveryMs = 50;

export class Spaces {
  readonly #ports: SpacesPorts;
  readonly #byId = new Map<string, KnownSpace>();
  readonly #byHost = new Map<string, KnownSpace>();
  /** Replicas that are to be stopped: new requests go elsewhere. */
  readonly #retiring = new Set<string>();
  readonly #turns = new Turns();

  constructor(ports: SpacesPorts) {
    this.#ports = ports;
  }

  /** Reads the Spaces of the catalog and opens their addresses. */
  async recover(): Promise<void> {
    for (const row of await this.#ports.catalog.spaces.all()) {
      await this.#know(row, await this.#latestBuild(row.id));
    }
  }

  get(id: string): SpaceRow | undefined {
    return this.#byId.get(id)?.row;
  }

  get count(): number {
    return this.#byId.size;
  }

  /** Makes a Space, or finds the one that is there; a name that cannot be is said. */
  async ensure(owner: string, name: string): Promise<{ ok: true; space: SpaceRow } | { ok: false; refusal: string }> {
    const known = this.#byId.get(`${owner}/${name}`);
    if (known) return { ok: true, space: known.row };
    const made = await this.#ports.catalog.spaces.create(owner, name, this.#ports.clock.wall());
    if (!made.ok) return made.refusal === "space-exists" ? this.#adopt(`${owner}/${name}`) : made;
    await this.#adopt(made.space.id);
    return made;
  }

  /** Changes settings; what is not named stays. Undefined where there is no such Space. */
  async set(id: string, change: Partial<OwnerSettings>): Promise<OwnerSettings | undefined> {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    return this.#turns.take(id, async () => {
      const settings = { ...known.row.settings, ...change };
      await this.#ports.catalog.spaces.update(id, { settings });
      known.row = { ...known.row, settings };
      return settings;
    });
  }

  /** Starts one more replica of the release that should run; it takes over when it listens. Says why it cannot be. */
  async restart(id: string): Promise<Refused | { readonly ok: true; readonly replica: string }> {
    const known = this.#byId.get(id);
    if (!known) return no("control/not-found", `There is no Space ${id}.`);
    // In turns, so that two at once start one.
    return this.#turns.take(id, async () => {
      const release = known.release === null ? undefined : await this.#ports.catalog.releases.get(known.release);
      if (!release) return no("control/conflict", `There is nothing to restart: no release of ${id} has ever run.`);
      if (release.manifest.sdk === "static")
        return no("control/invalid", "A static Space has no process: its files are served as they are.");
      const starting = this.#ports.replicas.livingOf(id).find(({ status }) => status.phase === "starting");
      if (starting) return no("control/conflict", `Replica ${starting.status.replica} of ${id} is starting already.`);
      const replica = await this.start(release, null);
      if (replica !== undefined) return { ok: true, replica };
      return no("control/conflict", `The node of ${id} is not connected: it starts the app again when it is back.`);
    });
  }

  /** The edge's question. `host` without port, in lower case. */
  find(host: string): SpaceRoute | undefined {
    const known = this.#byHost.get(host);
    if (!known) return undefined;
    const { row } = known;
    const replicas = this.#ready(known).flatMap(({ status }) =>
      status.socket === null ? [] : [{ id: status.replica, socket: status.socket }],
    );
    if (replicas.length > 0) return { space: row.id, owner: row.owner, state: { kind: "running", replicas } };
    return {
      space: row.id,
      owner: row.owner,
      state: {
        kind: "down",
        code: known.code ?? "route/not-running",
        says: publicSays(known),
        ...(known.state === "starting" || known.state === "building" ? { retryAfterMs: 2_000 } : {}),
      },
    };
  }

  /** A build of a Space was queued, or has moved on. */
  onBuild(build: BuildRow): void {
    const known = this.#byId.get(build.space);
    if (!known) return;
    known.build = build;
    this.refresh(build.space);
  }

  /** Starts a replica of a release where it was built. Resolves with the replica's id, or undefined when that node is away. */
  async start(release: ReleaseRow, build: string | null): Promise<string | undefined> {
    const known = this.#byId.get(release.space);
    if (!known || !this.#ports.connected(release.node)) return undefined;
    const replica = newId("p", this.#ports.random);
    const spec = {
      replica,
      space: release.space,
      release: release.id,
      build,
      sdk: release.manifest.sdk,
      env: this.#ports.environment(known.row, release),
      readyWithinMs: this.#ports.startMs(release),
      health: { path: known.row.settings["health-path"] || null, everyMs: this.#ports.healthEveryMs },
    };
    const status: ReplicaStatus = {
      replica,
      space: release.space,
      release: release.id,
      phase: "starting",
      socket: null,
      startedAt: this.#ports.clock.wall(),
    };
    this.#ports.replicas.set({ node: release.node, pool: "main", status });
    this.#ports.send(release.node, { type: "start-replica", spec });
    this.refresh(release.space);
    return replica;
  }

  /** A replica changed: the release that has just become ready takes over, and the ones before it are stopped. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    if (!isLiving(status)) this.#retiring.delete(status.replica);
    const known = this.#byId.get(status.space);
    if (!known) return this.#stopStray(status);
    if (status.phase === "ready") {
      // In turns: two that became ready at once must not each find the other in the way.
      await this.#turns.take(status.space, async () => {
        await this.#takeOver(known, status.release);
        await this.#stopEarlier(known);
      });
    }
    this.refresh(status.space);
  }

  /** A node said hello: start what should run there and does not. */
  async onNode(node: string): Promise<void> {
    for (const known of this.#byId.values()) {
      if (known.release === null) continue;
      const release = await this.#ports.catalog.releases.get(known.release);
      // What waits for its first word, as the release of a build that a crash cut off, may never say it.
      const ours = this.#ports.replicas.of(known.row.id).filter(({ status }) => status.release === known.release);
      if (!release || release.node !== node || ours.some(({ status }) => isLiving(status))) continue;
      const last = ours.at(-1);
      if (last?.status.end?.code === "app/crash-loop") continue;
      await this.start(release, null);
    }
    for (const id of this.#byId.keys()) this.refresh(id);
  }

  /** Works out a Space's state again, and since when it has it. */
  refresh(id: string): void {
    const known = this.#byId.get(id);
    if (!known) return;
    const { state, says, code, since } = this.#derive(known);
    if (since !== undefined) known.since = since;
    else if (known.state !== state) known.since = this.#ports.clock.wall();
    known.state = state;
    known.says = says;
    known.code = code;
  }

  async view(id: string): Promise<SpaceView | undefined> {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    this.refresh(id);
    const build = known.build;
    return {
      id,
      owner: known.row.owner,
      name: known.row.name,
      sdk: known.row.sdk,
      state: known.state,
      since: iso(known.since),
      says: known.says,
      addresses: this.addresses(known.row),
      settings: known.row.settings,
      build: build ? this.#ports.builds().view(build) : null,
      release: known.release,
      replicas: this.#ports.replicas.of(id).map(({ status }) => ({
        id: status.replica,
        phase: status.phase,
        since: iso(instant(status.startedAt)),
        says: status.end?.says ?? status.phase,
      })),
    };
  }

  /** What anybody may know of a Space. */
  async publicView(id: string): Promise<SpaceView | undefined> {
    const view = await this.view(id);
    const known = this.#byId.get(id);
    return view && known && { ...view, says: publicSays(known), build: null, release: null, replicas: [] };
  }

  /** What the Hub's clients read of a Space. `inside`: the client is an app in a sandbox, and reaches others by name. */
  hubView(id: string, { inside }: { readonly inside: boolean }): HubSpace | undefined {
    const known = this.#byId.get(id);
    if (!known) return undefined;
    this.refresh(id);
    const [byName = "", byNumber = ""] = this.addresses(known.row);
    const { row, state, code, build } = known;
    return hubSpace({ row, state, code, sha: build?.commit ?? null, host: inside ? byName : byNumber });
  }

  /** All of them by name: as anybody may see them, or more where `maySee` says so of the owner. */
  async views(maySee: (owner: string) => boolean): Promise<readonly SpaceView[]> {
    const ids = [...this.#byId.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    const views = await Promise.all(
      ids.map(([id, { row }]) => (maySee(row.owner) ? this.view(id) : this.publicView(id))),
    );
    return views.flatMap((view) => view ?? []);
  }

  /** By name first, then by number: a program on a plain Linux resolves only the second. */
  addresses(row: SpaceRow): readonly string[] {
    const port = this.#ports.port();
    return [`http://${row.subdomain}.${this.#ports.appsDomain}:${port}`, `http://${row.address}:${port}`];
  }

  /** `since` where the record knows it, also of a time before this process. */
  #derive(known: KnownSpace): { state: SpaceState; says: string; code: Code | null; since?: Instant } {
    const all = this.#ports.replicas.of(known.row.id);
    const ready = this.#ready(known).at(-1);
    if (ready)
      return {
        state: "running",
        says: `running release ${ready.status.release} in replica ${ready.status.replica}`,
        code: null,
        since: instant(ready.status.startedAt),
      };
    const starting = all.findLast(({ status }) => status.phase === "starting");
    if (starting) {
      return {
        state: "starting",
        says: `replica ${starting.status.replica} has not listened yet`,
        code: "route/not-running",
        since: instant(starting.status.startedAt),
      };
    }
    const build = known.build && this.#ports.builds().view(known.build);
    if (build && build.outcome === null)
      return { state: "building", says: `build ${build.id} is ${build.stage}`, code: "route/not-running" };
    if (build?.outcome === "failed" && known.release === null) {
      return {
        state: "failed",
        says: `build ${build.id} failed: ${build.says}`,
        code: isCode(build.code ?? "") ? (build.code as Code) : "route/not-running",
        ...(known.build?.endedAt ? { since: known.build.endedAt } : {}),
      };
    }
    const ended = all.findLast(({ status }) => !isLiving(status))?.status;
    if (ended?.end) {
      // Nobody but the platform stops a replica, and only to start another or to end itself: the app has no part in it.
      if (ended.phase === "stopped") return { state: "stopped", says: ended.end.says, code: "route/control-down" };
      const code = isCode(ended.end.code) ? ended.end.code : "route/not-running";
      return { state: "failed", says: `${codeRow(code).says} ${ended.end.says}`, code };
    }
    if (known.release !== null)
      return { state: "stopped", says: "its node is not connected", code: "route/control-down" };
    return { state: "no-release", says: "nothing was ever deployed here", code: "route/not-running" };
  }

  /** Replicas that answer: of the current release where one does, else of any. */
  #ready(known: KnownSpace): readonly KnownReplica[] {
    const ready = this.#ports.replicas.of(known.row.id).filter(({ status }) => status.phase === "ready");
    const current = ready.filter(
      ({ status }) => status.release === known.release && !this.#retiring.has(status.replica),
    );
    return current.length > 0 ? current : ready;
  }

  /** A release takes over from an earlier one only: a late report of an old replica does not bring its release back. */
  async #takeOver(known: KnownSpace, id: string): Promise<void> {
    if (known.release === id) return;
    const release = await this.#ports.catalog.releases.get(id);
    if (!release || release.createdAt <= known.releasedAt) return;
    known.release = id;
    known.releasedAt = release.createdAt;
    known.row = { ...known.row, release: id, sdk: release.manifest.sdk };
    await this.#ports.catalog.spaces.update(known.row.id, { release: id, sdk: release.manifest.sdk });
  }

  /** Where the current release answers, no earlier one is needed. One that is on its way to succeed it goes on. */
  async #stopEarlier(known: KnownSpace): Promise<void> {
    const living = this.#ports.replicas.livingOf(known.row.id);
    const current = living.findLast(({ status }) => status.release === known.release && status.phase === "ready");
    if (!current) return;
    for (const { node, status } of living) {
      if (status.replica === current.status.replica || this.#retiring.has(status.replica)) continue;
      const release = await this.#ports.catalog.releases.get(status.release);
      if (release && release.createdAt > known.releasedAt) continue;
      this.#retiring.add(status.replica);
      this.#retire({ node, replica: status.replica, why: `release ${current.status.release} took over` });
    }
  }

  /** Nobody can reach a replica of a Space that is not in the catalog, as after a restore of an older data folder. */
  #stopStray({ replica, space }: ReplicaStatus): void {
    const stray = this.#ports.replicas.get(replica);
    if (!stray || !isLiving(stray.status)) return;
    this.#ports.send(stray.node, { type: "stop-replica", replica, graceMs, why: `there is no Space ${space}` });
  }

  /** Stops a replica that gets no more requests, once those that it has are answered or the time for that is over. */
  #retire(old: { node: string; replica: string; why: string }, since = this.#ports.clock.monotonic()): void {
    const isLate = this.#ports.clock.monotonic() - since >= drainMs;
    if (!isLate && this.#ports.busy(old.replica) > 0) {
      setTimeout(() => this.#retire(old, since), drainLookEveryMs).unref();
      return;
    }
    const known = this.#ports.replicas.get(old.replica);
    if (known && isLiving(known.status))
      this.#ports.send(old.node, { type: "stop-replica", replica: old.replica, graceMs, why: old.why });
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
    const release = row.release === null ? undefined : await this.#ports.catalog.releases.get(row.release);
    if (this.#byId.has(row.id)) return;
    const known: KnownSpace = {
      row,
      state: "no-release",
      says: "",
      code: null,
      since: row.since,
      build,
      release: row.release,
      releasedAt: release?.createdAt ?? -1,
    };
    this.#byId.set(row.id, known);
    this.#byHost.set(`${row.subdomain}.${this.#ports.appsDomain}`, known);
    this.#byHost.set(row.address, known);
    await this.#open(row);
    this.refresh(row.id);
  }

  async #open(row: SpaceRow): Promise<void> {
    const refused = await this.#ports.addAddress(row.address);
    if (refused !== undefined) this.#ports.onFailure(`address ${row.address} of ${row.id}`, new Error(refused));
  }
}

function no(code: Code, says: string): Refused {
  return { ok: false, code, says };
}

const stateSays: Readonly<Record<SpaceState, string>> = {
  "no-release": "nothing was ever deployed here",
  building: "its first release is being built",
  starting: "it starts",
  running: "it runs",
  failed: "it does not run",
  stopped: "it is stopped",
};

/** Why a Space is in its state, without the id of a build or a replica and without a line of a log: those are its owner's. */
function publicSays({ state, code }: KnownSpace): string {
  return state === "failed" && code !== null ? codeRow(code).says : stateSays[state];
}
