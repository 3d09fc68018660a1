/** The app in its sandbox: below a pid 1 of its own, with a writable layer over its release, ended with all that it started. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "../../stdx/assert.ts";
import { markerOf, writeStored, type AppRecord, type SandboxPlan, type StoredPlan } from "../folder.ts";
import type { LogWriter } from "../log.ts";
import { endAll, members, type Membership, type Processes } from "../processes.ts";
import { insideUser, type Bind, type Recipe } from "../sandbox/recipe.ts";
import { prepareFiles, startSandboxed } from "../sandbox/start.ts";
import { drainMs, ignoreAbort, logStream, type App, type AppEnd } from "./app.ts";
import { appEnvironment } from "./environment.ts";

const hostname = "app";
const appFolder = "/app";
const dataFolder = "/data";
const scratchFolder = "/scratch";
const cgroupFile = "/run/waybill-cgroup";
const usualPath = ["/usr/local/bin", "/usr/bin", "/bin"];

/** Starts `release.argv` in a sandbox of its own; one that cannot be made is an app that ended, `denied`. */
export async function startSandboxedApp(
  plan: StoredPlan,
  sandbox: SandboxPlan,
  deviceApi: string | null,
  log: LogWriter,
  processes: Processes,
): Promise<App> {
  assert(plan.release.argv !== null, "a release that is not static has a command");
  const port = plan.port ?? plan.release.appPort;
  const { recipe, filter } = recipeOf(plan, sandbox, deviceApi, port);
  const groups = sandbox.cgroups?.join ?? [];
  const killsBefore = memoryKills(groups);
  const started = startSandboxed(recipe, { filter, cgroups: groups });
  const output = Promise.all([logStream(started.stdout, "out", log), logStream(started.stderr, "err", log)]);
  const pid1 = await started.pid1;
  const of = pid1 === undefined ? null : recordApp(plan, pid1, port, processes);
  const exited = started.exited.then((end): AppEnd => {
    const outOfMemory = end.signal === "SIGKILL" && memoryKills(groups) > killsBefore;
    return {
      ...end,
      ...(end.failure === null ? {} : { denied: true as const }),
      ...(outOfMemory ? { outOfMemory: true as const } : {}),
    };
  });
  // All of a pid namespace ends with its pid 1.
  const clear = async (): Promise<void> => {
    if (of) await endAll(processes, () => members(processes, of, process.pid));
  };
  const ended = exited.then(async (end) => {
    await clear();
    await Promise.race([output, delay(drainMs)]);
    return end;
  });
  return {
    pid: pid1 ?? null,
    port,
    of,
    exited,
    ended,
    end: async (graceMs) => {
      if (of && started.child.exitCode === null && started.child.signalCode === null) {
        for (const pid of processes.children(of.root.pid)) {
          const child = processes.stat(pid);
          if (child) processes.signal(child, "SIGTERM");
        }
        const grace = new AbortController();
        await Promise.race([exited, delay(graceMs, undefined, { signal: grace.signal }).catch(ignoreAbort)]);
        grace.abort();
        await clear();
      }
      await ended;
    },
  };
}

function recipeOf(
  plan: StoredPlan,
  sandbox: SandboxPlan,
  deviceApi: string | null,
  port: number,
): { readonly recipe: Recipe; readonly filter: string } {
  const { etc, filter } = prepareFiles(plan.folder, hostname);
  const scratch = join(plan.folder, "scratch");
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  writeFileSync(join(plan.folder, "cgroup"), `0::/${plan.spec.replica}\n`);
  const node = plan.path[0] ?? "";
  const needs = [...(plan.release.needs ?? []), ...(node.startsWith("/usr/") || node === "" ? [] : [node])];
  const same = (path: string): Bind => ({ from: path, to: path });
  const recipe: Recipe = {
    argv: plan.release.argv ?? [],
    cwd: appFolder,
    env: appEnvironment(plan, {
      port,
      home: insideUser.home,
      cgroupFile,
      deviceApi,
      path: [node, ...usualPath],
      extra: {
        TMPDIR: "/tmp",
        XDG_CACHE_HOME: `${dataFolder}/.cache`,
        ZEROGPU_OFFLOAD_DIR: scratchFolder,
        ...(existsSync("/etc/ssl/certs/ca-certificates.crt")
          ? { SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" }
          : {}),
      },
    }),
    readOnly: [
      { from: join(plan.folder, "cgroup"), to: cgroupFile },
      ...needs.filter((path) => existsSync(path)).map(same),
    ],
    writable: [
      { from: writableLayer(plan), to: appFolder },
      { from: sandbox.dataFolder, to: dataFolder },
      { from: scratch, to: scratchFolder },
    ],
    etc,
    hostname,
    limits: sandbox.limits,
    devices: [],
  };
  return { recipe, filter };
}

/** The release's files with a layer above them that is the replica's own; `userxattr` is what an unprivileged overlay needs. */
function writableLayer(plan: StoredPlan): string {
  const at = (name: string): string => join(plan.folder, "layer", name);
  for (const name of ["upper", "work", "app"]) mkdirSync(at(name), { recursive: true, mode: 0o755 });
  const options = `userxattr,lowerdir=${join(plan.releaseFolder, "app")},upperdir=${at("upper")},workdir=${at("work")}`;
  execFileSync("mount", ["-t", "overlay", "-o", options, "overlay", at("app")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return at("app");
}

function recordApp(plan: StoredPlan, pid: number, port: number, processes: Processes): Membership {
  const start = processes.stat(pid)?.start ?? "";
  const marker = markerOf(plan.spec.replica);
  writeStored(plan.folder, "app.json", { pid, start, port, marker, sandboxed: true } satisfies AppRecord);
  return { root: { pid, start }, marker, sandboxed: true };
}

/** How often the kernel ended something of these groups for want of memory. */
function memoryKills(groups: readonly string[]): number {
  let kills = 0;
  for (const group of groups) {
    for (const file of ["memory.oom_control", "memory.events"]) {
      const path = join(group, file);
      if (!existsSync(path)) continue;
      kills += Number(/^oom_kill (\d+)/m.exec(readFileSync(path, "latin1"))?.[1] ?? 0);
    }
  }
  return kills;
}
