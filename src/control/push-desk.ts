/** What becomes of a push: main's commit is built and followed; what triggers no build says why. */
import { setTimeout as delay } from "node:timers/promises";
import type { AuditRow } from "../catalog/audit.ts";
import type { BuildRow } from "../catalog/builds.ts";
import type { BuildView } from "../contract/api.ts";
import type { GateRefusal } from "../hub/gate.ts";
import { mayAccess, type GitAsked, type Standing } from "../hub/git-access.ts";
import type { GitDesk, Pushed, Pusher, Taken } from "../hub/git-face.ts";
import type { RefCommand } from "../hub/http-backend.ts";
import { pullOf } from "../hub/pull-ref.ts";
import type { RepoName } from "../hub/repo-name.ts";
import { mainRef } from "../hub/receive-rules.ts";
import type { Verdict } from "../evidence/verdict.ts";
import { auditNouns } from "./audited.ts";
import { builtBranch } from "./no-build.ts";
import type { NodeTokens } from "./node-tokens.ts";
import { beginLines, endLines, linesMax, logText } from "./push-lines.ts";
import type { Server } from "./server.ts";

const refNouns: Readonly<Record<string, string>> = { tags: "tag", pr: "pull request" };
const nothing = "0".repeat(40);
/** References of one push that are told, and recorded, one by one. */
const toldMax = 20;
/** Evidence is shipped four times a second; longer than this nobody waits for a verdict. */
const verdictWithinMs = 3_000;
/** Half a second on a busy machine; of one whose log was given up there is no end to wait for. */
const endedWithinMs = 10_000;
const lookAgainMs = 150;

export class PushDesk implements GitDesk {
  readonly #server: Server;
  readonly #nodes: Pick<NodeTokens, "nodeOf">;

  constructor(server: Server, nodes: Pick<NodeTokens, "nodeOf">) {
    this.#server = server;
    this.#nodes = nodes;
  }

  async callerOf(authorization: string | undefined): Promise<GitAsked> {
    const node = await this.#nodes.nodeOf(authorization);
    if (node === undefined) return this.#server.callers.byToken(authorization);
    return { node, reads: (space, build) => this.#server.builds.has(node, space, build) };
  }

  standing(repo: RepoName): Standing {
    const found = this.#server.hub.repos.find(repo);
    if (found === undefined) return "absent";
    return found.private ? "private" : "public";
  }

  async gate(repo: RepoName, asked: GitAsked): Promise<GateRefusal | undefined> {
    const found = this.#server.hub.repos.find(repo);
    // Nodes read what they build, which is never gated; to others they are nobody.
    return found && this.#server.gates.refuse(found, "caller" in asked ? asked.caller : null);
  }

  named(repo: RepoName, asked: GitAsked): RepoName {
    const own = this.#server.hub.repos.named(repo);
    return mayAccess(own, false, asked, this.standing(own)) === undefined ? own : repo;
  }

  storedAs(repo: RepoName): string | undefined {
    return this.#server.hub.repos.find(repo)?.stored;
  }

  async mayRead(repo: RepoName, by: string): Promise<boolean> {
    // A node asked for the files of a build that it was given.
    if (by.startsWith("node ")) return true;
    const found = this.#server.hub.repos.find(repo);
    return found === undefined || this.#server.mayReadFiles(by, found);
  }

  mayWrite(repo: RepoName, by: string): Promise<boolean> {
    return this.#server.mayAccount(by, "write", repo);
  }

  async mayPropose(repo: RepoName, by: string): Promise<boolean> {
    const isAccount = by !== "" && !by.startsWith("node ");
    return isAccount && this.standing(repo) !== "absent" && this.mayRead(repo, by);
  }

  async ensure({ kind, owner, name, id }: RepoName, by: string): Promise<{ ok: true } | { ok: false; says: string }> {
    // Who may write to it was told where it is not there.
    if (kind !== "spaces") return { ok: true };
    const made = await this.#server.spaces.ensure(owner, name, by);
    if (made.ok) return { ok: true };
    if (made.refusal === "no-such-account") return { ok: false, says: `There is no account ${owner}.` };
    return { ok: false, says: `${id} cannot be a Space: ${made.refusal}.` };
  }

  inTurn<T>(repo: RepoName, work: () => Promise<T>): Promise<T> {
    return this.#server.hub.inTurn(repo, work);
  }

  /** In its turn: why main cannot have another commit now. */
  async refuse(push: Pushed): Promise<readonly string[]> {
    const { repo, account, updates } = push;
    const toBuild = repo.kind === "spaces" && updates.some(({ ref }) => ref === mainRef);
    for (const { ref } of updates) {
      const num = pullOf(ref);
      const found = num === undefined ? undefined : this.#server.hub.repos.find(repo);
      const wrong = found && num !== undefined && (await this.#server.discussions.refusePush(found, num));
      if (wrong) return [wrong];
    }
    const refused = toBuild ? await this.#server.commits.noRoom(repo.id, account) : undefined;
    if (refused) return [refused.says, ...(refused.waybill ? [`explain: ${refused.waybill}`] : [])];
    await this.#server.catalog.audit.add(entryOf(push));
    return [];
  }

  async tooLarge({ repo, account }: Pusher, says: string): Promise<readonly string[]> {
    // What is not built has no build's record to say so in.
    if (repo.kind !== "spaces") return [];
    const { id } = await this.#server.commits.tooLarge({ space: repo.id, account, says });
    return [`explain: ${id}`];
  }

  async pushed({ updates, ...pusher }: Pushed): Promise<Taken> {
    const main = updates.find(({ ref }) => ref === mainRef);
    const others = updates.filter((update) => update !== main);
    await this.#server.hub.repos.touched(pusher.repo, pusher.account);
    const landed: Landing[] = [];
    const told = [...others.slice(0, toldMax), ...(main ? [main] : [])];
    if (pusher.repo.kind === "spaces") {
      const head = main?.to ?? (await this.#server.commits.head(pusher.repo.id)) ?? nothing;
      for (const update of told) landed.push(await this.#land(pusher, update, head));
    }
    const { request, startedAt, path, account } = pusher;
    const link = landed.flatMap(({ id }) => id ?? []);
    await this.#taken({ updates, ...pusher });
    this.#server.commits.record({ request, startedAt, path, account, method: "POST", link });
    const more = others.length - toldMax;
    return {
      lines: [
        ...landed.flatMap(({ line }) => line ?? []),
        ...(more > 0 && landed.length > 0 ? [`and ${more} more, which trigger no build either`] : []),
      ],
      build: landed.find(({ isBuild }) => isBuild)?.id ?? null,
    };
  }

  /** The references are changed: the entry from before says that it is done. */
  async #taken(push: Pushed): Promise<void> {
    const { audit } = this.#server.catalog;
    const entry = entryOf(push);
    // With its target, by which the entries are found without a look at all of them.
    const begun = await audit.list({ request: entry.request, target: entry.target }, { page: undefined, limit: 1 });
    const id = begun?.items[0]?.id;
    if (id !== undefined) await audit.end({ ...entry, id, outcome: "done" });
  }

  /** What one reference's new commit leads to. */
  async #land({ repo, account }: Pusher, { ref, to }: RefCommand, head: string): Promise<Landing> {
    const space = repo.id;
    const [, kind = "", ...name] = ref.split("/");
    const what = `${refNouns[kind] ?? "branch"} ${name.join("/")}`;
    if (to === nothing) return { line: `${what} is deleted`, id: null, isBuild: false };
    const branch = ref === mainRef ? builtBranch : what;
    const started = await this.#server.commits.landed({ space, branch, commit: to, head, changed: true, account });
    if (started.noBuild === null) return { line: null, id: started.build, isBuild: true };
    const { id, says } = started.noBuild;
    const line = `${what} is taken at ${to.slice(0, 7)}: no build. ${says} waybill explain ${id}`;
    return { line, id, isBuild: false };
  }

  async *watch(id: string, { origin, signal }: { origin: string; signal: AbortSignal }): AsyncGenerator<string> {
    const { builds, catalog, spaces } = this.#server;
    const page = `${origin}/w/${id}`;
    const row = await catalog.builds.get(id);
    if (!row) return;
    yield* beginLines(row, page);
    let shown = 0;
    for await (const line of builds.follow(id, 1, signal)) {
      shown += 1;
      if (shown <= linesMax) yield logText(line);
      else if (shown === linesMax + 1) yield `… its log has more lines than are shown here: ${page}`;
    }
    const view = await this.#ended(row);
    const space = await spaces.view(view.space);
    const verdict = view.outcome !== "ok" && view.outcome !== null ? await this.#verdict(id) : null;
    yield* endLines(view, verdict, {
      page,
      addresses: space?.addresses ?? [],
      // A replica listens when its build ends; that its Space runs is decided a moment later.
      runs: space?.state === "running" || (view.outcome === "ok" && space?.state === "starting"),
    });
  }

  /** A log is whole a moment before its build's end is in the catalog. */
  async #ended(row: BuildRow): Promise<BuildView> {
    const { builds, catalog, clock } = this.#server;
    const until = clock.monotonic() + endedWithinMs;
    for (;;) {
      const view = builds.views.of((await catalog.builds.get(row.id)) ?? row);
      if (view.outcome !== null || clock.monotonic() >= until) return view;
      await delay(lookAgainMs);
    }
  }

  /** The builder's own word is on its way from its spool when the build has ended. */
  async #verdict(id: string): Promise<Verdict | null> {
    const until = this.#server.clock.monotonic() + verdictWithinMs;
    for (;;) {
      const verdict = (await this.#server.explain(id))?.explanation.verdict ?? null;
      if (verdict !== null || this.#server.clock.monotonic() >= until) return verdict;
      await delay(lookAgainMs);
    }
  }

  onFailure(what: string, error: unknown): void {
    this.#server.onFailure(what, error);
  }
}

function entryOf(push: Pushed): Omit<AuditRow, "id"> {
  const { repo, account, token, address, request, startedAt, updates } = push;
  const noun = auditNouns[repo.kind];
  const told = updates.slice(0, toldMax);
  const commits = (end: "from" | "to"): string =>
    JSON.stringify(
      Object.fromEntries(told.map((update) => [update.ref, update[end] === nothing ? null : update[end]])),
    );
  return {
    ...{ at: startedAt, account, token, session: null, address: address || null },
    ...{ action: `${noun}.push`, target: `${noun}/${repo.id}`, owner: repo.owner, request, outcome: "begun" },
    ...{ was: commits("from"), became: commits("to") },
  };
}

interface Landing {
  readonly line: string | null;
  /** The build, or why there is none. */
  readonly id: string | null;
  readonly isBuild: boolean;
}
