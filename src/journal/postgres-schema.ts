/** The journal's tables in PostgreSQL, and the statements that run on them. Each is one transaction and one round trip. */
import { postgresFormats } from "./formats.ts";
import { rolledUpKey } from "./rolled-up.ts";

/** Two numbers that no other program is likely to lock in the same database: "wayb", and the journal. */
export const lockKey = [0x77617962, 1] as const;

/** Held shared by each transaction on other rows than the journal's, and whole by the one that begins an epoch. */
export const rowsLockKey = [0x77617962, 2] as const;

export const channel = "waybill_journal";

/**
 * `journal_head` has one row: the last record that was acknowledged, and the epoch of the writer that may append. It is
 * updated by each commit; half-empty pages keep those updates within a page, out of its index.
 */
export const createTables = `
  CREATE SCHEMA IF NOT EXISTS waybill;
  CREATE TABLE waybill.journal_head (one boolean PRIMARY KEY DEFAULT true CHECK (one), format text NOT NULL,
    epoch bigint NOT NULL, idx bigint NOT NULL, at bigint NOT NULL, hash bytea NOT NULL) WITH (fillfactor = 50);
  CREATE TABLE waybill.journal (idx bigint PRIMARY KEY, at bigint NOT NULL, epoch bigint NOT NULL, hash bytea NOT NULL,
    body bytea NOT NULL);
  CREATE TABLE waybill.journal_works (work text NOT NULL, idx bigint NOT NULL, PRIMARY KEY (work, idx));
  CREATE TABLE waybill.journal_snapshots (idx bigint PRIMARY KEY, state_hash text NOT NULL, digest text NOT NULL,
    body text NOT NULL);
  INSERT INTO waybill.journal_head (format, epoch, idx, at, hash)
    VALUES ('${postgresFormats.whole}', 0, 0, 0, decode(repeat('00', 32), 'hex'));
`;

/** Ends the epoch of whoever wrote before: its commit that is on its way is waited for, and its next one finds no row. */
export const beginEpoch = `
  UPDATE waybill.journal_head SET epoch = epoch + 1 WHERE format IN ('${postgresFormats.whole}', '${postgresFormats.compacted}') RETURNING epoch, idx, at, hash
`;

/**
 * Appends a group while `$1` is the epoch and `$2` the head; otherwise changes nothing and gives no row (L29). `$6` has
 * the hashes side by side, `$7` the bodies, which begin at `$9` (from 1) and are `$10` bytes long.
 */
export const append = `
  WITH fence AS (
    UPDATE waybill.journal_head SET idx = $3::bigint, at = $4::bigint, hash = $5::bytea
    WHERE epoch = $1::bigint AND idx = $2::bigint RETURNING idx
  ), records AS (
    INSERT INTO waybill.journal (idx, at, epoch, hash, body)
    SELECT $2::bigint + r.n, r.at, $1::bigint, substring($6::bytea FROM (r.n::int - 1) * 32 + 1 FOR 32),
      substring($7::bytea FROM r.start FOR r.length)
    FROM fence, unnest($8::bigint[], $9::int[], $10::int[]) WITH ORDINALITY AS r(at, start, length, n)
  ), works AS (
    INSERT INTO waybill.journal_works (work, idx)
    SELECT w.work, w.idx FROM fence, unnest($11::text[], $12::bigint[]) AS w(work, idx) ON CONFLICT DO NOTHING
  )
  SELECT pg_notify('${channel}', idx::text) FROM fence
`;

/** The row of the epoch stays locked until the commit, so that nobody takes over in between. */
export const saveSnapshot = `
  WITH fence AS (SELECT 1 FROM waybill.journal_head WHERE epoch = $1::bigint FOR SHARE)
  INSERT INTO waybill.journal_snapshots (idx, state_hash, digest, body)
  SELECT $2::bigint, $3::text, $4::text, $5::text FROM fence
  ON CONFLICT (idx) DO UPDATE SET state_hash = EXCLUDED.state_hash, digest = EXCLUDED.digest, body = EXCLUDED.body
  RETURNING idx
`;

export const dropSnapshots = `
  WITH fence AS (SELECT 1 FROM waybill.journal_head WHERE epoch = $1::bigint FOR SHARE)
  DELETE FROM waybill.journal_snapshots WHERE EXISTS (SELECT 1 FROM fence)
    AND idx <> $3::bigint AND idx NOT IN (SELECT idx FROM waybill.journal_snapshots ORDER BY idx DESC LIMIT $2::int)
`;

/** Made by the first compaction. */
export const createMeta = "CREATE TABLE IF NOT EXISTS waybill.journal_meta (key text PRIMARY KEY, value text NOT NULL)";

export const hasMeta = "SELECT to_regclass('waybill.journal_meta') IS NOT NULL AS has";

export const rolledUp = `SELECT value FROM waybill.journal_meta WHERE key = '${rolledUpKey}'`;

/** Gives the hash and time of the last record that goes, while `$1` is the epoch; nobody takes over before the commit. */
export const holdEpoch = `
  SELECT j.at, j.hash FROM waybill.journal_head h JOIN waybill.journal j ON j.idx = $2::bigint
  WHERE h.epoch = $1::bigint FOR UPDATE OF h
`;

/** In turn, within the transaction of {@link holdEpoch}; `$1` is the last record that goes. */
export const removeUpTo: readonly string[] = [
  "DELETE FROM waybill.journal WHERE idx <= $1::bigint",
  "DELETE FROM waybill.journal_works WHERE idx <= $1::bigint",
  "DELETE FROM waybill.journal_snapshots WHERE idx <= $1::bigint",
];

export const setRolledUp = `
  INSERT INTO waybill.journal_meta (key, value) VALUES ('${rolledUpKey}', $1::text)
  ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value
`;

export const setCompacted = `UPDATE waybill.journal_head SET format = '${postgresFormats.compacted}'`;

/** Of an empty journal: its first record will follow `$1`, of time `$2` and with the hash `$3`. */
export const beginAfter = "UPDATE waybill.journal_head SET idx = $1::bigint, at = $2::bigint, hash = $3::bytea";

export const insertSnapshot = `
  INSERT INTO waybill.journal_snapshots (idx, state_hash, digest, body) VALUES ($1::bigint, $2::text, $3::text, $4::text)
`;

export const latestSnapshot = `
  SELECT idx, state_hash, digest, body FROM waybill.journal_snapshots WHERE idx < $1::bigint ORDER BY idx DESC LIMIT 1
`;

export const snapshotAt = `
  SELECT idx, state_hash, digest, body FROM waybill.journal_snapshots WHERE idx = $1::bigint
`;

export const read = `SELECT idx, at, hash, body FROM waybill.journal WHERE idx >= $1::bigint ORDER BY idx LIMIT $2::int`;

export const readWork = `
  SELECT j.idx, j.at, j.hash, j.body FROM waybill.journal_works w JOIN waybill.journal j ON j.idx = w.idx
  WHERE w.work = $1::text ORDER BY w.idx LIMIT $2::int
`;
