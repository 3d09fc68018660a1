/** Nodes, their cards, and what an operator takes out of use, as the API tells of them. */

/** What an operator says who takes a pool, a node or a card out of use. */
export interface DrainRequest {
  readonly reason: string;
  /** Calls that still run there then are ended, at no charge; absent: they finish. */
  readonly endAfterMs?: number | undefined;
}

export interface DrainView {
  /** What was taken out of use. */
  readonly of: "pool" | "node" | "card";
  readonly reason: string;
  readonly by: string;
  readonly since: string;
  /** When what still runs is ended; null: it finishes. */
  readonly endsAt: string | null;
  /** All of that in words. */
  readonly says: string;
}

export interface StrangerView {
  readonly pid: number;
  readonly program: string;
  readonly memoryMiB: number | null;
}

export interface CardView {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly simulated: boolean;
  /** The pool that it is in. */
  readonly pool: string;
  readonly slots: number;
  readonly leased: number;
  /** Neither leased nor held by an idle or ending worker. All of a drained card's: it may be worked on. */
  readonly free: number;
  readonly trouble: { readonly code: string; readonly says: string } | null;
  /** The widest drain that it is under. */
  readonly drain: DrainView | null;
  /** What is to be known of how its slots share it; null where there is nothing. */
  readonly warning: string | null;
  /** These are null where the card does not say, or its node is away. */
  readonly computeCapability: string | null;
  readonly driver: string | null;
  readonly memoryMiB: number | null;
  /** Whether its memory corrects errors. */
  readonly ecc: boolean | null;
  /** The card that this is an instance of (MIG). */
  readonly instanceOf: string | null;
  /**
   * What keeps a call to the share that its lease names. `mig`: the driver gives it memory and processors of its own;
   * `cooperative`: its worker uses what it was told, and a process of an app that is there without a lease is found by the agent's
   * looks and ended; null: no real card.
   */
  readonly enforcedBy: "mig" | "cooperative" | null;
  /** Why nobody sees which processes use it, so that none is ended there; null where they are seen. */
  readonly unseen: string | null;
  /** Processes on it that are of no app: other programs of the operator's, which are left alone. */
  readonly strangers: readonly StrangerView[];
}

export interface NodeView {
  readonly name: string;
  /** The pool of those of its cards that are put into no other. */
  readonly pool: string;
  readonly state: "up" | "lost";
  /** Of the whole node, or its pool. */
  readonly drain: DrainView | null;
  /** Calls that wait for one of its cards. */
  readonly waiting: number;
  readonly cards: readonly CardView[];
}

export interface NodesView {
  readonly nodes: readonly NodeView[];
}
