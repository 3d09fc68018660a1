/** What the evidence store and its worker thread say to each other. */
import type { CountedRow } from "./evidence-database.ts";
import type { Sent } from "./intake.ts";
import type { PassagesQuery } from "./evidence-passages.ts";
import type { SpanQuery } from "./evidence-span.ts";
import type { listCounts } from "./request-counts.ts";
import type { FollowQuery, RequestQuery } from "./request-log.ts";
import type { Retention } from "./retention.ts";
import type { StatusAsk } from "./status-store.ts";

export type StoreCall =
  | ({ readonly op: "ingest" } & Sent)
  | { readonly op: "read-work"; readonly work: string }
  | { readonly op: "work-of"; readonly emitter: string; readonly epoch: number; readonly seq: number }
  | { readonly op: "read-span"; readonly query: SpanQuery }
  | { readonly op: "read-passages"; readonly query: PassagesQuery }
  | { readonly op: "earlier-starts"; readonly builds: readonly string[] }
  | { readonly op: "list-requests"; readonly query: RequestQuery }
  | { readonly op: "follow-requests"; readonly query: FollowQuery }
  | { readonly op: "list-counts"; readonly query: Parameters<typeof listCounts>[1] }
  | { readonly op: "count"; readonly rows: readonly CountedRow[] }
  | { readonly op: "read-counted"; readonly id: string }
  | { readonly op: "retain"; readonly retention: Retention }
  | { readonly op: "status"; readonly ask: StatusAsk }
  | { readonly op: "totals" }
  | { readonly op: "close" };

export interface StoreRequest {
  readonly id: number;
  readonly call: StoreCall;
}

export type StoreAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: unknown };
