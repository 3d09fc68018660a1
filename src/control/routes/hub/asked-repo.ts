/** The repository that a path of the Hub's API names, `/api/{models,datasets,spaces}/OWNER/NAME…`, for who may ask about it; and the Hub's own words for no. */
import { keyOf, repoName, repoNouns, type RepoKind, type RepoName } from "../../../hub/repo-name.ts";
import type { Revision } from "../../../hub/repo-reader.ts";
import type { RepoTree } from "../../../hub/tree-index.ts";
import type { Right } from "../../../identity/roles.ts";
import type { ApiContext } from "../../api.ts";
import { mayKnow, ownerOf, refuse } from "../../api.ts";
import type { Caller } from "../../caller.ts";
import type { HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";

export { anyRepo } from "../../audited.ts";

export function namedRepo(c: ApiContext): RepoName {
  const { kind = "", owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  return repoName(kind as RepoKind, owner, name);
}

/** The repository, if it is there and the caller may know that; else the answer that says no. */
export function readableRepo(c: ApiContext, server: Server): HubRepo | Response {
  const name = namedRepo(c);
  const repo = server.hub.repos.find(name);
  const isKnown = repo && (!repo.private || mayKnow(c, repo.owner, "read", repo.key));
  return isKnown ? repo : noRepo(c, name);
}

/** The same for who may change it. */
export function writableRepo(
  c: ApiContext,
  server: Server,
  right: Right = "write",
): { readonly repo: HubRepo; readonly caller: Caller } | Response {
  const name = namedRepo(c);
  const caller = ownerOf(c, name.owner, right, keyOf(name));
  if (caller instanceof Response) return caller;
  const repo = server.hub.repos.find(name);
  return repo ? { repo, caller } : noRepo(c, name);
}

/** Also of a private one that the caller may not know of. */
export function noRepo(c: ApiContext, { kind, id }: Pick<RepoName, "kind" | "id">): Response {
  const detail = `There is no ${repoNouns[kind]} ${shown(id)}.`;
  return refuse(c, "control/not-found", { detail }, { "x-error-code": "RepoNotFound" });
}

export function noRevision(c: ApiContext, { id }: Pick<RepoName, "id">, revision: string): Response {
  const detail = `${id} has no branch, tag or commit ${shown(revision)}.`;
  return refuse(c, "control/not-found", { detail }, { "x-error-code": "RevisionNotFound" });
}

export function noEntry(c: ApiContext, { id }: Pick<RepoName, "id">, path: string): Response {
  const detail = `${id} has no file or folder ${shown(path)} there.`;
  return refuse(c, "control/not-found", { detail }, { "x-error-code": "EntryNotFound" });
}

export function refuseWish(c: ApiContext, detail: string): Response {
  return refuse(c, "control/invalid", { detail });
}

/** A repository at a revision, with its tree; else the answer that says what is missing. */
export async function readRevision(
  c: ApiContext,
  server: Server,
  name = c.req.param("rev") ?? "main",
): Promise<{ readonly repo: HubRepo; readonly revision: Revision | "empty"; readonly tree: RepoTree } | Response> {
  const repo = readableRepo(c, server);
  if (repo instanceof Response) return repo;
  const revision = await server.hub.revision(repo, name);
  if (revision === undefined) return noRevision(c, repo, name);
  return { repo, revision, tree: await server.hub.reader.tree(server.hub.folderOf(repo), revision) };
}

/** Names that a client sent are shown, and not all of a long one. */
function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text).slice(1, -1);
}
