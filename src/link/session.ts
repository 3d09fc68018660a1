/**
 * One connection between server and agent that outlives the sockets beneath it. Each message has a number; it is kept until the
 * other end says that it has it, said again on the next socket, and taken once and in order.
 */

/** A numbered message, what its sender has of the other direction, or the end of it all. */
export type Frame =
  | { readonly kind: "message"; readonly n: number; readonly got: number; readonly message: unknown }
  | { readonly kind: "got"; readonly got: number }
  | { readonly kind: "end" };

/** `repeat`: taken before. `gap`: one before it is missing, so that this socket carries nothing any more that can be taken. */
export type Taken = "taken" | "repeat" | "gap";

export interface SessionLimits {
  readonly messages: number;
  readonly chars: number;
}

/** What a busy node and its server say in some ten seconds, for which a session waits; a peer that has not taken more is not there. */
export const sessionLimits: SessionLimits = { messages: 10_000, chars: 16 << 20 };

interface Kept {
  readonly n: number;
  readonly text: string;
}

export class Session {
  readonly #limits: SessionLimits;
  #kept: Kept[] = [];
  #chars = 0;
  #sent = 0;
  #got = 0;

  constructor(limits: SessionLimits = sessionLimits) {
    this.#limits = limits;
  }

  /** The last message that was taken. */
  get got(): number {
    return this.#got;
  }

  /** Numbers and keeps an encoded message. The frame to be sent; undefined where more is unanswered than can be kept. */
  post(text: string): string | undefined {
    if (this.#kept.length >= this.#limits.messages || this.#chars + text.length > this.#limits.chars) return undefined;
    const kept = { n: ++this.#sent, text };
    this.#kept.push(kept);
    this.#chars += text.length;
    return this.#frame(kept);
  }

  /** The number of a message that has come. */
  take(n: number): Taken {
    if (n <= this.#got) return "repeat";
    if (n > this.#got + 1) return "gap";
    this.#got = n;
    return "taken";
  }

  /** The other end has all up to `n`. False where it cannot have: that was never sent. */
  acknowledge(n: number): boolean {
    if (n > this.#sent) return false;
    const first = this.#kept.findIndex((kept) => kept.n > n);
    const gone = this.#kept.splice(0, first < 0 ? this.#kept.length : first);
    for (const { text } of gone) this.#chars -= text.length;
    return true;
  }

  /** What the other end, which has all up to `n`, is to be told again; undefined where that cannot be. */
  resume(n: number): readonly string[] | undefined {
    const forgotten = this.#sent - this.#kept.length;
    if (n < forgotten || !this.acknowledge(n)) return undefined;
    return this.#kept.map((kept) => this.#frame(kept));
  }

  /** Tells the other end what was taken, without a message of ours. */
  gotFrame(): string {
    return `{"got":${this.#got}}`;
  }

  #frame({ n, text }: Kept): string {
    return `{"n":${n},"got":${this.#got},"m":${text}}`;
  }
}

/** Ends a session for good. */
export const endFrame = `{"end":true}`;

/** Undefined for what is no frame. */
export function parseFrame(text: string): Frame | undefined {
  const value = parsed(text);
  if (value === undefined) return undefined;
  if (value["end"] === true) return { kind: "end" };
  const { n, got, m } = value;
  if (!isCount(got)) return undefined;
  if (n === undefined) return { kind: "got", got };
  return isCount(n) && n > 0 && isMessage(m) ? { kind: "message", n, got, message: m } : undefined;
}

function isMessage(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** The first frame on each socket, from the agent: which session it goes on with, or `begins`, and what it has of it. */
export interface Opening {
  readonly session: string;
  readonly begins: boolean;
  readonly got: number;
}

export function parseOpening(text: string): Opening | undefined {
  const open = parsed(text)?.["open"];
  if (typeof open !== "object" || open === null) return undefined;
  const { session, begins, got } = open as Record<string, unknown>;
  const fits = typeof session === "string" && session.length <= 64 && typeof begins === "boolean" && isCount(got);
  return fits ? { session, begins, got } : undefined;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
