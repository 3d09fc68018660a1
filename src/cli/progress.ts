/** Lines of progress on stderr, and a sign of life where there is nothing to say: never silent for 2 s on a terminal. */
import { clearInterval, setInterval } from "node:timers";
import { lengthOf } from "./draw/paper.ts";
import type { Context } from "./context.ts";

const tickMs = 1_000;
/** Without a terminal a line stays for ever, so signs of life are rarer. */
const quietMs = { terminal: 2_000, plain: 10_000 } as const;
const clearLine = "\r\u001b[2K";

export class Progress implements Disposable {
  readonly #context: Context;
  readonly #startedAt: number;
  readonly #timer: NodeJS.Timeout;
  readonly #terminal: boolean;
  #saidAt: number;
  #what = "";
  #open = false;

  constructor(context: Context) {
    this.#context = context;
    this.#startedAt = this.#saidAt = context.world.clock.monotonic();
    this.#terminal = context.world.stderr.isTTY === true;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Whole lines; `what` is going on from now. Without a terminal each line has its time since the start. */
  say(lines: string, what: string): void {
    this.#what = what;
    if (lines === "") return;
    this.#saidAt = this.#context.world.clock.monotonic();
    if (this.#terminal) return this.#write(lines);
    const at = `${((this.#saidAt - this.#startedAt) / 1000).toFixed(1).padStart(6)} s  `;
    this.#write(lines.replaceAll(/^(?=.)/gm, at));
  }

  #tick(): void {
    const now = this.#context.world.clock.monotonic();
    if (now - this.#saidAt < (this.#terminal ? quietMs.terminal : quietMs.plain)) return;
    const text = `     still at ${this.#what}, ${lengthOf(now - this.#startedAt)} in all`;
    if (!this.#terminal) return this.say(`${text}\n`, this.#what);
    this.#context.note(`${clearLine}${text}`);
    this.#open = true;
  }

  #write(text: string): void {
    this.#context.note((this.#open ? clearLine : "") + text);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#open) this.#context.note(clearLine);
  }
}
