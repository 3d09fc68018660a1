/** A release whose folder was removed, and a build whose log was, keep a short row that says so. */
import type { Migration } from "./index.ts";

export const whatIsKept: Migration = {
  number: 6,
  name: "what-is-kept",
  statements: [`ALTER TABLE releases ADD COLUMN removedAt INTEGER`, `ALTER TABLE builds ADD COLUMN trimmedAt INTEGER`],
};
