/** Keys by which a request is made once, however often it is sent; what was asked and answered is encrypted. */
import type { Migration } from "./index.ts";

export const requestKeys: Migration = {
  number: 7,
  name: "request-keys",
  statements: [
    `CREATE TABLE requestKeys (
      account TEXT NOT NULL, key TEXT NOT NULL, mark TEXT NOT NULL, at INTEGER NOT NULL, asked TEXT NOT NULL,
      made INTEGER NOT NULL, work TEXT, answer TEXT,
      PRIMARY KEY (account, key)
    ) STRICT, WITHOUT ROWID`,
    `CREATE UNIQUE INDEX requestKeysByMark ON requestKeys (mark)`,
    `CREATE INDEX requestKeysByAccount ON requestKeys (account, at)`,
    `CREATE INDEX requestKeysByAge ON requestKeys (at)`,
  ],
};
