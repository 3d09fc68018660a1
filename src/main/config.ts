/** The only reader of the environment: names here are the names that an operator types. All problems are told at once. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { queueLimits } from "../build/queue.ts";
import type { BuildLimits } from "../control/builds.ts";
import type { UpOptions } from "../cli/world.ts";
import type { EdgeLimits } from "../edge/limits.ts";
import { durationMs, seconds } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface PlatformConfig {
  /** Absolute path of the data folder. */
  readonly data: string;
  readonly listen: {
    readonly address: string;
    /** 0: any free one. */
    readonly port: number;
    /** A port that was not asked for by number gives way to the next free one. */
    readonly next: boolean;
  };
  /** Spaces have names under it. */
  readonly appsDomain: string;
  /** `2x2`, or null: the machine's own cards. */
  readonly simulateGpus: string | null;
  readonly build: BuildLimits;
  /** How long a replica may take to listen where its Space does not say. */
  readonly startMs: DurationMs;
  readonly edge: Partial<EdgeLimits>;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: PlatformConfig }
  | { readonly ok: false; readonly problems: readonly string[] };

export const defaultPort = 7070;

/** Where `waybill up` and `waybill login` keep the sign-in that other commands use. */
export function signInFile(env: Environment): string {
  return join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "waybill", "sign-in.json");
}

export function readConfig(env: Environment, options: UpOptions): ConfigResult {
  const problems: string[] = [];
  const read = new Reader(env, problems);
  const data =
    options.data ?? env["WAYBILL_DATA"] ?? join(env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "waybill");
  const port = options.port ?? read.whole("WAYBILL_PORT", { least: 0, most: 65_535 });
  if (options.host !== undefined && options.host !== "127.0.0.1" && options.host !== "localhost") {
    problems.push(
      `--host is "${options.host}"; this version listens on 127.0.0.1 only, since opening it to a network needs TLS and a domain`,
    );
  }
  if (options.sandbox !== undefined && options.sandbox !== "none") {
    problems.push(`--sandbox is "${options.sandbox}"; write none, the only level that there is, or leave it out`);
  }
  const appsDomain = env["WAYBILL_APPS_DOMAIN"] ?? "localhost";
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(appsDomain))
    problems.push(`WAYBILL_APPS_DOMAIN is "${appsDomain}"; write a domain such as localhost`);
  const waitMs = read.seconds("WAYBILL_BUILD_QUEUE_SECONDS") ?? queueLimits.waitMs;
  const buildMs = read.seconds("WAYBILL_BUILD_SECONDS") ?? seconds(1200);
  const startMs = read.seconds("WAYBILL_START_SECONDS") ?? seconds(1800);
  const responseWithinMs = read.seconds("WAYBILL_RESPONSE_SECONDS");
  if (problems.length > 0) return { ok: false, problems };
  const config: PlatformConfig = {
    data: resolve(data),
    listen: { address: "127.0.0.1", port: port ?? defaultPort, next: port === undefined },
    appsDomain,
    simulateGpus: options.simulateGpus ? `${options.simulateGpus.devices}x${options.simulateGpus.slots}` : null,
    build: { ...queueLimits, queueMax: 100, waitMs, buildMs },
    startMs,
    edge: responseWithinMs === undefined ? {} : { responseWithinMs },
  };
  return { ok: true, config };
}

class Reader {
  readonly #env: Environment;
  readonly #problems: string[];

  constructor(env: Environment, problems: string[]) {
    this.#env = env;
    this.#problems = problems;
  }

  whole(name: string, { least, most }: { least: number; most: number }): number | undefined {
    const text = this.#env[name];
    if (text === undefined || text === "") return undefined;
    const value = Number(text);
    if (/^\d{1,12}$/.test(text) && value >= least && value <= most) return value;
    this.#problems.push(`${name} is "${text}"; write a whole number from ${least} to ${most}`);
    return undefined;
  }

  seconds(name: string): DurationMs | undefined {
    const value = this.whole(name, { least: 1, most: 86_400 });
    return value === undefined ? undefined : durationMs(value * 1000);
  }
}
