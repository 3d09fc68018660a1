/** What the two sides of the writing thread say to each other. Messages are handled in the order in which they were sent. */
import type { SqlChange, SqlRow, SqlRule, SqlStatement, SqlValue } from "../stdx/sql.ts";
import { SqlRefused } from "../stdx/sql.ts";
import type { Row } from "./rows.ts";
import { BackupFailed, DataFolderBusy, JournalDamaged, JournalFormatUnknown, JournalStopped } from "./failures.ts";
import type { Damage } from "./failures.ts";
import type { Mark } from "./mark.ts";
import type { TextPack } from "./packing.ts";
import type { Compaction, Head, RolledUp, Snapshot } from "./port.ts";

export interface ThreadData {
  readonly folder: string;
}

/** A question and its answer, by name. */
export interface Asks {
  read: { ask: { readonly from: number; readonly limit: number }; answer: readonly Row[] };
  "read-work": { ask: { readonly work: string }; answer: readonly Row[] };
  "latest-snapshot": { ask: { readonly before: number | undefined }; answer: Snapshot | null };
  "save-snapshot": { ask: { readonly snapshot: Snapshot }; answer: null };
  "snapshot-at": { ask: { readonly index: number }; answer: Snapshot | null };
  "rolled-up": { ask: object; answer: RolledUp | null };
  compact: { ask: { readonly compaction: Compaction }; answer: string | null };
  /** Checks the next records after `after`; the answer's index is `after`'s when there are no more. */
  verify: { ask: { readonly after: Mark }; answer: Mark };
  "sql-all": { ask: { readonly sql: string; readonly params: readonly SqlValue[] }; answer: readonly SqlRow[] };
  "sql-run": { ask: { readonly sql: string; readonly params: readonly SqlValue[] }; answer: SqlChange };
  "sql-transaction": { ask: { readonly statements: readonly SqlStatement[] }; answer: readonly SqlChange[] };
  /** Copies all into an empty folder; the answer is the copy's last record. */
  backup: { ask: { readonly folder: string }; answer: Mark };
  close: { ask: object; answer: null };
}
export type AskName = keyof Asks;

export type ToThread =
  | { readonly kind: "append"; readonly pack: TextPack }
  | {
      [N in AskName]: { readonly kind: "ask"; readonly id: number; readonly name: N; readonly ask: Asks[N]["ask"] };
    }[AskName];

export type FromThread =
  | {
      readonly kind: "opened";
      readonly head: Head;
      readonly cutFrom: number | null;
      readonly passedOver: readonly number[];
    }
  | { readonly kind: "not-opened"; readonly failure: WireFailure }
  /** Up to `head`, with one more commit of so many bytes of records. */
  | { readonly kind: "durable"; readonly head: Head; readonly bytes: number }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly failure: WireFailure }
  | { readonly kind: "stopped"; readonly failure: WireFailure };

/** A failure that survives the way between threads, where classes do not. */
export type WireFailure =
  | { readonly kind: "busy"; readonly folder: string }
  | { readonly kind: "damaged"; readonly damage: Damage }
  | { readonly kind: "format"; readonly file: string; readonly format: unknown }
  | { readonly kind: "sql"; readonly message: string; readonly rule: SqlRule }
  | { readonly kind: "backup"; readonly folder: string; readonly says: string }
  | { readonly kind: "stopped"; readonly why: string };

export function toWire(error: unknown): WireFailure {
  if (error instanceof DataFolderBusy) return { kind: "busy", folder: error.folder };
  if (error instanceof JournalDamaged) return { kind: "damaged", damage: error.damage };
  if (error instanceof JournalFormatUnknown) return { kind: "format", file: error.file, format: error.format };
  if (error instanceof SqlRefused) return { kind: "sql", message: error.message, rule: error.rule };
  return { kind: "stopped", why: error instanceof Error ? error.message : String(error) };
}

export function fromWire(failure: WireFailure): Error {
  switch (failure.kind) {
    case "busy":
      return new DataFolderBusy(failure.folder);
    case "damaged":
      return new JournalDamaged(failure.damage);
    case "format":
      return new JournalFormatUnknown(failure.file, failure.format);
    case "sql":
      return new SqlRefused(failure.message, failure.rule);
    case "backup":
      return new BackupFailed(failure.folder, failure.says);
    case "stopped":
      return new JournalStopped(failure.why);
  }
}
