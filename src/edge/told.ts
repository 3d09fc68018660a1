/** How many refusals of strangers are told one by one: nobody without an account fills the record, and what is beyond is counted. */

const minuteMs = 60_000;

export class ToldOneByOne {
  readonly #max: number;
  readonly #monotonic: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #told = 0;

  constructor(perMinute: number, monotonic: () => number) {
    this.#max = perMinute;
    this.#monotonic = monotonic;
  }

  /** Takes a place where there is one in this minute. */
  take(): boolean {
    const now = this.#monotonic();
    if (now - this.#since >= minuteMs) {
      this.#since = now;
      this.#told = 0;
    }
    if (this.#told >= this.#max) return false;
    this.#told += 1;
    return true;
  }
}
