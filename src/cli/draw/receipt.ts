/** A receipt and the checks of one, for people. */
import type { Receipt, ReceiptKeysView, SignedReceipt, StatementView } from "../../contract/receipts.ts";
import { routeSays } from "../../evidence/pool-route.ts";
import { count } from "../../evidence/words.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, secondsOf, tone, wrap } from "./paper.ts";
import { drawTable } from "./table.ts";
import { drawRows } from "./views.ts";

export function drawReceipt(paper: Paper, { receipt, log }: Pick<SignedReceipt, "receipt" | "log">): string {
  const where = receipt.gpu === null ? "no GPU was granted" : `${receipt.gpu} on ${receipt.node ?? "an unknown node"}`;
  return `${tone(paper, "strong", receipt.id)}  call ${receipt.call}\n${drawRows(paper, [
    ["account", `${receipt.account}, known by ${receipt.billedBy}`],
    ["space", receipt.space],
    ["gpu", `${where}${receipt.simulated ? " (simulated)" : ""}, pool ${receipt.pool}`],
    ...(receipt.route ? [["pool", routeSays(receipt.pool, receipt.route)] as const] : []),
    ["size", `${receipt.size}, factor ${receipt.factorPermille / 1000}`],
    ["declared", secondsOf(receipt.declaredMs)],
    ["held", secondsOf(receipt.heldMs)],
    ["queued", `${secondsOf(receipt.queuedMs)}, free`],
    ["used", secondsOf(receipt.usedMs)],
    ["charged", `${secondsOf(receipt.chargedMs)}, ${secondsOf(receipt.releasedMs)} given back`],
    ...paidRows(receipt),
    ["rule", receipt.rule],
    ["outcome", receipt.code ? `${receipt.outcome}, ${receipt.code}` : receipt.outcome],
    ["ended", `${dayTimeOf(paper, receipt.endedAt)}, journal index ${receipt.journalIndex}`],
    ...(log ? [["log", `leaf ${log.leaf + 1} of ${log.checkpoint.split("\n", 2)[1]}`] as const] : []),
  ])}`;
}

/** Who pays and by whose word, where that is not all the account's own window. */
function paidRows({ paidBy, creditsMs, overrides }: Receipt): (readonly [string, string])[] {
  return [
    ...(paidBy === undefined ? [] : [["paid by", `${paidBy}, who pays for the Space's visitors`] as const]),
    ...(creditsMs === undefined ? [] : [["credits", `${secondsOf(creditsMs)} of the charge`] as const]),
    ...(overrides === undefined ? [] : [["let in by", overrides.join(", ")] as const]),
  ];
}

export interface Checked {
  readonly name: string;
  readonly ok: boolean;
  readonly says: string;
}

export function drawChecks(paper: Paper, checks: readonly Checked[]): string {
  const indent = 6 + Math.max(...checks.map(({ name }) => name.length)) + 2;
  return checks
    .map(({ name, ok, says }) => {
      const word = ok ? "ok  " : tone(paper, "failed", "fail");
      return `${word}  ${name.padEnd(indent - 6)}${wrap(ok ? says : `not so: ${says}`, paper.width, indent)}\n`;
    })
    .join("");
}

export function drawReceiptKeys(paper: Paper, { origin, keys }: ReceiptKeysView): string {
  const rows = keys.map(({ kid, from, until }): readonly [string, string] => {
    return [
      kid,
      until === null
        ? `signs now, from ${count(from, "receipt")} on`
        : `signed checkpoints of ${from} to ${count(until, "receipt")}`,
    ];
  });
  return `${tone(paper, "strong", origin)}\n${drawRows(paper, rows)}`;
}

export function drawReceipts(paper: Paper, receipts: readonly Receipt[]): string {
  if (receipts.length === 0) return "No receipts: no GPU call that this account pays has ended then.\n";
  return drawTable(
    paper,
    [
      { head: "ENDED", cell: (receipt) => dayTimeOf(paper, receipt.endedAt), drop: 2 },
      { head: "RECEIPT", cell: (receipt) => receipt.id, drop: 0 },
      { head: "SPACE", cell: (receipt) => receipt.space, drop: 3 },
      { head: "CALLED BY", cell: (receipt) => receipt.account, drop: 4 },
      { head: "OUTCOME", cell: (receipt) => receipt.code ?? receipt.outcome, drop: 1 },
      { head: "CHARGED", cell: (receipt) => secondsOf(receipt.chargedMs), right: true, drop: 0 },
    ],
    receipts,
  );
}

export function drawStatement(paper: Paper, statement: StatementView): string {
  const { account, month, calls, chargedMs, creditsMs, lines, more, removedUntil } = statement;
  const title = `${tone(paper, "strong", `${account}, ${month}`)}  ${count(calls, "call")}, ${secondsOf(chargedMs)} charged`;
  const credits = creditsMs > 0 ? `, ${secondsOf(creditsMs)} of it by credits` : "";
  const table = drawTable(
    paper,
    [
      { head: "SPACE", cell: (line) => line.space, drop: 0 },
      { head: "POOL", cell: (line) => line.pool, drop: 3 },
      { head: "SIZE", cell: (line) => line.size, drop: 2 },
      { head: "CALLS", cell: (line) => String(line.calls), right: true, drop: 1 },
      { head: "USED", cell: (line) => secondsOf(line.usedMs), right: true, drop: 4 },
      { head: "CHARGED", cell: (line) => secondsOf(line.chargedMs), right: true, drop: 0 },
    ],
    lines,
  );
  const rest = more ? "There are more lines; the sums are of all.\n" : "";
  const removed =
    removedUntil === null
      ? ""
      : `Receipts from before ${dayTimeOf(paper, removedUntil)} were removed, and are not in it.\n`;
  return `${title}${credits}\n${lines.length > 0 ? table : ""}${rest}${removed}`;
}
