/** Reads a line at the terminal that nobody looking at it shall see. */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Rejects when `signal` ends it. */
export async function hiddenLine(prompt: string, signal: AbortSignal): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(prompt);
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  // While it reads, the terminal gives Ctrl-C to it and signals nobody.
  lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return await lines.question("", { signal });
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}
