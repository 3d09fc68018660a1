/** What owners set for their Spaces, as one JSON object: a setting that is not in it has its default. */
import type { Migration } from "./index.ts";

export const spaceSettings: Migration = {
  number: 2,
  name: "space-settings",
  statements: [`ALTER TABLE spaces ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'`],
};
