/** What builds get of the operator's environment to reach package indexes, and what follows from it for their sandbox. */
import { existsSync } from "node:fs";
import type { NameRule } from "../contract/reach.ts";
import type { EgressPolicy } from "../egress/policy.ts";

/** Never a credential of the platform. */
const passed = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "npm_config_registry",
  "npm_config_cafile",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "PIP_INDEX_URL",
  "PIP_CERT",
  "UV_DEFAULT_INDEX",
  "UV_INDEX",
] as const;
/** The most hosts that a handful of settings name. */
const vouchedMax = 32;

export type BuildVariables = Readonly<Record<string, string>>;

export function passedToBuilds(env: Readonly<Record<string, string | undefined>>): BuildVariables {
  return Object.fromEntries(passed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

/** Files and folders that they name, which commands must be able to read. */
export function filesNamedBy(variables: BuildVariables): readonly string[] {
  return Object.values(variables).filter((value) => value.startsWith("/") && existsSync(value));
}

/** What builds may reach: what apps may, what is allowed to builds alone, and the hosts that the settings name, wherever they are. */
export function buildPolicy(app: EgressPolicy, more: readonly NameRule[], variables: BuildVariables): EgressPolicy {
  return { ...app, allow: [...app.allow, ...more], vouched: hostsNamedBy(variables) };
}

function hostsNamedBy(variables: BuildVariables): readonly NameRule[] {
  const urls = Object.values(variables).flatMap((value) => value.match(/https?:\/\/[^\s,]+/g) ?? []);
  return urls
    .flatMap((text): NameRule[] => {
      const url = URL.parse(text);
      if (url === null) return []; // what reads the setting says so
      const usual = url.protocol === "https:" ? 443 : 80;
      return [{ pattern: url.hostname, port: url.port === "" ? usual : Number(url.port) }];
    })
    .slice(0, vouchedMax);
}
