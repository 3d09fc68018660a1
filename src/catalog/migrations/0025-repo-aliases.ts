/** Names that models and datasets had before they were moved, by which they are found until the name is another's. `key` is in small letters. */
import type { Migration } from "./index.ts";

export const repoAliases: Migration = {
  number: 25,
  name: "repo-aliases",
  statements: [
    `CREATE TABLE repoAliases (
      key TEXT PRIMARY KEY, folder TEXT NOT NULL, at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX repoAliasesByFolder ON repoAliases (folder, at)`,
  ],
};
