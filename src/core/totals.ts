/**
 * What a whole log sums up to (L38): the state that it gives, beside books that are kept from its events alone and share no
 * arithmetic with it. Memory stays at what the state holds, however long the log is.
 */
import { apply } from "./evolve.ts";
import { balanceOf, newAudit, take } from "./invariants.ts";
import type { LedgerRecord } from "./record.ts";
import { emptyState } from "./state.ts";
import type { State } from "./state.ts";

/** Sums over all accounts; GPU time in milliseconds times the size's factor. */
export interface Totals {
  readonly records: number;
  /** Calls that ended with a settlement, free of charge or not. */
  readonly settled: number;
  /** Calls that ended before they used a GPU. */
  readonly voided: number;
  /** All that was ever charged. */
  readonly chargedMs: number;
  readonly accounts: number;
  /** Of what was charged, that which counts in the accounts' running windows. */
  readonly usedMs: number;
  readonly heldMs: number;
}

/** An account whose balance by the log is not the ledger's (L1). */
export interface Difference {
  readonly account: string;
  readonly ledger: { readonly usedMs: number; readonly heldMs: number };
  readonly log: { readonly usedMs: number; readonly heldMs: number };
}

/** Replays records in their order, from the first on. */
export class Replay {
  readonly state: State = emptyState();
  readonly #audit = newAudit();
  #settled = 0;
  #voided = 0;
  #chargedMs = 0;

  take(record: LedgerRecord): void {
    apply(this.state, record);
    take(this.#audit, record);
    this.#audit.findings.length = 0; // Policies of the day are the simulator's business; here amounts are compared.
    for (const event of record.events) {
      if (event.type === "call-voided") this.#voided++;
      if (event.type === "calls-forgotten") for (const call of event.calls) this.#audit.holds.delete(call);
      if (event.type !== "call-settled") continue;
      this.#settled++;
      this.#chargedMs += event.chargedMs;
    }
  }

  /** Sums of the log's own books. */
  totals(): Totals {
    let [usedMs, heldMs] = [0, 0];
    for (const book of this.#audit.books.values()) {
      usedMs += book.usedMs;
      heldMs += book.heldMs;
    }
    const { size: accounts } = this.state.accounts;
    const calls = { settled: this.#settled, voided: this.#voided, chargedMs: this.#chargedMs };
    return { records: this.state.index, ...calls, accounts, usedMs, heldMs };
  }

  /** Accounts whose balance in the state is another than the log's. */
  differences(): readonly Difference[] {
    return [...this.state.accounts.values()].flatMap(({ id, usedMs, heldMs }) => {
      const log = balanceOf(this.#audit, id);
      if (log.usedMs === usedMs && log.heldMs === heldMs) return [];
      return [{ account: id, ledger: { usedMs, heldMs }, log: { usedMs: log.usedMs, heldMs: log.heldMs } }];
    });
  }
}
