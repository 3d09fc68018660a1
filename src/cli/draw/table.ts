/** Tables for people: columns drop on a narrow terminal, least important first; a cell is never cut. */
import type { Paper } from "./paper.ts";
import { tone } from "./paper.ts";

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
  /** 0 is never dropped; the highest number goes first. */
  readonly drop: number;
}

const gap = 2;

/** The table with its head, ending with a newline; columns that do not fit the paper are left out. */
export function drawTable<Row>(paper: Paper, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const measured = columns.map((column) => {
    const cells = rows.map((row) => column.cell(row));
    return { column, cells, width: Math.max(column.head.length, ...cells.map((cell) => cell.length)) };
  });
  const shown = fit(measured, paper.width);
  const line = (texts: readonly string[]): string =>
    shown
      .map(({ column, width }, i) =>
        column.right ? (texts[i] as string).padStart(width) : (texts[i] as string).padEnd(width),
      )
      .join(" ".repeat(gap))
      .trimEnd();
  const head = tone(paper, "muted", line(shown.map(({ column }) => column.head)));
  const body = rows.map((_, row) => line(shown.map(({ cells }) => cells[row] as string)));
  return `${[head, ...body].join("\n")}\n`;
}

function fit<Measured extends { column: { drop: number }; width: number }>(
  all: readonly Measured[],
  width: number,
): readonly Measured[] {
  let shown = all;
  while (shown.reduce((sum, one) => sum + one.width + gap, -gap) > width) {
    const most = Math.max(...shown.map(({ column }) => column.drop));
    if (most === 0) break;
    const last = shown.findLastIndex(({ column }) => column.drop === most);
    shown = shown.toSpliced(last, 1);
  }
  return shown;
}
