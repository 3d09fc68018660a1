/** What can go wrong with a journal. Each says what was found, where, and what an operator does next. */

/** Another process has this data folder (L29). Nothing was read or changed. */
export class DataFolderBusy extends Error {
  override readonly name = "DataFolderBusy";
  readonly code = "data-folder-busy";
  readonly folder: string;

  constructor(folder: string) {
    super(
      `another process already works on the data folder ${folder}. ` +
        `Stop it first, or give this one a folder of its own; the lock ends with its process, so there is nothing to delete.`,
    );
    this.folder = folder;
  }
}

export interface Damage {
  /** The file, or the database, in which it was found. */
  readonly file: string;
  /** The first record that is missing or bad; null where the file as a whole can't be read. */
  readonly index: number | null;
  /** What is wrong, in words, without a full stop. */
  readonly found: string;
}

/** Records that were acknowledged are missing or changed (L26). Nothing was overwritten. */
export class JournalDamaged extends Error {
  override readonly name = "JournalDamaged";
  readonly code = "journal-damaged";
  readonly damage: Damage;

  constructor(damage: Damage, options?: ErrorOptions) {
    const where = damage.index === null ? damage.file : `record ${damage.index} in ${damage.file}`;
    super(
      `the journal is damaged: ${where}: ${damage.found}. Nothing was overwritten. ` +
        `Copy what is there somewhere safe, then restore it from a backup; check the disk before using it again.`,
      options,
    );
    this.damage = damage;
  }
}

/** A record was written by a version that this one does not know. Nothing is wrong with the data. */
export class EventVersionUnknown extends Error {
  override readonly name = "EventVersionUnknown";
  readonly code = "event-version-unknown";
  readonly index: number;

  constructor(index: number, type: string, version: unknown) {
    super(
      `record ${index} holds the event "${type}" in version ${JSON.stringify(version)}, which this version of Waybill does not know. ` +
        `Start the version that wrote it, or a later one.`,
    );
    this.index = index;
  }
}

/** The data folder's format is another than ours. */
export class JournalFormatUnknown extends Error {
  override readonly name = "JournalFormatUnknown";
  readonly code = "journal-format-unknown";
  readonly file: string;
  readonly format: unknown;

  constructor(file: string, format: unknown) {
    super(
      `${file} has the format ${JSON.stringify(format)}, which this version of Waybill does not know. ` +
        `Start the version that wrote it, or a later one.`,
    );
    this.file = file;
    this.format = format;
  }
}

/** Another process writes the journal in this database (L29). Nothing was changed. */
export class DatabaseBusy extends Error {
  override readonly name = "DatabaseBusy";
  readonly code = "database-busy";

  constructor(place: string) {
    super(
      `another process already writes the journal in ${place}. ` +
        `Stop it first, or give this one a database of its own; the lock ends with its connection, so there is nothing to delete.`,
    );
  }
}

/** The database that a journal was to be moved into is not empty. Nothing was changed. */
export class DatabaseFilled extends Error {
  override readonly name = "DatabaseFilled";
  readonly code = "database-filled";

  constructor(place: string, index: number) {
    super(
      `${place} is not empty: its schema waybill holds ${index > 0 ? `another journal, of ${index} records` : "tables"}. ` +
        `Name a new database, made with createdb.`,
    );
  }
}

/** The database can't be reached, or would not keep what it acknowledges. Nothing was changed. */
export class DatabaseUnfit extends Error {
  override readonly name = "DatabaseUnfit";
  readonly code = "database-unfit";

  /** `found`: what is wrong with it, and what to do, in words, without a full stop. */
  constructor(place: string, found: string, options?: ErrorOptions) {
    super(`${place} can't hold the journal: ${found}.`, options);
  }
}

/** Another writer took over while this one still ran (L29): the append that found it out changed nothing. */
export class JournalDeposed extends Error {
  override readonly name = "JournalDeposed";
  readonly code = "journal-deposed";

  constructor(place: string, epoch: number) {
    super(
      `another process has taken over the journal in ${place}: epoch ${epoch}, which this process wrote under, is over. ` +
        `Nothing unacknowledged was kept, and this process must end.`,
    );
  }
}

/** A copy could not be made. The journal itself goes on. */
export class BackupFailed extends Error {
  override readonly name = "BackupFailed";
  readonly code = "backup-failed";

  constructor(folder: string, why: string, options?: ErrorOptions) {
    super(`the backup in ${folder} was not made: ${why}.`, options);
  }
}

/** A commit or a sync failed (L27): what was on its way is not acknowledged, and this process must not write again. */
export class JournalStopped extends Error {
  override readonly name = "JournalStopped";
  readonly code = "journal-stopped";

  /** `next`: where an operator looks, where that is not the disk. */
  constructor(why: string, { next, ...options }: ErrorOptions & { readonly next?: string } = {}) {
    super(
      `the journal has stopped: ${why}. Nothing unacknowledged was kept. ` +
        `Look at ${next ?? "the disk (space, errors in the kernel's log)"}, then start again.`,
      options,
    );
  }
}

/** More records wait for the disk than the queue holds; the caller asked for too much at once. */
export class JournalBacklog extends Error {
  override readonly name = "JournalBacklog";
  readonly code = "journal-backlog";

  constructor(waiting: number) {
    super(`${waiting} records already wait for the disk; try again when some have been written`);
  }
}
