/** Tokens that are for some Spaces only: JSON, null for one that is for all that its account may. */
import type { Migration } from "./index.ts";

export const tokenSpaces: Migration = {
  number: 13,
  name: "token-spaces",
  statements: [`ALTER TABLE tokens ADD COLUMN spaces TEXT`],
};
