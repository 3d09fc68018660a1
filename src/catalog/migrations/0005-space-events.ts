/** What happened to each Space, in order; rows are only ever added. `machine` is what the events lead to. */
import type { Migration } from "./index.ts";

export const spaceEvents: Migration = {
  number: 5,
  name: "space-events",
  statements: [
    `CREATE TABLE spaceEvents (
      space TEXT NOT NULL,
      seq INTEGER NOT NULL,
      at INTEGER NOT NULL,
      "from" TEXT NOT NULL,
      "to" TEXT NOT NULL,
      says TEXT NOT NULL,
      code TEXT,
      actor TEXT NOT NULL,
      account TEXT,
      deadline INTEGER,
      ends TEXT NOT NULL,
      change TEXT NOT NULL,
      PRIMARY KEY (space, seq)
    ) STRICT, WITHOUT ROWID`,
    {
      sqlite: [
        `CREATE TRIGGER spaceEventsAreKept BEFORE UPDATE ON spaceEvents BEGIN SELECT RAISE(ABORT, 'what happened is not changed'); END`,
      ],
      postgres: [
        `CREATE FUNCTION "spaceEventsAreKept"() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'what happened is not changed'; END $$`,
        `CREATE TRIGGER "spaceEventsAreKept" BEFORE UPDATE ON "spaceEvents"
          FOR EACH ROW EXECUTE FUNCTION "spaceEventsAreKept"()`,
      ],
    },
    `ALTER TABLE spaces ADD COLUMN machine TEXT`,
  ],
};
