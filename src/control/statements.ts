/**
 * What an account paid for GPU calls in a month, from its receipts: one by one, and in sums.
 *
 *   L38. Exported totals equal the ledger's: both are of the same receipts, up to one place of their log.
 */
import type { Receipts } from "../catalog/receipts.ts";
import type { Page } from "../contract/api.ts";
import type { Receipt, StatementView } from "../contract/receipts.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { CallList } from "./call-list.ts";

export interface StatementParts {
  readonly rows: Receipts;
  readonly calls: Pick<CallList, "caughtUp">;
}

export interface ReceiptsWanted {
  /** Who pays. */
  readonly account: string;
  /** In UTC, as 2026-11. */
  readonly month: string | undefined;
  /** Those with a place below this alone: so pages fit a statement. */
  readonly below: number | undefined;
  readonly page: string | undefined;
  readonly limit: number;
}

/** Lines of one statement, those with the largest charge; its sums are of all. */
const linesMax = 1_000;

export class Statements {
  readonly #parts: StatementParts;

  constructor(parts: StatementParts) {
    this.#parts = parts;
  }

  /** Newest first; undefined where the page or the month is none. */
  async list({ account, month, below, page, limit }: ReceiptsWanted): Promise<Page<Receipt> | undefined> {
    const span = month === undefined ? {} : monthOf(month);
    if (!span) return undefined;
    await this.#parts.calls.caughtUp();
    return this.#parts.rows.list({ payer: account, ...span, below, before: page, limit });
  }

  /** Undefined where the month is none. */
  async statement(account: string, month: string): Promise<StatementView | undefined> {
    const span = monthOf(month);
    if (!span) return undefined;
    await this.#parts.calls.caughtUp();
    const { rows } = this.#parts;
    const below = await rows.leaves();
    const wanted = { payer: account, ...span, below };
    const [total, lines, removed] = await Promise.all([
      rows.total(wanted),
      rows.lines(wanted, linesMax + 1),
      rows.removedUntil(),
    ]);
    return {
      ...{ account, month, from: iso(span.from), until: iso(span.until) },
      ...total,
      lines: lines.slice(0, linesMax),
      more: lines.length > linesMax,
      removedUntil: removed !== null && removed >= span.from ? iso(removed) : null,
      below,
    };
  }
}

/** `[from, until)` of a month in UTC; undefined where it is not written as 2026-11. */
export function monthOf(month: string): { readonly from: Instant; readonly until: Instant } | undefined {
  const match = /^(20\d\d)-(0[1-9]|1[0-2])$/.exec(month);
  if (!match) return undefined;
  const [year, index] = [Number(match[1]), Number(match[2]) - 1];
  return { from: instant(Date.UTC(year, index)), until: instant(Date.UTC(year, index + 1)) };
}
