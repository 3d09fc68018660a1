/** What people were given or have asked for, as `explain` tells of it: allowances, requests for access, backups. */
import type { AccessRow } from "../catalog/access-requests.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { BackupJobView } from "../contract/api.ts";
import { isStanding } from "../core/allowances.ts";
import type { AllowanceTerms, StandingAllowance } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { State } from "../core/state.ts";
import { explainTold, type Told } from "../evidence/explain-told.ts";
import type { WorkRecord } from "../evidence/work-record.ts";
import { bytesSay, clockTime, count, spell } from "../evidence/words.ts";
import { keyOf, repoNouns } from "../hub/repo-name.ts";
import type { Journal } from "../journal/index.ts";
import { iso, type Instant } from "../stdx/time.ts";
import type { Engine } from "./engine.ts";
import type { HubRepos } from "./hub-repos.ts";
import type { Subject } from "./subjects.ts";

export interface GivenParts {
  readonly engine: Engine;
  readonly journal: Pick<Journal, "readWork">;
  readonly catalog: Pick<Catalog, "accessRequests">;
  readonly hubRepos: Pick<HubRepos, "list">;
  backup(id: string): Promise<BackupJobView | undefined>;
  read(): WorkRecord["read"];
}

export class Given {
  readonly #parts: GivenParts;

  constructor(parts: GivenParts) {
    this.#parts = parts;
  }

  /** By the ledger's state while it is not over, and by the journal's records of it from then on. */
  async allowance(id: string): Promise<Subject | undefined> {
    const { engine, journal } = this.#parts;
    const { durable } = engine;
    const [standing, records] = await Promise.all([
      engine.read((state) => standingIn(state, id, engine.now())),
      journal.readWork(id),
    ]);
    const said = allowanceIn(records.filter(({ index }) => index <= durable));
    const known = standing ?? said;
    if (known === undefined) return undefined;
    const { account, allowance } = known;
    const { by, reason, at: given, revoked } = allowance;
    const says = [
      `Allowance ${id} of ${account}, ${termsSay(allowance)}, was given by ${by} at ${at(given)}: ${reason}`,
      ...(standing?.allowance.kind === "credits" ? [creditsSay(standing.allowance)] : []),
      revoked
        ? `It was taken back by ${revoked.by} at ${at(revoked.at)}: ${revoked.reason}`
        : endSays(known, standing !== undefined),
    ];
    const look = [`waybill quota --account ${account}`, `waybill audit --account ${account}`];
    const outcome = standing === undefined || revoked ? "ok" : "open";
    return this.#told({ id, kind: "allowance", outcome, says, links: [], look }, null, account);
  }

  async accessRequest(id: string): Promise<Subject | undefined> {
    const { catalog, hubRepos } = this.#parts;
    const row = await catalog.accessRequests.byId(id);
    if (row === undefined) return undefined;
    const repo = [...hubRepos.list("models"), ...hubRepos.list("datasets")].find((one) => one.stored === row.folder);
    if (repo === undefined) return undefined;
    const name = keyOf(repo);
    const says = [
      `Access request ${id}: ${row.account} asked at ${at(row.askedAt)} for the files of the ${repoNouns[repo.kind]} ${repo.id}`,
      decidedSays(row),
    ];
    const outcome = row.status === "pending" ? "open" : "ok";
    const look = row.status === "pending" ? [`waybill access list ${name}`] : [`waybill access show ${name}`];
    return this.#told({ id, kind: "access-request", outcome, says, links: [], look }, repo.owner, row.account);
  }

  /** Of those that this server began. */
  async backup(id: string): Promise<Subject | undefined> {
    const job = await this.#parts.backup(id);
    if (job === undefined) return undefined;
    const outcome = job.state === "running" ? "open" : job.state === "made" ? "ok" : "failed";
    const look = job.state === "made" ? [`waybill restore ${job.folder}`] : [];
    return this.#told({ id, kind: "backup", outcome, says: [backupSays(job)], links: [], look }, null, null);
  }

  #told(told: Omit<Told, "read">, owner: string | null, account: string | null): Subject {
    return { explanation: explainTold({ ...told, read: this.#parts.read() }), owner, account };
  }
}

interface Found {
  readonly account: string;
  readonly allowance: AllowanceTerms & Pick<StandingAllowance, "by" | "reason" | "at" | "revoked">;
}

function standingIn(
  state: State,
  id: string,
  now: Instant,
): { account: string; allowance: StandingAllowance } | undefined {
  for (const [account, book] of state.accounts) {
    const allowance = book.allowances.find((each) => each.id === id);
    if (allowance) return isStanding(allowance, book, now) ? { account, allowance } : undefined;
  }
  return undefined;
}

/** As it was given, and taken back. */
function allowanceIn(records: readonly LedgerRecord[]): Found | undefined {
  let found: Found | undefined;
  for (const { at: when, events } of records)
    for (const event of events) {
      if (event.type === "allowance-given") {
        const { by, reason, terms } = event.allowance;
        found = { account: event.account, allowance: { ...terms, by, reason, at: when } };
      }
      if (event.type === "allowance-revoked" && found) {
        const { by, reason } = event;
        found = { ...found, allowance: { ...found.allowance, revoked: { by, reason, at: when } } };
      }
    }
  return found;
}

function termsSay(terms: AllowanceTerms): string {
  switch (terms.kind) {
    case "window":
      return `${spell(terms.ms)} more in the window that ran`;
    case "credits":
      return `credits of ${spell(terms.ms)}`;
    case "lift":
      return `which lifts the limit ${terms.policy}`;
  }
}

function creditsSay({ usedMs, heldMs }: Extract<StandingAllowance, { kind: "credits" }>): string {
  return `Of them ${spell(usedMs)} are used${heldMs > 0 ? `, and ${spell(heldMs)} are held by calls` : ""}`;
}

function endSays({ allowance }: Found, isStandingNow: boolean): string {
  if (!isStandingNow) return "It is over";
  if (allowance.kind === "window") return "It holds until the end of that window";
  const until = allowance.kind === "lift" ? allowance.until : allowance.expiresAt;
  return until === null ? "It holds without end" : `It holds until ${at(until)}`;
}

function decidedSays({ status, decidedAt, decidedBy, reason }: AccessRow): string {
  if (status === "pending") return "Nobody has decided yet";
  const when = decidedAt === null ? "" : ` at ${at(decidedAt)}`;
  return `It was ${status}${decidedBy === null ? "" : ` by ${decidedBy}`}${when}${reason === null ? "" : `: ${reason}`}`;
}

function backupSays({ id, folder, state, step, bytes, made, problem }: BackupJobView): string {
  if (state === "running") return `Backup ${id} in ${folder} is being made: ${step}, ${bytesSay(bytes)} so far`;
  if (made !== null)
    return `Backup ${id} in ${folder} was made at ${clockTime(made.madeAt)}: ${count(made.files, "file")}, ${bytesSay(made.bytes)}`;
  return `Backup ${id} in ${folder} failed: ${problem?.detail ?? problem?.title ?? "nobody knows why"}`;
}

function at(time: Instant): string {
  return clockTime(iso(time));
}
