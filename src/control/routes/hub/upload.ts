/**
 * `POST R/preupload/REVISION` and `POST R/commit/BRANCH` (R: `/api/{models,datasets,spaces}/OWNER/NAME`): how files go in, and the commit
 * that has them, on a branch or as a pull request. A commit on a Space's main makes the Space if it is absent, and starts its build or says
 * why there is none.
 */
import { z } from "zod";
import type { CommitView, NoBuildView } from "../../../contract/api.ts";
import { pathProblem } from "../../../hub/paths.ts";
import { pullOf } from "../../../hub/pull-ref.ts";
import { pathOf, type RepoName } from "../../../hub/repo-name.ts";
import type { TreeItem } from "../../../hub/tree-index.ts";
import { uploadModes } from "../../../hub/upload-modes.ts";
import type { ApiContext, Route } from "../../api.ts";
import { originOf, spaceOwnerOf } from "../../api.ts";
import { noteChange } from "../../auditing.ts";
import { notStored, parsedCommit, type Committed } from "../../commits.ts";
import type { No } from "../../discussion-rules.ts";
import { RepoGone } from "../../hub.ts";
import type { HubRepo } from "../../hub-repos.ts";
import { boundedBody, jsonBody } from "../../json-body.ts";
import { builtBranch } from "../../no-build.ts";
import type { Server } from "../../server.ts";
import { anyRepo, changeableRepo, namedRepo, noRevision, refuseWish, writableRepo } from "./asked-repo.ts";
import { discussionUrl, refuseNo } from "./discussions.ts";
import { noRoomFor, roomOwner } from "./room.ts";

/** Base64 of 64 MiB of files, and room for their names. */
export const commitMaxBytes = 92 * 1024 * 1024;
/** Clients send 256 at a time. */
const filesMax = 1_000;
const rulesMaxBytes = 256 << 10;

const preupload = z.object({
  files: z
    .array(z.object({ path: z.string(), sample: z.base64().max(4_096).nullish(), size: z.number().int().min(0) }))
    .max(filesMax),
  gitIgnore: z.string().max(rulesMaxBytes).nullish(),
  gitAttributes: z.string().max(rulesMaxBytes).nullish(),
});

export const uploadRoute: Route = (api, server) => {
  api.post(`${anyRepo}/preupload/:rev`, async (c) => {
    const name = c.req.param("rev");
    const asked = await changeableRepo(c, server, asksPull(c) || pullOf(name) !== undefined);
    if (asked instanceof Response) return asked;
    const wish = await jsonBody(c, preupload);
    if (wish instanceof Response) return wish;
    const { repo, by } = asked;
    const revision = await server.hub.revision(repo, name);
    if (revision === undefined) return noRevision(c, repo, name);
    const wrong = wish.files.find(({ path }) => pathProblem(path) !== undefined);
    if (wrong) return refuseWish(c, `${JSON.stringify(wrong.path.slice(0, 200))}: ${pathProblem(wrong.path)}.`);
    const tree = await server.hub.reader.tree(server.hub.folderOf(repo), revision);
    const there = await tree.find([".gitattributes", ".gitignore", ...wish.files.map(({ path }) => path)]);
    const rules = {
      attributes: wish.gitAttributes ?? (await fileOf(server, repo, there.get(".gitattributes"))),
      ignore: wish.gitIgnore ?? (await fileOf(server, repo, there.get(".gitignore"))),
    };
    const files = wish.files.map(({ path, sample, size }) => {
      return { path, size, sample: Buffer.from(sample ?? "", "base64") };
    });
    const modes = await uploadModes(files, rules);
    // One of the same size is there already, as nearly always.
    const isNew = ({ path, size }: (typeof files)[number], at: number): boolean =>
      modes[at]?.uploadMode === "lfs" && !modes[at].shouldIgnore && largeSizeOf(there.get(path)) !== size;
    const bytes = files.filter(isNew).reduce((sum, { size }) => sum + size, 0);
    const full = bytes > 0 ? await noRoomFor(c, server, roomOwner(repo, by), bytes) : undefined;
    if (full) return full;
    return c.json({
      files: files.map(({ path }, at) => {
        const item = there.get(path);
        return { path, ...modes[at], ...(item?.type === "file" && { oid: item.lfs?.oid ?? item.oid }) };
      }),
    });
  });

  api.post(`${anyRepo}/commit/:rev`, async (c) => {
    const startedAt = server.clock.wall();
    const name = namedRepo(c, server);
    const branch = c.req.param("rev");
    if (asksPull(c) || pullOf(branch) !== undefined) return commitPull(c, server, branch);
    // It makes the Space that is not there.
    const isBuilt = name.kind === "spaces" && branch === builtBranch;
    const asked = isBuilt ? spaceOwnerOf(c) : writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const bytes = await boundedBody(c, commitMaxBytes);
    if (bytes instanceof Response) return bytes;
    const account = "repo" in asked ? asked.caller.account : asked.account;
    const done =
      (isBuilt ? await server.madeCommit() : madeBefore(server)) ??
      (await commitTo(server, name, { branch, bytes, account }));
    if (done === "no-branch") return noRevision(c, name, branch);
    if (!done.ok) return refuseCommit(c, done);
    noteChange(c, { commit: done.commit, build: done.build });
    const led = done.build ?? done.noBuild?.id;
    const about = { request: c.get("requestId"), method: "POST", path: c.req.path, account, startedAt };
    server.commits.record({ ...about, link: led === undefined ? [] : [led] });
    const answer: CommitView = {
      success: true,
      commitOid: done.commit,
      commitUrl: `${originOf(c)}${pathOf(name)}/commit/${done.commit}`,
      hookOutput: done.noBuild?.says ?? "",
      pullRequestUrl: null,
      build: done.build,
      noBuild: done.noBuild,
    };
    return c.json(answer);
  });
};

type Stored =
  | "no-branch"
  | Extract<Committed, { ok: false }>
  | { readonly ok: true; readonly commit: string; readonly build: string | null; readonly noBuild: NoBuildView | null };

/** A commit of the Hub's form to any repository; one to a Space's main makes the Space if it is absent, and is built. */
export async function commitTo(
  server: Server,
  name: RepoName,
  { branch, bytes, account }: { readonly branch: string; readonly bytes: Uint8Array; readonly account: string },
): Promise<Stored> {
  if (name.kind === "spaces" && branch === builtBranch)
    return server.commits.commit({ owner: name.owner, name: name.name, bytes, author: account });
  const parsed = parsedCommit(bytes);
  if (!parsed.ok) return parsed;
  const { hub, commits } = server;
  const repo = hub.repos.find(name);
  if (repo === undefined) throw new RepoGone(name);
  return hub.changing(repo, async (): Promise<Stored> => {
    const isThere = await hub.store.exists(repo.stored);
    const folder = hub.folderOf(repo);
    const isFirst = branch === builtBranch && !(isThere && (await hub.reader.hasBranches(folder)));
    if (!isFirst && !(isThere && (await hub.reader.hasBranch(folder, branch)))) return "no-branch";
    await hub.store.createRepository(repo.stored);
    const done = await hub.commit(repo, branch, parsed.commit, account);
    if (!done.ok) return notStored(done);
    const { commit, changed } = done;
    await server.catalog.requestKeys.made(commit);
    if (repo.kind !== "spaces") return { ok: true, commit, build: null, noBuild: null };
    const started = await commits.landed({ space: repo.id, branch, commit, head: commit, changed, account });
    return { ok: true, commit, ...started };
  });
}

/** The commit of an earlier try of this request that nothing was to be built of. */
function madeBefore(server: Server): Extract<Stored, { ok: true }> | undefined {
  const commit = server.effects.made?.work;
  return typeof commit === "string" ? { ok: true, commit, build: null, noBuild: null } : undefined;
}

/** A commit on a pull request, which it opens where that is asked for. */
async function commitPull(c: ApiContext, server: Server, branch: string): Promise<Response> {
  const asked = await changeableRepo(c, server, true);
  if (asked instanceof Response) return asked;
  const bytes = await boundedBody(c, commitMaxBytes);
  if (bytes instanceof Response) return bytes;
  const { repo, by } = asked;
  const isNew = asksPull(c);
  if (isNew && branch !== builtBranch)
    return refuseWish(c, "A pull request is for main: leave the branch out, or leave create_pr out to add to one.");
  const parsed = parsedCommit(bytes);
  if (!parsed.ok) return refuseCommit(c, parsed);
  const { discussions } = server;
  const num = pullOf(branch);
  const done =
    num === undefined
      ? ((await discussions.proposed(repo)) ?? (await discussions.propose(repo, parsed.commit, by)))
      : (madeBefore(server) ?? (await discussions.commit(repo, num, parsed.commit, by)));
  if (!done.ok) return refuseCommit(c, done);
  const pull = "num" in done ? done.num : num;
  noteChange(c, { commit: done.commit, pull });
  const answer: CommitView = {
    success: true,
    commitOid: done.commit ?? "",
    commitUrl: `${originOf(c)}${pathOf(repo)}/commit/${done.commit}`,
    hookOutput: "",
    pullRequestUrl: pull === undefined ? null : discussionUrl(c, repo, pull),
    build: null,
    noBuild: null,
  };
  return c.json(answer);
}

function refuseCommit(c: ApiContext, refused: No): Response {
  const isEntry = refused.code === "control/not-found" && (refused.errors ?? []).length > 0;
  return refuseNo(c, refused, isEntry ? { "x-error-code": "EntryNotFound" } : {});
}

/** Whether the change is to be a pull request of its own. */
export function asksPull(c: ApiContext): boolean {
  const asked = c.req.query("create_pr");
  return asked !== undefined && !/^(false|0)$/i.test(asked);
}

/** A file's text at the top of the repository; empty where there is none, or it is too long to be one of rules. */
async function fileOf(server: Server, repo: HubRepo, item: TreeItem | undefined): Promise<string> {
  if (item?.type !== "file" || item.size > rulesMaxBytes) return "";
  return (await server.hub.reader.smallBlob(server.hub.folderOf(repo), item.oid)).toString("utf8");
}

function largeSizeOf(there: TreeItem | undefined): number | undefined {
  return there?.type === "file" ? there.lfs?.size : undefined;
}
