/** Organisations and their members: who may act for which, kept in memory as the catalog has it; this process alone changes it. */
import type { Accounts, AccountRow } from "../catalog/accounts.ts";
import type { MemberChange, MemberRow, Members } from "../catalog/members.ts";
import { nameRefusals, refuseAccountName } from "../catalog/names.ts";
import type { TierName } from "../core/model.ts";
import { roleMay } from "../identity/roles.ts";
import type { MemberRole, Right } from "../identity/roles.ts";
import type { Clock } from "../stdx/time.ts";
import { no } from "./spaces.ts";
import type { Done, Refused } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

export interface OrganisationsPorts {
  readonly accounts: Accounts;
  readonly members: Members;
  readonly clock: Clock;
  /** Who made the Space; null where that is not known, undefined where there is none. */
  madeBy(space: string): string | null | undefined;
  onAccount(account: { readonly name: string; readonly tier: TierName }): void;
  /** It has other members than before. */
  onMembers?(organisation: string, accounts: readonly string[]): void;
}

/** People of one organisation, and organisations of one account: `whoami-v2` names all of them. */
const membersMax = 1_000;
const ofAccountMax = 100;

export class Organisations {
  readonly #ports: OrganisationsPorts;
  readonly #byName = new Map<string, Map<string, MemberRow>>();
  readonly #turns = new Turns();

  private constructor(ports: OrganisationsPorts) {
    this.#ports = ports;
  }

  static async open(ports: OrganisationsPorts): Promise<Organisations> {
    const organisations = new Organisations(ports);
    for (const row of await ports.members.all()) organisations.#keep(row);
    return organisations;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** By the organisation's name. */
  of(account: string): readonly MemberRow[] {
    const all = [...this.#byName.values()].flatMap((members) => members.get(account) ?? []);
    return all.toSorted((a, b) => (a.organisation < b.organisation ? -1 : 1));
  }

  /** By their names. */
  members(organisation: string): readonly MemberRow[] {
    const all = [...(this.#byName.get(organisation)?.values() ?? [])];
    return all.toSorted((a, b) => (a.account < b.account ? -1 : 1));
  }

  /** Whether `account` may do so to what `owner` owns; of one Space where that is named. */
  may(account: string, right: Right, { owner, space }: { readonly owner: string; readonly space?: string }): boolean {
    if (account === owner) return true;
    const role = this.#byName.get(owner)?.get(account)?.role;
    if (role === undefined) return false;
    const madeBy = space === undefined ? null : this.#ports.madeBy(space);
    return roleMay(role, right, { made: madeBy === undefined || madeBy === account });
  }

  /** Makes an organisation whose first administrator is `admin`. */
  async create({ name, tier, admin, by }: { name: string; tier: TierName; admin: string; by: string }): Promise<Done> {
    const { accounts, members, clock, onAccount } = this.#ports;
    return this.#turns.take("accounts", async () => {
      const refusal = refuseAccountName(name);
      if (refusal) return no("control/invalid", `"${name}" cannot be an organisation's name. ${nameRefusals[refusal]}`);
      if (await accounts.get(name)) return no("control/conflict", `${name} is there already.`);
      const wrong = await this.#noMember(admin);
      if (wrong) return wrong;
      const now = clock.wall();
      const row: AccountRow = { name, tier, role: "user", kind: "organisation", createdAt: now };
      const first: MemberRow = { organisation: name, account: admin, role: "admin", since: now, addedBy: by };
      await members.found(row, first);
      this.#keep(first);
      this.#changed(name);
      onAccount(row);
      return { ok: true };
    });
  }

  async add(
    organisation: string,
    { account, role, by }: { account: string; role: MemberRole; by: string },
  ): Promise<Done> {
    return this.#turns.take(organisation, async () => {
      const members = this.#byName.get(organisation);
      if (!members) return noOrganisation(organisation);
      const known = members.get(account);
      if (known) return no("control/conflict", `${account} is in ${organisation} already, as ${known.role}.`);
      if (members.size >= membersMax) return no("control/conflict", `${organisation} has ${membersMax} members.`);
      const wrong = await this.#noMember(account);
      if (wrong) return wrong;
      const since = this.#ports.clock.wall();
      return this.#put({ organisation, account, role, since, addedBy: by }, { type: "member.added", at: since });
    });
  }

  async setRole(organisation: string, account: string, role: MemberRole): Promise<Done> {
    return this.#turns.take(organisation, async () => {
      const known = this.#byName.get(organisation)?.get(account);
      if (!known) return this.#notIn(organisation, account);
      const last = role === "admin" ? undefined : this.#lastAdmin(known);
      return last ?? this.#put({ ...known, role }, { type: "member.changed", at: this.#ports.clock.wall() });
    });
  }

  async remove(organisation: string, account: string): Promise<Done> {
    return this.#turns.take(organisation, async () => {
      const known = this.#byName.get(organisation)?.get(account);
      if (!known) return this.#notIn(organisation, account);
      const last = this.#lastAdmin(known);
      if (last) return last;
      await this.#ports.members.remove(known, this.#ports.clock.wall());
      this.#byName.get(organisation)?.delete(account);
      this.#changed(organisation);
      return { ok: true };
    });
  }

  /** All of them with their members' names. */
  *accounts(): Generator<readonly [string, readonly string[]]> {
    for (const [name, members] of this.#byName) yield [name, [...members.keys()]];
  }

  async #put(row: MemberRow, change: MemberChange): Promise<Done> {
    await this.#ports.members.put(row, change);
    this.#keep(row);
    this.#changed(row.organisation);
    return { ok: true };
  }

  #changed(organisation: string): void {
    this.#ports.onMembers?.(organisation, [...(this.#byName.get(organisation)?.keys() ?? [])]);
  }

  #keep(row: MemberRow): void {
    const members = this.#byName.get(row.organisation) ?? new Map<string, MemberRow>();
    members.set(row.account, row);
    this.#byName.set(row.organisation, members);
  }

  /** Nobody could give the organisation an administrator again. */
  #lastAdmin({ organisation, account, role }: MemberRow): Refused | undefined {
    const others = this.members(organisation).some((other) => other.role === "admin" && other.account !== account);
    if (role !== "admin" || others) return undefined;
    return no("control/conflict", `${account} is the last administrator of ${organisation}: make another one first.`);
  }

  async #noMember(account: string): Promise<Refused | undefined> {
    const row = await this.#ports.accounts.get(account);
    if (!row) return no("control/not-found", `There is no account ${account}.`);
    if (row.kind === "organisation") return no("control/invalid", `${account} is an organisation; members are people.`);
    if (this.of(account).length >= ofAccountMax)
      return no("control/conflict", `${account} is in ${ofAccountMax} organisations, and in no more.`);
    return undefined;
  }

  #notIn(organisation: string, account: string): Refused {
    if (!this.has(organisation)) return noOrganisation(organisation);
    return no("control/not-found", `${account} is not a member of ${organisation}.`);
  }
}

function noOrganisation(name: string): Refused {
  return no("control/not-found", `There is no organisation ${name}.`);
}
