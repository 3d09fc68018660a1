/**
 * The whole platform in one process, built in one readable place and closed in reverse: journal, catalog, evidence store, server,
 * edge, and an agent at the other end of a link that carries the same encoded frames as a network would.
 */
import { mkdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { AccountRow } from "../catalog/accounts.ts";
import { Catalog } from "../catalog/catalog.ts";
import { requireWritable } from "../cli/folder.ts";
import type { ToAgent } from "../contract/agent.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { createApi } from "../control/app.ts";
import { Addressing } from "../control/addressing.ts";
import { Builds } from "../control/builds.ts";
import { Calls } from "../control/calls.ts";
import { Changes } from "../control/changes.ts";
import { Commits } from "../control/commits.ts";
import { Engine } from "../control/engine.ts";
import { Domains, sweepEveryMs } from "../control/domains.ts";
import { Environments } from "../control/environments.ts";
import { Fitting } from "../control/fitting.ts";
import { Hardware } from "../control/hardware.ts";
import { NodeTokens } from "../control/node-tokens.ts";
import { Nodes } from "../control/nodes.ts";
import { Organisations } from "../control/organisations.ts";
import { Gates } from "../control/gates.ts";
import { HubRepos } from "../control/hub-repos.ts";
import { openHubFaces } from "./hub-faces.ts";
import { openLargeFiles } from "./large-files.ts";
import { PushDesk } from "../control/push-desk.ts";
import { isLiving, Replicas } from "../control/replicas.ts";
import { Server } from "../control/server.ts";
import { Retention } from "../control/retention.ts";
import { RequestEffects } from "../control/request-effects.ts";
import { SpacePorts } from "../control/space-ports.ts";
import { Spaces } from "../control/spaces.ts";
import type { StandingDesk } from "../control/standing.ts";
import { openCallsOn } from "../core/views.ts";
import { ListenError, openEdge, type Edge, type EdgeOptions } from "../edge/index.ts";
import { repoKinds } from "../hub/repo-name.ts";
import { visitorOf } from "../http/visitor.ts";
import { loadOwnSecret } from "../identity/own-secret.ts";
import { Sessions } from "../identity/sessions.ts";
import { TokenResolver } from "../identity/token-resolver.ts";
import { openSecretBox } from "../identity/secret-box.ts";
import { ReceiptKeys } from "../identity/receipt-key.ts";
import { VisitorKeyring } from "../identity/visitor-keys.ts";
import { Links } from "../link/accept.ts";
import { memoryLink } from "../link/memory.ts";
import { folderDigest } from "../link/terms.ts";
import { drain, openShipper } from "../record/ship.ts";
import { openSpool } from "../record/spool.ts";
import { checkEvidenceFormat } from "../record/evidence-format.ts";
import { openEvidenceStore } from "../record/store.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { durationMs } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import type { PlatformConfig } from "./config.ts";
import { openEdgeApart } from "./edge-apart.ts";
import type { EdgeDesk } from "./edge-desk.ts";
import { makeBackup } from "./backup.ts";
import { openAppSignIn } from "./app-sign-in.ts";
import { adminAccount, bootToken } from "./boot-token.ts";
import { readConsole, readDocs } from "./console-files.ts";
import { domainResolver } from "./dns.ts";
import { openEdgeTls, type EdgeTls } from "./edge-tls.ts";
import { folderIdOf, serveLink, type LinkDoor } from "./links.ts";
import { ownNode, poolName, startNode } from "./node.ts";
import { dataFiles, openJournal } from "./open-journal.ts";
import { consoleHosts, edgeNetwork, insideSocket, ownHost, ownEdge, platformUrlFor } from "./own-edge.ts";
import { RemoteNodes } from "./remote-nodes.ts";
import { payerOfApp, visitorIdentity, verifyVisitor } from "./visitors.ts";
import { sealingKeys } from "./sealing-keys.ts";
import { openStanding, tellStanding } from "./standing.ts";
import { openWebhooks } from "./webhooks.ts";
import { spaceOwner } from "../contract/space.ts";

export interface World {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: PlatformLog;
}

/** pino's shape. */
export interface PlatformLog {
  info(facts: object, says: string): void;
  warn(facts: object, says: string): void;
  error(facts: object, says: string): void;
}

export interface About {
  readonly version: string;
  readonly startedAt: number;
  /** Ends a start that stands by. */
  readonly signal: AbortSignal;
}

export interface Platform extends AsyncDisposable {
  readonly url: string;
  /** An administrator's token, good until the next start. */
  readonly token: string;
  readonly bootMs: number;
  readonly addressing: Addressing;
  readonly server: Server;
  /** Resolves with the reason when the platform can't go on. */
  readonly broken: Promise<Error>;
}

/** Evidence is on its way to the store so often; a reader that cannot wait asks for it at once. */
const shipEveryMs = 250;
/** Waiting calls hear of a change so often. */
const retellEveryMs = 1_000;
/** It is looked so often whether visitors' tokens are to have another key. */
const keysLookedAtEveryMs = 30_000;
/** Slots that wait for an old worker's end are looked at so often. */
const clearEveryMs = 5_000;
/** Ports tried after the default one; and how often a server that takes over tries its own. */
const nextPorts = 50;
const leavesPortEveryMs = 200;

export async function startPlatform(config: PlatformConfig, world: World, about: About): Promise<Platform> {
  const { clock, random, log } = world;
  await using stack = new AsyncDisposableStack();
  const broken = Promise.withResolvers<Error>();
  const watch: { standing?: StandingDesk } = {};
  const onFatal = (error: Error): void => {
    // Its own record may still be written where the journal is not; where neither is, the log has it.
    void watch.standing?.cannotWrite(error.message).catch((failed: unknown) => onFailure("an incident", failed));
    log.error({ error: error.stack }, "the platform cannot go on");
    broken.resolve(error);
  };
  const onFailure = (what: string, error: unknown): void =>
    log.error({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, what);

  // A data folder that the operator made may be open to others; what holds code, keys or visitors' requests is not.
  const folders = ["", "blobs", "builds", "git", "node", "repositories", "spool"];
  requireWritable(config.data, new Set([...folders, ...dataFiles]));
  for (const name of folders) await mkdir(join(config.data, name), { recursive: true, mode: 0o700 });
  // Before anything is written: a version that cannot read all of the folder leaves it to the one that can.
  checkEvidenceFormat(join(config.data, "evidence.db"));
  if (config.standBy) log.info({}, "standing by while another server writes the journal");
  const standBy = config.standBy ? about.signal : undefined;
  const journal = stack.use(await openJournal(config, { onFatal, standBy }));
  const effects = new RequestEffects();
  const catalog = await Catalog.open(journal.sql, clock, effects);
  const engine = stack.use(await Engine.open({ journal, clock, onFatal, log }));
  const evidence = stack.use(await openEvidenceStore({ path: join(config.data, "evidence.db"), clock, random }));

  const spoolFolder = join(config.data, "spool");
  const spool = async (name: string, folder = spoolFolder, onBroken?: (error: Error) => void) =>
    openSpool({
      folder,
      name,
      clock,
      random,
      onFailure: (error) => onFailure(`the spool of ${name}`, error),
      ...(onBroken && { onBroken }),
    });
  // What these two answer has to be on the disk: as the journal's, theirs ends the platform (L27). A node's emitters go on.
  const serverSpool = stack.use(await spool("server", spoolFolder, onFatal));
  const edgeSpool = stack.use(await spool("edge", spoolFolder, onFatal));
  const untold = [serverSpool, edgeSpool];
  let shippedAt: number | null = null;
  const shipping = serial(async () => {
    const begunAt = clock.wall();
    await drain(openedShipper, (batch) => evidence.ingest(batch));
    // What these emitters wrote before this start is all there now: what it left open ended with their process.
    for (const { name, epoch } of untold) await evidence.ingest({ emitter: name, epoch, records: [] });
    untold.length = 0;
    shippedAt = begunAt;
  });
  const openedShipper = openShipper({ folder: spoolFolder });

  const [visitorKeys, receiptKeys, visitKey] = await Promise.all([
    VisitorKeyring.open({
      ...{ settings: catalog.settings, random, clock, everyMs: config.keysEveryMs },
      // An edge in this process goes by the same keys.
      publish: async () => (await apart?.keysChanged()) ?? [],
    }),
    ReceiptKeys.open(catalog.settings, `waybill/${newId("log", random)}`),
    loadOwnSecret(catalog.settings, "visits", random),
  ]);
  const resolver = new TokenResolver({
    directory: catalog.tokens,
    clock,
    onTouchFailed: (error) => onFailure("a token's last use", error),
  });
  const sessions = new Sessions({
    ...{ directory: catalog.sessions, clock, random },
    onTouchFailed: (error) => onFailure("a session's last use", error),
  });
  const folderId = await folderIdOf(config.data, random);
  const large = await openLargeFiles(stack, {
    ...{ config, catalog, folderId, clock, random, onFailure },
    repos: () => repoKinds.flatMap((kind) => hubRepos.list(kind)),
  });
  const { repositories } = large;
  await repositories.recover();
  const hubRepos = new HubRepos({
    ...{ catalog, repositories, clock, random },
    spaces: { get: (id) => spaces.get(id), ids: () => spaces.ids() },
  });
  const gates = new Gates({ catalog, clock, random, find: (repo) => hubRepos.find(repo) });
  hubRepos.onRemoved((repository, stored) => {
    large.lfs.forget(repository);
    gates.forget(stored);
  });
  await hubRepos.recover();
  await gates.recover();

  const replicas = new Replicas();
  const fitting = new Fitting(catalog.releases);
  // Opened when everything behind it is there; asked for by parts that are built before.
  const opened: { edge?: Pick<EdgeDesk, "port" | "busy" | "addAddress" | "addPort" | "tell">; tls?: EdgeTls } = {};
  const port = (): number => opened.edge?.port ?? config.listen.port;
  const url = (): string => `http://${ownHost(config.network)}:${port()}`;
  const { network } = config;
  const addressing = new Addressing({
    appsDomain: network.appsDomain,
    consoleHost: network.consoleHost,
    scheme: network.visited?.scheme ?? (config.tls === null ? "http" : "https"),
    publicPort: network.visited?.port ?? null,
    isOpen: network.isOpen,
    isByPorts: network.ports !== null,
    listenPort: port,
  });
  const spacePorts =
    network.ports &&
    new SpacePorts({
      range: network.ports,
      consolePort: port,
      taken: () => catalog.spaces.ports(),
      keep: (id, own) => catalog.spaces.givePort(id, own),
      listen: async (own, mark, isNew) => {
        const added = await opened.edge?.addPort(own, mark, isNew);
        return added && !added.ok ? added.says : undefined;
      },
      secret: await loadOwnSecret(catalog.settings, "cookies", random),
      onSkipped: (own, says) => log.warn({ port: own }, `port ${own} is given to no Space: ${says}`),
    });
  const tiers = new Map((await catalog.accounts.list()).map(({ name, tier }) => [name, tier]));

  let apart: EdgeDesk | undefined;
  const onAccount = ({ name, tier }: Pick<AccountRow, "name" | "tier">): void => {
    tiers.set(name, tier);
    apart?.tier(name, tier);
  };

  const nodes: Nodes = new Nodes({
    engine,
    replicas,
    serverEpoch: edgeSpool.epoch,
    calls: () => calls,
    onNode: async ({ node, sdks, epoch, buildsAtOnce }) => {
      await calls.tellAll(node);
      await spaces.onNode(node);
      await builds.onBuilder({ name: node, sdks, epoch, parallel: buildsAtOnce });
    },
    onReplica: async (status) => {
      apart?.soon();
      await builds.onReplica(status);
      await spaces.onReplica(status);
    },
    onHeartbeat: (node, held) => builds.onHeartbeat(node, held),
    onAway: (node) => builds.onBuilderAway(node),
    onBuild: (node, message) => builds.onMessage(node, message),
    onReleases: (node, releases) => retention.onReleases(node, releases),
    onSpaces: (node, told) => spaces.onKept(node, told),
    wasDeleted: (space, at) => catalog.spaces.wasDeleted(space, at),
    ingest: (batch, node) => evidence.ingest(batch, node),
    release: (id) => catalog.releases.get(id),
    builder: (build, fence) => builds.holder(build, fence),
    count: (refused) => evidence.count(refused),
    onFailure,
  });
  const calls: Calls = new Calls({
    engine,
    emitter: serverSpool,
    clock,
    replica: (id) => {
      const known = replicas.get(id);
      if (!known || !isLiving(known.status)) return undefined;
      const { space, release, functions = {} } = known.status;
      return { space, release, owner: spaceOwner(space), node: known.node, pool: known.pool, functions };
    },
    verifyToken: (token, space) => verifyVisitor(token, { keys: visitorKeys.all, space, now: clock.wall() }),
    misfit: (release, node) => fitting.misfit(release, nodes.cards(node)),
    onLeave: (space) => spaces.get(space)?.settings["on-leave"] ?? "finish",
    ownerTier: (owner) => tiers.get(owner) ?? "free",
    send: (node, message) => void nodes.send(node, message),
    told: (request, told) => opened.edge?.tell(request, told),
    device: (slot) => nodes.device(slot),
    onFailure,
  });
  const startMs = (release: { manifest: { startupTimeoutMs?: number } }) =>
    durationMs(release.manifest.startupTimeoutMs || config.startMs);
  const changes = new Changes();
  const builds: Builds = new Builds({
    catalog,
    emitter: serverSpool,
    clock,
    random,
    limits: config.build,
    folder: join(config.data, "builds"),
    send: (node, message) => nodes.send(node, environments.equip(message)),
    cards: (node) => nodes.cards(node),
    repositoryOf: (space) => repositories.repositoryOf(space),
    startMs,
    start: async (release, build) => {
      if (release.manifest.signIn !== undefined) await appSignIn.clients.make(release.space);
      return spaces.start(release, build);
    },
    held: (release) => spaces.held(release),
    onChange: (build) => {
      spaces.onBuild(build);
      changes.build(build);
      if (build.endedAt !== null) retention.soon(build.space);
    },
    onFailure,
  });
  const hardware = new Hardware(() => ({
    cores: availableParallelism(),
    memoryBytes: config.app.memoryBytes,
    cards: nodes.all.flatMap(({ devices }) => devices),
  }));
  const domains = await Domains.open({
    rows: catalog.domains,
    resolver: domainResolver(network.dnsServers),
    clock,
    own: { appsDomain: network.appsDomain, consoleHosts: consoleHosts(network) },
    secret: await loadOwnSecret(catalog.settings, "domains", random),
    cnameOf: (space) => addressing.cnameOf(spaces.get(space) ?? { subdomain: "" }),
    urlOf: (host) => addressing.urlOf(host),
    onChanged: () => apart?.soon(),
  });
  const organisations = await Organisations.open({
    ...{ accounts: catalog.accounts, members: catalog.members, clock, onAccount },
    madeBy: (key) => spaces.get(key)?.createdBy ?? hubRepos.madeBy(key),
    onMembers: (organisation, accounts) => apart?.members(organisation, accounts),
  });
  const spaces: Spaces = new Spaces({
    catalog,
    onMoved: (id) => changes.space(id),
    replicas,
    clock,
    random,
    builds: () => builds,
    send: (node, message) => nodes.send(node, appSignIn.clients.equip(environments.equip(message))),
    connected: (node) => nodes.isConnected(node),
    busy: (replica) => opened.edge?.busy(replica) ?? 0,
    addAddress: async (address) => {
      const added = await opened.edge?.addAddress(address);
      return added && !added.ok ? added.says : undefined;
    },
    environment: (space, { manifest }) => ({
      ...appSignIn.clients.environment(space.id, manifest.signIn, (name) =>
        [manifest.env ?? {}, environments.variables(space.id), environments.secrets(space.id)].some((of) =>
          Object.hasOwn(of, name),
        ),
      ),
      SPACE_HOST: addressing.hostOf(space),
      SPACE_CREATOR_USER_ID: space.owner,
      WAYBILL_URL: platformUrlFor(config, port()),
    }),
    lastChange: (space) => environments.last(space),
    startMs,
    healthEveryMs: config.healthEveryMs,
    calling: (space) =>
      engine.read((state) =>
        [...state.nodes.keys()].some((node) => openCallsOn(state, node).some((call) => call.terms.space === space)),
      ),
    unvisitedMs: config.unvisitedMs,
    hardware,
    addressing,
    domains,
    spacePorts,
    earlierStarts: (ids) => evidence.earlierStarts(ids),
    releasesKept: config.kept.releases,
    onFailure,
  });
  const send = (node: string, message: ToAgent): boolean => nodes.send(node, message);
  const retention: Retention = new Retention({
    catalog,
    spaces,
    builds,
    repositories,
    hubRepos,
    kept: config.kept,
    clock,
    send,
    onFailure,
  });

  const box = await openSecretBox(config.secretsKeyFile, { needed: await sealingKeys(catalog), random });
  const environments = await Environments.open({
    rows: catalog.environments,
    box,
    clock,
    onChange: (space) => spaces.onEnvironment(space),
  });
  const appSignIn = await openAppSignIn({
    ...{ catalog, box, clock, random, addressing, domains, organisations, onFailure },
    space: (id) => spaces.get(id),
    sessions,
    providerUrl: () => (config.sandbox === "none" ? addressing.console : platformUrlFor(config, port())),
  });

  const door = insideSocket(config.data);
  // An edge that goes on without us has it, and apps ask it through there.
  if (!config.edgeApart) stack.defer(() => door.remove());
  // Plain processes are the platform's own user: through the door they could name any caller.
  const insidePath = config.sandbox === "none" ? null : door.path;
  const remote = stack.use(
    new RemoteNodes({
      ...{ data: config.data, folderId, insidePath, onFailure },
      nodeOf: (replica) => replicas.get(replica)?.node,
      has: (node, { replica: id, space }) => {
        const known = replicas.get(id);
        return known ? known.node === node && known.status.space === space : builds.has(node, space, id);
      },
    }),
  );
  const links = new Links({
    now: () => clock.monotonic(),
    terms: (node) => ({
      ...{ node, appsDomain: config.appsDomain, port: port(), insidePath },
      ...{ plainProcesses: config.sandbox === "none", folder: config.data, folderDigest: folderDigest(folderId) },
    }),
    onLink: (link, node) => nodes.connect(remote.link(link, node), node),
    onStreams: (socket, node, kind) => remote.streams(socket, node, kind),
    onFailure,
  });
  const nodeTokens = new NodeTokens({
    tokens: catalog.tokens,
    account: adminAccount,
    own: config.role === "all" ? ownNode : null,
    onRevoked: (node) => links.drop(node),
    ...{ clock, random },
  });

  const visiting = {
    keys: visitorKeys,
    clock,
    ownerTier: (owner: string) => tiers.get(owner) ?? "free",
    plainProcesses: config.sandbox === "none",
  };
  const flushEvidence = async (): Promise<void> => {
    await Promise.all([serverSpool.sync(), edgeSpool.sync()]);
    await shipping();
  };
  watch.standing = await openStanding(stack, {
    ...{ evidence, engine, journal, nodes, clock, random, onFailure },
    shippedAt: () => shippedAt,
  });
  const webhooks = await openWebhooks(stack, {
    ...{ addresses: config.webhookAddresses, catalog, box, effects, clock, random, version: about.version, onFailure },
    incidents: watch.standing.incidents,
  });
  let bootMs = 0;
  const server = new Server({
    engine,
    journal,
    catalog,
    evidence,
    standing: watch.standing,
    resolver,
    sessions,
    visitKey,
    ...{ changes, webhooks, consoleFiles: readConsole(log), docsFiles: readDocs() },
    providers: config.providers,
    receiptKeys,
    replicas,
    nodes,
    nodeTokens,
    calls,
    builds,
    commits: new Commits({
      ...{ catalog, repositories, spaces, builds, emitter: serverSpool, random, clock },
      onChange: (repo) => hubRepos.changed(repo),
    }),
    repositories,
    hubRepos,
    gates,
    spaces,
    environments,
    domains,
    hardware,
    effects,
    visitorKeys,
    box,
    xet: large.service,
    largeFiles: large.files,
    clock,
    random,
    about: {
      version: about.version,
      node: process.versions.node,
      bootMs: () => bootMs,
      url,
      hosts: consoleHosts(network),
      appsDomain: network.appsDomain,
      console: () => addressing.console,
      tls: async () => (await opened.tls?.status()) ?? null,
    },
    backup: (folder, progress) =>
      makeBackup({ ...config, journal, clock, version: about.version, flush: flushEvidence }, folder, progress),
    edgeWorkers: () => apart?.workers ?? null,
    onAccount,
    organisations,
    payerOfApp: (token, inside) => payerOfApp(token, inside, visiting),
    flushEvidence,
    onFailure,
    // Few: tries are counted by account and by address.
    onWrongPassword: (of) => log.warn({ ...of }, "a wrong password at the console"),
  });

  await engine.submit({ type: "set-pool", pool: poolName, settings: {} });
  calls.restore(
    await engine.read((state) =>
      [...state.nodes.keys()].flatMap((node) => openCallsOn(state, node).map((call) => ({ ...call }))),
    ),
  );
  stack.defer(engine.subscribe((record) => calls.onRecord(record)));
  stack.defer(engine.subscribe((record) => changes.recorded(record)));
  await server.calls.follow();

  // Before anybody can ask for another build: what is open now was left open.
  await builds.recover();
  stack.defer(() => builds.close());
  await spaces.recover();
  await server.discussions.recover();

  const api = createApi(server);
  const desk = new PushDesk(server, nodeTokens);
  const serveHub = await openHubFaces(stack, {
    ...{ config, server, desk, large, clock, random },
    key: await loadOwnSecret(catalog.settings, "lfs", random),
    emitter: serverSpool,
    count: (what) => evidence.count(what),
    onFailure,
  });
  const reads = (account: string, owner: string): boolean => organisations.may(account, "read", { owner });
  const visitors = visitorIdentity({ ...visiting, resolver, sessions, visitKey, reads });
  const insiders = new WeakMap<object, InsideCaller>();
  const answer = getRequestListener((request, { incoming }) =>
    api.fetch(request, {
      inside: insiders.get(incoming) ?? null,
      ...visitorOf(incoming as IncomingMessage),
    }),
  );
  const agentsMay = Promise.withResolvers<void>();
  const linkDoor: LinkDoor = { ...about, links, tokens: nodeTokens, ready: agentsMay.promise, onFailure };
  const serveConsole: EdgeOptions["console"] = (request, response, inside, upgrade) => {
    if (serveLink(linkDoor, request, response, { upgrade, inside })) return;
    if (serveHub(request, response)) return;
    if (inside !== undefined) insiders.set(request, inside);
    const byApi = (): void => void answer(request, response).catch((error: unknown) => onFailure("the console", error));
    if (!appSignIn.face.serve(request, response, { isInside: inside !== undefined, otherwise: byApi })) byApi();
  };
  const onVisitorGone = (request: string): Promise<void> => calls.visitorGone(request);
  opened.tls = stack.use(await openEdgeTls(config, { directory: spaces, clock, log }));
  if (config.edgeApart) {
    apart = await openEdgeApart(stack, {
      ...{ config, clock, spaces, replicas, tiers, insidePath, onFailure, onVisitorGone, serveConsole },
      ...{ tokens: catalog.tokens, evidence, shipping, console: addressing.console },
      members: organisations.accounts(),
      ...{ sessions, visitKey, tls: opened.tls.options.tls },
      keys: () => visitorKeys.published,
      line: (replica) => remote.line(replica),
    });
    opened.edge = apart;
  } else {
    opened.edge = stack.use(
      await openOnPort(config, (listenPort) =>
        openEdge({
          listen: [{ address: config.listen.address, port: listenPort }],
          directory: spaces,
          identity: visitors,
          emitter: edgeSpool,
          counter: evidence,
          clock,
          random,
          ...(insidePath !== null && { insidePath }),
          ...edgeNetwork(network),
          ...opened.tls?.options,
          console: serveConsole,
          consoleHosts: consoleHosts(network),
          appsDomain: network.appsDomain,
          limits: config.edge,
          guard: config.guard,
          explainUrl: (id) => `${addressing.console}/w/${id}`,
          onVisitorGone: (request) =>
            void onVisitorGone(request).catch((error: unknown) => onFailure("a visitor's leave", error)),
          onError: (error) => onFailure("the edge", error),
          line: (replica) => remote.line(replica),
        }),
      ),
    );
  }
  await tellStanding(stack, { config, server, engine, evidence, clock, version: about.version, url: url(), onFailure });
  stack.defer(() => spaces.close());
  await spaces.openAddresses();
  stack.use(retention);

  stack.defer(() => nodes.drained());
  stack.use(links);
  agentsMay.resolve();
  if (config.role === "all") {
    const link = memoryLink();
    nodes.connect(link.server);
    const { version } = about;
    const edge = ownEdge(config, port(), door.path);
    const node = { node: ownNode, link: link.agent, source: repositories, edge };
    stack.use(await startNode({ config, world, version, spool, onFailure, ...node }));
  }

  // Meanwhile the platform is there: what it cut off by its stop is looked at in each Space's turn.
  const stopping = new AbortController();
  const recovering = server.commits
    .recover(stopping.signal)
    .catch((error: unknown) => onFailure("commits that a stop cut off", error));
  stack.defer(async () => {
    stopping.abort();
    await recovering;
  });

  const sweepKeys = async (): Promise<void> => {
    if (await visitorKeys.sweep()) log.info({ kid: visitorKeys.current.kid }, "visitors' tokens have another key");
  };
  stack.use(server.receipts.follow((error) => onFailure("the log of receipts", error)));
  const timers = [
    setInterval(
      () => void sweepKeys().catch((error: unknown) => onFailure("keys of visitors' tokens", error)),
      keysLookedAtEveryMs,
    ),
    setInterval(
      () => void domains.sweep().catch((error: unknown) => onFailure("looking at domains", error)),
      sweepEveryMs,
    ),
    setInterval(() => void shipping().catch((error: unknown) => onFailure("shipping evidence", error)), shipEveryMs),
    setInterval(
      () => void calls.retell().catch((error: unknown) => onFailure("telling waiting calls", error)),
      retellEveryMs,
    ),
    setInterval(
      () => void calls.clearAgain().catch((error: unknown) => onFailure("ordering old workers' ends again", error)),
      clearEveryMs,
    ),
  ];
  stack.defer(() => timers.forEach((timer) => clearInterval(timer)));
  stack.defer(() => void (server.isLeaving = true));
  webhooks.start();
  const token = await bootToken({ catalog, clock, random });
  bootMs = Math.round(performance.now() - about.startedAt);
  const owned = stack.move();
  return {
    url: url(),
    ...{ token, bootMs, addressing, server },
    broken: broken.promise,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Opens the edge; a port that nobody asked for by number gives way to the next free one. */
async function openOnPort({ listen, standBy }: PlatformConfig, open: (port: number) => Promise<Edge>): Promise<Edge> {
  let port = listen.port;
  for (let tries = 1; ; tries++) {
    try {
      return await open(port);
    } catch (error) {
      const taken = error instanceof ListenError && error.code === "EADDRINUSE";
      if (!taken || tries > nextPorts || !(listen.next || standBy)) throw error;
      // The server that is taken over from may need a moment to end.
      if (standBy) await delay(leavesPortEveryMs);
      else port += 1;
    }
  }
}

/** Runs one at a time; all who come meanwhile share the one after it. */
function serial(work: () => Promise<unknown>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    next = undefined;
    await work();
  };
  return () => {
    if (next) return next;
    running = next = running.then(run, run); // How the one before ended is told to those who waited for it.
    return next;
  };
}
