/** Refusals as lines of the app's log: each kind at most once in a while, with a count of those that were left out. */

/** An app that retries in a loop writes its own log full soon enough. */
const quietMs = 10_000;
const kindsMax = 256;

export class Notes {
  readonly #note: (text: string) => void;
  readonly #told = new Map<string, { left: number; timer: NodeJS.Timeout }>();

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  /** `key` says which refusals are the same. */
  tell(key: string, text: string): void {
    const told = this.#told.get(key);
    if (told) {
      told.left += 1;
      return;
    }
    if (this.#told.size >= kindsMax) return;
    this.#note(text);
    const timer = setTimeout(() => {
      const left = this.#told.get(key)?.left ?? 0;
      this.#told.delete(key);
      if (left > 0) this.#note(`${left} more like it: ${text}`);
    }, quietMs);
    timer.unref();
    this.#told.set(key, { left: 0, timer });
  }

  close(): void {
    for (const { timer } of this.#told.values()) clearTimeout(timer);
    this.#told.clear();
  }
}
