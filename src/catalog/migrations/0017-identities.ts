/** Who accounts are at other sign-in providers, by issuer and subject. */
import type { Migration } from "./index.ts";

export const identities: Migration = {
  number: 17,
  name: "identities",
  statements: [
    `CREATE TABLE identities (
      issuer TEXT NOT NULL, subject TEXT NOT NULL,
      account TEXT NOT NULL REFERENCES accounts (name),
      linkedAt INTEGER NOT NULL, linkedBy TEXT NOT NULL,
      PRIMARY KEY (issuer, subject)
    ) STRICT`,
    `CREATE INDEX identitiesByAccount ON identities (account)`,
  ],
};
