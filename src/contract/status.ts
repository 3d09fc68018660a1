/** What `GET /api/status` answers: the platform now. */
import type { IncidentView } from "./incidents.ts";
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
  /** Null for who is not signed in. */
  readonly isolation: Isolation | null;
  readonly journalIndex: number;
  readonly spaces: number;
  readonly builds: BuildsStatus;
  /** Null: the edge speaks no TLS. */
  readonly tls: TlsStatus | null;
  /** Workers of an edge in processes of its own; null: the server carries the requests itself, or nobody is signed in. */
  readonly edge?: readonly EdgeWorkerView[] | null;
  /** When this was so, RFC 3339. */
  readonly asOf?: string;
  /** No server answers: an edge tells what it was told last. */
  readonly isLastKnown?: boolean;
  /** Works are counted since then: what ended before is in no sum. */
  readonly countedSince?: string;
  readonly boundaries?: readonly BoundaryView[];
  /** Those that go on, the newest first, then those of the last day; 20 at most. */
  readonly incidents?: readonly IncidentView[];
  /** Up to when all that each source wrote is in the record; for who is signed in. */
  readonly evidence?: readonly EvidenceView[];
}

/** How one boundary does. */
export interface BoundaryView {
  /** As `route`. */
  readonly boundary: string;
  /** `unknown`: the record is behind, whatever its last numbers were. */
  readonly state: "ok" | "slow" | "failing" | "unknown";
  /** Since when it is in this state. */
  readonly since: string;
  readonly says: string;
  /** Up to when all is in the record that this rests on; null: of one of its sources nothing is known yet. */
  readonly completeTo: string | null;
  /** Sources that are behind, by name; for who is signed in. */
  readonly behind: readonly string[];
  readonly hour: SumsView;
  readonly day: SumsView;
}

/** Works that ended in a span of time at one boundary. */
export interface SumsView {
  readonly from: string;
  /** All that passed here and have ended. */
  readonly works: number;
  /** Of these, those that stopped here. */
  readonly failed: number;
  /** Whose that was: `platform`, `app`, `visitor`, `outside`. */
  readonly failedBy: Readonly<Record<string, number>>;
  /** By code; an app's own answers of 5xx are under `app/answered-5xx`. */
  readonly codes: Readonly<Record<string, number>>;
  /** Null where nothing waits here. Times are at most so long: the bound of the bucket that the wait is in, a fifth more at most. */
  readonly waits: {
    readonly count: number;
    readonly p50Ms: number | null;
    readonly p95Ms: number | null;
    readonly p99Ms: number | null;
  } | null;
}

export interface EvidenceView {
  readonly kind: "edge" | "server" | "node" | "journal";
  readonly name: string;
  readonly completeTo: string | null;
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
