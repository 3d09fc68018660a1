/** The tables of the evidence store, its own SQLite file: nothing of the ledger's is in it, and it may be lost without losing money. */

export const evidenceSchemaVersion = 1;

export const evidenceSchema = `
CREATE TABLE IF NOT EXISTS entries (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  work TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_work ON entries (work);
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (at);

CREATE TABLE IF NOT EXISTS packed (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  work TEXT NOT NULL, kind TEXT NOT NULL, space TEXT, at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS packed_by_work ON packed (work);
CREATE INDEX IF NOT EXISTS packed_requests ON packed (space, at) WHERE kind = 'request';
CREATE INDEX IF NOT EXISTS packed_by_time ON packed (at);

CREATE TABLE IF NOT EXISTS watermarks (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  channel TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS watermarks_by_channel ON watermarks (channel);

CREATE TABLE IF NOT EXISTS epochs (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, last_seq INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (emitter, epoch)) WITHOUT ROWID;

-- The node that has first sent records of an emitter: nobody else's are taken.
CREATE TABLE IF NOT EXISTS emitter_nodes (emitter TEXT PRIMARY KEY, node TEXT NOT NULL) WITHOUT ROWID;

-- The numbers that were stored, as spans: what lies between them is missing. Retention deletes records, never spans.
CREATE TABLE IF NOT EXISTS spans (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (emitter, epoch, first)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS links (
  work TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (work, other)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_back ON links (other);

-- Requests that are told by entries, one row each, for the list of a Space's requests; packed ones are listed from their records.
CREATE TABLE IF NOT EXISTS told_requests (
  work TEXT PRIMARY KEY, space TEXT, at INTEGER, ended INTEGER, method TEXT, path TEXT, status INTEGER, answered_by TEXT,
  outcome TEXT, code TEXT, account TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS told_requests_by_space ON told_requests (space, at);

CREATE TABLE IF NOT EXISTS counted (
  id TEXT PRIMARY KEY, code TEXT NOT NULL, host TEXT NOT NULL, block TEXT NOT NULL, minute INTEGER NOT NULL,
  count INTEGER NOT NULL, samples TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counted_by_minute ON counted (minute);

-- What retention dropped, so that totals never lie.
CREATE TABLE IF NOT EXISTS dropped (
  day TEXT NOT NULL, what TEXT NOT NULL, space TEXT NOT NULL, count INTEGER NOT NULL, through INTEGER NOT NULL,
  PRIMARY KEY (day, what, space)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('index', 0), ('schema', ${evidenceSchemaVersion});
`;
