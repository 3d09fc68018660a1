/** So many at once; one more waits for a while, and then is told that there is no place. */
export class Slots {
  readonly #withinMs: number;
  readonly #waiting: ((slot: Disposable) => void)[] = [];
  #free: number;

  constructor(count: number, withinMs: number) {
    this.#free = count;
    this.#withinMs = withinMs;
  }

  /** A place, to be given back once (again does nothing); undefined where none became free in time. */
  async take(): Promise<Disposable | undefined> {
    if (this.#free > 0) return this.#give();
    if (this.#waiting.length >= waitingMax) return undefined;
    return new Promise((resolve) => {
      const mine = (slot: Disposable | undefined): void => {
        clearTimeout(late);
        resolve(slot);
      };
      const late = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(mine), 1);
        mine(undefined);
      }, this.#withinMs);
      this.#waiting.push(mine);
    });
  }

  #give(): Disposable {
    this.#free -= 1;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#free += 1;
        this.#waiting.shift()?.(this.#give());
      },
    };
  }
}

/** Each is an open connection, and nothing more. */
const waitingMax = 200;
