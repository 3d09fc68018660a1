/** The last of what a build's command printed, kept as the reason of a failure. */
import { stripVTControlCharacters } from "node:util";

/** Lines kept as the reason of a failure. */
export const becauseLines = 6;

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
