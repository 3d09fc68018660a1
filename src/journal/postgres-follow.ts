/** Reading a journal in PostgreSQL while another process writes it: each record once, in order, soon after its commit. */
import type { LedgerRecord } from "../core/record.ts";
import { checkChain } from "./check.ts";
import { decodeRecord } from "./encoding.ts";
import { JournalDamaged } from "./failures.ts";
import type { Mark } from "./mark.ts";
import { Connection } from "./postgres-connection.ts";
import { readRows } from "./postgres-open.ts";
import { channel } from "./postgres-schema.ts";

export interface FollowOptions {
  readonly url: string;
  /** The last record that is known, with its hash; index 0 and 64 zeros for all. */
  readonly after: Mark;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** Where no notification came through, so late at most. */
const pollEveryMs = 1_000;

const rowsAtOnce = 1_000;

/**
 * The records after one, as they become durable, until the signal is aborted; the journal is there. Throws `DatabaseUnfit`,
 * `JournalDamaged` where a record does not follow from the one before, or the session's error when it is lost.
 */
export async function* followPostgresJournal(options: FollowOptions): AsyncGenerator<readonly LedgerRecord[]> {
  const bell = new Bell();
  options.signal.addEventListener("abort", () => bell.ring(), { once: true });
  await using connection = await Connection.open(options.url, () => bell.ring());
  await connection.listen(channel, () => bell.ring());
  let last = options.after;
  while (!options.signal.aborted) {
    const rows = await readRows(connection, last.index + 1, rowsAtOnce);
    const chain = checkChain(rows, last);
    if (chain.bad !== null) throw new JournalDamaged({ file: connection.place, ...chain.bad });
    last = chain.last;
    if (rows.length === 0) await bell.rung(pollEveryMs);
    else
      yield rows.map(({ idx, body }) =>
        decodeRecord(Buffer.from(body).toString(), { index: idx, file: connection.place }),
      );
  }
}

/** Remembers a ring until somebody waits for it. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async rung(withinMs: number): Promise<void> {
    if (!this.#rung) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, withinMs);
      await promise;
      clearTimeout(timer);
    }
    this.#rung = false;
    this.#wake = undefined;
  }
}
