/** Something that is found out again and again, and not twice at once. */
export class Fresh {
  readonly #run: () => Promise<void>;
  #running: Promise<void> | undefined;

  /** `run` never rejects. */
  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Resolves when a run has ended that began after this was asked; all who ask meanwhile share it. */
  async next(): Promise<void> {
    await this.#running; // It may have begun before what is asked about.
    await (this.#running ??= this.#run().finally(() => (this.#running = undefined)));
  }
}
