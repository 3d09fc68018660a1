/** Bytes both ways between a sandbox and the outside, with back-pressure and half-closes, until both sides are closed. */
import type { Socket } from "node:net";
import { errnoOf } from "./dial.ts";

/** Who ended it without an orderly close of both directions. */
export type BrokenBy = "remote" | "app" | "idle" | "gateway";

export interface Transferred {
  /** Bytes that the app sent, and that it was sent. */
  readonly sent: number;
  readonly received: number;
  readonly brokenBy: BrokenBy | null;
  /** The system's name of what broke the outer side. */
  readonly errno: string | null;
}

export interface TransferOptions {
  /** Read from the sandbox already. */
  readonly first: Buffer;
  /** Nothing either way for so long ends it. */
  readonly idleMs: number;
  /** Ours: the sandbox is closed. */
  readonly signal: AbortSignal;
  /** Before the sandbox sees that the outside broke the connection without having sent a byte. */
  brokenUnanswered(errno: string): void;
}

export function transfer(inside: Socket, outside: Socket, options: TransferOptions): Promise<Transferred> {
  const { first, idleMs, signal, brokenUnanswered } = options;
  let sent = first.length;
  let received = 0;
  let brokenBy: BrokenBy | null = null;
  let errno: string | null = null;
  const { promise, resolve } = Promise.withResolvers<Transferred>();

  outside.on("error", (error) => {
    // What happens to it after the app has left is nobody's.
    if (brokenBy === null && !inside.destroyed) {
      brokenBy = "remote";
      errno = errnoOf(error);
      if (received === 0) brokenUnanswered(errno);
    }
    afterFlush(inside, () => inside.destroy());
  });
  outside.once("close", () => {
    if (outside.readableEnded) inside.end();
    else if (brokenBy !== "remote") inside.destroy();
    done();
  });
  inside.once("close", () => {
    if (inside.readableEnded) outside.destroySoon();
    else if (!outside.destroyed) breakOff("app");
    done();
  });
  const breakOff = (by: BrokenBy): void => {
    brokenBy ??= by;
    outside.destroy();
    inside.destroy();
  };
  const stop = (): void => breakOff("gateway");
  const done = (): void => {
    if (!inside.closed || !outside.closed) return;
    signal.removeEventListener("abort", stop);
    resolve({ sent, received, brokenBy, errno });
  };
  for (const socket of [inside, outside]) socket.setTimeout(idleMs, () => breakOff("idle"));
  signal.addEventListener("abort", stop, { once: true });

  inside.on("data", (bytes: Buffer) => (sent += bytes.length));
  outside.on("data", (bytes: Buffer) => (received += bytes.length));
  if (first.length > 0) outside.write(first);
  inside.pipe(outside);
  outside.pipe(inside);
  if (signal.aborted || inside.destroyed) breakOff(signal.aborted ? "gateway" : "app");
  return promise;
}

/** When everything that was written is the system's, or can never be. */
function afterFlush(socket: Socket, then: () => void): void {
  if (socket.destroyed || socket.writableLength === 0) then();
  else socket.write(Buffer.alloc(0), then);
}
