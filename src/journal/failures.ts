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
  /** The file in which it was found. */
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
        `Copy the data folder somewhere safe, then restore it from a backup; check the disk before using it again.`,
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

/** A commit or a sync failed (L27): what was on its way is not acknowledged, and this process must not write again. */
export class JournalStopped extends Error {
  override readonly name = "JournalStopped";
  readonly code = "journal-stopped";

  constructor(why: string, options?: ErrorOptions) {
    super(
      `the journal has stopped: ${why}. Nothing unacknowledged was kept. ` +
        `Look at the disk (space, errors in the kernel's log), then start again.`,
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
