/** What an edge's parent and its workers say to each other, beside what the parent passes on between them and the server. */
import type { FromEdge } from "../contract/edge.ts";
import type { ListenAddress, Shared, SharedSession } from "../edge/index.ts";
import type { ForEdge } from "./edge-copy.ts";

export type Place = ListenAddress | { readonly path: string };

export type ToWorker =
  | { readonly kind: "server"; readonly message: ForEdge }
  /** Since when no server is there, in milliseconds since 1970; null: it is. */
  | { readonly kind: "away"; readonly since: number | null }
  /** The listening socket comes beside it. */
  | { readonly kind: "socket"; readonly id: number; readonly failed?: string }
  /** What another worker tells the others, or that it has ended. */
  | { readonly kind: "shared"; readonly worker: string; readonly told: Shared | "ended" }
  /** Where visitors' sessions are, for a worker that begins. */
  | { readonly kind: "sessions"; readonly sessions: readonly SharedSession[] }
  | { readonly kind: "drain"; readonly withinMs: number };

export type FromWorker =
  | { readonly kind: "server"; readonly message: FromEdge }
  | { readonly kind: "socket"; readonly id: number; readonly place: Place }
  | { readonly kind: "shared"; readonly told: Shared }
  | { readonly kind: "ready"; readonly epoch: number }
  /** It was told to leave by whoever runs the machine: another is to take its place first. */
  | { readonly kind: "leaving" }
  | { readonly kind: "failed"; readonly says: string };
