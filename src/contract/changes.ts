/**
 * `GET /api/events`: what changed, for whoever shows it, as server-sent events. They say what to read again and hold no state, so hearing
 * of a change twice does nothing. `ledger` events bear their journal index as id: who comes back with the last one as `Last-Event-ID`, or
 * `?after=`, hears of all that came after it, also over a restart. What is no record of the ledger is told while it is heard.
 */

export type Change = Begun | LedgerChange | SpacesChange | BuildsChange;

/** The first of each connection. All that is no record of the ledger may have changed before; where `all`, that too. */
export interface Begun {
  readonly type: "begun";
  readonly index: number;
  readonly all: boolean;
}

/** Records of the ledger, up to and with `index`. */
export interface LedgerChange {
  readonly type: "ledger";
  readonly index: number;
  /** Calls of one's own and of Spaces that one may know all about; null: more than are listed. */
  readonly calls: readonly { readonly id: string; readonly space: string }[] | null;
  /** The queue, the slots or the pools are others. */
  readonly queue: boolean;
  /** One's own balances are others. */
  readonly quota: boolean;
}

/** Spaces that one may know of, by their ids; null: more than are listed. */
export interface SpacesChange {
  readonly type: "spaces";
  readonly spaces: readonly string[] | null;
}

/** Builds of Spaces that one may know all about. */
export interface BuildsChange {
  readonly type: "builds";
  readonly builds: readonly { readonly id: string; readonly space: string }[] | null;
}
