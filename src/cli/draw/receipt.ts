/** A receipt and the checks of one, for people. */
import type { Receipt, ReceiptKeysView, SignedReceipt } from "../../contract/receipts.ts";
import { routeSays } from "../../evidence/pool-route.ts";
import type { Paper } from "./paper.ts";
import { dayTimeOf, secondsOf, tone, wrap } from "./paper.ts";
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
      until === null ? `signs now, from ${from} receipts on` : `signed checkpoints of ${from} to ${until} receipts`,
    ];
  });
  return `${tone(paper, "strong", origin)}\n${drawRows(paper, rows)}`;
}
