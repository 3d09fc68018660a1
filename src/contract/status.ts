/** What `GET /api/status` answers: the platform now. */
import type { PoolView } from "./pools.ts";
import type { Isolation } from "./isolation.ts";

export interface StatusView {
  readonly version: string;
  readonly url: string;
  readonly node: string;
  readonly bootMs: number;
  readonly pools: readonly PoolView[];
  /** Processes on the nodes' cards that are of no app. */
  readonly strangers: number;
  readonly isolation: Isolation;
  readonly journalIndex: number;
  readonly spaces: number;
  readonly builds: BuildsStatus;
  /** Null: the edge speaks no TLS. */
  readonly tls: TlsStatus | null;
  /** Workers of an edge in processes of its own; null: the server carries the requests itself. */
  readonly edge?: readonly EdgeWorkerView[] | null;
}

export interface TlsStatus {
  readonly certificates: readonly {
    readonly names: readonly string[];
    /** The operator's own file, an ACME authority, or the platform's private one. */
    readonly from: "file" | "acme" | "authority";
    /** RFC 3339. */
    readonly notAfter: string;
  }[];
  /** What could not be got, a sentence each. */
  readonly problems: readonly string[];
}

export interface EdgeWorkerView {
  /** Its emitter. */
  readonly name: string;
  readonly epoch: number;
  readonly pid: number;
  /** Changes that its copy has not yet. */
  readonly behind: number;
  /** Since its last word; null: it has said nothing yet. */
  readonly heardMs: number | null;
}

/** Builds now, and how those of the last 24 hours ended. */
export interface BuildsStatus {
  readonly queued: number;
  readonly building: number;
  readonly day: {
    readonly ok: number;
    readonly failed: number;
    /** Of those that failed: whose the cause was. */
    readonly failedBy: Readonly<Record<string, number>>;
    /** Cancelled or superseded. */
    readonly dropped: number;
  };
}
