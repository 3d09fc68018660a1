/** Repositories of models and datasets; folders that are still to be removed; when a Space was deleted. */
import type { Migration } from "./index.ts";

export const repos: Migration = {
  number: 18,
  name: "repos",
  statements: [
    `CREATE TABLE repos (
      kind TEXT NOT NULL, owner TEXT NOT NULL REFERENCES accounts (name), name TEXT NOT NULL,
      folder TEXT NOT NULL UNIQUE,
      private INTEGER NOT NULL, gated TEXT NOT NULL,
      createdAt INTEGER NOT NULL, createdBy TEXT NOT NULL,
      changedAt INTEGER NOT NULL, changedBy TEXT NOT NULL,
      PRIMARY KEY (kind, owner, name)
    ) STRICT`,
    // Names that differ by case alone are one on many disks, and to most people.
    `CREATE UNIQUE INDEX reposByName ON repos (kind, owner, lower(name))`,
    `CREATE TABLE repoRemovals (folder TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT`,
    `ALTER TABLE spaces ADD COLUMN deletedAt INTEGER`,
  ],
};
