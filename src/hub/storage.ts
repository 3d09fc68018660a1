/**
 * How much accounts keep in their repositories, and what they may: a file that does not fit is refused before its bytes flow. What is on
 * its way counts, so that of two who come together the second is told.
 */
import { statfs } from "node:fs/promises";
import type { StorageUsages } from "../contract/hub-storage.ts";
import type { LargeFiles as Rows } from "../catalog/large-files.ts";
import type { Clock } from "../stdx/time.ts";

export interface StorageLimits {
  /** Of an account to which nothing else was given; null: as much as there is room for. */
  readonly accountMaxBytes: number | null;
  /** What stays free on the disk, for the journal and all else that must be written. */
  readonly freeMinBytes: number;
}

export interface StorageOptions {
  readonly rows: Pick<Rows, "usage" | "usageOf" | "limit" | "limits">;
  /** Where large files lie. */
  readonly folder: string;
  readonly clock: Pick<Clock, "monotonic">;
  readonly limits: StorageLimits;
  /** Who has repositories. */
  lfsOwners(): Promise<readonly string[]>;
  /** Bytes of the owner's files that git-lfs brought. */
  lfsBytesOf(owner: string): Promise<number>;
}

export type Admitted =
  | ({ readonly ok: true } & Disposable)
  | { readonly ok: false; readonly status: 413 | 507; readonly says: string };

/** How long a sum is good for. What comes meanwhile is added to it. */
const knownMs = 10_000;

export class Storage {
  readonly #options: StorageOptions;
  readonly #coming = new Map<string, number>();
  readonly #known = new Map<string, { readonly at: number; readonly bytes: Promise<number> }>();
  #awaited = 0;

  constructor(options: StorageOptions) {
    this.#options = options;
  }

  /** Room for so many bytes, held until it is disposed of; or why there is none. */
  async admit(owner: string, bytes: number): Promise<Admitted> {
    // Of two who come at once the second counts the first.
    this.#change(owner, bytes);
    try {
      const refused = await this.refuse(owner, 0, bytes);
      if (refused) {
        this.#change(owner, -bytes);
        return refused;
      }
    } catch (error) {
      this.#change(owner, -bytes);
      throw error;
    }
    return {
      ok: true,
      [Symbol.dispose]: () => {
        this.#change(owner, -bytes);
        this.#known.delete(owner);
      },
    };
  }

  /** Why the owner may not bring so many bytes more; undefined where it may. `counted`: those of them that count as coming already. */
  async refuse(owner: string, more: number, counted = 0): Promise<Extract<Admitted, { ok: false }> | undefined> {
    const max = await this.limitOf(owner);
    const bytes = more + counted;
    if (max !== null) {
      const used = await this.#usedIfFull(owner, max - bytes - (this.#coming.get(owner) ?? 0) + counted);
      if (used !== undefined)
        return {
          ok: false,
          status: 413,
          says: `${owner} may keep ${max} bytes in its repositories and has ${used}; ${bytes} more do not fit. Delete a repository (removing its files frees nothing), or ask the operator for more.`,
        };
    }
    const { bavail, bsize } = await statfs(this.#options.folder);
    const room = bavail * bsize - this.#options.limits.freeMinBytes - this.#awaited + counted;
    return bytes > room ? { ok: false, status: 507, says: "The platform's disk is full." } : undefined;
  }

  /** Null: no limit. */
  async limitOf(owner: string): Promise<number | null> {
    return (await this.#options.rows.limit(owner)) ?? this.#options.limits.accountMaxBytes;
  }

  async usages(): Promise<StorageUsages> {
    const { rows, lfsOwners, lfsBytesOf, limits } = this.#options;
    const [xet, given, owners] = await Promise.all([rows.usage(), rows.limits(), lfsOwners()]);
    const accounts = [];
    for (const account of [...new Set([...xet.keys(), ...given.keys(), ...owners])].toSorted())
      accounts.push({
        account,
        xetBytes: xet.get(account) ?? 0,
        lfsBytes: await lfsBytesOf(account),
        maxBytes: given.get(account) ?? limits.accountMaxBytes,
      });
    return { accounts, accountMaxBytes: limits.accountMaxBytes };
  }

  async usedBy(owner: string): Promise<number> {
    const known = this.#known.get(owner);
    if (known !== undefined && this.#options.clock.monotonic() - known.at < knownMs) return known.bytes;
    const bytes = Promise.all([this.#options.rows.usageOf(owner), this.#options.lfsBytesOf(owner)]).then(
      ([xorbs, lfs]) => xorbs + lfs,
    );
    this.#known.set(owner, { at: this.#options.clock.monotonic(), bytes });
    bytes.catch(() => this.#known.delete(owner));
    return bytes;
  }

  /** Undefined where it has room beside `most`; looked at anew before it is said that it has none. */
  async #usedIfFull(owner: string, most: number): Promise<number | undefined> {
    if ((await this.usedBy(owner)) <= most) return undefined;
    this.#known.delete(owner);
    const used = await this.usedBy(owner);
    return used <= most ? undefined : used;
  }

  #change(owner: string, bytes: number): void {
    this.#awaited += bytes;
    const coming = (this.#coming.get(owner) ?? 0) + bytes;
    if (coming > 0) this.#coming.set(owner, coming);
    else this.#coming.delete(owner);
  }
}
