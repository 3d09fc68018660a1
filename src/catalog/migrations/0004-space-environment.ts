/** What owners give their Spaces beside the code: variables as they are, secrets encrypted, and who changed which of them when. */
import type { Migration } from "./index.ts";

export const spaceEnvironment: Migration = {
  number: 4,
  name: "space-environment",
  statements: [
    `CREATE TABLE spaceVariables (
      space TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, description TEXT, updatedAt INTEGER NOT NULL,
      PRIMARY KEY (space, name)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE spaceSecrets (
      space TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, sealed TEXT NOT NULL, description TEXT, updatedAt INTEGER NOT NULL,
      PRIMARY KEY (space, name)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE spaceEnvironmentChanges (
      id INTEGER PRIMARY KEY AUTOINCREMENT, space TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL,
      account TEXT NOT NULL, at INTEGER NOT NULL
    ) STRICT`,
    `CREATE INDEX spaceEnvironmentChangesBySpace ON spaceEnvironmentChanges (space, id)`,
  ],
};
