/** From what a call's hold was set aside, until its receipt says it: JSON, null where all of it was its own account's window. */
import type { Migration } from "./index.ts";

export const callFunding: Migration = {
  number: 8,
  name: "call-funding",
  statements: [`ALTER TABLE calls ADD COLUMN funding TEXT`],
};
