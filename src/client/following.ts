/** What is followed, streams and questions: it goes on where it broke, for some minutes of nobody there. */
import { setTimeout as delay } from "node:timers/promises";
import { ApiError, ServerUnreachable } from "./errors.ts";

/** How it is with the platform, for whoever waits. */
export interface Watching {
  readonly signal?: AbortSignal | undefined;
  /** It cannot be read on now; once each time. It is tried again for so long. */
  readonly onLost?: ((why: Error, forMs: number) => void) | undefined;
  /** It goes on. */
  readonly onBack?: (() => void) | undefined;
  /** What lies between two attempts; time, where it is not said. */
  readonly pause?: ((ms: number) => Promise<void>) | undefined;
}

/** A stream that is open, and what its breaking is called. */
export interface Opened<Line> {
  readonly lines: AsyncIterable<Line>;
  readonly broken: (error: unknown) => unknown;
}

/** How often it is opened again where nothing comes of it, and what lies between the attempts: five minutes, as a machine's restart takes. */
const triesMost = 62;
const pauseFirstMs = 1_000;
const pauseMostMs = 5_000;
/** One that was open for so long was no failed attempt, though it had nothing to say. */
const steadyAfterMs = 30_000;

const pauseOf = (tries: number): number => Math.min(pauseMostMs, pauseFirstMs * (tries + 1));
const triedForMs = Array.from({ length: triesMost }, (_, tries) => pauseOf(tries)).reduce((sum, ms) => sum + ms, 0);

/** `open`: after the lines that came. `canGoOn`: whether opening it again would leave out nothing. */
export async function* followed<Line>(
  open: () => Promise<Opened<Line>>,
  watching: Watching,
  canGoOn: () => boolean,
): AsyncGenerator<Line> {
  const attempts = new Attempts(watching);
  for (;;) {
    let broken: Opened<Line>["broken"] = (error) => error;
    let openedAt: number | undefined;
    try {
      const opened = await open();
      openedAt = performance.now();
      attempts.isBack();
      ({ broken } = opened);
      for await (const line of opened.lines) {
        attempts.count = 0;
        yield line;
      }
      return;
    } catch (error) {
      const told = error instanceof ApiError ? error : broken(error);
      if (openedAt !== undefined && performance.now() - openedAt >= steadyAfterMs) attempts.count = 0;
      if (!canGoOn()) throw told;
      await attempts.failed(told);
    }
  }
}

/** A question that is asked again and again while nobody answers, as a stream is opened. */
export async function answered<Answer>(ask: () => Promise<Answer>, watching: Watching): Promise<Answer> {
  const attempts = new Attempts(watching);
  for (;;) {
    try {
      const answer = await ask();
      attempts.isBack();
      return answer;
    } catch (error) {
      await attempts.failed(error);
    }
  }
}

/** Those of which nothing came, in a row. */
class Attempts {
  count = 0;
  #isLost = false;
  readonly #watching: Watching;

  constructor(watching: Watching) {
    this.#watching = watching;
  }

  isBack(): void {
    if (this.#isLost) this.#watching.onBack?.();
    this.#isLost = false;
  }

  /** Resolves when it is time for the next; throws where there is none. */
  async failed(told: unknown): Promise<void> {
    const { signal, onLost, pause = (ms): Promise<void> => delay(ms, undefined, { signal }) } = this.#watching;
    if (!isPassing(told) || this.count >= triesMost) throw told;
    if (!this.#isLost) onLost?.(told, triedForMs);
    this.#isLost = true;
    await pause(pauseOf(this.count));
    this.count += 1;
  }
}

/** Nobody answers, or who does has nothing to give for now. */
function isPassing(told: unknown): told is Error {
  if (told instanceof ServerUnreachable) return true;
  return told instanceof ApiError && (told.problem.status === 429 || told.problem.status >= 500);
}
