/**
 * What is answered at a name that is nobody's. Who may not know of a private Space is answered the same there: so credentials are looked
 * at here too, and those that do not hold are refused for what they are.
 */
import type { TurnAway } from "./accepted.ts";
import type { EdgeContext } from "./context.ts";
import type { Credentials, IdentityRefusal, Visitor } from "./ports.ts";

export function turnAwayFromNowhere(
  { identity, onError }: Pick<EdgeContext, "identity" | "onError">,
  credentials: Credentials,
  turnAway: TurnAway,
): void {
  const answer = (visitor: Visitor | IdentityRefusal): void => {
    if ("refused" in visitor) turnAway(visitor.refused, { detail: visitor.detail });
    else turnAway("route/no-such-space", {});
  };
  const resolved = identity.resolve(credentials);
  if (!(resolved instanceof Promise)) return answer(resolved);
  resolved.then(answer).catch((error: unknown) => {
    onError(error);
    turnAway("route/control-down", { detail: "The platform could not carry this request." });
  });
}
