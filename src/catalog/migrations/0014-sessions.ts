/** Sessions of people at the console: who is signed in, since when and how, under the hash of what the cookie holds. */
import type { Migration } from "./index.ts";

export const sessions: Migration = {
  number: 14,
  name: "sessions",
  statements: [
    `CREATE TABLE sessions (
      id TEXT PRIMARY KEY,
      account TEXT NOT NULL REFERENCES accounts (name),
      hash TEXT NOT NULL UNIQUE, how TEXT NOT NULL,
      createdAt INTEGER NOT NULL, usedAt INTEGER NOT NULL, expiresAt INTEGER NOT NULL, endedAt INTEGER,
      address TEXT, agent TEXT
    ) STRICT`,
    `CREATE INDEX sessionsByAccount ON sessions (account, createdAt)`,
  ],
};
