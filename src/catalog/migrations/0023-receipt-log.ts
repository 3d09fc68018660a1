/**
 * The log of receipts: the place of each receipt in it, its tree as tiles, and the checkpoints that were signed. Receipts that are
 * there get their places in the order that new ones have: of the records that ended their calls, and within one by the call's id.
 */
import type { Migration } from "./index.ts";

const places = (ended: string, paidBy: string, credits: string): readonly string[] => [
  `UPDATE calls SET leaf = placed.leaf, payer = placed.payer, "creditsMs" = placed.credits FROM (
    SELECT id AS call, row_number() OVER (ORDER BY ${ended}, id) - 1 AS leaf,
      coalesce(${paidBy}, account) AS payer, coalesce(${credits}, 0) AS credits
    FROM calls WHERE document IS NOT NULL
  ) AS placed WHERE calls.id = placed.call`,
  `UPDATE "callCursor" SET leaves = (SELECT count(*) FROM calls WHERE document IS NOT NULL)`,
];
const inSqlite = (name: string): string => `json_extract(document, '$.${name}')`;
const inPostgres = (name: string): string => `(document::json ->> '${name}')`;

export const receiptLog: Migration = {
  number: 23,
  name: "receipt-log",
  statements: [
    `ALTER TABLE calls ADD COLUMN leaf INTEGER`,
    `ALTER TABLE calls ADD COLUMN payer TEXT`,
    `ALTER TABLE calls ADD COLUMN creditsMs INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE callCursor ADD COLUMN leaves INTEGER NOT NULL DEFAULT 0`,
    {
      sqlite: places(inSqlite("journalIndex"), inSqlite("paidBy"), inSqlite("creditsMs")),
      postgres: places(
        `${inPostgres("journalIndex")}::bigint`,
        inPostgres("paidBy"),
        `${inPostgres("creditsMs")}::bigint`,
      ),
    },
    `CREATE UNIQUE INDEX callsByLeaf ON calls (leaf) WHERE leaf IS NOT NULL`,
    `CREATE INDEX callsByPayer ON calls (payer, endedAt, id) WHERE payer IS NOT NULL`,
    `CREATE TABLE receiptTree (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, removedUntil INTEGER) STRICT`,
    `INSERT INTO receiptTree (one, size, removedUntil) VALUES (1, 0, NULL)`,
    `CREATE TABLE receiptTiles (
      level INTEGER NOT NULL, tile INTEGER NOT NULL, hashes BLOB NOT NULL,
      PRIMARY KEY (level, tile)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE receiptCheckpoints (size INTEGER PRIMARY KEY, at INTEGER NOT NULL, note TEXT NOT NULL) STRICT`,
  ],
};
