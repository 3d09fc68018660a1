/** Decides where a request goes next. All branching about Spaces is here; sending is elsewhere. Pure. */
import type { Code } from "../evidence/codes.ts";
import type { Replica, SpaceRoute } from "./ports.ts";

export type Hop =
  | { readonly kind: "forward"; readonly route: SpaceRoute; readonly replica: Replica }
  /** It is asleep: woken once it is known who asks. */
  | { readonly kind: "wake"; readonly route: SpaceRoute }
  | {
      readonly kind: "refuse";
      readonly code: Code;
      readonly says: string | undefined;
      readonly route: SpaceRoute;
      readonly retryAfterMs: number | undefined;
    };

/**
 * Where a request for this Space goes. `busy`: how busy a replica is, its connections in use; the least busy one is taken, the first of
 * equals.
 */
export function hopTo(route: SpaceRoute, busy: (replica: string) => number): Hop {
  const { state } = route;
  if (state.kind === "asleep") return { kind: "wake", route };
  if (state.kind === "down")
    return { ...refuse(state.code, route), says: state.says, retryAfterMs: state.retryAfterMs };
  const replica = leastBusy(state.replicas, busy);
  return replica === undefined ? refuse("route/not-running", route) : { kind: "forward", route, replica };
}

function refuse(code: Code, route: SpaceRoute): Hop & { kind: "refuse" } {
  return { kind: "refuse", code, says: undefined, route, retryAfterMs: undefined };
}

function leastBusy(replicas: readonly Replica[], busy: (replica: string) => number): Replica | undefined {
  let best = replicas[0];
  if (best === undefined || replicas.length === 1) return best;
  let least = busy(best.id);
  for (const replica of replicas.slice(1)) {
    const load = busy(replica.id);
    if (load < least) [best, least] = [replica, load];
  }
  return best;
}
