/** Certificates of an ACME authority (RFC 8555), one for each name: ordered when a visitor first asks for it, proved over http-01, kept, renewed. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as acme from "acme-client";

import { keep } from "./keep.ts";
import { isAging, PairUnfit, readPair } from "./pair.ts";
import type { Certificate } from "./pair.ts";

export interface AcmeOptions {
  /** The account's key and the certificates. */
  readonly folder: string;
  /** The authority's directory, `https://…`. */
  readonly directory: string;
  /** Where the authority may write to; null: nowhere. */
  readonly email: string | null;
  readonly now: () => number;
  /** Whether this host is one of ours: for others nothing is ordered. */
  readonly isOurs: (name: string) => boolean;
  readonly onOrdered: (name: string, notAfter: string) => void;
  /** A sentence that says when it is tried again. */
  readonly onFailed: (says: string) => void;
}

export interface AcmeProblem {
  readonly name: string;
  readonly says: string;
  readonly retryAt: number;
}

const accountName = "account.key";
const ownersAlone = 0o600;
/** A handshake waits for an order so long; the next one finds the certificate. */
const handshakeWaitsMs = 30_000;
/** An order takes seconds; an authority that goes on asking for patience gets so much of it. */
const orderWithinMs = 180_000;
const requestWithinMs = 30_000;
/** Orders at a time: a stampede on new names must not use up the authority's limits. */
const ordersMax = 4;
/** After a failure: doubled from the first to the second. Authorities count failures by the hour. */
const retryFirstMs = 60_000;
const retryMostMs = 12 * 3_600_000;
const lookEveryMs = 3_600_000;

interface Failure extends AcmeProblem {
  readonly waitMs: number;
}

export class AcmeCertificates implements Disposable {
  readonly #options: AcmeOptions;
  readonly #client: acme.Client;
  readonly #kept = new Map<string, Certificate>();
  readonly #orders = new Map<string, Promise<Certificate | undefined>>();
  readonly #failures = new Map<string, Failure>();
  readonly #challenges = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;

  private constructor(options: AcmeOptions, accountKey: string) {
    this.#options = options;
    this.#client = new acme.Client({ directoryUrl: options.directory, accountKey });
    for (const [name, certificate] of readKept(options)) this.#kept.set(name, certificate);
    this.#timer = setInterval(() => this.renew(), lookEveryMs);
    this.#timer.unref();
    this.renew();
  }

  static async open(options: AcmeOptions): Promise<AcmeCertificates> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    const { defaults } = acme.axios;
    defaults.timeout = requestWithinMs;
    // Whole orders are tried again, later.
    Object.assign((defaults as { acmeSettings?: object }).acmeSettings ?? {}, {
      retryMaxAttempts: 1,
      retryDefaultDelay: 1,
    });
    return new AcmeCertificates(options, await accountKeyIn(options.folder));
  }

  get all(): readonly Certificate[] {
    return [...this.#kept.values()];
  }

  get problems(): readonly AcmeProblem[] {
    return [...this.#failures.values()];
  }

  /** What is to be answered at `/.well-known/acme-challenge/TOKEN` (RFC 8555 §8.3). */
  challenge(token: string): string | undefined {
    return this.#challenges.get(token);
  }

  async find(name: string): Promise<Certificate | undefined> {
    const kept = this.#kept.get(name);
    if (kept !== undefined && kept.notAfter > this.#options.now()) return kept;
    if (isIP(name) !== 0 || !name.includes(".") || !this.#options.isOurs(name)) return undefined;
    return within(handshakeWaitsMs, this.#order(name));
  }

  /** Orders anew what is in the last third of its life, and still ours. */
  renew(): void {
    const now = this.#options.now();
    for (const [name, certificate] of this.#kept)
      if (isAging(certificate, now) && this.#options.isOurs(name)) void this.#order(name);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Never rejects: a failure is told, and holds the next try back. */
  #order(name: string): Promise<Certificate | undefined> {
    const running = this.#orders.get(name);
    if (running !== undefined) return running;
    const failed = this.#failures.get(name);
    const isEarly = failed !== undefined && this.#options.now() < failed.retryAt;
    if (isEarly || this.#orders.size >= ordersMax) return Promise.resolve(undefined);
    const order = this.#ordered(name)
      .catch((error: unknown) => this.#onFailed(name, error))
      .finally(() => this.#orders.delete(name));
    this.#orders.set(name, order);
    return order;
  }

  async #ordered(name: string): Promise<Certificate> {
    const { folder, email, now } = this.#options;
    const [key, csr] = await acme.crypto.createCsr({ altNames: [name] }, await acme.crypto.createPrivateEcdsaKey());
    const cert = await within(
      orderWithinMs,
      this.#client.auto({
        ...(email !== null && { email }),
        csr,
        termsOfServiceAgreed: true,
        // The authority asks; we might not reach ourselves by our public name.
        skipChallengeVerification: true,
        challengePriority: ["http-01"],
        challengeCreateFn: async (_authorization, { token, type }, answer) => {
          if (type !== "http-01") throw new Error("the authority offers no http-01 challenge");
          this.#challenges.set(token, answer);
        },
        challengeRemoveFn: async (_authorization, { token }) => void this.#challenges.delete(token),
      }),
    );
    if (cert === undefined) throw new Error(`not within ${orderWithinMs / 1000} s`);
    const certificate = readPair({ cert, key: key.toString() }, now());
    if (!certificate.covers(name)) throw new PairUnfit("what the authority issued is for another name");
    keep(join(folder, `${name}.pem`), `${certificate.key.trimEnd()}\n${cert}`, ownersAlone);
    this.#kept.set(name, certificate);
    this.#failures.delete(name);
    this.#options.onOrdered(name, new Date(certificate.notAfter).toISOString());
    return certificate;
  }

  #onFailed(name: string, error: unknown): undefined {
    const waitMs = Math.min(retryMostMs, 2 * (this.#failures.get(name)?.waitMs ?? retryFirstMs / 2));
    const retryAt = this.#options.now() + waitMs;
    const why = error instanceof Error ? error.message : String(error);
    const says = `no certificate for ${name} from ${this.#options.directory}: ${why}; tried again from ${new Date(retryAt).toISOString()} on`;
    this.#failures.set(name, { name, says, retryAt, waitMs });
    this.#options.onFailed(says);
  }
}

async function accountKeyIn(folder: string): Promise<string> {
  const file = join(folder, accountName);
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const key = (await acme.crypto.createPrivateEcdsaKey()).toString();
  keep(file, key, ownersAlone);
  return key;
}

function* readKept({ folder, now }: AcmeOptions): Generator<[string, Certificate]> {
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(".pem")) continue;
    const text = readFileSync(join(folder, file), "utf8");
    try {
      yield [
        file.slice(0, -".pem".length),
        readPair({ cert: text.slice(text.indexOf("-----BEGIN CERTIFICATE")), key: text }, now()),
      ];
    } catch (error) {
      if (!(error instanceof PairUnfit)) throw error;
      // It ended, or it is damaged: a visitor who asks for it has another one ordered.
      rmSync(join(folder, file), { force: true });
    }
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}
