/** What has an id and is no work: nodes, slots, releases, commits, repositories, discussions, tokens and sessions, as `explain` tells of them. */
import type { BuildRow, ReleaseRow } from "../catalog/builds.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { spaceOwner } from "../contract/space.ts";
import type { Slot } from "../core/model.ts";
import type { NodeState, State } from "../core/state.ts";
import { waitingOn } from "../core/bays.ts";
import { drainOf, homeOf, troubleOf, type Card } from "../core/slots.ts";
import { callOutcomes } from "../evidence/call-outcomes.ts";
import type { ChainStep } from "../evidence/chain.ts";
import { explainNode, type NodeCard } from "../evidence/explain-node.ts";
import { explainTold, type Told } from "../evidence/explain-told.ts";
import type { Incident } from "../evidence/incidents.ts";
import type { Explanation, Link } from "../evidence/verdict.ts";
import type { WorkRecord } from "../evidence/work-record.ts";
import { clockTime, count } from "../evidence/words.ts";
import { keyOf, repoNouns, type RepoName } from "../hub/repo-name.ts";
import type { Journal } from "../journal/index.ts";
import { entriesOfRecord } from "../record/scheduler-view.ts";
import { instant, iso, type Instant } from "../stdx/time.ts";
import type { Engine } from "./engine.ts";
import type { HubRepo, HubRepos } from "./hub-repos.ts";
import { drainView } from "./node-views.ts";
import type { Replicas } from "./replicas.ts";
import type { Spaces } from "./spaces.ts";

export interface SubjectParts {
  readonly engine: Engine;
  readonly journal: Journal;
  readonly catalog: Catalog;
  readonly spaces: Spaces;
  readonly replicas: Pick<Replicas, "livingOf" | "livingOn">;
  readonly hubRepos: HubRepos;
  /** The works that these ids name, each in a line; those of which nothing is recorded are left out. */
  lines(ids: readonly string[]): Promise<readonly Link[]>;
  /** By which a build's commit came. */
  push(build: string): Promise<ChainStep | undefined>;
  incident(id: string): Promise<Incident | undefined>;
  read(): WorkRecord["read"];
}

export interface Subject {
  readonly explanation: Explanation;
  /** Whose it is; null for the platform's. */
  readonly owner: string | null;
  readonly account: string | null;
}

/** Builds of a commit, and replicas of a node or a release, that are shown beside it, the newest first. */
const shownMax = 20;

/** Around an incident, what the ledger holds of its node is told with it. */
const aroundMs = 60_000;

export class Subjects {
  readonly #parts: SubjectParts;

  constructor(parts: SubjectParts) {
    this.#parts = parts;
  }

  async node(name: string): Promise<Subject | undefined> {
    const { engine, journal, replicas } = this.#parts;
    const found = await engine.read((state) => nodeFacts(state, name));
    if (!found) return undefined;
    const read = this.#parts.read();
    const records = await journal.readWork(name);
    const entries = records
      .filter(({ index }) => index <= read.journal)
      .flatMap((record) => entriesOfRecord(record).filter(({ work }) => work === name));
    const here = replicas.livingOn(name);
    const links = await this.#parts.lines(here.slice(-shownMax).map(({ status }) => status.replica));
    return { explanation: explainNode({ id: name, ...found, entries, links, read }), owner: null, account: null };
  }

  /** A slot of a card: who has its lease, and since when. */
  async slot(id: string): Promise<Subject | undefined> {
    const slot = await this.#parts.engine.read((state) => state.slots.get(id));
    if (!slot) return undefined;
    const links = slot.stage === "leased" ? await this.#parts.lines([slot.call]) : [];
    const outcome = slot.stage === "free" ? "ok" : "open";
    const look = ["waybill gpu board", `waybill explain ${id.slice(0, id.indexOf("/"))}`];
    return this.#told({ id, kind: "slot", outcome, says: [slotSays(id, slot)], links, look }, null, null);
  }

  /** What was wrong, with the works or the node behind it. */
  async incident(id: string): Promise<Subject | undefined> {
    const incident = await this.#parts.incident(id);
    if (!incident) return undefined;
    const { behind, until, since, wrong } = incident;
    const links = await this.#parts.lines(behind);
    const nodes = wrong === "failures" ? [] : behind;
    const read = this.#parts.read();
    const records = (await Promise.all(nodes.map((node) => this.#parts.journal.readWork(node)))).flat();
    // What the ledger held of the node from a minute before on: what was seen and what brought it about.
    const within = records.filter(
      ({ index, at: when }) =>
        index <= read.journal && when >= since - aroundMs && (until === null || when <= until + aroundMs),
    );
    const entries = within.flatMap((record) => entriesOfRecord(record).filter(({ work }) => nodes.includes(work)));
    const look = [`waybill incident show ${id}`, ...nodes.map((node) => `waybill explain ${node}`)];
    const outcome = until === null ? "open" : "ok";
    const told = { id, kind: "incident", outcome, says: incidentSays(incident), links, look } as const;
    return { explanation: { ...explainTold({ ...told, read }), entries }, owner: null, account: null };
  }

  async release(id: string): Promise<Subject | undefined> {
    const row = await this.#parts.catalog.releases.get(id);
    if (!row) return undefined;
    const { space, build, commit } = row;
    const running = this.#parts.replicas.livingOf(space).filter(({ status }) => status.release === id);
    const links = await this.#parts.lines([build, ...running.slice(-shownMax).map(({ status }) => status.replica)]);
    const says = [
      `Release ${id} of ${space} was published at ${at(row.createdAt)} by build ${build}, from commit ${commit}`,
      standsSays(row, this.#parts.spaces.get(space)?.release === id, running.length),
    ];
    const look = [`waybill releases ${space}`, `waybill explain ${space}@${commit.slice(0, shortCommit)}`];
    return this.#told({ id, kind: "release", outcome: "ok", says, links, look }, spaceOwner(space), spaceOwner(space));
  }

  /** Of a Space: what was built of it. */
  async commit({ kind, id }: RepoName, commit: string): Promise<Subject | undefined> {
    if (kind !== "spaces" || this.#parts.spaces.get(id) === undefined) return undefined;
    const builds = await this.#parts.catalog.builds.ofCommit(id, commit, shownMax);
    const [newest] = builds;
    if (!newest) return undefined;
    const name = `${id}@${newest.commit}`;
    const others = new Set(builds.map((build) => build.commit)).size > 1;
    const push = await this.#parts.push(builds.at(-1)?.id ?? newest.id);
    const links = await this.#parts.lines([...(push ? [push.id] : []), ...builds.map((build) => build.id)]);
    const says = [
      `Commit ${newest.commit} of ${id} has ${count(builds.length, "build")}${builds.length === shownMax ? " or more" : ""}`,
      ...(push?.by === undefined ? [] : [`It was pushed by ${push.by}`]),
      buildSays(newest),
      ...(others ? [`Other commits begin with ${commit} too: write more of it`] : []),
    ];
    const look = [`waybill builds ${id}`, ...(newest.release ? [`waybill explain ${newest.release}`] : [])];
    const outcome = newest.endedAt === null ? "open" : "ok";
    return this.#told({ id: name, kind: "commit", outcome, says, links, look }, spaceOwner(id), newest.account);
  }

  /** A model or a dataset. */
  async repository(name: RepoName): Promise<Subject | undefined> {
    const repo = this.#parts.hubRepos.find(name);
    if (!repo) return undefined;
    const { total } = await this.#parts.catalog.discussions.list(repo.stored, {}, { skip: 0, limit: 1 });
    const gated = repo.gated === "no" ? "" : `, gated (${repo.gated})`;
    const says = [
      `The ${repoNouns[repo.kind]} ${repo.id}${repo.private ? ", private" : ""}${gated}, was made at ${at(repo.createdAt)}${repo.createdBy === null ? "" : ` by ${repo.createdBy}`} and changed last at ${at(repo.changedAt)}`,
      `It has ${count(total, "discussion")}`,
      "A file or a pack on its way to or from it is a transfer: its id is the answer's `X-Waybill-Id`",
    ];
    const look = [`waybill audit --target ${targetOf(repo)}`];
    return this.#told(
      { id: keyOf(repo), kind: "repository", outcome: "ok", says, links: [], look },
      repo.owner,
      repo.owner,
    );
  }

  async discussion(name: RepoName, num: number): Promise<Subject | undefined> {
    const repo = this.#parts.hubRepos.find(name);
    const row = repo && (await this.#parts.catalog.discussions.get({ repo: repo.stored, num }));
    if (!row) return undefined;
    const { title, author, status, pull, createdAt, merged, pending } = row;
    const says = [
      `${pull ? "Pull request" : "Discussion"} ${num} of the ${repoNouns[repo.kind]} ${repo.id}, "${title}", was opened by ${author} at ${at(createdAt)} and is ${status}`,
      ...(merged === null ? [] : [`Main has it since commit ${merged}`]),
      ...(pending === null ? [] : ["Its merge is under way; the next start ends one that was broken off"]),
    ];
    const outcome = status === "open" || status === "draft" ? "open" : "ok";
    const look = [
      `waybill audit --target ${targetOf(repo)}/discussions/${num}`,
      ...(merged !== null && repo.kind === "spaces"
        ? [`waybill explain ${repo.id}@${merged.slice(0, shortCommit)}`]
        : []),
    ];
    return this.#told(
      { id: `${keyOf(repo)}#${num}`, kind: "discussion", outcome, says, links: [], look },
      repo.owner,
      author,
    );
  }

  async token(id: string): Promise<Subject | undefined> {
    const row = await this.#parts.catalog.tokens.get(id);
    if (!row) return undefined;
    const { account, name, scopes, createdAt, lastUsedAt, expiresAt, revokedAt, app } = row;
    const says = [
      `Token ${id}${name === "" ? "" : ` "${name}"`} of ${account} was made at ${at(createdAt)} with ${scopes.length === 0 ? "no scope" : `the ${scopes.length === 1 ? "scope" : "scopes"} ${scopes.join(", ")}`}${app === null ? "" : ` for the app ${app}`}`,
      lastUsedAt === null ? "It was never used" : `It was used last at about ${at(lastUsedAt)}`,
      endSays(revokedAt, expiresAt, this.#parts.engine.now(), "revoked"),
    ];
    const look = ["waybill token list", `waybill audit --account ${account}`];
    return this.#told({ id, kind: "token", outcome: "ok", says, links: [], look }, null, account);
  }

  async session(id: string): Promise<Subject | undefined> {
    const found = await this.#parts.catalog.sessions.byId(id);
    if (!found) return undefined;
    const { account, how, createdAt, usedAt, expiresAt, endedAt } = found.session;
    const says = [
      `Session ${id}: ${account} signed in at ${at(createdAt)} by ${how}, and was here last at about ${at(usedAt)}`,
      endSays(endedAt, expiresAt, this.#parts.engine.now(), "ended"),
    ];
    const look = ["waybill session list", `waybill audit --account ${account}`];
    return this.#told({ id, kind: "session", outcome: "ok", says, links: [], look }, null, account);
  }

  #told(told: Omit<Told, "read">, owner: string | null, account: string | null): Subject {
    return { explanation: explainTold({ ...told, read: this.#parts.read() }), owner, account };
  }
}

function incidentSays({
  id,
  boundary,
  planned,
  says,
  since,
  until,
  closedBy,
  counts,
  notes,
}: Incident): readonly string[] {
  const ends =
    until === null ? "It goes on" : `It was over at ${at(instant(until))}, closed by ${closedBy ?? "nobody"}`;
  return [
    `Incident ${id} at ${boundary}${planned ? ", planned" : ""}, since ${at(instant(since))}: ${says}`,
    ...(counts === null
      ? []
      : [`Of ${count(counts.works, "work")} that ended there, ${counts.failed} failed by the platform's fault`]),
    ends,
    ...notes.map((note) => `${note.by} at ${at(instant(note.at))}: ${note.says}`),
  ];
}

/** So much of a commit tells it from all others of a repository. */
const shortCommit = 12;

/** What the ledger holds of a node now. */
function nodeFacts(state: State, name: string) {
  const node = state.nodes.get(name);
  if (!node) return undefined;
  return {
    stage: node.stage,
    pool: homeOf(node),
    waiting: waitingOn(node),
    cards: node.cards.map((card) => cardFacts(state, node, card)),
  };
}

function cardFacts(state: State, node: NodeState, card: Card): NodeCard {
  const drained = drainOf(state.drains, card);
  const trouble = troubleOf(node.trouble, card);
  return {
    index: card.device.index,
    slots: card.slots.length,
    free: card.slots.filter((slot) => state.slots.get(slot)?.stage === "free").length,
    drain: drained ? { of: drained.of.kind, says: drainView(drained).says } : null,
    trouble: trouble ? { code: callOutcomes[trouble.cause].code ?? "", says: trouble.says } : null,
  };
}

function slotSays(id: string, slot: Slot): string {
  const since = `since ${at(slot.since)}, under fence ${slot.fence}`;
  switch (slot.stage) {
    case "free":
      return `Slot ${id} is free ${since}`;
    case "leased":
      return `Slot ${id} is leased to call ${slot.call} ${since}`;
    case "warm":
      return `Slot ${id} is free for others ${since}; replica ${slot.replica} keeps an idle worker there`;
    case "clearing":
      return `Slot ${id} is being cleared ${since}: the worker of replica ${slot.replica} has to be gone before another call has it`;
  }
}

function standsSays({ removedAt, node }: ReleaseRow, isCurrent: boolean, running: number): string {
  if (removedAt !== undefined) return `Its folder was removed at ${at(removedAt)}: it cannot run any more`;
  const runs =
    running === 0 ? "no replica of it runs" : `${count(running, "replica")} of it ${running === 1 ? "runs" : "run"}`;
  return isCurrent
    ? `It is what the Space runs (${runs}); its folder lies on node ${node}`
    : `It is not what the Space runs (${runs}); \`waybill rollback\` can bring it back`;
}

function buildSays({ id, stage, code, says, release }: BuildRow): string {
  const ended = code === null ? says : `${code}: ${says}`;
  return `The newest, ${id}, is ${stage} (${ended.replace(/\.$/, "")})${release === null ? "" : `, and made ${release}`}`;
}

function endSays(ended: Instant | null, expires: Instant | null, now: Instant, word: string): string {
  if (ended !== null) return `It was ${word} at ${at(ended)}`;
  if (expires === null) return "It holds without end";
  return now >= expires ? `It has expired at ${at(expires)}` : `It holds until ${at(expires)}`;
}

/** What the audit log calls it. */
function targetOf({ kind, id }: HubRepo): string {
  return `${repoNouns[kind].toLowerCase()}/${id}`;
}

function at(time: Instant): string {
  return clockTime(iso(time));
}
