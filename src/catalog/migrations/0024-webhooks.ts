/**
 * Webhooks: addresses to which owners have told what happens, what is on its way to each of them, and the tries. A delivery's number is
 * the order in which it was decided.
 */
import type { Migration } from "./index.ts";

export const webhooks: Migration = {
  number: 24,
  name: "webhooks",
  statements: [
    `CREATE TABLE webhooks (
      id TEXT PRIMARY KEY, owner TEXT REFERENCES accounts (name), url TEXT NOT NULL,
      types TEXT NOT NULL, description TEXT,
      state TEXT NOT NULL, since INTEGER NOT NULL, says TEXT NOT NULL, failingSince INTEGER,
      key TEXT NOT NULL, sealed TEXT NOT NULL, formerKey TEXT, formerSealed TEXT, formerUntil INTEGER,
      createdAt INTEGER NOT NULL, createdBy TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE deliveries (
      number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL,
      type TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
      state TEXT NOT NULL, tries INTEGER NOT NULL, dueAt INTEGER, endedAt INTEGER, says TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX deliveriesByState ON deliveries (webhook, state, number)`,
    `CREATE INDEX deliveriesDue ON deliveries (webhook, dueAt, number) WHERE dueAt IS NOT NULL`,
    `CREATE TABLE deliveryAttempts (
      delivery TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, tookMs INTEGER NOT NULL,
      outcome TEXT NOT NULL, status INTEGER, says TEXT NOT NULL, answer TEXT,
      PRIMARY KEY (delivery, n)
    ) STRICT, WITHOUT ROWID`,
  ],
};
