/** The platform as its own apps see it: under which names, on which port, through which door. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { OwnEdge } from "../egress/gateway.ts";
import { socketFolder } from "../runtime/folder.ts";
import type { PlatformConfig } from "./config.ts";

export interface NumberedEdge extends OwnEdge {
  readonly port: number;
}

/** The console's name for callers from inside: `localhost` is their own loopback. No Space's label is without a hyphen. */
export function consoleName(appsDomain: string): string {
  return `console.${appsDomain}`;
}

/** How an app reaches the platform's API. */
export function platformUrlFor({ appsDomain, sandbox }: PlatformConfig, port: number): string {
  return `http://${sandbox === "none" ? "127.0.0.1" : consoleName(appsDomain)}:${port}`;
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
