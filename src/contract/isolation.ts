/** How closed off the apps of a node are: what was measured on it, never what was configured. */

export interface Isolation {
  /**
   * `own-uid`: the whole recipe, each Space a user of its own, limits by cgroups. `shared-uid`: the whole recipe as the agent's
   * user, limits by rlimits and by looking. `none`: plain processes of the agent's user.
   */
  readonly level: "own-uid" | "shared-uid" | "none";
  readonly driver: "bubblewrap" | "none";
  readonly hostUid: "own" | "shared";
  /** SHA-256 of the seccomp filter that is loaded, in hexadecimal. */
  readonly seccomp: string | null;
  readonly memory: "cgroup1" | "cgroup2" | "polled" | "none";
  readonly processes: "cgroup1" | "cgroup2" | "rlimit" | "none";
  readonly cpu: "cgroup1" | "cgroup2" | "none";
  /** How all processes of one worker are ended for certain. */
  readonly ends: "cgroup-kill" | "tree";
  readonly disk: "tmpfs" | "none";
  /** `gateway+catchall`: what goes to a port without a listener leaves evidence too; it needs nftables. */
  readonly egress: "gateway+catchall" | "gateway" | "none";
  /** What a program inside tried; null until it was run once for this node and recipe. */
  readonly probes: ProbeCount | null;
  /** One sentence for people. */
  readonly says: string;
}

export interface ProbeCount {
  readonly total: number;
  /** What it could do; `expected` of them by design. */
  readonly open: number;
  readonly expected: number;
  /** Names of those that were open and should not be: none, or the node is not what it claims. */
  readonly unexpected: readonly string[];
  readonly at: string;
}

/** Plain processes of the agent's user; `says` is why. */
export function noIsolation(says: string): Isolation {
  return {
    level: "none",
    driver: "none",
    hostUid: "shared",
    seccomp: null,
    memory: "none",
    processes: "none",
    cpu: "none",
    ends: "tree",
    disk: "none",
    egress: "none",
    probes: null,
    says,
  };
}
