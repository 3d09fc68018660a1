/** What operators see and order of the store of large files. */

export interface StorageUsage {
  readonly account: string;
  /** Of xorbs that it brought to its repositories. */
  readonly xetBytes: number;
  /** Of files that git-lfs brought to its repositories. */
  readonly lfsBytes: number;
  /** Null: no limit. */
  readonly maxBytes: number | null;
}

export interface StorageUsages {
  readonly accounts: readonly StorageUsage[];
  /** What an account may keep that was given no limit of its own. */
  readonly accountMaxBytes: number | null;
}

export interface SetStorage {
  /** Null: what all have. */
  readonly maxBytes: number | null;
}

export interface VerifiedFiles {
  readonly xorbs: number;
  readonly files: number;
  readonly bytes: number;
  /** What is wrong, each in a sentence; the first of them where there are many. */
  readonly problems: readonly string[];
}

export interface CollectedFiles {
  /** Files that no repository has any more. */
  readonly files: number;
  readonly xorbs: number;
  readonly bytes: number;
}

export type HubJobKind = "verify" | "gc";

export interface HubJobRequest {
  readonly kind: HubJobKind;
  /** With `gc`: only what nobody has brought or been told of for so long. */
  readonly olderThanSeconds?: number;
}

export interface HubJobView {
  readonly id: string;
  readonly kind: HubJobKind;
  /** Read so far. */
  readonly bytes: number;
  readonly ended: boolean;
  /** Undefined while it runs, and where it failed. */
  readonly verified?: VerifiedFiles;
  readonly collected?: CollectedFiles;
  /** Why it failed. */
  readonly failure?: string;
}
