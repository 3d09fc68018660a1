/**
 * A typed client of the platform's HTTP API: a method a route, streams as async iterators, refusals as `ApiError`. What changes something
 * is sent with an `Idempotency-Key`, so that it can be sent again where the answer did not arrive.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { BudgetView, GiveAllowance, RevokeAllowance } from "../contract/allowances.ts";
import type {
  BackupJobView,
  BackupRequest,
  BackupView,
  BoardView,
  BuildDetails,
  BuildQueueView,
  BuildView,
  CallView,
  CommitView,
  CreateToken,
  CreatedNodeToken,
  CreatedToken,
  EnvironmentChangeView,
  OwnerSettings,
  Page,
  QueueView,
  QuotaView,
  QuoteRequest,
  QuoteView,
  FunctionView,
  ReleaseView,
  SecretViews,
  SetEntry,
  SetSecret,
  SpaceEventView,
  SpaceView,
  TierView,
  TiersView,
  VariableViews,
  WhoAmI,
} from "../contract/api.ts";
import type { SignedReceipt } from "../contract/receipts.ts";
import { AccessClient } from "./access.ts";
import { DomainsClient } from "./domains.ts";
import { ReceiptsClient } from "./receipts.ts";
import type { HubJobRequest, HubJobView, SetStorage, StorageUsages } from "../contract/hub-storage.ts";
import type { HubRuntime, CreatedRepo } from "../contract/hub.ts";
import type {
  AccountView,
  AuditEntryView,
  AuditFilter,
  CreateAccount,
  IdentityView,
  MemberRole,
  MemberView,
  SessionView,
  SetPassword,
  TokenView,
  VisitorKeysView,
} from "../contract/identity.ts";
import type { PoolsView, RouteRequest, RouteView, RuleView, PoolView } from "../contract/pools.ts";
import type { RequestCount, RequestFilter, RequestLine, RequestPage } from "../contract/requests.ts";
import type { StatusView } from "../contract/status.ts";
import type { DrainRequest, NodesView } from "../contract/nodes.ts";
import type { LogLine } from "../contract/agent.ts";
import type { SpanExplanation } from "../evidence/span.ts";
import type { Explanation } from "../evidence/verdict.ts";
import type { Asking, BudgetChange, Cards, Drainable, LogOptions, PoolChange, Routable, TierChange } from "./asked.ts";
import { IncidentsClient } from "./incidents.ts";
import { ApiError, WaitOver } from "./errors.ts";
import { cardsPath, drainPath, pathOf, routePath } from "./paths.ts";
import { followRequests, queryOfFilter, type FollowRequests } from "./requests.ts";
import { TrialsClient } from "./trials.ts";
import { WebhooksClient } from "./webhooks.ts";
import { answerWithinMs, freshKey, queryOf, queryOfLog, Transport, type ClientOptions } from "./transport.ts";

export type { Asking, BudgetChange, Cards, Drainable, LogOptions, PoolChange, Routable, TierChange } from "./asked.ts";

export interface BackingUp extends Asking {
  readonly onProgress?: (job: BackupJobView) => void;
}

/** A commit carries a whole folder, perhaps over a slow line. */
const commitWithinMs = 300_000;
/** What the server waits for workers that say nothing, three times, and as long as for any other answer. */
const rotatedWithinMs = 120_000;
/** A backup may take hours; one of which nothing new was heard for so long (one file's sync on a slow disk) hangs. */
const backupStallsAfterMs = 600_000;
const backupLookEveryMs = 1_000;

export class WaybillClient {
  readonly url: string;
  readonly access: AccessClient;
  readonly domains: DomainsClient;
  readonly incidents: IncidentsClient;
  /** Lists of receipts, statements, and their log; one alone: {@link receipt}. */
  readonly receipts: ReceiptsClient;
  readonly trials: TrialsClient;
  readonly webhooks: WebhooksClient;
  readonly #http: Transport;

  constructor(options: ClientOptions) {
    this.#http = new Transport(options);
    this.trials = new TrialsClient(this.#http);
    [this.url, this.receipts] = [this.#http.url, new ReceiptsClient(this.#http)];
    [this.access, this.domains] = [new AccessClient(this.#http), new DomainsClient(this.#http)];
    [this.incidents, this.webhooks] = [new IncidentsClient(this.#http), new WebhooksClient(this.#http)];
  }

  async status(asking: Asking = {}): Promise<StatusView> {
    return await this.#http.get("/api/status", {}, asking);
  }

  async whoami(asking: Asking = {}): Promise<WhoAmI> {
    return await this.#http.get("/api/whoami-v2", {}, asking);
  }

  /** The answer is the only time that the new token is shown. */
  async createToken(body: CreateToken, asking: Asking = {}): Promise<CreatedToken> {
    return await this.#http.send("POST", "/api/tokens", body, asking);
  }

  async tokens({ account, ...asking }: Asking & { account?: string | undefined } = {}): Promise<Page<TokenView>> {
    return await this.#http.get("/api/tokens", { account }, asking);
  }

  /** By which other providers an account signs in. For operators. */
  async identities(account: string, asking: Asking = {}): Promise<Page<IdentityView>> {
    return await this.#http.get(`/api/accounts/${encodeURIComponent(account)}/sign-in`, {}, asking);
  }

  async linkIdentity(
    account: string,
    body: { readonly provider: string; readonly subject: string },
    asking: Asking = {},
  ): Promise<Page<IdentityView>> {
    return await this.#http.send("POST", `/api/accounts/${encodeURIComponent(account)}/sign-in`, body, asking);
  }

  /** `provider`: its name, or the issuer of one that is not configured any more. */
  async unlinkIdentity(account: string, provider: string, asking: Asking = {}): Promise<Page<IdentityView>> {
    return await this.#http.send(
      "DELETE",
      `/api/accounts/${encodeURIComponent(account)}/sign-in`,
      { provider },
      asking,
    );
  }

  /** The one by which it asks, whatever that may do. */
  async revokeOwnToken(asking: Asking = {}): Promise<{ readonly id: string }> {
    return await this.#http.send("DELETE", "/api/tokens/current", {}, asking);
  }

  async revokeToken(id: string, asking: Asking = {}): Promise<void> {
    await this.#http.send("DELETE", `/api/tokens/${pathOf(id)}`, undefined, asking);
  }

  /**
   * Copies the platform into a folder of the server's machine; resolves when all of it is on disk. `onProgress` is told each second
   * how far it is. Rejects with `WaitOver` where nothing moves any more.
   */
  async backup(body: Pick<BackupRequest, "folder">, { onProgress, ...asking }: BackingUp = {}): Promise<BackupView> {
    let job: BackupJobView = await this.#http.send("POST", "/api/backups", { ...body, wait: false }, asking);
    for (let silentMs = 0; job.made === null; silentMs += backupLookEveryMs) {
      if (job.problem !== null) throw new ApiError(job.problem);
      if (silentMs >= backupStallsAfterMs) throw backupStalls(job);
      onProgress?.(job);
      await delay(backupLookEveryMs, undefined, { signal: asking.signal });
      const now: BackupJobView = await this.#http.get(`/api/backups/${encodeURIComponent(job.id)}`, {}, asking);
      if (now.step !== job.step || now.bytes !== job.bytes) silentMs = 0;
      job = now;
    }
    return job.made;
  }

  /** How much each account keeps in its repositories, and how much it may. For operators. */
  async storageUsage(asking: Asking = {}): Promise<StorageUsages> {
    return await this.#http.get("/api/hub/usage", {}, asking);
  }

  /** Lets an account keep so much; null: what all may. For operators. */
  async setStorage(account: string, body: SetStorage, asking: Asking = {}): Promise<SetStorage> {
    return await this.#http.send("PUT", `/api/accounts/${encodeURIComponent(account)}/storage`, body, asking);
  }

  /** Begins to look at all large files, or to remove those that nobody needs. For operators. */
  async beginHubJob(body: HubJobRequest, asking: Asking = {}): Promise<HubJobView> {
    return await this.#http.send("POST", "/api/hub/jobs", body, asking);
  }

  async hubJob(id: string, asking: Asking = {}): Promise<HubJobView> {
    return await this.#http.get(`/api/hub/jobs/${encodeURIComponent(id)}`, {}, asking);
  }

  /** Who changed what, newest first: all of it for operators, else what the caller changed and what is its own. */
  async audit({ signal, ...filter }: Asking & AuditFilter = {}): Promise<Page<AuditEntryView>> {
    return await this.#http.get("/api/audit", filter, { signal });
  }

  /** Makes an account, or an organisation with its first administrator. For operators. */
  async createAccount(body: CreateAccount, asking: Asking = {}): Promise<AccountView> {
    return await this.#http.send("POST", "/api/accounts", body, asking);
  }

  async accounts({ page, ...asking }: Asking & { page?: string | undefined } = {}): Promise<Page<AccountView>> {
    return await this.#http.get("/api/accounts", { page }, asking);
  }

  /** Of the caller's own account where none is named. */
  async sessions({ account, ...asking }: Asking & { account?: string | undefined } = {}): Promise<Page<SessionView>> {
    return await this.#http.get("/api/sessions", { account }, asking);
  }

  async endSession(id: string, { account, ...asking }: Asking & { account?: string | undefined } = {}): Promise<void> {
    await this.#http.send("DELETE", `/api/sessions/${pathOf(id)}${queryOf({ account })}`, undefined, asking);
  }

  async setPassword(account: string, body: SetPassword, asking: Asking = {}): Promise<void> {
    await this.#http.send("PUT", `/api/accounts/${pathOf(account)}/password`, body, asking);
  }

  async members(organisation: string, asking: Asking = {}): Promise<readonly MemberView[]> {
    return await this.#http.get(`/api/organizations/${pathOf(organisation)}/members`, {}, asking);
  }

  async addMember(
    organisation: string,
    member: { readonly account: string; readonly role: MemberRole },
    asking: Asking = {},
  ): Promise<readonly MemberView[]> {
    return await this.#http.send("POST", `/api/organizations/${pathOf(organisation)}/members`, member, asking);
  }

  async changeMember(
    organisation: string,
    { account, role }: { readonly account: string; readonly role: MemberRole },
    asking: Asking = {},
  ): Promise<readonly MemberView[]> {
    return await this.#http.send(
      "PATCH",
      `/api/organizations/${pathOf(organisation)}/members/${pathOf(account)}`,
      { role },
      asking,
    );
  }

  async removeMember(organisation: string, account: string, asking: Asking = {}): Promise<readonly MemberView[]> {
    return await this.#http.send(
      "DELETE",
      `/api/organizations/${pathOf(organisation)}/members/${pathOf(account)}`,
      undefined,
      asking,
    );
  }

  /** Makes the token by which an agent joins as this node; the one before it holds no longer. */
  async createNodeToken(node: string, asking: Asking = {}): Promise<CreatedNodeToken> {
    return await this.#http.send("POST", `/api/nodes/${encodeURIComponent(node)}/token`, {}, asking);
  }

  async spaces({ page, ...asking }: Asking & { page?: string | undefined } = {}): Promise<Page<SpaceView>> {
    return await this.#http.get("/api/spaces", { form: "views", page }, asking);
  }

  /** `space` is `owner/name`, here and below. */
  async space(space: string, asking: Asking = {}): Promise<SpaceView> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}`, {}, asking);
  }

  /** Makes a Space without content; a problem with the status 409 where it is there. */
  async createSpace(space: string, wish: { readonly private: boolean }, asking: Asking = {}): Promise<CreatedRepo> {
    const [organization, name] = space.split("/");
    return await this.#http.send("POST", "/api/repos/create", { organization, name, type: "space", ...wish }, asking);
  }

  /** Settings by name; what is not named stays. The server says what is wrong with a name or a value. */
  async changeSpace(
    space: string,
    change: Readonly<Record<string, string>>,
    asking: Asking = {},
  ): Promise<OwnerSettings> {
    return await this.#http.send("PATCH", `/api/spaces/${pathOf(space)}/settings`, change, asking);
  }

  /** Starts the app again; with `factory` its last commit is built again from nothing. */
  async restart(
    space: string,
    { factory = false, ...asking }: Asking & { factory?: boolean } = {},
  ): Promise<HubRuntime> {
    const query = queryOf({ factory: factory ? "true" : undefined });
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/restart${query}`, {}, asking);
  }

  /** Nothing of it runs until somebody who may resumes it; `reason` is shown with its state. `by`: for operators, the rule that wants it. */
  async pause(
    space: string,
    { reason, by, ...asking }: Asking & { reason?: string | undefined; by?: string | undefined } = {},
  ): Promise<HubRuntime> {
    const body = { ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) };
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/pause`, body, asking);
  }

  /** Lifts a pause, and starts what is stopped or asleep. */
  async resume(space: string, asking: Asking = {}): Promise<HubRuntime> {
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/resume`, {}, asking);
  }

  /** Ends its replicas; no request starts it, and a restart or a new release does. */
  async stop(space: string, asking: Asking = {}): Promise<HubRuntime> {
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/stop`, {}, asking);
  }

  /** Runs a release again without building it; the one before the one that runs where none is named. */
  async rollBack(
    space: string,
    { release, ...asking }: Asking & { release?: string | undefined } = {},
  ): Promise<HubRuntime> {
    const body = release === undefined ? {} : { release };
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/rollback`, body, asking);
  }

  /** Newest first. */
  async releases(
    space: string,
    { page, ...asking }: Asking & { page?: string | undefined } = {},
  ): Promise<Page<ReleaseView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/releases`, { page }, asking);
  }

  /** What happened to it, newest first. */
  async spaceEvents(
    space: string,
    { page, ...asking }: Asking & { page?: string | undefined } = {},
  ): Promise<Page<SpaceEventView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/events`, { page }, asking);
  }

  async runtime(space: string, asking: Asking = {}): Promise<HubRuntime> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/runtime`, {}, asking);
  }

  /** Commits NDJSON in the Hub's form to `main`; creates the Space if it is absent. */
  async commit(space: string, ndjson: Uint8Array, asking: Asking = {}): Promise<CommitView> {
    const headers = { "content-type": "application/x-ndjson", ...freshKey() };
    const init = { method: "POST", body: ndjson, headers };
    return (await this.#http.ask(
      `/api/spaces/${pathOf(space)}/commit/main`,
      init,
      asking,
      commitWithinMs,
    )) as CommitView;
  }

  async requests(
    space: string,
    { page, filter, ...asking }: Asking & { page?: string | undefined; filter?: RequestFilter | undefined } = {},
  ): Promise<RequestPage> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/requests`, { ...queryOfFilter(filter), page }, asking);
  }

  /**
   * Its requests as they end, on from now, from `filter.since`, or from after the number `after`. A stream that breaks is opened again
   * where it was, as often as each attempt gets anywhere.
   */
  followRequests(space: string, asked: FollowRequests = {}): AsyncGenerator<RequestLine> {
    return followRequests(asked, (query) =>
      this.#http.opened<RequestLine>(`/api/spaces/${pathOf(space)}/requests${queryOf(query)}`, asked.signal),
    );
  }

  /** What is counted of requests that are no longer in the record one by one. */
  async requestCounts(
    space: string,
    { page, ...asking }: Asking & { page?: string | undefined } = {},
  ): Promise<Page<RequestCount>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/requests/counts`, { page }, asking);
  }

  logs(space: string, options: LogOptions = {}): AsyncIterable<LogLine> {
    return this.#http.lines(`/api/spaces/${pathOf(space)}/logs`, options);
  }

  async variables(space: string, asking: Asking = {}): Promise<VariableViews> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/variables`, {}, asking);
  }

  /** Sets it for builds and replicas; an app that runs is started again with it. Gives all of them. */
  async setVariable(space: string, entry: SetEntry, asking: Asking = {}): Promise<VariableViews> {
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/variables`, entry, asking);
  }

  async unsetVariable(space: string, key: string, asking: Asking = {}): Promise<VariableViews> {
    return await this.#http.send("DELETE", `/api/spaces/${pathOf(space)}/variables`, { key }, asking);
  }

  /** Their names; the values are for the app alone. */
  async secrets(space: string, asking: Asking = {}): Promise<SecretViews> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/secrets`, {}, asking);
  }

  /** Sets it for replicas; an app that runs is started again with it. */
  async setSecret(space: string, entry: SetEntry, asking: Asking = {}): Promise<SetSecret> {
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/secrets`, entry, asking);
  }

  async unsetSecret(space: string, key: string, asking: Asking = {}): Promise<SecretViews> {
    return await this.#http.send("DELETE", `/api/spaces/${pathOf(space)}/secrets`, { key }, asking);
  }

  /** Who changed which variable or secret when, newest first. */
  async environmentChanges(space: string, asking: Asking = {}): Promise<Page<EnvironmentChangeView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/environment/changes`, {}, asking);
  }

  async builds(
    space: string,
    { page, ...asking }: Asking & { page?: string | undefined } = {},
  ): Promise<Page<BuildView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/builds`, { page }, asking);
  }

  /** Who waits to be built, the next one first, and who is. For operators. */
  async buildQueue(asking: Asking = {}): Promise<BuildQueueView> {
    return await this.#http.get("/api/builds", {}, asking);
  }

  async cancelBuild(id: string, asking: Asking = {}): Promise<BuildView> {
    return await this.#http.send("POST", `/api/builds/${encodeURIComponent(id)}/cancel`, {}, asking);
  }

  /** The new build of the same commit. */
  async retryBuild(id: string, asking: Asking = {}): Promise<BuildView> {
    return await this.#http.send("POST", `/api/builds/${encodeURIComponent(id)}/retry`, {}, asking);
  }

  /** A higher one goes first; 0 is what all have. For operators. */
  async prioritizeBuild(id: string, priority: number, asking: Asking = {}): Promise<BuildView> {
    return await this.#http.send("PATCH", `/api/builds/${encodeURIComponent(id)}`, { priority }, asking);
  }

  async build(id: string, asking: Asking = {}): Promise<BuildDetails> {
    return await this.#http.get(`/api/builds/${encodeURIComponent(id)}`, {}, asking);
  }

  /** With `follow`, ends when the build has ended. */
  buildLog(id: string, options: LogOptions = {}): AsyncIterable<LogLine> {
    return this.#http.lines(`/api/builds/${encodeURIComponent(id)}/log`, options);
  }

  /** With `space` those of the Space: everybody's for who may write to it, one's own for others. */
  async calls({
    account,
    space,
    page,
    ...asking
  }: Asking & { account?: string | undefined; space?: string | undefined; page?: string | undefined } = {}): Promise<
    Page<CallView>
  > {
    return await this.#http.get("/api/calls", { account, space, page }, asking);
  }

  async call(id: string, asking: Asking = {}): Promise<CallView> {
    return await this.#http.get(`/api/calls/${encodeURIComponent(id)}`, {}, asking);
  }

  /** As if its visitor had left. */
  async cancelCall(id: string, asking: Asking = {}): Promise<CallView> {
    return await this.#http.send("POST", `/api/calls/${encodeURIComponent(id)}/cancel`, {}, asking);
  }

  async quota({ account, ...asking }: Asking & { account?: string | undefined } = {}): Promise<QuotaView> {
    return await this.#http.get("/api/quota", { account }, asking);
  }

  async gpuQueue({ pool, ...asking }: Asking & { pool?: string | undefined } = {}): Promise<QueueView> {
    return await this.#http.get("/api/gpu/queue", { pool }, asking);
  }

  async gpuBoard(asking: Asking = {}): Promise<BoardView> {
    return await this.#http.get("/api/gpu/board", {}, asking);
  }

  async pool(name: string, asking: Asking = {}): Promise<PoolView> {
    return await this.#http.get(`/api/pools/${encodeURIComponent(name)}`, {}, asking);
  }

  async pools(asking: Asking = {}): Promise<PoolsView> {
    return await this.#http.get("/api/pools", {}, asking);
  }

  /** Makes a pool, or changes one that is there. Needs an administrator's token, as all changes of pools. */
  async makePool(name: string, settings: PoolChange, asking: Asking = {}): Promise<PoolView> {
    return await this.#http.send("PUT", `/api/pools/${encodeURIComponent(name)}`, settings, asking);
  }

  /** Puts a card, or all of a node that are put nowhere themselves, into a pool; null takes that back. */
  async givePool(of: Cards, pool: string | null, asking: Asking = {}): Promise<NodesView> {
    const path = cardsPath(of, "pool");
    if (pool === null) return await this.#http.send("DELETE", path, undefined, asking);
    return await this.#http.send("PUT", path, { pool }, asking);
  }

  /** By which pools calls of a Space, or of an account, are served. */
  async route(of: Routable, asking: Asking = {}): Promise<RouteView> {
    return await this.#http.get(routePath(of), {}, asking);
  }

  /** All rules that are set. Needs an administrator's token. */
  async rules({ page, ...asking }: Asking & { page?: string | undefined } = {}): Promise<Page<RuleView>> {
    return await this.#http.get("/api/rules", { page }, asking);
  }

  /** Null takes the rule back. */
  async changeRoute(of: Routable, route: RouteRequest | null, asking: Asking = {}): Promise<RouteView> {
    if (route === null) return await this.#http.send("DELETE", routePath(of), undefined, asking);
    return await this.#http.send("PUT", routePath(of), route, asking);
  }

  async changePool(name: string, change: PoolChange, asking: Asking = {}): Promise<PoolView> {
    return await this.#http.send("PATCH", `/api/pools/${encodeURIComponent(name)}`, change, asking);
  }

  async nodes(asking: Asking = {}): Promise<NodesView> {
    return await this.#http.get("/api/nodes", {}, asking);
  }

  /** Has a node's cards looked at now, and forgotten what they told once. */
  async checkCards(node: string, asking: Asking = {}): Promise<{ readonly node: string }> {
    return await this.#http.send("POST", `/api/nodes/${encodeURIComponent(node)}/check`, {}, asking);
  }

  /** Takes a pool, a node or a card out of use. */
  async drain(of: Drainable, drain: DrainRequest, asking: Asking = {}): Promise<NodesView> {
    return await this.#http.send("PUT", drainPath(of), drain, asking);
  }

  async undrain(of: Drainable, asking: Asking = {}): Promise<NodesView> {
    return await this.#http.send("DELETE", drainPath(of), undefined, asking);
  }

  /** The Space's GPU functions that were called since the platform started. */
  async functions(space: string, asking: Asking = {}): Promise<Page<FunctionView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/functions`, {}, asking);
  }

  /** What a call of the caller's would meet now; nothing is held by it. */
  async quote(request: QuoteRequest, asking: Asking = {}): Promise<QuoteView> {
    const init = { method: "POST", body: JSON.stringify(request), headers: { "content-type": "application/json" } };
    return (await this.#http.ask("/api/gpu/quote", init, asking, answerWithinMs)) as QuoteView;
  }

  /** For operators: more for an account's window, credits, or one of its policies lifted; its quota then. */
  async allow(wish: GiveAllowance, asking: Asking = {}): Promise<QuotaView> {
    return await this.#http.send("POST", "/api/quota/allowances", wish, asking);
  }

  /** For operators: takes an allowance back; its account's quota then. */
  async revoke(id: string, wish: RevokeAllowance & { account: string }, asking: Asking = {}): Promise<QuotaView> {
    return await this.#http.send("POST", `/api/quota/allowances/${encodeURIComponent(id)}/revoke`, wish, asking);
  }

  /** What a Space's owner pays for its visitors. */
  async budget(space: string, asking: Asking = {}): Promise<BudgetView> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/budget`, {}, asking);
  }

  async changeBudget(space: string, change: BudgetChange, asking: Asking = {}): Promise<BudgetView> {
    return await this.#http.send("PUT", `/api/spaces/${pathOf(space)}/budget`, change, asking);
  }

  async tiers(asking: Asking = {}): Promise<TiersView> {
    return await this.#http.get("/api/tiers", {}, asking);
  }

  /** Of visitors' tokens. Needs an administrator's token, here and below. */
  async visitorKeys(asking: Asking = {}): Promise<VisitorKeysView> {
    return await this.#http.get("/api/keys/visitors", {}, asking);
  }

  /** `dropFormer`: what the keys before have signed is refused from the answer on. A worker that says nothing is waited for up to 90 s. */
  async rotateVisitorKeys(wish: { dropFormer?: boolean } = {}, asking: Asking = {}): Promise<VisitorKeysView> {
    return await this.#http.send("POST", "/api/keys/visitors/rotate", wish, asking, rotatedWithinMs);
  }

  async changeTier(name: string, change: TierChange, asking: Asking = {}): Promise<TierView> {
    return await this.#http.send("PATCH", `/api/tiers/${encodeURIComponent(name)}`, change, asking);
  }

  /** Any id, or `owner/name`. */
  async explain(id: string, asking: Asking = {}): Promise<Explanation> {
    return await this.#http.get(`/api/explain/${pathOf(id)}`, {}, asking);
  }

  /** What happened in `[from, to)`, RFC 3339; of one Space where that is named. `to`: now. */
  async explainSpan(
    asked: { readonly from: string; readonly to?: string; readonly space?: string; readonly page?: string },
    asking: Asking = {},
  ): Promise<SpanExplanation> {
    return await this.#http.get(`/api/explain${queryOf(asked)}`, {}, asking);
  }

  /** By the receipt's id or its call's. `since`: leaves of the log that were seen before, which it is proved to extend. */
  async receipt(id: string, { since, ...asking }: Asking & { readonly since?: number } = {}): Promise<SignedReceipt> {
    return await this.#http.get(`/api/receipts/${encodeURIComponent(id)}`, { since: since?.toString() }, asking);
  }

  /** A Space's log, or with its id a build's, as a text to keep. */
  async *logText(id: string, options: LogOptions = {}): AsyncGenerator<string> {
    const path = id.includes("/") ? `/api/spaces/${pathOf(id)}/logs` : `/api/builds/${encodeURIComponent(id)}/log`;
    const response = await this.#http.open(path + queryOfLog(options, "1"), options.signal);
    try {
      yield* response.body?.pipeThrough(new TextDecoderStream() as never) as unknown as AsyncIterable<string>;
    } catch (error) {
      throw this.#http.unanswered(error, options.signal, "closed the stream before its end");
    }
  }
}

function backupStalls({ folder, step, bytes }: BackupJobView): WaitOver {
  return new WaitOver(
    `The backup in ${folder} has not moved for ${backupStallsAfterMs / 60_000} minutes, at ${step}, after ${bytes} bytes.`,
    { next: "Look at the disks of the server's machine; it is whole when backup.json is in it." },
  );
}
