/** `waybill receipt export`: a month's receipts, whose sums are compared with the statement's before the command says that it is done. */
import { count } from "../evidence/words.ts";
import { focusColumns, csvLine, focusLine, focusRows } from "../receipts/focus.ts";
import type { Context } from "./context.ts";
import { secondsOf } from "./draw/paper.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";

export interface ExportOptions {
  readonly account?: string;
  readonly month: string;
  readonly format: "jsonl" | "focus";
  readonly price: string;
  readonly currency: string;
  readonly provider: string;
}

export async function exportReceipts(context: Context, options: ExportOptions): Promise<number> {
  const { account, month, format } = options;
  const { world } = context;
  const { receipts } = await context.client();
  const statement = await receipts.statement(month, { account, signal: world.signal });
  const { from, until, below } = statement;
  const sums = { calls: 0, chargedMs: 0, creditsMs: 0 };
  if (format === "focus") world.stdout.write(csvLine(focusColumns));
  for await (const receipt of receipts.all({ account, month, below, signal: world.signal })) {
    sums.calls += 1;
    sums.chargedMs += receipt.chargedMs;
    sums.creditsMs += receipt.creditsMs ?? 0;
    // A receipt as it is: a line of a stream would have a `type`, which is none of what was signed.
    if (format === "jsonl") world.stdout.write(`${JSON.stringify(receipt)}\n`);
    else for (const row of focusRows(receipt, { ...options, from, until })) world.stdout.write(focusLine(row));
  }
  const isWhole = (["calls", "chargedMs", "creditsMs"] as const).every((name) => sums[name] === statement[name]);
  if (!isWhole)
    throw new CliFailure(exit.failed, {
      code: "sums-differ",
      says: `The export has ${count(sums.calls, "receipt")} with ${secondsOf(sums.chargedMs)}, and the statement ${statement.calls} with ${secondsOf(statement.chargedMs)}.`,
      next: "Export again: receipts may have been removed meanwhile by a compaction.",
    });
  const credits = sums.creditsMs > 0 ? `, ${secondsOf(sums.creditsMs)} of it by credits` : "";
  context.note(
    `${count(sums.calls, "receipt")}, ${secondsOf(sums.chargedMs)} charged${credits}: as the statement says\n`,
  );
  return exit.done;
}
