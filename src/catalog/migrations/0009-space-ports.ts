/** A Space's own port, where Spaces are told apart by ports: given once, kept for its life. */
import type { Migration } from "./index.ts";

export const spacePorts: Migration = {
  number: 9,
  name: "space-ports",
  statements: [`ALTER TABLE spaces ADD COLUMN port INTEGER`, `CREATE UNIQUE INDEX spacesByPort ON spaces (port)`],
};
