/** Rows of a log in a box: only those in view are drawn; it follows its end until somebody scrolls up. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { LogLine } from "../../contract/agent.ts";
import { requestOf } from "../../contract/edge-lines.ts";
import { storyPath } from "../find.ts";
import { useSpoken } from "../words/words.tsx";
import { spansOf } from "./ansi.ts";
import { linesIn } from "./pages.ts";
import type { Row, Rows } from "./rows.ts";
import ui from "../ui.module.css";
import styles from "./log.module.css";

/** Beside those in view, so that a turn of the wheel meets lines. */
const overscan = 20;
/** A target of a hand (WCAG 2.2, 2.5.8). */
const lineHeight = 24;
/** So near to the end one is at it. */
const endWithinPx = 40;

interface Shown {
  readonly rows: Rows;
  /** The rows that are drawn, both ends included. */
  readonly onLook?: (first: number, last: number) => void;
  /** Somebody goes to a line by its number. */
  readonly onLine?: () => void;
}

export function LogRows({ rows, onLook, onLine }: Shown): ReactNode {
  const { words } = useSpoken();
  const box = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(() => linesIn(location.hash) === null);
  const [seen, setSeen] = useState(0);
  const [named, setNamed] = useState(() => linesIn(location.hash));
  const { count, last, keyOf } = rows;
  const drawn = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => lineHeight,
    overscan,
    getItemKey: keyOf,
  });
  const items = drawn.getVirtualItems();
  const [first, end] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => {
    if (count > 0) onLook?.(first, end);
  }, [first, end, count, rows, onLook]);
  useStaying(box, rows, isFollowing ? null : (drawn.range?.startIndex ?? null));
  useEffect(() => {
    if (isFollowing && count > 0) drawn.scrollToIndex(count - 1, { align: "end" });
    if (isFollowing) setSeen(last);
  }, [last, count, isFollowing, drawn]);
  useEffect(() => {
    const onHash = (): void => setNamed(linesIn(location.hash));
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
  const isThere = count > 0;
  const namedRow = named === null || !isThere ? null : rows.rowOf(named.from);
  useEffect(() => {
    if (namedRow === null) return;
    setFollowing(false);
    drawn.scrollToIndex(namedRow, { align: "center" });
  }, [namedRow, drawn]);
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
        <div className={styles["inner"]} style={{ height: drawn.getTotalSize() }}>
          {items.map(({ index, start, key }) => {
            const row = rows.at(index);
            const isNamed = named !== null && row.n !== null && row.n >= named.from && row.n <= named.to;
            const names = [styles["line"], isNamed && styles["named"], row.line?.stream === "err" && styles["err"]];
            return (
              <div
                key={key}
                data-index={index}
                ref={drawn.measureElement}
                className={names.filter(Boolean).join(" ")}
                style={{ transform: `translateY(${start}px)` }}
              >
                <Line row={row} onLine={onLine} />
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

/** What comes to stand above the first row in view, as the edge's lines of a page that was read, moves nothing in view. */
function useStaying(box: React.RefObject<HTMLDivElement | null>, rows: Rows, top: number | null): void {
  const before = useRef<{ readonly rows: Rows; readonly n: number } | null>(null);
  useLayoutEffect(() => {
    const was = before.current;
    const at = box.current;
    if (was !== null && was.rows !== rows && at !== null) {
      const moved = rows.rowOf(was.n) - was.rows.rowOf(was.n);
      if (moved !== 0) at.scrollTop += moved * lineHeight;
    }
  }, [box, rows]);
  useLayoutEffect(() => {
    let [row, n] = [top ?? 0, null as number | null];
    for (; top !== null && row < rows.count && n === null; row += 1) ({ n } = rows.at(row));
    before.current = n === null ? null : { rows, n };
  }, [rows, top]);
}

function Line({ row: { n, line }, onLine }: { readonly row: Row; readonly onLine: Shown["onLine"] }): ReactNode {
  return (
    <>
      {n === null ? (
        <span />
      ) : (
        <a href={`#L${n}`} id={`L${n}`} onClick={onLine}>
          {n}
        </a>
      )}
      <span className={styles["source"]}>{line?.step ?? line?.source ?? ""}</span>
      <span>{line === undefined ? "…" : n === null ? <OfEdge line={line} /> : <Text line={line} />}</span>
    </>
  );
}

function OfEdge({ line }: { readonly line: LogLine }): ReactNode {
  const id = requestOf(line);
  return (
    <>
      <Link className={styles["work"]} href={storyPath(id)}>
        {id}
      </Link>
      <Text line={{ ...line, text: line.text.slice(id.length) }} />
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
