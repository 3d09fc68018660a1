/** What somebody who asks for an explanation names, by the form of what they wrote. Pure. */
import type { RepoKind, RepoName } from "../hub/repo-name.ts";
import { isOwner, repoKinds, repoName } from "../hub/repo-name.ts";

export type AskedId =
  /** `q_…`, or a node's name. */
  | { readonly of: "id"; readonly id: string }
  /** `alice/demo`, `datasets/alice/tiny` */
  | { readonly of: "repository"; readonly repo: RepoName }
  /** `alice/demo@4f2a9c1`, at least seven of its digits. */
  | { readonly of: "commit"; readonly repo: RepoName; readonly commit: string }
  /** `alice/demo#3`, `models/alice/tiny/discussions/3` */
  | { readonly of: "discussion"; readonly repo: RepoName; readonly num: number }
  /** `journal/48213/2`, `shim.p_…/1/3`, of a packed record `edge-1/1/17.3`; a slot has the form too: `n1/0/1`. */
  | { readonly of: "place"; readonly name: string; readonly first: number; readonly second: number }
  | { readonly of: "nothing" };

/** So long is the longest of ours, and then some. */
const idMaxChars = 400;

export function askedId(text: string): AskedId {
  if (text.length === 0 || text.length > idMaxChars) return { of: "nothing" };
  if (!text.includes("/")) return { of: "id", id: text };
  const event = /^spaces\/([^/@#]+)\/([^/@#]+)\/\d{1,15}$/.exec(text);
  if (event) return { of: "repository", repo: repoName("spaces", event[1] as string, event[2] as string) };
  const [, path = "", mark = "", rest = ""] = /^([^@#]+?)(@|#|\/discussions\/|$)(.*)$/.exec(text) ?? [];
  const repo = repoOf(path.split("/"));
  if (repo === undefined) return placeOf(text);
  if (mark === "") return { of: "repository", repo };
  if (mark === "@") return /^[0-9a-f]{7,40}$/.test(rest) ? { of: "commit", repo, commit: rest } : { of: "nothing" };
  return /^\d{1,9}$/.test(rest) ? { of: "discussion", repo, num: Number(rest) } : { of: "nothing" };
}

function repoOf(words: readonly string[]): RepoName | undefined {
  const [kind, ...named] = words.length === 3 ? words : ["spaces", ...words];
  const [owner, name] = named;
  if (named.length !== 2 || !owner || !name) return undefined;
  return (repoKinds as readonly (string | undefined)[]).includes(kind) && (words.length === 3 || isOwner(owner))
    ? repoName(kind as RepoKind, owner, name)
    : undefined;
}

function placeOf(text: string): AskedId {
  const [, name, first, second] = /^([^/]+)\/(\d{1,15})\/(\d{1,15})(?:\.\d{1,2})?$/.exec(text) ?? [];
  return name === undefined ? { of: "nothing" } : { of: "place", name, first: Number(first), second: Number(second) };
}
