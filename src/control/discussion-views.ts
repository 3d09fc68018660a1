/** Discussions and pull requests as the Hub's clients read them: `huggingface_hub`'s `Discussion` and its events. Pure. */
import type { CommentText, DiscussionEvent, DiscussionRow } from "../catalog/discussions.ts";
import type { PullCommit } from "../hub/pulls.ts";
import { instant, iso } from "../stdx/time.ts";
import { builtBranch } from "./no-build.ts";

/** What all of them say. */
export function discussionView(row: DiscussionRow, repo: { readonly id: string; readonly kind: string }): object {
  const { num, title, author, status, pull, createdAt } = row;
  return {
    ...{ num, title, author: person(author), status, isPullRequest: pull, createdAt: iso(createdAt) },
    ...{ repo: { name: repo.id, type: repo.kind.slice(0, -1) }, pinned: false, locked: false },
  };
}

/** Where a pull request goes to. */
export function changesView({ merged }: DiscussionRow): object {
  return { base: `refs/heads/${builtBranch}`, ...(merged !== null && { mergeCommitId: merged }) };
}

export function eventView(event: DiscussionEvent): object {
  const { id, author, at, kind } = event;
  const common = { id, author: person(author), createdAt: iso(at) };
  if (kind === "title") return { ...common, type: "title-change", data: { from: event.from, to: event.to } };
  if (kind === "status") return { ...common, type: "status-change", data: { status: event.status } };
  const [latest, ...before] = event.texts;
  const data = {
    edited: before.length > 0,
    hidden: latest === undefined,
    latest: textView(latest ?? { text: "", by: author, at }),
    numEdits: before.length,
    history: before.map(textView),
  };
  return { ...common, type: "comment", data };
}

export function commitView({ id, title, author, seconds }: PullCommit): object {
  const createdAt = iso(instant(seconds * 1000));
  return { id, type: "commit", author: person(author), createdAt, data: { subject: title, oid: id } };
}

/** In the order in which things happened, what opened it before all. Commits are known by the second, and stand before what was said in it. */
export function story(events: readonly DiscussionEvent[], commits: readonly PullCommit[]): readonly object[] {
  const [first, ...later] = events;
  const told = [
    ...commits.map((commit) => ({ at: commit.seconds * 1000, view: commitView(commit) })),
    ...later.map((event) => ({ at: event.at as number, view: eventView(event) })),
  ].toSorted((a, b) => a.at - b.at);
  return [...(first ? [eventView(first)] : []), ...told.map(({ view }) => view)];
}

function textView({ text, by, at }: CommentText): object {
  return { raw: text, html: htmlOf(text), updatedAt: iso(at), author: person(by) };
}

function person(name: string): object {
  return { name, type: "user" };
}

/** Nothing of it is markup: whoever shows it runs nothing that somebody wrote. */
function htmlOf(text: string): string {
  const escaped = text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<p>${escaped.replaceAll("\n", "<br>")}</p>`;
}
