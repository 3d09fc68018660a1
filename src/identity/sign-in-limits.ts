/**
 * How often somebody may try to sign in. Three bounds, so that neither one address tries all accounts, nor many addresses one account, and
 * a stranger who tries one account locks nobody out: where its person has signed in before, only what was tried from there counts.
 * In memory, in windows: every bound ends by itself, and a restart forgets them.
 */
import type { Clock } from "../stdx/time.ts";

const minuteMs = 60_000;
const bounds = {
  /** Of one address (IPv6 by /64), whichever accounts it names: a household or an office behind one line. */
  address: { tries: 60, withinMs: 15 * minuteMs },
  /** Of one account from one address. */
  pair: { tries: 8, withinMs: 15 * minuteMs },
  /** Of one account from all addresses where its person was never seen: more than half a dozen of them make together. */
  account: { tries: 200, withinMs: 60 * minuteMs },
} as const;
/** Counted at once, some 200 bytes each; beyond it the oldest window is forgotten. */
const countedMax = 20_000;

interface Window {
  tries: number;
  readonly until: number;
}

export interface Try {
  /** Null where none is named, as by another provider: only its address counts. */
  readonly account: string | null;
  /** As coarse as one household gets it. */
  readonly address: string;
  /** Whether the account's person has signed in from there. */
  readonly isKnown: boolean;
}

export class SignInLimits {
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#now = () => clock.monotonic();
  }

  /** Counts a try before it is made, so that none slips through beside it; how long to wait where it may not be made, else null. */
  take(asked: Try): number | null {
    const now = this.#now();
    const waits = keysOf(asked).map(([key, { tries }]) => {
      const window = this.#windows.get(key);
      return window === undefined || now >= window.until || window.tries < tries ? 0 : window.until - now;
    });
    const wait = Math.max(...waits);
    if (wait > 0) return wait;
    for (const [key, { withinMs }] of keysOf(asked)) this.#count(key, now, withinMs);
    return null;
  }

  /** It was right: what was tried from there before it was its person's. */
  forget(asked: Try): void {
    this.giveBack(asked);
    this.#windows.delete(pairKey(asked));
  }

  /** It was not made after all. */
  giveBack(asked: Try): void {
    for (const [key] of keysOf(asked)) {
      const window = this.#windows.get(key);
      // One that counts nothing would push out one that does.
      if (window?.tries === 1) this.#windows.delete(key);
      else if (window) window.tries -= 1;
    }
  }

  #count(key: string, now: number, withinMs: number): void {
    const window = this.#windows.get(key);
    if (window !== undefined && now < window.until) {
      window.tries += 1;
      return;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { tries: 1, until: now + withinMs });
    if (this.#windows.size > countedMax) this.#windows.delete(this.#windows.keys().next().value ?? key);
  }
}

function keysOf({
  account,
  address,
  isKnown,
}: Try): readonly (readonly [string, { tries: number; withinMs: number }])[] {
  if (account === null) return [[`address ${address}`, bounds.address]];
  return [
    [`address ${address}`, bounds.address],
    [pairKey({ account, address }), bounds.pair],
    ...(isKnown ? [] : [[`account ${account}`, bounds.account] as const]),
  ];
}

function pairKey({ account, address }: Pick<Try, "account" | "address">): string {
  return `pair ${address} ${account}`;
}
