/** `waybill up`: starts the platform, says where it is, and stays until it is told to stop. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { dirname } from "node:path";
import { pino } from "pino";
import { CliFailure } from "../cli/failures.ts";
import { exit } from "../cli/exit.ts";
import type { UpOptions } from "../cli/world.ts";
import { RecordsMissing } from "../control/call-list.ts";
import { ListenError } from "../edge/index.ts";
import { SecretKeyMissing } from "../identity/secret-box.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { readConfig, signInFile } from "./config.ts";
import type { PlatformConfig } from "./config.ts";
import { startPlatform } from "./platform.ts";
import type { Platform } from "./platform.ts";

export interface UpWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
}

/** Resolves with the exit code when the platform has stopped. Throws a `CliFailure` where it cannot start. */
export async function up(options: UpOptions, { env, version, startedAt, signal }: UpWorld): Promise<number> {
  const read = readConfig(env, options);
  if (!read.ok) {
    throw new CliFailure(exit.usage, {
      code: "config-invalid",
      says: read.problems.join("; "),
      next: "Correct all of it and start again.",
    });
  }
  const { config } = read;
  // Plain processes that we start would inherit what our starter left open, and what they make is read by other users.
  if (process.channel === undefined) closeInheritedFiles();
  process.umask(0o022);
  // Log lines are JSON on standard error; a person at a terminal sees warnings only, since the screen is for what matters.
  const log = pino(
    { level: options.json ? "info" : "warn", base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  let platform: Platform;
  try {
    platform = await startPlatform(
      config,
      { clock: systemClock, random: systemRandom, log },
      { version, startedAt, signal },
    );
  } catch (error) {
    throw startFailure(error, config);
  }
  const broken = await Promise.race([platform.broken, stay(platform, { options, config, version, env, signal })]);
  // L27: nothing more may be written, so nothing is closed in order: the process ends as if it were killed, and the next start finds the apps.
  if (broken)
    throw new CliFailure(exit.failed, {
      code: "platform-broken",
      says: `the platform stopped: ${broken.message}`,
      next: "Read its log, look at the disk, then start it again: what was acknowledged is on disk, and the apps go on running.",
    });
  return exit.done;
}

/** Until the signal; then all is stopped, also where the start could not be told. */
async function stay(
  platform: Platform,
  world: Parameters<typeof tell>[1] & { signal: AbortSignal },
): Promise<undefined> {
  await using _stopped = platform;
  await tell(platform, world);
  // Kept now: a platform may be killed.
  flushCompileCache();
  await aborted(world.signal);
}

async function tell(
  platform: Platform,
  {
    options,
    config,
    version,
    env,
  }: { options: UpOptions; config: PlatformConfig; version: string; env: UpWorld["env"] },
): Promise<void> {
  const { url, token, bootMs } = platform;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ready: true, url, account: "admin", token, bootMs })}\n`);
    return;
  }
  const saved = await saveSignIn(signInFile(env), { url, token });
  const status = await platform.server.status();
  const port = new URL(url).port;
  const gpus = status.pools.map(
    (pool) =>
      `pool ${pool.name}: ${pool.devices === 0 ? "no cards" : `${pool.devices} ${pool.simulated ? "SIMULATED " : ""}${pool.devices === 1 ? "card" : "cards"}, ${pool.slots} slots`}`,
  );
  process.stderr.write(
    [
      `Waybill ${version} ready in ${(bootMs / 1000).toFixed(1)} s      data ${config.data}`,
      `  console  ${url}`,
      `  apps     http://<owner>-<name>.${config.appsDomain}:${port}, for programs http://127.x.y.z:${port}`,
      `  GPUs     ${gpus.join("; ")}`,
      `  sandbox  ${status.isolation.says.replace(/^sandbox /, "")}`,
      saved
        ? "next: waybill deploy ./my-app --space admin/my-app"
        : `next: export WAYBILL_URL=${url} WAYBILL_TOKEN=${token}; waybill deploy ./my-app --space admin/my-app`,
      "",
    ].join("\n"),
  );
}

/** Signs the command line in here, unless it is signed in somewhere else. */
async function saveSignIn(file: string, signIn: { url: string; token: string }): Promise<boolean> {
  const before = await readFile(file, "utf8").catch(() => undefined); // None is the usual case; a damaged one is not ours to mend.
  if (before !== undefined && !before.includes('"local":true')) return false;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ ...signIn, local: true }), { mode: 0o600 });
  return true;
}

/** What keeps the platform from starting, in the words of its own errors; anything unforeseen stays as it is. */
export function startFailure(error: unknown, config: PlatformConfig): unknown {
  if (error instanceof ListenError) {
    return new CliFailure(exit.failed, {
      code: "port-in-use",
      says: error.message,
      next: "Give another one with --port, or stop what has it.",
      cause: error,
    });
  }
  const { name, message } = error as Error;
  if (name === "SandboxMissing") {
    return new CliFailure(exit.failed, {
      code: "runtime/sandbox-denied",
      says: message,
      next: "Install what is missing, or start it with --sandbox none, which runs apps and builds as plain processes of your own user.",
      cause: error,
    });
  }
  if (error instanceof SecretKeyMissing) {
    return new CliFailure(exit.failed, {
      code: error.code,
      says: message,
      next: `Put the file back from your copy of it, or name where it is with WAYBILL_SECRETS_KEY_FILE. Nothing in ${config.data} was changed.`,
      cause: error,
    });
  }
  if (error instanceof RecordsMissing) {
    return new CliFailure(exit.failed, {
      code: error.code,
      says: message,
      next: `Restore ${config.data} from a backup.`,
      cause: error,
    });
  }
  if (
    name === "DataFolderBusy" ||
    name === "DatabaseBusy" ||
    name === "DatabaseUnfit" ||
    name === "JournalElsewhere" ||
    name === "JournalDamaged" ||
    name === "JournalFormatUnknown" ||
    name === "EventVersionUnknown" ||
    name === "CatalogError" ||
    name === "SnapshotMismatch"
  ) {
    return new CliFailure(exit.failed, {
      code: (error as { code?: string }).code ?? "data-folder",
      says: message,
      next: `Nothing in ${config.data} was changed.`,
      cause: error,
    });
  }
  if (name === "JournalStopped" || diskErrors.includes((error as NodeJS.ErrnoException).code ?? "")) {
    return new CliFailure(exit.failed, {
      code: "data-folder-unfit",
      says: `nothing can be kept in ${config.data}: ${message}`,
      next: "Look at its disk: whether it is full or read-only, and what the kernel's log says of it; then start it again. What was acknowledged before is not lost.",
      cause: error,
    });
  }
  return error;
}

/** What the system says of a folder that cannot be written. */
const diskErrors: readonly string[] = ["EROFS", "ENOSPC", "EDQUOT", "EIO", "EACCES", "EPERM"];

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
