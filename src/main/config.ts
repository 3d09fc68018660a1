/** The only reader of the environment: names here are the names that an operator types. All problems are told at once. */
import { availableParallelism, homedir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { buildLimits } from "../core/builds/model.ts";
import type { BuildLimits } from "../core/builds/model.ts";
import { keptOfSpace, type KeptOfSpace } from "../control/retention.ts";
import type { UpOptions } from "../cli/world.ts";
import type { GuardLimits } from "../edge/guard.ts";
import type { EdgeLimits } from "../edge/limits.ts";
import { edgeSockets } from "../contract/edge.ts";
import { socketPathMaxBytes } from "../runtime/folder.ts";
import { parseNameRule, type NameRule } from "../contract/reach.ts";
import { openPolicy, type EgressPolicy } from "../egress/policy.ts";
import { parseRange, type AddressRange } from "../egress/ranges.ts";
import type { GitFaceLimits } from "../hub/git-face.ts";
import { lfsLimits, type LfsLimits } from "../hub/lfs-store.ts";
import type { StorageLimits } from "../hub/storage.ts";
import { paceLimits, type PaceLimits } from "../hub/pace.ts";
import type { DiskLimits } from "../runtime/folder.ts";
import { durationMs, seconds } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";
import { collectorUrl, metricsAddress, type MetricsAddress } from "./metrics-settings.ts";
import { readNetwork, type NetworkConfig } from "./network.ts";
import type { ProviderSettings } from "../identity/provider-settings.ts";
import { signInProviders } from "./sign-in-providers.ts";
import { readTls, type TlsConfig } from "./tls.ts";
import { buildPolicy, passedToBuilds, type BuildVariables } from "./build-settings.ts";

/** Three quarters of the machine, and no app needs more than this without saying so. */
const memoryMaxMb = 8_192;

const mebibyte = 1 << 20;
/** Several large bases, and the layers of a few apps. */
const imagesDefaultGb = 40;

type Environment = Readonly<Record<string, string | undefined>>;

export interface PlatformConfig {
  /** `server`: no agent in this process. */
  readonly role: "all" | "server";
  /** Absolute path of the data folder. */
  readonly data: string;
  /** Address of the PostgreSQL database that has journal and catalog; null: the data folder has them. */
  readonly journal: string | null;
  /** Waits for the writer that is there, then takes over. */
  readonly standBy: boolean;
  /** The keys of the Spaces' secrets, in a file of their own. */
  readonly secretsKeyFile: string;
  readonly listen: {
    readonly address: string;
    /** 0: any free one. */
    readonly port: number;
    /** A port that was not asked for by number gives way to the next free one. */
    readonly next: boolean;
  };
  /** Spaces have names under it. */
  readonly appsDomain: string;
  /** By which other providers people may sign in. */
  readonly providers: readonly ProviderSettings[];
  /** `waybill edge` carries the requests, and this process none. */
  readonly edgeApart: boolean;
  /** Where `/metrics` is told without a token; null: nowhere. */
  readonly metrics: MetricsAddress | null;
  /** The collector of traces; null: none. */
  readonly otlp: string | null;
  /** How it is reached, and who may stand in front of it. */
  readonly network: NetworkConfig;
  /** Null: the edge speaks none. */
  readonly tls: TlsConfig | null;
  /** What becomes of the replicas when it is told to stop. */
  readonly onStop: "stop" | "keep";
  /** `2x2`, or null: the machine's own cards. */
  readonly simulateGpus: string | null;
  /** The program that tells of real cards, how often it is asked, into how many slots each card is cut, and where the driver's Xid messages stand. */
  readonly cards: {
    readonly command: string;
    readonly everyMs: DurationMs;
    readonly slots: number;
    readonly kernelLog: string;
    /** Where the driver's libraries lie, for apps that are images; null: where the loader finds them. */
    readonly driverFolder: string | null;
  };
  readonly build: BuildLimits;
  /** Builds at a time, of several owners. */
  readonly buildsAtOnce: number;
  /** How long a replica may take to listen where its Space does not say. */
  readonly startMs: DurationMs;
  /** Asleep for so long without a request a Space is paused; null: never. */
  readonly unvisitedMs: DurationMs | null;
  /** How often an app is looked at once it is ready. */
  readonly healthEveryMs: DurationMs;
  /** Folders that hold one Python each, as pyenv keeps them. */
  readonly pythonVersions: readonly string[];
  /** Tools that the platform installs for itself. */
  readonly toolsFolder: string;
  /** The best of this machine, or none because that was asked for by name. */
  readonly sandbox: (typeof sandboxChoices)[number];
  /** Limits of one replica in a sandbox. */
  readonly app: { readonly memoryBytes: number; readonly processes: number; readonly processors: number };
  /** What one replica may write of the disk, what its Space keeps in /data, and what stays free of all of them. */
  readonly disk: DiskLimits;
  /** What sandboxed apps may reach. */
  readonly egress: EgressPolicy;
  /** Private addresses that webhooks may have. */
  readonly webhookAddresses: readonly AddressRange[];
  /** What builds see of the operator's environment, and what they may reach. */
  readonly builds: {
    readonly variables: BuildVariables;
    readonly egress: EgressPolicy;
    /** Of one build: what it may write to the disk, and its share of the machine's processors where those can be limited. */
    readonly diskBytes: number;
    readonly processors: number;
  };
  /** The operator's folder with archives of images, null: none; and what of one owner's images is kept. */
  readonly images: { readonly archives: string | null; readonly maxBytes: number };
  /** What is kept of each Space; and of one owner: its package caches, and as much again of environments that no release has. */
  readonly kept: KeptOfSpace & { readonly cacheBytes: number };
  /** Folders of the machine's programs, the platform's own Node first. */
  readonly path: readonly string[];
  /** How long visitors' tokens are made with one key; null: until an operator orders another. */
  readonly keysEveryMs: DurationMs | null;
  readonly edge: Partial<EdgeLimits>;
  /** What one address and one Space may ask of the edge. */
  readonly guard: Partial<GuardLimits>;
  readonly git: Partial<GitFaceLimits>;
  readonly lfs: Partial<LfsLimits>;
  readonly storage: StorageLimits;
  /** Of clients that fetch and send files. */
  readonly pace: PaceLimits;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: PlatformConfig }
  | { readonly ok: false; readonly problems: readonly string[] };

export const defaultPort = 7070;

/** `best`: the first of the first two that works. */
const sandboxChoices = ["bubblewrap", "crun", "none", "best"] as const;

/** Where `waybill up` and `waybill login` keep the sign-in that other commands use. */
export function signInFile(env: Environment): string {
  return join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "waybill", "sign-in.json");
}

/** What Waybill keeps of a user beside the data folder: the sign-in, and what can be made again. */
export function ownFolders(env: Environment): readonly string[] {
  return [dirname(signInFile(env)), cacheFolder(env)];
}

function cacheFolder(env: Environment): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "waybill");
}

/** Absolute. */
export function dataFolder(env: Environment, named: string | undefined): string {
  const own = join(env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "waybill");
  return resolve(named ?? env["WAYBILL_DATA"] ?? own);
}

export function readConfig(env: Environment, options: UpOptions): ConfigResult {
  const problems: string[] = [];
  const read = new Reader(env, problems);
  const port = options.port ?? read.whole("WAYBILL_PORT", { least: 0, most: 65_535 });
  const { tls: sources, httpPort: plainPort } = options.network;
  const tls = readTls(env, { sources, plainPort }, problems);
  const network = readNetwork(env, options.network, { hasTls: tls !== null, problems });
  const sandbox = sandboxChoices.find((choice) => choice === (options.sandbox ?? "best"));
  if (sandbox === undefined) {
    problems.push(
      `--sandbox is "${options.sandbox}"; write bubblewrap, crun or none, or leave it out for the best that this machine has`,
    );
  }
  const memoryMb = read.whole("WAYBILL_APP_MEMORY_MB", { least: 64, most: 1 << 20 });
  const processes = read.whole("WAYBILL_APP_PROCESSES", { least: 16, most: 1 << 16 });
  const appProcessors = read.whole("WAYBILL_APP_PROCESSORS", { least: 1, most: 1024 });
  const dataMb = read.whole("WAYBILL_APP_DATA_MB", { least: appDiskLeastMb, most: 1 << 24 });
  const layerMb = read.whole("WAYBILL_APP_DISK_MB", { least: appDiskLeastMb, most: 1 << 24 });
  const reserveMb = read.whole("WAYBILL_DISK_RESERVE_MB", { least: 0, most: 1 << 24 });
  const diskMb = read.whole("WAYBILL_BUILD_DISK_MB", { least: 64, most: 1 << 30 });
  const processors = read.whole("WAYBILL_BUILD_PROCESSORS", { least: 1, most: 1024 });
  const policy = read.policy();
  const buildNames = read.rules("WAYBILL_BUILD_EGRESS_ALLOW");
  const journal = options.journal ?? env["WAYBILL_JOURNAL"] ?? null;
  if (journal !== null && !/^postgres(ql)?:\/\//.test(journal))
    problems.push("--journal is no address of PostgreSQL; write postgres://USER@HOST/DATABASE, or leave it out");
  if (options.standBy && journal === null)
    problems.push("--standby is for a server whose journal is in PostgreSQL; name it with --journal");
  const imagesGb = read.whole("WAYBILL_IMAGES_MAX_GB", { least: 1, most: 1 << 16 });
  const kept = {
    releases: read.whole("WAYBILL_RELEASES_KEPT", { least: 1, most: 1_000 }) ?? keptOfSpace.releases,
    builds: read.whole("WAYBILL_BUILDS_KEPT", { least: 1, most: 10_000 }) ?? keptOfSpace.builds,
    events: read.whole("WAYBILL_EVENTS_KEPT", { least: 20, most: 1_000_000 }) ?? keptOfSpace.events,
    cacheBytes: (read.whole("WAYBILL_CACHES_MAX_MB", { least: 1, most: 1 << 30 }) ?? defaultCacheMb) * mebibyte,
  };
  const data = dataFolder(env, options.data);
  if (options.edgeApart === true) problems.push(...apartProblems(port, data));
  const waitMs = read.seconds("WAYBILL_BUILD_QUEUE_SECONDS") ?? buildLimits.waitMs;
  const buildMs = read.seconds("WAYBILL_BUILD_SECONDS") ?? seconds(1200);
  const waitingMax = read.whole("WAYBILL_BUILDS_WAITING", { least: 1, most: 10_000 });
  const ownerWaitingMax = read.whole("WAYBILL_BUILDS_WAITING_OWNER", { least: 1, most: 10_000 });
  const buildsAtOnce = read.whole("WAYBILL_BUILDS_AT_ONCE", { least: 1, most: 64 });
  const startMs = read.seconds("WAYBILL_START_SECONDS") ?? seconds(1800);
  const healthEveryMs = read.seconds("WAYBILL_HEALTH_SECONDS") ?? seconds(5);
  const cardsEveryMs = read.seconds("WAYBILL_CARDS_SECONDS") ?? seconds(15);
  const cardSlots = read.whole("WAYBILL_CARD_SLOTS", { least: 1, most: 16 }) ?? 1;
  const responseWithinMs = read.seconds("WAYBILL_RESPONSE_SECONDS");
  const lfsFileMb = read.whole("WAYBILL_LFS_FILE_MB", { least: 1, most: 1 << 24 });
  const accountMb = read.whole("WAYBILL_HUB_ACCOUNT_MB", { least: 1, most: 1 << 30 });
  const patienceMs = read.seconds("WAYBILL_TRANSFER_PATIENCE_SECONDS");
  const lfsRepositoryMb = read.whole("WAYBILL_LFS_REPOSITORY_MB", { least: 1, most: 1 << 24 });
  const pushMb = read.whole("WAYBILL_PUSH_MB", { least: 1, most: 1 << 20 });
  const unvisitedMs = read.seconds("WAYBILL_PAUSE_UNVISITED_SECONDS", 10 * 366 * 86_400) ?? null;
  const wakeWithinMs = read.seconds("WAYBILL_WAKE_SECONDS");
  const keyHours = read.whole("WAYBILL_KEY_HOURS", { least: 0, most: 87_600 }) ?? 24;
  const metrics = metricsAddress(env["WAYBILL_METRICS"], problems);
  const otlp = collectorUrl(options.otlp ?? env["WAYBILL_OTLP"], problems);
  const edge = readEdgeLimits(read);
  const providers = signInProviders(env, problems);
  if (problems.length > 0) return { ok: false, problems };
  const variables = passedToBuilds(env);
  const config: PlatformConfig = {
    role: options.role,
    data,
    journal,
    standBy: options.standBy,
    onStop: options.service ? "keep" : "stop",
    secretsKeyFile: resolve(env["WAYBILL_SECRETS_KEY_FILE"] ?? join(data, "secrets.key")),
    listen: { address: network.address, port: port ?? defaultPort, next: port === undefined },
    edgeApart: options.edgeApart === true,
    metrics,
    otlp,
    network,
    tls,
    appsDomain: network.appsDomain,
    providers,
    simulateGpus: options.simulateGpus ? `${options.simulateGpus.devices}x${options.simulateGpus.slots}` : null,
    cards: {
      command: env["WAYBILL_NVIDIA_SMI"] || "nvidia-smi",
      everyMs: cardsEveryMs,
      slots: cardSlots,
      kernelLog: env["WAYBILL_KERNEL_LOG"] || "/dev/kmsg",
      driverFolder: env["WAYBILL_DRIVER_FOLDER"] || null,
    },
    build: {
      ...buildLimits,
      waitMs,
      buildMs,
      waitingMax: waitingMax ?? buildLimits.waitingMax,
      ownerWaitingMax: ownerWaitingMax ?? buildLimits.ownerWaitingMax,
    },
    buildsAtOnce: buildsAtOnce ?? defaultBuildsAtOnce(),
    startMs,
    healthEveryMs,
    pythonVersions: [join(env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions")],
    toolsFolder: resolve(env["WAYBILL_TOOLS"] ?? cacheFolder(env)),
    sandbox: sandbox ?? "best",
    app: {
      memoryBytes: (memoryMb ?? defaultMemoryMb()) * (1 << 20),
      processes: processes ?? 1024,
      processors: appProcessors ?? availableParallelism(),
    },
    disk: {
      dataBytes: (dataMb ?? defaultDataMb) * mebibyte,
      layerBytes: (layerMb ?? defaultLayerMb) * mebibyte,
      reserveBytes: (reserveMb ?? defaultReserveMb) * mebibyte,
    },
    egress: policy,
    webhookAddresses: read.ranges("WAYBILL_WEBHOOK_ADDRESSES"),
    builds: {
      variables,
      egress: buildPolicy(policy, buildNames, variables),
      diskBytes: (diskMb ?? defaultDiskMb) * (1 << 20),
      processors: processors ?? Math.max(1, (availableParallelism() * 3) / 4),
    },
    images: {
      archives: env["WAYBILL_IMAGES"] ? resolve(env["WAYBILL_IMAGES"]) : null,
      maxBytes: (imagesGb ?? imagesDefaultGb) * 1_024 * mebibyte,
    },
    kept,
    path: [dirname(process.execPath), ...(env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(":")],
    unvisitedMs,
    keysEveryMs: keyHours === 0 ? null : seconds(keyHours * 3_600),
    edge: {
      ...(responseWithinMs === undefined ? {} : { responseWithinMs }),
      ...(wakeWithinMs === undefined ? {} : { wakeWithinMs }),
      ...edge.limits,
    },
    guard: edge.guard,
    git: pushMb === undefined ? {} : { pushMaxBytes: pushMb * mebibyte },
    lfs: {
      ...(lfsFileMb === undefined ? {} : { fileMaxBytes: lfsFileMb * mebibyte }),
      ...(lfsRepositoryMb === undefined ? {} : { repositoryMaxBytes: lfsRepositoryMb * mebibyte }),
    },
    storage: {
      accountMaxBytes: accountMb === undefined ? null : accountMb * mebibyte,
      freeMinBytes: lfsLimits.freeMinBytes,
    },
    pace: { ...paceLimits, ...(patienceMs === undefined ? {} : { patienceMs }) },
  };
  return { ok: true, config };
}

/** What visitors may ask of the edge: each Space and each address; a Space's owner may set less for the Space. */
function readEdgeLimits(read: Reader): { limits: Partial<EdgeLimits>; guard: Partial<GuardLimits> } {
  const bodyMb = read.whole("WAYBILL_BODY_MAX_MB", { least: 1, most: 1 << 24 });
  const limits = {
    bodyMaxBytes: bodyMb === undefined ? undefined : bodyMb * mebibyte,
    idleWithinMs: read.seconds("WAYBILL_IDLE_SECONDS"),
    openWithinMs: read.seconds("WAYBILL_OPEN_SECONDS", 365 * 86_400),
  };
  const guard = {
    addressConnections: read.whole("WAYBILL_ADDRESS_CONNECTIONS", { least: 1, most: 10_000 }),
    addressRequests: read.whole("WAYBILL_ADDRESS_REQUESTS", { least: 1, most: 100_000 }),
    addressPerSecond: read.whole("WAYBILL_ADDRESS_REQUESTS_PER_SECOND", { least: 1, most: 1_000_000 }),
    spaceRequests: read.whole("WAYBILL_SPACE_REQUESTS", { least: 1, most: 100_000 }),
    spacePerSecond: read.whole("WAYBILL_SPACE_REQUESTS_PER_SECOND", { least: 1, most: 1_000_000 }),
  };
  return { limits: given(limits), guard: given(guard) };
}

/** Without what nobody has set. */
function given<Of extends Readonly<Record<string, unknown>>>(
  all: Of,
): { [Name in keyof Of]?: Exclude<Of[Name], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Of]?: Exclude<Of[Name], undefined>;
  };
}

/** What an edge in processes of its own has to know beforehand. */
function apartProblems(port: number | undefined, data: string): string[] {
  const problems: string[] = [];
  if (port === 0)
    problems.push("--port is 0; with --edge apart write a number, since the edge is told it before it opens it");
  if (Buffer.byteLength(join(data, edgeSockets.console)) > socketPathMaxBytes)
    problems.push(
      `the data folder's path is longer than a socket in it may have with --edge apart; choose a shorter one`,
    );
  return problems;
}

/** A build keeps about two cores busy, and what it waits for is the network more often than not. */
function defaultBuildsAtOnce(): number {
  return Math.max(1, Math.min(8, Math.floor(availableParallelism() / 2)));
}

/** The packages of an app with a torch, and of several without. */
const defaultCacheMb = 8 << 10;
/** Packages with a torch have 6 GB, and as much again in a cache that may not be able to share. */
const defaultDiskMb = 20 << 10;

/** A file system with a journal is no smaller. */
const appDiskLeastMb = 16;
/** Of the disk only what was written is taken. A few models are kept in /data; a large one's tensors are packed beside the code. */
const defaultDataMb = 10 << 10;
const defaultLayerMb = 20 << 10;
/** Half a second of a fast disk, and then what the journal, the logs and the evidence need for days. */
const defaultReserveMb = 2 << 10;

function defaultMemoryMb(): number {
  return Math.min(memoryMaxMb, Math.floor((totalmem() * 3) / 4 / (1 << 20)));
}

function parsePort(text: string): number | undefined {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535 ? port : undefined;
}

class Reader {
  readonly #env: Environment;
  readonly #problems: string[];

  constructor(env: Environment, problems: string[]) {
    this.#env = env;
    this.#problems = problems;
  }

  whole(name: string, { least, most }: { least: number; most: number }): number | undefined {
    const text = this.#env[name];
    if (text === undefined || text === "") return undefined;
    const value = Number(text);
    if (/^\d{1,12}$/.test(text) && value >= least && value <= most) return value;
    this.#problems.push(`${name} is "${text}"; write a whole number from ${least} to ${most}`);
    return undefined;
  }

  /** `WAYBILL_EGRESS_…`: comma lists. */
  policy(): EgressPolicy {
    const allow = this.rules("WAYBILL_EGRESS_ALLOW");
    const ports = this.#list("WAYBILL_EGRESS_PORTS", parsePort, "write port numbers");
    return {
      allow: allow.length > 0 ? allow : openPolicy.allow,
      deny: this.rules("WAYBILL_EGRESS_DENY"),
      ports: ports.length > 0 ? ports : openPolicy.ports,
      addresses: this.ranges("WAYBILL_EGRESS_ADDRESSES"),
    };
  }

  ranges(name: string): AddressRange[] {
    return this.#list(name, parseRange, "write ranges such as 10.1.0.0/16");
  }

  rules(name: string): NameRule[] {
    return this.#list(name, parseNameRule, "write names such as api.example.com, *.example.com or example.com:8443");
  }

  #list<T>(name: string, parse: (text: string) => T | undefined, write: string): T[] {
    const parts = (this.#env[name] ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
    return parts.flatMap((part) => {
      const value = parse(part);
      if (value === undefined) this.#problems.push(`${name} has "${part}"; ${write}`);
      return value ?? [];
    });
  }

  seconds(name: string, most = 86_400): DurationMs | undefined {
    const value = this.whole(name, { least: 1, most });
    return value === undefined ? undefined : durationMs(value * 1000);
  }
}
