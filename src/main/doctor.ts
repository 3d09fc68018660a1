/** `waybill doctor`: what the operator's settings mean on this machine, looked at. */
import type { DoctorOptions } from "../cli/world.ts";
import { examine } from "../doctor/checks.ts";
import type { Row } from "../doctor/checks.ts";
import type { ConfigResult } from "./config.ts";
import { dataFolder, readConfig } from "./config.ts";
import { machineOf } from "./doctor-machine.ts";

export interface DoctorWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** With the settings that `waybill up` would read; what is wrong with these is a row too. */
export function doctor(options: DoctorOptions, { env, version }: DoctorWorld): Promise<readonly Row[]> {
  const { data, server } = options;
  const config = configOf(options, env);
  const path = (env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(":");
  return examine(machineOf({ data: dataFolder(env, data), config, version, server, path }));
}

export function configOf(
  { data, port, network, sandbox, journal }: DoctorOptions,
  env: DoctorWorld["env"],
): ConfigResult {
  return readConfig(env, {
    ...{ role: "all", data, port, network, sandbox, journal },
    ...{ simulateGpus: undefined, standBy: false, service: false, json: true },
  });
}
