/** Signing in to apps: each Space's client, the provider's codes and grants, its signing keys, and which tokens are an app's. */
import type { Migration } from "./index.ts";

export const appSignIn: Migration = {
  number: 15,
  name: "app-sign-in",
  statements: [
    `ALTER TABLE tokens ADD COLUMN app TEXT`,
    `CREATE TABLE appClients (
      space TEXT PRIMARY KEY, client TEXT NOT NULL UNIQUE, key TEXT NOT NULL, sealed TEXT NOT NULL, createdAt INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE appArtifacts (
      model TEXT NOT NULL, id TEXT NOT NULL, grantId TEXT, lookup TEXT, key TEXT NOT NULL, sealed TEXT NOT NULL,
      expiresAt INTEGER NOT NULL, consumedAt INTEGER, PRIMARY KEY (model, id)
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX appArtifactsByGrant ON appArtifacts (grantId)`,
    `CREATE INDEX appArtifactsByLookup ON appArtifacts (model, lookup)`,
    `CREATE INDEX appArtifactsByEnd ON appArtifacts (model, expiresAt)`,
    `CREATE TABLE appKeys (
      id TEXT PRIMARY KEY, alg TEXT NOT NULL, key TEXT NOT NULL, sealed TEXT NOT NULL, createdAt INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE INDEX tokensByApp ON tokens (account, app)`,
  ],
};
