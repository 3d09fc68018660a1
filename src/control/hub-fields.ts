/** What the Hub's clients read of a Space: `huggingface_hub`'s `SpaceInfo` and `SpaceRuntime`, and `gradio_client` through them. Pure. */
import type { HubRuntime, HubSpace, SpaceState } from "../contract/api.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { Code } from "../evidence/codes.ts";
import { iso } from "../stdx/time.ts";

export interface HubSpaceFacts {
  readonly row: SpaceRow;
  readonly state: SpaceState;
  readonly code: Code | null;
  /** The newest commit that was built; null before the first. */
  readonly sha: string | null;
  /** Where the asking client reaches the app. */
  readonly host: string;
}

export function hubSpace({ row, state, code, sha, host }: HubSpaceFacts): HubSpace {
  return {
    author: row.owner,
    sha,
    private: false,
    gated: false,
    disabled: false,
    host,
    subdomain: row.subdomain,
    createdAt: iso(row.createdAt),
    lastModified: iso(row.since),
    likes: 0,
    tags: [],
    runtime: hubRuntime(state, code),
  };
}

export function hubRuntime(state: SpaceState, code: Code | null): HubRuntime {
  return {
    stage: stageOf(state, code),
    hardware: { current: null, requested: null },
    storage: null,
    gcTimeout: null,
    replicas: { requested: 1 },
  };
}

function stageOf(state: SpaceState, code: Code | null): HubRuntime["stage"] {
  switch (state) {
    case "no-release":
      return "NO_APP_FILE";
    case "building":
      return "BUILDING";
    case "starting":
      return "APP_STARTING";
    case "running":
      return "RUNNING";
    case "stopped":
      return "STOPPED";
    case "failed":
      if (code === "build/config-invalid") return "CONFIG_ERROR";
      return code?.startsWith("build/") === true ? "BUILD_ERROR" : "RUNTIME_ERROR";
  }
}
