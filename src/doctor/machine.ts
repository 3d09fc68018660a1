/** What `waybill doctor` looks at. Whoever touches the machine gives these facts; what they mean is said in `checks.ts`. */

export interface MachineFacts {
  /** What is wrong with the settings, in sentences. */
  readonly settings: { readonly problems: readonly string[] };
  readonly node: { readonly version: string };
  readonly data: {
    readonly path: string;
    /** `absent`: neither it nor a folder that it could be made in. */
    readonly state: "writable" | "read-only" | "to-be-made" | "absent";
    /** Whether users beside its owner may read in it. */
    readonly isOpen: boolean;
  };
  readonly disk: {
    readonly path: string;
    /** Of its file system. */
    readonly kind: string;
    readonly is: "local" | "network" | "memory" | "overlay" | "unknown";
    /** Of one fdatasync behind 4 KiB, in microseconds: the middle one. */
    readonly syncUs: number;
  };
  readonly space: {
    readonly freeBytes: number;
    readonly reserveBytes: number;
    /** Null where the file system has no fixed number. */
    readonly inodes: { readonly free: number; readonly all: number } | null;
  };
  /** Null of an address: the name does not resolve. */
  readonly resolver: {
    readonly domain: string;
    readonly name: string;
    readonly addresses: readonly string[] | null;
    /** Spaces are told apart by ports, and need no names. */
    readonly byPorts: boolean;
    /** Whether a program can listen at 127.x.y.z. */
    readonly numeric: boolean;
  };
  readonly port: { readonly address: string; readonly port: number; readonly state: "free" | "ours" | "taken" };
  readonly sandbox: {
    readonly wanted: string;
    /** That works; null: none. */
    readonly driver: string | null;
    readonly isRoot: boolean;
    readonly noVolumes: string | null;
    readonly problems: readonly string[];
    /** What probes found in a sandbox of this node's; null: they have not run. */
    readonly probes: { readonly open: readonly string[] } | { readonly failed: string } | null;
  };
  /** Of the kernel; null: this kernel has no such switch. */
  readonly userNamespaces: {
    readonly isRoot: boolean;
    readonly unprivileged: boolean | null;
    readonly most: number | null;
    readonly apparmorRestricts: boolean | null;
  };
  readonly cgroups: {
    readonly isRoot: boolean;
    readonly memory: string | null;
    readonly processes: string | null;
    readonly processor: string | null;
    readonly kill: boolean;
  };
  readonly clock: {
    /** Null: nothing here tells. */
    readonly synchronised: boolean | null;
    /** By how much the wall's clock went otherwise than the monotonic one while it was looked at. */
    readonly stepMs: number;
  };
  readonly gpus: {
    readonly command: string;
    readonly absent: boolean;
    readonly says: string;
    readonly cards: readonly { readonly name: string; readonly driver: string }[];
  };
  /** Null of a version: it is not here. */
  readonly git: { readonly version: string | null };
  readonly containers: { readonly engine: string | null };
  readonly journal: {
    readonly place: string;
    readonly state: "new" | "whole" | "in-use" | "damaged" | "unreachable";
    /** What is wrong, or its version. */
    readonly says: string;
    /** Records past the last acknowledged one that the next start cuts off. */
    readonly tornFrom: number | null;
  };
  readonly keys: {
    readonly file: string;
    readonly state: "new" | "whole" | "damaged" | "missing";
    /** Permission bits; null where there is none. */
    readonly mode: number | null;
    /** Of receipts and of visitors' tokens, in the catalog; those that are there and cannot be read. */
    readonly damaged: readonly string[];
  };
  readonly certificates: readonly {
    readonly of: string;
    readonly names: readonly string[];
    /** Milliseconds from now; null where it cannot be used. */
    readonly leftMs: number | null;
    readonly wrong: string | null;
    /** Renewed by the platform itself. */
    readonly renewed: boolean;
    /** Names that visitors will ask for, and that none of it is for. */
    readonly uncovered: readonly string[];
  }[];
  readonly server: {
    readonly url: string;
    readonly state: "answers" | "refuses" | "away";
    /** The server's; null where it does not say. */
    readonly version: string | null;
    readonly says: string;
    /** Its clock less ours, where it said its time. */
    readonly aheadMs: number | null;
  };
  readonly versions: {
    readonly own: string;
    readonly others: readonly { readonly who: string; readonly version: string }[];
  };
}

/** Null: it does not concern this installation. A look that fails rejects; its row says so. */
export type Machine = { readonly [Name in keyof MachineFacts]: () => Promise<MachineFacts[Name] | null> };
