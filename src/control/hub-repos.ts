/**
 * Repositories of all three kinds on the server's side: which there are, whose, and where their files lie. Models and datasets are kept in
 * memory as the catalog has them, and this process alone changes them; Spaces are asked of {@link Spaces}.
 */
import type { Catalog } from "../catalog/catalog.ts";
import { refuseRepoName } from "../catalog/names.ts";
import type { Gated, RepoRow } from "../catalog/repos.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import { keyOf, repoName, repoNouns, type RepoKind, type RepoName } from "../hub/repo-name.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { firstAttributes } from "./hub-attributes.ts";
import { no, type Done, type Refused, type Spaces } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

export interface HubRepo extends RepoName {
  /** By which rights are asked for, and turns are taken. */
  readonly key: string;
  readonly private: boolean;
  readonly gated: Gated;
  readonly createdAt: Instant;
  readonly createdBy: string | null;
  readonly changedAt: Instant;
  /** What it is called in the {@link RepositoryStore}. */
  readonly stored: string;
}

export interface HubReposPorts {
  readonly catalog: Pick<Catalog, "repos" | "accounts">;
  readonly repositories: RepositoryStore;
  readonly spaces: Pick<Spaces, "get" | "ids">;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export type RepoMade = { readonly ok: true; readonly repo: HubRepo } | (Refused & { readonly exists?: HubRepo });

/** Of one owner and kind. More is a mistake of a program that makes them. */
const perOwnerMax = 10_000;

export class HubRepos {
  readonly #ports: HubReposPorts;
  readonly #byKey = new Map<string, RepoRow>();
  readonly #byFolder = new Map<string, RepoRow>();
  /** Folders by names that they had. */
  #aliases: Map<string, string> = new Map();
  readonly #turns = new Turns();
  readonly #watchers: ((repo: RepoName) => void)[] = [];
  readonly #removalWatchers: ((repository: string, stored: string) => void)[] = [];

  constructor(ports: HubReposPorts) {
    this.#ports = ports;
  }

  /** Reads the catalog's, and removes folders of those that were given up: before anybody can ask for one. */
  async recover(): Promise<void> {
    const { repos } = this.#ports.catalog;
    for (const folder of await repos.removals()) await this.removeFolder(folder);
    for (const row of await repos.all()) this.#keep(row);
    await this.#readAliases();
  }

  /** The catalog bounds how many names a repository is remembered by. */
  async #readAliases(): Promise<void> {
    const aliases = await this.#ports.catalog.repos.aliases();
    this.#aliases = new Map(aliases.map(({ key, folder }) => [key, folder]));
  }

  /** By its name in any letters; a Space by its own. */
  find(name: RepoName): HubRepo | undefined {
    if (name.kind === "spaces") {
      const space = this.#ports.spaces.get(name.id);
      return space && ofSpace(space);
    }
    const row = this.#byKey.get(oneKey(name));
    return row && ofRow(row);
  }

  /** As it is called itself, where it is asked for in other letters or by a name that it had; else what was asked for. */
  named(name: RepoName): RepoName {
    const row = this.#byKey.get(oneKey(name)) ?? this.#byFolder.get(this.#aliases.get(oneKey(name)) ?? "");
    return row && name.kind !== "spaces" ? repoName(row.kind, row.owner, row.name) : name;
  }

  /** Who made what has this key; undefined where it is no model's or dataset's. */
  madeBy(key: string): string | undefined {
    return this.#byKey.get(key.toLowerCase())?.createdBy;
  }

  /** In no order. */
  list(kind: RepoKind): readonly HubRepo[] {
    const { spaces } = this.#ports;
    if (kind === "spaces")
      return spaces.ids().flatMap((id) => [spaces.get(id)].flatMap((row) => (row ? ofSpace(row) : [])));
    return [...this.#byKey.values()].filter((row) => row.kind === kind).map(ofRow);
  }

  /** What retention looks after, beside the Spaces. */
  stored(): readonly string[] {
    return [...this.#byKey.values()].map(({ folder }) => folder);
  }

  /** Tells when the files of a repository have changed. */
  onChange(watcher: (repo: RepoName) => void): void {
    this.#watchers.push(watcher);
  }

  /** Tells when a repository's folder is off the disk, and what it was called in the store. */
  onRemoved(watcher: (repository: string, stored: string) => void): void {
    this.#removalWatchers.push(watcher);
  }

  /** One after another for each model and dataset; a Space has its turns with its builds (commits.ts). */
  inTurn<T>(repo: RepoName, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(oneKey(repo), work);
  }

  /** Makes a model's or a dataset's, with its first commit; `fill` puts something else into it. */
  async create(
    name: RepoName,
    wish: { readonly private: boolean; readonly gated?: Gated; readonly by: string },
    fill: (stored: string) => Promise<void> = (stored) => this.#firstCommit(stored, wish.by),
  ): Promise<RepoMade> {
    const { kind, owner } = name;
    if (kind === "spaces") throw new TypeError("Spaces are made by Spaces.ensure");
    return this.#turns.take(nameTurn(name), async () => {
      const refused = await this.#refuseName(name);
      if (refused) return refused;
      const { catalog, clock, random } = this.#ports;
      const folder = `${kind}/${newId(kind === "models" ? "m" : "d", random)}`;
      // Until the row says that it is somebody's, the next start removes it.
      await catalog.repos.begin(folder, clock.wall());
      try {
        await fill(folder);
      } catch (error) {
        await this.removeFolder(folder);
        throw error;
      }
      const now = clock.wall();
      const row: RepoRow = {
        ...{ kind, owner, name: name.name, folder, private: wish.private, gated: wish.gated ?? "no" },
        ...{ createdAt: now, createdBy: wish.by, changedAt: now, changedBy: wish.by },
      };
      if (!(await catalog.repos.create(row))) {
        await this.removeFolder(folder);
        return no("control/conflict", `The ${repoNouns[kind]} ${name.id} was made by somebody else meanwhile.`);
      }
      this.#keep(row);
      return { ok: true, repo: ofRow(row) };
    });
  }

  /** From now on nobody finds it; its files go off the disk before this resolves. */
  async remove(name: RepoName): Promise<boolean> {
    const { catalog, clock } = this.#ports;
    return this.inTurn(name, async () => {
      const row = this.#byKey.get(oneKey(name));
      if (row === undefined) return false;
      await catalog.repos.remove(row, clock.wall());
      this.#byKey.delete(oneKey(name));
      this.#byFolder.delete(row.folder);
      for (const [key, folder] of this.#aliases) if (folder === row.folder) this.#aliases.delete(key);
      this.changed(name);
      await this.removeFolder(row.folder);
      return true;
    });
  }

  /** Another name, or another owner, for the same files. */
  async move(from: RepoName, to: RepoName, by: string): Promise<Done> {
    return this.#turns.take(nameTurn(to), () =>
      this.inTurn(from, async () => {
        const row = this.#byKey.get(oneKey(from));
        if (row === undefined) return no("control/not-found", `There is no ${repoNouns[from.kind]} ${from.id}.`);
        const refused = await this.#refuseName(to, row);
        if (refused) return refused;
        const change = { owner: to.owner, name: to.name, changedAt: this.#ports.clock.wall(), changedBy: by };
        await this.#ports.catalog.repos.change(row, change);
        this.#byKey.delete(oneKey(from));
        this.#keep({ ...row, ...change });
        await this.#readAliases();
        this.changed(from);
        return { ok: true };
      }),
    );
  }

  async set(name: RepoName, change: Partial<Pick<RepoRow, "private" | "gated">>, by: string): Promise<boolean> {
    return this.inTurn(name, async () => {
      const row = this.#byKey.get(oneKey(name));
      if (row === undefined) return false;
      const whole = { ...change, changedAt: this.#ports.clock.wall(), changedBy: by };
      await this.#ports.catalog.repos.change(row, whole);
      this.#keep({ ...row, ...whole });
      return true;
    });
  }

  /** What it holds is another than before, or nothing any more. */
  changed(name: RepoName): void {
    for (const watcher of this.#watchers) watcher(name);
  }

  /** Its files have changed: who changed them, and when, is noted of models and datasets. */
  async touched(name: RepoName, by: string): Promise<void> {
    this.changed(name);
    const row = this.#byKey.get(oneKey(name));
    if (row === undefined) return;
    const at = this.#ports.clock.wall();
    await this.#ports.catalog.repos.touch(row, { at, by });
    // Its settings may be others by now, or its name.
    const now = this.#byKey.get(oneKey(name));
    if (now !== undefined) this.#keep({ ...now, changedAt: at, changedBy: by });
  }

  async #refuseName(name: RepoName, moved?: RepoRow): Promise<Extract<RepoMade, { ok: false }> | undefined> {
    const { kind, owner, id } = name;
    const noun = repoNouns[kind];
    const refusal = refuseRepoName(name.name);
    if (refusal) return no("control/invalid", `"${name.name.slice(0, 120)}" cannot be a ${noun}'s name. ${nameSays}`);
    if (!(await this.#ports.catalog.accounts.get(owner)))
      return no("control/not-found", `There is no account ${owner.slice(0, 120)}.`);
    const own = [...this.#byKey.values()].filter((row) => row.kind === kind && row.owner === owner);
    const same = own.find((row) => row.name.toLowerCase() === name.name.toLowerCase() && row.folder !== moved?.folder);
    if (same?.name === name.name)
      return { ...no("control/conflict", `A ${noun} repository called ${id} already exists.`), exists: ofRow(same) };
    if (same)
      return no(
        "control/conflict",
        `${owner}/${same.name} is there already: names that differ by capital letters alone are one.`,
      );
    if (own.length >= perOwnerMax)
      return no("control/conflict", `${owner} has ${perOwnerMax} ${kind}: no more may be made.`);
    return undefined;
  }

  async #firstCommit(stored: string, by: string): Promise<void> {
    const { repositories } = this.#ports;
    await repositories.createRepository(stored);
    const done = await repositories.commitFiles({
      repository: repositories.repositoryOf(stored),
      branch: "main",
      files: [{ path: ".gitattributes", content: { bytes: Buffer.from(firstAttributes) } }],
      author: authorOf(by),
      summary: "initial commit",
    });
    if (!done.ok) throw new Error(`a fresh repository did not take its first commit: ${done.says}`);
  }

  /** Of one that the catalog has given up. */
  async removeFolder(folder: string): Promise<void> {
    const { repositories } = this.#ports;
    await repositories.removeRepository(folder);
    for (const watcher of this.#removalWatchers) watcher(repositories.repositoryOf(folder), folder);
    await this.#ports.catalog.repos.removed(folder);
  }

  #keep(row: RepoRow): void {
    const key = oneKey(ofRow(row));
    this.#aliases.delete(key);
    this.#byKey.set(key, row);
    this.#byFolder.set(row.folder, row);
  }
}

/** Names that differ by capital letters alone are one, but a Space's, which is part of an address. */
function oneKey(name: RepoName): string {
  return keyOf(name).toLowerCase();
}

/** Names that are one are made one after another. */
function nameTurn(name: RepoName): string {
  return `name ${oneKey(name)}`;
}

const nameSays =
  "A name has 1 to 96 letters, digits, `-`, `.` or `_`, begins with a letter or digit, does not end with `-` or `.`, has no `--` or `..`, and does not end in `.git`.";

/** Who commits, as git writes it. */
export function authorOf(account: string): { readonly name: string; readonly email: string } {
  return { name: account, email: `${account}@localhost` };
}

/** As the Hub writes it. */
export function gatedWord({ gated }: Pick<HubRepo, "gated">): "auto" | "manual" | false {
  return gated === "no" ? false : gated;
}

function ofRow(row: RepoRow): HubRepo {
  const named = repoName(row.kind, row.owner, row.name);
  const { private: isPrivate, gated, createdAt, createdBy, changedAt, folder } = row;
  return { ...named, key: keyOf(named), private: isPrivate, gated, createdAt, createdBy, changedAt, stored: folder };
}

function ofSpace({ owner, name, id, settings, createdAt, createdBy, since }: SpaceRow): HubRepo {
  const named = repoName("spaces", owner, name);
  return {
    ...named,
    key: id,
    private: settings.private,
    gated: "no",
    createdAt,
    createdBy,
    changedAt: since,
    stored: id,
  };
}
