/**
 * Sessions of browsers at the console: a random secret in a cookie that the browser sends to the console's own host alone, and its hash
 * in the catalog. A session ends when it is ended, when it was not used for a week, and after thirty days whatever happens.
 */
import { cookieIn } from "../contract/hand-over.ts";
import type { TierName } from "../core/model.ts";
import { base32, newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { Remembered } from "./remembered.ts";
import { secretHash } from "./secret-text.ts";
import type { Role } from "./token-resolver.ts";

/** By its first characters browsers keep it only from https or this machine, for this host alone, for all of its paths (RFC 6265bis §4.1.3.2). */
export const cookieName = "__Host-waybill-console";
const secretPrefix = "wbs_";
/** 160 random bits: nobody guesses one, so the hash needs no salt. */
const secretBytes = 20;
const secretForm = /^wbs_[0-9a-hjkmnp-tv-z]{32}$/;

/** A browser that nobody came back to for so long is signed out. */
export const idleMs = 7 * 24 * 3_600_000;
/** However much it is used: NIST SP 800-63B §4.1.3 asks for a fresh sign-in after thirty days. */
export const lastsMs = 30 * 24 * 3_600_000;
/** A busy browser must not make each request a write. */
export const usedEveryMs = 3_600_000;
/** Of what a browser says of itself: enough to be recognised in a list. */
const agentMaxLength = 200;

export interface Session {
  /** `s_…` */
  readonly id: string;
  readonly account: string;
  readonly how: string;
  readonly createdAt: Instant;
  /** To the hour. */
  readonly usedAt: Instant;
  readonly expiresAt: Instant;
  readonly endedAt: Instant | null;
}

export interface FoundSession {
  readonly session: Session;
  readonly tier: TierName;
  readonly role: Role;
}

/** What is needed of the catalog's sessions. */
export interface SessionDirectory {
  create(session: Omit<Session, "usedAt" | "endedAt"> & SignedInFrom & { readonly hash: string }): Promise<unknown>;
  find(hash: string): Promise<FoundSession | undefined>;
  byId(id: string): Promise<FoundSession | undefined>;
  touch(id: string, at: Instant): Promise<void>;
  end(session: Pick<Session, "id" | "account">, at: Instant, options?: { readonly asked?: boolean }): Promise<boolean>;
}

interface SignedInFrom {
  readonly address: string | null;
  readonly agent: string | null;
}

export type SessionIdentity =
  | ({ readonly ok: true } & FoundSession)
  | { readonly ok: false; readonly code: "identity/session-ended" };

export interface SessionsOptions {
  readonly directory: SessionDirectory;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Told when the last use of a session could not be noted: the request itself goes on. */
  readonly onTouchFailed: (error: unknown) => void;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #known: Remembered<FoundSession>;
  readonly #knownById: Remembered<FoundSession>;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#knownById = new Remembered(
      () => options.clock.monotonic(),
      (id) => this.lookUp(id),
    );
    this.#known = new Remembered(
      () => options.clock.monotonic(),
      (hash) => this.#ask(hash),
    );
  }

  /** A session of the account, which must exist, under a secret that is drawn here: no browser brings its own. `how`: what signed it in. */
  async make({
    account,
    how,
    address,
    agent,
  }: SignedInFrom & Pick<Session, "account" | "how">): Promise<{ readonly id: string; readonly secret: string }> {
    const { directory, clock, random } = this.#options;
    const secret = `${secretPrefix}${base32(random(secretBytes))}`;
    const id = newId("s", random);
    const createdAt = clock.wall();
    await directory.create({
      ...{ id, account, how, hash: secretHash(secret), createdAt, expiresAt: instant(createdAt + lastsMs) },
      ...{ address, agent: agent?.slice(0, agentMaxLength).replace(/[^\x20-\x7e]/g, "?") ?? null },
    });
    return { id, secret };
  }

  /** Whose session the secret is of. Rejects only where the directory does. */
  async find(secret: string): Promise<SessionIdentity> {
    const found = secretForm.test(secret) ? await this.#known.find(secretHash(secret)) : undefined;
    return standing(found, this.#options.clock.wall());
  }

  /** The session itself, by what the platform has signed for an app's address. */
  async byId(id: string): Promise<SessionIdentity> {
    return standing(await this.#knownById.find(id), this.#options.clock.wall());
  }

  /** Forgets what is remembered: for whoever has just ended sessions in the catalog. */
  forget(): void {
    this.#known.forget();
    this.#knownById.forget();
  }

  /** From the answer on nothing here takes it, and within a second nothing anywhere. False where the account has no such session. */
  async end(session: Pick<Session, "id" | "account">, options: { readonly asked?: boolean } = {}): Promise<boolean> {
    const { directory, clock } = this.#options;
    const isEnded = await directory.end(session, clock.wall(), options);
    this.forget();
    return isEnded;
  }

  /** As the catalog has it now: whoever asks remembers it no longer than this does. */
  async lookUp(id: string): Promise<FoundSession | undefined> {
    return this.#used(await this.#options.directory.byId(id));
  }

  async #ask(hash: string): Promise<FoundSession | undefined> {
    return this.#used(await this.#options.directory.find(hash));
  }

  #used(found: FoundSession | undefined): FoundSession | undefined {
    const { directory, clock, onTouchFailed } = this.#options;
    const now = clock.wall();
    if (found && holds(found.session, now) && now >= found.session.usedAt + usedEveryMs)
      void directory.touch(found.session.id, now).catch(onTouchFailed);
    return found;
  }
}

export function standing(found: FoundSession | undefined, now: Instant): SessionIdentity {
  if (found === undefined || !holds(found.session, now)) return { ok: false, code: "identity/session-ended" };
  return { ok: true, ...found };
}

/** Whether it still is one at that instant. */
export function holds({ usedAt, expiresAt, endedAt }: Session, now: Instant): boolean {
  return endedAt === null && now < usedAt + idleMs && now < expiresAt;
}

/** The secret in a `Cookie` value; undefined where it has none. Two of them say two things, which is none that we set: `""`. */
export function sessionSecretOf(cookie: string | undefined): string | undefined {
  return cookieIn(cookie, cookieName);
}

/** The `Set-Cookie` that keeps the secret in the browser: no script reads it, and no other site's request but a followed link carries it. */
export function sessionCookie(secret: string): string {
  return `${cookieName}=${secret}; Path=/; Max-Age=${lastsMs / 1000}; Secure; HttpOnly; SameSite=Lax`;
}

/** The `Set-Cookie` that takes it away. */
export const noSessionCookie = `${cookieName}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax`;

/** Whether a `Set-Cookie` is one of these two. */
export function isSessionCookie(cookie: string): boolean {
  return cookie.startsWith(`${cookieName}=`);
}
