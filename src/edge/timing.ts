/** Which of a request's times is over. What passes is counted, not stamped: a stamp would cost each piece a look at the clock. */
import { least, type EdgeLimits, type TimeOver } from "./limits.ts";
import type { SpaceLimits } from "./ports.ts";

/** Made at a request's first sweep: most are over before. */
export class Timing {
  readonly #acceptedAt: number;
  readonly #openMs: number;
  readonly #idleMs: number;
  /** Bytes that had passed both ways when that was last looked at, and since when there were no more. */
  #passed = 0;
  #passedAt: number;

  constructor(ours: EdgeLimits, owners: SpaceLimits | undefined, acceptedAt: number) {
    this.#acceptedAt = acceptedAt;
    this.#openMs = least(ours.openWithinMs, owners?.openMs);
    this.#idleMs = least(ours.idleWithinMs, owners?.idleMs);
    this.#passedAt = acceptedAt;
  }

  /** `passed`: bytes both ways so far; `hasBegun`: its answer has. */
  over(
    now: number,
    { passed, hasBegun }: { readonly passed: number; readonly hasBegun: boolean },
  ): TimeOver | undefined {
    if (now - this.#acceptedAt > this.#openMs) return { code: "route/open-too-long", limitMs: this.#openMs };
    if (passed !== this.#passed) [this.#passed, this.#passedAt] = [passed, now];
    const isIdle = hasBegun && now - this.#passedAt > this.#idleMs;
    return isIdle ? { code: "route/idle-timeout", limitMs: this.#idleMs } : undefined;
  }
}
