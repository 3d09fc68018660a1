/**
 * Passwords, by argon2id (RFC 9106) with OWASP's parameters: 19 MiB, two passes, one lane. Off the main thread, a few at once: each takes
 * its memory and a processor for a moment, and whoever may try is anybody.
 */
import { argon2, timingSafeEqual } from "node:crypto";
import type { RandomBytes } from "../stdx/ids.ts";

const memoryKib = 19_456;
const passes = 2;
const lanes = 1;
const saltBytes = 16;
const tagBytes = 32;

/** NIST SP 800-63B-4 §3.1.1.2: where the password is all that is asked for. */
export const passwordMinLength = 15;
/** A sentence fits; what is longer costs more than it protects. */
export const passwordMaxLength = 256;
/** Of Node's four threads for such work two are left to the rest of the platform. */
const atOnce = 2;
/** Of each kind, some seconds of work; whoever comes then is told to come again. */
const waitingMax = 32;
/** Of strangers of one address, as many as may try one account: none of them alone fills the queue. */
const waitingOfAddressMax = 8;

/**
 * Who tries. `place`: as coarse as one household gets it; null: where the account's person has been before, or somebody who is signed in.
 * Strangers may be as many as they like: they wait behind those and take no place of theirs.
 */
export interface Trier {
  readonly place: string | null;
}

interface Waiting {
  readonly place: string | null;
  go(): void;
}

/** The key of a password and a salt. */
export type Derive = (password: string, salt: Uint8Array) => Promise<Buffer>;

/** More wait than are worked off in a few seconds. */
export class PasswordsBusy extends Error {
  override readonly name = "PasswordsBusy";
  readonly code = "passwords-busy";
}

export class PasswordHasher {
  readonly #random: RandomBytes;
  readonly #derive: Derive;
  readonly #known: Waiting[] = [];
  readonly #strangers: Waiting[] = [];
  #running = 0;
  /** What no password has made. */
  readonly #nobodys: string;

  constructor(random: RandomBytes, derive: Derive = argon2id) {
    this.#random = random;
    this.#derive = derive;
    this.#nobodys = encode(random(saltBytes), random(tagBytes));
  }

  /** What is kept of it. Throws {@link PasswordsBusy}. */
  async hash(password: string, by: Trier): Promise<string> {
    const salt = this.#random(saltBytes);
    return encode(salt, await this.#bounded(password, salt, by));
  }

  /** Whether it is the one that was kept; null: none was, which costs the same work. Throws {@link PasswordsBusy}. */
  async verify(password: string, kept: string | null, by: Trier): Promise<boolean> {
    const { salt, tag } = decode(kept ?? this.#nobodys);
    const derived = await this.#bounded(password.slice(0, passwordMaxLength), salt, by);
    return timingSafeEqual(derived, tag) && kept !== null && password.length <= passwordMaxLength;
  }

  async #bounded(password: string, salt: Uint8Array, { place }: Trier): Promise<Buffer> {
    if (this.#running >= atOnce) {
      const waiting = place === null ? this.#known : this.#strangers;
      const ofPlace = place === null ? 0 : waiting.filter((one) => one.place === place).length;
      if (waiting.length >= waitingMax || ofPlace >= waitingOfAddressMax)
        throw new PasswordsBusy(`${waiting.length} sign-ins wait already, ${ofPlace} of them from there`);
      await new Promise<void>((go) => void waiting.push({ place, go }));
    } else this.#running += 1;
    try {
      // The same letters are the same bytes, whichever keyboard wrote them (NIST SP 800-63B-4 §3.1.1.2).
      return await this.#derive(password.normalize("NFKC"), salt);
    } finally {
      const next = this.#known.shift() ?? this.#strangers.shift();
      if (next) next.go();
      else this.#running -= 1;
    }
  }
}

/** Why nobody should have it; undefined where it may be one. */
export function passwordSays(password: string, account: string): string | undefined {
  const length = [...password].length;
  if (length < passwordMinLength)
    return `A password has at least ${passwordMinLength} characters; a sentence is one that nobody guesses.`;
  if (password.length > passwordMaxLength) return `A password has at most ${passwordMaxLength} characters.`;
  if (new Set(password.toLowerCase().replaceAll(account, "")).size < 6)
    return "This is a few characters again and again: take something that nobody guesses.";
  return undefined;
}

export function argon2id(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2(
      "argon2id",
      { message: password, nonce: salt, parallelism: lanes, tagLength: tagBytes, memory: memoryKib, passes },
      (error, key) => (error ? reject(error) : resolve(key)),
    );
  });
}

const head = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}`;

function encode(salt: Uint8Array, tag: Uint8Array): string {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replaceAll("=", "");
  return `${head}$${text(salt)}$${text(tag)}`;
}

function decode(kept: string): { readonly salt: Buffer; readonly tag: Buffer } {
  const [salt = "", tag = ""] = kept.slice(head.length + 1).split("$");
  if (!kept.startsWith(`${head}$`))
    throw new Error("a password was kept with parameters that this version does not know");
  return { salt: Buffer.from(salt, "base64"), tag: Buffer.from(tag, "base64") };
}
