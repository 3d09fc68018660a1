/** Whether an evidence store is of a format that this program knows, looked at before anything of it is changed. */
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { evidenceMigrations, evidenceSchemaVersion } from "./evidence-schema.ts";

/** Another version of the program wrote it. Nothing was changed. */
export class EvidenceFormatUnknown extends Error {
  override readonly name = "EvidenceFormatUnknown";
  readonly code = "evidence-format-unknown";

  constructor(path: string, found: unknown) {
    super(
      `the evidence store ${path} has the schema ${JSON.stringify(found)}, and this version of Waybill knows ${evidenceSchemaVersion}. ` +
        `Start the version that wrote it, or a later one; or move the file away: the ledger is whole without it, and explain knows nothing from before.`,
    );
  }
}

/** Throws {@link EvidenceFormatUnknown}; a file that is not there, or has nothing in it, is taken. */
export function checkEvidenceFormat(path: string): void {
  if (!existsSync(path)) return;
  using db = new DatabaseSync(path, { readOnly: true });
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) return;
  const found = db.prepare("SELECT value FROM meta WHERE name = 'schema'").get()?.["value"];
  if (typeof found !== "number" || (found !== evidenceSchemaVersion && evidenceMigrations[found] === undefined))
    throw new EvidenceFormatUnknown(path, found ?? null);
}
