/** The app in its sandbox (place.ts): below a pid 1 of its own, with a writable layer over its release, ended with all that it started. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "../../stdx/assert.ts";
import { layerName, markerOf, writeStored, type AppRecord, type SandboxPlan, type StoredPlan } from "../folder.ts";
import { endAll, firstPid, insideMember, members, type Membership, type Processes } from "../processes.ts";
import { killGroup } from "../sandbox/cgroups.ts";
import { insideUser, type Bind, type Recipe } from "../sandbox/recipe.ts";
import { drainMs, ignoreAbort, logOutput, type App, type AppEnd, type AppHost } from "./app.ts";
import { appEnvironment, cgroupText } from "./environment.ts";
import { watchDisk } from "../sandbox/disk.ts";
import { hostname, releasedFiles, type Layers, type Place } from "./place.ts";
import { watchMemory } from "../sandbox/memory.ts";

const appFolder = "/app";
const dataFolder = "/data";
const scratchFolder = "/scratch";
const cgroupFile = "/run/waybill-cgroup";
/** Not one that an image may have something in. */
const driverFolder = "/run/waybill-driver";
const usualPath = ["/usr/local/bin", "/usr/bin", "/bin"];
const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Starts `release.argv` in a sandbox of its own; one that cannot be made is an app that ended, `denied`. */
export async function startSandboxedApp(
  plan: StoredPlan,
  sandbox: SandboxPlan,
  place: Place,
  deviceApi: string | null,
  { log, processes, watchFolders, onDisk }: AppHost,
): Promise<App> {
  assert(plan.release.argv !== null, "a release that is not static has a command");
  const note = (text: string): void => log.note(text);
  const port = plan.port ?? plan.release.appPort;
  const layers = await place.layers;
  for (const missing of layers.missing) note(missing);
  const recipe = recipeOf(plan, sandbox, { port, deviceApi, layers, etc: place.etc });
  const disk = await watchDisk({ plan, images: place.images(), watchFolders, note, tell: onDisk });
  const started = place.sandbox.run(recipe);
  const output = logOutput({ out: started.stdout, err: started.stderr }, log);
  const pid1 = await started.pid1;
  const of = pid1 === undefined ? null : recordApp(plan, pid1, port, processes);
  // All of a pid namespace ends with its pid 1, and all of a group with its group; neither leaves anybody out.
  const clear = async (): Promise<void> => {
    if (sandbox.cgroups?.workers) killGroup(sandbox.cgroups.workers);
    if (!of) return;
    const left = await endAll(processes, () => members(processes, of, process.pid));
    if (left.length === 0) return;
    const pids = left.map(({ pid }) => pid).join(", ");
    note(`processes ${pids} did not end after SIGKILL: the kernel still holds them`);
  };
  const end = (): void => void clear();
  const memory = of && watchMemory({ sandbox, of, processes, note, end });
  if (of) disk.begin(of.root.pid, end);
  const exited = started.exited.then(({ exitCode, signal, failure, denied }): AppEnd => {
    const outOfMemory = signal === "SIGKILL" && memory?.endedIt();
    memory?.close();
    const trouble = disk.trouble();
    disk.close();
    return {
      exitCode,
      signal,
      failure,
      ...(trouble && { disk: trouble }),
      ...(denied ? { denied: true } : {}),
      ...(outOfMemory ? { outOfMemory: true } : {}),
    };
  });
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
        termFirst(processes, of);
        const grace = new AbortController();
        await Promise.race([exited, delay(graceMs, undefined, { signal: grace.signal }).catch(ignoreAbort)]);
        grace.abort();
        await clear();
      }
      await ended;
    },
  };
}

/** TERM to the app's first process and its group, as a terminal does; its pid 1 is of that group too and passes nothing on. */
function termFirst(processes: Processes, of: Membership): void {
  const first = insideMember(processes, of, firstPid);
  if (!first) return;
  for (const one of members(processes, of, process.pid))
    if (one.group === first.group && one.pid !== of.root.pid) processes.signal(one, "SIGTERM");
}

interface Given {
  readonly port: number;
  readonly deviceApi: string | null;
  readonly etc: string;
  readonly layers: Layers;
}

function recipeOf(plan: StoredPlan, sandbox: SandboxPlan, { port, deviceApi, etc, layers }: Given): Recipe {
  const scratch = join(plan.folder, layerName, "scratch");
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  writeFileSync(join(plan.folder, "cgroup"), cgroupText(plan.spec.replica));
  const same = (path: string): Bind => ({ from: path, to: path });
  const needs = plan.release.needs ?? [];
  const own: Pick<Recipe, "readOnly" | "writable" | "etc" | "hostname" | "limits" | "devices" | "argv"> = {
    argv: plan.release.argv ?? [],
    readOnly: [{ from: join(plan.folder, "cgroup"), to: cgroupFile }, ...needs.map(same)],
    writable: [
      { from: sandbox.dataFolder, to: dataFolder },
      { from: scratch, to: scratchFolder },
    ],
    etc,
    hostname,
    limits: sandbox.limits,
    devices: sandbox.devices,
  };
  const given = {
    port,
    host: "0.0.0.0",
    home: insideUser.home,
    cgroupFile,
    deviceApi,
    offload: scratchFolder,
  } as const;
  const { image } = plan.release;
  if (image !== undefined) {
    // PATH, HOME and the like are the image's own, as its release has them; so are its certificates.
    const env = appEnvironment(plan, { ...given, extra: { TMPDIR: "/tmp" } });
    const root = { from: layers.app ?? image.root, writable: layers.app !== null };
    const driver = (sandbox.driverFiles ?? []).map(({ name, path }) => ({ from: path, to: `${driverFolder}/${name}` }));
    const readOnly = [...own.readOnly, ...driver];
    return { ...own, readOnly, cwd: image.workdir, env: driver.length === 0 ? env : withDriver(env), root };
  }
  const node = plan.path[0] ?? "";
  const nodeFolder = node.startsWith("/usr/") || node === "" ? [] : [same(node)];
  const { app: layer, system } = layers;
  const app: Bind = { from: layer ?? releasedFiles(plan), to: appFolder };
  return {
    ...own,
    cwd: appFolder,
    env: appEnvironment(plan, {
      ...given,
      path: [node, ...usualPath],
      extra: {
        TMPDIR: "/tmp",
        XDG_CACHE_HOME: `${dataFolder}/.cache`,
        ...(existsSync(certificates) ? { SSL_CERT_FILE: certificates } : {}),
      },
    }),
    readOnly: [...own.readOnly, ...nodeFolder, ...(layer === null ? [app] : []), ...(system?.others ?? [])],
    writable: [...(layer === null ? [] : [app]), ...own.writable],
    ...(system === null ? {} : { usr: system.usr }),
  };
}

/** The image's own folders come first: one may bring a library for just this card. */
function withDriver(env: Readonly<Record<string, string>>): Record<string, string> {
  const last = (paths: string | undefined): string => [...(paths ? [paths] : []), driverFolder].join(":");
  return { ...env, LD_LIBRARY_PATH: last(env["LD_LIBRARY_PATH"]), PATH: last(env["PATH"]) };
}

function recordApp(plan: StoredPlan, pid: number, port: number, processes: Processes): Membership {
  const start = processes.stat(pid)?.start ?? "";
  const marker = markerOf(plan.spec.replica);
  writeStored(plan.folder, "app.json", { pid, start, port, marker, sandboxed: true } satisfies AppRecord);
  return { root: { pid, start }, marker, sandboxed: true };
}
