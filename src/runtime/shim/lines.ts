/** Cuts an output stream into lines. Pure but for its own buffer: the caller hands in bytes and says when time is up. */
import { StringDecoder } from "node:string_decoder";

/** A line longer than this is written in parts: no reader has to hold more, and a stream without newlines cannot grow us. */
export const lineMaxChars = 16_384;

/** `\n` ends a line; `\r` stays where it is (progress bars), but for one directly before the `\n`. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  /** The lines that these bytes complete. */
  push(bytes: Uint8Array): readonly string[] {
    return this.#take(this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)));
  }

  /** Whether a line has begun and not ended. */
  get open(): boolean {
    return this.#rest !== "";
  }

  /** The line that has begun, as it stands: a prompt or a progress bar whose newline does not come. */
  flush(): readonly string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }

  /** The stream's end: what is left, with bytes that never became a character as U+FFFD. */
  end(): readonly string[] {
    return [...this.#take(this.#decoder.end()), ...this.flush()];
  }

  #take(text: string): readonly string[] {
    const pieces = (this.#rest + text).split("\n");
    this.#rest = pieces.pop() as string;
    const lines = pieces.flatMap((piece) => parts(piece.endsWith("\r") ? piece.slice(0, -1) : piece));
    if (this.#rest.length <= lineMaxChars) return lines;
    const long = parts(this.#rest);
    this.#rest = long.at(-1) as string;
    return [...lines, ...long.slice(0, -1)];
  }
}

function parts(line: string): readonly string[] {
  if (line.length <= lineMaxChars) return [line];
  const out: string[] = [];
  for (let at = 0; at < line.length;) {
    let end = Math.min(line.length, at + lineMaxChars);
    // A surrogate pair stays whole.
    if (end < line.length && (line.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--;
    out.push(line.slice(at, end));
    at = end;
  }
  return out;
}
