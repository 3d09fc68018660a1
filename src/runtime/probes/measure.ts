/** What is in force on a probed replica, looked at from outside: whose processes, which filter, which limits, and how it ends. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Isolation } from "../../contract/isolation.ts";
import { readApp, type StoredPlan } from "../folder.ts";
import { readReplicaLog } from "../launch.ts";
import { insideMember, isAlive, linuxProcesses, type ProcessName } from "../processes.ts";
import { isPopulated, killGroup, limitsInForce, oomKills, type CgroupsHere } from "../sandbox/cgroups.ts";
import { unservedPort, type Outcome } from "./inside/facts.ts";

export type Measured = Pick<
  Isolation,
  "hostUid" | "seccomp" | "memory" | "processes" | "cpu" | "ends" | "disk" | "egress"
>;

export interface Measuring {
  /** When the prober has ended, whose outcomes these are; ends the neighbour. */
  finish(outcomes: readonly Outcome[]): Promise<Measured>;
}

interface Pair {
  readonly prober: StoredPlan;
  readonly neighbour: StoredPlan;
}

/** Pid 1 is bubblewrap, or crun's init, and the app's first process the next. */
const firstPid = 2;
/** The probes run with the lowest priority: on a busy machine everything else comes first. */
const startWithinMs = 60_000;
/** What `cgroup.kill` takes a few milliseconds for; what takes longer is not ended by it. */
const gonesWithinMs = 1_000;
const lookEveryMs = 10;
const logLines = 1_000;
const processes = linuxProcesses();

/** Begins while both live. */
export function measure(cgroups: CgroupsHere, { prober, neighbour }: Pair): Measuring {
  const users = Promise.all([first(prober).then(userOf), first(neighbour).then(userOf)]);
  users.catch(() => undefined); // told by `finish`
  return {
    async finish(outcomes) {
      const app = await first(neighbour);
      const inForce = limitsInForce(neighbour.spec.replica, app.pid, neighbour.sandbox?.limits, cgroups);
      const came = (probe: string): string | undefined => outcomes.find((one) => one.probe === probe)?.outcome;
      const [one, other] = await users;
      const filled = (probe: string): boolean => came(probe) === "ENOSPC";
      const killed = came("much-memory") === "SIGKILL" && oomKills(prober.sandbox?.cgroups?.oomCounter ?? null) > 0;
      return {
        hostUid: one === other || one === process.getuid?.() ? "shared" : "own",
        seccomp: filterOf(neighbour, app),
        memory: killed ? (inForce.memory ?? "none") : came("much-memory") === "app/out-of-memory" ? "polled" : "none",
        processes: came("many-processes") === "EAGAIN" ? (inForce.processes ?? "rlimit") : "none",
        cpu: inForce.processor ?? "none",
        disk: !["fill-tmp", "fill-shm", "fill-home"].every(filled) ? "none" : onDisk(prober, filled),
        egress: wayOut(prober),
        ends: await endsWhole(neighbour, app),
      };
    },
  };
}

/** What bounds its share of the disk: the sizes of its file systems, as it found them, or that it is looked at. */
function onDisk({ sandbox }: StoredPlan, filled: (probe: string) => boolean): Measured["disk"] {
  if (!sandbox?.disk?.data.volume) return sandbox?.disk ? "polled" : "none";
  return ["fill-data", "fill-app"].every(filled) ? "loop" : "none";
}

/** The app's first process, once it is there. */
async function first(plan: StoredPlan): Promise<ProcessName> {
  for (let waited = 0; waited < startWithinMs; waited += lookEveryMs) {
    const root = readApp(plan.folder);
    const found = root && insideMember(processes, { root, marker: root.marker, sandboxed: true }, firstPid);
    if (found) return found;
    await delay(lookEveryMs);
  }
  throw new Error(`no process of ${plan.spec.replica} was seen within ${startWithinMs} ms`);
}

function userOf({ pid }: ProcessName): number {
  return statSync(`/proc/${pid}`).uid;
}

/** SHA-256 of the filter that was loaded, where one is in force (`Seccomp: 2` of proc_pid_status(5)). */
function filterOf({ folder }: StoredPlan, { pid }: ProcessName): string | null {
  if (!/^Seccomp:\s+2$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) return null;
  return createHash("sha256")
    .update(readFileSync(join(folder, "filter.bpf")))
    .digest("hex");
}

/** By what its own log says of refused connections: on a port of the policy, and on one that only the catch-all hears of. */
function wayOut({ folder }: StoredPlan): Measured["egress"] {
  const { lines } = readReplicaLog(folder, 1, logLines);
  const refused = (port: number): boolean =>
    lines.some(({ source, text }) => source === "egress" && text.startsWith(`egress/address-denied: 1.1.1.1:${port} `));
  if (!refused(443)) return "none";
  return refused(unservedPort) ? "gateway+catchall" : "gateway";
}

/** Whether the neighbour's group can be ended whole, with the one that had left its parent and its session. */
async function endsWhole({ sandbox }: StoredPlan, app: ProcessName): Promise<Measured["ends"]> {
  const group = sandbox?.cgroups?.workers ?? null;
  if (group === null || !isPopulated(group) || !killGroup(group)) return "tree";
  for (let waited = 0; waited < gonesWithinMs; waited += lookEveryMs) {
    if (!isPopulated(group) && !isAlive(processes, app)) return "cgroup-kill";
    await delay(lookEveryMs);
  }
  return "tree";
}
