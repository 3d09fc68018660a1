/**
 * Clients of a platform that is killed again and again. Each does one thing at a time, keeps what was acknowledged to it, and
 * compares that with what is there before it goes on after a kill. What they throw is the platform's going away.
 */
import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import type { Asking } from "../../src/client/api.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { CallView } from "../../src/contract/api.ts";
import type { SignedReceipt } from "../../src/contract/receipts.ts";
import { verifyReceipt } from "../../src/receipts/document.ts";
import type { RememberedLog } from "../../src/receipts/log-proof.ts";
import type { Prng } from "../../src/stdx/prng.ts";
import type { Account } from "../support/platform.ts";
import { compareList, compareSetting, type Findings, type Wish } from "./promises.ts";

export interface Client {
  readonly name: string;
  /** It acts when all clients together have done so much, in this life and those before; absent: whenever it can. */
  readonly turnAt?: number;
  /** Looks whether what it was promised is there; where that is cut off, it looks again after the next start. */
  compare(): Promise<void>;
  /** With a signal it leaves when that is aborted; else it asks again as long as its client does. `done`: as with {@link turnAt}. */
  act(asking: Asking, done: number): Promise<void>;
}

/** Final views that a visitor reads again after a kill. */
const rereads = 5;
/** A call that has ended has its receipt as soon as its end is durable; one that outlives the platform is looked at no longer than this. */
const receiptLooks = 20;
const lookEveryMs = 5;
/** The app is found again soon after a start; asked without a pause, a visitor would keep the platform from it. */
const turnedAwayMs = 20;

export interface Setting {
  readonly name: string;
  /** Resolves when the write is acknowledged. */
  write(n: number, asking: Asking): Promise<unknown>;
  /** The write that it shows: the last one, until `tried`, that may have left this. */
  read(tried: number): Promise<number>;
  /** After so many acts of all comes the next write. Absent: at once. */
  everyActs?(n: number): number;
}

/** Writes 1, 2, 3… into a setting that nobody else writes. */
export class SettingClient implements Client {
  readonly #setting: Setting;
  readonly #findings: Findings;
  #tried = 0;
  #acknowledged = 0;
  turnAt = 0;

  constructor(setting: Setting, findings: Findings) {
    this.#setting = setting;
    this.#findings = findings;
  }

  get name(): string {
    return this.#setting.name;
  }

  async compare(): Promise<void> {
    if (this.#tried === 0) return;
    const seen = await this.#setting.read(this.#tried);
    compareSetting(this.name, { acknowledged: this.#acknowledged, tried: this.#tried, seen }, this.#findings);
    this.#acknowledged = seen;
  }

  async act(asking: Asking, done: number): Promise<void> {
    const n = ++this.#tried;
    this.turnAt = done + (this.#setting.everyActs?.(n) ?? 0);
    await this.#setting.write(n, asking);
    this.#acknowledged = n;
    this.#findings.acknowledged += 1;
  }
}

export interface List {
  readonly name: string;
  /** Resolves when it is acknowledged; with false where it was not done. */
  add(n: number, asking: Asking): Promise<unknown>;
  nameOf(n: number): string;
  /** Of what takes the machine's time: after so many acts of all it is done once more. Absent: at once. */
  everyActs?(n: number): number;
  /** What it shows of its newest part: at least these wishes, where they are there. */
  read(wishes: readonly Wish[]): Promise<readonly string[]>;
}

/** Adds 1, 2, 3… to a list. */
export class ListClient implements Client {
  readonly #list: List;
  readonly #findings: Findings;
  #tried = 0;
  turnAt = 0;
  /** Those since the last comparison, and the one before them. */
  #wishes: Wish[] = [];

  constructor(list: List, findings: Findings) {
    this.#list = list;
    this.#findings = findings;
  }

  get name(): string {
    return this.#list.name;
  }

  async compare(): Promise<void> {
    compareList(this.name, this.#wishes, await this.#list.read(this.#wishes), this.#findings);
    this.#wishes = this.#wishes.slice(-1);
  }

  async act(asking: Asking, done: number): Promise<void> {
    const n = ++this.#tried;
    const wish = { name: this.#list.nameOf(n), acknowledged: false };
    this.#wishes.push(wish);
    this.turnAt = done + (this.#list.everyActs?.(n) ?? 0);
    if ((await this.#list.add(n, asking)) === false) return;
    wish.acknowledged = true;
    this.#findings.acknowledged += 1;
  }
}

/** Things that are made one after the other, of which a few are kept. */
export interface Coming {
  readonly name: string;
  readonly kept: number;
  nameOf(n: number): string;
  everyActs?(n: number): number;
  make(name: string, asking: Asking): Promise<unknown>;
  remove(name: string, asking: Asking): Promise<unknown>;
  /** The names of those that are there. */
  there(): Promise<readonly string[]>;
}

/** A list of what comes and goes, their numbers in their names; what was acknowledged as removed is never there again. */
export function comeAndGo({ kept, make, remove, there, ...rest }: Coming): List {
  /** Whose removal was asked for, and whether it was acknowledged. */
  const removed = new Map<string, boolean>();
  return {
    ...rest,
    add: async (n, asking) => {
      // Those too whose making nobody acknowledged.
      const oldestFirst = (await there()).toSorted((one, other) => numberIn(one) - numberIn(other));
      for (const one of oldestFirst.slice(0, 1 - kept)) {
        removed.set(one, false);
        await remove(one, asking);
        removed.set(one, true);
      }
      await make(rest.nameOf(n), asking);
    },
    read: async (wishes) => {
      const seen = await there();
      const back = seen.filter((name) => removed.get(name) === true);
      if (back.length > 0) throw new Error(`removed, and there again: ${back.join(", ")}`);
      // One whose removal was asked for may be there or not.
      return [...seen, ...wishes.map(({ name }) => name).filter((name) => removed.has(name) && !seen.includes(name))];
    },
  };
}

/** Asks what promises nothing, one question after the other. */
export class Asker implements Client {
  readonly name = "who asks only";
  readonly #questions: readonly ((asking: Asking) => Promise<unknown>)[];
  #asked = 0;

  constructor(questions: readonly ((asking: Asking) => Promise<unknown>)[]) {
    this.#questions = questions;
  }

  compare(): Promise<void> {
    return Promise.resolve();
  }

  async act(asking: Asking): Promise<void> {
    await this.#questions[this.#asked++ % this.#questions.length]?.(asking);
  }
}

/** Undefined where the platform says that it knows no such thing, or no such token: what was promised is lost then. */
export async function ifKnown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && [401, 404].includes(error.problem.status)) return undefined;
    throw error;
  }
}

/** How a visitor's call goes: the app's query, and after how long the visitor leaves, where it does. */
interface CallKind {
  readonly query: (chance: Prng) => string;
  readonly leaves?: true;
}

const kinds: readonly CallKind[] = [
  { query: (chance) => `ms=${chance.int(20)}` },
  { query: (chance) => `ms=${chance.int(20)}` },
  { query: (chance) => `ms=${chance.int(20)}` },
  { query: (chance) => `ms=${chance.int(20)}&raises` },
  { query: () => "unused" },
  { query: (chance) => `ms=${200 + chance.int(400)}` },
  { query: (chance) => `ms=${chance.int(60)}`, leaves: true },
];

/** Asks the app for GPU calls, and reads how they ended. */
export class Visitor implements Client {
  readonly name: string;
  readonly #account: Account;
  readonly #url: string;
  readonly #chance: Prng;
  readonly #findings: Findings;
  #ended: { readonly call: CallView; readonly receipt: SignedReceipt }[] = [];
  /** The largest log of receipts that it was told of: from then on that only grows (L37). */
  #seen: RememberedLog | undefined;

  constructor(account: Account, { url, chance, findings }: { url: string; chance: Prng; findings: Findings }) {
    this.name = account.name;
    this.#account = account;
    this.#url = url;
    this.#chance = chance;
    this.#findings = findings;
  }

  async compare(): Promise<void> {
    for (const then of this.#ended) {
      const { id } = then.call;
      const call = await ifKnown(this.#account.client.call(id));
      const since = this.#seen?.size ?? 0;
      const receipt = await ifKnown(this.#account.client.receipt(then.receipt.receipt.id, { since }));
      if (receipt) await this.#verify(receipt);
      if (!isDeepStrictEqual([call, frozen(receipt)], [then.call, frozen(then.receipt)]))
        this.#findings.lost.push(
          `call ${id} had ended as ${JSON.stringify(then)} and is ${JSON.stringify({ call, receipt })}`,
        );
    }
    this.#ended = [];
  }

  async act(): Promise<void> {
    const kind = this.#chance.pick(kinds);
    const signal = kind.leaves ? AbortSignal.timeout(1 + this.#chance.int(30)) : null;
    const headers = { authorization: `Bearer ${this.#account.token}` };
    try {
      const answer = await fetch(`${this.#url}/?${kind.query(this.#chance)}`, { headers, signal });
      const text = await answer.text();
      if (answer.status === 200) await this.#follow((JSON.parse(text) as { call: string }).call);
      else if (answer.headers.has("proxy-status")) await delay(turnedAwayMs);
      else this.#findings.other.push(`the app answered ${answer.status}: ${text}`);
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  /** Until it has its receipt: from then on nothing of it may change. */
  async #follow(id: string): Promise<void> {
    for (let look = 0; look < receiptLooks; look++) {
      const call = await this.#account.client.call(id);
      if (call.receipt !== null) {
        const receipt = await this.#account.client.receipt(call.receipt, { since: this.#seen?.size ?? 0 });
        await this.#verify(receipt);
        this.#ended = [...this.#ended.slice(1 - rereads), { call, receipt }];
        return;
      }
      await delay(lookEveryMs);
    }
  }

  async #verify(document: SignedReceipt): Promise<void> {
    const extension = async (): Promise<undefined> => undefined;
    const { ok, checks, learned } = await verifyReceipt(document, { remembered: () => this.#seen, extension });
    if (!ok) this.#findings.lost.push(`the receipt of ${document.receipt.call}: ${JSON.stringify(checks)}`);
    if (learned) this.#seen = { ...learned, at: "before" };
  }
}

/** What of a receipt's document never changes: not the checkpoint, which is the newest, and not the signature, which is the newest key's. */
function frozen(document: SignedReceipt | undefined): unknown {
  return document && { receipt: document.receipt, log: document.log?.leaf };
}

/** -1 where there is none. */
export const numberIn = (text: string): number => Number(/\d+/.exec(text)?.[0] ?? -1);

/** False where it comes too late, which is no fault of anybody's. */
export async function unlessConflict(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 409) return false;
    throw error;
  }
}
