/** Reads logs from the API: a page of lines, or all that come from now on. */
import type { LogLine } from "../../contract/agent.ts";
import { refusalOf } from "../api.ts";
import { addressOf } from "../find.ts";

/** A line in a log has at most some kilobytes: what goes on for longer without an end is no log of ours. */
const lineMaxChars = 1 << 20;

/** `path`: `/api/builds/ID/log` or `/api/spaces/O/N/logs`. */
export async function readLines(
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of linesOf(path, query, signal)) lines.push(line);
  return lines;
}

/** With `follow` until the log has ended, or the signal. */
export async function* linesOf(
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const address = addressOf(path, query);
  const response = await fetch(address, {
    headers: { accept: "application/x-ndjson, application/problem+json" },
    signal,
  });
  if (!response.ok || response.body === null) throw await refusalOf(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const ends = text.lastIndexOf("\n");
      if (ends < 0 && text.length > lineMaxChars) throw new Error("a line of this log has no end");
      for (const line of text.slice(0, Math.max(0, ends)).split("\n"))
        if (line !== "") yield JSON.parse(line) as LogLine;
      text = text.slice(ends + 1);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // It had ended, or the page went away.
  }
}
