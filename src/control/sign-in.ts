/**
 * Signing in at the console: by password, or by the link that the platform has printed. What is wrong is not said nearer than that it is
 * wrong, and costs the same work whether there is such an account or not.
 */
import type { Role } from "../catalog/accounts.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { codeRow } from "../evidence/codes.ts";
import { addressGroup } from "../http/address-group.ts";
import { PasswordHasher, PasswordsBusy, passwordSays } from "../identity/password.ts";
import type { Derive } from "../identity/password.ts";
import { sessionSecretOf } from "../identity/sessions.ts";
import type { Sessions } from "../identity/sessions.ts";
import { SignInLimits } from "../identity/sign-in-limits.ts";
import { SignInLinks } from "../identity/sign-in-links.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import type { Caller } from "./caller.ts";
import type { RequestEffects } from "./request-effects.ts";
import { no } from "./spaces.ts";
import type { Done, Refused } from "./spaces.ts";

export interface SignInParts {
  readonly catalog: Catalog;
  readonly sessions: Sessions;
  readonly effects: RequestEffects;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Node's own where it is not said. */
  readonly derive?: Derive;
  onWrongPassword(of: WrongPassword): void;
}

export interface WrongPassword {
  /** Null where no account that has a password is called what was typed, which may be a secret in the wrong field. */
  readonly account: string | null;
  /** IPv6 by its /64. */
  readonly address: string;
}

/** The browser that signs in. */
export interface Browser {
  readonly address: string | null;
  readonly agent: string | null;
  /** What it sends of cookies: a session that it has is left by the one that it gets. */
  readonly cookie: string | undefined;
  /** `q_…` of its request. */
  readonly request: string;
}

export type SignedIn =
  | { readonly ok: true; readonly account: string; readonly id: string; readonly secret: string }
  | (Refused & Waits);
interface Waits {
  /** Until another try is of use. */
  readonly waitMs?: number;
}

export interface PasswordWish {
  readonly account: string;
  readonly password: string;
  /** The one that holds so far. */
  readonly current?: string | undefined;
  readonly address: string | null;
}

/** A moment: work for other sign-ins is under way. */
const busyMs = 5_000;

export class SignIn {
  readonly #parts: SignInParts;
  readonly #hasher: PasswordHasher;
  readonly #limits: SignInLimits;
  readonly #links: SignInLinks;

  constructor(parts: SignInParts) {
    this.#parts = parts;
    this.#hasher = new PasswordHasher(parts.random, parts.derive);
    this.#limits = new SignInLimits(parts.clock);
    this.#links = new SignInLinks(parts.clock, parts.random);
  }

  /** The code of a link that signs in as the account, once, within minutes. */
  link(account: string): string {
    return this.#links.make(account);
  }

  async byPassword({ name, password }: { name: string; password: string }, browser: Browser): Promise<SignedIn> {
    const tried = await this.#try(name, password, browser.address);
    if (!tried.ok) return tried;
    const begun = await this.begin({ account: name, how: "password" }, browser);
    // A password that was changed meanwhile has ended the sessions that were there then, not this one.
    const kept = await this.#parts.catalog.passwords.get(name);
    if (kept?.hash === tried.hash) return begun;
    await this.#parts.sessions.end(begun);
    return no("identity/bad-password", codeRow("identity/bad-password").says);
  }

  async byLink(code: string, browser: Browser): Promise<SignedIn> {
    const tried = this.tryFrom(browser.address, "");
    if (!tried.ok) return tried;
    const account = this.#links.take(code);
    if (account === undefined) return no("identity/bad-link", codeRow("identity/bad-link").says);
    tried.wasRight();
    return this.begin({ account, how: "link" }, browser);
  }

  /** Counts a try that names no account before it is made: of the link, which is `""`, or of a way (null) that others bound too. */
  tryFrom(from: string | null, account: "" | null): { readonly ok: true; wasRight(): void } | (Refused & Waits) {
    const asked = { account, address: addressGroup(from ?? undefined) ?? "unknown", isKnown: true };
    const waitMs = this.#limits.take(asked);
    return waitMs === null ? { ok: true, wasRight: () => this.#limits.forget(asked) } : tooMany(waitMs);
  }

  /** A session of an account that has shown who it is, with its entry in the audit log; the browser's former one ends. */
  async begin({ account, how }: { account: string; how: string }, browser: Browser): Promise<SignedIn & { ok: true }> {
    const { catalog, sessions, clock } = this.#parts;
    const { address, agent, request } = browser;
    const target = `account/${account}`;
    const entry = await catalog.audit.add({
      ...{ at: clock.wall(), account, token: null, session: null, address, action: "session.begin", target },
      ...{ owner: account, request, outcome: "begun", was: null, became: JSON.stringify({ how }) },
    });
    const before = sessionSecretOf(browser.cookie);
    if (before !== undefined) {
      const found = await sessions.find(before);
      if (found.ok) await sessions.end(found.session);
    }
    const made = await sessions.make({ account, how, address, agent });
    const became = JSON.stringify({ how, session: made.id });
    await catalog.audit.end({ id: entry, target, owner: account, outcome: "done", was: null, became });
    return { ok: true, account, ...made };
  }

  /** Sets an account's password; its other sessions end with it. */
  async setPassword(
    { account, password, current, address }: PasswordWish,
    by: Caller,
  ): Promise<Done | (Refused & Waits)> {
    const { catalog, sessions, clock, effects } = this.#parts;
    const isOwn = account === by.account;
    // An operator's token may all anyway; an operator's browser may be one that was left alone.
    const isOperators = by.admin && (!isOwn || by.via.kind === "token");
    if (!isOwn && !isOperators) return no("identity/forbidden", `The password of ${account} is its own.`);
    const row = await catalog.accounts.get(account);
    if (!row) return no("control/not-found", `There is no account ${account}.`);
    if (row.kind === "organisation")
      return no("control/invalid", `${account} is an organisation: it signs in nowhere, its members do.`);
    if (effects.made) return { ok: true };
    const kept = await catalog.passwords.get(account);
    if (!isOperators && by.via.kind === "token" && !isWhole(by, row.role))
      return no(
        "identity/forbidden",
        "A password may all that its account may, without end: this token may less, or ends, so it sets none.",
      );
    if (!isOperators && kept) {
      const tried = await this.#try(account, current ?? "", address);
      if (!tried.ok)
        return tried.code === "identity/bad-password"
          ? no("identity/bad-password", "The current password, `current`, is missing or wrong.")
          : tried;
    }
    const says = passwordSays(password, account);
    if (says !== undefined) return no("control/invalid", says);
    const hash = await this.#unlessBusy(() => this.#hasher.hash(password, { place: null }));
    if (typeof hash !== "string") return hash;
    const keep = isOwn && by.via.kind === "session" ? by.via.id : null;
    await catalog.passwords.set({ account, hash, changedAt: clock.wall() }, { keep });
    sessions.forget();
    return { ok: true };
  }

  /** Whether it is the account's password. The same questions and the same work for every name. */
  async #try(
    name: string,
    password: string,
    from: string | null,
  ): Promise<{ readonly ok: true; readonly hash: string | undefined } | (Refused & Waits)> {
    const { catalog } = this.#parts;
    const address = addressGroup(from ?? undefined) ?? "unknown";
    const [kept, addresses] = await Promise.all([catalog.passwords.get(name), catalog.sessions.addresses(name)]);
    const isKnown = addresses.some((known) => addressGroup(known) === address);
    const asked = { account: name, address, isKnown };
    const waitMs = this.#limits.take(asked);
    if (waitMs !== null) return tooMany(waitMs);
    const by = { place: isKnown ? null : address };
    const isRight = await this.#unlessBusy(() => this.#hasher.verify(password, kept?.hash ?? null, by));
    if (typeof isRight !== "boolean") {
      this.#limits.giveBack(asked);
      return isRight;
    }
    if (!isRight) {
      this.#parts.onWrongPassword({ account: kept ? name : null, address });
      return no("identity/bad-password", codeRow("identity/bad-password").says);
    }
    this.#limits.forget(asked);
    return { ok: true, hash: kept?.hash };
  }

  async #unlessBusy<T>(work: () => Promise<T>): Promise<T | (Refused & Waits)> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof PasswordsBusy) return tooMany(busyMs);
      throw error;
    }
  }
}

/** A token that may all that its person may, for as long. An operator's that is whole has the scope `admin`, and is one. */
function isWhole({ admin, scopes, via }: Caller, role: Role): boolean {
  const all = (["read", "write", "gpu"] as const).every((scope) => scopes.includes(scope));
  return all && (admin || role === "user") && via.expiresAt === null;
}

function tooMany(waitMs: number): Refused & Waits {
  const seconds = Math.ceil(waitMs / 1_000);
  const length = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return {
    ok: false,
    code: "identity/too-many-tries",
    says: `Too many tries to sign in: the next one may be made in ${length}.`,
    waitMs,
  };
}
