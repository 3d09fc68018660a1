/** Answers that cost something to work out, kept by what was asked for, the last used last. Who asks while one is worked out waits for that. */
export class LastUsed<Answer> {
  readonly #max: number;
  readonly #kept = new Map<string, Promise<Answer>>();

  /** `max`: so many are kept. */
  constructor(max: number) {
    this.#max = max;
  }

  /** What `work` made of it, now or before; where it failed the next one tries again. */
  async get(asked: string, work: () => Promise<Answer>): Promise<Answer> {
    const kept = this.#kept.get(asked) ?? work();
    this.#kept.delete(asked);
    this.#kept.set(asked, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#max && oldest !== undefined) this.#kept.delete(oldest);
    try {
      return await kept;
    } catch (error) {
      if (this.#kept.get(asked) === kept) this.#kept.delete(asked);
      throw error;
    }
  }

  /** It is another by now: also an answer that is being worked out is for those alone who wait for it. */
  forget(asked: string): void {
    this.#kept.delete(asked);
  }
}
