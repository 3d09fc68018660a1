/** The node's gateway: everything that an app or a build reaches goes through it, and it says what it decided. */

/** Who calls: the channel, a unix socket of the sandbox's own, says so. */
export interface GatewayCaller {
  /** `p_…` or `b_…`. */
  readonly id: string;
  readonly space: string;
  /** Where the gateway listens for it; removed by `close`. */
  readonly socket: string;
  /** The user who may connect; null: the gateway's own. */
  readonly uid: number | null;
  readonly profile: "app" | "build";
}

export interface Gateway extends AsyncDisposable {
  /** Serves a sandbox, also one that was found again after a restart of the agent. Rejects where the socket cannot be made. */
  open(caller: GatewayCaller): Promise<void>;
  /** Ends its connections and forgets its names. */
  close(id: string): Promise<void>;
}
