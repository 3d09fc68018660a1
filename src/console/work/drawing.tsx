/** The drawing of a timeline, and its twin as a table. */
import type { ReactNode } from "react";
import type { Entry } from "../../evidence/entry.ts";
import { WideTable } from "../table.tsx";
import { useSpoken } from "../words/words.tsx";
import type { GapRow, HopRow, Segment, Timeline } from "./timeline.ts";
import ui from "../ui.module.css";
import styles from "./drawing.module.css";

/** `lit`: ids of entries that a sentence rests on. */
export function TimelineDrawing({
  timeline,
  lit,
}: {
  readonly timeline: Timeline;
  readonly lit: ReadonlySet<string>;
}): ReactNode {
  const { words, format } = useSpoken();
  return (
    <>
      <p className={ui["muted"]}>{words.timelineLegend}</p>
      <ol className={styles["rows"]}>
        {timeline.rows.map((row) =>
          row.type === "hop" ? (
            <Hop key={row.key} row={row} lit={lit} isWorkOpen={timeline.isOpen} />
          ) : (
            <Missing key={row.key} row={row} />
          ),
        )}
      </ol>
      <ul className={`${ui["list"]} ${styles["axes"]}`}>
        {timeline.axes.map(({ letter, emitter, epoch, from, spanMs }) => (
          <li key={letter}>
            {letter}: {words.axis(emitter, epoch)}, {format.exact(from)} + {format.short(spanMs)}
          </li>
        ))}
      </ul>
    </>
  );
}

function Hop({
  row,
  lit,
  isWorkOpen,
}: {
  readonly row: HopRow;
  readonly lit: ReadonlySet<string>;
  readonly isWorkOpen: boolean;
}): ReactNode {
  const { words } = useSpoken();
  const isNever = row.entries.length === 0;
  const names = [
    styles["row"],
    isNever && styles["never"],
    row.hasStopped && styles["stopped"],
    row.entries.some((id) => lit.has(id)) && styles["lit"],
  ];
  return (
    <li className={names.filter(Boolean).join(" ")}>
      <span className={styles["hop"]}>
        {row.hop}
        {row.step !== null && ` ${row.step}`}
      </span>
      <span className={styles["lines"]}>
        {isNever
          ? isWorkOpen
            ? words.notYetReached
            : words.notReached
          : row.segments.map((segment) => (
              <Line key={segment.axis.letter} segment={segment} isBad={row.hasStopped} isOpen={row.isOpen} />
            ))}
      </span>
      <span className={styles["ends"]}>
        <End name={words.handed} entry={row.handed} />
        <End name={words.took} entry={row.took} />
        <End name={words.ended} entry={row.ended} />
        {row.hasStopped && <strong className={ui["failed"]}>✕ {words.stoppedHere}</strong>}
      </span>
    </li>
  );
}

function End({ name, entry }: { readonly name: string; readonly entry: Entry | undefined }): ReactNode {
  const { format } = useSpoken();
  if (entry === undefined) return null;
  return (
    <span title={entry.id}>
      {name} {format.exact(entry.at)} <code>{entry.mark}</code>{" "}
      <code>
        {entry.emitter} {entry.seq}
      </code>
      <br />
    </span>
  );
}

function Missing({ row: { gap, segment, couldHide } }: { readonly row: GapRow }): ReactNode {
  const { words } = useSpoken();
  return (
    <li className={styles["row"]}>
      <span className={styles["hop"]}>{words.axis(gap.emitter, gap.epoch)}</span>
      <span className={styles["lines"]}>
        {segment !== null && <Line segment={segment} isBad={false} isOpen={false} />}
      </span>
      <span className={styles["ends"]}>
        <strong>{words.gap(gap.from, gap.to)}</strong> <span lang="en">{gap.why}</span>
        {couldHide.length > 0 && ` ${words.couldHide(couldHide.join(", "))}`}
      </span>
    </li>
  );
}

function Line({
  segment: { axis, start, end, ms, certainty },
  isBad,
  isOpen,
}: {
  readonly segment: Segment;
  readonly isBad: boolean;
  readonly isOpen: boolean;
}): ReactNode {
  const { words, format } = useSpoken();
  const [x1, x2] = [`${start * 100}%`, `${end * 100}%`];
  return (
    <span className={`${styles["line"]} ${isBad ? styles["bad"] : ""}`}>
      <span className={styles["letter"]}>{axis.letter}</span>
      <svg aria-hidden="true">
        <line className={styles["track"]} x1="0" x2="100%" y1="7" y2="7" />
        <line className={styles[certainty]} x1={x1} x2={x2} y1="7" y2="7" />
        <circle className={styles["dot"]} cx={x2} cy="7" r="3.5" />
      </svg>
      <span>
        {isOpen ? words.outcomes.open : format.short(ms)}
        {certainty !== "proved" && <span className={ui["hidden"]}> {words.certainties[certainty]}</span>}
      </span>
    </span>
  );
}

export function EntriesTable({
  entries,
  lit,
}: {
  readonly entries: readonly Entry[];
  readonly lit: ReadonlySet<string>;
}): ReactNode {
  const { words, format } = useSpoken();
  return (
    <WideTable
      label={words.entries}
      names={[words.time, words.hop, words.mark, words.emitter, words.number, words.facts]}
      isStacked={false}
    >
      {entries.map(({ id, at, hop, mark, emitter, epoch, seq, facts }) => (
        <tr key={id} id={`e-${id}`} className={lit.has(id) ? styles["lit"] : undefined}>
          <td className={ui["whole"]}>
            <time dateTime={at}>{format.exact(at)}</time>
          </td>
          <td>{hop}</td>
          <td>{mark}</td>
          <td>
            {emitter}, {epoch}
          </td>
          <td>{seq}</td>
          <td>
            <code className={styles["facts"]}>{JSON.stringify(facts)}</code>
          </td>
        </tr>
      ))}
    </WideTable>
  );
}
