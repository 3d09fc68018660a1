/** Organisations: accounts that own Spaces and have members, who act for them. */
import type { Migration } from "./index.ts";

export const organisations: Migration = {
  number: 12,
  name: "organisations",
  statements: [
    `ALTER TABLE accounts ADD COLUMN kind TEXT NOT NULL DEFAULT 'person'`,
    `ALTER TABLE spaces ADD COLUMN createdBy TEXT`,
    `CREATE TABLE members (
      organisation TEXT NOT NULL REFERENCES accounts (name),
      account TEXT NOT NULL REFERENCES accounts (name),
      role TEXT NOT NULL, since INTEGER NOT NULL, addedBy TEXT NOT NULL,
      PRIMARY KEY (organisation, account)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX membersByAccount ON members (account, organisation)`,
  ],
};
