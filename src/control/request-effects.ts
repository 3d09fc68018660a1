/**
 * Whose effect it is that is being committed: a request with an `Idempotency-Key` carries its mark along the calls that it leads to,
 * and the commit that has its effect takes it (L13).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AuditEnding } from "../catalog/audit.ts";
import type { Effects } from "../catalog/request-keys.ts";

/** The effect of an earlier try, whose answer was lost. `work`: what it made, where that has an id. */
export interface Made {
  readonly work: string | null;
}

interface Carried {
  readonly mark: string;
  readonly made: Made | undefined;
  isTaken: boolean;
}

/** The effect was made by an earlier try, and what was about to make it again does not know how that is answered. */
export class EffectMade extends Error {
  override readonly name = "EffectMade";
  readonly code = "effect-made";
}

export class RequestEffects implements Effects {
  readonly #carried = new AsyncLocalStorage<Carried>();
  readonly #audited = new AsyncLocalStorage<() => AuditEnding | null>();

  /** Runs `work`; commits that it makes carry what `entry` says then. */
  audited<T>(entry: () => AuditEnding | null, work: () => Promise<T>): Promise<T> {
    return this.#audited.run(entry, work);
  }

  entry(): AuditEnding | null {
    return this.#audited.getStore()?.() ?? null;
  }

  /** Runs `work` as the request of `mark`. What it leaves running behind it has no mark any more. */
  async run<T>({ mark, made }: { mark: string; made: Made | undefined }, work: () => Promise<T>): Promise<T> {
    const carried: Carried = { mark, made, isTaken: false };
    try {
      return await this.#carried.run(carried, work);
    } finally {
      carried.isTaken = true;
    }
  }

  /** Runs `work` as nobody's: what an earlier request left to be done is no effect of the one that comes upon it. */
  apart<T>(work: () => Promise<T>): Promise<T> {
    return this.#carried.exit(() => this.#audited.exit(work));
  }

  /** Set where this request's effect is there already, and only its answer is to be given. */
  get made(): Made | undefined {
    return this.#carried.getStore()?.made;
  }

  /** Throws `EffectMade` instead of having an effect twice. */
  take(): string | null {
    const carried = this.#carried.getStore();
    if (carried === undefined || carried.isTaken) return null;
    if (carried.made !== undefined) throw new EffectMade("an earlier try of this request has had its effect");
    carried.isTaken = true;
    return carried.mark;
  }
}
