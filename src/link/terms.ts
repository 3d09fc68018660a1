/** What a server tells each agent that joins it: where the two meet beside their link. */
import { createHash } from "node:crypto";

export interface Terms {
  /** The agent's node, as its token names it. */
  readonly node: string;
  /** Spaces have names under it. */
  readonly appsDomain: string;
  /** The edge's port. */
  readonly port: number;
  /** The socket by which apps in sandboxes reach the edge; null where there is none. */
  readonly insidePath: string | null;
  /** Apps and builds are plain processes. */
  readonly plainProcesses: boolean;
  /** The server's data folder, and the digest of a file in it: an agent that reads that file is on the same disk. */
  readonly folder: string;
  readonly folderDigest: string;
}

export function folderDigest(folderId: string): string {
  return createHash("sha256").update(folderId).digest("hex");
}

/** Server and agents are of one version: an agent says its own with each request to join, and the server refuses another. */
export const versionHeader = "x-waybill-version";

/** Where agents connect, on the console's host. */
export const linkPath = "/api/nodes/link";
/** Where an agent on another machine opens what carries connections: those that the edge begins, and those that its apps begin. */
export const streamPaths = { visits: "/api/nodes/visits", inside: "/api/nodes/inside" } as const;
export type StreamKind = keyof typeof streamPaths;

/** Undefined for what is none. */
export function parseTerms(value: unknown): Terms | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { node, appsDomain, port, insidePath, plainProcesses, folder, folderDigest } = value as Record<string, unknown>;
  const fits =
    typeof node === "string" &&
    typeof appsDomain === "string" &&
    typeof port === "number" &&
    (insidePath === null || typeof insidePath === "string") &&
    typeof plainProcesses === "boolean" &&
    typeof folder === "string" &&
    typeof folderDigest === "string";
  return fits ? { node, appsDomain, port, insidePath, plainProcesses, folder, folderDigest } : undefined;
}
