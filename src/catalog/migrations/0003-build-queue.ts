/** What the queue of builds needs to go on after a restart, and each transition of a build as a row. */
import type { Migration } from "./index.ts";

export const buildQueue: Migration = {
  number: 3,
  name: "build-queue",
  statements: [
    `ALTER TABLE builds ADD COLUMN account TEXT`,
    `ALTER TABLE builds ADD COLUMN since INTEGER`,
    `ALTER TABLE builds ADD COLUMN deadline INTEGER`,
    `ALTER TABLE builds ADD COLUMN builder TEXT`,
    `ALTER TABLE builds ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE builds ADD COLUMN priority INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE builds ADD COLUMN actor TEXT`,
    `ALTER TABLE builds ADD COLUMN replacedBy TEXT`,
    `ALTER TABLE builds ADD COLUMN retryOf TEXT`,
    `ALTER TABLE builds ADD COLUMN machine TEXT`,
    `CREATE INDEX buildsEnded ON builds (endedAt) WHERE endedAt IS NOT NULL`,
    `CREATE TABLE buildEvents (
      build TEXT NOT NULL,
      n INTEGER NOT NULL,
      at INTEGER NOT NULL,
      event TEXT NOT NULL,
      stage TEXT NOT NULL,
      actor TEXT NOT NULL,
      fence INTEGER NOT NULL,
      code TEXT,
      says TEXT NOT NULL,
      deadline INTEGER,
      PRIMARY KEY (build, n)
    ) STRICT`,
  ],
};
