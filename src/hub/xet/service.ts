/** What routes need of the store of large files. */
import type { HubJobRequest, HubJobView } from "../../contract/hub-storage.ts";
import type { LfsStore } from "../lfs-store.ts";
import type { Storage } from "../storage.ts";

export interface XetService {
  /** Signs tokens. */
  readonly key: Uint8Array;
  readonly instance: string;
  readonly storage: Storage;
  readonly lfs: Pick<LfsStore, "take">;
  readonly jobs: {
    /** Undefined while another one is done. */
    begin(asked: HubJobRequest): HubJobView | undefined;
    view(id: string): HubJobView | undefined;
  };
}
