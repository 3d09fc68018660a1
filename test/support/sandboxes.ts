/** Plans of sandboxed replicas for tests, with what this machine can limit and freeze. */
import { join } from "node:path";
import type { DiskLimits, LaunchPlan, SandboxLimits } from "../../src/runtime/folder.ts";
import { cgroupsHere, noCgroups, removeCgroups, type CgroupsHere } from "../../src/runtime/sandbox/cgroups.ts";
import { cardNodes, planSandbox, spaceFolders } from "../../src/runtime/sandbox/prepare.ts";
import type { SandboxDriver } from "../../src/runtime/sandbox/way.ts";
import { keepSpare, type SpareShims } from "../../src/runtime/spares.ts";
import { tools, type Bench, type PlanOptions } from "./replicas.ts";

export const isRoot = process.getuid?.() === 0;
const mib = 1 << 20;
export const limits: SandboxLimits = {
  memoryBytes: 192 * mib,
  processes: 256,
  openFiles: 1_024,
  tmpBytes: 16 * mib,
  shmBytes: 16 * mib,
  homeBytes: 16 * mib,
};
export const sandboxPorts = [443] as const;
export const diskLimits: DiskLimits = { dataBytes: 64 * mib, layerBytes: 64 * mib, reserveBytes: 0 };

export interface Sandboxes extends AsyncDisposable {
  readonly here: CgroupsHere;
  plan(files: Readonly<Record<string, string>>, options?: SandboxOptions): LaunchPlan;
}

export interface SandboxOptions extends Partial<PlanOptions> {
  readonly cgroups?: CgroupsHere;
  readonly limits?: Partial<SandboxLimits>;
  readonly disk?: DiskLimits;
  readonly volumes?: boolean;
  /** Has a /data of its own. */
  readonly space?: string;
  /** Of an agent that is root: each Space has a user of its own. */
  readonly ownUsers?: boolean;
  /** A replica of an older version lives in the Space's folder. */
  readonly isUsed?: boolean;
}

/** Their groups are removed when it is disposed of. `works`: a sandbox can be made here. */
export function sandboxes(replicas: Bench, works: boolean, driver: SandboxDriver = "bubblewrap"): Sandboxes {
  const here = isRoot && works ? cgroupsHere() : noCgroups;
  const made: LaunchPlan[] = [];
  return {
    here,
    async [Symbol.asyncDispose]() {
      for (const { spec } of made) await removeCgroups(spec.replica, { withinMs: 2_000 });
    },
    plan(
      files,
      {
        cgroups = here,
        limits: other,
        disk = diskLimits,
        volumes = isRoot,
        space,
        isUsed = false,
        ownUsers = isRoot,
        ...options
      } = {},
    ) {
      const bare = replicas.plan(files, options);
      const plan = space === undefined ? bare : { ...bare, spec: { ...bare.spec, space } };
      made.push(plan);
      const spaces = spaceFolders(join(replicas.folder, ownUsers ? "spaces" : "spaces-of-one"), ownUsers);
      const shared = { driver, spaces, cgroups, disk, volumes, ports: sandboxPorts, cardNodes };
      const node = { ...shared, limits: { ...limits, ...other } };
      return { ...plan, sandbox: planSandbox(plan, node, () => isUsed) };
    },
  };
}

/** One that is started at once when it was taken. */
export function spareShims(replicas: Bench, availableBytes = (): number => Infinity, ownUsers = isRoot): SpareShims {
  const folder = join(replicas.folder, ownUsers ? "spares" : "spares-of-one");
  const ports = (): readonly number[] => sandboxPorts;
  const filled = (): Promise<void> => Promise.resolve();
  return keepSpare({ ownUsers, program: tools, folder, ports, filled, log: console, availableBytes, pauseMs: 0 });
}
