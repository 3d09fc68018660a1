/** Streams that are followed: one that breaks is opened again after the last line that came, for some minutes of nobody there. */
import { setTimeout as delay } from "node:timers/promises";
import { ApiError, ServerUnreachable } from "./errors.ts";

/** How it is with the platform, for whoever waits. */
export interface Watching {
  readonly signal?: AbortSignal | undefined;
  /** It cannot be read on now; once each time. It is tried again for so long. */
  readonly onLost?: ((why: Error, forMs: number) => void) | undefined;
  /** It goes on. */
  readonly onBack?: (() => void) | undefined;
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
  { signal, onLost, onBack }: Watching,
  canGoOn: () => boolean,
): AsyncGenerator<Line> {
  let isLost = false;
  for (let tries = 0; ; tries += 1) {
    let broken: Opened<Line>["broken"] = (error) => error;
    let openedAt: number | undefined;
    try {
      const opened = await open();
      openedAt = performance.now();
      if (isLost) onBack?.();
      isLost = false;
      ({ broken } = opened);
      for await (const line of opened.lines) {
        tries = 0;
        yield line;
      }
      return;
    } catch (error) {
      const told = error instanceof ApiError ? error : broken(error);
      if (openedAt !== undefined && performance.now() - openedAt >= steadyAfterMs) tries = 0;
      if (!isPassing(told) || !canGoOn() || tries >= triesMost) throw told;
      if (!isLost) onLost?.(told, triedForMs);
      isLost = true;
      await delay(pauseOf(tries), undefined, { signal });
    }
  }
}

/** Nobody answers, or who does has nothing to give for now. */
function isPassing(told: unknown): told is Error {
  if (told instanceof ServerUnreachable) return true;
  return told instanceof ApiError && (told.problem.status === 429 || told.problem.status >= 500);
}
