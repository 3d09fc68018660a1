/** The one who asks the API. */
import type { TierName } from "../core/model.ts";
import type { Right } from "../identity/roles.ts";
import type { Session } from "../identity/sessions.ts";
import type { FoundToken, Scope } from "../identity/token-resolver.ts";

/** Who calls, as the token or the session says; a request without either is nobody. */
export interface Caller {
  readonly account: string;
  readonly tier: TierName;
  /** An administrator's account, by a session or by a token that may administrate. */
  readonly admin: boolean;
  /** What it has shown. */
  readonly via: ByToken | BySession;
  /** Whether it may do so to what `owner` owns, its own, its organisations' or as an operator; of one Space where that is named. */
  may(right: Right, of: { readonly owner: string; readonly space?: string }): boolean;
  /** Whether its token is for that, by its scopes or by the Spaces that it names; a session is for all. */
  grants(scope: "read" | "write", space?: string): boolean;
  /** What its token may be used for. */
  readonly scopes: readonly Scope[];
}

type ByToken = { readonly kind: "token" } & Pick<
  FoundToken["token"],
  "id" | "name" | "createdAt" | "expiresAt" | "spaces" | "app"
>;
type BySession = { readonly kind: "session" } & Pick<Session, "id" | "createdAt" | "expiresAt">;
