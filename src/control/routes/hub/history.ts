/**
 * What a repository's history says, and its names: `GET R/refs`, `GET R/commits/REVISION`, `POST|DELETE R/branch/NAME`, `POST|DELETE
 * R/tag/NAME`, `POST R/super-squash/BRANCH` (R: `/api/{models,datasets,spaces}/OWNER/NAME`).
 */
import { z } from "zod";
import { sentence } from "../../../evidence/words.ts";
import { pullOf } from "../../../hub/pull-ref.ts";
import type { RefFound, RepoReader } from "../../../hub/repo-reader.ts";
import type { RefChange } from "../../../hub/repository-refs.ts";
import { instant, iso } from "../../../stdx/time.ts";
import { escapeHtml } from "../../../http/index.ts";
import type { ApiContext, Route } from "../../api.ts";
import { refuse } from "../../api.ts";
import { noteChange } from "../../auditing.ts";
import { authorOf, type HubRepo } from "../../hub-repos.ts";
import { builtBranch } from "../../no-build.ts";
import { optionalBody } from "../../json-body.ts";
import { anyRepo, noRevision, readableRepo, refuseWish, writableRepo } from "./asked-repo.ts";
import { nextPage, pageOf } from "./pages.ts";

const commitsMost = 1_000;
/** Of a list of references so much is sent at once. */
const refsPieceChars = 64 << 10;
const branchWish = z.object({
  startingPoint: z.string().max(255).nullish(),
  overwrite: z.boolean().nullish(),
  emptyBranch: z.literal(false, "a branch begins at a commit").nullish(),
});
const tagWish = z.object({ tag: z.string(), message: z.string().max(65_536).nullish() });
const squashWish = z.object({ message: z.string().max(65_536).nullish() });

export const historyRoute: Route = (api, server) => {
  const { hub } = server;
  const seconds = (): number => Math.floor(server.clock.wall() / 1000);

  /** A change of references; what an earlier try of this request has made is answered from that. */
  const changed = async (repo: HubRepo, work: () => Promise<RefChange>): Promise<RefChange> => {
    const before = server.effects.made;
    if (before) return { ok: true, commit: before.work ?? "" };
    return hub.changing(repo, async () => {
      const done = await work();
      if (done.ok) await server.catalog.requestKeys.made(done.commit);
      return done;
    });
  };

  /** Those that have been opened, by their numbers. */
  const pullsOf = async (repo: HubRepo): Promise<readonly object[]> => {
    const open = await server.catalog.discussions.pulls(repo.stored);
    const found = await Array.fromAsync(hub.reader.refs(hub.folderOf(repo), "pr"));
    return found
      .map(({ name, ref, commit }) => ({ num: pullOf(ref) ?? 0, name: `pr/${name}`, ref, commit }))
      .filter(({ num }) => open.has(num))
      .toSorted((a, b) => a.num - b.num)
      .map(refView);
  };

  api.get(`${anyRepo}/refs`, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const isThere = await hub.store.exists(repo.stored);
    const wantsPulls = c.req.query("include_prs") !== undefined;
    const pulls = wantsPulls ? { pullRequests: isThere ? await pullsOf(repo) : [] } : {};
    if (!isThere) return c.json({ branches: [], converts: [], tags: [], ...pulls });
    // A repository may have more of them than are to be held: the answer is written while git lists them.
    const body = ReadableStream.from(refsJson(hub.reader, hub.folderOf(repo), pulls));
    return new Response(body.pipeThrough(new TextEncoderStream()), { headers: { "content-type": "application/json" } });
  });

  api.get(`${anyRepo}/commits/:rev{.+}`, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const name = c.req.param("rev");
    const revision = await hub.revision(repo, name);
    if (revision === undefined) return noRevision(c, repo, name);
    if (revision === "empty") return c.json([], 200, { "x-total-count": "0" });
    const { commit } = revision;
    const page = pageOf(c, commitsMost);
    const total = await hub.reader.countCommits(hub.folderOf(repo), commit);
    const found = await hub.reader.commits(hub.folderOf(repo), commit, page);
    const isFormatted = (c.req.queries("expand[]") ?? c.req.queries("expand") ?? []).includes("formatted");
    const commits = found.map(({ id, title, message, author, seconds: at }) => ({
      ...{ id, title, message, authors: [{ user: author, avatar: "" }] },
      date: iso(instant(at * 1000)),
      ...(isFormatted && { formatted: { title: escapeHtml(title), message: escapeHtml(message) } }),
    }));
    const path = `/api/${repo.kind}/${repo.id}/commits/${commit}`;
    // Where they say much, fewer come than were asked for.
    const isLast = found.length === 0 || page.skip + found.length >= total;
    const next = nextPage(c, { skip: page.skip, limit: found.length }, isLast, path);
    return c.json(commits, 200, { "x-total-count": String(total), ...next });
  });

  api.post(`${anyRepo}/branch/:branch{.+}`, async (c) => {
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const wish = await optionalBody(c, branchWish);
    if (wish instanceof Response) return wish;
    const { repo } = asked;
    const name = c.req.param("branch");
    const from = wish.startingPoint ?? builtBranch;
    if (name === builtBranch && wish.overwrite === true)
      return refuseWish(c, "main is changed by a commit or a push, not by making it anew.");
    const revision = await hub.revision(repo, from);
    if (revision === undefined || revision === "empty") return noRevision(c, repo, from);
    const wished = { repository: hub.folderOf(repo), name };
    const made = await changed(repo, () => hub.refs.makeBranch(wished, revision.commit, wish.overwrite === true));
    noteChange(c, { branch: name, commit: revision.commit });
    return answer(c, made);
  });
  api.delete(`${anyRepo}/branch/:branch{.+}`, async (c) => {
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const { repo } = asked;
    const name = c.req.param("branch");
    if (name === builtBranch)
      return refuse(c, "control/conflict", {
        detail: "Cannot delete refs/heads/main: it is what is read where nothing else is asked for.",
      });
    if (!(await hub.store.exists(repo.stored))) return noRevision(c, repo, name);
    noteChange(c, { branch: name });
    return answer(c, await changed(repo, () => hub.refs.deleteBranch({ repository: hub.folderOf(repo), name })));
  });

  api.post(`${anyRepo}/tag/:rev{.+}`, async (c) => {
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const wish = await optionalBody(c, tagWish);
    if (wish instanceof Response) return wish;
    const { repo, caller } = asked;
    const revision = await hub.revision(repo, c.req.param("rev"));
    if (revision === undefined || revision === "empty") return noRevision(c, repo, c.req.param("rev"));
    const wished = { repository: hub.folderOf(repo), name: wish.tag };
    const about = { message: wish.message ?? "", author: authorOf(caller.account), seconds: seconds() };
    noteChange(c, { commit: revision.commit });
    return answer(c, await changed(repo, () => hub.refs.makeTag(wished, revision.commit, about)));
  });
  api.delete(`${anyRepo}/tag/:rev{.+}`, async (c) => {
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const { repo } = asked;
    const name = c.req.param("rev");
    if (!(await hub.store.exists(repo.stored))) return noRevision(c, repo, name);
    noteChange(c, { tag: name });
    return answer(c, await changed(repo, () => hub.refs.deleteTag({ repository: hub.folderOf(repo), name })));
  });

  api.post(`${anyRepo}/super-squash/:branch{.+}`, async (c) => {
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const wish = await optionalBody(c, squashWish);
    if (wish instanceof Response) return wish;
    const { repo, caller } = asked;
    const name = c.req.param("branch");
    if (!(await hub.store.exists(repo.stored))) return noRevision(c, repo, name);
    const message = wish.message?.trim() ? wish.message : `Super-squash branch '${name}'`;
    const about = { message, author: authorOf(caller.account), seconds: seconds() };
    const done = await changed(repo, async () => {
      const squashed = await hub.refs.squash({ repository: hub.folderOf(repo), name }, about);
      if (!squashed.ok) return squashed;
      await server.catalog.requestKeys.made(squashed.commit);
      await hub.repos.touched(repo, caller.account);
      if (repo.kind !== "spaces" || name !== builtBranch) return squashed;
      const { commit } = squashed;
      const landed = { space: repo.id, branch: name, commit, head: commit, changed: true, account: caller.account };
      await server.commits.landed(landed);
      return squashed;
    });
    if (done.ok) noteChange(c, { branch: name, commit: done.commit });
    return answer(c, done);
  });
};

async function* refsJson(reader: RepoReader, folder: string, more: object): AsyncGenerator<string> {
  yield `{"branches":[`;
  yield* listed(reader.refs(folder, "heads"));
  yield `],"converts":[],"tags":[`;
  yield* listed(reader.refs(folder, "tags"));
  // The rest as a document of its own, without its first brace.
  yield Object.keys(more).length === 0 ? "]}" : `],${JSON.stringify(more).slice(1)}`;
}

async function* listed(refs: AsyncIterable<RefFound>): AsyncGenerator<string> {
  let text = "";
  let separator = "";
  for await (const found of refs) {
    text += separator + JSON.stringify(refView(found));
    separator = ",";
    if (text.length < refsPieceChars) continue;
    yield text;
    text = "";
  }
  yield text;
}

const refView = ({ name, ref, commit }: RefFound) => ({ name, ref, targetCommit: commit });

function answer(c: ApiContext, done: RefChange): Response {
  if (done.ok) return c.json({ commit: done.commit });
  const detail = sentence(done.says);
  if (done.refusal === "absent")
    return refuse(c, "control/not-found", { detail }, { "x-error-code": "RevisionNotFound" });
  if (done.refusal === "bad-name") return refuseWish(c, detail);
  return refuse(c, done.refusal === "moved" ? "control/changed-meanwhile" : "control/conflict", { detail });
}
