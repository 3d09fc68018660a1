/** A log of any length: only what is in view is drawn, it follows its end until somebody scrolls up, and is searched where it lies. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import type { LogLine } from "../../contract/agent.ts";
import { isRefused } from "../api.ts";
import { Failure } from "../asked.tsx";
import { useSpoken } from "../words/words.tsx";
import { spansOf } from "./ansi.ts";
import { lineAt, lineOf, linesIn, rowOf, rowsOf } from "./pages.ts";
import { readLines } from "./reading.ts";
import { useLog } from "./use-log.ts";
import ui from "../ui.module.css";
import styles from "./log.module.css";

/** Beside those in view, so that a turn of the wheel meets lines. */
const overscan = 20;
/** A target of a hand (WCAG 2.2, 2.5.8). */
const lineHeight = 24;
/** So near to the end one is at it. */
const endWithinPx = 40;
/** More lines are found by a narrower search. */
const foundMax = 1_000;

/** `path`: of a build's log or a Space's. */
export default function LogView({
  path,
  replica = null,
}: {
  readonly path: string;
  readonly replica?: string | null;
}): ReactNode {
  const { words } = useSpoken();
  const log = useLog(path, replica);
  const [found, setFound] = useState<readonly LogLine[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const search = async (text: string): Promise<void> => {
    setError(null);
    if (text === "") return setFound(null);
    const of = log.replica === null ? {} : { replica: log.replica };
    try {
      setFound(await readLines(path, { grep: text, limit: String(foundMax), ...of }, AbortSignal.timeout(30_000)));
    } catch (failure) {
      setError(failure as Error);
    }
  };
  const { last } = log.held;
  const isOver = log.error !== null && isRefused(log.error);
  const failed = error ?? (isOver || last === 0 ? log.error : null);
  return (
    <>
      <Search onSearch={(text) => void search(text)} download={`${path}?download=1`} />
      {log.note !== null && last === 0 && (
        <p className={ui["muted"]} lang="en">
          {log.note}
        </p>
      )}
      {failed && <Failure error={failed} />}
      {found !== null && <p role="status">{words.logFound(found.filter(({ n }) => n > 0).length)}</p>}
      {found === null ? (
        <Lines log={log} />
      ) : (
        <ol className={`${ui["list"]} ${styles["box"]}`} dir="ltr" tabIndex={0} aria-label={words.log}>
          {found
            .filter(({ n }) => n > 0)
            .map((line) => (
              <li key={line.n}>
                <a href={`#L${line.n}`} onClick={() => setFound(null)}>
                  {line.n}
                </a>{" "}
                <code>
                  <Text line={line} />
                </code>
              </li>
            ))}
        </ol>
      )}
      {(log.hasEnded || !isOver) && (
        <p className={ui["muted"]}>
          {log.hasEnded ? words.logEnded(last) : log.error === null ? words.logOpen(last) : words.logLost}
        </p>
      )}
    </>
  );
}

function Search({
  onSearch,
  download,
}: {
  readonly onSearch: (text: string) => void;
  readonly download: string;
}): ReactNode {
  const { words } = useSpoken();
  const input = useRef<HTMLInputElement>(null);
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    onSearch(input.current?.value ?? "");
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
      <button type="submit" className={ui["button"]}>
        {words.find}
      </button>
      <a className={ui["target"]} href={download}>
        {words.logDownload}
      </a>
    </form>
  );
}

function Lines({ log }: { readonly log: ReturnType<typeof useLog> }): ReactNode {
  const { words } = useSpoken();
  const box = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(() => linesIn(location.hash) === null);
  const [seen, setSeen] = useState(0);
  const [named, setNamed] = useState(() => linesIn(location.hash));
  const { held, look } = log;
  const { last } = held;
  const count = rowsOf(held);
  const rows = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => lineHeight,
    overscan,
  });
  const items = rows.getVirtualItems();
  const [first, end] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  const [from, to] = [lineAt(held, first), lineAt(held, end)];
  useEffect(() => {
    if (last > 0) look(from, to);
  }, [from, to, last, look]);
  const isThere = last > 0;
  useEffect(() => {
    // What is gone at its beginning takes no rows: a log that was printed to for months is as long as what is kept of it.
    if (isThere) look(1, 1);
  }, [isThere, look]);
  useEffect(() => {
    if (isFollowing && count > 0) rows.scrollToIndex(count - 1, { align: "end" });
    if (isFollowing) setSeen(last);
  }, [last, count, isFollowing, rows]);
  useEffect(() => {
    const onHash = (): void => setNamed(linesIn(location.hash));
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
  const namedRow = named === null ? null : rowOf(held, named.from);
  useEffect(() => {
    if (namedRow === null || !isThere) return;
    setFollowing(false);
    rows.scrollToIndex(namedRow, { align: "center" });
  }, [namedRow, isThere, rows]);
  // Only a hand ends following: lines that come move the end away too.
  const isMoved = useRef(false);
  const onScroll = (): void => {
    const at = box.current;
    if (at === null) return;
    const isAtEnd = at.scrollHeight - at.scrollTop - at.clientHeight < endWithinPx;
    if (isAtEnd !== isFollowing && (isAtEnd || isMoved.current)) setFollowing(isAtEnd);
  };
  const onHand = (): void => {
    isMoved.current = true;
  };
  return (
    <>
      <div
        ref={box}
        className={styles["box"]}
        dir="ltr"
        onScroll={onScroll}
        onWheel={onHand}
        onPointerDown={onHand}
        onKeyDown={onHand}
        onTouchMove={onHand}
        tabIndex={0}
        role="region"
        aria-label={words.log}
      >
        <div className={styles["inner"]} style={{ height: rows.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const n = lineAt(held, index);
            const line = lineOf(held, n);
            const isNamed = named !== null && n >= named.from && n <= named.to;
            const names = [styles["line"], isNamed && styles["named"], line?.stream === "err" && styles["err"]];
            return (
              <div
                key={n}
                data-index={index}
                ref={rows.measureElement}
                className={names.filter(Boolean).join(" ")}
                style={{ transform: `translateY(${start}px)` }}
              >
                <a href={`#L${n}`} id={`L${n}`}>
                  {n}
                </a>
                <span className={styles["source"]}>{line?.step ?? line?.source ?? ""}</span>
                <span>{line === undefined ? "…" : <Text line={line} />}</span>
              </div>
            );
          })}
        </div>
      </div>
      {!isFollowing && (
        <button type="button" className={ui["button"]} onClick={() => setFollowing(true)}>
          {words.logFollow(Math.max(0, last - seen))}
        </button>
      )}
    </>
  );
}

function Text({ line }: { readonly line: LogLine }): ReactNode {
  return spansOf(line.text).map(({ text, colour, isBold }, at) => (
    <span
      key={at}
      className={[colour !== null && styles[`c${colour}`], isBold && styles["bold"]].filter(Boolean).join(" ")}
    >
      {text}
    </span>
  ));
}
