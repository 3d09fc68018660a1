/**
 * People who sign in by another provider, and which account they are here: what an operator linked, or what their first sign-in made where
 * the operator lets it. Linked are issuer and subject: a name or an e-mail address is never enough to be somebody who is there already.
 */
import type { AccountRow } from "../catalog/accounts.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { IdentityRow } from "../catalog/identities.ts";
import { nameRefusals, refuseAccountName } from "../catalog/names.ts";
import type { NameRefusal } from "../catalog/names.ts";
import type { IdentityView } from "../contract/identity.ts";
import type { TierName } from "../core/model.ts";
import { Provider } from "../identity/provider.ts";
import type { Person } from "../identity/provider.ts";
import type { ProviderSettings } from "../identity/provider-settings.ts";
import { iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import type { RequestEffects } from "./request-effects.ts";
import { no } from "./spaces.ts";
import type { Refused } from "./spaces.ts";

export interface ProvidersParts {
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly effects: RequestEffects;
  readonly settings: readonly ProviderSettings[];
  onAccount(account: { readonly name: string; readonly tier: TierName }): void;
}

/** `made`: by this sign-in. */
export type Arrived = { readonly ok: true; readonly account: string; readonly made: boolean } | Refused;

export class Providers {
  readonly all: readonly Provider[];
  readonly #parts: ProvidersParts;

  constructor(parts: ProvidersParts) {
    this.#parts = parts;
    this.all = parts.settings.map((settings) => new Provider(settings, parts));
  }

  find(name: string): Provider | undefined {
    return this.all.find(({ settings }) => settings.name === name);
  }

  /** Whose account the person is. `where`: the request and the address, for the audit log. */
  async arrive(
    { settings }: Provider,
    person: Person,
    where: { readonly request: string; readonly address: string | null },
  ): Promise<Arrived> {
    const barred = barredBy(settings, person);
    if (barred !== undefined) return no("identity/no-account", barred);
    const known = await this.#parts.catalog.identities.find(person);
    if (known) return { ok: true, account: known.account, made: false };
    const { label, name } = settings;
    if (!settings.newAccounts)
      return no(
        "identity/no-account",
        `${label} knows you, and no account here is yours yet. Ask the operator: ${linkCommand("ACCOUNT", name, person)}.`,
      );
    return this.#found(settings, person, where);
  }

  async #found(
    { label, name: provider, accountClaim, tier }: ProviderSettings,
    person: Person,
    { request, address }: { readonly request: string; readonly address: string | null },
  ): Promise<Arrived> {
    const { catalog, clock, onAccount } = this.#parts;
    const said = person.claims[accountClaim];
    if (typeof said !== "string")
      return no("identity/no-account", `${label} does not say ${accountClaim}, by which accounts are named here.`);
    const name = said.toLowerCase();
    const noName = (refusal: NameRefusal): Refused =>
      no(
        "identity/no-account",
        `${label} calls you "${name}", which no account may be called. ${nameRefusals[refusal]}`,
      );
    const wrong = refuseAccountName(name);
    if (wrong) return noName(wrong);
    const now = clock.wall();
    const account: AccountRow = { name, tier, role: "user", kind: "person", createdAt: now };
    const link: IdentityRow = { ...idOf(person), account: name, linkedAt: now, linkedBy: name };
    const target = { target: `account/${name}`, owner: name, was: null };
    const became = JSON.stringify({ provider, issuer: person.issuer, subject: person.subject, tier });
    const id = await catalog.audit.add({
      ...{ at: now, account: name, token: null, session: null, address, action: "account.create", request },
      ...{ ...target, outcome: "begun", became },
    });
    const made = await catalog.identities.found(account, link);
    if (!made.ok) {
      const { refusal } = made;
      await catalog.audit.forget(id);
      // The same person, at the same moment: the other one of their sign-ins has made it.
      const known = await catalog.identities.find(person);
      if (known) return { ok: true, account: known.account, made: false };
      if (refusal !== "account-exists") return noName(refusal);
      return no(
        "identity/no-account",
        `${label} calls you ${name}, and an account of that name is here already. If it is yours, ask the operator: ${linkCommand(name, provider, person)}.`,
      );
    }
    onAccount(account);
    await catalog.audit.end({ id, ...target, outcome: "done", became });
    return { ok: true, account: name, made: true };
  }

  async list(account: string): Promise<readonly IdentityView[]> {
    return (await this.#parts.catalog.identities.list(account)).map((row) => this.#view(row));
  }

  /** Makes whoever that is at the provider sign in as the account. */
  async link(
    account: string,
    { provider, subject, by }: { readonly provider: string; readonly subject: string; readonly by: string },
  ): Promise<{ readonly ok: true } | Refused> {
    const { catalog, clock, effects } = this.#parts;
    const found = this.find(provider);
    if (!found) return this.#noProvider(provider);
    const row = await catalog.accounts.get(account);
    if (!row) return no("control/not-found", `There is no account ${account}.`);
    if (row.kind === "organisation")
      return no("control/invalid", `${account} is an organisation: its members sign in, each as themselves.`);
    const { issuer } = found.settings;
    if (effects.made) return { ok: true };
    const isLinked = await catalog.identities.link({ issuer, subject, account, linkedAt: clock.wall(), linkedBy: by });
    if (isLinked) return { ok: true };
    const whose = (await catalog.identities.find({ issuer, subject }))?.account;
    return no(
      "control/conflict",
      `That is ${whose ?? "another account"} already: \`waybill account unlink\` takes it back.`,
    );
  }

  /** Takes the provider from the account. Its sessions go on: they are ended by themselves. */
  async unlink(account: string, provider: string): Promise<{ readonly ok: true } | Refused> {
    const { catalog, effects } = this.#parts;
    // A provider that is not configured any more is named by its issuer.
    const issuer = this.find(provider)?.settings.issuer ?? (URL.canParse(provider) ? provider : undefined);
    if (issuer === undefined) return this.#noProvider(provider);
    if (effects.made || (await catalog.identities.unlink({ issuer, account }))) return { ok: true };
    return no("control/not-found", `${account} does not sign in by ${provider}.`);
  }

  #noProvider(name: string): Refused {
    const names = this.all.map(({ settings }) => settings.name);
    return no(
      "control/not-found",
      `There is no sign-in provider ${name}: ${names.length === 0 ? "none is configured (docs/sign-in.md)" : `there are ${names.join(", ")}`}.`,
    );
  }

  #view({ issuer, subject, linkedAt, linkedBy }: IdentityRow): IdentityView {
    const provider = this.all.find(({ settings }) => settings.issuer === issuer)?.settings.name ?? null;
    return { provider, issuer, subject, linkedAt: iso(linkedAt), linkedBy };
  }
}

/** Why the operator does not let the person in, whoever they are here; undefined where they may come. */
function barredBy(
  { label, emailDomains, groups, groupsClaim }: ProviderSettings,
  { claims }: Person,
): string | undefined {
  if (emailDomains.length > 0) {
    const email = typeof claims["email"] === "string" ? claims["email"] : "";
    const domain = email.slice(email.lastIndexOf("@") + 1).toLowerCase();
    if (email === "" || !emailDomains.includes(domain))
      return `Only who has an e-mail address at ${emailDomains.join(", ")} may sign in by ${label}.`;
    if (claims["email_verified"] !== true) return `${label} has not verified your e-mail address.`;
  }
  const own: unknown = claims[groupsClaim];
  const isIn = Array.isArray(own) && own.some((group) => groups.includes(group as string));
  return groups.length === 0 || isIn ? undefined : `Only members of ${groups.join(", ")} at ${label} may sign in.`;
}

/** For a shell: the subject is the provider's own text. */
function linkCommand(account: string, provider: string, { subject }: Person): string {
  const quoted = /^[\w.@:=+-]+$/.test(subject) ? subject : `'${subject.replaceAll("'", "'\\''")}'`;
  return `\`waybill account link ${account} --provider ${provider} --subject ${quoted}\``;
}

function idOf({ issuer, subject }: Person): Pick<IdentityRow, "issuer" | "subject"> {
  return { issuer, subject };
}
