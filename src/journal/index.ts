/** The journal, for the parts that use it. */
export * from "./failures.ts";
export { genesisHash } from "./port.ts";
export type { Head, Journal, JournalCounters, Snapshot, Verification } from "./port.ts";
export { MemoryJournal, MemoryStore } from "./memory.ts";
export { openSqliteJournal } from "./sqlite.ts";
export type { SqliteJournal, SqliteJournalOptions } from "./sqlite.ts";
