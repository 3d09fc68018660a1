/** The one who asks the API. */
import type { TierName } from "../core/model.ts";
import type { Right } from "../identity/roles.ts";
import type { FoundToken, Scope } from "../identity/token-resolver.ts";

/** Who calls, as the token says; a request without one is nobody. */
export interface Caller {
  readonly account: string;
  readonly tier: TierName;
  /** An administrator's account, by a token that may administrate. */
  readonly admin: boolean;
  readonly token: Pick<FoundToken["token"], "id" | "name" | "createdAt" | "expiresAt" | "spaces">;
  /** Whether it may do so to what `owner` owns, its own, its organisations' or as an operator; of one Space where that is named. */
  may(right: Right, of: { readonly owner: string; readonly space?: string }): boolean;
  /** Whether its token is for that: by its scopes, or by the Spaces that it names. */
  grants(scope: "read" | "write", space?: string): boolean;
  /** What its token may be used for. */
  readonly scopes: readonly Scope[];
}
