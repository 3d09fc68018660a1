/**
 * The server: what the API's routes and the nodes' messages have in common. It owns nothing that must survive but through the
 * journal and the catalog, and it tells nobody what is not durable.
 */
import { setTimeout as delay } from "node:timers/promises";
import { noIsolation, type Isolation } from "../contract/isolation.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { RequestCount, RequestFilter, RequestPage } from "../contract/requests.ts";
import { nameRefusals } from "../catalog/names.ts";
import { pageToken, parsePageToken } from "../catalog/page.ts";
import type { Page } from "../contract/api.ts";
import type { ReceiptKeysView, SignedReceipt } from "../contract/receipts.ts";
import type { EdgeWorkerView, StatusView, TlsStatus } from "../contract/status.ts";
import type { RuntimeFacts } from "../contract/release.ts";
import type { TierName } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { Actor } from "../core/spaces/model.ts";
import type { Code } from "../evidence/codes.ts";
import type { Incidents, Reader } from "./incidents.ts";
import { HandOvers } from "./hand-overs.ts";
import type { XetService } from "../hub/xet/service.ts";
import { signVisit, type Visit } from "../identity/visits.ts";
import type { ReceiptKeys } from "../identity/receipt-key.ts";
import type { Sessions } from "../identity/sessions.ts";
import type { TokenResolver } from "../identity/token-resolver.ts";
import type { VisitorKeyring } from "../identity/visitor-keys.ts";
import type { Journal } from "../journal/index.ts";
import type { FollowQuery, RequestsFollowed } from "../record/request-log.ts";
import type { EvidenceStore } from "../record/store.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { Callers } from "./callers.ts";
import { AccessTokens } from "./access-tokens.ts";
import { Backups, type MakeBackup } from "./backups.ts";
import type { Builds } from "./builds.ts";
import type { Calls } from "./calls.ts";
import { spaceOwner } from "../contract/space.ts";
import type { Commits } from "./commits.ts";
import type { Changes } from "./changes.ts";
import type { ConsoleFiles } from "./console-files.ts";
import type { DocsFiles } from "./docs-files.ts";
import { DeviceSignIn } from "./device-sign-in.ts";
import type { Engine } from "./engine.ts";
import type { Domains } from "./domains.ts";
import { Providers } from "./providers.ts";
import type { ProviderSettings } from "../identity/provider-settings.ts";
import type { Environments } from "./environments.ts";
import { Explaining, type Explained, type Unknown } from "./explaining.ts";
import { Spans, type SpanAsked } from "./spans.ts";
import type { SpanExplanation } from "../evidence/span.ts";
import type { Hardware } from "./hardware.ts";
import type { NodeTokens } from "./node-tokens.ts";
import { tellMetrics } from "./metric-facts.ts";
import type { Nodes } from "./nodes.ts";
import { Hub, type HubParts } from "./hub.ts";
import { Discussions } from "./discussions.ts";
import type { Gates } from "./gates.ts";
import type { HubRepo, HubRepos } from "./hub-repos.ts";
import { PullFiles } from "./pull-files.ts";
import { keyOf, type RepoName } from "../hub/repo-name.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import { whyNoRoom } from "./no-build.ts";
import type { Replicas } from "./replicas.ts";
import type { Organisations } from "./organisations.ts";
import type { Done, Refused, Spaces } from "./spaces.ts";
import type { StandingDesk } from "./standing.ts";
import { tellStatus } from "./status-facts.ts";
import { CallList } from "./call-list.ts";
import { LedgerDesk } from "./ledger-desk.ts";
import { ReceiptLog } from "./receipt-log.ts";
import { Statements } from "./statements.ts";
import { type AppsPayer } from "./quotes.ts";
import type { InsideCaller } from "../contract/egress.ts";
import type { Committed } from "./commits.ts";
import type { RequestEffects } from "./request-effects.ts";
import type { whyNoReach } from "./reach.ts";
import { SignIn } from "./sign-in.ts";
import type { WrongPassword } from "./sign-in.ts";
import { RequestKeys } from "./request-keys.ts";
import type { WebhookDesk } from "./webhooks/desk.ts";
import type { SecretBox } from "../identity/secret-box.ts";

export interface ServerParts {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly catalog: Catalog;
  readonly evidence: EvidenceStore;
  readonly resolver: TokenResolver;
  readonly sessions: Sessions;
  /** Signs what browsers carry to apps' addresses. */
  readonly visitKey: Uint8Array;
  readonly receiptKeys: ReceiptKeys;
  readonly replicas: Replicas;
  readonly nodes: Nodes;
  readonly nodeTokens: NodeTokens;
  readonly calls: Calls;
  readonly builds: Builds;
  readonly commits: Commits;
  readonly repositories: RepositoryStore;
  readonly hubRepos: HubRepos;
  readonly gates: Gates;
  readonly spaces: Spaces;
  readonly organisations: Organisations;
  readonly environments: Environments;
  readonly domains: Domains;
  readonly hardware: Hardware;
  readonly effects: RequestEffects;
  readonly visitorKeys: VisitorKeyring;
  readonly box: SecretBox;
  readonly webhooks: WebhookDesk;
  /** Undefined where a test keeps no large files. */
  readonly xet?: XetService;
  readonly largeFiles?: NonNullable<HubParts["largeFiles"]>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly about: {
    readonly version: string;
    readonly node: string;
    readonly bootMs: () => number;
    readonly url: () => string;
    /** Under which hosts others reach it. */
    readonly hosts: readonly string[];
    /** Under which Spaces have names. */
    readonly appsDomain: string;
    /** As people reach the console. */
    readonly console: () => string;
    readonly tls: () => Promise<TlsStatus | null>;
  };
  readonly changes: Changes;
  /** The console for browsers; undefined where it was not built, and its plain pages are all. */
  readonly consoleFiles?: ConsoleFiles | undefined;
  /** The documentation for browsers; undefined where it was not built. */
  readonly docsFiles?: DocsFiles | undefined;
  /** Where people may sign in; none where it is not said. */
  readonly providers?: readonly ProviderSettings[];
  /** Undefined where a test counts nothing. */
  readonly standing?: Pick<StandingDesk, "allCounts" | "incidents" | "lookSoon" | "view">;
  /** Workers of an edge in processes of its own. */
  edgeWorkers?(): readonly EdgeWorkerView[] | null;
  onAccount(account: { readonly name: string; readonly tier: TierName }): void;
  /** Whose quota an app asks about, by its visitor's token where it has one. */
  payerOfApp(token: string | null, inside: InsideCaller | null): AppsPayer;
  /** Copies the platform into a folder that is not there yet. Rejects with `BackupFailed`. */
  readonly backup: MakeBackup;
  /** Brings what this machine's emitters have written into the evidence store. */
  flushEvidence(): Promise<void>;
  onFailure(what: string, error: unknown): void;
  onWrongPassword(of: WrongPassword): void;
}

/** Shims and agents send their evidence within a quarter of a second; an explanation waits for it at most this long. */
const evidenceArrivesMs = 750;
const lookAgainMs = 150;
export class Server {
  readonly catalog: Catalog;
  readonly tokens: AccessTokens;
  readonly callers: Callers;
  readonly devices: DeviceSignIn;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly providers: Providers;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly spaces: Spaces;
  readonly organisations: Organisations;
  readonly hardware: Hardware;
  readonly builds: Builds;
  readonly commits: Commits;
  readonly hub: Hub;
  readonly gates: Gates;
  readonly discussions: Discussions;
  readonly nodes: Nodes;
  readonly nodeTokens: NodeTokens;
  readonly replicas: Replicas;
  readonly environments: Environments;
  readonly domains: Domains;
  readonly effects: RequestEffects;
  readonly visitorKeys: VisitorKeyring;
  readonly requestKeys: RequestKeys;
  readonly handOvers: HandOvers;
  readonly #parts: ServerParts;
  readonly #explaining: Explaining;
  readonly #spans: Spans;
  readonly calls: CallList;
  readonly ledger: LedgerDesk;
  readonly receipts: ReceiptLog;
  readonly statements: Statements;
  readonly backups: Backups;
  readonly xet: XetService | undefined;
  readonly changes: Changes;
  readonly webhooks: WebhookDesk;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.catalog = parts.catalog;
    this.clock = parts.clock;
    this.random = parts.random;
    this.spaces = parts.spaces;
    this.organisations = parts.organisations;
    this.hardware = parts.hardware;
    this.builds = parts.builds;
    this.commits = parts.commits;
    this.hub = new Hub(parts);
    this.gates = parts.gates;
    const { largeFiles: rows } = parts.catalog;
    const files = new PullFiles({ ...parts, rows, reader: this.hub.reader, xet: parts.xet });
    this.discussions = new Discussions({ ...parts, hub: this.hub, files });
    this.nodes = parts.nodes;
    this.nodeTokens = parts.nodeTokens;
    this.replicas = parts.replicas;
    this.environments = parts.environments;
    this.domains = parts.domains;
    this.effects = parts.effects;
    this.visitorKeys = parts.visitorKeys;
    const { engine, catalog } = parts;
    this.requestKeys = new RequestKeys({ ...parts, rows: catalog.requestKeys, now: () => engine.now() });
    this.handOvers = new HandOvers(parts);
    this.calls = new CallList(parts);
    this.receipts = new ReceiptLog({ ...parts, rows: catalog.receipts, keys: parts.receiptKeys });
    this.ledger = new LedgerDesk(parts);
    this.statements = new Statements({ rows: catalog.receipts, calls: this.calls });
    this.backups = new Backups(parts);
    this.xet = parts.xet;
    this.changes = parts.changes;
    this.webhooks = parts.webhooks;
    this.tokens = new AccessTokens(parts);
    this.callers = new Callers(parts);
    this.devices = new DeviceSignIn({ ...parts, tokens: this.tokens });
    this.sessions = parts.sessions;
    this.signIn = new SignIn(parts);
    this.providers = new Providers({ ...parts, settings: parts.providers ?? [] });
    this.#explaining = new Explaining({
      ...parts,
      call: (id) => this.calls.get(id),
      incident: async (id) => this.incidents?.get(id),
      backup: (id) => this.backups.view(id),
    });
    this.#spans = new Spans({ ...parts, explain: (id) => this.#explaining.explain(id, "short") });
  }

  onFailure(what: string, error: unknown): void {
    this.#parts.onFailure(what, error);
  }

  /** Whether the account itself may do so to the repository, whatever a token of it may. */
  async mayAccount(account: string, right: "read" | "write", repo: RepoName): Promise<boolean> {
    if (this.organisations.may(account, right, { owner: repo.owner, space: keyOf(repo) })) return true;
    return (await this.catalog.accounts.get(account))?.role === "admin";
  }

  /** Whether the account may know of the repository, and what its files are called. */
  async mayKnow(account: string, repo: HubRepo): Promise<boolean> {
    return !repo.private || this.mayAccount(account, "read", repo);
  }

  /** Whether it gets its files. */
  async mayReadFiles(account: string, repo: HubRepo): Promise<boolean> {
    if (!(await this.mayKnow(account, repo))) return false;
    return repo.gated === "no" || this.gates.has(repo, account) || this.mayAccount(account, "write", repo);
  }

  /** The platform is about to stop: what ends with it is no end of its own, and whoever follows it comes back. */
  isLeaving = false;

  /** Of traces that are sent to a collector; set where one is named. */
  spansDropped = (): number => 0;

  /** In Prometheus' text form. */
  async metrics(): Promise<string> {
    return tellMetrics({ ...this.#parts, status: await this.status(), spansDropped: this.spansDropped() });
  }

  /** Undefined where a test detects nothing. */
  get incidents(): Incidents | undefined {
    return this.#parts.standing?.incidents;
  }

  /** Index of the last durable record. */
  get ledgerIndex(): number {
    return this.#parts.engine.durable;
  }

  /** At most `limit` durable records from `from` on. */
  async ledgerRecords(from: number, limit: number): Promise<readonly LedgerRecord[]> {
    return this.changes.records(from, limit) ?? this.#parts.journal.read(from, limit);
  }

  get consoleFiles(): ConsoleFiles | undefined {
    return this.#parts.consoleFiles;
  }

  get docsFiles(): DocsFiles | undefined {
    return this.#parts.docsFiles;
  }

  /** How apps are closed off, as the node measured it. */
  get isolation(): Isolation {
    return this.#parts.nodes.all[0]?.isolation ?? noIsolation("no node is connected");
  }

  async status(reader: Reader = "operator"): Promise<StatusView> {
    return tellStatus({ ...this.#parts, isolation: this.isolation }, reader);
  }

  /** Makes a person's account. */
  async createAccount({ name, tier }: { name: string; tier: TierName }): Promise<Done> {
    const person = { name, tier, role: "user", createdAt: this.clock.wall() } as const;
    const made = await this.catalog.accounts.create(person, { asked: true });
    if (made.ok) this.#parts.onAccount(made.account);
    if (made.ok) return { ok: true };
    if (made.refusal === "account-exists")
      return { ok: false, code: "control/conflict", says: `${name} is there already.` };
    return {
      ok: false,
      code: "control/invalid",
      says: `"${name}" cannot be an account's name. ${nameRefusals[made.refusal]}`,
    };
  }

  /** Ends the Space: nothing of it runs or is found any more. Its record stays: builds, events, calls and receipts. */
  async removeSpace(id: string, actor: Actor): Promise<boolean> {
    return this.commits.inTurn(id, async () => {
      if (!this.spaces.get(id)) return false;
      await this.builds.cancelAll(id, { kind: actor.kind === "operator" ? "operator" : "owner", name: actor.account });
      await this.domains.removeAll(id, actor.account ?? spaceOwner(id));
      await this.spaces.remove(id, actor, async () => {
        this.environments.forget(id);
        await this.hub.repos.removeFolder(id);
      });
      this.hub.cards.forget({ kind: "spaces", id });
      return true;
    });
  }

  /** Starts the app again as it is; with `factory` its last commit is built again, with nothing that an earlier build resolved. */
  async restart(
    space: string,
    { factory, actor }: { factory: boolean; actor: Actor },
  ): Promise<Refused | { ok: true }> {
    if (!factory) {
      const done = await this.spaces.restart(space, actor);
      // It may have lifted a pause.
      if (done.ok) await this.commits.catchUp(space, actor.account ?? spaceOwner(space));
      return done;
    }
    return this.commits.inTurn(space, async () => {
      const view = await this.spaces.view(space);
      const refused = (code: Code, says: string): Refused => ({ ok: false, code, says });
      if (!view) return refused("control/not-found", `There is no Space ${space}.`);
      const { build, sdk } = view;
      if (!build)
        return refused("control/conflict", `There is nothing to build: nothing was ever deployed to ${space}.`);
      const barred = this.spaces.barred(space, actor);
      if (barred) return barred;
      if (sdk === "static") return refused("control/invalid", "A static Space has no packages to build anew.");
      if (build.outcome === null)
        return refused(
          "control/conflict",
          `Build ${build.id} of ${space} is ${build.stage}; restart it when that has ended.`,
        );
      const full = whyNoRoom(this.builds.roomOf(space));
      if (full) return refused(full.code ?? "control/conflict", full.says);
      const commit = (await this.commits.head(space)) ?? build.commit;
      await this.commits.build({ space, commit, account: actor.account ?? "", factory: true });
      return this.spaces.rebuilt(space, actor);
    });
  }

  async listRequests(query: {
    space: string;
    page: string | undefined;
    limit: number;
    filter: RequestFilter;
  }): Promise<RequestPage> {
    await this.#parts.flushEvidence();
    const { page, ...asked } = query;
    const place = page === undefined ? undefined : parsePageToken(page);
    const before = place && { before: iso(instant(place.order)), beforeId: place.id };
    const { items, next, older } = await this.#parts.evidence.listRequests({ ...asked, ...before });
    return { items, older, next: next && pageToken({ order: Date.parse(next.at), id: next.id }) };
  }

  /** How many records the evidence has: as long as it stays, there is nothing to be read that was not there before. */
  evidenceIndex(): number {
    return this.#parts.evidence.index();
  }

  /** What is in the record of a Space's requests after a number, as it came in. */
  followRequests(query: FollowQuery): Promise<RequestsFollowed> {
    return this.#parts.evidence.followRequests(query);
  }

  async countsOfRequests({
    space,
    page,
    limit,
  }: {
    space: string;
    page: string | undefined;
    limit: number;
  }): Promise<Page<RequestCount>> {
    const place = page === undefined ? undefined : parsePageToken(page);
    const skip = place === undefined ? 0 : Number(place.id) || 0;
    const before = place?.order ?? this.clock.wall();
    const items = await this.#parts.evidence.listCounts({ space, before, skip, limit });
    const isLast = items.length < limit;
    return { items, next: isLast ? null : pageToken({ order: before, id: String(skip + limit) }) };
  }

  /** What a release's packages were made for; null where it has none, or there is no release. */
  async runtimeFacts(release: string | null): Promise<RuntimeFacts | null> {
    const row = release === null ? undefined : await this.catalog.releases.get(release);
    return row?.manifest.runtime ?? null;
  }

  /** As if its visitor had left: a waiting call leaves the queue, a running one is marked, and ended where its Space wants that. */
  async cancelCall(id: string): Promise<void> {
    await this.#parts.calls.left(id, this.effects.take() ?? undefined);
    await this.calls.caughtUp();
  }

  get appsDomain(): string {
    return this.#parts.about.appsDomain;
  }

  consoleUrl(): string {
    return this.#parts.about.console();
  }

  signVisit(visit: Visit): string {
    return signVisit(this.#parts.visitKey, visit);
  }

  /** Whether the host is the console's. */
  isConsole(host: string): boolean {
    return this.#parts.about.hosts.includes(host);
  }

  /** What of the outside apps may reach at all. */
  get around(): Parameters<typeof whyNoReach>[1] {
    const { about, nodes } = this.#parts;
    const isOurs = (name: string): boolean => this.isConsole(name) || name.endsWith(`.${about.appsDomain}`);
    return { nodes: nodes.all, isOurs };
  }

  /** Who pays for the calls of the app that asks. */
  payerOfApp(token: string | null, inside: InsideCaller | null): AppsPayer {
    return this.#parts.payerOfApp(token, inside);
  }

  /** The commit of an earlier try of this request, whose answer was lost. */
  async madeCommit(): Promise<Committed | undefined> {
    const made = this.effects.made?.work;
    const row = typeof made === "string" ? await this.catalog.builds.get(made) : undefined;
    return row && { ok: true, commit: row.commit, build: row.id, noBuild: null };
  }

  /** What happened in a span of time, as far as it concerns whoever asks. */
  async explainSpan(asked: SpanAsked): Promise<SpanExplanation> {
    await Promise.all([this.#parts.flushEvidence(), this.calls.caughtUp()]);
    return this.#spans.tell(asked);
  }

  /** What is said of an id that nothing here has. */
  async explainUnknown(id: string): Promise<Unknown> {
    return this.#explaining.unknown(id);
  }

  /** Any id, of which `evidence/id-kinds.ts` has the list, `owner/name`, or a node. */
  async explain(id: string): Promise<Explained | undefined> {
    const until = this.clock.monotonic() + evidenceArrivesMs;
    for (;;) {
      await Promise.all([this.#parts.flushEvidence(), this.calls.caughtUp()]);
      const explained = await this.#explaining.explain(id);
      // What happened a moment ago may still be on its way from a shim's spool: a verdict that it could sharpen waits for it.
      const certainty = explained?.explanation.verdict?.certainty;
      const isSettled = explained ? certainty !== "unknown" && certainty !== "likely" : !isFirstTold(id);
      if (isSettled || this.clock.monotonic() >= until) return explained;
      await delay(lookAgainMs);
    }
  }

  /** `since`: leaves of the log that the caller has seen; the proof that it only grew is told with it. */
  async receipt(id: string, since?: number): Promise<SignedReceipt | undefined> {
    await this.calls.caughtUp();
    return this.receipts.get(id, since);
  }

  async receiptKeys(): Promise<ReceiptKeysView> {
    const { receiptKeys: keys } = this.#parts;
    return { origin: keys.origin, keys: await keys.published() };
  }
}

/** Whether the first word of a work comes by evidence, and so a moment late: all others are in a database before they have an id. */
function isFirstTold(id: string): boolean {
  return ["q_", "p_", "x_"].some((prefix) => id.startsWith(prefix));
}
