/** Reads logs from the API: a page of lines, or all that come from now on. */
import type { LogLine } from "../../contract/agent.ts";
import { refusalOf } from "../api.ts";
import { addressOf } from "../find.ts";

/** A line in a log has at most some kilobytes: what goes on for longer without an end is no log of ours. */
const lineMaxChars = 1 << 20;
/** What is not there by then is asked for anew. */
const pageWithinMs = 30_000;
/** A log without a line gives a sign of life in a quarter of a minute: where none came for so long, nobody is there. */
const silentMostMs = 60_000;

/** `path`: `/api/builds/ID/log` or `/api/spaces/O/N/logs`. */
export async function readLines(
  path: string,
  query: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<readonly LogLine[]> {
  const late = AbortSignal.timeout(pageWithinMs);
  const lines: LogLine[] = [];
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  for await (const line of linesOf(path, query, { signal: either })) lines.push(line);
  return lines;
}

interface Reading {
  readonly signal: AbortSignal;
  /** The place of the last line that was seen (placeOf): it goes on after that. */
  readonly after?: string | null;
  /** The platform has begun to answer. */
  readonly onOpen?: () => void;
}

/** With `follow` until the log has ended, or the signal. */
export async function* linesOf(
  path: string,
  query: Readonly<Record<string, string>>,
  { signal, after = null, onOpen }: Reading,
): AsyncGenerator<LogLine> {
  const silent = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), silentMostMs);
  };
  heard();
  const headers = { accept: "application/x-ndjson, application/problem+json" };
  let reader: ReadableStreamDefaultReader<string> | undefined;
  let text = "";
  try {
    const response = await fetch(addressOf(path, query), {
      headers: after === null ? headers : { ...headers, "last-event-id": after },
      signal: AbortSignal.any([signal, silent.signal]),
    });
    if (!response.ok || response.body === null) throw await refusalOf(response);
    onOpen?.();
    reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      text += value;
      const ends = text.lastIndexOf("\n");
      if (ends < 0 && text.length > lineMaxChars) throw new Error("a line of this log has no end");
      for (const line of text.slice(0, Math.max(0, ends)).split("\n"))
        if (line !== "") yield JSON.parse(line) as LogLine;
      text = text.slice(ends + 1);
    }
  } finally {
    clearTimeout(timer);
    await reader?.cancel().catch(() => undefined); // It had ended, or the page went away.
  }
}

/** Where a log goes on: after this line, which a Space's replica counts by itself. A note of the moment has no place. */
export function placeOf({ n, replica }: Pick<LogLine, "n" | "replica">): string | null {
  if (n === 0) return null;
  return replica === undefined ? String(n) : `${replica}:${n}`;
}
