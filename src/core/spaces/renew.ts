/**
 * Replicas that lack what was changed since they started: hardware, variables, secrets. What runs is followed by a replica that has it, and
 * serves until that answers; what was given up on is tried anew, since the change may be what mends it.
 */
import { releaseOf } from "./model.ts";
import { starting, wanted } from "./draft.ts";
import type { Draft } from "./draft.ts";
import { finalEnds, livingOf } from "./seen.ts";
import type { ReplicaSeen, Seen } from "./seen.ts";

/** True where it decided what state the Space is in. */
export function renew(draft: Draft, seen: Seen): boolean {
  const release = releaseOf(draft.space);
  const own = ownOf(draft, seen);
  const living = own.filter(({ phase, retiring }) => phase !== "ended" && !retiring);
  const old = living.filter(({ outdated }) => outdated !== null);
  const why = old.at(-1)?.outdated;
  // One that starts is waited for, so that changes that follow each other need one more start. What its node tries again is as it was.
  const isAwaited = living.some(({ phase, follows }) => phase === "starting" && follows === null);
  const count = wanted(draft.space) - (living.length - old.length);
  if (release === null || !why || isAwaited || count <= 0 || neverAnswered(own)) return false;
  const reason = { says: `${why.says}: started again with it`, code: null };
  const serves = old.some(({ phase, frozen }) => phase === "ready" && !frozen);
  if (serves || draft.state.name === "waking") draft.note(why.actor, reason.says);
  else draft.move(starting(draft.now, why.actor, reason, seen.startWithinMs));
  draft.retire(
    old.filter(({ phase, frozen }) => phase === "starting" || frozen),
    reason.says,
  );
  draft.start(release, count);
  return !serves;
}

/** True where the Space was given up on, and is started again. */
export function tryAnew(draft: Draft, seen: Seen): boolean {
  const { state } = draft;
  const isApps = state.name === "crash-looping" || (state.name === "failing" && state.reason.code?.startsWith("app/"));
  const own = ownOf(draft, seen);
  const last = own.findLast(({ phase }) => phase === "ended");
  if (!isApps || !last?.outdated || livingOf(seen).length > 0) return false;
  const { says, actor } = last.outdated;
  draft.move(starting(draft.now, actor, { says: `${says}: tried anew with it`, code: null }, seen.startWithinMs));
  draft.start(last.release, wanted(draft.space));
  return true;
}

/** Of the release that a start is of; none where nothing can be started, or another release is on its way. */
function ownOf({ space }: Draft, seen: Seen): readonly ReplicaSeen[] {
  const release = releaseOf(space);
  const isFollowed = livingOf(seen).some((one) => one.release === space.next && one.release !== release);
  if (seen.node !== "here" || isFollowed) return [];
  return seen.replicas.filter((one) => one.release === release);
}

/** One with the change was tried, and given up on: what runs goes on. */
function neverAnswered(own: readonly ReplicaSeen[]): boolean {
  return own.some(
    ({ outdated, end, gaveUp }) =>
      outdated === null && (gaveUp || (end !== null && !end.stopped && finalEnds.includes(end.code))),
  );
}
