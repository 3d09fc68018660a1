/** A log that is looked at: its end as it comes, and the pages that come into view. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { LogLine } from "../../contract/agent.ts";
import { isRefused } from "../api.ts";
import { lacking, firstLineOf, noPages, pageLines, withLines, withPage } from "./pages.ts";
import type { LogPages } from "./pages.ts";
import { linesOf, placeOf, readLines } from "./reading.ts";

/** Read at once, so that the end is there at a glance. */
const tailLines = 500;
/** Lines that come in a burst are drawn together. */
const drawEveryMs = 100;
/** After a connection that was lost, or a page of lines that could not be had. */
export const againAfterMs = 2_000;

export interface LogRead {
  readonly held: LogPages;
  /** Of a Space's log; its numbers are of this one alone. */
  readonly replica: string | null;
  /** What the platform says of the moment, as that nothing runs yet. */
  readonly note: string | null;
  readonly hasEnded: boolean;
  readonly error: Error | null;
  /** Has the lines read that are not there yet. */
  look(from: number, to: number): void;
}

interface State extends Omit<LogRead, "look"> {
  /** Why lines in view are not there. */
  readonly unread: Error | null;
}

const empty: State = { held: noPages, replica: null, note: null, hasEnded: false, error: null, unread: null };

/** `newest`: the Space's newest replica, as far as the page knows; where the log had ended with another, it begins anew. */
export function useLog(path: string, replica: string | null, newest: string | null): LogRead {
  const [state, setState] = useState<State>(empty);
  const reading = useRef(new Set<string>());
  const latest = useRef(state);
  latest.current = state;
  const isOfSpace = path.endsWith("/logs");
  const begun = useBegun(state, replica === null ? newest : null);
  /** Changes where lines that could not be read are to be asked for again. */
  const [missed, setMissed] = useState(0);

  useEffect(() => {
    const gone = new AbortController();
    setState(empty);
    reading.current.clear();
    void follow(path, replica, setState, gone.signal);
    return () => gone.abort();
  }, [path, replica, begun]);

  const look = useCallback(
    (from: number, to: number): void => {
      const { held, replica: of } = latest.current;
      for (const page of lacking(held, from, to)) {
        const key = `${of ?? ""} ${page}`;
        if (reading.current.has(key)) continue;
        reading.current.add(key);
        const query = {
          from: String(firstLineOf(page)),
          limit: String(pageLines),
          ...(isOfSpace && of !== null && { replica: of }),
        };
        readLines(path, query)
          .then(
            (lines) =>
              setState((now) =>
                now.replica === of ? { ...now, held: withPage(now.held, page, lines), unread: null } : now,
              ),
            (unread: Error) => {
              setState((now) => ({ ...now, unread }));
              if (!isRefused(unread)) setTimeout(() => setMissed((times) => times + 1), againAfterMs);
            },
          )
          .finally(() => reading.current.delete(key));
      }
    },
    [path, isOfSpace, missed],
  );
  return { ...state, error: state.error ?? state.unread, look };
}

/** How often a log that had ended was begun anew, once for each replica that came after it. */
function useBegun({ hasEnded, replica }: State, newest: string | null): number {
  const [begun, setBegun] = useState(0);
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (!hasEnded || newest === null || newest === replica || newest === last.current) return;
    last.current = newest;
    setBegun((times) => times + 1);
  }, [hasEnded, replica, newest]);
  return begun;
}

/** Until the log has ended or is refused: a lost connection is made again, after the last line that came. */
async function follow(
  path: string,
  replica: string | null,
  setState: (change: (now: State) => State) => void,
  signal: AbortSignal,
): Promise<void> {
  const query = { follow: "1", ...(replica !== null && { replica }) };
  let after: string | null = null;
  let waiting: LogLine[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    const lines = waiting;
    waiting = [];
    clearTimeout(timer);
    timer = undefined;
    if (!signal.aborted) setState((now) => drawn(now, lines));
  };
  while (!signal.aborted) {
    try {
      const asked: Record<string, string> = after === null ? { ...query, tail: String(tailLines) } : query;
      const onOpen = (): void => setState((now) => ({ ...now, error: null }));
      for await (const line of linesOf(path, asked, { signal, after, onOpen })) {
        waiting.push(line);
        timer ??= setTimeout(draw, drawEveryMs);
        after = placeOf(line) ?? after;
      }
      draw();
      setState((now) => ({ ...now, hasEnded: true, error: null }));
      return;
    } catch (error) {
      draw();
      if (signal.aborted) return;
      setState((now) => ({ ...now, error: error as Error }));
      if (isRefused(error as Error)) return;
      await new Promise((done) => setTimeout(done, againAfterMs));
    }
  }
}

/** Lines of another replica begin its log anew. */
function drawn(now: State, lines: readonly LogLine[]): State {
  const note = lines.findLast(({ n }) => n === 0)?.text ?? now.note;
  const replica = lines.findLast((line) => line.n > 0 && line.replica !== undefined)?.replica ?? now.replica;
  const own = lines.filter((line) => line.replica === undefined || line.replica === replica);
  const held = withLines(replica === now.replica ? now.held : noPages, own);
  return { ...now, held, replica, note, error: null };
}
