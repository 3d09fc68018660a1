/** The app's environment: built from its spec and this file, never from the shim's own. */
import type { StoredPlan } from "../folder.ts";

export interface AppEnvironment {
  readonly port: number;
  /** Where it listens: anywhere in a network of its own, else where nobody outside of this machine comes. */
  readonly host: "0.0.0.0" | "127.0.0.1";
  readonly home: string;
  /** The file that stands in for /proc/self/cgroup. */
  readonly cgroupFile: string;
  /** Base URL of the replica's Device API; null where there is none. */
  readonly deviceApi: string | null;
  /** A folder on a disk, where a ZeroGPU app packs its tensors. */
  readonly offload: string;
  /** Folders of the PATH; the plan's where absent. */
  readonly path?: readonly string[];
  /** What only a sandbox sets, as where caches go. */
  readonly extra?: Readonly<Record<string, string>>;
}

/**
 * What an app sees. The Space's own variables win over ours where ours only inform (PATH, LANG, SPACE_TITLE …), and lose where
 * the platform depends on them: the port, the Device API, and the marker by which its processes are found.
 */
export function appEnvironment(plan: StoredPlan, our: AppEnvironment): Record<string, string> {
  const { spec, release } = plan;
  const slash = spec.space.indexOf("/");
  const device = our.deviceApi === null ? {} : { SPACES_ZERO_GPU: "1", SPACES_ZERO_DEVICE_API_URL: our.deviceApi };
  return {
    PATH: (our.path ?? plan.path).join(":"),
    HOME: our.home,
    LANG: "C.UTF-8",
    SYSTEM: "spaces",
    SPACE_ID: spec.space,
    SPACE_AUTHOR_NAME: spec.space.slice(0, slash),
    SPACE_REPO_NAME: spec.space.slice(slash + 1),
    SPACE_TITLE: release.title,
    GRADIO_ANALYTICS_ENABLED: "False",
    ...our.extra,
    ...release.env,
    ...spec.env,
    ...spec.secrets,
    PORT: String(our.port),
    STREAMLIT_SERVER_ADDRESS: our.host,
    STREAMLIT_SERVER_PORT: String(our.port),
    GRADIO_SERVER_NAME: our.host,
    GRADIO_SERVER_PORT: String(our.port),
    ...device,
    ZEROGPU_PROC_SELF_CGROUP_PATH: our.cgroupFile,
    ZEROGPU_OFFLOAD_DIR: our.offload,
    WAYBILL_REPLICA: spec.replica,
  };
}

/**
 * What `spaces` finds in that file, of which it sends the path as `cgroupPath`. It takes a line of either hierarchy, and
 * before 0.46 ends the app where there is none of the first.
 */
export const cgroupText = (replica: string): string => `0::/${replica}\n1:devices:/${replica}\n`;
