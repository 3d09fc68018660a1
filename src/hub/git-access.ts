/** Who may do what at a repository's addresses: `/spaces/OWNER/NAME[.git]/…`. */
import type { ServerResponse } from "node:http";
import { codeRow, type Code } from "../evidence/codes.ts";
import { isRepositoryName } from "./repository.ts";

/** One who showed a token. */
export interface GitCaller {
  readonly account: string;
  /** What it has shown. */
  readonly via: { readonly kind: "token" | "session"; readonly id: string };
  readonly admin: boolean;
  /** Whether it may read the Space; change it, or make it where there is none. */
  may(right: "read" | "write", of: { readonly owner: string; readonly space: string }): boolean;
  /** Whether its token is for that. */
  grants(scope: "read" | "write", space: string): boolean;
}

export type Standing = "public" | "private" | "absent";

/** A node's agent: it reads the repositories whose commits it was given to build. */
export interface GitNode {
  readonly node: string;
  /** `owner/name` */
  reads(space: string): boolean;
}

/** Who asks, by the token that was shown. */
export type GitAsked =
  | { readonly caller: GitCaller | null }
  | GitNode
  | { readonly refused: Code; readonly says?: string };

export interface GitPath {
  /** Repositories of other kinds get their own first word. */
  readonly kind: "spaces";
  readonly owner: string;
  readonly name: string;
  /** `owner/name` */
  readonly id: string;
  /** What follows the repository: `info/refs`, `git-upload-pack`, `git-receive-pack`, or below `info/lfs/`. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

/** An answer that says no, in a sentence that git shows (`remote: …`) since it is plain text. */
export interface AccessRefusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 503;
  readonly says: string;
}

const pathPattern =
  /^\/(spaces)\/([^/]+)\/([^/]+?)(\.git)?\/(info\/refs|git-upload-pack|git-receive-pack|info\/lfs\/.+)$/;

/** Undefined where the address is not one of git's or git-lfs'. */
export function parseGitPath(url: string): GitPath | undefined {
  const at = url.indexOf("?");
  const match = pathPattern.exec(at === -1 ? url : url.slice(0, at));
  if (match === null) return undefined;
  const [, kind, owner = "", name = "", , rest = ""] = match;
  const id = `${owner}/${name}`;
  if (!isRepositoryName(id)) return undefined;
  return {
    kind: kind as "spaces",
    owner,
    name,
    id,
    rest,
    query: new URLSearchParams(at === -1 ? "" : url.slice(at + 1)),
  };
}

/**
 * Reading a public Space is open, but for nodes. A private one is read by who may, and to all others it is as one that is not there: git
 * shows a token only when it is asked for one, so of both the nameless are asked. Writing is for whom the Space's owner lets, and the
 * operator, by a token that may write.
 */
export function mayAccess(
  { owner, id }: GitPath,
  write: boolean,
  asked: GitAsked,
  standing: Standing,
): AccessRefusal | undefined {
  if ("refused" in asked)
    return { status: 401, says: `${asked.says ?? codeRow(asked.refused).says} ${codeRow(asked.refused).next}` };
  if ("node" in asked) {
    if (!write && asked.reads(id)) return undefined;
    return { status: 403, says: `Node ${asked.node} has no build of ${id}, and nothing to write.` };
  }
  const { caller } = asked;
  if (!write && standing === "public") return undefined;
  if (caller === null)
    return { status: 401, says: "Give an access token as the password; the user's name can be any." };
  if (!write) {
    const reads = caller.grants("read", id) && caller.may("read", { owner, space: id });
    return standing === "private" && reads ? undefined : { status: 404, says: `There is no Space ${id}.` };
  }
  if (!caller.grants("write", id))
    return { status: 403, says: "This token is not for that: it has not the scope write." };
  if (caller.may("write", { owner, space: id })) return undefined;
  return { status: 403, says: `${id} belongs to ${owner}; you are ${caller.account}.` };
}

/** Whose turns it takes: an account, or a node, or null for the nameless of its address. */
export function askedBy(asked: GitAsked): string | null {
  if ("refused" in asked) return null;
  return "node" in asked ? `node ${asked.node}` : (asked.caller?.account ?? null);
}

/** What every answer of git's addresses bears. */
export const plainHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

export function writePlain(response: ServerResponse, refusal: AccessRefusal): void {
  const bytes = Buffer.from(`${refusal.says}\n`);
  response.writeHead(refusal.status, {
    ...plainHeaders,
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(bytes.length),
    ...(refusal.status === 401 ? { "www-authenticate": 'Basic realm="waybill"' } : {}),
    ...(refusal.status === 503 ? { "retry-after": "5" } : {}),
  });
  response.end(bytes);
}

/** Aborted when the client goes before it has its answer. */
export function leaving(response: ServerResponse): AbortSignal {
  const left = new AbortController();
  if (response.destroyed) left.abort();
  response.once("close", () => left.abort());
  return left.signal;
}
