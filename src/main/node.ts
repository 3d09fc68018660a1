/** The node's side of the platform, built in one readable place: its sandboxes and their gateway, its cards, its builder and its agent. */
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startAgent } from "../agent/agent.ts";
import type { AgentEnd } from "../link/memory.ts";
import { createBuilder, plainBenches, type Benches } from "../build/builder.ts";
import { findEngine } from "../build/docker/engine.ts";
import type { ImageTools, Source } from "../build/workshop.ts";
import { writeSdkPackage } from "../client/sdk-package.ts";
import { noIsolation, type BuildLimits, type Isolation } from "../contract/isolation.ts";
import { systemDialler } from "../egress/dial.ts";
import { openGateway } from "../egress/gateway.ts";
import { portsOf, rulesOf } from "../egress/policy.ts";
import { CardWatch } from "../gpu/card-watch.ts";
import { discover, parseSimulated } from "../gpu/discovery.ts";
import { driverFiles } from "../gpu/driver-files.ts";
import { KernelLog } from "../gpu/xid.ts";
import { openShipper } from "../record/ship.ts";
import type { openSpool } from "../record/spool.ts";
import { fillCompileCache } from "../runtime/compile-cache.ts";
import { isolationSays } from "../runtime/probes/report.ts";
import { noCgroups, type CgroupsHere } from "../runtime/sandbox/cgroups.ts";
import { cardNodes, sandboxHere, spaceFolders, type SandboxHere } from "../runtime/sandbox/prepare.ts";
import { filterSha256 } from "../runtime/sandbox/seccomp.ts";
import { keepSpare } from "../runtime/spares.ts";
import { sandboxBenches } from "./benches.ts";
import { filesNamedBy } from "./build-settings.ts";
import type { PlatformConfig } from "./config.ts";
import { Reaches } from "./reaches.ts";
import { launcher, type NodeSandbox } from "./launcher.ts";
import { lockNode } from "./node-lock.ts";
import type { NumberedEdge } from "./own-edge.ts";
import type { World } from "./platform.ts";
import { startProbing } from "./probing.ts";

export interface NodeOptions {
  readonly config: PlatformConfig;
  readonly world: World;
  readonly version: string;
  /** Its name. */
  readonly node: string;
  /** Undefined while no server is there. */
  readonly link: AgentEnd | undefined;
  /** Where commits come from. */
  readonly source: Source;
  /** The platform as its apps see it. */
  readonly edge: NumberedEdge;
  /** Opens the spool of an emitter. */
  spool(name: string, folder: string): ReturnType<typeof openSpool>;
  onFailure(what: string, error: unknown): void;
}

export interface Node extends AsyncDisposable {
  /** Goes on over another connection. */
  connect(link: AgentEnd): void;
}

/** What a sandbox needs and this machine does not have. */
export class SandboxMissing extends Error {
  override readonly name = "SandboxMissing";
  readonly code = "runtime/sandbox-denied";
}

/** The node of `waybill up` itself. */
export const ownNode = "n1";
export const poolName = "main";
/** Places of a sandbox that are kept in memory, and the files that its processes may have open. */
const sandboxSizes = { openFiles: 8_192, tmpBytes: 512 << 20, shmBytes: 256 << 20, homeBytes: 64 << 20 } as const;
/** Packages are unpacked and compiled there. */
const buildSizes = { openFiles: 8_192, tmpBytes: 1 << 30, shmBytes: 256 << 20, homeBytes: 512 << 20 } as const;

/** Starts it; when it is closed its replicas are stopped, or kept, as the configuration says. Throws {@link SandboxMissing}. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { config, world, version, node, link, source, spool } = options;
  const { clock, random, log } = world;
  await using stack = new AsyncDisposableStack();
  const folder = join(config.data, "node");
  stack.use(lockNode(folder));
  const spools = join(folder, "spool");
  const emitter = stack.use(await spool(`agent-${node}`, spools));
  const processes = nodeProcesses(folder);
  const sandbox = config.sandbox === "none" ? null : await openSandboxes(options, spools, processes, stack);
  const spares =
    sandbox !== null
      ? stack.use(
          keepSpare({
            ownUsers: sandbox.isolation.hostUid === "own",
            program: processes,
            folder: join(folder, "spares"),
            ports: () => sandbox.node.ports,
            filled: sandbox.node.filled,
            log,
          }),
        )
      : undefined;
  const builds = buildLimitsOf(config, sandbox?.node.cgroups ?? noCgroups);
  const agent = await startAgent({
    node,
    pool: poolName,
    folder,
    ...(await cardsOf(config, world)),
    buildsAtOnce: config.buildsAtOnce,
    ...(link && { link }),
    builder: createBuilder({
      source,
      folder,
      path: config.path,
      benches: sandbox ? benchesOf(config, processes, sandbox.node) : plainBenches({ path: config.path }),
      env: config.builds.variables,
      diskBytes: config.builds.diskBytes,
      cacheBytes: config.kept.cacheBytes,
      reserveBytes: config.disk.reserveBytes,
      ...(sandbox === null ? {} : { images: imagesOf(config, sandbox.node) }),
      python: { versions: config.pythonVersions, toolsFolder: config.toolsFolder },
      sdk: { version, write: (into) => writeSdkPackage(into, version) },
      clock,
      random,
    }),
    launcher: launcher({ ...processes, ...(spares && { spares }) }, sandbox && sandbox.node, config.disk.reserveBytes),
    ...(sandbox && { spaces: sandbox.node.spaces, keepTo: sandbox.keepTo }),
    ...(sandbox && { outbound: { apps: rulesOf(config.egress), builds: rulesOf(config.builds.egress) } }),
    isolation:
      (sandbox && { ...sandbox.isolation, builds }) ??
      noIsolation(
        "sandbox none: apps and builds run as plain processes of this user and can read what this user can read",
      ),
    emitter,
    clock,
    random,
    log,
    spools: [openShipper({ folder: spools })],
    spoolOf: (replicaFolder) => openShipper({ folder: join(replicaFolder, "spool") }),
  });
  stack.defer(() => agent.close(config.onStop));
  if (sandbox) {
    const { isolation } = sandbox;
    const onMeasured = (measured: Isolation): void => agent.measured({ ...measured, builds });
    stack.use(
      startProbing({ folder, sandbox: sandbox.node, tools: processes, isolation, clock, random, log, onMeasured }),
    );
  }
  const owned = stack.move();
  return { connect: (next) => agent.connect(next), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function imagesOf({ images }: PlatformConfig, { driverFiles: driver }: NodeSandbox): ImageTools {
  return { ...images, engine: findEngine(), known: { users: new Map() }, hasDriver: driver !== undefined };
}

interface NodeProcesses {
  readonly nodePath: string;
  readonly shimEntry: string;
  readonly benchEntry: string;
  readonly compileCache: string;
}

/** How the node starts processes of its own. */
function nodeProcesses(folder: string): NodeProcesses {
  const extension = extname(fileURLToPath(import.meta.url));
  const entry = (name: string): string => join(import.meta.dirname, name);
  return {
    nodePath: process.execPath,
    // The published one is a single file, and no ES module (tools/build.ts).
    shimEntry: entry(extension === ".ts" ? "shim.ts" : "shim.cjs"),
    benchEntry: entry(`bench${extension}`),
    compileCache: join(folder, "compile-cache"),
  };
}

/** The machine's cards, looked at while they are used; or those that are simulated. */
async function cardsOf(
  { simulateGpus, cards }: PlatformConfig,
  { clock, log }: World,
): Promise<Pick<Parameters<typeof startAgent>[0], "devices" | "watchCards">> {
  if (simulateGpus !== null) return { devices: parseSimulated(simulateGpus) ?? [] };
  const found = await discover(cards.command, cards.slots);
  if (found.devices.length > 0)
    return {
      devices: found.devices,
      watchCards: (told) => {
        const kernelLog = KernelLog.open(cards.kernelLog);
        if (kernelLog === null)
          log.info({ path: cards.kernelLog }, "the kernel's log cannot be read: Xid messages of cards are not heard");
        return new CardWatch({
          ...found,
          ...cards,
          kernelLog,
          now: () => clock.monotonic(),
          onChange: (trouble) => told.trouble(trouble),
          onProcesses: (seen) => told.processes(seen),
        });
      },
    };
  if (!found.absent)
    log.warn({ says: found.says }, "the pool has no cards: start the platform again when nvidia-smi lists them");
  return { devices: [] };
}

/** Measures that a sandbox can be made here, and opens the gateway behind all of them. */
async function openSandboxes(
  { config, world, node: name, edge, spool, onFailure }: NodeOptions,
  spools: string,
  { compileCache, nodePath, shimEntry, benchEntry }: NodeProcesses,
  stack: AsyncDisposableStack,
): Promise<{
  readonly node: NodeSandbox;
  readonly isolation: Isolation;
  readonly keepTo: (space: string, reach: string) => void;
}> {
  const here = await sandboxHere(config.sandbox === "none" ? "best" : config.sandbox);
  if (here.problems.length > 0) throw new SandboxMissing(here.problems.join("; "));
  const gateway = stack.use(
    openGateway({
      emitter: stack.use(await spool(`gateway-${name}`, spools)),
      clock: world.clock,
      random: world.random,
      policies: { app: config.egress, build: config.builds.egress },
      dialler: systemDialler(),
      edge,
      onFailure: (error) => onFailure("the gateway", error),
    }),
  );
  if (here.isRoot && here.noVolumes !== null)
    world.log.warn({ why: here.noVolumes }, "what apps write to the disk is looked at, and not limited by the kernel");
  const driver = config.simulateGpus === null ? await driverOf(config.cards, onFailure) : [];
  let filling: Promise<void> | undefined;
  const node: NodeSandbox = {
    driver: here.driver,
    // Once for each start of the agent: its program may have changed.
    filled: () =>
      (filling ??= fillCompileCache(compileCache, nodePath, [shimEntry, benchEntry]).catch((error: unknown) =>
        onFailure("filling the compile cache", error),
      )),
    spaces: spaceFolders(join(config.data, "node", "spaces"), here.isRoot),
    cgroups: here.cgroups,
    limits: { ...sandboxSizes, ...config.app },
    disk: config.disk,
    volumes: here.noVolumes === null,
    // Names that the edge gave out are answered by the edge, whatever the policy says of their port.
    get ports() {
      return [...new Set([...portsOf(config.egress), edge.port])];
    },
    gateway,
    // Where the pool's cards are simulated, no call ever has a real one.
    cardNodes: () => (config.simulateGpus === null ? cardNodes() : []),
    ...(driver.length > 0 && { driverFiles: driver }),
  };
  const reaches = new Reaches(join(config.data, "node"), gateway, onFailure);
  return { node, isolation: isolationOf(here), keepTo: (space, reach) => reaches.keepTo(space, reach) };
}

function benchesOf({ data, path, builds, app }: PlatformConfig, processes: NodeProcesses, node: NodeSandbox): Benches {
  const tools = {
    ...processes,
    folder: join(data, "node"),
    path,
    files: filesNamedBy(builds.variables),
    limits: { ...buildSizes, ...app, processors: builds.processors },
    ports: portsOf(builds.egress),
  };
  return sandboxBenches(tools, node);
}

/** Of each build; its log says what its own groups' files have. */
function buildLimitsOf(
  { app, build, builds }: PlatformConfig,
  { memory, processes, processor }: CgroupsHere,
): BuildLimits {
  const { openFiles, tmpBytes, homeBytes } = buildSizes;
  return {
    wholeMs: build.buildMs,
    memory: { bytes: app.memoryBytes, by: memory === null ? "looking" : "group" },
    processes: { most: app.processes, by: processes === null ? "rlimit" : "group" },
    processors: processor === null ? null : builds.processors,
    writtenBytes: builds.diskBytes,
    ...{ openFiles, tmpBytes, homeBytes },
  };
}

/** None where it could not be looked for: an image's app then runs on the processor, as its build's log says. */
async function driverOf(
  { driverFolder }: PlatformConfig["cards"],
  onFailure: NodeOptions["onFailure"],
): ReturnType<typeof driverFiles> {
  try {
    return await driverFiles(driverFolder);
  } catch (error) {
    onFailure("looking for the files of the cards' driver", error);
    return [];
  }
}

/** What the start found; measured is it later, in a real sandbox. */
function isolationOf({ driver, isRoot, cgroups, noVolumes }: SandboxHere): Isolation {
  const found = {
    hostUid: isRoot ? "own" : "shared",
    seccomp: filterSha256(process.arch === "arm64" ? "arm64" : "x64"),
    memory: cgroups.memory ?? "polled",
    processes: cgroups.processes ?? "rlimit",
    cpu: cgroups.processor ?? "none",
    ends: cgroups.kill ? "cgroup-kill" : "tree",
    disk: noVolumes === null ? "loop" : "polled",
    egress: "gateway",
  } as const;
  const level = isRoot ? "own-uid" : "shared-uid";
  return { level, driver, ...found, probes: null, says: isolationSays(driver, found) };
}
