/**
 * Who changes a repository, and the one who clears it up: that runs while nobody writes, and gives way to the first who wants to. git
 * itself does not keep them apart: a writer that finds an object in a pack only names it (`git fast-import`), and `git gc` removes old ones
 * that no reference leads to yet.
 */
export class Writers {
  readonly #writing = new Map<string, number>();
  readonly #clearing = new Map<string, { readonly way: AbortController; readonly ended: Promise<void> }>();

  /** For one who changes it: while this is held nothing of it is cleared up. Resolves when who was at that has ended. */
  async hold(repository: string): Promise<Disposable> {
    this.#writing.set(repository, (this.#writing.get(repository) ?? 0) + 1);
    const clearing = this.#clearing.get(repository);
    clearing?.way.abort();
    await clearing?.ended;
    return {
      [Symbol.dispose]: () => {
        const others = (this.#writing.get(repository) ?? 1) - 1;
        if (others > 0) this.#writing.set(repository, others);
        else this.#writing.delete(repository);
      },
    };
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
}
