/**
 * Requests that are made once, however often they are sent (draft-ietf-httpapi-idempotency-key-header-07):
 *
 *   L10. Same key and same content → the same answer for a day, failures included, after a restart too.
 *   L11. Same key, other content → 422, and nothing changes.
 *   L12. Two at once → one effect.
 *   L13. The commit that has the effect says whose it is; nobody sees an answer that is not kept.
 *
 * A key belongs to its account. What a process leaves between effect and answer, the next try finishes: the mark in the effect's own
 * commit says that it is there, and the answer is made of what is there.
 */
import type { RequestKeyRow, RequestKeys as Rows } from "../catalog/request-keys.ts";
import type { Code } from "../evidence/codes.ts";
import { SecretKeyMissing } from "../identity/secret-box.ts";
import type { SecretBox } from "../identity/secret-box.ts";
import type { Journal } from "../journal/index.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { Made, RequestEffects } from "./request-effects.ts";

export interface RequestKeysPorts {
  readonly rows: Rows;
  readonly journal: Pick<Journal, "readWork">;
  readonly box: SecretBox;
  readonly effects: RequestEffects;
  readonly random: RandomBytes;
  /** The ledger's time: it never goes back. */
  now(): Instant;
}

export interface KeyedRequest {
  readonly account: string;
  readonly key: string;
  /** Of all that makes it this request and no other. */
  readonly fingerprint: string;
}

/** An answer as it is kept and given again. */
export interface GivenAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export type Outcome =
  | { readonly kind: "given"; readonly answer: GivenAnswer; readonly again: boolean }
  | { readonly kind: "refused"; readonly code: Code; readonly detail: string };

/** From the first try on; the draft leaves it to the server and asks that it is published (README). */
export const keptMs = 24 * 3600 * 1000;
/** Of one account within that time: one every nine seconds, day and night. */
export const keysOfAccountMax = 10_000;
/** Answers to changes have some hundred bytes, those with all of a Space's variables up to this; a longer one is made anew of its effect. */
export const answerMaxBytes = 64 * 1024;
/** Expired keys are looked for so often. */
const removeEveryMs = 60_000;

export class RequestKeys {
  readonly #ports: RequestKeysPorts;
  /** Those that this process is answering (L12). */
  readonly #running = new Set<string>();
  #removedAt = 0;

  constructor(ports: RequestKeysPorts) {
    this.#ports = ports;
  }

  /** The answer of the request's first try, which is `work` where there was none. It is kept when this resolves. */
  async once(request: KeyedRequest, work: () => Promise<GivenAnswer>): Promise<Outcome> {
    const name = `${request.account} ${request.key}`;
    if (this.#running.has(name))
      return refused("control/key-in-use", "The first request with this key is not answered yet.");
    this.#running.add(name);
    try {
      return await this.#once(request, work);
    } finally {
      this.#running.delete(name);
    }
  }

  async #once(request: KeyedRequest, work: () => Promise<GivenAnswer>): Promise<Outcome> {
    const { rows, random, box } = this.#ports;
    const { account, key, fingerprint } = request;
    const now = this.#ports.now();
    const expired = instant(Math.max(0, now - keptMs));
    await this.#removeExpired(now, expired);
    if ((await rows.get(account, key)) === undefined && (await rows.count(account)) >= keysOfAccountMax)
      return refused("control/too-many-keys", `${account} has used ${keysOfAccountMax} keys within a day.`);
    const mark = newId("k", random);
    const asked = seal(box, fingerprint, mark);
    const isFirst = await rows.begin({ account, key, mark, at: now, asked }, expired);
    if (isFirst) return this.#work(mark, undefined, work);
    const row = await rows.get(account, key);
    if (row === undefined) return refused("control/key-in-use", "This key expired just now.");
    return this.#again(row, fingerprint, work);
  }

  async #again(row: RequestKeyRow, fingerprint: string, work: () => Promise<GivenAnswer>): Promise<Outcome> {
    const { box, journal } = this.#ports;
    const { mark, answer } = row;
    const asked = open(box, row.asked, mark);
    const given = answer === null ? null : open(box, answer, mark);
    if (asked === undefined || given === undefined)
      return refused("control/answer-lost", "What was answered was encrypted with a key that is not there any more.");
    if (asked !== fingerprint)
      return refused(
        "control/key-reused",
        "This key was used for another request: other method, address, content or rights.",
      );
    if (given !== null) return { kind: "given", answer: JSON.parse(given) as GivenAnswer, again: true };
    const made = row.made || (await journal.readWork(mark)).length > 0 ? { work: row.work } : undefined;
    return this.#work(mark, made, work);
  }

  async #work(mark: string, made: Made | undefined, work: () => Promise<GivenAnswer>): Promise<Outcome> {
    const { rows, box, effects } = this.#ports;
    const answer = await effects.run({ mark, made }, work);
    // "Not now" says nothing about the request: the same key is good for the next try.
    if (answer.status === 429 || answer.status === 503) await rows.forget(mark);
    else if (Buffer.byteLength(answer.body) <= answerMaxBytes)
      await rows.answer(mark, seal(box, JSON.stringify(answer), mark));
    return { kind: "given", answer, again: false };
  }

  async #removeExpired(now: Instant, expired: Instant): Promise<void> {
    if (now - this.#removedAt < removeEveryMs) return;
    this.#removedAt = now;
    await this.#ports.rows.removeExpired(expired);
  }
}

function refused(code: Code, detail: string): Outcome {
  return { kind: "refused", code, detail };
}

function seal(box: SecretBox, text: string, mark: string): string {
  const { key, sealed } = box.seal(text, mark);
  return `${key} ${sealed}`;
}

/** Undefined where the key that sealed it is gone. */
function open(box: SecretBox, text: string, mark: string): string | undefined {
  const [key = "", sealed = ""] = text.split(" ");
  try {
    return box.open({ key, sealed }, mark);
  } catch (error) {
    if (error instanceof SecretKeyMissing) return undefined;
    throw error;
  }
}
