/** Which Spaces wait for their owner: those that went wrong and do not mend themselves. Pages draw them so, and the list of Spaces is asked for them. */
import type { SpaceView } from "./api.ts";

export function needsSomebody({
  state,
  build,
}: Pick<SpaceView, "state"> & { readonly build: Pick<NonNullable<SpaceView["build"]>, "outcome"> | null }): boolean {
  return state === "failing" || state === "crash-looping" || build?.outcome === "failed";
}
