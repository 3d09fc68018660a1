/**
 * Looks at a node's cards again and again, and says what is wrong with them whenever that changes. A card's own fault is
 * `gpu/device-fault`; where nobody answers for any of them it is `runtime/nvml-lost`.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { CardTrouble, DeviceFacts } from "../contract/agent.ts";
import type { Code } from "../evidence/codes.ts";
import type { KnownCards } from "./discovery.ts";
import { askCards, busOf, type SmiAnswer } from "./nvidia-smi.ts";

/** By uuid; `*` for all cards. Empty: nothing is wrong. */
export type Trouble = Readonly<Record<string, CardTrouble>>;

export interface CardWatchOptions extends KnownCards {
  readonly command: string;
  readonly everyMs: number;
  readonly answerWithinMs?: number;
  /** Called after the first look, and whenever one finds something else than the last. */
  readonly onChange: (trouble: Trouble) => void;
}

/** Errors that the driver counts since it was loaded; cards without such memory say `[N/A]`. */
const memoryErrors = "ecc.errors.uncorrected.volatile.total";
/** Beside these, a value that cannot be read says why in its place. */
const fields = { needed: ["uuid", "memory.used", "temperature.gpu"], optional: [memoryErrors] };
const wrong = /\[(?:GPU is lost|GPU requires reset|Unknown Error)\]|\bERR!/;

export class CardWatch implements Disposable {
  readonly #options: CardWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** The process of a look that was answered for, or given up, still lives: no other is started beside one that hangs. */
  #hangs = false;
  #told: string | undefined;
  #stopped = false;

  constructor(options: CardWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.everyMs);
    void this.look();
  }

  /** Looks once more; resolves when what is found was told, or when nothing can be found since an earlier look hangs. */
  async look(): Promise<void> {
    await this.#looking; // It may have begun before what is asked about.
    await (this.#looking ??= this.#once().finally(() => (this.#looking = undefined)));
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #once(): Promise<void> {
    if (this.#hangs || this.#stopped) return;
    this.#hangs = true;
    const { command, answerWithinMs } = this.#options;
    const { answer, gone } = askCards(command, fields, answerWithinMs);
    const ended = gone.then(() => (this.#hangs = false));
    const trouble = troubleIn(this.#options, await answer);
    // An answer comes with the end of its process, but for one that hangs.
    await Promise.race([ended, nextTurn()]);
    const told = JSON.stringify(trouble);
    if (this.#stopped || told === this.#told) return;
    this.#told = told;
    this.#options.onChange(trouble);
  }
}

/** What an answer says is wrong with the cards that are known. */
export function troubleIn({ devices, buses }: KnownCards, answer: SmiAnswer): Trouble {
  if (!answer.ok) return unanswered(devices, buses, answer.says);
  const lines = new Map(answer.lines.map((line) => [line.split(",", 1)[0], line]));
  const errorsAt = answer.asked.indexOf(memoryErrors);
  return Object.fromEntries(
    devices.flatMap(({ uuid }) => {
      const says = cardSays(lines.get(uuid), errorsAt);
      return says === undefined ? [] : [[uuid, fault(says)]];
    }),
  );
}

/** One lost card makes the whole list fail, and is named by its bus. */
function unanswered(devices: readonly DeviceFacts[], buses: KnownCards["buses"], says: string): Trouble {
  const bus = /device handle for GPU/i.test(says) ? busOf(says) : undefined;
  const card = bus === undefined ? undefined : devices.find(({ uuid }) => buses[uuid] === bus);
  return card ? { [card.uuid]: fault(says) } : { "*": { code: "runtime/nvml-lost" satisfies Code, says } };
}

function cardSays(line: string | undefined, errorsAt: number): string | undefined {
  if (line === undefined) return "the driver does not list the card any more";
  const said = wrong.exec(line)?.[0];
  if (said !== undefined) return `the driver says ${said} of the card`;
  const errors = Number(line.split(",")[errorsAt]);
  return errors > 0 ? `the card counts ${errors} uncorrected memory errors: it has to be reset` : undefined;
}

function fault(says: string): CardTrouble {
  return { code: "gpu/device-fault" satisfies Code, says };
}
