/** Work that must not overtake: pieces under one key run one after another, those under different keys side by side. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` after all earlier work under this key, however that ended. Settles as `work` does. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const settled: Promise<void> = mine.then(
      () => this.#forget(key, settled),
      () => this.#forget(key, settled), // Told to whoever waits for `mine`.
    );
    this.#last.set(key, settled);
    return mine;
  }

  /** Resolves when all work that waits now is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }

  get isIdle(): boolean {
    return this.#last.size === 0;
  }

  #forget(key: string, settled: Promise<unknown>): void {
    if (this.#last.get(key) === settled) this.#last.delete(key);
  }
}
