/**
 * Who changes a repository, and the one who clears it up: that runs while nobody writes, and gives way to the first who wants to. git
 * itself does not keep them apart: a writer that finds an object in a pack only names it (`git fast-import`), and `git gc` removes old ones
 * that no reference leads to yet.
 */
export class Writers {
  /** What a repository needs before anybody of this process writes to it. */
  readonly #prepare: (repository: string) => Promise<void>;
  readonly #prepared = new Map<string, Promise<void>>();
  readonly #writing = new Map<string, number>();
  readonly #clearing = new Map<string, { readonly way: AbortController; readonly ended: Promise<void> }>();

  constructor(prepare: (repository: string) => Promise<void>) {
    this.#prepare = prepare;
  }

  /** For one who changes it: while this is held nothing of it is cleared up. Resolves when who was at that has ended. */
  async hold(repository: string): Promise<Disposable> {
    this.#writing.set(repository, (this.#writing.get(repository) ?? 0) + 1);
    const clearing = this.#clearing.get(repository);
    clearing?.way.abort();
    await clearing?.ended;
    const held = {
      [Symbol.dispose]: (): void => {
        const others = (this.#writing.get(repository) ?? 1) - 1;
        if (others > 0) this.#writing.set(repository, others);
        else this.#writing.delete(repository);
      },
    };
    try {
      await this.#ready(repository);
      return held;
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  }

  /** Does the work where nobody writes; it is to end soon once its signal says that somebody wants to, and its failure is none then. */
  async alone(repository: string, work: (signal: AbortSignal) => Promise<void>, stop?: AbortSignal): Promise<void> {
    if (this.#writing.has(repository) || this.#clearing.has(repository)) return;
    const way = new AbortController();
    const signal = stop === undefined ? way.signal : AbortSignal.any([way.signal, stop]);
    const done = work(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    const ended = done.catch(() => undefined).finally(() => this.#clearing.delete(repository)); // Whose failure it is: below.
    this.#clearing.set(repository, { way, ended });
    await done;
  }

  /** Once; where it failed, as on a damaged disk, the next one tries again. */
  async #ready(repository: string): Promise<void> {
    const known = this.#prepared.get(repository) ?? this.#prepare(repository);
    this.#prepared.set(repository, known);
    try {
      await known;
    } catch (error) {
      this.#prepared.delete(repository);
      throw error;
    }
  }
}
