/** What was in force on a build, as JSON. */
import type { Migration } from "./index.ts";

export const buildLimits: Migration = {
  number: 20,
  name: "build-limits",
  statements: [`ALTER TABLE builds ADD COLUMN limits TEXT`],
};
