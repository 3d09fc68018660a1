/** What was wrong with the platform, as `GET /api/incidents` tells of it. */

export interface IncidentView {
  /** `i_…` */
  readonly id: string;
  /** As `route`; `record`: the evidence and the journal themselves. */
  readonly boundary: string;
  readonly wrong: "failures" | "node-lost" | "card-trouble" | "drain" | "evidence-behind" | "journal";
  /** An operator took it out of use. */
  readonly planned: boolean;
  /** In a sentence; without names for who is not signed in. */
  readonly says: string;
  /** RFC 3339. */
  readonly since: string;
  /** Null: it goes on. */
  readonly until: string | null;
  /** `detection`, or `operator` where one closed it; null while it goes on. */
  readonly closedBy: string | null;
  /** Works that ended at the boundary meanwhile, and those that failed by the platform's fault; null where nothing is counted for it. */
  readonly counts: { readonly works: number; readonly failed: number } | null;
  /** What operators said beside it. */
  readonly notes: readonly { readonly at: string; readonly says: string; readonly by?: string }[];
  /** What it is of, as `node/n1`; for who is signed in. */
  readonly subject?: string;
  /** Works behind it, or its node, for `waybill explain`; for operators. */
  readonly behind?: readonly string[];
}

export interface NoteRequest {
  readonly says: string;
}
