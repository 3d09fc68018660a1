/** The form of every error on stderr: what, where, why, evidence, charge, and what to do. */
import type { Problem } from "../../contract/problem.ts";
import { ownerGlyphs } from "../words.ts";
import type { Paper } from "./paper.ts";
import { tone, wrap } from "./paper.ts";

/** What is known beyond the problem itself. */
export interface ErrorDetails {
  readonly where?: string | undefined;
  readonly because?: readonly string[] | undefined;
  readonly evidence?: string | undefined;
  readonly charged?: string | undefined;
}

const labelWidth = 12;

export function drawError(paper: Paper, problem: Problem, details: ErrorDetails = {}): string {
  const code = problem.code.includes("/") ? problem.code : `${problem.boundary}/${problem.code}`;
  const [says = "", ...more] = problem.detail.split("\n");
  const head = `${tone(paper, "failed", `error[${code}]`)}: ${says}`;
  const because = reasonsBeyond(says, more, [
    ...(details.because ?? []),
    ...(problem.errors ?? []).map(({ where, message }) => `${where}: ${message}`),
  ]);
  const rows: (readonly [string, string])[] = [];
  const owner = `${ownerGlyphs[problem.owner]} ${problem.owner}`;
  // What the command line finds by itself, before anything left this machine, has no place on the way.
  if (problem.boundary !== "cli")
    rows.push(["where", details.where ? `${details.where}; owner ${owner}` : `owner ${owner}`]);
  for (const [i, line] of because.entries()) rows.push([i === 0 ? "because" : "", line]);
  const evidence = details.evidence ?? problem.waybill;
  if (evidence) rows.push(["evidence", evidence]);
  if (details.charged) rows.push(["charged", details.charged]);
  rows.push(["try", withExplain(problem)]);
  const body = rows.map(([label, text]) => `  ${label.padEnd(labelWidth - 2)}${wrap(text, paper.width, labelWidth)}`);
  return `${[head, ...body].join("\n")}\n`;
}

/** The lines of the reasons, without what the head has said already. */
function reasonsBeyond(says: string, more: readonly string[], because: readonly string[]): readonly string[] {
  const lines = because.length > 0 ? because.flatMap((reason) => reason.split("\n")) : more;
  return lines[0] === says ? lines.slice(1) : lines;
}

function withExplain({ next, waybill }: Problem): string {
  const advice = next.replace(/\.$/, "");
  return waybill ? `${advice}; all of it: waybill explain ${waybill}` : advice;
}
