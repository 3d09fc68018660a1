/** What repositories are called: by their kind, their owner and their name, as in the Hub's addresses. Pure. */

export const repoKinds = ["models", "datasets", "spaces"] as const;
export type RepoKind = (typeof repoKinds)[number];

export interface RepoName {
  readonly kind: RepoKind;
  readonly owner: string;
  readonly name: string;
  /** `owner/name` */
  readonly id: string;
}

/** What people call one of a kind. */
export const repoNouns: Readonly<Record<RepoKind, string>> = { models: "model", datasets: "dataset", spaces: "Space" };

export function repoName(kind: RepoKind, owner: string, name: string): RepoName {
  return { kind, owner, name, id: `${owner}/${name}` };
}

/** Its address below the platform's: a model's has no word for its kind. */
export function pathOf({ kind, id }: Pick<RepoName, "kind" | "id">): string {
  return kind === "models" ? `/${id}` : `/${kind}/${id}`;
}

/** One text for each repository of any kind; of a Space it is its id, as everywhere else. */
export function keyOf({ kind, id }: Pick<RepoName, "kind" | "id">): string {
  return kind === "spaces" ? id : `${kind}/${id}`;
}

/** First words of addresses that are no account's name: what follows them is no model. */
const otherWords: readonly string[] = ["api", "datasets", "models", "spaces", "xet"];

/** Whether a name of an address can be an account's. */
export function isOwner(word: string): boolean {
  return !otherWords.includes(word);
}
