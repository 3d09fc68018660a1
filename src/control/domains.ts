/**
 * Names of people's own domains that lead to Spaces.
 *
 *   claimed ─ proof found, or an operator's word ─► leads ⇄ its proof missing ─ for a week ─► lapsed ─ found again ─► leads
 *
 * Anybody may claim a name for their Space: it does nothing. The one that is proved leads; a name that is proved for another Space is
 * that one's for as long as its proof is there.
 */
import type { DomainChange, DomainRow, Domains as Rows } from "../catalog/domains.ts";
import type { DomainChangeView, DomainView } from "../contract/domains.ts";
import { iso, type Clock, type Instant } from "../stdx/time.ts";
import { domainName } from "./domain-names.ts";
import type { OwnNames } from "./domain-names.ts";
import { findProof, proofWanted } from "./domain-proof.ts";
import type { DomainResolver, ProofFound, ProofWanted } from "./domain-proof.ts";
import { no } from "./spaces.ts";
import type { Refused } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

export interface DomainsPorts {
  readonly rows: Rows;
  readonly resolver: DomainResolver;
  readonly clock: Clock;
  readonly own: OwnNames;
  /** Of this platform's own: what proofs are made of. */
  readonly secret: Uint8Array;
  /** Names may lead elsewhere now. */
  onChanged?(): void;
  /** The Space's own name, where others can find it in the DNS. */
  cnameOf(space: string): string | null;
  /** How visitors come to a host. */
  urlOf(host: string): string;
}

export type DomainAnswer = Refused | { readonly ok: true; readonly domain: DomainView };

interface By {
  readonly account: string;
  /** An operator adds it without proof. */
  readonly withoutProof: boolean;
}

/** Claims of one Space. */
export const domainsPerSpace = 50;
/** Spaces that may claim one name: beyond it somebody plays. */
const claimsPerName = 20;
/** Questions to the DNS at a time: each waits for strangers' servers. */
const lookupsMax = 16;
const dayMs = 86_400_000;
/** A proof is looked for again so often, and a claim that was never proved is kept so long. */
const lookEveryMs = dayMs;
const claimLastsMs = 7 * dayMs;
/** From the first look that misses it: long enough that a mistake at somebody's DNS is seen and mended. */
export const missingLastsMs = 7 * dayMs;
/** A DNS that gave no answer says nothing about a proof, and must not keep the others waiting. */
const unansweredAgainMs = 3_600_000;
/** One name is looked at in each of these, so that a thousand names are no burst. */
export const sweepEveryMs = 20_000;

export class Domains {
  readonly #ports: DomainsPorts;
  /** By Space and name: a Space's are asked for with each look at its route. */
  readonly #claims = new Map<string, Map<string, DomainRow>>();
  /** The Space that a name leads to. */
  readonly #leads = new Map<string, string>();
  /** Of those whose DNS did not answer: when it is asked again. */
  readonly #askAgainAt = new Map<string, number>();
  readonly #turns = new Turns();
  #lookups = 0;

  private constructor(ports: DomainsPorts) {
    this.#ports = ports;
  }

  static async open(ports: DomainsPorts): Promise<Domains> {
    const domains = new Domains(ports);
    for (const row of await ports.rows.all()) domains.#know(row);
    return domains;
  }

  /** The edge's question: the Space that this host leads to. */
  spaceOf(host: string): string | undefined {
    return this.#leads.get(host);
  }

  /** The names that lead to the Space. */
  namesOf(space: string): readonly string[] {
    return this.#of(space).flatMap(({ name, state }) => (state === "leads" ? name : []));
  }

  /** Where visitors reach the Space by them. */
  urlsOf(space: string): readonly string[] {
    return this.namesOf(space).map((name) => this.#ports.urlOf(name));
  }

  list(space: string): readonly DomainView[] {
    return this.#of(space).map((row) => this.#view(row));
  }

  find(space: string, text: string): DomainView | undefined {
    const named = domainName(text, this.#ports.own);
    const row = named.ok ? this.#find(named.name, space) : undefined;
    return row && this.#view(row);
  }

  async changes(space: string, limit: number): Promise<readonly DomainChangeView[]> {
    const changes = await this.#ports.rows.changes(space, limit);
    return changes.map(({ name, action, account, at, says }) => ({ name, action, account, at: iso(at), says }));
  }

  /** Claims a name for a Space, and looks for its proof at once; again, where it is claimed already. */
  async add(space: string, text: string, by: By): Promise<DomainAnswer> {
    const named = domainName(text, this.#ports.own);
    if (!named.ok) return no("control/invalid", named.says);
    const { name } = named;
    if (this.#lookups >= lookupsMax)
      return no("control/conflict", `${lookupsMax} other names are being looked up; try again in some seconds.`);
    this.#lookups += 1;
    try {
      return await this.#turns.take(name, () => this.#claim(space, name, by));
    } finally {
      this.#lookups -= 1;
    }
  }

  /** False where the Space does not claim it. */
  async remove(space: string, text: string, account: string): Promise<boolean> {
    const named = domainName(text, this.#ports.own);
    // What the rules were when it was added they need not be now.
    const name = named.ok ? named.name : text.toLowerCase();
    return this.#turns.take(name, async () => {
      const row = this.#find(name, space);
      if (row === undefined) return false;
      await this.#drop(row, { account, says: "It was asked for." }, true);
      return true;
    });
  }

  /** The Space is deleted: none of its names leads to it any more. */
  async removeAll(space: string, account: string): Promise<void> {
    for (const { name } of this.#of(space))
      await this.#turns.take(name, async () => {
        const row = this.#find(name, space);
        if (row) await this.#drop(row, { account, says: "The Space was deleted." }, false);
      });
  }

  /** Looks at the claim that was not looked at for longest, where it is time. To be called again and again. */
  async sweep(): Promise<void> {
    const now = this.#ports.clock.wall();
    const due = this.#all()
      .filter(({ proof, state }) => state === "claimed" || proof !== "operator")
      .filter((row) => now - (row.lookedAt ?? row.addedAt) >= lookEveryMs)
      .filter((row) => now >= (this.#askAgainAt.get(keyOf(row.name, row.space)) ?? 0))
      .toSorted((a, b) => (a.lookedAt ?? a.addedAt) - (b.lookedAt ?? b.addedAt))[0];
    if (due === undefined) return;
    await this.#turns.take(due.name, async () => {
      const row = this.#find(due.name, due.space);
      if (row !== undefined) await this.#lookAgain(row);
    });
  }

  async #claim(space: string, name: string, { account, withoutProof }: By): Promise<DomainAnswer> {
    const known = this.#find(name, space);
    const refused = known === undefined ? this.#tooMany(space, name) : undefined;
    if (refused !== undefined) return no("control/conflict", refused);
    const at = this.#ports.clock.wall();
    const claim: DomainRow = known ?? {
      ...{ name, space, state: "claimed", proof: null, addedAt: at, addedBy: account },
      ...{ provedAt: null, lookedAt: null, missingSince: null },
    };
    const added =
      known === undefined ? [change(claim, { action: "added", account, at, says: "It was asked for." })] : [];
    const found: ProofFound | { readonly kind: "word" } = withoutProof ? { kind: "word" } : await this.#look(claim);
    if (found.kind === "missing" || found.kind === "unknown") {
      // What was proved before is judged by the time that it is missing, not by who asks.
      const looked = found.kind === "missing" ? at : claim.lookedAt;
      await this.#keep([{ ...claim, lookedAt: claim.state === "claimed" ? looked : claim.lookedAt }], added, true);
      return { ok: true, domain: this.#view(this.#find(name, space) as DomainRow, found.says) };
    }
    const holder = this.#holder(name);
    const given: { rows: DomainRow[]; changes: DomainChange[] } = { rows: [], changes: added };
    if (holder !== undefined && holder.space !== space) {
      const gone = await this.#gone(holder);
      if (!gone)
        return no(
          "control/conflict",
          `${name} leads to another Space, whose proof is there. Its owner can remove it there; whoever has the domain can take that proof away.`,
        );
      given.rows.push({ ...holder, state: "lapsed" });
      given.changes.push(
        change(holder, {
          action: "lapsed",
          account: null,
          at,
          says: `Its proof is gone, and ${name} was proved for another Space.`,
        }),
      );
    }
    const proof = found.kind === "word" ? "operator" : found.by;
    const says = found.kind === "word" ? "An operator added it without proof." : `By ${found.by.toUpperCase()} record.`;
    if (claim.state !== "leads" || claim.proof !== proof)
      given.changes.push(change(claim, { action: "proved", account, at, says }));
    given.rows.push({ ...claim, state: "leads", proof, provedAt: at, lookedAt: at, missingSince: null });
    await this.#keep(given.rows, given.changes, true);
    return { ok: true, domain: this.#view(this.#find(name, space) as DomainRow) };
  }

  async #lookAgain(row: DomainRow): Promise<void> {
    const at = this.#ports.clock.wall();
    const found = await this.#look(row);
    const key = keyOf(row.name, row.space);
    const isOver = row.state === "claimed" && at - row.addedAt >= claimLastsMs;
    // Also where the DNS did not answer all that time: it would be asked for ever.
    if (isOver && found.kind !== "found")
      return this.#drop(row, { account: null, says: "It was not proved within a week." }, false);
    if (found.kind === "unknown") return void this.#askAgainAt.set(key, at + unansweredAgainMs);
    this.#askAgainAt.delete(key);
    const told = (action: DomainChange["action"], says: string): DomainChange[] => [
      change(row, { action, account: null, at, says }),
    ];
    if (found.kind === "missing") {
      if (row.state !== "leads") return this.#keep([{ ...row, lookedAt: at }], [], false);
      const missingSince = row.missingSince ?? at;
      if (at - missingSince >= missingLastsMs)
        return this.#keep(
          [{ ...row, state: "lapsed", lookedAt: at, missingSince }],
          told("lapsed", `For a week ${found.says}.`),
          false,
        );
      const first = row.missingSince === null ? told("missing", `It leads on for a week: ${found.says}.`) : [];
      return this.#keep([{ ...row, lookedAt: at, missingSince }], first, false);
    }
    const holder = this.#holder(row.name);
    if (holder !== undefined && holder.space !== row.space) return this.#keep([{ ...row, lookedAt: at }], [], false);
    const action =
      row.state === "claimed" ? "proved" : row.state === "lapsed" || row.missingSince !== null ? "found" : null;
    const changes = action === null ? [] : told(action, `By ${found.by.toUpperCase()} record.`);
    const provedAt = row.provedAt ?? at;
    await this.#keep(
      [{ ...row, state: "leads", proof: found.by, provedAt, lookedAt: at, missingSince: null }],
      changes,
      false,
    );
  }

  /** Whether what proved it is certainly not there any more. */
  async #gone(holder: DomainRow): Promise<boolean> {
    return holder.proof !== "operator" && (await this.#look(holder)).kind === "missing";
  }

  #look({ name, space }: DomainRow): Promise<ProofFound> {
    return findProof(name, this.#wanted(name, space), this.#ports.resolver);
  }

  #wanted(name: string, space: string): ProofWanted {
    return proofWanted(name, { space, cname: this.#ports.cnameOf(space), secret: this.#ports.secret });
  }

  #tooMany(space: string, name: string): string | undefined {
    if (this.#of(space).length >= domainsPerSpace)
      return `${space} has ${domainsPerSpace} domains, which is as many as a Space may have; remove one first.`;
    const claims = this.#all().filter((row) => row.name === name).length;
    return claims < claimsPerName
      ? undefined
      : `${claims} Spaces claim ${name} already; an operator can add it with --without-proof.`;
  }

  #holder(name: string): DomainRow | undefined {
    const space = this.#leads.get(name);
    return space === undefined ? undefined : this.#find(name, space);
  }

  #find(name: string, space: string): DomainRow | undefined {
    return this.#claims.get(space)?.get(name);
  }

  #of(space: string): readonly DomainRow[] {
    return [...(this.#claims.get(space)?.values() ?? [])];
  }

  #all(): readonly DomainRow[] {
    return [...this.#claims.values()].flatMap((claims) => [...claims.values()]);
  }

  async #keep(rows: readonly DomainRow[], changes: readonly DomainChange[], asked: boolean): Promise<void> {
    await this.#ports.rows.keep(rows, changes, asked);
    for (const row of rows) this.#know(row);
    this.#ports.onChanged?.();
  }

  async #drop(
    row: DomainRow,
    { account, says }: Pick<DomainChange, "account" | "says">,
    asked: boolean,
  ): Promise<void> {
    const at = this.#ports.clock.wall();
    await this.#ports.rows.remove(row, change(row, { action: "removed", account, at, says }), asked);
    this.#claims.get(row.space)?.delete(row.name);
    this.#askAgainAt.delete(keyOf(row.name, row.space));
    if (this.#leads.get(row.name) === row.space) this.#leads.delete(row.name);
    this.#ports.onChanged?.();
  }

  #know(row: DomainRow): void {
    const claims = this.#claims.get(row.space) ?? new Map<string, DomainRow>();
    claims.set(row.name, row);
    this.#claims.set(row.space, claims);
    if (row.state === "leads") this.#leads.set(row.name, row.space);
    else if (this.#leads.get(row.name) === row.space) this.#leads.delete(row.name);
  }

  #view(row: DomainRow, says?: string): DomainView {
    const { name, state, proof, addedAt, addedBy, provedAt, lookedAt, missingSince } = row;
    const wanted = this.#wanted(name, row.space);
    return {
      name,
      state,
      proof,
      says: sentence(row, wanted, says),
      url: state === "leads" ? this.#ports.urlOf(name) : null,
      record: wanted,
      addedAt: iso(addedAt),
      addedBy,
      provedAt: provedAt === null ? null : iso(provedAt),
      lookedAt: lookedAt === null ? null : iso(lookedAt),
      leadsUntil: state === "leads" && missingSince !== null ? iso((missingSince + missingLastsMs) as Instant) : null,
    };
  }
}

function sentence(
  { name, state, proof, missingSince }: DomainRow,
  { txt, cname }: ProofWanted,
  saw: string | undefined,
): string {
  const records = `TXT ${txt.name} "${txt.value}"${cname === null ? "" : `, or CNAME ${name} to ${cname}`}`;
  if (state === "leads" && missingSince !== null)
    return `It leads to the Space for now, but its proof is gone from the DNS: put ${records} back.`;
  if (state === "leads")
    return proof === "operator" ? "It leads to the Space, by an operator's word." : "It leads to the Space.";
  const because = saw === undefined ? "" : ` (${saw})`;
  if (state === "lapsed")
    return `It leads nowhere any more, since its proof is gone from the DNS${because}: put ${records} back, and add it again.`;
  return `It leads nowhere yet: the DNS has to say that it is yours${because}. Set ${records}, then add it again.`;
}

function change(
  { name, space }: Pick<DomainRow, "name" | "space">,
  what: Pick<DomainChange, "action" | "account" | "at" | "says">,
): DomainChange {
  return { name, space, ...what };
}

function keyOf(name: string, space: string): string {
  return `${name} ${space}`;
}
