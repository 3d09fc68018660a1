/** Bytes of a step's output as log lines: whole lines as they come, bounded, and the last of them kept as the reason of a failure. */
import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

/** A longer line is cut into several: a minified file that was printed by mistake. */
export const lineMaxLength = 8_192;
/** Lines kept as the reason of a failure. */
export const becauseLines = 6;

/** Splits one stream; `\r\n` ends a line too, a lone `\r` (a progress bar) stays in it. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (text: string) => void;
  #rest = "";

  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    this.#take(this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }

  #take(text: string): void {
    const pieces = (this.#rest + text).split("\n");
    this.#rest = pieces.pop() as string;
    for (const piece of pieces) this.#emit(piece.replace(/\r$/, ""));
    while (this.#rest.length > lineMaxLength) {
      this.#onLine(this.#rest.slice(0, lineMaxLength));
      this.#rest = this.#rest.slice(lineMaxLength);
    }
  }

  #emit(line: string): void {
    for (let at = 0; at < line.length || at === 0; at += lineMaxLength)
      this.#onLine(line.slice(at, at + lineMaxLength));
  }
}

/** The last lines that say something, of all that a step printed. */
export class LastLines {
  #lines: string[] = [];

  take(text: string): void {
    const line = plainText(text);
    if (line === "" || isNoise(line)) return;
    this.#lines.push(line);
    if (this.#lines.length > becauseLines) this.#lines.shift();
  }

  all(): readonly string[] {
    return this.#lines;
  }
}

/** Without colours, and of a progress bar what it showed last. */
function plainText(text: string): string {
  const plain = stripVTControlCharacters(text).trimEnd();
  return plain.slice(plain.lastIndexOf("\r") + 1).trim();
}

function isNoise(line: string): boolean {
  return (
    /^npm (error|ERR!)( A complete log of this run| {4}.*-debug-\d+\.log|\s*$)/.test(line) ||
    /^npm (notice|warn)\b/.test(line)
  );
}
