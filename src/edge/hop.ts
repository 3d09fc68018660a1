/** Decides where a request goes next. All branching about Spaces is here; sending is elsewhere. Pure. */
import type { Code } from "../evidence/codes.ts";
import type { Replica, SpaceRoute } from "./ports.ts";

export type Hop =
  /** To one of these, of which there is one at least. */
  | { readonly kind: "forward"; readonly route: SpaceRoute; readonly replicas: readonly Replica[] }
  /** It is asleep: woken once it is known who asks. */
  | { readonly kind: "wake"; readonly route: SpaceRoute }
  | {
      readonly kind: "refuse";
      readonly code: Code;
      readonly says: string | undefined;
      readonly route: SpaceRoute;
      readonly retryAfterMs: number | undefined;
    };

/** Where a request for this Space goes. */
export function hopTo(route: SpaceRoute): Hop {
  const { state } = route;
  if (state.kind === "asleep") return { kind: "wake", route };
  if (state.kind === "down")
    return { ...refuse(state.code, route), says: state.says, retryAfterMs: state.retryAfterMs };
  if (state.replicas.length === 0) return refuse("route/not-running", route);
  return { kind: "forward", route, replicas: state.replicas };
}

function refuse(code: Code, route: SpaceRoute): Hop & { kind: "refuse" } {
  return { kind: "refuse", code, says: undefined, route, retryAfterMs: undefined };
}
