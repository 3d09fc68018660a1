/** Keeps a text in a file: whole, or not at all. */
import { chmodSync, renameSync, writeFileSync } from "node:fs";

export function keep(file: string, text: string, mode: number): void {
  const part = `${file}.part`;
  writeFileSync(part, text, { mode, flush: true });
  chmodSync(part, mode);
  renameSync(part, file);
}
