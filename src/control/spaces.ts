/**
 * Spaces on the server's side: their addresses, which release should run, and in one sentence why each is in the state it is in.
 * The edge asks `find(host)` on every request; everything else is a reaction to a report or to a person.
 */
import type { ReplicaStatus, ToAgent } from "../contract/agent.ts";
import type { SpaceState, SpaceView } from "../contract/api.ts";
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
import type { KnownReplica, Replicas } from "./replicas.ts";
import { isLiving } from "./replicas.ts";

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
  /** `*.localhost`: the domain under which Spaces have names. */
  readonly appsDomain: string;
  port(): number;
  onFailure(what: string, error: unknown): void;
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
}

/** How long an app may take to end when its successor is ready. */
const graceMs = durationMs(5_000);

export class Spaces {
  readonly #ports: SpacesPorts;
  readonly #byId = new Map<string, KnownSpace>();
  readonly #byHost = new Map<string, KnownSpace>();

  constructor(ports: SpacesPorts) {
    this.#ports = ports;
  }

  /** Reads the Spaces of the catalog and opens their addresses. */
  async recover(): Promise<void> {
    for (const row of await this.#ports.catalog.spaces.all()) {
      const build = await this.#latestBuild(row.id);
      this.#know({ row, state: "no-release", says: "", code: null, since: row.since, build, release: row.release });
      await this.#open(row);
      this.refresh(row.id);
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

  /** The edge's question. `host` without port, in lower case. */
  find(host: string): SpaceRoute | undefined {
    const known = this.#byHost.get(host);
    if (!known) return undefined;
    const { row } = known;
    const replicas = this.#ready(known).flatMap(({ status }) => (status.socket === null ? [] : [{ id: status.replica, socket: status.socket }]));
    if (replicas.length > 0) return { space: row.id, owner: row.owner, state: { kind: "running", replicas } };
    return {
      space: row.id,
      owner: row.owner,
      state: { kind: "down", code: known.code ?? "route/not-running", says: known.says, ...(known.state === "starting" || known.state === "building" ? { retryAfterMs: 2_000 } : {}) },
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
    };
    const status: ReplicaStatus = { replica, space: release.space, release: release.id, phase: "starting", socket: null, startedAt: this.#ports.clock.wall() };
    this.#ports.replicas.set({ node: release.node, pool: "main", status });
    this.#ports.send(release.node, { type: "start-replica", spec });
    this.refresh(release.space);
    return replica;
  }

  /** A replica changed: the release that has just become ready takes over, and the ones before it are stopped. */
  async onReplica(status: ReplicaStatus): Promise<void> {
    const known = this.#byId.get(status.space);
    if (!known) return;
    if (status.phase === "ready" && known.release !== status.release && this.#isNewer(known, status.release)) {
      const release = await this.#ports.catalog.releases.get(status.release);
      known.release = status.release;
      known.row = { ...known.row, release: status.release, sdk: release?.manifest.sdk ?? known.row.sdk };
      await this.#ports.catalog.spaces.update(known.row.id, { release: status.release, sdk: known.row.sdk });
    }
    if (status.phase === "ready") this.#stopOthers(known, status);
    this.refresh(status.space);
  }

  /** A node said hello: start what should run there and does not. */
  async onNode(node: string): Promise<void> {
    for (const known of this.#byId.values()) {
      if (known.release === null) continue;
      const release = await this.#ports.catalog.releases.get(known.release);
      if (!release || release.node !== node || this.#ports.replicas.livingOf(known.row.id).length > 0) continue;
      const last = this.#ports.replicas.of(known.row.id).at(-1);
      if (last?.status.end?.code === "app/crash-loop") continue;
      await this.start(release, null);
    }
    for (const id of this.#byId.keys()) this.refresh(id);
  }

  /** Works out a Space's state again, and since when it has it. */
  refresh(id: string): void {
    const known = this.#byId.get(id);
    if (!known) return;
    const { state, says, code } = this.#derive(known);
    if (known.state !== state) known.since = this.#ports.clock.wall();
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

  async views(): Promise<readonly SpaceView[]> {
    const views = await Promise.all([...this.#byId.keys()].sort().map((id) => this.view(id)));
    return views.flatMap((view) => view ?? []);
  }

  /** By name first, then by number: a program on a plain Linux resolves only the second. */
  addresses(row: SpaceRow): readonly string[] {
    const port = this.#ports.port();
    return [`http://${row.subdomain}.${this.#ports.appsDomain}:${port}`, `http://${row.address}:${port}`];
  }

  #derive(known: KnownSpace): { state: SpaceState; says: string; code: Code | null } {
    const all = this.#ports.replicas.of(known.row.id);
    const ready = this.#ready(known).at(-1);
    if (ready) return { state: "running", says: `running release ${ready.status.release} in replica ${ready.status.replica}`, code: null };
    const starting = all.findLast(({ status }) => status.phase === "starting");
    if (starting) {
      return { state: "starting", says: `replica ${starting.status.replica} has not listened yet`, code: "route/not-running" };
    }
    const build = known.build && this.#ports.builds().view(known.build);
    if (build && build.outcome === null) return { state: "building", says: `build ${build.id} is ${build.stage}`, code: "route/not-running" };
    if (build?.outcome === "failed" && known.release === null) {
      return { state: "failed", says: `build ${build.id} failed: ${build.says}`, code: isCode(build.code ?? "") ? (build.code as Code) : "route/not-running" };
    }
    const ended = all.findLast(({ status }) => !isLiving(status))?.status;
    if (ended?.end) {
      const code = isCode(ended.end.code) ? ended.end.code : "route/not-running";
      const state = ended.phase === "stopped" ? "stopped" : "failed";
      return { state, says: `${codeRow(code).says} ${ended.end.says}`, code };
    }
    if (known.release !== null) return { state: "stopped", says: "its node is not connected", code: "route/not-running" };
    return { state: "no-release", says: "nothing was ever deployed here", code: "route/not-running" };
  }

  /** Replicas that answer: of the current release where one does, else of any. */
  #ready(known: KnownSpace): readonly KnownReplica[] {
    const ready = this.#ports.replicas.of(known.row.id).filter(({ status }) => status.phase === "ready");
    const current = ready.filter(({ status }) => status.release === known.release);
    return current.length > 0 ? current : ready;
  }

  /** A release takes over only from an older one: a late report of an old replica does not bring it back. */
  #isNewer(known: KnownSpace, release: string): boolean {
    const newest = known.build && this.#ports.builds().view(known.build).release;
    return known.release === null || newest === undefined || newest === release;
  }

  #stopOthers(known: KnownSpace, ready: ReplicaStatus): void {
    if (known.release !== ready.release) return;
    for (const { node, status } of this.#ports.replicas.livingOf(known.row.id)) {
      if (status.replica === ready.replica) continue;
      this.#ports.send(node, { type: "stop-replica", replica: status.replica, graceMs, why: `release ${ready.release} took over` });
    }
  }

  /** Takes a Space of the catalog into memory and opens its address. */
  async #adopt(id: string): Promise<{ ok: true; space: SpaceRow } | { ok: false; refusal: string }> {
    const row = await this.#ports.catalog.spaces.get(id);
    if (!row) return { ok: false, refusal: "no-such-space" };
    this.#know({ row, state: "no-release", says: "", code: null, since: row.since, build: undefined, release: row.release });
    await this.#open(row);
    this.refresh(id);
    return { ok: true, space: row };
  }

  async #latestBuild(id: string): Promise<BuildRow | undefined> {
    return (await this.#ports.catalog.builds.list(id, 1))[0];
  }

  #know(known: KnownSpace): void {
    this.#byId.set(known.row.id, known);
    this.#byHost.set(`${known.row.subdomain}.${this.#ports.appsDomain}`, known);
    this.#byHost.set(known.row.address, known);
  }

  async #open(row: SpaceRow): Promise<void> {
    const refused = await this.#ports.addAddress(row.address);
    if (refused !== undefined) this.#ports.onFailure(`address ${row.address} of ${row.id}`, new Error(refused));
  }
}
