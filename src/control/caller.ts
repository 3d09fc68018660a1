/** The one who asks the API. */
import type { TierName } from "../core/model.ts";
import type { Scope } from "../identity/token-resolver.ts";

/** Who calls, as the token says; a request without one is nobody. */
export interface Caller {
  readonly account: string;
  readonly tier: TierName;
  /** An administrator's account, by a token that may administrate. */
  readonly admin: boolean;
  /** The token's id, `t_…`. */
  readonly token: string;
  /** What its token may be used for. */
  readonly scopes: readonly Scope[];
}
