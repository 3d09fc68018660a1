/** What a caller takes a place within: no more than `max` at once are held under the name `of`. */
export interface Share {
  readonly of: string;
  readonly max: number;
}

export interface SlotLimits {
  /** Places in all. */
  readonly atOnce: number;
  /** Of them, how many one caller may hold: an account, or an address without one. */
  readonly perCaller: number;
  /** And all callers without an account together: the rest is there for those who say who they are. */
  readonly anonymous: number;
  /** How long one more waits. */
  readonly withinMs: number;
}

interface Waiting {
  readonly shares: readonly Share[];
  readonly begin: () => void;
}

/** So many at once, and so many of them for one caller; one more waits for a while, and then is told that there is no place. */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #held = new Map<string, number>();
  #waiting: Waiting[] = [];
  #free: number;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
    this.#free = limits.atOnce;
  }

  /**
   * A place, to be given back once (again does nothing), in the order of coming among those whose share is not used up. Undefined where
   * none became free in time, and as soon as `signal` says that the caller waits no more.
   */
  async take(caller: Caller, signal?: AbortSignal): Promise<Disposable | undefined> {
    if (signal?.aborted) return undefined;
    const shares = this.#sharesOf(caller);
    if (this.#isFree(shares)) return this.#give(shares);
    const others = this.#waiting.filter((one) => one.shares.at(-1)?.of === shares.at(-1)?.of).length;
    if (this.#waiting.length >= waitingMax || others >= waitingPerCallerMax) return undefined;
    return new Promise((resolve) => {
      const end = (slot: Disposable | undefined): void => {
        clearTimeout(late);
        signal?.removeEventListener("abort", leave);
        this.#waiting = this.#waiting.filter((one) => one !== mine);
        resolve(slot);
      };
      const mine: Waiting = { shares, begin: () => end(this.#give(shares)) };
      const leave = (): void => end(undefined);
      const late = setTimeout(leave, this.#limits.withinMs);
      signal?.addEventListener("abort", leave);
      this.#waiting.push(mine);
    });
  }

  #sharesOf({ account, address }: Caller): readonly Share[] {
    const { perCaller, anonymous } = this.#limits;
    if (account !== null) return [{ of: `account ${account}`, max: perCaller }];
    return [
      { of: "anonymous", max: anonymous },
      { of: `address ${address}`, max: perCaller },
    ];
  }

  #isFree(shares: readonly Share[]): boolean {
    return this.#free > 0 && shares.every(({ of, max }) => (this.#held.get(of) ?? 0) < max);
  }

  #give(shares: readonly Share[]): Disposable {
    this.#count(shares, 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#count(shares, -1);
        this.#waiting.find((one) => this.#isFree(one.shares))?.begin();
      },
    };
  }

  #count(shares: readonly Share[], change: 1 | -1): void {
    this.#free -= change;
    for (const { of } of shares) {
      const held = (this.#held.get(of) ?? 0) + change;
      if (held > 0) this.#held.set(of, held);
      else this.#held.delete(of);
    }
  }
}

/** Whose place it is. */
export interface Caller {
  /** Null: one who showed no token. */
  readonly account: string | null;
  /** Where the connection comes from. */
  readonly address: string;
}

/** Each is an open connection, and nothing more. */
const waitingMax = 200;
/** One caller does not fill the queue for all others. */
const waitingPerCallerMax = 50;
