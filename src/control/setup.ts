/** What a replica is started with beside its release, and what of it was changed since. */
import type { NumberedChange } from "../catalog/environments.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { ReplicaSetup, ReplicaStatus } from "../contract/agent.ts";
import type { Outdated } from "../core/spaces/seen.ts";
import { changeSays } from "./environments.ts";
import { plainName } from "./hardware.ts";

/** `last`: the last change of the Space's variables and secrets. */
export function setupOf({ settings }: Pick<SpaceRow, "settings">, last: NumberedChange | undefined): ReplicaSetup {
  return { gpu: settings.hardware !== plainName, environment: last?.id ?? 0 };
}

/** Null where the replica has what one would have that is started now. */
export function outdatedBy(status: ReplicaStatus, row: SpaceRow, last: NumberedChange | undefined): Outdated | null {
  const { setup } = status;
  const now = setupOf(row, last);
  if (setup !== undefined && setup.gpu !== now.gpu)
    return { says: "its hardware was changed", actor: { kind: "owner", account: null } };
  // Of one that an earlier version started, its time alone tells.
  const isOld =
    setup === undefined ? last !== undefined && status.startedAt < last.at : setup.environment !== now.environment;
  if (!isOld) return null;
  if (last === undefined)
    return { says: "its variables and secrets were changed", actor: { kind: "owner", account: null } };
  const { account } = last;
  return { says: changeSays(last), actor: { kind: account === row.owner ? "owner" : "operator", account } };
}
