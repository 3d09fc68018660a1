/** Benches in real sandboxes, with a real gateway behind them, for builds on a temporary folder. */
import { join } from "node:path";
import type { Benches } from "../../src/build/builder.ts";
import { dialLimits, systemDialler } from "../../src/egress/dial.ts";
import { openGateway } from "../../src/egress/gateway.ts";
import { openPolicy, portsOf, type EgressPolicy } from "../../src/egress/policy.ts";
import { sandboxBenches } from "../../src/main/benches.ts";
import { openSpool } from "../../src/record/spool.ts";
import { fillCompileCache } from "../../src/runtime/compile-cache.ts";
import type { SandboxLimits } from "../../src/runtime/folder.ts";
import { cgroupsHere, noCgroups } from "../../src/runtime/sandbox/cgroups.ts";
import { spaceFolders } from "../../src/runtime/sandbox/prepare.ts";
import type { SandboxDriver } from "../../src/runtime/sandbox/way.ts";
import { buildPath, clock, random } from "./commits.ts";

const mib = 1 << 20;
const limits: SandboxLimits = {
  memoryBytes: 256 * mib,
  processes: 128,
  openFiles: 1_024,
  tmpBytes: 16 * mib,
  shmBytes: 16 * mib,
  homeBytes: 16 * mib,
};

export interface TestBenches extends AsyncDisposable {
  readonly benches: Benches;
  /** The user that builds of this owner are. */
  uidOf(owner: string): number | null;
}

export async function testBenches(
  folder: string,
  options: {
    readonly policy?: Partial<EgressPolicy>;
    readonly names?: Readonly<Record<string, string>>;
    readonly driver?: SandboxDriver;
  } = {},
): Promise<TestBenches> {
  const { names = {} } = options;
  const isRoot = process.getuid?.() === 0;
  const policy: EgressPolicy = { ...openPolicy, ...options.policy };
  const emitter = await openSpool({ folder: join(folder, "spool"), name: "gateway-t1", clock, random });
  const failed = (error: unknown): never => {
    throw error;
  };
  const gateway = openGateway({
    emitter,
    clock,
    random,
    policies: { app: policy, build: policy },
    dialler: systemDialler(dialLimits, async (name) => (name in names ? [names[name] as string] : [])),
    edge: null,
    onFailure: failed,
  });
  const benchEntry = join(import.meta.dirname, "../../src/main/bench.ts");
  const compileCache = join(folder, "compile-cache");
  const spaces = spaceFolders(join(folder, "spaces"), isRoot);
  const ports = portsOf(policy);
  let filling: Promise<void> | undefined;
  const sandbox = {
    driver: options.driver ?? "bubblewrap",
    spaces,
    cgroups: isRoot ? cgroupsHere() : noCgroups,
    limits,
    disk: { dataBytes: 16 * mib, layerBytes: 16 * mib, reserveBytes: 0 },
    volumes: isRoot,
    ports,
    gateway,
    cardNodes: () => [],
    filled: () => (filling ??= fillCompileCache(compileCache, process.execPath, [benchEntry])),
  };
  const tools = {
    nodePath: process.execPath,
    benchEntry,
    compileCache,
    folder,
    path: buildPath,
    files: [],
    limits,
    ports,
  };
  return {
    benches: sandboxBenches(tools, sandbox),
    uidOf: (owner) => spaces.uidOf(owner),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await emitter.close();
    },
  };
}
