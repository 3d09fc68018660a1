/** What a repository says of itself in its README's front matter, and what the Hub's clients search by. */
import { LineCounter, parseDocument } from "yaml";
import { aliasesMax, frontMatterOf } from "../build/front-matter.ts";
import { GitFailure } from "../hub/git.ts";
import { keyOf, type RepoName } from "../hub/repo-name.ts";
import type { FoundRevision, RepoReader, Revision } from "../hub/repo-reader.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import { LastUsed } from "../stdx/last-used.ts";
import type { HubRepo } from "./hub-repos.ts";

export interface Card {
  /** The last commit of main; null before the first. */
  readonly sha: string | null;
  /** The front matter as it is written; null where there is none that can be read. */
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly tags: readonly string[];
}

const noCard: Card = { sha: null, data: null, tags: [] };

/** A longer README is no page for people. */
const readmeMaxBytes = 1 << 20;
const tagsMax = 200;
/** Of repositories whose card is kept: some KB each. */
const keptMax = 5_000;

export class HubCards {
  readonly #reader: RepoReader;
  readonly #repositories: Pick<RepositoryStore, "repositoryOf" | "exists">;
  /** Of main, until that changes. */
  readonly #kept = new LastUsed<Card>(keptMax);

  constructor(reader: RepoReader, repositories: Pick<RepositoryStore, "repositoryOf" | "exists">) {
    this.#reader = reader;
    this.#repositories = repositories;
  }

  /** Of main. */
  async of(repo: HubRepo): Promise<Card> {
    return this.#kept.get(repo.key, () => this.#read(repo));
  }

  /** Of any revision. Most are main's: those are read once, and not with each question. */
  async at(repo: HubRepo, revision: FoundRevision): Promise<Card> {
    if (revision === undefined || revision === "empty") return noCard;
    const main = await this.of(repo);
    return main.sha === revision.commit ? main : this.#readAt(repo, revision);
  }

  /** The files of this one have changed. */
  forget(repo: Pick<RepoName, "kind" | "id">): void {
    this.#kept.forget(keyOf(repo));
  }

  async #read(repo: HubRepo): Promise<Card> {
    if (!(await this.#repositories.exists(repo.stored))) return noCard;
    try {
      const main = await this.#reader.revision(this.#repositories.repositoryOf(repo.stored), "main");
      return main === undefined || main === "empty" ? noCard : await this.#readAt(repo, main);
    } catch (error) {
      // One damaged repository, or one that is too large to be listed, keeps no list from being read.
      if (error instanceof GitFailure) return noCard;
      throw error;
    }
  }

  async #readAt(repo: HubRepo, { commit }: Revision): Promise<Card> {
    const repository = this.#repositories.repositoryOf(repo.stored);
    const readme = await this.#reader.fileAt(repository, commit, "README.md", readmeMaxBytes);
    const data = cardOf(readme?.toString("utf8") ?? "");
    return { sha: commit, data, tags: tagsOf(data) };
  }
}

/** The YAML between two lines `---` at the top of a page; null where that is none, or not a list of keys. */
export function cardOf(readme: string): Readonly<Record<string, unknown>> | null {
  const block = blockOf(readme);
  if (block === undefined) return null;
  const document = parseDocument(block, { schema: "core", prettyErrors: false });
  if (document.errors.length > 0) return null;
  try {
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch (error) {
    if (error instanceof ReferenceError) return null; // More aliases than are taken.
    throw error;
  }
}

/** What is wrong with a model's or a dataset's front matter; of one that is not there nothing is. */
export function cardProblems(readme: string): readonly string[] {
  const block = blockOf(readme);
  if (block === undefined) return [];
  const lines = new LineCounter();
  const document = parseDocument(block, { schema: "core", lineCounter: lines, prettyErrors: false });
  const wrong = document.errors.map(
    ({ message, pos }) => `line ${lines.linePos(pos[0]).line + 1}: not YAML: ${message}`,
  );
  if (wrong.length > 0) return wrong;
  const card = cardOf(readme);
  if (card === null) return ["settings are lines of `key: value`, with few aliases"];
  const results = card["model-index"];
  const isIndex = results === undefined || results === null || (Array.isArray(results) && results.every(isResult));
  return isIndex ? [] : ["model-index is a list, each of its entries with a `name` and a list of `results`"];
}

function isResult(entry: unknown): boolean {
  const { name, results } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === "string" && Array.isArray(results);
}

/** Whether a page says anything of what it describes. */
export function hasCard(readme: string): boolean {
  return blockOf(readme) !== undefined;
}

/** Undefined also where nothing is between its lines. */
function blockOf(readme: string): string | undefined {
  const block = frontMatterOf(readme);
  return typeof block === "string" && block !== "" ? block : undefined;
}

/** As the Hub derives them: its own words, and some fields with their name in front. */
export function tagsOf(data: Card["data"]): readonly string[] {
  if (data === null) return [];
  const plain = ["library_name", "pipeline_tag", "tags", "language"].flatMap((key) => texts(data[key]));
  const named = (["datasets", "license", "base_model", "task_categories", "size_categories"] as const).flatMap((key) =>
    texts(data[key]).map((text) => `${key === "datasets" ? "dataset" : key}:${text}`),
  );
  return [...new Set([...plain, ...named])].slice(0, tagsMax);
}

function texts(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === "string" && one !== "");
}
