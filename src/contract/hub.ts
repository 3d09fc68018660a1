/** What the Hub's clients read, in its own form. */

/** Of a Space, beside our own `SpaceView`: `GET /api/spaces/O/N` has both. */
export interface HubSpace {
  readonly author: string;
  readonly sha: string | null;
  readonly private: boolean;
  readonly gated: false;
  readonly disabled: false;
  /** The app's address as the asking client can reach it: a name for callers from inside, a number for all others. */
  readonly host: string;
  readonly subdomain: string;
  readonly createdAt: string;
  readonly lastModified: string;
  readonly likes: number;
  readonly tags: readonly string[];
  readonly runtime: HubRuntime;
}

/** Of `POST /api/repos/create`, in the Hub's form. */
export interface CreatedRepo {
  readonly url: string;
  /** `owner/name`, both. */
  readonly name: string;
  readonly id: string;
}

/** `huggingface_hub`'s `SpaceRuntime`. */
export interface HubRuntime {
  readonly stage:
    | "NO_APP_FILE"
    | "CONFIG_ERROR"
    | "BUILDING"
    | "BUILD_ERROR"
    | "APP_STARTING"
    | "RUNNING"
    | "RUNNING_BUILDING"
    | "RUNNING_APP_STARTING"
    | "RUNTIME_ERROR"
    | "SLEEPING"
    | "STOPPED"
    | "PAUSED";
  /** `current`: null while nothing of it runs. */
  readonly hardware: { readonly current: string | null; readonly requested: string | null };
  readonly storage: null;
  /** Seconds without a request after which it goes to sleep; null: never. */
  readonly gcTimeout: number | null;
  readonly replicas: { readonly current: number; readonly requested: number };
  readonly errorMessage?: string;
}
