/** Who may do what to a discussion, and the words for no. Pure. */
import type { CommentText, DiscussionDeed, DiscussionRow, DiscussionStatus } from "../catalog/discussions.ts";
import type { Committed } from "./commits.ts";
import type { HubRepo } from "./hub-repos.ts";
import { no, type Refused } from "./spaces.ts";

/** Who does something, and whether the repository is theirs to change. */
export interface Participant {
  readonly account: string;
  readonly mayWrite: boolean;
}

export type No = Extract<Committed, { ok: false }>;
export const titleMaxLength = 200;
export const commentMaxLength = 65_536;

export function nounOf({ pull }: Pick<DiscussionRow, "pull">): string {
  return pull ? "Pull request" : "Discussion";
}

/** Of a pull request that begins with a commit: one line, as each title is, of what the commit's summary says. */
export function titleOf(summary: string): string {
  const line = summary.replace(/[\p{Cc}\p{Cs}]+/gu, " ").trim();
  const cut = line.length > titleMaxLength ? `${line.slice(0, titleMaxLength - 1)}…` : line;
  // Cut in the middle of a character, its half goes too.
  return cut.replace(/\p{Cs}/gu, "") || "Pull request";
}

export function notThere(repo: Pick<HubRepo, "id">, num: number): Refused {
  return no("control/not-found", `${repo.id} has no discussion ${num}.`);
}

export function commentOf(text: string, said: Omit<CommentText, "text">): DiscussionDeed {
  return { kind: "comment", texts: [{ text, ...said }] };
}

/** Why nothing can be added to it, or merged. */
export function refusePull(row: DiscussionRow): No | undefined {
  if (!row.pull) return no("control/invalid", `${row.num} is a discussion and no pull request.`);
  const isOver: readonly DiscussionStatus[] = ["closed", "merged"];
  return isOver.includes(row.status) ? no("control/conflict", `Pull request ${row.num} is ${row.status}.`) : undefined;
}

export function refuseOther(row: DiscussionRow, by: Participant): No | undefined {
  if (by.mayWrite || row.author === by.account) return undefined;
  return no(
    "identity/forbidden",
    `${nounOf(row)} ${row.num} is ${row.author}'s: ${row.author} and who may write change it.`,
  );
}

export function conflicting(num: number, files: readonly string[] | "unknown"): No {
  if (files === "unknown")
    return no(
      "control/conflict",
      `Pull request ${num} cannot be merged here: main has moved on, and the server's git is older than 2.38 or finds more conflicts than it can list. Merge it in a clone, and push that.`,
    );
  const told = files.slice(0, 20).join(", ");
  const more = files.length > 20 ? ` and ${files.length - 20} more` : "";
  return {
    ...no("control/conflict", `Pull request ${num} cannot be merged: main has changed ${told}${more} as well.`),
    errors: files.slice(0, 100).map((message) => ({ where: "filesWithConflicts", message })),
  };
}
