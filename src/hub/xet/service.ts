/** What routes need of the store of large files. */
import type { Storage } from "../storage.ts";

export interface XetService {
  /** Signs tokens. */
  readonly key: Uint8Array;
  readonly instance: string;
  readonly storage: Storage;
  /** Makes the Space's repository where it has none. */
  makeRepository(space: string): Promise<unknown>;
}
