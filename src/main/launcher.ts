/** Plugs the runtime into the agent, and gives each replica its sandbox. */
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Launcher, ProcessOf } from "../agent/ports.ts";
import { gatewaySocketName } from "../contract/egress.ts";
import type { Gateway } from "../egress/gateway.ts";
import { unacknowledgedReports } from "../gpu/meter-file.ts";
import { readApp, readPlan, readShim } from "../runtime/folder.ts";
import type { LaunchPlan } from "../runtime/folder.ts";
import { adopt, launch } from "../runtime/launch.ts";
import type { LaunchTools } from "../runtime/launch.ts";
import { readLogFiles } from "../log/segments.ts";
import { isAlive, linuxProcesses, membershipOf, ownerOf } from "../runtime/processes.ts";
import { removeCgroups } from "../runtime/sandbox/cgroups.ts";
import { planSandbox } from "../runtime/sandbox/prepare.ts";
import type { Given } from "../runtime/sandbox/prepare.ts";

/** What a node gives its replicas' sandboxes. */
export interface NodeSandbox extends Given {
  readonly gateway: Pick<Gateway, "open" | "close">;
  /** Resolves when what Node compiled of shims and benches is there for all to read; without it they only start more slowly. */
  readonly filled: () => Promise<void>;
}

export function launcher(
  tools: Pick<LaunchTools, "nodePath" | "shimEntry" | "compileCache" | "spares">,
  sandbox: NodeSandbox | null,
  reserveBytes: number,
): Launcher {
  const openGateway = async (plan: LaunchPlan & { readonly sockets: string }): Promise<void> => {
    if (sandbox === null || plan.sandbox === null) return;
    const { replica, space } = plan.spec;
    const socket = join(plan.sockets, gatewaySocketName);
    await sandbox.gateway.open({ id: replica, space, socket, uid: plan.sandbox.hostUid, profile: "app" });
  };
  /** The Spaces of those that are being started on their data folder itself, by their own folders: no record says yet that they live. */
  const startingOnFolder = new Map<string, string>();
  return {
    async launch(plan, agentEpoch) {
      refuseOnLowDisk(dirname(plan.folder), reserveBytes);
      // A static Space has no process of its own: its shim serves the files.
      if (sandbox === null || plan.release.argv === null) return launch(plan, { ...tools, agentEpoch });
      await sandbox.spaces.begin({ space: plan.spec.space, madeAt: plan.spec.madeAt ?? null });
      const own = planSandbox(plan, sandbox, () => livesOnFolder(plan, startingOnFolder));
      // The app's own port is the app's, also where the platform listens on the same one: the catch-all takes what goes there.
      const ports = own.ports.filter((port) => port !== plan.release.appPort);
      const planned = { ...plan, sandbox: { ...own, ports } };
      if (!own.disk?.data.volume) startingOnFolder.set(plan.folder, plan.spec.space);
      try {
        if (planned.sandbox.hostUid !== null) await sandbox.filled();
        return await launch(planned, { ...tools, agentEpoch, beforeStart: openGateway });
      } finally {
        startingOnFolder.delete(plan.folder);
      }
    },
    adopt: async (folder, agentEpoch) => {
      const found = await adopt(folder, agentEpoch);
      if ("dead" in found) return { dead: found.dead, meter: unacknowledgedReports(folder) };
      const plan = readPlan(folder);
      if (plan) await openGateway(plan);
      return found;
    },
    async ended(folder) {
      if (sandbox !== null) rmSync(sandbox.spaces.layerOf(folder), { force: true });
      const plan = readPlan(folder);
      if (sandbox === null || !plan?.sandbox) return;
      const { replica } = plan.spec;
      await sandbox.gateway.close(replica);
      if (plan.sandbox.cgroups !== null && !(await removeCgroups(replica)))
        throw new Error(`something stays in the control groups of ${replica}`);
    },
    runs,
    ownersOf,
    specOf: (folder) => readPlan(folder)?.spec,
    readLog: readLogFiles,
  };
}

function ownersOf(folders: readonly string[], pids: readonly number[]): ReadonlyMap<number, ProcessOf> {
  const processes = linuxProcesses();
  const replicas = folders.flatMap((folder) => {
    const app = whole(readApp, folder);
    return app && isAlive(processes, app) ? { folder, of: membershipOf(app) } : [];
  });
  return new Map(
    pids.flatMap((pid) => {
      const owner = ownerOf(processes, replicas, pid);
      return owner ? [[pid, { folder: owner.replica.folder, start: owner.process.start }] as const] : [];
    }),
  );
}

/** Undefined also where the record is damaged: the folder is its replica's user's, and nobody else is to suffer for it. */
function whole<T>(read: (folder: string) => T | undefined, folder: string): T | undefined {
  try {
    return read(folder);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Nothing may be started that could fill the disk on which the platform writes its journal. */
class DiskLow extends Error {
  override readonly name = "DiskLow";
  readonly code = "runtime/disk-low";
}

/** Throws a {@link DiskLow}. */
function refuseOnLowDisk(folder: string, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const mib = (bytes: number): string => `${Math.floor(bytes / (1 << 20))} MiB`;
  if (bavail * bsize < reserveBytes)
    throw new DiskLow(
      `The disk of ${folder} has ${mib(bavail * bsize)} left, and WAYBILL_DISK_RESERVE_MB keeps ${mib(reserveBytes)} free: no app is started.`,
    );
}

function runs(folder: string): boolean {
  const shim = readShim(folder);
  return shim !== undefined && isAlive(linuxProcesses(), shim);
}

/**
 * Another replica of this one's Space has its data folder as it is, because one did that was started by a version that bounded no /data:
 * it writes into the folder itself. `starting`: the Spaces of those that are only on their way there, by their folders.
 */
export function livesOnFolder(
  { folder, spec }: Pick<LaunchPlan, "folder" | "spec">,
  starting: ReadonlyMap<string, string>,
): boolean {
  if ([...starting].some(([other, space]) => other !== folder && space === spec.space)) return true;
  const all = dirname(folder);
  return readdirSync(all).some((name) => {
    const other = join(all, name);
    const plan = other === folder ? undefined : whole(readPlan, other);
    if (plan?.spec.space !== spec.space || plan.sandbox === null) return false;
    return !plan.sandbox.disk?.data.volume && runs(other);
  });
}
