/** Lines of a log that have a text, or are of one source: those that are there, and of what comes by itself what is so too. */
import { useEffect, useRef, useState } from "react";
import type { LogLine } from "../../contract/agent.ts";
import { isRefused } from "../api.ts";
import { lineOf } from "./pages.ts";
import { readLines } from "./reading.ts";
import { againAfterMs } from "./use-log.ts";
import type { LogRead } from "./use-log.ts";

/** Of a source the newest. Of a text the first, which are there before a long log is looked through; others are found by a narrower search. */
const foundMost = 1_000;

export interface Wish {
  readonly text: string;
  /** Empty: of all. */
  readonly source: string;
}

export interface Found {
  /** Null before they are there. */
  readonly lines: readonly LogLine[] | null;
  readonly error: Error | null;
}

interface State extends Found {
  /** The log's line up to which was looked. */
  readonly upTo: number;
}

const nothing: State = { lines: null, error: null, upTo: 0 };

export function useFound(path: string, log: LogRead, wish: Wish): Found {
  const { text, source } = wish;
  const { replica, held } = log;
  const [state, setState] = useState(nothing);
  const latest = useRef(held);
  latest.current = held;
  useEffect(() => {
    setState(nothing);
    if (!isWished({ text, source })) return undefined;
    const gone = new AbortController();
    const query = {
      ...(text === "" ? { tail: String(foundMost) } : { grep: text, limit: String(foundMost) }),
      ...(source !== "" && { source }),
      ...(replica !== null && { replica }),
    };
    const upTo = latest.current.last;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const find = (): void => {
      readLines(path, query, gone.signal).then(
        (lines) => {
          const own = lines.filter(({ n }) => n > 0);
          if (!gone.signal.aborted) setState({ lines: own, error: null, upTo: Math.max(upTo, own.at(-1)?.n ?? 0) });
        },
        (error: Error) => {
          if (gone.signal.aborted) return;
          setState({ ...nothing, error });
          if (!isRefused(error)) timer = setTimeout(find, againAfterMs);
        },
      );
    };
    find();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [path, replica, text, source]);
  useEffect(() => {
    setState((now) => {
      if (now.lines === null || held.last <= now.upTo) return now;
      const more: LogLine[] = [];
      for (let n = now.upTo + 1; n <= held.last; n += 1) {
        const line = lineOf(held, n);
        if (line !== undefined && isSo(line, { text, source })) more.push(line);
      }
      const all = [...now.lines, ...more];
      const lines = more.length === 0 ? now.lines : text === "" ? all.slice(-foundMost) : all.slice(0, foundMost);
      return { ...now, lines, upTo: held.last };
    });
  }, [held, state.lines === null, text, source]);
  return state;
}

export function isWished({ text, source }: Wish): boolean {
  return text !== "" || source !== "";
}

/** Whether a line is so, as the platform looks. */
export function isSo(line: LogLine, { text, source }: Wish): boolean {
  return (source === "" || line.source === source) && line.text.toLowerCase().includes(text.toLowerCase());
}
