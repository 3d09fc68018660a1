/** Names of people's own domains that lead to Spaces: each claim with what proved it, and who changed which of them when. */
import type { Migration } from "./index.ts";

export const domains: Migration = {
  number: 11,
  name: "domains",
  statements: [
    `CREATE TABLE domains (
      name TEXT NOT NULL, space TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE, state TEXT NOT NULL,
      proof TEXT, addedAt INTEGER NOT NULL, addedBy TEXT NOT NULL, provedAt INTEGER, lookedAt INTEGER, missingSince INTEGER,
      PRIMARY KEY (name, space)
    ) STRICT, WITHOUT ROWID`,
    `CREATE UNIQUE INDEX domainsThatLead ON domains (name) WHERE state = 'leads'`,
    `CREATE TABLE domainChanges (
      id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, space TEXT NOT NULL, action TEXT NOT NULL,
      account TEXT, at INTEGER NOT NULL, says TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX domainChangesBySpace ON domainChanges (space, id)`,
  ],
};
