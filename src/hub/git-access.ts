/** Who may do what at a repository's addresses: `/OWNER/NAME[.git]/…` of a model, `/datasets/…` and `/spaces/…` of the others. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { codeRow, type Code } from "../evidence/codes.ts";
import { addressGroup } from "../http/address-group.ts";
import { visitorOf } from "../http/visitor.ts";
import { isOwner, keyOf, repoName, repoNouns, type RepoKind, type RepoName } from "./repo-name.ts";
import { isRepositoryName } from "./repository.ts";

/** One who showed a token. */
export interface GitCaller {
  readonly account: string;
  /** What it has shown. */
  readonly via: { readonly kind: "token" | "session"; readonly id: string };
  readonly admin: boolean;
  /** Whether it may read the repository (`space`: its key); change it, or make it where there is none. */
  may(right: "read" | "write", of: { readonly owner: string; readonly space: string }): boolean;
  /** Whether its token is for that. */
  grants(scope: "read" | "write", space: string): boolean;
}

export type Standing = "public" | "private" | "absent";

/** A node's agent: it reads the repositories whose commits it was given to build. */
export interface GitNode {
  readonly node: string;
  /** `owner/name`; `build`: for this one of it. */
  reads(space: string, build?: string): boolean;
}

/** A node that fetches a commit says for which of its builds: the transfer is linked to that. */
export const buildHeader = "x-waybill-build";

/** Who asks, by the token that was shown. */
export type GitAsked =
  | { readonly caller: GitCaller | null }
  | GitNode
  | { readonly refused: Code; readonly says?: string };

export interface GitPath extends RepoName {
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
  /^(?:\/(spaces|datasets))?\/([^/]+)\/([^/]+?)(\.git)?\/(info\/refs|git-upload-pack|git-receive-pack|info\/lfs\/.+)$/;

/** Undefined where the address is not one of git's or git-lfs'. */
export function parseGitPath(url: string): GitPath | undefined {
  const at = url.indexOf("?");
  const match = pathPattern.exec(at === -1 ? url : url.slice(0, at));
  if (match === null) return undefined;
  const [, kind = "models", owner = "", name = "", , rest = ""] = match;
  const repo = repoName(kind as RepoKind, owner, name);
  if (!isOwner(owner) || !isRepositoryName(repo.id)) return undefined;
  return { ...repo, rest, query: new URLSearchParams(at === -1 ? "" : url.slice(at + 1)) };
}

/**
 * Reading a public repository is open, but for nodes. A private one is read by who may, and to all others it is as one that is not there: git
 * shows a token only when it is asked for one, so of both the nameless are asked. Writing is for whom the Space's owner lets, and the
 * operator, by a token that may write. A push makes a Space that is not there; models and datasets are made before.
 */
export function mayAccess(
  repo: RepoName,
  write: boolean,
  asked: GitAsked,
  standing: Standing,
): AccessRefusal | undefined {
  const { owner, id, kind } = repo;
  const key = keyOf(repo);
  const none: AccessRefusal = { status: 404, says: `There is no ${repoNouns[kind]} ${id}.` };
  if ("refused" in asked)
    return { status: 401, says: `${asked.says ?? codeRow(asked.refused).says} ${codeRow(asked.refused).next}` };
  if ("node" in asked) {
    if (!write && kind === "spaces" && asked.reads(id)) return undefined;
    return { status: 403, says: `Node ${asked.node} has no build of ${id}, and nothing to write.` };
  }
  const { caller } = asked;
  if (!write && standing === "public") return undefined;
  if (caller === null)
    return { status: 401, says: "Give an access token as the password; the user's name can be any." };
  if (!write) {
    const reads = caller.grants("read", key) && caller.may("read", { owner, space: key });
    return standing === "private" && reads ? undefined : none;
  }
  if (!caller.grants("write", key))
    return { status: 403, says: "This token is not for that: it has not the scope write." };
  if (caller.may("write", { owner, space: key }))
    return standing === "absent" && kind !== "spaces"
      ? { status: 404, says: `${none.says} Make it first, as with \`hf repos create\`.` }
      : undefined;
  return { status: 403, says: `${id} belongs to ${owner}; you are ${caller.account}.` };
}

/** Who may bring what a pull request is to have: everybody who may read the repository, by a token that may write. */
export function mayPropose(repo: RepoName, asked: GitAsked, standing: Standing): boolean {
  if (standing === "absent" || !("caller" in asked) || asked.caller === null) return false;
  return asked.caller.grants("write", keyOf(repo)) && mayAccess(repo, false, asked, standing) === undefined;
}

/** Whose turns it takes: an account, or a node, or null for the nameless of its address. */
export function askedBy(asked: GitAsked): string | null {
  if ("refused" in asked) return null;
  return "node" in asked ? `node ${asked.node}` : (asked.caller?.account ?? null);
}

/** Where a request comes from, as one caller; empty: from no address. */
export function addressOf(request: IncomingMessage): string {
  return addressGroup(visitorOf(request).address) ?? "";
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
