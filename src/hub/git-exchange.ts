/** Both ways of an exchange with git's own server: what the client sends, and the answer to a push with what we add to it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { plainHeaders } from "./git-access.ts";
import type { Backend } from "./http-backend.ts";
import { PushReport } from "./packets.ts";
import { flush, HeldAnswer, sideband } from "./pkt-line.ts";

/** Unsent bytes of an answer to a push, which is short: a client that takes none of them is gone. */
const unsentMaxBytes = 4 << 20;

/** The answer to a push: git's own, then what we add before its end. */
export class PushAnswer {
  readonly #response: ServerResponse;
  readonly #backend: Backend;
  readonly #held = new HeldAnswer();
  readonly #left = new AbortController();
  readonly #report = new PushReport();

  constructor(response: ServerResponse, backend: Backend) {
    this.#response = response;
    this.#backend = backend;
    response.once("close", () => this.#left.abort());
  }

  /** Until git has said all that it has to say. Throws what {@link Backend.read} throws. */
  async begin(): Promise<void> {
    const { head, body } = await this.#backend.read();
    if (!this.#left.signal.aborted)
      this.#response.writeHead(head.status, { ...head.headers, ...plainHeaders, ...shown(head.status) });
    for await (const piece of body) {
      this.#report.push(piece);
      this.#write(this.#held.push(piece));
    }
    if (!this.#held.isBanded) this.#write(this.#held.end());
  }

  /** What git said that it did, reference by reference. */
  get report(): readonly string[] {
    return this.#report.lines;
  }

  get said(): string {
    return this.#report.said;
  }

  /** The client is gone. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  get isHeard(): boolean {
    return this.#held.isOpen && !this.#left.signal.aborted;
  }

  say(line: string): void {
    if (this.isHeard) this.#write(sideband("progress", `${line}\n`));
  }

  sign(): void {
    if (this.isHeard) this.#write(sideband("progress", ""));
  }

  fatal(line: string): void {
    if (this.#held.isBanded) this.#write(sideband("fatal", `${line}\n`));
  }

  end(): void {
    if (this.#held.isOpen) this.#write(flush);
    this.#response.end();
  }

  #write(bytes: Buffer): void {
    if (bytes.length === 0 || this.#left.signal.aborted) return;
    this.#response.write(bytes);
    if (this.#response.writableLength > unsentMaxBytes) this.#response.destroy();
  }
}

/**
 * Sends git what the client sends, as fast as it takes it, and counts it. A pusher that leaves in the middle has pushed nothing: git
 * refuses what is not whole. What comes after git has ended is passed over, so that the client hears why.
 */
export function feed(
  backend: Backend,
  request: IncomingMessage,
  onPiece?: (piece: Buffer) => void,
): { readonly bytes: number } {
  const { stdin } = backend;
  const sent = { bytes: 0 };
  request.on("data", (piece: Buffer) => {
    sent.bytes += piece.length;
    onPiece?.(piece);
    backend.sign();
    if (stdin.writable && !stdin.write(piece)) request.pause();
  });
  stdin.on("drain", () => request.resume());
  stdin.on("close", () => request.resume());
  request.on("end", () => stdin.end());
  // Also one who has sent all: what was not read by then is lost, and git would wait for it.
  const leave = (): void => void (request.readableEnded || stdin.destroy());
  // It may have left before git was started.
  if (request.closed) leave();
  else request.on("close", leave);
  return sent;
}

/** A refusal of git's own has a page of HTML for a body: git shows it only as text. */
export function shown(status: number): Record<string, string> {
  return status < 400 ? {} : { "content-type": "text/plain; charset=utf-8" };
}
