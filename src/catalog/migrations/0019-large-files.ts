/** Large files as the Xet protocol sees them: xorbs and who may use them, files and their terms, what git-lfs' files are by Xet; limits of storage. */
import type { Migration } from "./index.ts";

export const largeFiles: Migration = {
  number: 19,
  name: "large files",
  statements: [
    `CREATE TABLE xorbs (hash TEXT PRIMARY KEY, packedBytes INTEGER NOT NULL, bytes INTEGER NOT NULL, storedAt INTEGER NOT NULL) STRICT`,
    `CREATE TABLE xorbHolders (
      xorb TEXT NOT NULL REFERENCES xorbs (hash), holder TEXT NOT NULL, owner TEXT NOT NULL, at INTEGER NOT NULL,
      PRIMARY KEY (xorb, holder)
    ) STRICT`,
    `CREATE INDEX xorbHoldersByOwner ON xorbHolders (owner)`,
    `CREATE TABLE xetFiles (
      hash TEXT PRIMARY KEY, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, terms TEXT NOT NULL, storedAt INTEGER NOT NULL
    ) STRICT`,
    `CREATE INDEX xetFilesByDigest ON xetFiles (sha256)`,
    `CREATE TABLE xetFileXorbs (
      xorb TEXT NOT NULL REFERENCES xorbs (hash), file TEXT NOT NULL REFERENCES xetFiles (hash),
      PRIMARY KEY (xorb, file)
    ) STRICT`,
    `CREATE INDEX xetFileXorbsByFile ON xetFileXorbs (file)`,
    `CREATE TABLE xetChunks (chunk TEXT NOT NULL, xorb TEXT NOT NULL REFERENCES xorbs (hash), PRIMARY KEY (chunk, xorb)) STRICT`,
    `CREATE INDEX xetChunksByXorb ON xetChunks (xorb)`,
    `CREATE TABLE lfsConversions (sha256 TEXT PRIMARY KEY, hash TEXT NOT NULL, bytes INTEGER NOT NULL, xorbs TEXT NOT NULL, madeAt INTEGER NOT NULL) STRICT`,
    `CREATE INDEX lfsConversionsByHash ON lfsConversions (hash)`,
    `CREATE TABLE storageLimits (account TEXT PRIMARY KEY REFERENCES accounts (name), maxBytes INTEGER NOT NULL, setAt INTEGER NOT NULL) STRICT`,
  ],
};
