/** Whether a sandbox can be made here: one is made, by the recipe of all others, for a program that looks for its filter. */
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Recipe } from "./recipe.ts";
import { hostCommand } from "./stage.ts";
import { prepareFiles, startSandboxed } from "./start.ts";
import { volumeMinBytes } from "./volume.ts";
import type { SandboxDriver } from "./way.ts";

/** What is found here is so for all Spaces until the next start, so a machine that is busy just now has time to answer. */
const withinMs = 30_000;
const limits = { processes: 64, openFiles: 256, memoryBytes: 1 << 26, tmpBytes: 4096, shmBytes: 4096, homeBytes: 4096 };

/** Seccomp of proc_pid_status(5): 2 is a filter. */
const looksForFilter = ["grep", "-q", "^Seccomp:.2$", "/proc/self/status"] as const;
const notFiltered = "what runs in it has no system call filter";

/** Makes one, for a program that finds its filter in force. Null where that worked, else what the failing program said. */
export async function trySandbox(driver: SandboxDriver, hostUid: number | null): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), "wb-try-"));
  chmodSync(folder, 0o755);
  try {
    const { etc, filter, bundle } = prepareFiles(folder, "app");
    const places = { cwd: "/", readOnly: [], writable: [], etc, devices: [] };
    const recipe: Recipe = { argv: looksForFilter, env: { PATH: "/usr/bin:/bin" }, hostname: "app", limits, ...places };
    const stage = { hostUid, needs: [folder], frozen: [], cgroup: null };
    const { child, exited } = startSandboxed(recipe, {
      ...{ driver, filter, bundle, cgroups: [] },
      through: (argv) => hostCommand(stage, argv),
    });
    const late = setTimeout(() => child.kill("SIGKILL"), withinMs);
    const { exitCode, signal, failure } = await exited;
    clearTimeout(late);
    if (exitCode === 0) return null;
    return failure ?? (signal === null ? notFiltered : `it ended with ${signal}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes a small file system in a file and mounts it, as for a replica's disk. Null where that worked, else what the failing program said. */
export async function tryVolume(uid: number): Promise<string | null> {
  if (process.platform !== "linux") return "file systems in files need Linux";
  const folder = mkdtempSync(join(tmpdir(), "wb-try-"));
  const at = join(folder, "disk");
  try {
    const volume = { image: `${at}.ext4`, at, bytes: volumeMinBytes, uid, lasts: false, reserveBytes: 0 } as const;
    const volumes = { all: [volume], mounted: null };
    const stage = { hostUid: uid, needs: [], frozen: [], cgroup: null, volumes };
    const [command, ...rest] = hostCommand(stage, ["/usr/bin/true"]);
    await promisify(execFile)(command, rest, { cwd: "/", timeout: withinMs, killSignal: "SIGKILL" });
    return null;
  } catch (error) {
    return (error as { stderr?: string }).stderr?.trim() || String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
