/**
 * The secrets of the visitor's tokens: made at the first use, kept in the settings, replaced on a schedule and by an operator's order.
 *
 * A new one is first *next*: whoever verifies is told of it. When all of them have it, it is *current*: what mints uses it. The one before
 * is *former* for as long as its last token may last. Each step is kept before anybody is told of it, so a start goes on where the last
 * process stopped.
 */
import { assert } from "../stdx/assert.ts";
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { after, durationMs, instant } from "../stdx/time.ts";
import type { Clock, DurationMs, Instant } from "../stdx/time.ts";
import type { SecretSettings } from "./settings.ts";
import { preparedKey, visitorTokenLasts } from "./visitor-token.ts";
import type { VisitorKey, VisitorSecrets } from "./visitor-token.ts";

/** What mints and what verifies. */
export interface VisitorKeys {
  readonly current: VisitorKey;
  readonly all: VisitorSecrets;
}

/** A key without its secret. */
export interface VisitorKeyFacts {
  readonly kid: string;
  readonly stage: "next" | "current" | "former";
  /** When it came into this stage. */
  readonly since: Instant;
  /** Of a former one: its tokens are refused from this instant on. */
  readonly until: Instant | null;
}

export interface KeyringParts {
  readonly settings: SecretSettings;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** How long a key is minted with; null: until somebody orders another. */
  readonly everyMs: DurationMs | null;
  /**
   * Resolves when every process that mints or verifies goes by these, the current one first; with those, in words, that have not said so
   * in the time for it.
   */
  readonly publish: (keys: readonly VisitorKey[]) => Promise<readonly string[]>;
}

/** `behind`: processes that may go by the keys of before still. */
export type Rotated =
  | { readonly ok: true; readonly behind: readonly string[] }
  | { readonly ok: false; readonly says: string };

const settingKey = "visitor-keys";
/** As long as the hash: RFC 7518 §3.2. */
const secretBytes = 32;
const kidBytes = 5;
/** What minted with a key may hear a little late that there is another. */
const marginMs = 600_000;
const formerLastsMs = durationMs(visitorTokenLasts + marginMs);
/** Keys at a time: whoever orders more within the time that tokens last tries something else than rotating. */
const keysMax = 32;

interface StoredKey {
  readonly kid: string;
  /** base64url */
  readonly secret: string;
  /** Both absent in what older versions kept: the current one, then the one before it. */
  readonly stage?: VisitorKeyFacts["stage"];
  readonly since?: number;
}

interface Key extends VisitorKey {
  readonly stage: VisitorKeyFacts["stage"];
  readonly since: Instant;
}

export class VisitorKeyring implements VisitorKeys {
  readonly #parts: KeyringParts;
  /** The current one first, so that older versions mint with it too. */
  #kept: readonly Key[];
  readonly #keys: ToldKeys;
  #turn: Promise<unknown> = Promise.resolve();

  static async open(parts: KeyringParts): Promise<VisitorKeyring> {
    const now = parts.clock.wall();
    const first = (): string => stored([freshKey(parts.random, "current", now)]);
    const text = (await parts.settings.get(settingKey)) ?? (await parts.settings.setOnce(settingKey, first()));
    const told = JSON.parse(text) as readonly StoredKey[];
    const keys = read(told, now);
    // From now on the time of those that an older version kept is known.
    if (told.some(({ stage }) => stage === undefined)) await parts.settings.set(settingKey, stored(keys));
    return new VisitorKeyring(parts, keys);
  }

  private constructor(parts: KeyringParts, keys: readonly Key[]) {
    this.#parts = parts;
    this.#kept = keys;
    this.#keys = new ToldKeys(keys);
  }

  get current(): VisitorKey {
    return this.#keys.current;
  }

  get all(): VisitorSecrets {
    return this.#keys.all;
  }

  /** As they are published. */
  get published(): readonly VisitorKey[] {
    return this.#kept;
  }

  get facts(): readonly VisitorKeyFacts[] {
    return this.#kept.map(({ kid, stage, since }) => {
      return { kid, stage, since, until: stage === "former" ? after(since, formerLastsMs) : null };
    });
  }

  /** Resolves when nothing mints with the key before any more. `dropFormer`: and what it has minted is refused from then on. */
  rotate({ dropFormer = false }: { readonly dropFormer?: boolean } = {}): Promise<Rotated> {
    return this.#inTurn(() => this.#rotate(dropFormer));
  }

  /** Goes on with a rotation that was cut off, forgets keys whose tokens are over, and rotates where it is time. Whether it did. */
  sweep(): Promise<boolean> {
    return this.#inTurn(async () => {
      const now = this.#parts.clock.wall();
      const isOver = ({ stage, since }: Key): boolean => stage === "former" && now >= since + formerLastsMs;
      if (this.#kept.some(isOver)) {
        await this.#keep(this.#kept.filter((key) => !isOver(key)));
        await this.#parts.publish(this.#kept);
      }
      if (this.#kept.some(({ stage }) => stage === "next")) {
        await this.#parts.publish(this.#kept);
        await this.#promote(false);
        return true;
      }
      const { everyMs } = this.#parts;
      if (everyMs === null || now < this.#first.since + everyMs) return false;
      return (await this.#rotate(false)).ok;
    });
  }

  get #first(): Key {
    return firstOf(this.#kept);
  }

  async #rotate(dropFormer: boolean): Promise<Rotated> {
    const { random, clock, publish } = this.#parts;
    if (this.#kept.length >= keysMax && !dropFormer)
      return { ok: false, says: `${keysMax} keys are held already; the oldest goes when its last token has ended.` };
    if (!this.#kept.some(({ stage }) => stage === "next")) {
      const former = this.#kept.slice(1);
      // From here on a start finishes it; what is to be dropped only an order does.
      await this.#keep([this.#first, freshKey(random, "next", clock.wall()), ...former], { asked: !dropFormer });
    }
    await publish(this.#kept);
    return { ok: true, behind: await this.#promote(dropFormer) };
  }

  async #promote(dropFormer: boolean): Promise<readonly string[]> {
    const since = this.#parts.clock.wall();
    const next = this.#kept
      .filter(({ stage }) => stage === "next")
      .map((key) => ({ ...key, stage: "current", since }) as const);
    const before = { ...this.#first, stage: "former", since } as const;
    const former = this.#kept.filter(({ stage }) => stage === "former");
    await this.#keep([...next, before, ...former], { asked: !dropFormer });
    const behind = await this.#parts.publish(this.#kept);
    if (!dropFormer) return behind;
    await this.#keep(next, { asked: true });
    return this.#parts.publish(this.#kept);
  }

  /** On the disk first: a start that does not know a key refuses its tokens. */
  async #keep(keys: readonly Key[], { asked = false } = {}): Promise<void> {
    await this.#parts.settings.set(settingKey, stored(keys), { asked });
    this.#kept = keys;
    this.#keys.take(keys);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work, work); // How the one before ended was told to whoever asked for it.
    this.#turn = done;
    done.catch(() => undefined); // Told to whoever asked.
    return done;
  }
}

/** Keys as whoever keeps them has told. */
export class ToldKeys implements VisitorKeys {
  #keys: VisitorKeys;

  /** The one to mint with first, here and below. */
  constructor(told: readonly VisitorKey[]) {
    this.#keys = keysOf(told);
  }

  get current(): VisitorKey {
    return this.#keys.current;
  }

  get all(): VisitorSecrets {
    return this.#keys.all;
  }

  take(told: readonly VisitorKey[]): void {
    this.#keys = keysOf(told);
  }
}

function freshKey(random: RandomBytes, stage: Key["stage"], since: Instant): Key {
  return { kid: `v_${base32(random(kidBytes))}`, key: random(secretBytes), stage, since };
}

function firstOf<Of>(keys: readonly Of[]): Of {
  const [first] = keys;
  assert(first !== undefined, "there is always a key to mint with");
  return first;
}

function keysOf(keys: readonly VisitorKey[]): VisitorKeys {
  return { current: preparedKey(firstOf(keys)), all: new Map(keys.map(({ kid, key }) => [kid, key])) };
}

function stored(keys: readonly Key[]): string {
  return JSON.stringify(
    keys.map(({ kid, key, stage, since }): StoredKey => {
      return { kid, secret: Buffer.from(key).toString("base64url"), stage, since };
    }),
  );
}

function read(keys: readonly StoredKey[], now: Instant): readonly Key[] {
  return keys.map(({ kid, secret, stage, since }, at) => ({
    kid,
    key: new Uint8Array(Buffer.from(secret, "base64url")),
    stage: stage ?? (at === 0 ? "current" : "former"),
    since: instant(since ?? now),
  }));
}
