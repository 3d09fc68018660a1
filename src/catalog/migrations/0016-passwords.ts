/** Passwords by which people sign in at the console: what argon2id makes of them. */
import type { Migration } from "./index.ts";

export const passwords: Migration = {
  number: 16,
  name: "passwords",
  statements: [
    `CREATE TABLE passwords (
      account TEXT PRIMARY KEY REFERENCES accounts (name), hash TEXT NOT NULL, changedAt INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
};
