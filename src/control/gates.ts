/**
 * Gated repositories: who may have their files, who has asked, and what was decided. Whoever may write to a repository reads it always;
 * all others need access, which is given at once or by somebody. Who has it is kept in memory as the catalog has it; this process alone
 * changes it.
 */
import type { AccessRow, AccessStatus } from "../catalog/access-requests.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { GateRefusal } from "../hub/gate.ts";
import { pathOf, repoNouns, type RepoName } from "../hub/repo-name.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import type { Answers } from "./gate-form.ts";
import type { HubRepo } from "./hub-repos.ts";
import { no, type Refused } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

/** Who asks for files, by a token or at the console. */
export interface GateCaller {
  readonly account: string;
  may(right: "read" | "write", of: { readonly owner: string; readonly space: string }): boolean;
  grants(scope: "read" | "write", space: string): boolean;
}

export interface GatesPorts {
  readonly catalog: Pick<Catalog, "accessRequests" | "accounts">;
  readonly clock: Pick<Clock, "wall">;
  readonly random: RandomBytes;
  /** As it is now: it may be gated in another way than when it was asked for, or be gone. */
  find(repo: RepoName): HubRepo | undefined;
}

export type AccessDone = { readonly ok: true; readonly row: AccessRow } | Refused;

/** Of one repository. So many people have accounts on no platform of this kind; more would be made by a program. */
const requestsMax = 50_000;

export class Gates {
  readonly #ports: GatesPorts;
  /** By repository. */
  readonly #accepted = new Map<string, Set<string>>();
  readonly #turns = new Turns();

  constructor(ports: GatesPorts) {
    this.#ports = ports;
  }

  /** Before anybody can ask for a file. */
  async recover(): Promise<void> {
    for (const { folder, account } of await this.#ports.catalog.accessRequests.accepted()) this.#let(folder, account);
  }

  /** It was given access. Who may write needs none. */
  has(repo: HubRepo, account: string): boolean {
    return this.#accepted.get(repo.stored)?.has(account) === true;
  }

  /** Why the caller gets none of its files; undefined where they get them. Whether they may know of it was asked before. */
  async refuse(repo: HubRepo, caller: GateCaller | null): Promise<GateRefusal | undefined> {
    if (repo.gated === "no") return undefined;
    if (caller === null) return refuseNobody(repo);
    const { owner, key } = repo;
    if (!caller.grants("read", key)) return forbidden(`${gatedSays(repo)} This token is not for reading them.`);
    if (caller.may("write", { owner, space: key })) return undefined;
    return this.refuseAccount(repo, caller.account);
  }

  /** The same of an account that may not write, whatever its token may; empty: nobody's. */
  async refuseAccount(repo: HubRepo, account: string): Promise<GateRefusal | undefined> {
    if (repo.gated === "no" || this.has(repo, account)) return undefined;
    if (account === "") return refuseNobody(repo);
    const row = await this.#ports.catalog.accessRequests.find(repo.stored, { account });
    return forbidden(`${gatedSays(repo)} ${standingSays(repo, account, row)}`);
  }

  find(repo: HubRepo, of: { readonly account: string } | { readonly id: string }): Promise<AccessRow | undefined> {
    return this.#ports.catalog.accessRequests.find(repo.stored, of);
  }

  list(
    repo: HubRepo,
    status: AccessStatus,
    page: { readonly skip: number; readonly limit: number },
  ): Promise<readonly AccessRow[]> {
    return this.#ports.catalog.accessRequests.list(repo.stored, status, page);
  }

  /** Somebody wants the files. What waits already waits on as it was asked first, unless nobody has to decide any more. */
  async ask(repo: HubRepo, account: string, fields: Answers): Promise<AccessDone> {
    return this.#turns.take(repo.stored, async () => {
      const { catalog, clock } = this.#ports;
      const was = await catalog.accessRequests.find(repo.stored, { account });
      if (was?.status === "rejected") return no("control/conflict", standingSays(repo, account, was));
      const full = was ? undefined : await this.#full(repo);
      if (full) return full;
      const found = this.#ports.find(repo);
      if (found?.stored !== repo.stored || found.gated === "no")
        return no("control/conflict", `${repo.id} was deleted, moved or opened meanwhile.`);
      const isIn = found.gated === "auto";
      if (was?.status === "accepted" || (was && !isIn)) return { ok: true, row: was };
      const now = clock.wall();
      return this.#put({
        ...(was ?? this.#fresh(repo, account, now)),
        ...{ status: isIn ? "accepted" : "pending", decidedAt: isIn ? now : null },
        fields: Object.keys(fields).length === 0 ? null : fields,
      });
    });
  }

  /** Gives access to somebody who may not have asked. */
  async grant(repo: HubRepo, account: string, by: string): Promise<AccessDone> {
    return this.#turns.take(repo.stored, async () => {
      const { catalog, clock } = this.#ports;
      const found = await catalog.accounts.get(account);
      if (found === undefined) return no("control/not-found", `There is no account ${account.slice(0, 120)}.`);
      if (found.kind === "organisation")
        return no("control/invalid", `${account} is an organisation and reads nothing: give access to its members.`);
      const was = await catalog.accessRequests.find(repo.stored, { account });
      if (was?.status === "accepted") return no("control/invalid", `${account} has access to ${repo.id} already.`);
      const full = was ? undefined : await this.#full(repo);
      if (full) return full;
      const now = clock.wall();
      const row = was ?? this.#fresh(repo, account, now);
      return this.#put({ ...row, status: "accepted", decidedAt: now, decidedBy: by, reason: null });
    });
  }

  /** What was asked for is given, turned down, or waits again; access that was there ends with it. */
  async decide(
    repo: HubRepo,
    of: { readonly account: string } | { readonly id: string },
    { status, reason, by }: { readonly status: AccessStatus; readonly reason: string | null; readonly by: string },
  ): Promise<AccessDone> {
    return this.#turns.take(repo.stored, async () => {
      const was = await this.find(repo, of);
      const whose = "id" in of ? `called ${of.id.slice(0, 120)}` : `of ${of.account.slice(0, 120)}`;
      if (was === undefined) return no("control/not-found", `${repo.id} has no access request ${whose}.`);
      if (was.status === status)
        return no("control/not-found", `The access request ${whose} is ${status} already, and is in no other list.`);
      const isOpen = status === "pending";
      const at = isOpen ? null : this.#ports.clock.wall();
      return this.#put({ ...was, status, reason, decidedAt: at, decidedBy: isOpen ? null : by });
    });
  }

  /** Who asked does not want it any more, or gives up what they have. What was turned down stays so. */
  async withdraw(repo: HubRepo, account: string): Promise<AccessDone> {
    return this.#turns.take(repo.stored, async () => {
      const was = await this.find(repo, { account });
      if (was === undefined)
        return no("control/not-found", `${account} has not asked for access to ${repo.id}, and has none.`);
      if (was.status === "rejected") return no("control/conflict", standingSays(repo, account, was));
      await this.#ports.catalog.accessRequests.remove(was);
      this.#accepted.get(repo.stored)?.delete(account);
      return { ok: true, row: was };
    });
  }

  /** The repository is gone. */
  forget(stored: string): void {
    this.#accepted.delete(stored);
  }

  #fresh(repo: HubRepo, account: string, askedAt: Instant): Omit<AccessRow, "status" | "decidedAt"> {
    return {
      ...{ folder: repo.stored, account, id: newId("ar", this.#ports.random), askedAt },
      ...{ fields: null, decidedBy: null, reason: null },
    };
  }

  async #full(repo: HubRepo): Promise<Refused | undefined> {
    if ((await this.#ports.catalog.accessRequests.count(repo.stored)) < requestsMax) return undefined;
    return no("control/conflict", `${repo.id} has ${requestsMax} access requests, and takes no more.`);
  }

  async #put(row: AccessRow): Promise<AccessDone> {
    await this.#ports.catalog.accessRequests.put(row);
    if (row.status === "accepted") this.#let(row.folder, row.account);
    else this.#accepted.get(row.folder)?.delete(row.account);
    return { ok: true, row };
  }

  #let(folder: string, account: string): void {
    const accounts = this.#accepted.get(folder) ?? new Set<string>();
    accounts.add(account);
    this.#accepted.set(folder, accounts);
  }
}

function refuseNobody(repo: HubRepo): GateRefusal {
  const says = `${gatedSays(repo)} No access token came with the request: send one of somebody who has access.`;
  return { status: 401, code: "identity/missing", says };
}

function forbidden(says: string): GateRefusal {
  return { status: 403, code: "identity/gated", says };
}

function gatedSays({ kind, id }: RepoName): string {
  // `huggingface_hub` and what is built on it look for these words.
  return `Access to ${repoNouns[kind]} ${id} is restricted and you are not in the authorized list: it is gated.`;
}

/** Where somebody stands who has no access. */
function standingSays(repo: HubRepo, account: string, row: AccessRow | undefined): string {
  if (row?.status === "pending") return `${account} has asked for it, and ${repo.owner} has not decided yet.`;
  if (row?.status === "rejected") {
    const why = row.reason === null ? "" : `: ${row.reason}`;
    return `${account} has asked for it, and it was turned down${why.replace(/[.!?]$/, "")}.`;
  }
  return `${account} has to ask for it, at ${pathOf(repo)} or with \`waybill access ask ${pathOf(repo).slice(1)}\`.`;
}
