/** What a probing program is told of the machine around its sandbox: where there would be something to find. And what it answers. */

export interface Facts {
  readonly host: HostFacts;
  /** The prober's own replica, as the host has it. */
  readonly own: ReplicaFacts;
  readonly neighbour: ReplicaFacts;
  /** Host paths that are bound into the sandbox at their own path. */
  readonly bound: readonly string[];
  /** Names of `/dev` that it may have beyond the usual ones. */
  readonly devices: readonly string[];
  readonly limits: {
    readonly memoryBytes: number;
    readonly processes: number;
    readonly openFiles: number;
    readonly tmpBytes: number;
    readonly shmBytes: number;
    readonly homeBytes: number;
  };
  /** Sizes of the file systems that it can write on a disk; null where those are not its own, and nothing would refuse it. */
  readonly disk: { readonly dataBytes: number; readonly layerBytes: number } | null;
}

export interface HostFacts {
  readonly agent: { readonly pid: number; readonly start: string };
  /** Files that everybody on the host may read, in its /tmp and its /dev/shm. */
  readonly files: readonly string[];
  /** The agent's own folder. */
  readonly folder: string;
  /** Where servers of the agent listen on each of `addresses`. */
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly addresses: readonly string[];
  /** The name of an abstract unix socket, without its leading zero. */
  readonly abstract: string;
  readonly socket: string;
  /** By kind, as `readlink /proc/self/ns/KIND` prints them. */
  readonly namespaces: Readonly<Record<string, string>>;
}

export interface ReplicaFacts {
  readonly replica: string;
  readonly folder: string;
  readonly releaseFolder: string;
  readonly sockets: string;
  readonly dataFolder: string;
  readonly shim: { readonly pid: number; readonly start: string };
}

/** One line of what a probing program writes. */
export interface Outcome {
  readonly probe: string;
  /** What it tries, as in "it could …". */
  readonly tries: string;
  /** Outcomes that mean that it could not. */
  readonly closed: readonly string[];
  readonly byDesign: boolean;
  /** An error's name, a word of the probe's own, or `open`. */
  readonly outcome: string;
}

/** In the Space's `/data`: the host writes the first, the prober the second. */
export const factsName = "facts.json";
export const outcomesName = "outcomes.jsonl";
/** What the neighbour leaves where it may, for the prober to look for. */
export const baitName = "waybill-probe-bait";
/** Where nobody has a listener: caught by nftables, or by nothing. */
export const unservedPort = 9;
