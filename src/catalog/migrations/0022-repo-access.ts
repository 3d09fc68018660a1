/** Who has asked for the files of a gated repository, and what was decided; by the repository's folder, which is its for life. */
import type { Migration } from "./index.ts";

export const repoAccess: Migration = {
  number: 22,
  name: "repo-access",
  statements: [
    `CREATE TABLE repoAccess (
      folder TEXT NOT NULL, account TEXT NOT NULL REFERENCES accounts (name),
      id TEXT NOT NULL UNIQUE,
      status TEXT NOT NULL, askedAt INTEGER NOT NULL, fields TEXT,
      decidedAt INTEGER, decidedBy TEXT, reason TEXT,
      PRIMARY KEY (folder, account)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX repoAccessByStatus ON repoAccess (folder, status, askedAt, account)`,
  ],
};
