/** `waybill up`: starts the platform, says where it is, and stays until it is told to stop. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { dirname } from "node:path";
import { CliFailure } from "../cli/failures.ts";
import { exit } from "../cli/exit.ts";
import type { UpOptions } from "../cli/world.ts";
import { adminAccount } from "./boot-token.ts";
import { systemClock, systemRandom } from "./clock.ts";
import { signInFile } from "./config.ts";
import type { PlatformConfig } from "./config.ts";
import { startPlatform } from "./platform.ts";
import type { Platform } from "./platform.ts";
import { aborted, configFrom, prepareProcess, startFailure, type UpWorld } from "./starting.ts";

/** Resolves with the exit code when the platform has stopped. Throws a `CliFailure` where it cannot start. */
export async function up(options: UpOptions, { env, version, startedAt, signal }: UpWorld): Promise<number> {
  const config = configFrom(env, options);
  const log = prepareProcess(options);
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
  const signIn = signInLink(platform, options);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ready: true, url, account: "admin", token, bootMs, signIn })}\n`);
    return;
  }
  const saved = await saveSignIn(signInFile(env), { url, token });
  const status = await platform.server.status();
  const gpus = status.pools.map(
    (pool) =>
      `pool ${pool.name}: ${pool.devices === 0 ? "no cards" : `${pool.devices} ${pool.simulated ? "SIMULATED " : ""}${pool.devices === 1 ? "card" : "cards"}, ${pool.slots} slots`}`,
  );
  process.stderr.write(
    [
      `Waybill ${version} ready in ${(bootMs / 1000).toFixed(1)} s      data ${config.data}`,
      `  console  ${signIn === null ? placeOf(platform) : `${signIn}   signs you in as ${adminAccount}, once`}`,
      `  apps     ${platform.addressing.everySpace}`,
      `  GPUs     ${gpus.join("; ")}`,
      // Until it runs nothing answers on the port.
      ...(config.edgeApart ? [`  edge     apart: start it with \`waybill edge --data ${config.data}\``] : []),
      `  sandbox  ${(status.isolation?.says ?? "").replace(/^sandbox /, "")}`,
      saved
        ? "next: waybill deploy ./my-app --space admin/my-app"
        : `next: export WAYBILL_URL=${url} WAYBILL_TOKEN=${token}; waybill deploy ./my-app --space admin/my-app`,
      "",
    ].join("\n"),
  );
}

function placeOf({ addressing, url }: Platform): string {
  return addressing.isOwnMachine ? url : addressing.console;
}

/** Signs a browser in, once; null where what is printed is kept, or where browsers keep no session. */
function signInLink(platform: Platform, { service }: UpOptions): string | null {
  const place = placeOf(platform);
  if (service || !(platform.addressing.isOwnMachine || place.startsWith("https:"))) return null;
  return `${place}/login#in=${platform.server.signIn.link(adminAccount)}`;
}

/** Signs the command line in here, unless it is signed in somewhere else. */
async function saveSignIn(file: string, signIn: { url: string; token: string }): Promise<boolean> {
  const before = await readFile(file, "utf8").catch(() => undefined); // None is the usual case; a damaged one is not ours to mend.
  if (before !== undefined && !before.includes('"local":true')) return false;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ ...signIn, local: true }), { mode: 0o600 });
  return true;
}
