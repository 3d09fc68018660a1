/** The tables of the evidence store, its own SQLite file: nothing of the ledger's is in it, and it may be lost without losing money. */

export const evidenceSchemaVersion = 4;

/**
 * The index by work is in parts of 2^16 numbers: works' ids are random, and a part, unlike the whole, stays in memory while it grows.
 * Who looks for a work looks into each part.
 */
export const workPart = 16;

const namesTable = `
-- What many records name: Spaces, emitters with their epochs, shapes.
CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);`;
const packedTable = `
CREATE TABLE IF NOT EXISTS packed (
  n INTEGER PRIMARY KEY, source INTEGER NOT NULL, seq INTEGER NOT NULL, shape INTEGER, space INTEGER NOT NULL,
  at INTEGER NOT NULL, request INTEGER NOT NULL, failed INTEGER NOT NULL, work TEXT NOT NULL, body TEXT NOT NULL);`;

/** From the schema of that number to the next: what the tables of {@link evidenceSchema} cannot add by themselves. */
export const evidenceMigrations: Readonly<Record<number, string>> = {
  1: `
ALTER TABLE packed ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE packed ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
UPDATE packed SET space = '' WHERE space IS NULL;
UPDATE packed SET failed = 1 WHERE kind = 'request' AND body ->> '$.facts.status' >= 500;
DROP INDEX packed_requests;
DROP INDEX packed_by_time;
ALTER TABLE told_requests ADD COLUMN n INTEGER;
ALTER TABLE told_requests ADD COLUMN more TEXT NOT NULL DEFAULT '{}';
UPDATE told_requests SET n = 0 WHERE outcome IS NOT NULL;
CREATE TABLE request_logs (
  space TEXT PRIMARY KEY, records INTEGER NOT NULL, failed INTEGER NOT NULL, gone_n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO request_logs SELECT space, sum(failed = 0), sum(failed), 0
  FROM (SELECT space, failed FROM packed
        UNION ALL SELECT space, 1 FROM told_requests WHERE outcome IS NOT NULL AND space IS NOT NULL) GROUP BY space;`,
  // Works are counted from here on: the tables of counts begin empty.
  2: "",
  // Records of the first version have no number, and get one below those that have.
  3: `
ALTER TABLE packed RENAME TO packed_3;
DROP INDEX packed_by_work;
DROP INDEX IF EXISTS packed_of_space;
DROP INDEX IF EXISTS packed_in_order;
DROP INDEX IF EXISTS packed_by_age;
${namesTable}
${packedTable}
INSERT OR IGNORE INTO names (text) SELECT DISTINCT space FROM packed_3;
INSERT OR IGNORE INTO names (text) SELECT DISTINCT emitter || '/' || epoch FROM packed_3;
INSERT INTO packed SELECT old.n, source.id, old.seq, NULL, space.id, old.at, old.kind = 'request', old.failed, old.work, old.body
  FROM packed_3 old CROSS JOIN names source ON source.text = old.emitter || '/' || old.epoch CROSS JOIN names space ON space.text = old.space
  WHERE old.n > 0;
INSERT INTO packed SELECT -place, source.id, old.seq, NULL, space.id, old.at, old.kind = 'request', old.failed, old.work, old.body
  FROM (SELECT emitter, epoch, seq, row_number() OVER (ORDER BY at DESC) AS place FROM packed_3 WHERE n = 0)
  JOIN packed_3 old USING (emitter, epoch, seq)
  CROSS JOIN names source ON source.text = old.emitter || '/' || old.epoch CROSS JOIN names space ON space.text = old.space;
DROP TABLE packed_3;`,
};

export const evidenceSchema = `
CREATE TABLE IF NOT EXISTS entries (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  work TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_work ON entries (work);
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (at);

${namesTable}
${packedTable}
CREATE INDEX IF NOT EXISTS packed_by_work ON packed (n >> ${workPart}, work);
CREATE INDEX IF NOT EXISTS packed_of_space ON packed (space, at, failed);
CREATE INDEX IF NOT EXISTS packed_in_order ON packed (space, n) WHERE request = 1;
CREATE INDEX IF NOT EXISTS packed_by_age ON packed (failed, at);

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

-- How far the freshest record of an emitter was ahead of the store's clock when it came, in the newest ten minutes and in those before.
CREATE TABLE IF NOT EXISTS emitter_clocks (
  emitter TEXT PRIMARY KEY, "window" INTEGER NOT NULL, ahead_ms INTEGER NOT NULL, before_ms INTEGER) WITHOUT ROWID;

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
  outcome TEXT, code TEXT, account TEXT, n INTEGER, more TEXT NOT NULL DEFAULT '{}') WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS told_requests_by_space ON told_requests (space, at);
CREATE INDEX IF NOT EXISTS told_in_order ON told_requests (space, n);
CREATE INDEX IF NOT EXISTS told_by_time ON told_requests (at);

-- How many packed records of successes a Space has, how many requests that failed or are told by entries, and up to which number some are gone.
CREATE TABLE IF NOT EXISTS request_logs (
  space TEXT PRIMARY KEY, records INTEGER NOT NULL, failed INTEGER NOT NULL, gone_n INTEGER NOT NULL) WITHOUT ROWID;

-- What is left of requests that are no longer there one by one.
CREATE TABLE IF NOT EXISTS request_counts (
  space TEXT NOT NULL, minute INTEGER NOT NULL, method TEXT NOT NULL, route TEXT NOT NULL, status INTEGER NOT NULL,
  answered_by TEXT NOT NULL, count INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
  ms INTEGER NOT NULL, ms_max INTEGER NOT NULL,
  PRIMARY KEY (space, minute, method, route, status, answered_by)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS counted (
  id TEXT PRIMARY KEY, code TEXT NOT NULL, host TEXT NOT NULL, block TEXT NOT NULL, minute INTEGER NOT NULL,
  count INTEGER NOT NULL, samples TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counted_by_minute ON counted (minute);

-- Works that ended, by minute (older ones by hour and day); code '' where they went well. Never dropped, only folded.
CREATE TABLE IF NOT EXISTS work_counts (
  minute INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (minute, kind, code)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS work_waits (
  minute INTEGER NOT NULL, boundary TEXT NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (minute, boundary, bucket)) WITHOUT ROWID;
-- The newest works of each code, in a ring.
CREATE TABLE IF NOT EXISTS work_samples (
  code TEXT NOT NULL, slot INTEGER NOT NULL, n INTEGER NOT NULL, work TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (code, slot)) WITHOUT ROWID;
-- Works that several entries may end, and that are counted.
CREATE TABLE IF NOT EXISTS ended_works (work TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ended_by_time ON ended_works (at);

-- What was wrong with the platform, and what boundaries were like: body as it is told.
CREATE TABLE IF NOT EXISTS incidents (
  id TEXT PRIMARY KEY, subject TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incidents_by_time ON incidents (since);
CREATE INDEX IF NOT EXISTS incidents_open ON incidents (subject) WHERE until IS NULL;
CREATE TABLE IF NOT EXISTS boundary_states (boundary TEXT PRIMARY KEY, state TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;

-- What retention dropped, so that totals never lie.
CREATE TABLE IF NOT EXISTS dropped (
  day TEXT NOT NULL, what TEXT NOT NULL, space TEXT NOT NULL, count INTEGER NOT NULL, through INTEGER NOT NULL,
  PRIMARY KEY (day, what, space)) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('index', 0), ('schema', ${evidenceSchemaVersion}), ('counting-since', unixepoch() * 1000);
`;
