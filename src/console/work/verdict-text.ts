/** A verdict as lines to paste into a message: in English, as the command line says it, with the address of its page. */
import type { WorkTold } from "../../evidence/verdict.ts";

export function verdictText({ id, kind, outcome, sentence, verdict }: WorkTold, address: string): string {
  const lines: (readonly [string, string])[] = [[kind, `${id} ${outcome}`]];
  if (verdict === null) lines.push(["says", sentence]);
  else {
    const { boundary, code, certainty, owner, charge, next } = verdict;
    lines.push(["verdict", `${boundary} / ${code}, ${certainty}`], ["owner", `${owner}: ${verdict.sentence}`]);
    if (charge !== null)
      lines.push([
        "charged",
        `${charge.chargedMs / 1000} s of ${charge.heldMs / 1000} s held${charge.receipt === null ? "" : `, receipt ${charge.receipt}`}`,
      ]);
    lines.push(["next", next]);
  }
  lines.push(["page", address]);
  return lines.map(([name, text]) => `${name.padEnd(9)}${text}\n`).join("");
}
