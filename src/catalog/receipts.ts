/**
 * Receipts by their place in the log, and what is kept of its tree: tiles, and the checkpoints that were signed. The places are given with
 * the calls' rows; the tree follows them, as far behind as whoever grows it lets it be.
 */
import type { Receipt } from "../evidence/receipt.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";

export interface ReceiptAtLeaf {
  readonly leaf: number;
  readonly receipt: Receipt;
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

  /** Leaves that the tree has. */
  async size(): Promise<number> {
    return (await this.#db.selectFrom("receiptTree").select("size").executeTakeFirstOrThrow()).size;
  }

  /** The receipts that come next in the tree, of which it has `size`, in their order. */
  async next(size: number, limit: number): Promise<readonly Receipt[]> {
    const rows = await this.#db
      .selectFrom("calls")
      .select(["leaf", "document"])
      .where("leaf", ">=", size)
      .orderBy("leaf")
      .limit(limit)
      .execute();
    return rows.flatMap((row) => atLeaf(row)?.receipt ?? []);
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
}

function atLeaf({ leaf, document }: { leaf: number | null; document: string | null }): ReceiptAtLeaf | undefined {
  return leaf === null || document === null ? undefined : { leaf, receipt: JSON.parse(document) as Receipt };
}
