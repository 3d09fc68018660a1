/** Refusals as lines of the app's log: each kind at most once in a while, with a count of those that were left out. */

/** An app that retries in a loop would write its own log full of the same sentence. */
const quietMs = 10_000;
/** Kinds that are told one by one meanwhile; the rest are counted together. */
const kindsMax = 64;

interface Told {
  readonly text: string;
  left: number;
  readonly timer: NodeJS.Timeout;
}

export class Notes {
  readonly #note: (text: string) => void;
  readonly #told = new Map<string, Told>();

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  /** `key` says which refusals are the same. */
  tell(key: string, text: string): void {
    const told = this.#told.get(key) ?? (this.#told.size < kindsMax ? undefined : this.#others());
    if (told) told.left += 1;
    else {
      this.#note(text);
      this.#told.set(key, { text, left: 0, timer: this.#later(key) });
    }
  }

  /** Says at once what it still counts. */
  close(): void {
    for (const key of this.#told.keys()) this.#sumUp(key);
  }

  #others(): Told {
    const key = "others";
    const told = this.#told.get(key) ?? {
      text: "connections to other places that were refused or failed",
      left: 0,
      timer: this.#later(key),
    };
    this.#told.set(key, told);
    return told;
  }

  #later(key: string): NodeJS.Timeout {
    return setTimeout(() => this.#sumUp(key), quietMs).unref();
  }

  #sumUp(key: string): void {
    const told = this.#told.get(key);
    if (!told) return;
    this.#told.delete(key);
    clearTimeout(told.timer);
    if (told.left > 0) this.#note(`${told.left} more like it: ${told.text}`);
  }
}
