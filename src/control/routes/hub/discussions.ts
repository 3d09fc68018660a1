/**
 * `GET|POST R/discussions`, `GET R/discussions/N[?diff=1]`, `POST R/discussions/N/{comment,status,title,merge}`, `POST
 * R/discussions/N/comment/ID/{edit,hide}` (R: `/api/{models,datasets,spaces}/OWNER/NAME`): discussions and pull requests.
 */
import { z } from "zod";
import type { DiscussionStatus } from "../../../catalog/discussions.ts";
import { pathOf, type RepoName } from "../../../hub/repo-name.ts";
import type { ApiContext, Route } from "../../api.ts";
import { addressOf, originOf, refuse } from "../../api.ts";
import { noteChange } from "../../auditing.ts";
import { commentMaxLength, notThere, titleMaxLength, type No } from "../../discussion-rules.ts";
import type { Said } from "../../discussions.ts";
import { changesView, discussionView, eventView, story } from "../../discussion-views.ts";
import type { HubRepo } from "../../hub-repos.ts";
import { jsonBody, optionalBody } from "../../json-body.ts";
import { anyRepo, discussedRepo, readableRepo, refuseWish, writableRepo } from "./asked-repo.ts";
import { isSet } from "./pages.ts";

const perPage = 50;
/** No list has so many pages. */
const pagesMost = 100_000;
const statuses: Readonly<Record<string, readonly DiscussionStatus[] | undefined>> = {
  all: undefined,
  open: ["draft", "open"],
  closed: ["closed", "merged"],
};
const kinds: Readonly<Record<string, boolean | undefined>> = { all: undefined, discussion: false, pull_request: true };

/** One line: lists show it. */
const title = z
  .string()
  .trim()
  .min(1, "a title has at least one character")
  .max(titleMaxLength, `a title may have ${titleMaxLength} characters`)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "a title is one line, without control characters");
const isText = (text: string): boolean => !text.includes("\0") && text.isWellFormed();
const text = z
  .string()
  .max(commentMaxLength, `a comment may have ${commentMaxLength} characters`)
  .refine(isText, "a comment has no NUL and no half of a character");
const comment = text.refine((said) => said.trim() !== "", "a comment says something");
const wish = z.object({ title, description: text.nullish(), pullRequest: z.boolean().nullish() });
const commentWish = z.object({ comment });
const editWish = z.object({ content: comment });
const titleWish = z.object({ title });
const statusWish = z.object({
  status: z.enum(["open", "closed"], "write open or closed"),
  comment: comment.nullish(),
});
const mergeWish = z.object({ comment: comment.nullish() });

export const discussionsRoute: Route = (api, server) => {
  const { discussions, hub, catalog } = server;
  const one = `${anyRepo}/discussions/:num`;

  /** What somebody wants who may speak there; or the answer to who may not, or asks for what is none. */
  const askedOf = async <Wish>(c: ApiContext, shape: z.ZodType<Wish>) => {
    const asked = discussedRepo(c, server);
    if (asked instanceof Response) return asked;
    const wished = await jsonBody(c, shape);
    return wished instanceof Response ? wished : { ...asked, num: numOf(c), wished };
  };

  api.get(`${anyRepo}/discussions`, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const { p = "0", type = "all", status = "all", author } = c.req.query();
    if (!/^\d{1,6}$/.test(p) || Number(p) > pagesMost) return refuseWish(c, "`p` is a page's number, from 0 on.");
    if (!Object.hasOwn(kinds, type)) return refuseWish(c, "`type` is all, discussion or pull_request.");
    if (!Object.hasOwn(statuses, status)) return refuseWish(c, "`status` is all, open or closed.");
    const filter = { pull: kinds[type], statuses: statuses[status], author: author === "" ? undefined : author };
    const asked = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
    const start = Number(p) * perPage;
    const { total, rows } = await catalog.discussions.list(repo.stored, asked, { skip: start, limit: perPage });
    return c.json({ count: total, start, discussions: rows.map((row) => discussionView(row, repo)) });
  });

  api.post(`${anyRepo}/discussions`, async (c) => {
    const asked = await askedOf(c, wish);
    if (asked instanceof Response) return asked;
    const { repo, by, wished } = asked;
    const made = server.effects.made?.work;
    if (typeof made === "string") return c.json(openedView(c, repo, Number(made)));
    const { description, pullRequest } = wished;
    const done = await discussions.open(
      repo,
      { title: wished.title, description: description ?? "", pull: pullRequest === true },
      by,
    );
    if (!done.ok) return refuseNo(c, done);
    noteChange(c, { num: done.num });
    return c.json(openedView(c, repo, done.num));
  });

  api.get(one, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const num = numOf(c);
    const row = await catalog.discussions.get({ repo: repo.stored, num });
    if (row === undefined) return refuseNo(c, notThere(repo, num));
    const events = await catalog.discussions.events(row);
    if (!row.pull) return c.json({ ...discussionView(row, repo), events: story(events, []) });
    const folder = hub.folderOf(repo);
    // It shows what is in files: of a gated repository to whom these are given.
    const withDiff = isSet(c.req.query("diff")) && (await server.gates.refuse(repo, c.get("caller"))) === undefined;
    const caller = { account: c.get("caller")?.account ?? null, address: addressOf(c) ?? "" };
    const look = await discussions.looks.at(row, folder, { caller, withDiff, signal: c.req.raw.signal });
    if (look === undefined)
      return refuse(c, "capacity/rate-limited", {
        detail: "Many pull requests are being looked at: try again in a moment.",
      });
    const { commits, conflicts, diff } = look;
    return c.json({
      ...{ ...discussionView(row, repo), events: story(events, commits) },
      ...{ changes: changesView(row), filesWithConflicts: conflicts === "unknown" ? true : conflicts },
      ...(diff !== undefined && { diff }),
    });
  });

  api.post(`${one}/comment`, async (c) => {
    const asked = await askedOf(c, commentWish);
    if (asked instanceof Response) return asked;
    const { repo, num, by, wished } = asked;
    return answer(c, "newMessage", await discussions.comment(repo, num, wished.comment, by));
  });

  api.post(`${one}/title`, async (c) => {
    const asked = await askedOf(c, titleWish);
    if (asked instanceof Response) return asked;
    const { repo, num, by, wished } = asked;
    return answer(c, "newTitle", await discussions.retitle(repo, num, wished.title, by));
  });

  api.post(`${one}/status`, async (c) => {
    const asked = await askedOf(c, statusWish);
    if (asked instanceof Response) return asked;
    const { repo, num, by, wished } = asked;
    const change = { status: wished.status, comment: wished.comment ?? null };
    return answer(c, "newStatus", await discussions.setStatus(repo, num, change, by));
  });

  api.post(`${one}/merge`, async (c) => {
    const startedAt = server.clock.wall();
    const asked = writableRepo(c, server);
    if (asked instanceof Response) return asked;
    const wished = await optionalBody(c, mergeWish);
    if (wished instanceof Response) return wished;
    const { repo, caller } = asked;
    const { account } = caller;
    const done = await discussions.merge(repo, numOf(c), { comment: wished.comment ?? null, account });
    if (!done.ok) return refuseNo(c, done);
    const { commit, build, noBuild } = done;
    noteChange(c, { commit, build });
    const led = build ?? noBuild?.id;
    const about = { request: c.get("requestId"), method: "POST", path: c.req.path, account, startedAt };
    server.commits.record({ ...about, link: led === undefined ? [] : [led] });
    return c.json({ success: true, commitOid: commit, build, noBuild });
  });

  api.post(`${one}/comment/:comment/edit`, async (c) => {
    const asked = await askedOf(c, editWish);
    if (asked instanceof Response) return asked;
    const { repo, num, by, wished } = asked;
    const id = c.req.param("comment");
    return answer(c, "updatedComment", await discussions.editComment(repo, num, { id, text: wished.content }, by));
  });

  api.post(`${one}/comment/:comment/hide`, async (c) => {
    const asked = discussedRepo(c, server);
    if (asked instanceof Response) return asked;
    const { repo, by } = asked;
    return answer(c, "updatedComment", await discussions.hideComment(repo, numOf(c), c.req.param("comment"), by));
  });
};

/** Where people find it, as the clients make it of its number too. */
export function discussionUrl(c: ApiContext, repo: RepoName, num: number): string {
  return `${originOf(c)}${pathOf(repo)}/discussions/${num}`;
}

export function refuseNo(
  c: ApiContext,
  { code, says, errors, waybill }: No,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return refuse(c, code, { detail: says, ...(errors && { errors }), ...(waybill && { waybill }) }, headers);
}

function openedView(c: ApiContext, repo: HubRepo, num: number): object {
  return { num, url: discussionUrl(c, repo, num) };
}

function answer(c: ApiContext, field: string, said: Said): Response {
  return said.ok ? c.json({ [field]: eventView(said.event) }) : refuseNo(c, said);
}

/** 0 where it is none. */
function numOf(c: ApiContext): number {
  const num = c.req.param("num") ?? "";
  return /^[1-9]\d{0,8}$/.test(num) ? Number(num) : 0;
}
