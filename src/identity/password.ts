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
/** Some seconds of work; whoever comes then is told to come again. */
const waitingMax = 32;

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
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** What no password has made. */
  readonly #nobodys: string;

  constructor(random: RandomBytes, derive: Derive = argon2id) {
    this.#random = random;
    this.#derive = derive;
    this.#nobodys = encode(random(saltBytes), random(tagBytes));
  }

  /** What is kept of it. Throws {@link PasswordsBusy}. */
  async hash(password: string): Promise<string> {
    const salt = this.#random(saltBytes);
    return encode(salt, await this.#bounded(password, salt));
  }

  /** Whether it is the one that was kept; null: none was, which costs the same work. Throws {@link PasswordsBusy}. */
  async verify(password: string, kept: string | null): Promise<boolean> {
    const { salt, tag } = decode(kept ?? this.#nobodys);
    const derived = await this.#bounded(password.slice(0, passwordMaxLength), salt);
    return timingSafeEqual(derived, tag) && kept !== null && password.length <= passwordMaxLength;
  }

  async #bounded(password: string, salt: Uint8Array): Promise<Buffer> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= waitingMax) throw new PasswordsBusy(`${waitingMax} sign-ins wait already`);
      await new Promise<void>((go) => void this.#waiting.push(go));
    } else this.#running += 1;
    try {
      // The same letters are the same bytes, whichever keyboard wrote them (NIST SP 800-63B-4 §3.1.1.2).
      return await this.#derive(password.normalize("NFKC"), salt);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
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
