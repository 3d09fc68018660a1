/**
 * Discussions of repositories, and pull requests: discussions with a reference of their own, `refs/pr/N`, which whoever may read the
 * repository can propose and whoever may write to it can merge. What is in git and in the catalog changes as one: the catalog says first
 * what is about to be (`pending`), and the next start settles what was cut off.
 */
import {
  mergingOf,
  type CommentText,
  type DiscussionDeed,
  type DiscussionEvent,
  type DiscussionKey,
  type DiscussionRow,
} from "../catalog/discussions.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { ParsedCommit } from "../hub/commit-ndjson.ts";
import { repoKinds } from "../hub/repo-name.ts";
import { pullRef } from "../hub/pull-ref.ts";
import { Pulls } from "../hub/pulls.ts";
import type { CommitResult } from "../hub/repository.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { contentOf, notStored, type Commits, type Started } from "./commits.ts";
import {
  commentOf,
  conflicting,
  nounOf,
  notThere,
  refuseOther,
  refusePull,
  titleOf,
  type No,
  type Participant,
} from "./discussion-rules.ts";
import type { Hub } from "./hub.ts";
import { authorOf, type HubRepo } from "./hub-repos.ts";
import { builtBranch } from "./no-build.ts";
import type { PullFiles } from "./pull-files.ts";
import { commitsMax, notOwn, PullLooks } from "./pull-looks.ts";
import type { RequestEffects } from "./request-effects.ts";
import { no, type Refused } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

export interface DiscussionsParts {
  readonly catalog: Pick<Catalog, "builds" | "discussions" | "requestKeys">;
  readonly hub: Hub;
  readonly commits: Commits;
  readonly files: PullFiles;
  readonly effects: Pick<RequestEffects, "apart" | "made">;
  readonly clock: Pick<Clock, "wall">;
  readonly random: RandomBytes;
  onFailure(what: string, error: unknown): void;
}

export type Opened = { readonly ok: true; readonly num: number; readonly commit: string | null } | No;
export type OnPull = { readonly ok: true; readonly commit: string } | No;
export type Said = { readonly ok: true; readonly event: DiscussionEvent } | No;
export type MergedPull = ({ readonly ok: true; readonly commit: string } & (Started | NoSpace)) | No;

interface NoSpace {
  readonly build: null;
  readonly noBuild: null;
}

const unbuilt: NoSpace = { build: null, noBuild: null };

export interface DiscussionWish {
  readonly title: string;
  readonly description: string;
  readonly pull: boolean;
}

/** Of one repository; a script that opens them stops here. */
const ofRepositoryMax = 10_000;
/** Of these what one account may have that may not write there: nobody fills another's list alone. */
const ofStrangerMax = 200;
/** Of one account, in all repositories together. */
const openPullsMax = 100;
/** What happened in one discussion; who may write may always say twice as much, and so close or merge it. */
const eventsMax = 1_000;
/** Characters of all of it: who reads a discussion is sent the whole. */
const charactersMax = 2 << 20;
/** Each keeps what the comment said before. */
const editsMax = 20;
/** What pull requests of one that may not write may add to the repository in git's own form, each. */
const pullMaxBytes = 256 << 20;
/** Commits of a pull request that its message on main names. */
const namedMax = 50;

export class Discussions {
  readonly looks: PullLooks;
  readonly #parts: DiscussionsParts;
  readonly #pulls: Pulls;
  /** By account: two at once do not pass its bound together. */
  readonly #opening = new Turns();

  constructor(parts: DiscussionsParts) {
    this.#parts = parts;
    this.#pulls = new Pulls(parts.hub.store);
    this.looks = new PullLooks(parts.hub.store, this.#pulls);
  }

  /** What was cut off in the middle of being opened or merged; before anybody can ask. */
  async recover(): Promise<void> {
    const { catalog, hub } = this.#parts;
    for (const row of await catalog.discussions.pending()) {
      const repo = repoKinds.flatMap((kind) => hub.repos.list(kind)).find(({ stored }) => stored === row.repo);
      if (repo === undefined) continue; // It is not anybody's any more, and neither is what was said of it.
      try {
        if (mergingOf(row) !== undefined) await this.#settle(row, repo);
        else await this.#drop(row, hub.folderOf(repo));
      } catch (error) {
        // One damaged repository keeps no platform from starting: what is pending of it is settled when somebody changes it.
        this.#parts.onFailure(`pull request ${row.num} of ${repo.id}, which a stop cut off`, error);
      }
    }
  }

  async open(repo: HubRepo, wish: DiscussionWish, by: Participant): Promise<Opened> {
    if (!wish.pull) return this.#inTurn(repo, by, (num) => this.#openTalk(repo, { num, ...wish }, by));
    return this.#inTurn(repo, by, async (num) => {
      const base = await this.#baseOf(repo);
      if (typeof base !== "string") return base;
      return this.#openPull(repo, { num, ...wish, base, status: "draft" }, by);
    });
  }

  /** A pull request that begins with this commit. */
  async propose(repo: HubRepo, commit: ParsedCommit, by: Participant): Promise<Opened> {
    const { summary, description } = commit;
    const title = titleOf(summary);
    return this.#inTurn(repo, by, async (num) => {
      const base = await this.#baseOf(repo, commit.parent);
      if (typeof base !== "string") return base;
      return this.#openPull(repo, { num, title, description, base, status: "open" }, by, commit);
    });
  }

  /** The pull request that an earlier try of this request has opened. */
  async proposed(repo: HubRepo): Promise<Extract<Opened, { ok: true }> | undefined> {
    const { hub, effects } = this.#parts;
    const num = Number(effects.made?.work ?? 0);
    return num > 0 ? { ok: true, num, commit: await hub.store.head(hub.folderOf(repo), pullRef(num)) } : undefined;
  }

  /** A commit on a pull request. */
  async commit(repo: HubRepo, num: number, commit: ParsedCommit, by: Participant): Promise<OnPull> {
    return this.#changing(repo, num, async (row, folder) => {
      const refused = refusePull(row) ?? refuseOther(row, by);
      if (refused) return refused;
      const full = await this.#refuseMore(folder, row, commit, by);
      if (full) return full;
      const done = await this.#write(folder, row, commit, by);
      if (done.ok) await this.#parts.catalog.requestKeys.made(done.commit);
      return done.ok ? { ok: true, commit: done.commit } : notStored(done);
    });
  }

  async comment(repo: HubRepo, num: number, text: string, by: Participant): Promise<Said> {
    return this.#saying(repo, num, async (row) => {
      const full = await this.#refuseMoreSaid(row, by, text.length);
      if (full) return full;
      const event = this.#event(by, commentOf(text, this.#said(by)));
      await this.#rows.add(row, [event]);
      return { ok: true, event };
    });
  }

  async retitle(repo: HubRepo, num: number, title: string, by: Participant): Promise<Said> {
    return this.#saying(repo, num, async (row) => {
      const refused = refuseOther(row, by) ?? (await this.#refuseMoreSaid(row, by, 0));
      if (refused) return refused;
      const event = this.#event(by, { kind: "title", from: row.title, to: title });
      await this.#rows.add(row, [event], { title });
      return { ok: true, event };
    });
  }

  async setStatus(
    repo: HubRepo,
    num: number,
    change: { readonly status: "open" | "closed"; readonly comment: string | null },
    by: Participant,
  ): Promise<Said> {
    const work = (): Promise<Said> => this.#setStatus(repo, num, change, by);
    if (change.status === "closed") return work();
    // One that is opened again counts of its author, as a new one does.
    const row = await this.#rows.get({ repo: repo.stored, num });
    return row === undefined ? notThere(repo, num) : this.#opening.take(row.author, work);
  }

  async editComment(
    repo: HubRepo,
    num: number,
    { id, text }: { readonly id: string; readonly text: string },
    by: Participant,
  ): Promise<Said> {
    return this.#changingComment(repo, num, id, async (event, row) => {
      if (event.author !== by.account)
        return no("identity/forbidden", `This is ${event.author}'s comment: nobody else can change what it says.`);
      if (event.texts.length === 0) return no("control/conflict", "This comment is hidden: it says nothing any more.");
      if (event.texts.length > editsMax)
        return no("control/conflict", `This comment was changed ${editsMax} times: write another one.`);
      const full = await this.#refuseMoreSaid(row, by, text.length);
      if (full) return full;
      return [{ text, ...this.#said(by) }, ...event.texts];
    });
  }

  /** What it said is gone for good. */
  async hideComment(repo: HubRepo, num: number, id: string, by: Participant): Promise<Said> {
    return this.#changingComment(repo, num, id, async (event) =>
      event.author === by.account || by.mayWrite
        ? []
        : no("identity/forbidden", `This is ${event.author}'s comment: ${event.author} and who may write hide it.`),
    );
  }

  /**
   * Puts what a pull request changes onto main, as one commit. Refused where main has changed the same, with the files by name. On a Space
   * the commit is built.
   */
  async merge(
    repo: HubRepo,
    num: number,
    { comment, account }: { readonly comment: string | null; readonly account: string },
  ): Promise<MergedPull> {
    const by = { account, mayWrite: true };
    return this.#changing(repo, num, async (row, folder): Promise<MergedPull> => {
      const { hub, commits, files, effects, catalog } = this.#parts;
      if (effects.made && row.merged !== null) {
        const [build] = repo.kind === "spaces" ? await catalog.builds.ofCommit(repo.id, row.merged, 1) : [];
        return { ok: true, commit: row.merged, build: build?.id ?? null, noBuild: null };
      }
      const refused = refusePull(row);
      if (refused) return refused;
      if (row.status === "draft")
        return no("control/conflict", `Pull request ${num} is a draft: its status is to be set to open before.`);
      const busy = repo.kind === "spaces" ? await commits.noRoom(repo.id, account) : undefined;
      if (busy) return busy;
      // What is made here is on no branch for a moment.
      using _writing = await hub.store.hold(folder);
      const main = await hub.store.head(folder, builtBranch);
      const head = await hub.store.head(folder, pullRef(num));
      if (main === null || head === null)
        return no("control/conflict", `Pull request ${num} cannot be merged: its branch or main is not there.`);
      const merged = await this.#pulls.merge(folder, { onto: main, head });
      if (!merged.ok) return conflicting(num, merged.conflicts);
      const commit = await this.#mergeCommit(folder, row, { main, head, tree: merged.tree, account });
      const change = { from: main, to: commit, account };
      const full = await files.refuse(repo, change);
      if (full) return full;
      await this.#rows.merging(row, change);
      const branch = { repository: folder, name: builtBranch };
      if (commit !== main && !(await hub.refs.moveBranch(branch, change)).ok) {
        await this.#rows.merging(row, null);
        return no("control/changed-meanwhile", `main is not at ${main} any more: try again.`);
      }
      const said = comment === null ? [] : [this.#event(by, commentOf(comment, this.#said(by)))];
      const event = this.#event(by, { kind: "status", status: "merged" });
      await files.take(repo, change);
      await this.#rows.merged(row, commit, [...said, event]);
      const started = commit === main ? unbuilt : await this.#landed(repo, commit, account);
      return { ok: true, commit, ...started };
    });
  }

  /** Why these commits cannot be pushed to the pull request; undefined where they can. In the repository's turn. */
  async refusePush(repo: HubRepo, num: number): Promise<string | undefined> {
    const row = await this.#rows.get({ repo: repo.stored, num });
    return row === undefined ? notThere(repo, num).says : refusePull(row)?.says;
  }

  get #rows(): Catalog["discussions"] {
    return this.#parts.catalog.discussions;
  }

  /** In the repository's turn, with the number of the one that is to be opened. */
  async #inTurn(repo: HubRepo, by: Participant, work: (num: number) => Promise<Opened>): Promise<Opened> {
    return this.#opening.take(by.account, () =>
      this.#parts.hub.changing(repo, async () => {
        const { all, own } = await this.#rows.count(repo.stored, by.account);
        if (all >= ofRepositoryMax)
          return no("control/conflict", `${repo.id} has ${ofRepositoryMax} discussions: no more may be opened.`);
        if (!by.mayWrite && own >= ofStrangerMax)
          return no("control/conflict", `You have opened ${ofStrangerMax} discussions in ${repo.id}: no more may be.`);
        return work(await this.#rows.next(repo.stored));
      }),
    );
  }

  async #openTalk(repo: HubRepo, wish: { num: number; title: string; description: string }, by: Participant) {
    const { num, title, description } = wish;
    const row = {
      ...{ repo: repo.stored, num, title, author: by.account, pull: false, status: "open" as const },
      createdAt: this.#parts.clock.wall(),
    };
    await this.#rows.open(row, this.#event(by, commentOf(description, this.#said(by))));
    return { ok: true as const, num, commit: null };
  }

  async #openPull(
    repo: HubRepo,
    wish: { num: number; title: string; description: string; base: string; status: "draft" | "open" },
    by: Participant,
    commit?: ParsedCommit,
  ): Promise<Opened> {
    const many = await this.#refuseOpenPulls(by.account);
    if (many) return many;
    const { num, title, description, base, status } = wish;
    const folder = this.#parts.hub.folderOf(repo);
    const row = {
      ...{ repo: repo.stored, num, title, author: by.account, pull: true, status, base },
      createdAt: this.#parts.clock.wall(),
    };
    const first = this.#event(by, commentOf(description, this.#said(by)));
    await this.#rows.begin(row);
    try {
      await this.#pulls.put(folder, num, base);
      const whole = { ...row, merged: null, pending: null };
      const done = commit && (await this.#write(folder, whole, { ...commit, parent: base }, by));
      if (done?.ok === false) {
        await this.#drop(row, folder);
        return notStored(done);
      }
      await this.#rows.opened(row, first);
      return { ok: true, num, commit: done?.commit ?? base };
    } catch (error) {
      await this.#drop(row, folder);
      throw error;
    }
  }

  /** Where a pull request begins: main's last commit, or one before. */
  async #baseOf(repo: HubRepo, parent?: string): Promise<string | No> {
    const { hub } = this.#parts;
    const main = await hub.revision(repo, builtBranch);
    if (main === undefined || main === "empty")
      return no("control/conflict", `${repo.id} has no commit yet: there is nothing to merge anything into.`);
    if (parent === undefined || parent === main.commit) return main.commit;
    const isBefore = await this.#pulls.contains(hub.folderOf(repo), main.commit, parent);
    return isBefore
      ? parent
      : no("control/changed-meanwhile", `main of ${repo.id} has never been at the parent ${parent}.`);
  }

  async #write(folder: string, { num }: DiscussionKey, commit: ParsedCommit, by: Participant): Promise<CommitResult> {
    const content = contentOf(commit, by.account);
    return this.#parts.hub.store.commitFiles({ repository: folder, branch: pullRef(num), ...content });
  }

  /** The commit that main is to have; main's own where nothing is changed. */
  async #mergeCommit(
    folder: string,
    row: DiscussionRow,
    { main, head, tree, account }: { main: string; head: string; tree: string; account: string },
  ): Promise<string> {
    const now = await this.#parts.hub.reader.revision(folder, main);
    if (now !== undefined && now !== "empty" && now.tree === tree) return main;
    const commits = await this.#pulls.commits(folder, head, { without: notOwn(row, main), limit: namedMax });
    const named = commits.map(({ id, title }) => `- ${title} (${id})`);
    return this.#pulls.commit(folder, {
      ...{ tree, parent: main, message: [`${row.title} (#${row.num})`, "", ...named].join("\n") },
      ...{ author: authorOf(row.author), committer: authorOf(account) },
      seconds: Math.floor(this.#parts.clock.wall() / 1000),
    });
  }

  /** Main has another commit: of a Space it is built. */
  async #landed(repo: HubRepo, commit: string, account: string): Promise<Started | NoSpace> {
    const { hub, commits } = this.#parts;
    await hub.repos.touched(repo, account);
    if (repo.kind !== "spaces") return unbuilt;
    return commits.landed({ space: repo.id, branch: builtBranch, commit, head: commit, changed: true, account });
  }

  #setStatus(
    repo: HubRepo,
    num: number,
    { status, comment }: { readonly status: "open" | "closed"; readonly comment: string | null },
    by: Participant,
  ): Promise<Said> {
    return this.#saying(repo, num, async (row) => {
      const refused = refuseOther(row, by) ?? (await this.#refuseMoreSaid(row, by, comment?.length ?? 0));
      if (refused) return refused;
      if (row.status === "merged" || row.status === status)
        return no("control/conflict", `${nounOf(row)} ${num} is ${row.status} already.`);
      const many =
        row.pull && status === "open" && row.status === "closed" && (await this.#refuseOpenPulls(row.author));
      if (many) return many;
      const event = this.#event(by, { kind: "status", status });
      const said = comment === null ? [] : [this.#event(by, commentOf(comment, this.#said(by)))];
      await this.#rows.add(row, [event, ...said], { status });
      return { ok: true, event };
    });
  }

  /** What an earlier try of this request has said is not said again. */
  async #saying(repo: HubRepo, num: number, work: (row: DiscussionRow) => Promise<Said>): Promise<Said> {
    const id = this.#parts.effects.made?.work;
    const event = typeof id === "string" ? await this.#rows.event({ repo: repo.stored, num }, id) : undefined;
    return event ? { ok: true, event } : this.#changing(repo, num, work);
  }

  async #changing<T>(
    repo: HubRepo,
    num: number,
    work: (row: DiscussionRow, folder: string) => Promise<T | No>,
  ): Promise<T | No> {
    return this.#parts.hub.changing(repo, async () => {
      const found = await this.#rows.get({ repo: repo.stored, num });
      if (found === undefined) return notThere(repo, num);
      const row = await this.#parts.effects.apart(async () => {
        const settled = await this.#settle(found, repo);
        // One that is settled at the start is built with all other commits that were cut off.
        if (settled.status !== found.status)
          await this.#landed(repo, settled.merged ?? "", mergingOf(found)?.account ?? settled.author);
        return settled;
      });
      return work(row, this.#parts.hub.folderOf(repo));
    });
  }

  async #changingComment(
    repo: HubRepo,
    num: number,
    id: string,
    change: (
      event: DiscussionEvent & { kind: "comment" },
      row: DiscussionRow,
    ) => Promise<readonly CommentText[] | Refused>,
  ): Promise<Said> {
    return this.#saying(repo, num, async (row): Promise<Said> => {
      const event = await this.#rows.event(row, id);
      if (event?.kind !== "comment")
        return no("control/not-found", `${nounOf(row)} ${num} of ${repo.id} has no comment of that id.`);
      const texts = await change(event, row);
      if ("ok" in texts) return texts;
      await this.#rows.say(id, texts);
      return { ok: true, event: { ...event, texts } };
    });
  }

  /** Main has the commit, or it has not: what was cut off is one or the other. */
  async #settle(row: DiscussionRow, repo: HubRepo): Promise<DiscussionRow> {
    const { hub, files } = this.#parts;
    const folder = hub.folderOf(repo);
    const change = mergingOf(row);
    if (change === undefined) return row;
    const { to, account } = change;
    const main = await hub.store.head(folder, builtBranch);
    if (main === null || !(await this.#pulls.contains(folder, main, to))) {
      await this.#rows.merging(row, null);
      return { ...row, pending: null };
    }
    await files.take(repo, change);
    await this.#rows.merged(row, to, [this.#event({ account }, { kind: "status", status: "merged" })]);
    return { ...row, status: "merged", merged: to, pending: null };
  }

  async #drop(row: DiscussionKey, folder: string): Promise<void> {
    // What failed may have been the answer alone: then it is there.
    if ((await this.#rows.get(row)) !== undefined) return;
    await this.#pulls.remove(folder, row.num);
    await this.#rows.forget(row);
  }

  async #refuseOpenPulls(author: string): Promise<No | undefined> {
    if ((await this.#rows.countOpenPulls(author)) < openPullsMax) return undefined;
    return no("control/conflict", `${author} has ${openPullsMax} pull requests open: close one before.`);
  }

  async #refuseMoreSaid(row: DiscussionRow, by: Participant, more: number): Promise<No | undefined> {
    const times = by.mayWrite ? 2 : 1;
    const { events, characters } = await this.#rows.weigh(row);
    if (events >= times * eventsMax)
      return no("control/conflict", `${nounOf(row)} ${row.num} has ${events} entries: no more are taken.`);
    return more > 0 && characters + more > times * charactersMax
      ? no("control/conflict", `${nounOf(row)} ${row.num} has ${characters} characters: no more are taken.`)
      : undefined;
  }

  /** Git's own part of a pull request is bounded: its large files count of somebody. */
  async #refuseMore(
    folder: string,
    row: DiscussionRow,
    commit: ParsedCommit,
    by: Participant,
  ): Promise<No | undefined> {
    const { store } = this.#parts.hub;
    const head = await store.head(folder, pullRef(row.num));
    if (head === null) return no("control/conflict", `The reference ${pullRef(row.num)} is not there.`);
    const without = notOwn(row, await store.head(folder, builtBranch));
    const commits = await this.#pulls.commits(folder, head, { without, limit: commitsMax });
    if (commits.length >= commitsMax)
      return no("control/conflict", `Pull request ${row.num} has ${commitsMax} commits: no more are taken.`);
    if (by.mayWrite) return undefined;
    const bytes = commit.files.reduce((sum, file) => sum + file.bytes.length, 0);
    if ((await this.#pulls.addedBytes(folder, head, without)) + bytes <= pullMaxBytes) return undefined;
    return no(
      "route/too-large",
      `A pull request of one who may not write may add ${pullMaxBytes >> 20} MB beside its large files.`,
    );
  }

  #event(by: Pick<Participant, "account">, deed: DiscussionDeed): DiscussionEvent {
    const id = Buffer.from(this.#parts.random(12)).toString("hex");
    return { id, author: by.account, at: this.#parts.clock.wall(), ...deed };
  }

  #said({ account }: Participant): Omit<CommentText, "text"> {
    return { by: account, at: this.#parts.clock.wall() };
  }
}
