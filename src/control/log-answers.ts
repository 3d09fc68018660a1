/** A log as an answer: JSON Lines, server-sent events, the Hub's events, or a text to keep. It is written as fast as it is read. */
import type { LogLine } from "../contract/agent.ts";
import { aliveEveryMs } from "./log-streams.ts";

export interface LogFormat<Line = LogLine> {
  readonly headers: Readonly<Record<string, string>>;
  lines(lines: readonly Line[]): string;
  /** Shows that the stream lives; empty where the format has no such thing. */
  readonly alive: string;
  /** The last of it, when the log has ended. */
  readonly end: string;
}

const noCache = { "cache-control": "no-store", "x-accel-buffering": "no" } as const;

/** One object a line; an empty line is a sign of life. */
export const jsonLines: LogFormat<unknown> = {
  headers: { "content-type": "application/x-ndjson", ...noCache },
  lines: (lines) => lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  alive: "\n",
  end: "",
};

/**
 * WHATWG HTML §9.2. An event's id is the line's number, in a Space's log after its replica's; a client that comes back with it as
 * `Last-Event-ID` goes on after that line. `end` is told, since a client would come back without an end.
 */
export const events: LogFormat = {
  headers: { "content-type": "text/event-stream", ...noCache },
  lines: (lines) => lines.map((line) => `${idOf(line)}data: ${JSON.stringify(line)}\n\n`).join(""),
  alive: ": alive\n\n",
  end: "event: end\ndata: {}\n\n",
};

/** As `huggingface_hub` reads a Space's log: an event a line, empty data to live on, and the stream's end is the log's. */
export const hubEvents: LogFormat = {
  headers: { "content-type": "text/event-stream", ...noCache },
  lines: (lines) =>
    lines.map(({ text, at }) => `data: ${JSON.stringify({ data: `${text}\n`, timestamp: at })}\n\n`).join(""),
  alive: "data:\n\n",
  end: "",
};

/** A text to keep, under a name. */
export function textFile(name: string): LogFormat {
  return {
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "content-disposition": `attachment; filename="${name.replaceAll(/[^\w.-]/g, "-")}.log"`,
      "cache-control": "no-store",
    },
    lines: (lines) => lines.map(({ at, source, stream, text }) => `${at} ${source} ${stream} ${text}\n`).join(""),
    alive: "",
    end: "",
  };
}

export interface LogAnswer<Line = LogLine> {
  readonly format: LogFormat<Line>;
  readonly limit: number;
  now(): number;
  /** Called once, when the first of it is asked for: an answer to HEAD never is, nor one whose client has gone before. */
  begun(): void;
  /** Called once after that, when all is told or the reader has gone. */
  ended(): void;
}

/** Reads a part only when what came before it is taken; `parts` is ended when the reader goes. */
export function answerLog<Line>(parts: AsyncIterable<readonly Line[]>, answer: LogAnswer<Line>): Response {
  const pieces = piecesOf(parts, answer);
  let state: "new" | "open" | "over" = "new";
  const end = (): void => {
    if (state === "open") answer.ended();
    state = "over";
  };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (state === "new") answer.begun();
        if (state === "new") state = "open";
        try {
          const { done, value } = await pieces.next();
          if (done !== true) return controller.enqueue(value);
          end();
          controller.close();
        } catch (error) {
          end();
          throw error;
        }
      },
      // First it is ended, so that a part that is waited for comes to an end.
      async cancel() {
        end();
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { ...answer.format.headers } });
}

async function* piecesOf<Line>(
  parts: AsyncIterable<readonly Line[]>,
  { format, limit, now }: LogAnswer<Line>,
): AsyncGenerator<Uint8Array, void, void> {
  const encoder = new TextEncoder();
  let left = limit;
  let saidAt = now();
  for await (const lines of parts) {
    const text = format.lines(lines.slice(0, left)) || (now() - saidAt >= aliveEveryMs ? format.alive : "");
    left -= lines.length;
    if (text !== "") saidAt = now();
    if (text !== "") yield encoder.encode(text);
    if (left <= 0) break;
  }
  if (format.end !== "") yield encoder.encode(format.end);
}

function idOf({ n, replica }: LogLine): string {
  if (n === 0) return ""; // A note of the moment: who comes back goes on after the line before it.
  return `id: ${replica === undefined ? "" : `${replica}:`}${n}\n`;
}
