/**
 * Receipts by their place in the log, and what is kept of its tree: tiles, and the checkpoints that were signed. The places are given with
 * the calls' rows; the tree follows them, as far behind as whoever grows it lets it be.
 */
import { sql, type ExpressionBuilder } from "kysely";
import type { Receipt } from "../evidence/receipt.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import type { Schema } from "./schema.ts";

export interface ReceiptAtLeaf {
  readonly leaf: number;
  readonly receipt: Receipt;
}

/** Receipts that an account pays: of calls that ended in `[from, until)`, with places below `below`. */
export interface ReceiptsOf {
  readonly payer: string;
  readonly from?: Instant;
  readonly until?: Instant;
  readonly below?: number | undefined;
}

/** What receipts come to. GPU milliseconds times the size's factor, but for `usedMs`. */
export interface ReceiptSums {
  readonly calls: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  /** What of the charge credits paid. */
  readonly creditsMs: number;
}

export interface ReceiptLine extends ReceiptSums {
  readonly space: string;
  readonly pool: string;
  readonly size: string;
}

export interface StoredTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly at: Instant;
  readonly note: string;
}

export class Receipts {
  readonly #db: Database;
  readonly #sql: SqlRunner;

  constructor(db: Database, sql: SqlRunner) {
    this.#db = db;
    this.#sql = sql;
  }

  /** By the receipt's id (r_…) or its call's (c_…); undefined where there is none, or not yet. */
  async get(id: string): Promise<ReceiptAtLeaf | undefined> {
    const row = await this.#db
      .selectFrom("calls")
      .select(["leaf", "document"])
      .where(id.startsWith("r_") ? "receipt" : "id", "=", id)
      .executeTakeFirst();
    return row && atLeaf(row);
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list({
    before,
    limit,
    ...of
  }: ReceiptsOf & { readonly before: string | undefined; readonly limit: number }): Promise<Page<Receipt> | undefined> {
    const most = pageLimit(limit);
    let query = this.#of(of).select(["id", "endedAt", "document"]);
    if (before !== undefined) {
      const place = parsePageToken(before);
      if (!place) return undefined;
      query = query.where(sql<boolean>`("endedAt", id) < (${place.order}, ${place.id})`);
    }
    const rows = await query
      .orderBy("endedAt", "desc")
      .orderBy("id", "desc")
      .limit(most + 1)
      .execute();
    const place = ({ endedAt, id }: (typeof rows)[number]): { order: number; id: string } => ({
      order: endedAt ?? 0,
      id,
    });
    return pageOf(rows, most, place, ({ document }) => JSON.parse(document ?? "") as Receipt);
  }

  async total(of: ReceiptsOf): Promise<ReceiptSums> {
    return sumsOf(await this.#of(of).select(summed).executeTakeFirstOrThrow());
  }

  /** By Space, pool and size; the largest charges first. */
  async lines(of: ReceiptsOf, limit: number): Promise<readonly ReceiptLine[]> {
    const rows = await this.#of(of)
      .select(["space", "pool", "size"])
      .select(summed)
      .groupBy(["space", "pool", "size"])
      .orderBy(({ fn }) => fn.sum("chargedMs"), "desc")
      .orderBy("space")
      .orderBy("pool")
      .orderBy("size")
      .limit(limit)
      .execute();
    return rows.map(({ space, pool, size, ...row }) => ({ space, pool, size, ...sumsOf(row) }));
  }

  /** Receipts that have a place. */
  async leaves(): Promise<number> {
    return (await this.#db.selectFrom("callCursor").select("leaves").executeTakeFirstOrThrow()).leaves;
  }

  /** Leaves that the tree has. */
  async size(): Promise<number> {
    return (await this.#db.selectFrom("receiptTree").select("size").executeTakeFirstOrThrow()).size;
  }

  /** The receipts that come next in the tree, of which it has `size`, in their order. */
  async next(size: number, limit: number): Promise<readonly ReceiptAtLeaf[]> {
    const rows = await this.#db
      .selectFrom("calls")
      .select(["leaf", "document"])
      .where("leaf", ">=", size)
      .orderBy("leaf")
      .limit(limit)
      .execute();
    return rows.flatMap((row) => atLeaf(row) ?? []);
  }

  async tile(level: number, index: number): Promise<Uint8Array | undefined> {
    const row = await this.#db
      .selectFrom("receiptTiles")
      .select("hashes")
      .where("level", "=", level)
      .where("tile", "=", index)
      .executeTakeFirst();
    return row?.hashes;
  }

  /** What is new of the tree, and its size then: one commit. */
  async grow(size: number, tiles: readonly StoredTile[]): Promise<void> {
    const writes = tiles.map(({ level, index, hashes }) =>
      statement(
        this.#db
          .insertInto("receiptTiles")
          .values({ level, tile: index, hashes })
          .onConflict((conflict) => conflict.columns(["level", "tile"]).doUpdateSet({ hashes })),
      ),
    );
    await this.#sql.transaction([...writes, statement(this.#db.updateTable("receiptTree").set({ size }))]);
  }

  async lastCheckpoint(): Promise<StoredCheckpoint | undefined> {
    const row = await this.#db
      .selectFrom("receiptCheckpoints")
      .selectAll()
      .orderBy("size", "desc")
      .limit(1)
      .executeTakeFirst();
    return row && { ...row, at: row.at as Instant };
  }

  /** In the place of one of the same size, and of those between `after` and it. */
  async keepCheckpoint({ size, at, note }: StoredCheckpoint, after: Instant): Promise<void> {
    await this.#sql.transaction([
      statement(this.#db.deleteFrom("receiptCheckpoints").where("at", ">=", after)),
      statement(
        this.#db
          .insertInto("receiptCheckpoints")
          .values({ size, at, note })
          .onConflict((conflict) => conflict.column("size").doUpdateSet({ at, note })),
      ),
    ]);
  }

  /** Receipts of calls that had ended by then were removed by a compaction; null where none were. */
  async removedUntil(): Promise<Instant | null> {
    const { removedUntil } = await this.#db.selectFrom("receiptTree").select("removedUntil").executeTakeFirstOrThrow();
    return removedUntil as Instant | null;
  }

  #of({ payer, from, until, below }: ReceiptsOf) {
    let query = this.#db.selectFrom("calls").where("payer", "=", payer);
    if (from !== undefined) query = query.where("endedAt", ">=", from);
    if (until !== undefined) query = query.where("endedAt", "<", until);
    return below === undefined ? query : query.where("leaf", "<", below);
  }
}

const summed = ({ fn }: ExpressionBuilder<Schema, "calls">) =>
  [
    fn.countAll().as("calls"),
    fn.sum("usedMs").as("usedMs"),
    fn.sum("chargedMs").as("chargedMs"),
    fn.sum("creditsMs").as("creditsMs"),
  ] as const;

/** Sums come as each database has them: nothing where there are no rows, or a text. */
function sumsOf(row: Readonly<Record<keyof ReceiptSums, unknown>>): ReceiptSums {
  const { calls, usedMs, chargedMs, creditsMs } = row;
  return {
    calls: Number(calls),
    usedMs: Number(usedMs ?? 0),
    chargedMs: Number(chargedMs ?? 0),
    creditsMs: Number(creditsMs ?? 0),
  };
}

function atLeaf({ leaf, document }: { leaf: number | null; document: string | null }): ReceiptAtLeaf | undefined {
  return leaf === null || document === null ? undefined : { leaf, receipt: JSON.parse(document) as Receipt };
}
