/** What the Hub's clients read of a Space: `huggingface_hub`'s `SpaceInfo` and `SpaceRuntime`, and `gradio_client` through them. Pure. */
import type { HubRuntime, HubSpace } from "../contract/hub.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import { iso } from "../stdx/time.ts";

export interface HubSpaceFacts {
  readonly row: SpaceRow;
  /** The newest commit that was built; null before the first. */
  readonly sha: string | null;
  /** Where the asking client reaches the app. */
  readonly host: string;
  readonly runtime: HubRuntime;
}

export function hubSpace({ row, sha, host, runtime }: HubSpaceFacts): HubSpace {
  return {
    author: row.owner,
    sha,
    private: row.settings.private,
    gated: false,
    disabled: false,
    host,
    subdomain: row.subdomain,
    createdAt: iso(row.createdAt),
    lastModified: iso(row.since),
    likes: 0,
    tags: [],
    runtime,
  };
}

export interface RuntimeFacts {
  readonly stage: HubRuntime["stage"];
  /** Replicas that answer, and how many are wanted. */
  readonly answering: number;
  readonly wanted: number;
  readonly hardware: string;
  readonly sleepAfterMs: number | null;
  readonly error: string | null;
}

export function hubRuntime({ stage, answering, wanted, hardware, sleepAfterMs, error }: RuntimeFacts): HubRuntime {
  return {
    stage,
    hardware: { current: answering > 0 ? hardware : null, requested: hardware },
    storage: null,
    gcTimeout: sleepAfterMs === null ? null : Math.round(sleepAfterMs / 1000),
    replicas: { current: answering, requested: wanted },
    ...(error === null ? {} : { errorMessage: error }),
  };
}
