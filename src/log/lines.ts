/** Cuts an output stream into lines. Pure but for its own buffer: the caller hands in bytes and says when time is up. */
import { StringDecoder } from "node:string_decoder";
import { noMask, type Mask } from "./mask.ts";

/** Of a longer line the rest is left out, and a mark says how much: no reader has to hold more, and a stream without newlines cannot grow us. */
export const lineMaxChars = 16_384;

/**
 * `\n` ends a line; `\r` stays where it is (progress bars), but for one directly before the `\n`. Of a line that grows too long
 * by them goes what a terminal would have overwritten. Bytes that are no UTF-8 become U+FFFD; all else stays as it came.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #mask: Mask;
  /** A secret that stands across the cut is seen whole. */
  readonly #kept: number;
  #line = "";
  /** Characters of this line that are not kept. */
  #left = 0;
  /** Its beginning was given already, as much as may be given of it: nothing more until it is overwritten or ends. */
  #passing = false;

  constructor(mask: Mask = noMask) {
    this.#mask = mask;
    this.#kept = lineMaxChars + mask.longest;
  }

  /** The lines that these bytes complete. */
  push(bytes: Uint8Array): readonly string[] {
    return this.#take(this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  }

  /** Whether a line has begun and not ended. */
  get open(): boolean {
    return this.#line !== "" || this.#left > 0;
  }

  /** The line that has begun, as it stands: a prompt or a progress bar whose newline does not come. */
  flush(): readonly string[] {
    if (this.#line === "") return [];
    const pending = this.#left > 0 ? 0 : this.#mask.pending(this.#line);
    const shown = this.#line.slice(0, this.#line.length - pending);
    const rest = this.#line.slice(shown.length);
    if (shown === "") return [];
    this.#line = shown;
    this.#passing = this.#left > 0;
    const lines = [this.#shown("of this line so far")];
    this.#line = rest;
    this.#left = 0;
    return lines;
  }

  /** The stream's end: what is left, with bytes that never became a character as U+FFFD. */
  end(): readonly string[] {
    const lines = this.#take(this.#decoder.end());
    return this.open ? [...lines, this.#close()] : lines;
  }

  #take(text: string): readonly string[] {
    const pieces = text.split("\n");
    const rest = pieces.pop() as string;
    const lines: string[] = [];
    for (const piece of pieces) {
      this.#append(piece);
      lines.push(this.#close());
    }
    this.#append(rest);
    return lines;
  }

  #append(piece: string): void {
    let text = this.#line + piece;
    if (this.#passing || text.length > this.#kept) {
      const overwritten = text.lastIndexOf("\r", text.length - 2);
      if (overwritten > 0 || (this.#passing && overwritten === 0)) {
        this.#left += overwritten;
        text = text.slice(overwritten);
        this.#passing = false;
      }
    }
    const kept = this.#passing ? 0 : this.#kept;
    this.#left += Math.max(0, text.length - kept);
    this.#line = text.length > kept ? text.slice(0, kept) : text;
  }

  #close(): string {
    if (this.#left === 0 && this.#line.endsWith("\r")) this.#line = this.#line.slice(0, -1);
    const line = this.#shown("of this line");
    this.#line = "";
    this.#left = 0;
    this.#passing = false;
    return line;
  }

  #shown(of: string): string {
    const text = this.#mask.hide(this.#line);
    const head = text.slice(0, cutBefore(text, Math.min(text.length, lineMaxChars)));
    const left = this.#left + text.length - head.length;
    return left === 0 ? head : `${head} … ${left.toLocaleString("en")} more characters ${of} are left out`;
  }
}

/** A surrogate pair stays whole. */
function cutBefore(text: string, at: number): number {
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 ? at - 1 : at;
}
