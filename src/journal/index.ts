/** The journal, for the parts that use it. */
export * from "./failures.ts";
export { genesisHash } from "./port.ts";
export type { Compactable, Head, Journal, JournalCounters, RolledUp, Snapshot, Verification } from "./port.ts";
export { databaseName, markName } from "./database.ts";
export { lockFolder } from "./lock.ts";
export { MemoryJournal, MemoryStore } from "./memory.ts";
export { openSqliteJournal, SqliteJournal } from "./sqlite.ts";
export type { SqliteJournalOptions } from "./sqlite.ts";
export { JournalAtRest } from "./at-rest.ts";
export type { Walked } from "./at-rest.ts";
