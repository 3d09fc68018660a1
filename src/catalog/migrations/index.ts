/** The catalog's shape over time: each step in a file of its own, applied in order when the catalog opens. */
import type { SqlRunner } from "../../stdx/sql.ts";
import { CatalogError } from "../error.ts";
import { first } from "./0001-first.ts";
import { spaceSettings } from "./0002-space-settings.ts";
import { buildQueue } from "./0003-build-queue.ts";
import { spaceEnvironment } from "./0004-space-environment.ts";
import { spaceEvents } from "./0005-space-events.ts";
import { whatIsKept } from "./0006-what-is-kept.ts";
import { requestKeys } from "./0007-request-keys.ts";

export interface Migration {
  /** 1, 2, 3… without a hole. */
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  first,
  spaceSettings,
  buildQueue,
  spaceEnvironment,
  spaceEvents,
  whatIsKept,
  requestKeys,
];

/**
 * Brings the database to the last of `steps`; each step and its record are one commit. Throws a {@link CatalogError},
 * `catalog-too-new`, where another version of the program has already gone further: nothing is touched then.
 */
export async function migrate(sql: SqlRunner, now: number, steps: readonly Migration[] = migrations): Promise<void> {
  await sql.run(
    `CREATE TABLE IF NOT EXISTS catalogMigrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, appliedAt INTEGER NOT NULL) STRICT`,
  );
  const [row] = await sql.all(`SELECT coalesce(max(number), 0) AS number FROM catalogMigrations`);
  const reached = Number(row?.["number"]);
  const known = steps.at(-1)?.number ?? 0;
  if (reached > known) {
    throw new CatalogError(
      "catalog-too-new",
      `The data folder was written by a newer Waybill: its catalog is at step ${reached}, this program knows ${known}. Start the newer version.`,
    );
  }
  for (const step of steps) {
    if (step.number > reached) await apply(sql, step, now);
  }
}

async function apply(sql: SqlRunner, step: Migration, now: number): Promise<void> {
  await sql.transaction([
    ...step.statements.map((text) => ({ sql: text, params: [] })),
    {
      sql: `INSERT INTO catalogMigrations (number, name, appliedAt) VALUES (?, ?, ?)`,
      params: [step.number, step.name, now],
    },
  ]);
}
