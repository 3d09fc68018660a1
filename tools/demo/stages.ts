/** One line for each stage with its time, and lines of progress below it while it runs. */
import { styleText } from "node:util";
import type { WriteStream } from "node:tty";

export type Say = (line: string) => void;

export class Stages {
  readonly times: Record<string, number> = {};
  readonly #out: WriteStream;
  #current = "start";
  #isMuted = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Runs a stage; its lines are indented, its time is said when it is over. */
  async run<Result>(name: string, work: (say: Say) => Promise<Result>): Promise<Result> {
    const started = performance.now();
    this.#current = name;
    this.#line(`${this.#bold(name)} …`);
    const result = await work((line) => this.#line(`  ${line}`));
    const took = Math.round(performance.now() - started);
    this.times[name] = took;
    this.#line(`${this.#bold(name)} done in ${(took / 1000).toFixed(1)} s`);
    return result;
  }

  note(name: string, text: string): void {
    this.#line(`${this.#bold(name)} ${text}`);
  }

  /** Text as it is. */
  text(text: string): void {
    this.#line(text);
  }

  /** From here on nothing of the stage that was cut off is shown. */
  stopping(): void {
    this.#line("\nstopping …");
    this.#isMuted = true;
  }

  stopped(): void {
    this.#isMuted = false;
    this.#line("stopped: the platform, its apps and its data folder are gone");
  }

  fail(error: unknown): void {
    this.#line(
      `${this.#bold(this.#current)} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }

  #line(text: string): void {
    if (!this.#isMuted) this.#out.write(`${text}\n`);
  }

  #bold(name: string): string {
    const padded = name.padEnd(10);
    return this.#out.isTTY ? styleText("bold", padded) : padded;
  }
}
