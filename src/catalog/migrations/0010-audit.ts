/** Who changed what through the API: a row from before the change on, which the change's own commit says to be done. */
import type { Migration } from "./index.ts";

export const audit: Migration = {
  number: 10,
  name: "audit",
  statements: [
    `CREATE TABLE audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL, account TEXT NOT NULL, token TEXT, session TEXT, address TEXT,
      action TEXT NOT NULL, target TEXT NOT NULL, owner TEXT, request TEXT NOT NULL,
      outcome TEXT NOT NULL, was TEXT, became TEXT
    ) STRICT`,
    `CREATE INDEX auditByAccount ON audit (account, id)`,
    `CREATE INDEX auditByOwner ON audit (owner, id)`,
    `CREATE INDEX auditByTarget ON audit (target, id)`,
  ],
};
