/** The repository that a path of the Hub's API names, `/api/{models,datasets,spaces}/OWNER/NAME…`, for who may ask about it; and the Hub's own words for no. */
import { keyOf, repoName, repoNouns, type RepoKind, type RepoName } from "../../../hub/repo-name.ts";
import type { Revision } from "../../../hub/repo-reader.ts";
import type { RepoTree } from "../../../hub/tree-index.ts";
import type { Right } from "../../../identity/roles.ts";
import type { ApiContext } from "../../api.ts";
import { mayKnow, notFor, ownerOf, refuse } from "../../api.ts";
import type { Caller } from "../../caller.ts";
import type { Participant } from "../../discussion-rules.ts";
import type { HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";
import { noFiles } from "./gate.ts";

export { anyRepo } from "../../audited.ts";

/** What a path names: as the repository is called itself for who may know of it, where it is asked for in other letters or by a name that it had. */
export function namedRepo(c: ApiContext, server: Server): RepoName {
  const { kind = "", owner = "", name = "" } = c.req.param() as Readonly<Record<string, string>>;
  const asked = repoName(kind as RepoKind, owner, name);
  const own = server.hub.repos.named(asked);
  const repo = server.hub.repos.find(own);
  return repo && mayKnowRepo(c, repo) ? own : asked;
}

function mayKnowRepo(c: ApiContext, repo: HubRepo): boolean {
  return !repo.private || mayKnow(c, repo.owner, "read", repo.key);
}

/** The repository, if it is there and the caller may know that; else the answer that says no. */
export function readableRepo(c: ApiContext, server: Server): HubRepo | Response {
  const name = namedRepo(c, server);
  const repo = server.hub.repos.find(name);
  return repo && mayKnowRepo(c, repo) ? repo : noRepo(c, name);
}

/** The same for who may change it. */
export function writableRepo(
  c: ApiContext,
  server: Server,
  right: Right = "write",
): { readonly repo: HubRepo; readonly caller: Caller } | Response {
  const name = namedRepo(c, server);
  const caller = ownerOf(c, name.owner, right, keyOf(name));
  if (caller instanceof Response) return caller;
  const repo = server.hub.repos.find(name);
  return repo ? { repo, caller } : noRepo(c, name);
}

/** The same for who may say something about it, or propose a change: everybody who may read it, by what may write. */
export function discussedRepo(
  c: ApiContext,
  server: Server,
): { readonly repo: HubRepo; readonly caller: Caller; readonly by: Participant } | Response {
  const caller = c.get("caller");
  if (!caller) return refuse(c, "identity/missing");
  const repo = readableRepo(c, server);
  if (repo instanceof Response) return repo;
  const { owner, key } = repo;
  if (!caller.grants("write", key)) return notFor(c, "write");
  return { repo, caller, by: { account: caller.account, mayWrite: caller.may("write", { owner, space: key }) } };
}

/** Where a change is asked for: of a branch for who may write, of a pull request for who may propose it, and gets the files. */
export async function changeableRepo(
  c: ApiContext,
  server: Server,
  isPull: boolean,
): Promise<ReturnType<typeof discussedRepo>> {
  if (isPull) {
    const discussed = discussedRepo(c, server);
    if (discussed instanceof Response) return discussed;
    return (await noFiles(c, server, discussed.repo)) ?? discussed;
  }
  const asked = writableRepo(c, server);
  return asked instanceof Response ? asked : { ...asked, by: { account: asked.caller.account, mayWrite: true } };
}

/** Paths of the Hub's clients that begin with a repository: of the API, and of its files. */
const belowRepo = [
  /^\/api\/(models|datasets|spaces)\/([^/]+)(?:\/([^/]+))?/,
  /^\/(?:(datasets|spaces)\/)?([^/]+)\/(?:resolve|raw)\//,
];

/**
 * What is said of a path that is no route, where it names no repository that the caller may know of: clients ask also for a name without an
 * owner, which the Hub has and nobody here. Undefined where it names one, or begins with none.
 */
export function noSuchRepo(c: ApiContext, server: Server, path: string): Response | undefined {
  const found = belowRepo.map((pattern) => pattern.exec(path)).find((match) => match !== null);
  if (!found) return undefined;
  const [, kind = "models", owner = "", name] = found;
  const repo = name === undefined ? undefined : server.hub.repos.find(repoName(kind as RepoKind, owner, name));
  if (repo && mayKnowRepo(c, repo)) return undefined;
  const detail = `There is no ${repoNouns[kind as RepoKind]} ${shown(owner)}: what is asked for is named OWNER/NAME.`;
  return refuse(c, "control/not-found", { detail }, { "x-error-code": "RepoNotFound" });
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
