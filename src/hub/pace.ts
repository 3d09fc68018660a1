/**
 * Ends an exchange whose client is too slow: it holds a place that others wait for. Only time in which we wait for the client counts, so
 * one that waits for us (for git, for the disk) loses nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../stdx/time.ts";

export interface PaceLimits {
  /** As long as this may a client be silent, or fall behind. */
  readonly patienceMs: number;
  /** Of one connection. Slower than this over a while, it falls behind. git-lfs moves 8 files at a time: 64 kbit/s are enough for all of them. */
  readonly minBytesPerSecond: number;
  /** One that stands still for so long is told of. */
  readonly quietAfterMs: number;
}

export const paceLimits: PaceLimits = { patienceMs: 120_000, minBytesPerSecond: 1 << 10, quietAfterMs: 15_000 };

const looksInPatience = 120;

/** Nothing has passed for `quietMs`: the client is being waited for, or we are. */
export interface Quiet {
  readonly waitingFor: "client" | "platform";
  readonly quietMs: number;
}

export interface PaceWatch {
  readonly limits?: PaceLimits;
  /** Nothing passes for as long as the limits say: told once, and again after something has passed. */
  readonly onQuiet?: (quiet: Quiet) => void;
  /** Its connection is about to be closed. */
  readonly onGivenUp?: (quiet: Quiet) => void;
}

/** Closes the connection of one that falls behind, until it is disposed of. */
export function keepPace(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  { limits: { patienceMs, minBytesPerSecond, quietAfterMs } = paceLimits, onQuiet, onGivenUp }: PaceWatch = {},
): Disposable {
  const { socket } = request;
  let [movedAt, isTold] = [clock.monotonic(), false];
  const passed = (): number => socket.bytesRead + socket.bytesWritten - socket.writableLength;
  let [left, bytes, at] = [patienceMs, passed(), clock.monotonic()];
  const look = (): void => {
    const [since, before] = [at, bytes];
    [bytes, at] = [passed(), clock.monotonic()];
    const earned = ((bytes - before) / minBytesPerSecond) * 1000;
    const waitingFor = waitsForClient(request, response) ? "client" : "platform";
    const spent = waitingFor === "client" ? at - since : 0;
    left = Math.min(patienceMs, left + earned - spent);
    if (bytes > before) [movedAt, isTold] = [at, false];
    const quiet: Quiet = { waitingFor, quietMs: at - movedAt };
    if (left < 0) {
      onGivenUp?.(quiet);
      socket.destroy();
    } else if (quiet.quietMs >= quietAfterMs && !isTold) {
      isTold = true;
      onQuiet?.(quiet);
    }
  };
  const timer = setInterval(look, patienceMs / looksInPatience);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** It has not sent all, and we would take more; or it does not take what we have sent. */
export function waitsForClient(request: IncomingMessage, response: ServerResponse): boolean {
  const wantsMore = !request.complete && request.readableLength < request.readableHighWaterMark;
  return wantsMore || response.writableLength > 0;
}
