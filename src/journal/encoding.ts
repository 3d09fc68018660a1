/** Records as JSON, and the event versions that this version of Waybill can read. */
import type { Event } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import { EventVersionUnknown, JournalDamaged } from "./failures.ts";

/** The newest version of each event that is known here; every version from 1 on stays readable. */
export const knownVersions: Readonly<Record<Event["type"], number>> = {
  "writer-started": 1,
  "fences-raised": 1,
  "account-opened": 1,
  "tier-set": 1,
  "pool-set": 1,
  "allowance-given": 1,
  "allowance-revoked": 1,
  "budget-set": 1,
  "node-joined": 1,
  "node-heard": 1,
  "node-lost": 1,
  "cards-changed": 1,
  "drain-set": 1,
  "drain-due": 1,
  "card-pool-set": 1,
  "route-set": 1,
  "window-opened": 1,
  "window-reset": 1,
  "call-refused": 1,
  "call-admitted": 1,
  "call-queued": 1,
  "call-moved": 1,
  "call-stayed": 1,
  "call-granted": 1,
  "call-attached": 1,
  "visitor-left": 1,
  "call-voided": 1,
  "call-settled": 1,
  "slot-clearing": 1,
  "slot-warm": 1,
  "slot-free": 1,
  "calls-forgotten": 1,
};

const newest: ReadonlyMap<string, number> = new Map(Object.entries(knownVersions));

export function encodeRecord(record: LedgerRecord): string {
  return JSON.stringify(record);
}

/** Where a stored record came from, so that a bad one can be named. */
export interface Stored {
  readonly index: number;
  readonly file: string;
}

/** Reads a stored record. Throws `JournalDamaged` or `EventVersionUnknown`. */
export function decodeRecord(text: string, stored: Stored): LedgerRecord {
  const record = parse(text, stored);
  if (record.index !== stored.index || !Number.isSafeInteger(record.at) || !Array.isArray(record.events)) {
    throw new JournalDamaged({ ...stored, found: "its content is not a record of that index" });
  }
  for (const event of record.events) {
    const known = newest.get(event.type) ?? 0;
    if (!(event.v >= 1 && event.v <= known)) throw new EventVersionUnknown(stored.index, event.type, event.v);
  }
  return record;
}

function parse(text: string, stored: Stored): LedgerRecord {
  try {
    return JSON.parse(text) as LedgerRecord;
  } catch (cause) {
    throw new JournalDamaged({ ...stored, found: "its content is not JSON" }, { cause });
  }
}
