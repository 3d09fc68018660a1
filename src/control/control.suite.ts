/** What the server's tests share: its parts on a journal and a catalog in memory, and a node that the test speaks for. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Catalog } from "../catalog/catalog.ts";
import { noIsolation } from "../contract/isolation.ts";
import type { ReleaseRow } from "../catalog/builds.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import type { DeviceFacts, Link, ReplicaStatus, ScheduleRequest, ToAgent, ToServer } from "../contract/agent.ts";
import { buildLimits } from "../core/builds/model.ts";
import { openCallsOn } from "../core/views.ts";
import type { Counts } from "../evidence/boundaries.ts";
import type { Draft, Emitter, Entry } from "../evidence/entry.ts";
import { accessTokenHash, newAccessToken } from "../identity/access-token.ts";
import type { ProviderSettings } from "../identity/provider-settings.ts";
import { SecretBox } from "../identity/secret-box.ts";
import { openRepositories, type RepositoryStore } from "../hub/repository.ts";
import { sessionCookie, Sessions } from "../identity/sessions.ts";
import { TokenResolver } from "../identity/token-resolver.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { ReceiptKeys } from "../identity/receipt-key.ts";
import { VisitorKeyring } from "../identity/visitor-keys.ts";
import { MemoryJournal, MemoryStore } from "../journal/index.ts";
import type { Journal } from "../journal/index.ts";
import { newId } from "../stdx/ids.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { durationMs, instant, iso, seconds } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { Addressing } from "./addressing.ts";
import { Builds } from "./builds.ts";
import { Calls } from "./calls.ts";
import { Commits } from "./commits.ts";
import { Engine } from "./engine.ts";
import { Domains } from "./domains.ts";
import { Environments } from "./environments.ts";
import { Fitting } from "./fitting.ts";
import { Gates } from "./gates.ts";
import { Hardware } from "./hardware.ts";
import { HubRepos } from "./hub-repos.ts";
import { type IncidentParts, Incidents } from "./incidents.ts";
import type { AppsPayer } from "./quotes.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { NodeTokens } from "./node-tokens.ts";
import { Organisations } from "./organisations.ts";
import { Nodes } from "./nodes.ts";
import { isLiving, Replicas } from "./replicas.ts";
import { RequestEffects } from "./request-effects.ts";
import { Server } from "./server.ts";
import { Changes } from "./changes.ts";
import type { ServerParts } from "./server.ts";
import { keptOfSpace, Retention, type KeptOfSpace } from "./retention.ts";
import { Spaces } from "./spaces.ts";
import { WebhookDesk } from "./webhooks/desk.ts";
import type { Posted, Posting } from "../contract/posting.ts";

export const card: DeviceFacts = { index: 0, uuid: "GPU-0", name: "simulated", slots: 1, simulated: true };

/** By whom people may sign in elsewhere. */
export const acme: ProviderSettings = {
  ...{ name: "acme", label: "Acme", issuer: "https://id.example", clientId: "waybill", secret: null },
  ...{ scopes: ["openid"], accountClaim: "preferred_username", newAccounts: true, tier: "free" },
  ...{ emailDomains: [], groups: [], groupsClaim: "groups" },
};

/** The test's end of a node's connection. */
export class TestNode {
  readonly name: string;
  readonly heard: ToAgent[] = [];
  #onMessage: (message: ToServer) => void = () => undefined;
  #onClose: () => void = () => undefined;

  readonly link: Link<ToAgent, ToServer> = {
    send: (message) => void this.heard.push(message),
    onMessage: (listener) => void (this.#onMessage = listener),
    onClose: (listener) => void (this.#onClose = listener),
    close: () => this.#onClose(),
  };

  constructor(name = "n1") {
    this.name = name;
  }

  say(message: ToServer): void {
    this.#onMessage(message);
  }

  /** `epoch`: of the agent's process. */
  hello(replicas: readonly ReplicaStatus[] = [], devices: readonly DeviceFacts[] = [card], epoch = 1): void {
    const isolation = noIsolation("none");
    this.say({
      type: "hello",
      node: this.name,
      epoch,
      buildsAtOnce: 1,
      pool: "main",
      devices,
      replicas,
      sdks: ["node"],
      isolation,
      outbound: outboundOfNodes,
    });
  }

  of<Type extends ToAgent["type"]>(type: Type): Extract<ToAgent, { type: Type }>[] {
    return this.heard.filter((message): message is Extract<ToAgent, { type: Type }> => message.type === type);
  }
}

const rules = { allow: ["*"], deny: [], ports: [443], addresses: ["10.1.0.0/16"] };
/** What each of these nodes lets out. */
export const outboundOfNodes = { apps: rules, builds: rules };

/** Time that moves when a test says so; its two clocks step apart where the test moves one. */
export class TestClock implements Clock {
  wallMs = Date.UTC(2026, 10, 22, 12);
  monotonicMs = 1_000;
  readonly wall = () => instant(this.wallMs);
  readonly monotonic = () => this.monotonicMs;

  advance(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
  }
}

export interface Wishes {
  readonly store?: MemoryStore;
  readonly beforeCommit?: () => Promise<void>;
  /** In the place of one in memory. */
  readonly journal?: Journal;
  readonly sql?: SqlRunner;
  /** Where incidents are kept; without it there are none. */
  readonly incidents?: IncidentParts["record"];
  /** Those of an earlier world, whose process died; who opened the folder first removes it. */
  readonly catalog?: Catalog;
  readonly folder?: string;
  readonly kept?: KeptOfSpace;
  /** Where its chance begins: after all that an earlier world has drawn, whose rows it has. */
  readonly drawn?: number;
}

/** It tells of incidents and looks at nothing. */
function standing(incidents: Incidents): NonNullable<ServerParts["standing"]> {
  const allCounts = async (): Promise<Counts> => ({ from: 0, works: [], waits: [] });
  return { incidents, lookSoon: () => undefined, view: async () => undefined, allCounts };
}

/** The other end of webhooks. */
interface TestHooks {
  readonly sent: Posting[];
  answer(posting: Posting, signal: AbortSignal): Promise<Posted>;
}

/** By name: the records, or a failure's code. */
interface TestDns {
  readonly txt: Map<string, readonly string[] | string>;
  readonly cname: Map<string, readonly string[] | string>;
}

async function answerOf(records: TestDns["txt"], name: string): Promise<readonly string[]> {
  const found = records.get(name) ?? "ENOTFOUND";
  if (typeof found === "string") throw Object.assign(new Error(found), { code: found });
  return found;
}

export class ControlWorld implements AsyncDisposable {
  readonly folder: string;
  readonly failures: string[] = [];
  readonly drafts: Draft[] = [];
  /** What nodes said of others'. */
  readonly counted: string[] = [];
  /** What whoever waits for a request was told of its calls. */
  readonly told: string[] = [];
  /** The function that each request names. */
  asksFor: string | null = null;
  /** Numeric addresses that were opened. */
  readonly addresses: string[] = [];
  readonly clock: TestClock;
  readonly replicas: Replicas;
  readonly environments: Environments;
  readonly domains: Domains;
  /** What the DNS of people's names says: texts and aliases, or a failure's code. */
  readonly dns: TestDns;
  readonly journal: Journal;
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly nodes: Nodes;
  readonly calls: Calls;
  readonly builds: Builds;
  readonly spaces: Spaces;
  readonly retention: Retention;
  readonly repositories: RepositoryStore;
  readonly hubRepos: HubRepos;
  readonly gates: Gates;
  readonly commits: Commits;
  readonly hardware = new Hardware(() => ({ cores: 2, memoryBytes: 2 ** 30, cards: [card] }));
  readonly sessions: Sessions;
  readonly server: Server;
  /** What was sent to webhooks, and what is answered to it. */
  readonly hooks: TestHooks;
  readonly #drawn = { count: 0 };

  static async open({
    store,
    beforeCommit,
    journal = new MemoryJournal(store ?? new MemoryStore(), beforeCommit === undefined ? {} : { beforeCommit }),
    sql = memorySql(),
    incidents,
    catalog: earlier,
    folder,
    kept = keptOfSpace,
    drawn = 0,
  }: Wishes = {}): Promise<ControlWorld> {
    const clock = new TestClock();
    const failures: string[] = [];
    const engine = await Engine.open({
      journal,
      clock,
      onFatal: (error) => failures.push(error.message),
      alarm: () => () => undefined,
    });
    await engine.submit({ type: "set-pool", pool: "main", settings: {} });
    const effects = new RequestEffects();
    const catalog = earlier ?? (await Catalog.open(sql, clock, effects));
    await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: clock.wall() });
    await catalog.accounts.create({ name: "admin", tier: "unlimited", role: "admin", createdAt: clock.wall() });
    const replicas = new Replicas();
    const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
    const box = new SecretBox(new Map([["k_test", Buffer.alloc(32, 7)]]), random);
    const dns: TestDns = { txt: new Map(), cname: new Map() };
    const domains = await Domains.open({
      rows: catalog.domains,
      resolver: { txt: (name) => answerOf(dns.txt, name), cname: (name) => answerOf(dns.cname, name) },
      clock,
      own: { appsDomain: "apps.example.com", consoleHosts: ["waybill.example.com"] },
      secret: new Uint8Array(32),
      cnameOf: (space) => `${space.replace("/", "-")}.apps.example.com`,
      urlOf: (host) => `https://${host}`,
    });
    const environments = await Environments.open({
      rows: catalog.environments,
      box,
      clock,
      onChange: (space) => world.spaces.onEnvironment(space),
    });
    const visitorKeys = await VisitorKeyring.open({
      ...{ settings: catalog.settings, random, clock, everyMs: null, publish: async () => [] },
    });
    const receiptKeys = await ReceiptKeys.open(catalog.settings, "waybill/control");
    const organisations = await Organisations.open({
      ...{ accounts: catalog.accounts, members: catalog.members, clock, onAccount: () => undefined },
      madeBy: (space) => world.spaces.get(space)?.createdBy ?? world.hubRepos.madeBy(space),
    });
    const hooks: TestHooks = {
      sent: [],
      answer: async () => ({ answered: true, status: 204, retryAfter: undefined, answer: "" }),
    };
    const webhooks = await WebhookDesk.open({
      ...{ catalog, box, effects, clock, random, version: "0" },
      post(posting, signal) {
        hooks.sent.push(posting);
        return hooks.answer(posting, signal);
      },
      denies: (address) => (address.startsWith("10.") ? "private, 10.0.0.0/8" : null),
      onFailure: (what, error) => void world.failures.push(`${what}: ${String(error)}`),
    });
    const world: ControlWorld = new ControlWorld({
      ...(incidents && { standing: standing(await Incidents.load({ record: incidents, clock, random })) }),
      organisations,
      webhooks,
      hooks,
      visitorKeys,
      receiptKeys,
      journal,
      engine,
      catalog,
      clock,
      replicas,
      environments,
      domains,
      dns,
      effects,
      box,
      folder: folder ?? mkdtempSync(join(tmpdir(), "waybill-control-")),
      kept,
      drawn,
    });
    await world.hubRepos.recover();
    await world.gates.recover();
    world.calls.restore(await engine.read((state) => [...openCallsOn(state, "n1")]));
    engine.subscribe((record) => world.calls.onRecord(record));
    engine.subscribe((record) => world.changes.recorded(record));
    return world;
  }

  private constructor({
    journal,
    engine,
    catalog,
    clock,
    replicas,
    environments,
    domains,
    dns,
    hooks,
    folder,
    kept,
    drawn,
    ...sealing
  }: Pick<
    ControlWorld,
    "journal" | "engine" | "catalog" | "clock" | "replicas" | "environments" | "domains" | "dns" | "hooks" | "folder"
  > &
    Pick<ServerParts, "effects" | "box" | "organisations" | "visitorKeys" | "receiptKeys" | "webhooks" | "standing"> & {
      kept: KeptOfSpace;
      drawn: number;
    }) {
    this.#drawn.count = drawn;
    this.folder = folder;
    this.journal = journal;
    this.replicas = replicas;
    this.environments = environments;
    this.domains = domains;
    this.dns = dns;
    this.hooks = hooks;
    this.engine = engine;
    this.catalog = catalog;
    this.clock = clock;
    const emitter: Emitter = {
      name: "server",
      epoch: 1,
      write: (draft) => (this.drafts.push(draft), draft as never),
      writeAll: (drafts) => void this.drafts.push(...drafts),
      pack: () => undefined,
      answer: () => Promise.reject(new Error("the server gives no watermark here")),
      sync: async () => undefined,
    };
    const onFailure = (what: string, error: unknown): void => void this.failures.push(`${what}: ${String(error)}`);
    const send = (node: string, message: ToAgent): boolean => this.nodes.send(node, environments.equip(message));
    const ports = { engine, catalog, replicas, clock, emitter, random: this.random, send, onFailure };
    this.nodes = new Nodes({
      ...ports,
      serverEpoch: 1,
      calls: () => this.calls,
      onNode: async ({ node, sdks, epoch, buildsAtOnce }) => {
        await this.calls.tellAll(node);
        await this.spaces.onNode(node);
        await this.builds.onBuilder({ name: node, sdks, epoch, parallel: buildsAtOnce });
      },
      onReplica: async (status) => {
        await this.builds.onReplica(status);
        await this.spaces.onReplica(status);
      },
      onHeartbeat: (node, held) => this.builds.onHeartbeat(node, held),
      onAway: (node) => this.builds.onBuilderAway(node),
      onBuild: (node, message) => this.builds.onMessage(node, message),
      onReleases: (node, releases) => this.retention.onReleases(node, releases),
      onSpaces: (node, told) => this.spaces.onKept(node, told),
      wasDeleted: (space, at) => catalog.spaces.wasDeleted(space, at),
      ingest: async ({ emitter: name, epoch }) => ({ emitter: name, epoch, seq: 0 }),
      // What no build has published is n1's, but for one that is gone.
      release: async (id) =>
        (await catalog.releases.get(id)) ?? (id === "rel_gone" ? undefined : { node: "n1", space: "alice/demo" }),
      builder: (build, fence) => this.builds.holder(build, fence),
      count: ({ node, sample }) => `n_${this.counted.push(`${node}: ${sample}`)}`,
    });
    const fitting = new Fitting(catalog.releases);
    this.calls = new Calls({
      ...ports,
      replica: (id) => {
        const known = replicas.get(id);
        if (!known || !isLiving(known.status)) return undefined;
        return {
          space: known.status.space,
          release: known.status.release,
          owner: "alice",
          node: known.node,
          pool: known.pool,
          functions: known.status.functions ?? {},
        };
      },
      verifyToken: () => ({
        ok: true,
        account: "alice",
        tier: "free",
        billedBy: "token",
        request: "q_1",
        asksFor: this.asksFor,
      }),
      misfit: (release, node) => fitting.misfit(release, this.nodes.cards(node)),
      onLeave: (space) => this.spaces.get(space)?.settings["on-leave"] ?? "finish",
      ownerTier: () => "free",
      told: (request, { kind, ...more }) =>
        this.told.push(
          [request, kind, "position" in more && `${more.position} of ${more.of}`, "says" in more && more.says]
            .filter(Boolean)
            .join(" "),
        ),
      device: (slot) => this.nodes.device(slot),
    });
    this.repositories = openRepositories({ ...ports, folder: join(this.folder, "repositories") });
    this.hubRepos = new HubRepos({
      ...ports,
      repositories: this.repositories,
      spaces: { get: (id) => this.spaces.get(id), ids: () => this.spaces.ids() },
    });
    this.gates = new Gates({ ...ports, find: (repo) => this.hubRepos.find(repo) });
    this.hubRepos.onRemoved((_repository, stored) => this.gates.forget(stored));
    this.builds = new Builds({
      ...ports,
      folder: join(this.folder, "builds"),
      limits: { ...buildLimits, waitingMax: 3, ownerWaitingMax: 3 },
      cards: (node) => this.nodes.cards(node),
      repositoryOf: (space) => this.repositories.repositoryOf(space),
      startMs: () => seconds(60),
      start: (release, build) => this.spaces.start(release, build),
      held: (release) => this.spaces.held(release),
      onChange: (build) => {
        this.spaces.onBuild(build);
        this.changes.build(build);
      },
    });
    this.spaces = new Spaces({
      ...ports,
      onMoved: (id) => this.changes.space(id),
      builds: () => this.builds,
      connected: (node) => this.nodes.isConnected(node),
      addAddress: async (address) => void this.addresses.push(address),
      environment: () => ({}),
      lastChange: (space) => environments.last(space),
      startMs: () => seconds(60),
      healthEveryMs: seconds(5),
      calling: async () => false,
      unvisitedMs: null,
      hardware: this.hardware,
      busy: () => 0,
      addressing: new Addressing({
        ...{ appsDomain: "localhost", consoleHost: null, scheme: "http", publicPort: null },
        ...{ isOpen: false, isByPorts: false, listenPort: () => 7070 },
      }),
      domains: this.domains,
      spacePorts: null,
      earlierStarts: async () => [],
      releasesKept: kept.releases,
    });
    this.retention = new Retention({
      ...ports,
      kept,
      spaces: this.spaces,
      builds: this.builds,
      repositories: this.repositories,
      hubRepos: this.hubRepos,
    });
    const resolver = new TokenResolver({
      directory: catalog.tokens,
      clock,
      onTouchFailed: (error) => onFailure("touch", error),
    });
    this.sessions = new Sessions({
      ...{ directory: catalog.sessions, clock, random: this.random },
      onTouchFailed: (error) => onFailure("touch", error),
    });
    const about = {
      version: "0",
      node: "26",
      bootMs: () => 0,
      url: () => "http://127.0.0.1:7070",
      hosts: ["localhost"],
      appsDomain: "localhost",
      console: () => "http://localhost",
      tls: async () => null,
    };
    const { journal: _journal, nodes, calls, builds, spaces } = this;
    // An evidence store that has the server's own entries, and no other.
    const nothing = {
      entries: [],
      neighbours: [],
      gaps: [],
      watermarks: [],
      epochs: [],
      clocks: [],
      links: [],
      droppedThrough: null,
      index: 0,
    };
    this.commits = new Commits({
      ...ports,
      spaces,
      builds,
      repositories: this.repositories,
      onChange: (repo) => this.hubRepos.changed(repo),
    });
    const evidence = {
      readWork: async (id: string) => ({ ...nothing, entries: this.#entriesOf(id) }),
      workOf: async ({ emitter, seq }: Pick<Entry, "emitter" | "seq">) =>
        emitter === "server" ? (this.drafts[seq - 1]?.work ?? null) : null,
      readSpan: async () => this.#span(),
      readPassages: async () => ({ passages: [], isCut: false, clocks: [] }),
      readCounted: async () => null,
      index: () => 0,
    };
    const parts = {
      ...ports,
      ...sealing,
      changes: this.changes,
      journal,
      evidence,
      nodes,
      calls,
      builds,
      commits: this.commits,
      repositories: this.repositories,
      hubRepos: this.hubRepos,
      gates: this.gates,
      spaces,
      environments,
      domains,
      hardware: this.hardware,
      resolver,
      sessions: this.sessions,
      visitKey: new Uint8Array(32).fill(3),
      providers: [acme],
      about,
      onAccount: () => undefined,
      onWrongPassword: () => undefined,
      nodeTokens: new NodeTokens({
        ...ports,
        tokens: catalog.tokens,
        account: "admin",
        own: "n1",
        onRevoked: () => undefined,
      }),
      payerOfApp: (token: string | null, inside: InsideCaller | null): AppsPayer =>
        inside && { ok: true, space: inside.space, account: token ?? "alice", tier: "free" },
      backup: async () => Promise.reject(new Error("what is copied is tried with a whole platform")),
      flushEvidence: async () => undefined,
    };
    this.server = new Server(parts as unknown as ServerParts);
  }

  readonly changes = new Changes();

  readonly random = (count: number): Uint8Array => {
    this.#drawn.count += 1;
    return Uint8Array.from({ length: count }, (_, at) => (this.#drawn.count >> (8 * (at % 4))) & 255);
  };

  #entriesOf(id: string): readonly Entry[] {
    const at = iso(this.clock.wall());
    const all = this.drafts.map((draft, index) => ({
      ...draft,
      id: `server/1/${index + 1}`,
      emitter: "server",
      epoch: 1,
      seq: index + 1,
      at,
    }));
    return all.filter(({ work }) => work === id);
  }

  /** All that the server's own entries tell of works that failed. */
  #span() {
    const at = this.clock.wall();
    const failed = this.drafts.filter(({ mark }) => mark === "refused" || mark === "failed");
    const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
    const works = failed.map(({ work, facts }) => ({
      ...{ work, code: text(facts["code"]), space: text(facts["space"]), account: text(facts["account"]) },
      ...{ first: at, last: at },
    }));
    const emitters = [{ emitter: "server", epoch: 1, state: "open", lastSeq: this.drafts.length, lastAt: iso(at) }];
    const none = { well: [], isWellCut: false, rolledUp: [], counted: [], gaps: [], readTo: null };
    return { ...none, works, emitters, droppedThrough: null, index: this.drafts.length };
  }

  /** A node that has said hello and was heard. */
  async node(replicas: readonly ReplicaStatus[] = [], devices = [card], epoch = 1, name = "n1"): Promise<TestNode> {
    const node = new TestNode(name);
    this.nodes.connect(node.link);
    node.hello(replicas, devices, epoch);
    await this.settled();
    return node;
  }

  /** All that was said is dealt with. */
  async settled(): Promise<void> {
    await this.nodes.drained();
  }

  async space(name = "demo"): Promise<string> {
    await this.spaces.ensure("alice", name);
    return `alice/${name}`;
  }

  /** A release as a build publishes it. */
  async release(id: string, createdAt: number, space = "alice/demo"): Promise<ReleaseRow> {
    const manifest = {
      release: id,
      space,
      commit: "0",
      build: "b_0",
      sdk: "node",
      title: "",
      argv: null,
      staticFolder: ".",
      appPort: 7860,
      builtAt: "",
    } as const;
    const build = newId("b", this.random);
    await this.catalog.builds.create({ id: build, space, commit: "0", says: "", queuedAt: instant(createdAt) });
    const row: ReleaseRow = { id, space, build, commit: "0", manifest, node: "n1", createdAt: instant(createdAt) };
    await this.catalog.releases.create(row);
    return row;
  }

  async token(account: string, scopes: readonly Scope[]): Promise<string> {
    const token = newAccessToken(this.random);
    await this.catalog.tokens.create({
      id: newId("t", this.random),
      account,
      hash: accessTokenHash(token),
      name: "t",
      scopes,
      createdAt: this.clock.wall(),
      expiresAt: null,
    });
    return token;
  }

  /** What a browser sends that has signed in. */
  async cookie(account: string): Promise<string> {
    const { secret } = await this.sessions.make({ account, how: "password", address: null, agent: null });
    return sessionCookie(secret).split(";")[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.webhooks[Symbol.asyncDispose]();
    await this.retention[Symbol.asyncDispose]();
    this.builds.close();
    this.spaces.close();
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function replica(id: string, phase: ReplicaStatus["phase"], over: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return {
    replica: id,
    space: "alice/demo",
    release: "rel_1",
    phase,
    socket: phase === "ready" ? `/${id}` : null,
    startedAt: 0,
    ...over,
  };
}

export function request(call: string, over: Partial<ScheduleRequest> = {}): ScheduleRequest {
  return {
    call,
    replica: "p_1",
    space: "alice/demo",
    release: "rel_1",
    task: "1",
    declaredMs: durationMs(10_000),
    size: "large",
    token: "t",
    ...over,
  };
}

/** A commit in the Hub's form whose files are the whole content. */
export function commitBytes(files: Readonly<Record<string, string>>): Uint8Array {
  const lines = [{ key: "header", value: { summary: "Deploy", description: "", replace: true } }];
  const stored = Object.entries(files).map(([path, text]) => ({
    key: "file",
    value: { path, content: Buffer.from(text).toString("base64"), encoding: "base64" },
  }));
  return Buffer.from([...lines, ...stored].map((line) => `${JSON.stringify(line)}\n`).join(""));
}
