/** What is said of builds: the rows, the entries and the lines that an event of the queue becomes, and where one waits in a sentence. */
import type { BuildTransition } from "../catalog/builds.ts";
import type { BuildStage, BuildView, BuildWaitingView } from "../contract/api.ts";
import { isLeased } from "../core/builds/model.ts";
import type { Actor, Build, BuildEvent, BuildLimits } from "../core/builds/model.ts";
import { givesUpAt, placesOf } from "../core/builds/place.ts";
import type { Place } from "../core/builds/place.ts";
import type { Draft, Facts } from "../evidence/entry.ts";
import { clockTime, ordinal, spell } from "../evidence/words.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { Happened } from "./build-machine.ts";

/** `alice`, `the operator admin`, `builder n1`, `the platform`. */
export function actorSays({ kind, name }: Actor): string {
  if (kind === "platform") return "the platform";
  if (kind === "owner") return name ?? "its owner";
  return `${kind === "operator" ? "the operator" : "builder"} ${name ?? ""}`.trim();
}

/** The row of an event; undefined where it is no transition of a build. */
export function transitionOf(
  { event, before, after }: Happened,
  at: Instant,
  limits: BuildLimits,
): BuildTransition | undefined {
  if (!("build" in event) || event.type === "renewed") return undefined;
  const build = after.builds.get(event.build);
  const fence = (build ?? before.builds.get(event.build))?.attempts ?? 0;
  const stage: BuildStage = event.type === "ended" ? event.stage : (build?.stage ?? "queued");
  const deadline = build?.stage === "queued" ? givesUpAt(after, build, limits) : (build?.deadline ?? null);
  const { says, type } = event;
  const code = "code" in event ? event.code : null;
  const common = { stage, says, deadline, actor: actorSays(event.by), machine: build ? JSON.stringify(build) : null };
  const row = { build: event.build, at, event: type, stage, actor: common.actor, fence, code, says, deadline };
  const isMoved = before.builds.get(event.build)?.stage !== stage;
  const change = { ...common, ...(isMoved ? { since: at } : {}), attempts: fence };
  switch (event.type) {
    case "queued": {
      const { build: id, space, commit, account, queuedAt, retryOf } = event.terms;
      const created = { id, space, commit, account, queuedAt, retryOf, says };
      return { ...row, created, change: { ...change, priority: event.priority } };
    }
    case "given":
      return { ...row, change: { ...change, builder: event.lease.builder } };
    case "taken":
      return { ...row, change: { ...change, claimedAt: at } };
    case "published":
      return { ...row, change: { ...change, release: event.release } };
    case "prioritized":
      return { ...row, change: { ...change, priority: event.priority } };
    case "ended": {
      const { because, link } = event;
      return { ...row, change: { ...change, code, because, endedAt: at, replacedBy: link } };
    }
    default:
      return { ...row, change };
  }
}

/** What the server signs for. What a builder or a replica did has their own entries. */
export function entriesOf(happened: Happened, now: Instant, limits: BuildLimits): readonly Draft[] {
  const { event, before } = happened;
  switch (event.type) {
    case "queued": {
      const { build, space, commit, account, factory, retryOf } = event.terms;
      const facts = { space, commit, account, factory, ...(retryOf === null ? {} : { link: retryOf }) };
      return [{ work: build, hop: "build.request", mark: "took", facts }, queuedEntry(happened, build, now, limits)];
    }
    case "given": {
      const { build, number, lease } = event;
      const channel = `build-queue→${lease.builder}`;
      const facts = { builder: lease.builder, channel, number, fence: lease.fence, takenWithinMs: limits.claimMs };
      return [{ work: build, hop: "build.claim", mark: "handed", facts }];
    }
    case "requeued": {
      const { build, code, says, lease } = event;
      const facts = { code, says, builder: lease.builder, fence: lease.fence, again: true };
      return [{ work: build, hop: "build.claim", mark: "failed", facts }, queuedEntry(happened, build, now, limits)];
    }
    case "ended": {
      const known = before.builds.get(event.build);
      return known === undefined ? [] : endEntries(event, known);
    }
    default:
      return [];
  }
}

/** The build's own line about an event; undefined where its builder or its queue line says it. */
export function lineOf(event: BuildEvent): string | undefined {
  switch (event.type) {
    case "given":
    case "requeued":
    case "prioritized":
      return event.says;
    case "ended":
      if (event.stage === "done" || (event.by.kind === "builder" && event.from !== "starting")) return undefined;
      return event.from === "starting" ? `failed: ${event.says}` : event.says;
    default:
      return undefined;
  }
}

/** Where waiting builds stand, by id. */
export function waitingViews(
  state: Happened["after"],
  now: Instant,
  limits: BuildLimits,
): ReadonlyMap<string, BuildWaitingView> {
  return new Map(placesOf(state, now, limits).map(({ build, place }) => [build.terms.build, waitingView(place)]));
}

/** One sentence for a build that goes on: why it is in its stage, since when, and what ends it. */
export function standingSays({ stage, says, since, deadline, waiting }: BuildView): string {
  const ends =
    deadline === null || waiting !== null
      ? ""
      : stage === "starting"
        ? `, and has to listen by ${clockTime(deadline)}`
        : `, and has to end by ${clockTime(deadline)}`;
  return `The build is ${stage} since ${clockTime(since)}: ${waiting?.says ?? says}${ends}.`;
}

/** Why there is no log of a build. */
export function trimmedSays(build: string, trimmedAt: Instant): string {
  const kept = "of a Space those of its newest builds, of its newest failed ones, and of its releases are kept";
  return `The log of build ${build} was removed at ${iso(trimmedAt)}: ${kept}.`;
}

function waitingView({ position, of, estimateMs, basis, reasons, until }: Place): BuildWaitingView {
  const why = reasons.length === 0 ? "a builder is free" : reasons.map(({ says }) => says).join("; ");
  const starts = estimateMs === null ? "" : `; begins in about ${spell(estimateMs)}`;
  const says = `${ordinal(position)} of ${of}, ${why}${starts}; gives up at ${iso(until)}`;
  return { position, of, estimateMs, basis, reasons, until: iso(until), says };
}

function queuedEntry({ after }: Happened, build: string, now: Instant, limits: BuildLimits): Draft {
  const found = placesOf(after, now, limits).find((one) => one.build.terms.build === build);
  if (found === undefined) return { work: build, hop: "build.queue", mark: "took", facts: {} };
  const { position, of, estimateMs, reasons } = found.place;
  const facts = {
    position,
    of,
    estimateMs,
    reasons: reasons.map(({ kind, says }) => ({ kind, says })),
    deadline: iso(found.place.until),
  };
  return { work: build, hop: "build.queue", mark: "took", facts };
}

function endEntries(event: Extract<BuildEvent, { type: "ended" }>, known: Build): readonly Draft[] {
  const { build, stage, code, says, by, link } = event;
  if (stage === "done" || code === null) return [];
  const facts: Facts = {
    code,
    says,
    because: [...event.because],
    ...(by.kind === "builder" ? {} : { by: by.kind, byName: by.name }),
    ...(link === null ? {} : { link }),
  };
  if (known.stage === "queued") return [{ work: build, hop: "build.queue", mark: "refused", facts }];
  if (!isLeased(known)) {
    const hop = code === "build/no-builder" ? "replica.start" : "replica.ready";
    return [{ work: build, hop, mark: "failed", facts }];
  }
  if (by.kind === "builder") return []; // it has signed for it itself
  const { builder, fence } = known.lease;
  return [{ work: build, hop: "build.claim", mark: "failed", facts: { ...facts, builder, fence } }];
}
