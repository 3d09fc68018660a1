/** The platform as its own apps see it: under which names, on which port, through which door. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { OwnEdge } from "../egress/gateway.ts";
import { socketFolder } from "../runtime/folder.ts";
import type { EdgeOptions } from "../edge/index.ts";
import type { PlatformConfig } from "./config.ts";
import type { NetworkConfig } from "./network.ts";

export interface NumberedEdge extends OwnEdge {
  readonly port: number;
}

/** The console's name for callers from inside: `localhost` is their own loopback. No Space's label is without a hyphen. */
export function consoleName(appsDomain: string): string {
  return `console.${appsDomain}`;
}

/** Hosts that are the console's: its own, and those by which others reach it. */
export function consoleHosts({ address, appsDomain, consoleHost }: NetworkConfig): string[] {
  return [
    appsDomain,
    consoleName(appsDomain),
    "localhost",
    "127.0.0.1",
    asHost(address),
    ...(consoleHost === null ? [] : [consoleHost]),
  ];
}

/** Where programs of this machine reach it. */
export function ownHost({ address }: NetworkConfig): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return asHost(address);
}

/** As an address stands in a URL: RFC 3986 §3.2.2. */
function asHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** Who may stand in front; without TLS of our own nobody else of another machine may come. */
export function edgeNetwork({
  isProxiesAlone,
  proxies,
  proxyProtocol,
}: NetworkConfig): Pick<EdgeOptions, "proxies" | "proxyProtocol" | "admits"> {
  return {
    ...(proxies !== null && { proxies }),
    ...(proxyProtocol !== null && { proxyProtocol }),
    ...(isProxiesAlone && proxies !== null && { admits: (address) => proxies.has(address) }),
  };
}

/** How an app reaches the platform's API. */
export function platformUrlFor({ network, sandbox }: PlatformConfig, port: number): string {
  return `http://${sandbox === "none" ? ownHost(network) : consoleName(network.appsDomain)}:${port}`;
}

/** Where the gateway brings callers from inside; nobody but the platform's own user may open it. `remove` ends what it leaves. */
export function insideSocket(data: string): { readonly path: string; remove(): void } {
  const folder = socketFolder(data);
  const path = join(folder, "inside.sock");
  return { path, remove: () => rmSync(folder === data ? path : folder, { recursive: true, force: true }) };
}

export function ownEdge({ appsDomain }: Pick<PlatformConfig, "appsDomain">, port: number, path: string): NumberedEdge {
  return {
    isOurs: (name) => name === appsDomain || name.endsWith(`.${appsDomain}`),
    servesPort: (asked) => asked === port,
    path,
    port,
  };
}
