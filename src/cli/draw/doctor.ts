/** The rows of `waybill doctor`: what was found, and what to do. */
import type { Row } from "../../doctor/checks.ts";
import type { Tone } from "../words.ts";
import { tone } from "./paper.ts";
import type { Paper } from "./paper.ts";

const tones: Readonly<Record<Row["level"], Tone>> = { ok: "plain", warn: "outside", fail: "failed", skip: "muted" };

export function drawRows(paper: Paper, rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ check }) => check.length));
  const line = ({ level, check, says, try: remedy }: Row): string => {
    const indent = " ".repeat(6 + width);
    return [
      `${tone(paper, tones[level], level.padEnd(4))} ${check.padEnd(width)} ${says.replaceAll("\n", `\n${indent}`)}`,
      ...(remedy === null ? [] : [`${indent}try: ${remedy}`]),
      "",
    ].join("\n");
  };
  return rows.map(line).join("");
}
