/** The door for agents that join over a network: on the console's host, by a node's token. */
import { readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { InsideCaller } from "../contract/egress.ts";
import type { NodeTokens } from "../control/node-tokens.ts";
import type { UpgradeEnd } from "../edge/index.ts";
import { problemOf, writeProblem } from "../http/index.ts";
import type { Links } from "../link/accept.ts";
import { linkPath, streamPaths, versionHeader, type StreamKind } from "../link/terms.ts";
import { base32, type RandomBytes } from "../stdx/ids.ts";

export interface LinkDoor {
  readonly links: Links;
  readonly tokens: NodeTokens;
  /** Resolves when agents may say hello. */
  readonly ready: Promise<void>;
  /** The server's own. */
  readonly version: string;
  onFailure(what: string, error: unknown): void;
}

/** True where the request is an agent's that joins: it is answered. */
export function serveLink(
  door: LinkDoor,
  request: IncomingMessage,
  response: ServerResponse,
  { upgrade, inside }: { upgrade: UpgradeEnd | undefined; inside: InsideCaller | undefined },
): boolean {
  const to = placeOf(request.url);
  if (upgrade === undefined || to === undefined) return false;
  answer(door, request, response, { upgrade, inside, to }).catch((error: unknown) => {
    upgrade.socket.destroy();
    door.onFailure("an agent that joins", error);
  });
  return true;
}

async function answer(
  { links, tokens, ready, version }: LinkDoor,
  request: IncomingMessage,
  response: ServerResponse,
  { upgrade, inside, to }: { upgrade: UpgradeEnd; inside: InsideCaller | undefined; to: "link" | StreamKind },
): Promise<void> {
  await ready;
  // An app is no agent, whatever it has found.
  const node = inside === undefined ? await tokens.nodeOf(request.headers.authorization) : undefined;
  if (node === undefined)
    return writeProblem(request, response, { problem: problemOf("identity/bad-token"), close: true });
  const theirs = request.headers[versionHeader];
  if (to === "link" && theirs !== version) {
    const says =
      typeof theirs === "string" ? `this agent is of version ${theirs}` : "this agent does not say its version";
    const detail = `${says}, and the server of version ${version}: they have to be of the same.`;
    return writeProblem(request, response, { problem: problemOf("control/other-version", { detail }), close: true });
  }
  response.detachSocket(upgrade.socket);
  if (to === "link") links.take(node, request, upgrade.socket, upgrade.first);
  else links.takeStreams({ node, kind: to }, request, upgrade.socket, upgrade.first);
}

function placeOf(path: string | undefined): "link" | StreamKind | undefined {
  if (path === linkPath) return "link";
  if (path === streamPaths.visits) return "visits";
  return path === streamPaths.inside ? "inside" : undefined;
}

const folderIdName = "folder.id";

/** What tells a data folder from all others; made at the first start. */
export async function folderIdOf(data: string, random: RandomBytes): Promise<string> {
  const known = await readFolderId(data);
  if (known !== undefined) return known;
  const id = base32(random(16));
  await writeFile(join(data, folderIdName), id, { mode: 0o600, flush: true });
  return id;
}

/** Undefined where there is no such folder, or it is not ours to read. */
export async function readFolderId(data: string): Promise<string | undefined> {
  try {
    return await readFile(join(data, folderIdName), "utf8");
  } catch (error) {
    if (["ENOENT", "EACCES", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
