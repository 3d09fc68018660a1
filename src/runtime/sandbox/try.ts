/** Whether a sandbox can be made here: one is made, by the recipe of all others, for a program that does nothing. */
import { spawn, type StdioOptions } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bwrapOptions, rlimits, type Recipe } from "./recipe.ts";
import { hostCommand } from "./stage.ts";
import { prepareFiles } from "./start.ts";

const withinMs = 5_000;
const lastWordsWithinMs = 500;
const saidMaxLength = 2_000;
const path = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Makes one by the recipe, for a program that does nothing. Null where that worked, else what the failing program said. */
export async function trySandbox(hostUid: number | null): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), "wb-try-"));
  chmodSync(folder, 0o755);
  try {
    const { etc, filter } = prepareFiles(folder, "app");
    const limits = {
      processes: 64,
      openFiles: 256,
      memoryBytes: 1 << 26,
      tmpBytes: 4096,
      shmBytes: 4096,
      homeBytes: 4096,
    };
    const places = { cwd: "/", readOnly: [], writable: [], etc, devices: [] };
    const recipe: Recipe = { argv: ["/usr/bin/true"], env: {}, hostname: "app", limits, ...places };
    const command = [
      "/usr/bin/prlimit",
      ...rlimits(limits),
      "--",
      "/usr/bin/bwrap",
      ...bwrapOptions(recipe),
      "--",
      ...recipe.argv,
    ];
    return await saidBy(hostCommand({ hostUid, needs: [folder], frozen: [], cgroup: null }, command), filter);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a command said that did not go well; null where it did. */
async function saidBy([command, ...rest]: readonly [string, ...string[]], filter: string): Promise<string | null> {
  const [open, status] = [openSync(filter, "r"), openSync("/dev/null", "w")];
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", open, status];
  const child = spawn(command, rest, {
    cwd: "/",
    env: { PATH: path },
    stdio,
    timeout: withinMs,
    killSignal: "SIGKILL",
  });
  for (const file of [open, status]) closeSync(file);
  let said = "";
  const heard = new Promise((resolve) => child.stderr?.once("close", resolve));
  child.stderr?.on("data", (bytes: Buffer) => (said = (said + bytes.toString()).slice(-saidMaxLength)));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => {
      if (code === 0) return resolve(null);
      // Whatever it left may hold the pipe for ever.
      void Promise.race([heard, delay(lastWordsWithinMs)]).then(() =>
        resolve(said.trim() || `it ended with ${signal ?? `exit code ${code}`}`),
      );
    });
  });
}
