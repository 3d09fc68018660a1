/** A log of any length, of a Space with the edge's lines in it; it is searched where it lies. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { isRefused } from "../api.ts";
import { Failure } from "../asked.tsx";
import { useSpoken } from "../words/words.tsx";
import { LogRows } from "./log-rows.tsx";
import { lineAt, lineOf } from "./pages.ts";
import { betweenOf, keysOf, listRows, merged, wholeRows } from "./rows.ts";
import { useEdge } from "./use-edge.ts";
import type { EdgeLines } from "./use-edge.ts";
import { isSo, isWished, useFound } from "./use-found.ts";
import type { Found, Wish } from "./use-found.ts";
import { useLog } from "./use-log.ts";
import type { LogRead } from "./use-log.ts";
import ui from "../ui.module.css";

/** Of an app's log; a build's are its own. */
const sources = ["app", "runtime", "gpu", "egress", "edge"] as const;

/** `path`: of a build's log. */
export default function LogView({ path }: { readonly path: string }): ReactNode {
  return <Log path={path} log={useLog(path, null, null)} edge={null} />;
}

interface OfSpace {
  readonly space: string;
  /** Null for the newest. */
  readonly replica: string | null;
  /** Null where there is none. */
  readonly newest: string | null;
}

export function SpaceLog({ space, replica, newest }: OfSpace): ReactNode {
  const path = `/api/spaces/${space}/logs`;
  const log = useLog(path, replica, newest);
  const { lines, error } = useEdge(space, useBeginning(log));
  const isOne = replica !== null;
  const edge = useMemo(
    () => ({ lines: isOne ? lines.filter((line) => line.replica === log.replica) : lines, error }),
    [lines, error, isOne, log.replica],
  );
  return <Log path={path} log={log} edge={edge} />;
}

/** The time of the log's first line, once that was seen: what was before it is not asked for. */
function useBeginning({ held, replica }: LogRead): string | null {
  const [beginning, setBeginning] = useState<{ readonly at: string; readonly of: string | null } | null>(null);
  const at = lineOf(held, lineAt(held, 0))?.at;
  useEffect(() => {
    // Its page may be let go, and its beginning is gone one day: neither changes what was asked for.
    if (at !== undefined) setBeginning((now) => (now?.of === replica ? now : { at, of: replica }));
  }, [at, replica]);
  return beginning?.of === replica ? beginning.at : null;
}

interface Shown {
  readonly path: string;
  readonly log: LogRead;
  /** Null where it has none. */
  readonly edge: EdgeLines | null;
}

function Log({ path, log, edge }: Shown): ReactNode {
  const { words } = useSpoken();
  const [wish, setWish] = useState<Wish>({ text: "", source: "" });
  const found = useFound(path, log, wish);
  const { last } = log.held;
  const isOver = log.error !== null && isRefused(log.error);
  const failed = found.error ?? (isOver || last === 0 ? log.error : null);
  return (
    <>
      <Search wish={wish} onWish={setWish} download={`${path}?download=1`} sources={edge === null ? [] : sources} />
      {log.note !== null && last === 0 && (
        <p className={ui["muted"]} lang="en">
          {log.note}
        </p>
      )}
      {failed && <Failure error={failed} />}
      {isWished(wish) ? (
        <Those found={found} wish={wish} edge={edge} onAll={() => setWish({ text: "", source: "" })} />
      ) : (
        <All log={log} edge={edge} />
      )}
      {edge !== null && edge.error !== null && <p className={ui["muted"]}>{words.logEdgeLost}</p>}
      {(log.hasEnded || !isOver) && (
        <p className={ui["muted"]}>
          {log.error !== null && !isOver ? words.logLost : log.hasEnded ? words.logEnded(last) : words.logOpen(last)}
        </p>
      )}
    </>
  );
}

function All({ log: { held, look }, edge }: Omit<Shown, "path">): ReactNode {
  const lines = edge?.lines;
  const { gone } = held;
  const between = useMemo(() => betweenOf(held, lines ?? []), [held, lines]);
  const keyOf = useMemo(() => keysOf({ gone }, between), [gone, between]);
  const rows = useMemo(() => wholeRows(held, between, keyOf), [held, between, keyOf]);
  const isThere = held.last > 0;
  useEffect(() => {
    // What is gone at its beginning takes no rows: a log that was printed to for months is as long as what is kept of it.
    if (isThere) look(1, 1);
  }, [isThere, look]);
  const onLook = useCallback(
    (first: number, end: number): void => {
      const numbers = [];
      for (let row = first; row <= end && row < rows.count; row += 1) numbers.push(rows.at(row).n ?? 0);
      const own = numbers.filter((n) => n > 0);
      const [from, to] = [own[0], own.at(-1)];
      if (from !== undefined && to !== undefined) look(from, to);
    },
    [rows, look],
  );
  return rows.count === 0 ? null : <LogRows rows={rows} onLook={onLook} />;
}

interface Some {
  readonly found: Found;
  readonly wish: Wish;
  readonly edge: EdgeLines | null;
  readonly onAll: () => void;
}

function Those({ found: { lines }, wish, edge, onAll }: Some): ReactNode {
  const { words } = useSpoken();
  const of = edge?.lines;
  const rows = useMemo(() => {
    if (lines === null) return null;
    return listRows(merged(lines, of?.filter((line) => isSo(line, wish)) ?? []));
  }, [lines, of, wish]);
  if (rows === null) return null;
  return (
    <>
      <p role="status">{words.logFound(rows.count)}</p>
      {rows.count > 0 && <LogRows rows={rows} onLine={onAll} />}
    </>
  );
}

interface Asked {
  readonly wish: Wish;
  readonly onWish: (wish: Wish) => void;
  readonly download: string;
  readonly sources: readonly string[];
}

function Search({ wish, onWish, download, sources: all }: Asked): ReactNode {
  const { words } = useSpoken();
  const input = useRef<HTMLInputElement>(null);
  const wished = (source: string): void => onWish({ text: input.current?.value ?? "", source });
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    wished(wish.source);
  };
  return (
    <form className={ui["row"]} onSubmit={onSubmit}>
      <input
        className={ui["input"]}
        ref={input}
        type="search"
        aria-label={words.logSearch}
        placeholder={words.logSearch}
        maxLength={200}
      />
      {all.length > 0 && (
        <select
          className={ui["input"]}
          aria-label={words.logSource}
          value={wish.source}
          onChange={({ target }) => wished(target.value)}
        >
          <option value="">{words.logAllSources}</option>
          {all.map((one) => (
            <option key={one} value={one}>
              {words.logSources[one as keyof typeof words.logSources]}
            </option>
          ))}
        </select>
      )}
      <button type="submit" className={ui["button"]}>
        {words.find}
      </button>
      <a className={ui["target"]} href={download}>
        {words.logDownload}
      </a>
    </form>
  );
}
