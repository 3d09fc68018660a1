/** Discussions and pull requests of repositories, what happened in them, and who brought large files for them. */
import type { Migration } from "./index.ts";

export const discussions: Migration = {
  number: 21,
  name: "discussions",
  statements: [
    `CREATE TABLE discussions (
      repo TEXT NOT NULL, num INTEGER NOT NULL, title TEXT NOT NULL, author TEXT NOT NULL, pull INTEGER NOT NULL, status TEXT NOT NULL,
      base TEXT, merged TEXT, pending TEXT, createdAt INTEGER NOT NULL,
      PRIMARY KEY (repo, num)
    ) STRICT`,
    `CREATE INDEX discussionsByAuthor ON discussions (author, status)`,
    `CREATE INDEX discussionsPending ON discussions (pending) WHERE pending IS NOT NULL`,
    `CREATE TABLE discussionEvents (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, repo TEXT NOT NULL, num INTEGER NOT NULL, kind TEXT NOT NULL,
      author TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT`,
    `CREATE INDEX discussionEventsOf ON discussionEvents (repo, num, seq)`,
    `CREATE TABLE proposers (account TEXT NOT NULL, repo TEXT NOT NULL, PRIMARY KEY (account, repo)) STRICT`,
    `CREATE INDEX proposersByRepo ON proposers (repo)`,
  ],
};
